// One user's connection on the board: state and why, what to do about it, and what is said on it.
import { bdi, h, sentence } from './dom.js';
import { chase, mark } from './marks.js';
import { lang, socketEnd, state as stateWords, t, why } from './words.js';
import { initials, instant, number, phone, phoneOf, when } from './figures.js';
import { Connection } from './connection.js';
import { codePlate, isValid, preparingPlate } from './qr.js';
import { finishing } from './finishing.js';
import { Stream } from './stream.js';
import { Tape } from './tape.js';
import { LiveChannel } from './live.js';

const BACKLOG = 60; // frames before the present that a fresh card asks for
const CONFIRM_MS = 15_000;
/** States whose next step is one press here; all of them are the same request. */
const PRESSES = ['disconnected', 'logged_out', 'failed', 'conflict'];

export class Card {
  #it;
  #stage = null;
  #shown = '';
  #asked = 0;
  #fault = null;
  #gaveUp = false;
  #epoch = null;
  #cut = '';

  /**
   * `on`: `connect(user)` asks for a connection, `look(user)` for the instance as it is, `said(card)` hears of a new state, `line()` of any change of the
   * socket, `back()` of its return, `refused()` of its being turned away.
   */
  constructor(instance, on) {
    this.user = instance.userId;
    this.on = on;
    this.#it = new Connection({ turned: (before) => this.#turned(before), coded: () => this.#settle() });
    this.stream = new Stream(this.user);
    this.tape = new Tape();
    this.nodes = {
      tile: h('span', { class: 'tile', 'aria-hidden': 'true' }),
      name: h('h2'),
      sub: h('p', { class: 'sub' }),
      state: h('span', { class: 'state' }),
      why: h('p', { class: 'why' }),
      stage: h('div', { class: 'stage' }),
      line: h('span', { class: 'line' }),
      mend: h('button', { class: 'btn sm bare', type: 'button', hidden: true }),
      seq: h('span', { class: 'num' }),
    };
    const { tile, name, sub, state, why: reason, stage, line, mend, seq } = this.nodes;
    this.el = h(
      'article',
      { class: 'card', 'data-user': this.user, 'aria-label': this.user },
      h('header', null, tile, h('div', { class: 'names' }, name, sub), state, reason),
      stage,
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
    return this.#it.status;
  }

  get instanceName() {
    return this.#it.info.instanceName;
  }

  /** A whole instance; `certain` when it is a snapshot of the live line. */
  take(instance, certain = false) {
    this.#it.take(instance, certain);
    this.paint();
  }

  /** A `status` heard elsewhere (the admin channel): believed only while this card's own line is not on. */
  hear(data) {
    if (this.live.state.phase === 'on') return;
    this.#it.hear(data);
    this.paint();
  }

  /** Why its button would not work just now; empty when it would. */
  cutOff(why) {
    this.#cut = why;
    this.paint();
  }

  fault(words) {
    this.#asked = 0;
    this.#fault = words;
    this.#gaveUp = this.#kind() === 'preparing';
    this.paint();
  }

  paint() {
    const info = this.#it.info;
    const { tile, name, sub, state } = this.nodes;
    const words = stateWords(info.status);
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
    this.#paintStage();
  }

  /** Once a second: clocks, rings, and what a wait has become. */
  tick() {
    this.#stage?.tick?.();
  }

  retell() {
    this.#shown = '';
    this.stream.retell();
    this.#line(this.live.state);
    this.paint();
  }

  #hello({ recovered, data, seq, epoch }) {
    this.on.back();
    if (recovered) return;
    if (this.#epoch !== null && this.#epoch !== epoch) this.stream.clear();
    this.#epoch = epoch;
    this.#it.begin(seq, data?.instance);
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
      this.#it.frame(frame);
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

  /** A press has had its effect. */
  #settle() {
    this.#asked = 0;
    this.#fault = null;
    this.#gaveUp = false;
  }

  #turned(before) {
    this.#settle();
    if (before) this.on.said(this);
    if (before && this.status === 'connected' && !this.#it.info.profileName) this.#meet();
  }

  /** Whose phone it is: frames tell the number only. Without an answer the card goes on under its user's id. */
  #meet() {
    this.on.look(this.user).then(
      (instance) => this.take(instance),
      () => null,
    );
  }

