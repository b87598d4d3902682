// Theme and language before the first paint, hence a small blocking classic script: a module would run too late.
(() => {
  const root = document.documentElement;
  const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const theme = kept('zapgate.theme'), lang = kept('zapgate.lang');
  const night = matchMedia('(prefers-color-scheme: dark)');
  const system = () => (night.matches ? 'dark' : 'light');
  root.dataset.theme = theme === 'dark' || theme === 'light' ? theme : system();
  root.lang = lang === 'en' || lang === 'pt-BR' ? lang : /^pt\b/i.test(navigator.language) ? 'pt-BR' : 'en';
  night.addEventListener('change', () => { if (!kept('zapgate.theme')) root.dataset.theme = system(); });
})();
