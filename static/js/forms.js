// The two questions this page asks: who are you, and which user shall be connected.
import { h } from './dom.js';
import { t } from './words.js';

/** A dialog with one field. `send(value)` may throw an error whose message is for the reader. */
function ask(dialog, id, { title, why, label, hint, go, busy, input, closable, send, icon }) {
  const field = h('input', { id: `${id}-v`, name: 'value', required: true, autocapitalize: 'off', spellcheck: 'false', 'aria-describedby': `${id}-hint ${id}-err`, ...input });
  const fault = h('p', { class: 'fault', id: `${id}-err`, role: 'alert' });
  const submit = h('button', { class: 'btn go', type: 'submit' }, go);
  const form = h('form', { method: 'dialog', onsubmit: async (event) => {
    event.preventDefault();
    if (submit.ariaDisabled === 'true') return;
    submit.ariaDisabled = 'true'; submit.textContent = busy; fault.textContent = '';
    try { await send(field.value.trim()); dialog.close(); } catch (error) { fault.textContent = error.message; field.focus(); } finally { submit.ariaDisabled = null; submit.textContent = go; }
  } }, icon, h('h2', { id: `${id}-h` }, title), h('p', { class: 'soft' }, why),
    h('div', { class: 'ask' }, h('label', { for: `${id}-v` }, label), h('div', { class: 'field' }, field), h('p', { class: 'small dim', id: `${id}-hint` }, hint), fault),
    h('div', { class: 'acts' }, closable && h('button', { class: 'btn', type: 'button', onclick: () => dialog.close() }, t('keep')), submit));
  dialog.replaceChildren(form);
  dialog.oncancel = (event) => { if (!closable) event.preventDefault(); };
  if (!dialog.open) dialog.showModal();
  field.focus();
}

/** `why`: a sentence when somebody was signed in before; then the page behind stays readable on demand. */
export function askSignIn(dialog, { reason, again, send }) {
  dialog.toggleAttribute('data-bare', !again);
  ask(dialog, 'login', {
    title: reason ?? t('loginTitle'), why: t('loginWhy'), label: t('loginLabel'), hint: t('loginHint'), go: t('loginGo'), busy: t('loginBusy'),
    input: { type: 'password', autocomplete: 'current-password', maxlength: 8192 }, closable: again, send,
  });
}

export function askUser(dialog, send) {
  ask(dialog, 'connect', {
    title: t('connectTitle'), why: t('connectWhy'), label: t('connectLabel'), hint: t('connectHint'), go: t('connectGo'), busy: t('asking'),
    input: { type: 'text', pattern: '[A-Za-z0-9_.\\-]{1,128}', maxlength: 128, autocomplete: 'off' }, closable: true, send,
  });
}
