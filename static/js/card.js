// One user's connection on the board: state and why, what to do about it, and what is said on it.
import { bdi, h, sentence } from './dom.js';
import { mark } from './marks.js';
import { lang, socketEnd, state as stateWords, t, why } from './words.js';
import { a } from './act-words.js';
import { initials, instant, number, phone, phoneOf, when } from './figures.js';
import { actionsOf, UNDER_WAY } from './actions.js';
import { Connection } from './connection.js';
import { Errand } from './errand.js';
import { Menu } from './menu.js';
import { Stage } from './stage.js';
import { isValid } from './qr.js';
import { Stream } from './stream.js';
import { Tape } from './tape.js';
import { LiveChannel } from './live.js';

const BACKLOG = 60; // frames before the present that a fresh card asks for
/** What the menu says of each act; two of them are asked about first. */
const MENU_WORDS = { reconnect: 'reconnect', show: 'show', scanned: 'scanned', unlink: 'unlinkAsk', remove: 'removeAsk' };

export class Card {
  it;
  errand = new Errand(() => this.paint());
  cut = ''; // why nothing can be asked just now
  #stage;
  #menu = new Menu();
  #phone;
  #standing = '';
  #epoch = null;

  /**
   * `on`: `ask(act, card)` asks the server, `sure(act, card)` asks the reader first, `show(card)` opens the drawer,
   * `look(user)` fetches the instance as it is, `gone(card)` hears that there is none any more, `said(card)` of a new
   * state, `painted(card)` of anything new, `line()` of any change of the socket, `back()` of its return, `refused()`
   * of its being turned away; `phone(card)` makes what a demo's visitor plays the phone with, or `null`.
   */
  constructor(instance, on) {
    this.user = instance.userId;
    this.on = on;
    this.it = new Connection({ turned: (before) => this.#turned(before), coded: () => this.errand.settle() });
    this.stream = new Stream(this.user);
    this.tape = new Tape();
    this.#stage = new Stage(this);
    this.#phone = on.phone(this);
    this.nodes = {
      tile: h('span', { class: 'tile', 'aria-hidden': 'true' }),
      name: h('h2'),
      sub: h('p', { class: 'sub' }),
      state: h('span', { class: 'state' }),
      why: h('p', { class: 'why' }),
      issues: h('ul', { class: 'issues', hidden: true }),
      line: h('span', { class: 'line' }),
      mend: h('button', { class: 'btn sm bare', type: 'button', hidden: true }),
      seq: h('span', { class: 'num' }),
    };
    const { tile, name, sub, state, why: reason, issues, line, mend, seq } = this.nodes;
    const names = h('div', { class: 'names' }, name, sub);
    this.el = h(
      'article',
      { class: 'card', 'data-user': this.user, 'aria-label': this.user },
      h('header', null, tile, names, this.#menu.el, state, reason, issues),
      this.#phone?.el,
      this.#stage.el,
      this.stream.el,
      h('footer', null, line, mend, this.tape.el, seq),
    );
    this.live = new LiveChannel(
      { channel: 'user', userId: this.user },
      {
        hello: (hello) => this.#hello(hello),
        frame: (frame) => this.#frame(frame),
        change: (line) => this.#line(line),
        refused: () => on.refused(),
      },
      { backlog: BACKLOG },
    );
    this.take(instance);
    this.#line(this.live.state);
  }

  get status() {
    return this.it.status;
  }

  get reason() {
    return this.it.info.statusReason;
  }

  get instanceName() {
    return this.it.info.instanceName;
  }

  /** A whole instance; `certain` when it is a snapshot of the live line. */
  take(instance, certain = false) {
    this.it.take(instance, certain);
    this.paint();
  }

  /** A `status` heard elsewhere (the admin channel): believed only while this card's own line is not on. */
  hear(data) {
    if (this.live.state.phase === 'on') return;
    this.it.hear(data);
    this.paint();
  }

  focus() {
    (this.#stage.el.querySelector('button') ?? this.el.querySelector('[data-role=menu]'))?.focus();
  }

  /** Why its buttons would not work just now; empty when they would. */
  cutOff(why) {
    this.cut = why;
    this.paint();
  }

  /** The code on the screen has just expired. */
  expired() {
    this.it.setCode(null);
    this.paint();
  }

  /** An act of `actions.js`, pressed. */
  press(act) {
    if (this.errand.act || this.cut) return;
    if (act === 'show') this.on.show(this);
    else if (act === 'unlink' || act === 'remove') this.on.sure(act, this);
    else this.#run(act);
  }

  #run(act) {
    if (act === 'connect') {
      this.it.since = Date.now();
      this.on.show(this);
    }
    this.errand.run(act, () => this.on.ask(act, this));
  }

  paint() {
    const info = this.it.info;
    const { tile, name, sub, state } = this.nodes;
    this.#noticeReason(info);
    const words = stateWords(info.status, info.statusReason);
    const title = info.profileName || this.user;
    const digits = info.phoneNumber;
    this.el.dataset.status = info.status;
    this.el.dataset.f = words.family;
    tile.textContent = initials(title);
    name.replaceChildren(bdi(title, { title }));
    sub.replaceChildren(
      info.profileName ? bdi(this.user) : '',
      info.profileName && digits ? ' · ' : '',
      digits ? bdi(phone(digits), { class: 'num' }) : '',
    );
    if (!sub.textContent) sub.append(bdi(info.instanceName ?? ''));
    state.dataset.f = words.family;
    state.replaceChildren(mark(info.status), h('span', null, words.label));
    this.nodes.why.replaceChildren(...this.#reason());
    this.#paintIssues();
    this.#stage.paint();
    this.el.dataset.stage = this.#stage.kind;
    this.el.dataset.reason = info.statusReason ?? '';
    this.#menu.paint(a('more', { user: this.user }), this.#items(), this.cut);
    this.#phone?.paint();
    this.on.painted(this);
  }

  /** What an operator should change, in the server's words. */
  #paintIssues() {
    const issues = this.on.isOperator() ? (this.it.info.health?.issues ?? []) : [];
    this.nodes.issues.hidden = !issues.length;
    this.nodes.issues.replaceChildren(...issues.map((issue) => h('li', { dir: 'auto' }, bdi(issue))));
  }

  #items() {
    const grave = (act) => act === 'unlink' || act === 'remove';
    return actionsOf(this.it.info).rest.map((act) => ({
      act,
      words: a(MENU_WORDS[act]),
      grave: grave(act),
      then: () => this.press(act),
    }));
  }

  /** A new reason ends what was asked for; some say more than their frame tells. */
  #noticeReason({ status, statusReason }) {
    const standing = `${status} ${statusReason}`;
    if (standing === this.#standing) return;
    const first = !this.#standing;
    this.#standing = standing;
    if (first) return;
    this.errand.settle();
    if (statusReason === 'removed') this.#lookIfGone();
    else if (this.on.isOperator() && statusReason && !UNDER_WAY.includes(statusReason)) this.#look();
  }

  #lookIfGone() {
    this.on.look(this.user).catch((error) => {
      if (error.status === 404) this.on.gone(this);
    });
  }

  /** Once a second: clocks, rings, and what a wait has become. */
  tick() {
    this.errand.tick();
    this.#stage.tick();
  }

  retell() {
    this.stream.retell();
    this.#line(this.live.state);
    this.paint();
  }

  #hello({ recovered, data, seq, epoch }) {
    this.on.back();
    if (recovered) return;
    if (this.#epoch !== null && this.#epoch !== epoch) this.stream.clear();
    this.#epoch = epoch;
    this.it.begin(seq, data?.instance);
    if (data?.instance) this.paint();
  }

  #frame(frame) {
    const { type, at, late, data } = frame;
    this.tape.add(type);
    if (type === 'message') this.stream.message(data, late);
    else if (type === 'message.update') this.stream.update(data);
    else if (type === 'message.edit') this.stream.edit(data);
    else if (type === 'message.delete') this.stream.remove(data);
    else if (type === 'notification') this.#notify(data, at);
    else if (type === 'call') this.#call(data, at);
    else if (type === 'history' && data.count)
      this.stream.notice({ icon: 'history', at, words: () => t('history', { n: number(data.count) }) });
    else if (type === 'status' || type === 'qrcode') {
      this.it.frame(frame);
      this.paint();
    }
  }

