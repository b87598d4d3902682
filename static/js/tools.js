// The two buttons that every page has: language, and light or dark.
import { keep } from './dom.js';
import { lang, setLang, translate } from './words.js';

const $ = (id) => document.getElementById(id);

export function wireTools() {
  $('lang').onclick = () => setLang(lang() === 'en' ? 'pt-BR' : 'en');
  $('theme').onclick = () => {
    const root = document.documentElement;
    root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
    keep('zapgate.theme', root.dataset.theme);
  };
}

/** Puts the words of the present language into whatever only carries a key. */
export function paintTools() {
  translate();
  $('lang').textContent = lang() === 'en' ? 'PT' : 'EN';
  $('lang').ariaLabel = $('lang').title = lang() === 'en' ? 'Mudar para português' : 'Switch to English';
}
