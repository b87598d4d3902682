// The two questions this page asks: who are you, and which user shall be connected.
import { h } from './dom.js';
import { t } from './words.js';

/** A dialog with one field. `send(value)` may throw an error whose message is for the reader. */
function ask(dialog, id, { title, why, label, hint, go, busy, input, closable, send, icon, modal = true }) {
  const ids = { field: `${id}-v`, hint: `${id}-hint`, fault: `${id}-err` };
  const plain = { required: true, autocapitalize: 'off', spellcheck: 'false' };
  const field = h('input', { id: ids.field, 'aria-describedby': `${ids.hint} ${ids.fault}`, ...plain, ...input });
  const fault = h('p', { class: 'fault', id: ids.fault, role: 'alert' });
  const submit = h('button', { class: 'btn go', type: 'submit' }, go);
  const leave = closable && h('button', { class: 'btn', type: 'button', onclick: () => dialog.close() }, t('keep'));

  async function onsubmit(event) {
    event.preventDefault();
    if (submit.ariaDisabled) return;
    submit.ariaDisabled = 'true';
    submit.textContent = busy;
    fault.textContent = '';
    try {
      await send(field.value.trim());
      dialog.close();
    } catch (error) {
      fault.textContent = error.message;
      field.focus();
    } finally {
      submit.ariaDisabled = null;
      submit.textContent = go;
    }
  }

  const question = h('label', { for: ids.field }, label);
  const help = h('p', { class: 'small dim', id: ids.hint }, hint);
  const inner = h('div', { class: 'ask' }, question, h('div', { class: 'field' }, field), help, fault);
  const head = [icon, h('h2', { id: `${id}-h` }, title), h('p', { class: 'soft' }, why)];
  dialog.replaceChildren(h('form', { onsubmit }, head, inner, h('div', { class: 'acts' }, leave, submit)));
  dialog.oncancel = (event) => closable || event.preventDefault();
  dialog.close();
  if (modal) dialog.showModal();
  else dialog.show();
  field.focus();
}

/** Before the first sign-in there is nothing behind the dialog: it is the page, and the bar above stays usable. */
export function askSignIn(dialog, { reason, again, send }) {
  dialog.toggleAttribute('data-bare', !again);
  ask(dialog, 'login', {
    title: reason || t('loginTitle'),
    why: t('loginWhy'),
    label: t('loginLabel'),
    hint: t('loginHint'),
    go: t('loginGo'),
    busy: t('loginBusy'),
    input: { type: 'password', autocomplete: 'current-password', maxlength: 8192 },
    closable: again,
    modal: again,
    send,
    icon: document.querySelector('.brand svg').cloneNode(true),
  });
}

export function askUser(dialog, send) {
  ask(dialog, 'connect', {
    title: t('connectTitle'),
    why: t('connectWhy'),
    label: t('connectLabel'),
    hint: t('connectHint'),
    go: t('connectGo'),
    busy: t('asking'),
    input: { type: 'text', pattern: '[A-Za-z0-9_.\\-]{1,128}', maxlength: 128, autocomplete: 'off' },
    closable: true,
    send,
  });
}