  #reason() {
    const info = this.#it.info;
    const text = why(info);
    const since = instant(info.connectedAt);
    if (info.status === 'waiting_qr' && !isValid(this.#it.code))
      return [t(this.#it.hadCode ? 'nextWhy' : 'firstWhy')];
    return info.status === 'connected' && since && !info.statusReason
      ? [text, ' ', h('span', { class: 'dim' }, t('since', { when: when(since) }))]
      : [text];
  }

  // ---- the stage: the one thing this state is about ----

  #kind() {
    const { status, phoneNumber } = this.#it.info;
    if (status === 'waiting_qr' && isValid(this.#it.code)) return 'code';
    if (status === 'waiting_qr' || (status === 'connecting' && !phoneNumber)) return 'preparing';
    if (status === 'finishing') return 'finishing';
    if (this.#it.info.statusReason === 'evolution_not_configured') return 'none'; // a press would lead nowhere
    return PRESSES.includes(status) || stateWords(status).next ? 'step' : 'none';
  }

  #paintStage() {
    const kind = this.#kind();
    const shown = [
      kind,
      this.#it.info.status,
      lang(),
      kind === 'code' && this.#it.codes,
      this.#asked,
      this.#fault,
      this.#gaveUp,
      this.#cut,
    ].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#stage?.drop?.();
    const focused = this.nodes.stage.contains(document.activeElement);
    this.#stage = {
      code: () => this.#showCode(),
      preparing: () => this.#prepare(),
      finishing: () => finishing(this.#it.since),
      step: () => this.#step(),
      none: () => null,
    }[kind]();
    this.el.dataset.stage = kind;
    this.nodes.stage.hidden = !this.#stage;
    this.nodes.stage.replaceChildren(...(this.#stage ? [this.#stage.el] : []));
    if (focused) this.nodes.stage.querySelector('button')?.focus({ preventScroll: true });
  }

  #showCode() {
    return codePlate(this.#it.code, t('qrAlt', { user: this.user }), () => {
      this.#it.setCode(null);
      this.paint();
    });
  }

  #prepare() {
    const end = this.#gaveUp && [this.#button(t('retry')), this.#note()];
    return preparingPlate(this.#it.since, this.#it.hadCode, end, () => {
      this.#gaveUp = true;
      this.#asked = 0;
      queueMicrotask(() => this.paint()); // not from within the painting that noticed
    });
  }

  #step() {
    const { next } = stateWords(this.#it.info.status);
    const what = PRESSES.includes(this.#it.info.status) ? this.#button(next) : h('p', { class: 'soft' }, next);
    const tick = () => {
      if (this.#asked && Date.now() - this.#asked > CONFIRM_MS) this.fault(t('unconfirmed'));
    };
    return { el: h('div', { class: 'step' }, what, this.#note()), tick };
  }

  #button(words) {
    const asking = this.#asked > 0;
    const attrs = { class: 'btn go', type: 'button', 'data-role': 'connect', onclick: () => this.#ask() };
    const idle = asking || this.#cut !== '';
    return h('button', { ...attrs, 'aria-disabled': idle && 'true' }, asking ? [chase(), t('asking')] : words);
  }

  #note() {
    if (this.#cut) return h('p', { class: 'soft' }, this.#cut);
    return this.#fault && h('p', { class: 'fault', role: 'alert' }, this.#fault);
  }

  #ask() {
    if (this.#asked || this.#cut) return;
    this.#asked = this.#it.since = Date.now();
    this.#fault = null;
    this.#gaveUp = false;
    this.paint();
    this.on.connect(this.user).catch((error) => this.fault(error.message));
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
