// One user's connection on the board: state and why, what to do about it, and what is said on it.
import { bdi, h, sentence } from './dom.js';
import { chase, mark } from './marks.js';
import { lang, socketEnd, state as stateWords, t, why } from './words.js';
import { initials, instant, minutes, number, phone, when } from './figures.js';
import { codeOf, codePlate, isValid, preparingPlate } from './qr.js';
import { Stream } from './stream.js';
import { Tape } from './tape.js';
import { LiveChannel } from './live.js';

const BACKLOG = 60;             // frames before the present that a fresh card asks for
const CONFIRM_MS = 15_000;
const FINISH_MS = 120_000;
/** States whose next step is one press here; all of them are the same request. */
const PRESSES = ['disconnected', 'logged_out', 'failed', 'conflict'];

export class Card {
  #info; #code = null; #hadCode = false; #since = Date.now(); #knownAt = null; #stage = null; #shown = '';
  #asked = 0; #fault = null; #gaveUp = false; #epoch = null;

  /** `on`: `connect(user)` asks for a connection, `said(card)` hears of a new state, `line(card)` of the socket. */
  constructor(instance, on) {
    this.user = instance.userId;
    this.on = on;
    this.stream = new Stream(this.user);
    this.tape = new Tape();
    this.nodes = {
      tile: h('span', { class: 'tile', 'aria-hidden': 'true' }), name: h('h2'), sub: h('p', { class: 'sub' }), state: h('span', { class: 'state' }),
      why: h('p', { class: 'why' }), stage: h('div', { class: 'stage' }), line: h('span', { class: 'line' }), seq: h('span', { class: 'num' }),
    };
    const { tile, name, sub, state, why: reason, stage, line, seq } = this.nodes;
    this.el = h('article', { class: 'card', 'data-user': this.user, 'aria-label': this.user },
      h('header', null, tile, h('div', { class: 'names' }, name, sub), state, reason), stage, this.stream.el, h('footer', null, line, this.tape.el, seq));
    this.live = new LiveChannel({ channel: 'user', userId: this.user }, {
      hello: (hello) => this.#hello(hello), frame: (frame) => this.#frame(frame),
      change: (line) => this.#line(line), refused: () => on.refused(),
    }, { backlog: BACKLOG });
    this.take(instance);
    this.#line(this.live.state);
  }

