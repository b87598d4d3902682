// The row with which a visitor of the demo plays the phone of one connection.
import { h } from './dom.js';
import { d } from './demo-words.js';
import { demoApi } from './api.js';
import { problem } from './words.js';

const OPEN = ['message', 'drop', 'conflict', 'remove-device', 'ban'];
/** What a phone can do, by the state of its connection. */
const CAN = { waiting_qr: ['scan'], connected: OPEN, flapping: OPEN, reconnecting: ['remove-device', 'ban'] };

export class DemoPhone {
  #card;
  #label = h('span', { class: 'label' });
  #keys = h('span', { class: 'keys' });
  #fault = h('p', { class: 'fault', role: 'alert' });
  #shown = '';
  #busy = null;
  el = h('div', { class: 'demophone', role: 'group', hidden: true }, this.#label, this.#keys, this.#fault);

  constructor(card) {
    this.#card = card;
  }

  paint() {
    const can = CAN[this.#card.status] ?? [];
    const words = d('phone');
    const shown = [can, words, this.#busy].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.el.hidden = !can.length;
    this.el.ariaLabel = d('phoneOf', { user: this.#card.user });
    this.#label.textContent = words;
    const focused = this.#keys.contains(document.activeElement) && document.activeElement.dataset.act;
    this.#keys.replaceChildren(...can.map((act) => this.#key(act)));
    if (focused) this.#keys.querySelector(`[data-act="${focused}"]`)?.focus({ preventScroll: true });
  }

  #key(act) {
    const attrs = { class: 'btn sm', type: 'button', 'data-act': act, 'aria-disabled': this.#busy !== null && 'true' };
    return h('button', { ...attrs, onclick: () => this.#press(act) }, d(act));
  }

  async #press(act) {
    if (this.#busy) return;
    this.#busy = act;
    this.#fault.textContent = '';
    this.paint();
    try {
      await demoApi.phone(this.#card.instanceName, act);
    } catch (error) {
      this.#fault.textContent = error.status === 409 || error.status === 404 ? d('impossible') : problem(error.code);
    }
    this.#busy = null;
    this.paint();
  }
}
