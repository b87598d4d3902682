// The one thing a connection's state is about: its code, a wait, the steps after the scan, or one button and why. The
// board shows it on the card, the drawer shows the same at more length.
import { bdi, h, sentence } from './dom.js';
import { chase, mark } from './marks.js';
import { lang, state as stateWords, t } from './words.js';
import { a } from './act-words.js';
import { actionsOf, UNDER_WAY } from './actions.js';
import { phone } from './figures.js';
import { codePlate, gaveUpOn, halves, isValid, preparingPlate, steps } from './qr.js';
import { copyButton } from './copy.js';
import { finishing } from './finishing.js';

export class Stage {
  el = h('div', { class: 'stage' });
  #card;
  #roomy;
  #now = null;
  #shown = '';

  /** `card`: `{ user, it, errand, cut, press(act) }`. `roomy`: there is space for what a card leaves out. */
  constructor(card, { roomy = false } = {}) {
    this.#card = card;
    this.#roomy = roomy;
  }

  get kind() {
    const { info, code, awaitsCode } = this.#card.it;
    const { status, statusReason } = info;
    if (UNDER_WAY.includes(statusReason)) return 'underway';
    if (status === 'waiting_qr' && isValid(code)) return 'code';
    if (awaitsCode) return 'preparing';
    if (status === 'finishing' || status === 'action_required') return status;
    if (status === 'connected' && this.#roomy && !this.#main) return 'connected';
    return this.#main || stateWords(status).next ? 'step' : 'none';
  }

  get #main() {
    return actionsOf(this.#card.it.info).main;
  }

  tick() {
    this.#now?.tick?.();
  }

  drop() {
    this.#now?.drop?.();
    this.#shown = '';
  }

  paint() {
    const { it, errand, cut } = this.#card;
    const { kind } = this;
    const { status, statusReason, phoneNumber, profileName } = it.info;
    const facts = [status, statusReason, kind === 'code' && it.codes, kind === 'connected' && [phoneNumber, profileName]];
    const shown = [kind, ...facts, it.since, lang(), errand.act, errand.fault, this.#isLost(kind), cut].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#now?.drop?.();
    const focused = this.el.contains(document.activeElement);
    this.#now = this.#show(kind);
    this.el.hidden = !this.#now;
    this.el.replaceChildren(...(this.#now ? [this.#now.el] : []));
    if (focused) this.el.querySelector('button')?.focus({ preventScroll: true });
  }

  /** The wait for a code is over without one. */
  #isLost(kind) {
    return kind === 'preparing' && (this.#card.errand.fault !== null || gaveUpOn(this.#card.it.since));
  }

  #show(kind) {
    const { it } = this.#card;
    switch (kind) {
      case 'code':
        return this.#code();
      case 'preparing':
        return this.#prepare();
      case 'finishing':
        return finishing(it.since);
      case 'action_required':
        return { el: h('div', { class: 'step' }, passkeySteps(), this.#button(), this.#note()) };
      case 'underway':
        return { el: h('p', { class: 'pending', role: 'status' }, chase(), a(it.info.statusReason)) };
      case 'connected':
        return { el: this.#connected() };
      case 'step':
        return { el: h('div', { class: 'step' }, this.#hint(), this.#button(), this.#note()) };
      default:
        return this.#quiet();
    }
  }

  /** Nobody has to act; but somebody may have asked for something. */
  #quiet() {
    if (this.#card.errand.act) return { el: h('p', { class: 'pending' }, chase(), t('asking')) };
    const note = this.#note();
    return note && this.#card.errand.fault ? { el: h('div', { class: 'step' }, note) } : null;
  }

  #code() {
    const { it, user, errand } = this.#card;
    const { pairing, nth } = it.code;
    const below = [
      this.#roomy && nth > 1 && h('p', { class: 'small dim num' }, a('nth', { n: nth })),
      pairing && (this.#roomy ? typed(pairing) : spelt(pairing)),
      steps(),
      (errand.fault || errand.act) && this.#note(),
    ];
    return codePlate(it.code, t('qrAlt', { user }), () => this.#card.expired(), below);
  }

  #prepare() {
    const { it, errand } = this.#card;
    const lost = this.#isLost('preparing');
    const end = lost && [this.#button({ act: 'connect', words: null }), errand.fault && this.#note()];
    const said = it.info.statusReason === 'waiting_for_wipe' ? a('wipe') : null;
    // Not from within the painting that noticed.
    return preparingPlate(it.since, it.hadCode, { end, said }, () => queueMicrotask(() => this.#card.paint()));
  }

  #connected() {
    const { phoneNumber, profileName } = this.#card.it.info;
    const number = phoneNumber && bdi(phone(phoneNumber), { class: 'num' });
    const who = profileName ? bdi(profileName) : number;
    const words = who ? sentence(a('linkedTo'), { who }) : stateWords('connected').label;
    return h('div', { class: 'arrived', role: 'status' }, mark('done', 'ok'), h('b', null, words), h('p', null, a('drawerConnected')));
  }

  #hint() {
    const { next } = stateWords(this.#card.it.info.status);
    return next && h('p', { class: 'soft' }, next);
  }

  #button(press = this.#main) {
    if (!press) return null;
    const { errand, cut } = this.#card;
    const asking = errand.act === press.act;
    const idle = errand.act !== null || cut !== '';
    const then = () => idle || this.#card.press(press.act);
    const attrs = { class: 'btn go', type: 'button', 'data-role': press.act, onclick: then };
    const words = press.words ? a(press.words) : t('retry');
    return h('button', { ...attrs, 'aria-disabled': idle && 'true' }, asking ? [chase(), t('asking')] : words);
  }

  #note() {
    const { errand, cut } = this.#card;
    if (cut) return h('p', { class: 'soft' }, cut);
    return errand.fault && h('p', { class: 'fault', role: 'alert' }, errand.fault);
  }
}

/** A code to type, beside the one to scan. */
function spelt(text) {
  const code = h('b', { 'aria-label': [...text].join(' ') }, halves(text));
  return h('div', { class: 'pairing', 'data-role': 'pairing' }, h('span', null, t('pairing')), code);
}

/** The same with where to type it, and a button that copies it. */
function typed(text) {
  const strong = (words) => h('b', { class: 'way' }, words);
  const way = sentence(a('typeHow'), { menu: strong(t('menu')), link: strong(t('link')), number: strong(a('byNumber')) });
  const code = h('b', { class: 'spelt', 'aria-label': [...text].join(' ') }, halves(text));
  const attrs = { class: 'pairing roomy', 'data-role': 'pairing' };
  return h('div', attrs, h('span', null, a('typeIt')), code, h('p', null, way), copyButton(text, { class: 'btn sm' }));
}

function passkeySteps() {
  const app = h('b', null, 'WhatsApp');
  const items = [sentence(a('passkey1'), { app }), a('passkey2'), a('passkey3')];
  return h('ol', { class: 'steps' }, items.map((item) => h('li', null, h('span', null, item))));
}
