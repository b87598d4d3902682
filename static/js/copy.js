// A button that copies a text, where the browser lets it.
import { h } from './dom.js';
import { t } from './words.js';

/** `null` where there is no clipboard; the text is on the screen anyway. */
export function copyButton(text, attrs = { class: 'btn' }) {
  if (!navigator.clipboard) return null;
  const button = h('button', { ...attrs, type: 'button' }, t('copy'));
  button.onclick = () =>
    navigator.clipboard.writeText(text).then(
      () => (button.textContent = t('copied')),
      () => button.remove(), // not allowed here
    );
  return button;
}
