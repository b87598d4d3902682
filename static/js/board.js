// The board: one card per user, in the order the server lists them; new ones join at the end, none ever moves.
import { h } from './dom.js';
import { mark } from './marks.js';
import { needsPerson, problem, state as stateWords, t, why } from './words.js';
import { number } from './figures.js';
import { api } from './api.js';
import { Card } from './card.js';
import { LiveChannel } from './live.js';

const ALWAYS_LIVE = 8;          // cards that listen even out of view; with those in view it stays under the socket limit
const BONES_MS = 150, SLOW_MS = 8_000;

export class Board {
  #cards = new Map(); #loading = false; #again = false; #loaded = false; #admin; #more = false;

  /** `on`: `line()` after any change of a socket, `signIn()` when the session is over, `add()` opens the form. */
  constructor({ board, strip, sum, add, say }, on) {
    Object.assign(this, { el: board, strip, sum, add, say, on });
    this.#admin = new LiveChannel({ channel: 'admin' }, {
      hello: ({ recovered }) => { if (!recovered && this.#loaded) this.load(); }, frame: (frame) => this.#heard(frame), change: () => on.line(), refused: on.refused,
    });
    this.sight = new IntersectionObserver((seen) => seen.forEach(({ target, isIntersecting }) => this.#inView(target.dataset.user, isIntersecting)), { rootMargin: '100px' });
    setInterval(() => this.#cards.forEach((card) => card.tick()), 1000);
    document.addEventListener('visibilitychange', () => this.#cards.forEach((card) => card.tick()));
  }

  /** Every socket of the page, the board's own first. */
  get lines() { return [this.#admin, ...[...this.#cards.values()].map((card) => card.live)].map((live) => live.state); }

  start(me) {
    this.me = me;
    if (this.isOperator) this.#admin.start();
    return this.load();
  }

  /** After signing in again: every line that ended goes on from where it was. */
  resume() {
    [this.#admin, ...[...this.#cards.values()].map((card) => card.live)].forEach((live) => { if (live.state.phase === 'ended') live.start(); });
    return this.load();
  }

  /** `GET /api/me` of an operator names no user of its own. */
  get isOperator() { return this.me?.admin ?? this.me?.isAdmin ?? true; }

  async load() {
    if (this.#loading) { this.#again = true; return; }
    this.#loading = true;
    const bones = setTimeout(() => this.#bones(), BONES_MS), slow = setTimeout(() => this.#tell('clock', 'off', t('slow')), SLOW_MS);
    try {
      const { items, nextCursor } = await this.#list();
      this.#more = Boolean(nextCursor);
      this.#loaded = true;
      this.#tell();
      items.forEach((instance) => this.#put(instance));
      const listed = new Set(items.map((instance) => instance.userId));
      if (!this.#more) this.#cards.forEach((card, user) => { if (!listed.has(user)) this.#drop(user); });
    } catch (error) {
      if (error.status === 401) this.on.signIn();
      else this.#tell('down', 'warn', t('listFailed'), error.code === 'unreachable' ? t('listFailedWhy') : problem(error.code), () => this.load());
    } finally {
      clearTimeout(bones); clearTimeout(slow);
      this.#loading = false;
      this.paint();
      if (this.#again) { this.#again = false; this.load(); }
    }
  }

  /** Asks for a user's connection; throws with words for whoever asked. */
  async connect(user) {
    try {
      const { instance, qrCode, pairingCode } = await api.connect(user);
      if (instance) this.#put({ ...instance, qrCode: qrCode ?? instance.qrCode, pairingCode: pairingCode ?? instance.pairingCode });
      this.paint();
      return this.#cards.get(user);
    } catch (error) {
      if (error.status === 401) this.on.signIn();
      throw error.code ? new Error(error.code === 'evolution_refused' && error.detail ? error.detail : problem(error.code)) : error;
    }
  }

  show(card) {
    if (!card) return;
    card.el.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
    card.el.tabIndex = -1;
    card.el.focus({ preventScroll: true });
  }

  retell() { this.#cards.forEach((card) => card.retell()); this.paint(); if (!this.strip.hidden && !this.#loading) this.load(); }

  paint() {
    const cards = [...this.#cards.values()], up = cards.filter((card) => card.status === 'connected').length, need = cards.filter((card) => needsPerson(card.status)).length;
    this.sum.textContent = !cards.length ? '' : [
      t(up === 1 ? 'sumOne' : 'sum', { up: number(up), all: number(cards.length) }), need ? t(need === 1 ? 'sumNeed' : 'sumNeeds', { n: number(need) }) : '', this.#more ? t('more', { n: number(cards.length) }) : '',
    ].filter(Boolean).join(' · ');
    this.el.dataset.count = cards.length;
    this.add.hidden = !cards.length;
    this.el.querySelectorAll('.bones').forEach((bone) => bone.remove());
    this.el.querySelector('.empty')?.remove();
    if (!cards.length && this.#loaded) this.el.append(h('div', { class: 'empty panel', 'data-role': 'empty' }, mark('connected'), h('p', null, t('none')), h('button', { class: 'btn go', type: 'button', onclick: () => this.on.add() }, t('add'))));
  }

  async #list() {
    if (this.isOperator) return api.instances();
    try { return { items: [await api.instance()] }; } catch (error) { if (error.status === 404) return { items: [] }; throw error; }
  }

  #put(instance) {
    const known = this.#cards.get(instance.userId);
    if (known) { if (known.live.state.phase !== 'on' || known.status !== instance.status) known.take(instance); return; }
    const card = new Card(instance, {
      connect: (user) => this.connect(user), refused: () => this.on.refused(),
      said: (one) => this.#announce(one), line: (one) => this.#lineChanged(one),
    });
    this.#cards.set(card.user, card);
    this.el.append(card.el);
    this.sight.observe(card.el);
    if (this.#cards.size <= ALWAYS_LIVE) card.live.start();
  }

  #drop(user) {
    const card = this.#cards.get(user);
    this.sight.unobserve(card.el);
    card.live.stop();
    card.el.remove();
    this.#cards.delete(user);
  }

  #inView(user, seen) {
    const card = this.#cards.get(user), place = [...this.#cards.keys()].indexOf(user);
    if (!card || place < ALWAYS_LIVE || card.live.state.phase === 'ended') return;
    if (seen) card.live.start(); else card.live.stop();
  }

  #heard({ type, data }) {
    if (type !== 'status') return;
    const card = [...this.#cards.values()].find((one) => one.instanceName === data.instanceName);
    if (card) card.hear(data); else this.load();
  }

  #announce(card) {
    const words = stateWords(card.status);
    this.say.textContent = `${card.user}: ${words.label}. ${why({ status: card.status })}`;
    this.paint();
  }

  #lineChanged(card) { if (this.#cards.has(card.user)) this.on.line(); }

  #bones() {
    if (this.#cards.size) return;
    this.paint();
    this.el.append(...[1, 2, 3].map(() => h('div', { class: 'card bones', 'aria-hidden': 'true' }, ['50%', '80%', '', '65%'].map(() => h('i', { class: 'bone' })))));
  }

  /** One strip over the board: what, whose fault, one button; nothing when all is well. */
  #tell(icon, family, what, because, retry) {
    this.strip.hidden = !what;
    this.strip.replaceChildren(...(what ? [h('div', { class: 'say', 'data-f': family, role: 'status' }, mark(icon), h('div', null, h('b', null, what), because && h('p', null, because)), retry && h('button', { class: 'btn', type: 'button', onclick: retry }, t('retry')))] : []));
  }
}
