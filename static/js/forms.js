// Questions in a dialog: who are you, which user shall be connected, and (see `sure.js`) are you sure.
import { h } from './dom.js';
import { t } from './words.js';

/**
 * A dialog with one field, or with none where no `label` is given. `send(value)` may throw an error whose message is for
 * the reader, or answer what to do once the dialog is closed. `fits(value)`: only then can it be sent. `grave`: what follows can't be taken back, so that the focus
 * begins on what keeps things as they are.
 */
export function ask(dialog, id, question) {
  const { title, why, go, busy, closable, send, icon, fits = () => true, grave = false, modal = true } = question;
  const { keep = t('keep') } = question;
  const fault = h('p', { class: 'fault', id: `${id}-err`, role: 'alert' });
  const { field, inner } = question.label ? fieldOf(id, question, fault) : { field: null, inner: fault };
  const submit = h('button', { class: grave ? 'btn grave' : 'btn go', type: 'submit' }, go);
  const leave = closable && h('button', { class: 'btn', type: 'button', onclick: () => dialog.close() }, keep);
  const value = () => field?.value.trim() ?? '';
  let sending = false;
  const weigh = () => {
    submit.ariaDisabled = sending || !fits(value()) ? 'true' : null;
  };

  const blame = (words) => {
    fault.textContent = words;
    if (field) field.ariaInvalid = words ? 'true' : null;
  };

  async function onsubmit(event) {
    event.preventDefault();
    if (submit.ariaDisabled) return;
    sending = true;
    weigh();
    submit.textContent = busy;
    blame('');
    try {
      const then = await send(value());
      dialog.close();
      then?.();
    } catch (error) {
      blame(error.message);
      (field ?? submit).focus();
    } finally {
      sending = false;
      submit.textContent = go;
      weigh();
    }
  }

  const head = [icon, h('h2', { id: `${id}-h` }, title), h('p', { class: 'soft' }, why)];
  dialog.replaceChildren(h('form', { onsubmit, oninput: weigh }, head, inner, h('div', { class: 'acts' }, leave, submit)));
  dialog.oncancel = (event) => closable || event.preventDefault();
  weigh();
  dialog.close();
  if (modal) dialog.showModal();
  else dialog.show();
  (field ?? leave).focus();
}

function fieldOf(id, { label, hint, input }, fault) {
  const ids = { field: `${id}-v`, hint: `${id}-hint` };
  const plain = { required: true, autocapitalize: 'off', spellcheck: 'false' };
  const field = h('input', { id: ids.field, 'aria-describedby': `${ids.hint} ${fault.id}`, ...plain, ...input });
  const question = h('label', { for: ids.field }, label);
  const help = h('p', { class: 'small dim', id: ids.hint }, hint);
  return { field, inner: h('div', { class: 'ask' }, question, h('div', { class: 'field' }, field), help, fault) };
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
