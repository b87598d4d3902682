// A telephone number for a code to type instead of one to scan. The form outlives what is painted around it, so that
// nothing typed is lost.
import { h } from './dom.js';
import { chase } from './marks.js';
import { a } from './act-words.js';

let made = 0;

/** What a person wrote as digits with country code, or `null` when it can't be a number. */
export function digitsOf(typed) {
  const digits = typed.replace(/[\s().+-]/g, '');
  return /^[1-9]\d{7,14}$/.test(digits) ? digits : null;
}

/** `send(digits)` throws with words for the reader. */
export class NumberForm {
  #send;
  #field;
  #fault;
  #submit;
  #label;
  #hint;
  #busy = false;

  constructor(send) {
    this.#send = send;
    const id = `number-${(made += 1)}`;
    const plain = { type: 'tel', inputmode: 'tel', autocomplete: 'tel', maxlength: 32, required: true };
    this.#field = h('input', { id, ...plain, 'aria-describedby': `${id}-hint ${id}-fault` });
    this.#label = h('label', { for: id });
    this.#hint = h('p', { class: 'small dim', id: `${id}-hint` });
    this.#fault = h('p', { class: 'fault', id: `${id}-fault`, role: 'alert' });
    this.#submit = h('button', { class: 'btn', type: 'submit' });
    const field = h('div', { class: 'field' }, this.#field);
    this.el = h(
      'form',
      { class: 'numberform', novalidate: true, onsubmit: (event) => this.#go(event) },
      [this.#label, field, this.#hint, this.#fault, this.#submit],
    );
    this.retell();
  }

  retell() {
    this.#label.textContent = a('numberLabel');
    this.#hint.textContent = a('numberHint');
    this.#submit.replaceChildren(...(this.#busy ? [chase(), a('numberBusy')] : [a('numberGo')]));
    this.#submit.ariaDisabled = this.#busy ? 'true' : null;
  }

  /** As the one thing to press here, or as one beside another. */
  weigh(isMain) {
    this.#submit.classList.toggle('go', isMain);
  }

  say(words) {
    this.#fault.textContent = words;
    this.#field.ariaInvalid = words ? 'true' : null;
  }

  async #go(event) {
    event.preventDefault();
    if (this.#busy) return;
    const digits = digitsOf(this.#field.value);
    this.say(digits ? '' : a('numberBad'));
    if (!digits) {
      this.#field.focus();
      return;
    }
    this.#busy = true;
    this.retell();
    try {
      await this.#send(digits);
    } catch (error) {
      this.say(error.message);
    } finally {
      this.#busy = false;
      this.retell();
    }
  }
}
