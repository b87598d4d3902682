// The board: one card per user, in the order the server lists them; new ones join at the end, none ever moves.
import { h } from './dom.js';
import { mark } from './marks.js';
import { needsPerson, problem, state as stateWords, t, why } from './words.js';
import { number } from './figures.js';
import { api } from './api.js';
import { a } from './act-words.js';
import { ask } from './requests.js';
import { askRemove, askUnlink } from './sure.js';
import { Card } from './card.js';
import { DemoStrip } from './demo.js';
import { DemoPhone } from './demo-phone.js';
import { Drawer } from './drawer.js';
import { LiveChannel } from './live.js';

const ALWAYS_LIVE = 8; // cards that listen even out of view; with those in view it stays under the socket limit
const BONES_MS = 150;
const SLOW_MS = 8_000;

export class Board {
  #cards = new Map();
  #loading = false;
  #again = false;
  #loaded = false;
  #admin;
  #more = false;
  #why = '';
  #demo = null;
  me = { admin: false };

  /** `on`: `line()` after any change of a socket, `signIn()` when the session is over, `add()` opens the form. */
  constructor({ board, strip, sum, add, say, drawer, sure, demo }, on) {
    Object.assign(this, { el: board, strip, sum, add, say, sure, demo, on });
    this.drawer = new Drawer(drawer, (act, card, number) => this.#ask(act, card.user, number));
    this.#admin = new LiveChannel(
      { channel: 'admin' },
      {
        hello: ({ recovered }) => {
          this.#back();
          if (!recovered && this.#loaded) this.load();
        },
        frame: (frame) => this.#heard(frame),
        change: () => on.line(),
        refused: on.refused,
      },
    );
    this.sight = new IntersectionObserver(
      (seen) => seen.forEach(({ target, isIntersecting }) => this.#inView(target.dataset.user, isIntersecting)),
      { rootMargin: '100px' },
    );
    setInterval(() => this.#tick(), 1000);
    document.addEventListener('visibilitychange', () => this.#tick());
  }

  /** Every socket of the page, the board's own first. */
  get lines() {
    return this.#lines.map((live) => live.state);
  }

  get #lines() {
    return [this.#admin, ...[...this.#cards.values()].map((card) => card.live)];
  }

  start(me) {
    this.me = me;
    if (this.isDemo) this.#demo = new DemoStrip(this.demo);
    if (this.isOperator) this.#admin.start();
    return this.load();
  }

  /** After signing in again: every line that ended goes on from where it was. */
  resume() {
    this.#lines.forEach((live) => {
      if (live.state.phase === 'ended') live.start();
    });
    return this.load();
  }

  /** Operators see everybody's connections; a user only their own. */
  get isOperator() {
    return this.me.admin;
  }

  get isDemo() {
    return this.me.admin && this.me.demo === true;
  }

  async load() {
    if (this.#loading) {
      this.#again = true;
      return;
    }
    this.#loading = true;
    const bones = setTimeout(() => this.#bones(), BONES_MS);
    const slow = setTimeout(() => this.tell('clock', 'off', { what: t('slow') }), SLOW_MS);
    try {
      const { items, nextCursor } = await this.#list();
      this.#more = Boolean(nextCursor);
      this.#loaded = true;
      this.tell();
      items.forEach((instance) => this.#put(instance));
      if (!this.#more) this.#dropAllBut(new Set(items.map((instance) => instance.userId)));
    } catch (error) {
      this.#failed(error);
    } finally {
      clearTimeout(bones);
      clearTimeout(slow);
      this.#loading = false;
      this.paint();
      if (this.#again) {
        this.#again = false;
        this.load();
      }
    }
  }

  #failed(error) {
    if (error.status === 401) {
      this.on.signIn();
      return;
    }
    const because = error.status === 0 || error.status >= 500 ? t('listFailedWhy') : problem(error.code);
    this.tell('down', 'warn', { what: t('listFailed'), because, press: t('retry'), then: () => this.load() });
  }

  /** One strip over the board: what, whose fault, one button; without arguments it goes, as all is well. */
  tell(icon, family, { what, because, press, then } = {}) {
    this.strip.hidden = !what;
    this.strip.replaceChildren();
    if (!what) return;
    const words = h('div', null, h('b', null, what), because && h('p', null, because));
    const button = press && h('button', { class: 'btn', type: 'button', onclick: then }, press);
    this.strip.append(h('div', { class: 'say', 'data-f': family, role: 'status' }, mark(icon), words, button));
  }

  #tick() {
    this.#cards.forEach((card) => card.tick());
    this.drawer.tick();
  }

  /** Asks for a user's connection (without an operator's rights: one's own). Answers how to show it; throws with words. */
  async connect(user) {
    const { instance } = await this.#ask('connect', user);
    return () => this.drawer.open(this.#cards.get(instance.userId));
  }

  /** What an act of `actions.js` leads to is put on the board; throws with words for whoever asked. */
  async #ask(act, user, number) {
    const { isOperator } = this;
    const answer = await ask(act, { user, isOperator, number, signIn: () => this.on.signIn() });
    if (act === 'connect') {
      const { instance, qrCode, pairingCode } = answer;
      const code = { qrCode: qrCode ?? instance.qrCode, pairingCode: pairingCode ?? instance.pairingCode };
      this.#put({ ...instance, ...code });
    } else if (answer) this.#put(answer);
    this.paint();
    return answer;
  }

  /** Asks the reader, then the server; the dialog stays until it has answered. */
  #sure(act, card) {
    if (act === 'unlink') {
      askUnlink(this.sure, async () => {
        await this.#ask('unlink', card.user);
        this.say.textContent = a('unlinked', { user: card.user });
      });
      return;
    }
    askRemove(this.sure, card.instanceName, async () => {
      const left = await this.#ask('remove', card.user);
      return () => left || this.#gone(card);
    });
  }

  /** There is no such instance any more. */
  #gone(card) {
    if (this.#cards.get(card.user) !== card) return;
    this.#drop(card);
    if (document.activeElement === document.body) this.el.focus({ preventScroll: true });
    this.say.textContent = a('gone', { user: card.user });
    this.paint();
  }

  /** While nothing reaches the server, what needs it is disabled; `words` says why. `null`: it is there. */
  cutOff(words) {
    const why = words?.() ?? '';
    if (why === this.#why) return;
    this.#why = why;
    this.add.ariaDisabled = why ? 'true' : null;
    this.add.title = why;
    this.#cards.forEach((card) => card.cutOff(why));
  }

  retell() {
    this.#cards.forEach((card) => card.retell());
    this.drawer.retell();
    this.#demo?.retell();
    this.paint();
    if (this.#loaded && !this.strip.hidden) this.load();
  }

  paint() {
    const cards = [...this.#cards.values()];
    this.sum.textContent = cards.length ? this.#summary(cards) : '';
    this.el.dataset.count = cards.length;
    this.add.hidden = !cards.length || !this.isOperator;
    this.el.querySelectorAll('.bones, .empty').forEach((stand) => stand.remove());
    if (cards.length || !this.#loaded) return;
    const button = h('button', { class: 'btn go', type: 'button', onclick: () => this.on.add() }, t('add'));
    this.el.append(
      h('div', { class: 'empty panel', 'data-role': 'empty' }, mark('connected'), h('p', null, t('none')), button),
    );
  }

  #summary(cards) {
    const up = cards.filter((card) => card.status === 'connected').length;
    const need = cards.filter((card) => needsPerson(card.status, card.reason)).length;
    const parts = [t(up === 1 || cards.length === 1 ? 'sumOne' : 'sum', { up: number(up), all: number(cards.length) })];
    if (need) parts.push(t(need === 1 ? 'sumNeed' : 'sumNeeds', { n: number(need) }));
    if (this.#more) parts.push(t('more', { n: number(cards.length) }));
    return parts.join(' · ');
  }

  async #list() {
    if (this.isOperator) return api.instances();
    try {
      return { items: [await api.of(null).instance()] };
    } catch (error) {
      if (error.status === 404) return { items: [] };
      throw error;
    }
  }

  #put(instance) {
    const known = this.#cards.get(instance.userId);
    if (known) {
      known.take(instance);
      return;
    }
    const card = new Card(instance, {
      ask: (act, one) => this.#ask(act, one.user),
      sure: (act, one) => this.#sure(act, one),
      show: (one) => this.drawer.open(one),
      look: (user) => api.of(this.isOperator ? user : null).instance(),
      gone: (one) => this.#gone(one),
      isOperator: () => this.isOperator,
      phone: (one) => (this.isDemo ? new DemoPhone(one) : null),
      painted: (one) => this.drawer.paint(one),
      refused: () => this.on.refused(),
      back: () => this.#back(),
      said: (one) => this.#announce(one),
      line: () => this.on.line(),
    });
    this.#cards.set(card.user, card);
    this.el.append(card.el);
    this.sight.observe(card.el);
    if (this.#cards.size <= ALWAYS_LIVE) card.live.start();
  }

  #dropAllBut(listed) {
    this.#cards.forEach((card, user) => {
      if (!listed.has(user)) this.#drop(card);
    });
  }

  #drop(card) {
    this.#cards.delete(card.user);
    this.drawer.close(card);
    this.sight.unobserve(card.el);
    card.live.stop();
    card.el.remove();
  }

  #inView(user, seen) {
    const card = this.#cards.get(user);
    const place = [...this.#cards.keys()].indexOf(user);
    if (!card || place < ALWAYS_LIVE || card.live.state.phase === 'ended') return;
    if (seen) card.live.start();
    else card.live.stop();
  }

  #heard({ type, data }) {
    if (type !== 'status') return;
    const card = [...this.#cards.values()].find((one) => one.instanceName === data.instanceName);
    if (card) card.hear(data);
    else this.load();
  }

  /** One line is back, so the others need not wait their turn. */
  #back() {
    this.#lines.forEach((live) => live.hurry());
  }

  #announce(card) {
    const words = stateWords(card.status);
    this.say.textContent = `${card.user}: ${words.label}. ${why({ status: card.status, statusReason: card.reason })}`;
    this.paint();
  }

  #bones() {
    if (this.#cards.size) return;
    this.paint();
    const bone = () => h('i', { class: 'bone' });
    const card = () => h('div', { class: 'card bones', 'aria-hidden': 'true' }, bone(), bone(), bone(), bone());
    this.el.append(card(), card(), card());
  }
}
