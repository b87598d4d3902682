// Connecting one number, from the code to connected, in one place: a sheet over the board that follows its card.
import { bdi, h } from './dom.js';
import { chase, mark } from './marks.js';
import { state as stateWords, why } from './words.js';
import { a } from './act-words.js';
import { actionsOf } from './actions.js';
import { NumberForm } from './number.js';
import { Stage } from './stage.js';

/** Where a code made for a number would help. */
const BY_NUMBER = ['code', 'preparing', 'step'];
const CODELESS = ['disconnected', 'logged_out'];

export class Drawer {
  #dialog;
  #card = null;
  #stage = null;
  #parts = null;
  #byNumber = null;
  #waitsForCode = false;

  /** `ask(act, card, number)` asks the server, and throws with words for the reader. */
  constructor(dialog, ask) {
    this.#dialog = dialog;
    this.ask = ask;
    dialog.addEventListener('close', () => this.#closed());
    dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close()); // on the veil
  }

  /** Shows a card's connection; closing gives the focus back to whatever had it. */
  open(card) {
    if (this.#card === card) return;
    if (this.#card) this.#dialog.close();
    this.#card = card;
    this.#stage = new Stage(card, { roomy: true });
    this.#byNumber = new NumberForm((digits) => this.#askCode(digits));
    this.#build();
    this.paint(card);
    this.#dialog.showModal();
  }

  close(card = this.#card) {
    if (card === this.#card) this.#dialog.close();
  }

  tick() {
    this.#stage?.tick();
  }

  retell() {
    if (!this.#card) return;
    this.#byNumber.retell();
    this.#build();
    this.paint(this.#card);
  }

  /** Something new about a card; others than the one on show are no concern of it. */
  paint(card) {
    if (!this.#card || card !== this.#card) return;
    const { info, code } = card.it;
    const words = stateWords(info.status, info.statusReason);
    const { name, state, reason, number, more } = this.#parts;
    name.replaceChildren(bdi(info.profileName || card.user));
    state.dataset.f = words.family;
    state.replaceChildren(mark(info.status), h('span', null, words.label));
    const { kind } = this.#stage;
    reason.textContent = kind === 'code' || kind === 'preparing' ? '' : why(info);
    this.#stage.paint();
    this.#dialog.dataset.stage = kind;
    if (code?.pairing) this.#waitsForCode = false;
    number.hidden = !this.#takesNumber(kind, info.status, code);
    this.#byNumber.weigh(false);
    this.#paintScanned(more, card);
  }

  #takesNumber(kind, status, code) {
    if (code?.pairing || this.#card.cut) return false;
    return BY_NUMBER.includes(kind) && (kind !== 'step' || CODELESS.includes(status));
  }

  #paintScanned(place, card) {
    const offered = actionsOf(card.it.info).rest.includes('scanned') && !card.cut;
    place.hidden = !offered;
    const asking = card.errand.act === 'scanned';
    const attrs = { class: 'btn bare', type: 'button', 'data-act': 'scanned', 'aria-disabled': asking && 'true' };
    const held = place.contains(document.activeElement);
    place.replaceChildren(
      h('button', { ...attrs, onclick: () => card.press('scanned') }, asking ? [chase(), a('scanned')] : a('scanned')),
    );
    if (held) place.firstChild.focus();
  }

  async #askCode(digits) {
    const card = this.#card;
    this.#waitsForCode = true;
    await this.ask('connect', card, digits);
    if (this.#card === card && this.#waitsForCode && !card.it.code?.pairing) this.#byNumber.say(a('numberLate'));
  }

  #build() {
    const close = h('button', { class: 'tool', type: 'button', onclick: () => this.#dialog.close() }, mark('close'));
    close.ariaLabel = close.title = a('close');
    const name = h('h2', { id: 'drawer-h' });
    const state = h('span', { class: 'state' });
    const reason = h('p', { class: 'why' });
    const summary = h('summary', null, a('number'));
    const asWords = h('p', { class: 'small soft' }, a('numberWhy'));
    const number = h('details', { class: 'bynumber', 'data-role': 'by-number' }, summary, asWords, this.#byNumber.el);
    const more = h('div', { class: 'quiet' });
    this.#parts = { name, state, reason, number, more };
    const head = h('header', null, name, close, state, reason);
    this.#dialog.replaceChildren(head, h('div', { class: 'in' }, this.#stage.el, number, more));
  }

  #closed() {
    const { activeElement: at } = document;
    if (at === document.body || this.#dialog.contains(at)) this.#card?.focus(); // what opened it is not there any more
    this.#stage?.drop();
    this.#card = this.#stage = this.#parts = this.#byNumber = null;
    this.#dialog.replaceChildren();
  }
}