  #notify(data, at) {
    const family = { warning: 'warn', critical: 'danger' }[data.level] ?? 'off';
    const said = (key) => (lang() === 'en' && data[`${key}En`]) || data[key];
    this.stream.notice({
      family,
      code: data.code,
      at,
      words: () => [h('b', null, said('title')), h('span', null, said('message'))],
    });
  }

  /** One line for a call, though it is told several times as it rings and ends. */
  #call({ id, from, chatId }, at) {
    const who = phoneOf(from) ?? phoneOf(chatId);
    this.stream.notice({
      key: id && `call ${id}`,
      icon: 'call',
      at,
      words: () => sentence(t('call'), { who: who ? bdi(who) : t('nameless') }),
    });
  }

  #turned(before) {
    this.errand.settle();
    if (before) this.on.said(this);
    if (before && this.status === 'connected' && !this.it.info.profileName) this.#look();
  }

  /** What frames leave out: whose phone it is, and what there is to mend. Without an answer the card goes on as it is. */
  #look() {
    this.on.look(this.user).then(
      (instance) => this.take(instance),
      () => null,
    );
  }

  #reason() {
    const info = this.it.info;
    const text = why(info);
    const since = instant(info.connectedAt);
    if (info.status === 'waiting_qr' && !isValid(this.it.code))
      return [t(this.it.hadCode ? 'nextWhy' : 'firstWhy')];
    return info.status === 'connected' && since && !info.statusReason
      ? [text, ' ', h('span', { class: 'dim' }, t('since', { when: when(since) }))]
      : [text];
  }

  // ---- the live line ----

  #line({ phase, code, seq, epoch }) {
    const words = {
      on: t('liveHere'),
      opening: t('again'),
      again: t('again'),
      off: t('rest'),
      ended: socketEnd(code) ?? t('rest'),
    }[phase];
    this.nodes.line.dataset.live = { on: 'on', opening: 'again', again: 'again', off: 'off', ended: 'stale' }[phase];
    this.nodes.line.textContent = words;
    this.nodes.line.title = (phase === 'again' && socketEnd(code)) || '';
    this.#mend(phase === 'ended' ? code : null);
    this.el.dataset.live = phase;
    this.el.dataset.seq = seq ?? '';
    this.nodes.seq.textContent = seq === null ? '' : t('position', { seq: number(seq) });
    this.nodes.seq.title = epoch ?? '';
    this.on.line();
  }

  /** An end that this line does not mend by itself, and the one press that does. */
  #mend(code) {
    const { mend } = this.nodes;
    const press = { 1008: ['reload', () => location.reload()], 4009: ['retry', () => this.live.start()] }[code];
    mend.hidden = !press;
    if (press) {
      mend.textContent = t(press[0]);
      mend.onclick = press[1];
    }
  }
}