  get status() { return this.#info.status; }

  get instanceName() { return this.#info.instanceName; }

  /** A whole instance, from the list or a snapshot. */
  take(instance) {
    const before = this.#info;
    this.#info = { ...before, ...instance };
    this.#turn(before?.status);
    this.#setCode(codeOf({ qrCode: instance.qrCode, pairingCode: instance.pairingCode, expiresAt: instance.qrExpiresAt }));
    this.paint();
  }

  /** A `status` heard elsewhere (the admin channel): believed only while this card's own line is not on. */
  hear(data) { if (this.live.state.phase !== 'on') this.#status(data); }

  fault(words) { this.#asked = 0; this.#fault = words; this.paint(); }

  paint() {
    const info = this.#info, words = stateWords(info.status), { tile, name, sub, state } = this.nodes;
    const title = info.profileName || this.user, digits = info.phoneNumber;
    this.el.dataset.status = info.status; this.el.dataset.f = words.family;
    tile.textContent = initials(title);
    name.replaceChildren(bdi(title, { title }));
    sub.replaceChildren(info.profileName ? bdi(this.user) : '', info.profileName && digits ? ' · ' : '', digits ? bdi(phone(digits), { class: 'num' }) : '');
    if (!sub.textContent) sub.append(bdi(info.instanceName ?? ''));
    state.dataset.f = words.family;
    state.replaceChildren(mark(info.status), h('span', null, words.label));
    this.nodes.why.replaceChildren(...this.#reason());
    this.#paintStage();
  }

  /** Once a second: clocks, rings, and what a wait has become. */
  tick() { this.#stage?.tick?.(); }

  retell() { this.#shown = ''; this.stream.retell(); this.#line(this.live.state); this.paint(); }

  #hello({ recovered, data, seq, epoch }) {
    if (recovered) return;
    if (this.#epoch !== null && this.#epoch !== epoch) this.stream.clear();
    this.#epoch = epoch; this.#knownAt = seq;
    if (data?.instance) this.take(data.instance);
  }

  #frame({ type, seq, at, late, data }) {
    const news = this.#knownAt === null || seq > this.#knownAt;   // frames before the snapshot tell no newer state
    this.tape.add(type);
    if (type === 'message') this.stream.message(data, late);
    else if (type === 'message.update') this.stream.update(data);
    else if (type === 'message.edit') this.stream.edit(data);
    else if (type === 'message.delete') this.stream.remove(data);
    else if (type === 'notification') this.#notify(data, at);
    else if (type === 'call') this.stream.notice({ icon: 'call', at, words: () => sentence(t('call'), { who: data.pushName || data.from ? bdi(data.pushName || data.from) : t('nameless') }) });
    else if (type === 'history' && data.count) this.stream.notice({ icon: 'history', at, words: () => t('history', { n: number(data.count) }) });
    else if (news && type === 'status') this.#status(data);
    else if (news && type === 'qrcode') this.#qrcode(data, at);
  }

  #status(data) {
    const before = this.#info.status;
    this.#info = { ...this.#info, status: data.status, isConnected: data.isConnected, statusReason: data.reason ?? null, statusText: data.statusText ?? null };
    for (const key of ['phoneNumber', 'profileName']) if (data[key]) this.#info[key] = data[key];
    if (data.status === 'connected' && before !== 'connected') this.#info.connectedAt = data.connectedAt ?? new Date().toISOString();
    this.#turn(before);
    if (data.status !== 'waiting_qr') this.#setCode(null);   // scanned, or of an earlier connection
    this.paint();
  }

  #qrcode(data, at) {
    const before = this.#info.status;
    if (data.status) this.#info = { ...this.#info, status: data.status, statusReason: null, statusText: null };
    this.#turn(before);
    this.#setCode(codeOf({ ...data, issuedAt: at }));
    this.paint();
  }

  #notify({ level, code, title, message }, at) {
    const family = { warning: 'warn', error: 'danger', critical: 'danger' }[level] ?? 'off';
    this.stream.notice({ family, code, at, words: [title && h('b', null, title), title && message ? ' ' : '', message].filter(Boolean) });
  }

  /** What follows from a change of state, whoever told of it. */
  #turn(before) {
    if (before === this.#info.status) return;
    this.#since = Date.now(); this.#asked = 0; this.#fault = null; this.#gaveUp = false;
    if (before !== 'waiting_qr') this.#hadCode = false;
    if (before) this.on.said(this);
  }

  #setCode(code) {
    if (this.#code && !code) this.#since = Date.now();
    this.#code = code; this.#gaveUp = false;
    if (code) this.#hadCode = true;
  }

  #reason() {
    const info = this.#info, text = why(info), since = instant(info.connectedAt);
    return info.status === 'connected' && since && !info.statusReason ? [text, ' ', h('span', { class: 'dim' }, t('since', { when: when(since) }))] : [text];
  }

  // ---- the stage: the one thing this state is about ----

  #kind() {
    const { status, phoneNumber } = this.#info;
    if (status === 'waiting_qr' && isValid(this.#code)) return 'code';
    if (status === 'waiting_qr' || (status === 'connecting' && !phoneNumber)) return 'preparing';
    if (status === 'finishing') return 'finishing';
    return PRESSES.includes(status) || stateWords(status).next ? 'step' : 'none';
  }

  #paintStage() {
    const kind = this.#kind();
    const shown = [kind, this.#info.status, lang(), kind === 'code' && this.#code.expiresAt, this.#asked, this.#fault, this.#gaveUp].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#stage?.drop?.();
    const focused = this.nodes.stage.contains(document.activeElement);
    this.#stage = { code: () => this.#showCode(), preparing: () => this.#prepare(), finishing: () => this.#finish(), step: () => this.#step(), none: () => null }[kind]();
    this.el.dataset.stage = kind;
    this.nodes.stage.hidden = !this.#stage;
    this.nodes.stage.replaceChildren(...(this.#stage ? [this.#stage.el] : []));
    if (focused) this.nodes.stage.querySelector('button')?.focus({ preventScroll: true });
  }

  #showCode() {
    const plate = codePlate(this.#code, this.user, () => { this.#setCode(null); this.paint(); });
    const b = (text) => h('b', null, text);
    plate.el.append(h('ol', { class: 'steps' }, h('li', null, h('span', null, sentence(t('step1'), { app: b('WhatsApp') }))),
      h('li', null, h('span', null, sentence(t('step2'), { menu: b(t('menu')) }))), h('li', null, h('span', null, sentence(t('step3'), { link: b(t('link')) })))));
    return plate;
  }

  #prepare() {
    const plate = preparingPlate(this.#since, this.#hadCode, () => { if (!this.#gaveUp) { this.#gaveUp = true; queueMicrotask(() => this.paint()); } });
    if (this.#gaveUp) plate.el.append(this.#button(t('retry')), this.#note());
    return plate;
  }

  #finish() {
    const bar = h('i'), spent = h('b', { class: 'num' });
    const el = h('div', { class: 'finish' }, h('p', { class: 'soft' }, t('finKeep')),
      h('ul', { class: 'did' }, h('li', { 'data-f': 'ok' }, mark('done'), t('fin1')), h('li', { class: 'now', 'data-f': 'move' }, chase(), t('fin2')), h('li', { 'data-f': 'off' }, mark('disconnected'), t('fin3'))),
      h('div', { class: 'gauge' }, bar), h('p', { class: 'qclock' }, sentence(t('spent'), { s: spent })));
    const tick = () => {
      const ms = Math.min(Date.now() - this.#since, FINISH_MS);
      bar.style.inlineSize = `${ms / FINISH_MS * 100}%`;
      spent.textContent = minutes(Math.floor(ms / 1000));
    };
    tick();
    return { el, tick };
  }

  #step() {
    const { status } = this.#info, words = stateWords(status), press = PRESSES.includes(status);
    const el = h('div', { class: 'step' }, press ? this.#button(words.next) : h('p', { class: 'soft' }, words.next), this.#note());
    const tick = () => { if (this.#asked && Date.now() - this.#asked > CONFIRM_MS) this.fault(t('unconfirmed')); };
    return { el, tick };
  }

  #button(words) {
    const asking = this.#asked > 0;
    return h('button', { class: 'btn go', type: 'button', 'data-role': 'connect', 'aria-disabled': asking ? 'true' : null, onclick: () => {
      if (this.#asked) return;
      this.#asked = Date.now(); this.#fault = null; this.paint();
      this.on.connect(this.user).catch((error) => this.fault(error.message));
    } }, asking ? [chase(), t('asking')] : words);
  }

  #note() { return this.#fault ? h('p', { class: 'fault', role: 'alert' }, this.#fault) : null; }

  // ---- the live line ----

  #line({ phase, code, seq, epoch }) {
    const words = { on: t('liveHere'), opening: t('again'), again: t('again'), off: t('rest'), ended: socketEnd(code) ?? t('rest') }[phase];
    this.nodes.line.dataset.live = { on: 'on', opening: 'again', again: 'again', off: 'off', ended: 'stale' }[phase];
    this.nodes.line.textContent = words;
    this.nodes.line.title = (phase === 'again' && socketEnd(code)) || '';
    this.el.dataset.live = phase; this.el.dataset.seq = seq ?? '';
    this.nodes.seq.textContent = seq === null ? '' : t('position', { seq: number(seq) });
    this.nodes.seq.title = epoch ?? '';
    this.on.line(this);
  }
}
