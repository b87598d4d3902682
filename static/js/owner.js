// One user's connection as its owner sees it: listens, asks for a code when the link was opened for that, and chooses
// the scene. Never fights by itself: what was taken over, limited or given up waits for a press.
import { t, why } from './words.js';
import { o, scene } from './owner-words.js';
import { clock } from './figures.js';
import { apiOf } from './api.js';
import { Connection } from './connection.js';
import { LiveChannel } from './live.js';
import { isValid } from './qr.js';
import { h } from './dom.js';
import * as views from './owner-views.js';

const AWAY_MS = 10_000;
const CHECK_MS = 5_000;
const CONFIRM_MS = 15_000;
const RETRY = { first: 8_000, cap: 60_000 };
/** States out of which a new code leads; asking for one shows at once that it is being made. */
const CODELESS = [undefined, 'disconnected', 'logged_out'];
/** Opening the link asks for nothing where somebody has just let a code pass: the phone may not be at hand. */
const LET_PASS = ['qr_limit', 'pairing_timed_out'];
const DOWN = ['evolution_unreachable', 'evolution_refused'];

export class Owner {
  #nodes;
  #api = null;
  #live = null;
  #it;
  #link = null; // why the link leads nowhere: a scene's name
  #overAt = null;
  #begun = false;
  #asked = 0;
  #note = null; // what a press came to, a function that tells it
  #fault = null; // why no code came: a published code, or `silent`
  #failures = 0;
  #turn = null; // the next try: `{ from, at, timer }`
  #checkedAt = 0;
  #stage = null;
  #shown = '';
  #kindShown = '';
  #pulse = null;
  #stopped = false;
  #guide = {
    os: /iPhone|iPad/.test(navigator.userAgent) ? 'iphone' : 'android',
    tab: matchMedia('(pointer: coarse)').matches ? 'number' : 'qr', // nobody scans the screen that they hold
    pickOs: (os) => this.#pick({ os }),
    pickTab: (tab) => this.#pick({ tab }),
  };

  /** `nodes`: `{ scene, cut, say }`. Without a `token` there is only the word that a new link is needed. */
  constructor(nodes, token) {
    this.#nodes = nodes;
    this.#it = new Connection({ turned: (before) => this.#turned(before), coded: () => this.#settle() });
    if (!token) return;
    this.#api = apiOf(token);
    this.#live = new LiveChannel(
      { channel: 'user' },
      {
        hello: (hello) => this.#hello(hello),
        frame: (frame) => {
          this.#it.frame(frame);
          this.#paint();
        },
        change: ({ phase, code }) => this.#line(phase, code),
        refused: () => this.#check(),
      },
      { token },
    );
  }

  /** `linked`: whether there was anything in the link, which then is no good if it was no token. */
  start(linked) {
    if (!this.#live) this.#link = linked ? 'over' : 'linkless';
    this.#live?.start();
    this.#pulse = setInterval(() => this.#tick(), 1000);
    document.addEventListener('visibilitychange', this.#tick);
    this.#paint();
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#pulse);
    document.removeEventListener('visibilitychange', this.#tick);
    this.#settle();
    this.#live?.stop();
    this.#stage?.drop?.();
  }

  retell() {
    this.#shown = '';
    this.#paint();
  }

  // ---- what is heard ----

  #hello({ recovered, seq, data }) {
    if (!recovered) this.#it.begin(seq, data?.instance);
    if (this.#fault === 'unreachable') this.#ask();
    this.#begin();
    this.#paint();
  }

  #line(phase, code) {
    if (phase === 'ended' && code === 4001) this.#over('over');
    else if (phase === 'ended' && code === 4003) this.#over('denied');
    else this.#paint();
  }

  /** The line was turned away before it said hello: because of the link? Asked at most once in five seconds. */
  async #check() {
    if (Date.now() - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = Date.now();
    try {
      this.#it.take(await this.#api.instance());
      this.#begin();
    } catch (error) {
      if (error.status === 404) this.#begin();
      else this.#endedBy(error);
    }
    this.#paint();
  }

  /** The link was opened in order to connect, so that is asked for, unless somebody should decide first. */
  #begin() {
    if (this.#begun) return;
    this.#begun = true;
    const { status, statusReason } = this.#it.info ?? {};
    if (!status || (status === 'disconnected' && !LET_PASS.includes(statusReason))) this.#ask();
  }

  #turned(before) {
    this.#settle();
    const { status, profileName } = this.#it.info;
    if (before && status === 'connected' && !profileName) this.#meet();
  }

  /** Whose phone it is: frames tell the number only. Without an answer the number will do. */
  #meet() {
    this.#api.instance().then(
      (instance) => {
        this.#it.take(instance);
        this.#paint();
      },
      () => null,
    );
  }

  // ---- asking ----

  #ask = () => {
    this.#settle(this.#failures);
    this.#asked = this.#it.since = Date.now();
    this.#it.hadCode = false; // what comes is the first of a new wait
    this.#paint();
    this.#api.connect().then(
      ({ instance, qrCode, pairingCode }) => {
        const code = { qrCode: qrCode ?? instance.qrCode, pairingCode: pairingCode ?? instance.pairingCode };
        this.#it.take({ ...instance, ...code });
        this.#paint();
      },
      (error) => this.#failed(error),
    );
  };

  #failed(error) {
    if (this.#endedBy(error)) return;
    if (['preparing', 'unready', 'down', 'busy'].includes(this.#kind())) {
      this.#fail(error.code ?? 'other');
      return;
    }
    this.#asked = 0;
    this.#note = () => scene(error.code === 'too_many_requests' ? 'busy' : 'down').title;
    this.#paint();
  }

  /** The fault is ours, so that the next try is ours too. */
  #fail(code) {
    this.#settle(this.#failures + 1);
    this.#fault = code;
    const wait = Math.min(RETRY.cap, RETRY.first * 2 ** (this.#failures - 1));
    this.#turn = { from: Date.now(), at: Date.now() + wait, timer: setTimeout(this.#ask, wait) };
    this.#paint();
  }

  /** Not from within the painting that noticed. */
  #giveUp = () => queueMicrotask(() => this.#fault ?? this.#fail('silent'));

  /** What was asked has had its effect, or none. */
  #settle(failures = 0) {
    clearTimeout(this.#turn?.timer);
    this.#turn = this.#fault = this.#note = null;
    this.#asked = 0;
    this.#failures = failures;
  }

  #endedBy({ status }) {
    const link = { 401: 'over', 403: 'denied' }[status];
    if (link) this.#over(link);
    return Boolean(link);
  }

  #over(link) {
    if (this.#link) return;
    this.#link = link;
    this.#overAt = new Date();
    this.#settle();
    this.#live.stop();
    this.#paint();
  }

  // ---- the scene ----

  get #away() {
    const { phase, since } = this.#live?.state ?? {};
    return (phase === 'again' || phase === 'opening') && Date.now() - since > AWAY_MS;
  }

  #kind() {
    const { status, statusReason, phoneNumber } = this.#it.info ?? {};
    if (status === 'connected') return 'connected'; // stays true whatever becomes of the link
    if (this.#link) return this.#link;
    if (this.#live.state.phase === 'ended') return this.#live.state.code === 4009 ? 'crowded' : 'halted';
    if (status === 'waiting_qr' && isValid(this.#it.code)) return 'code';
    if (this.#fault === 'too_many_requests' && !this.#away) return 'busy';
    if (this.#away || this.#fault) return 'down';
    if (statusReason === 'evolution_not_configured') return 'unready';
    if (status === 'finishing') return 'finishing';
    if (status === 'waiting_qr' || (status === 'connecting' && !phoneNumber)) return 'preparing';
    if (status === 'connecting') return 'reconnecting';
    if (CODELESS.includes(status) && (this.#asked || !status)) return 'preparing';
    if (DOWN.includes(statusReason)) return 'down';
    if (statusReason === 'qr_limit') return 'expired';
    if (statusReason === 'upgrade_evolution') return 'outdated';
    return status;
  }

  #tick = () => {
    if (this.#asked && Date.now() - this.#asked > CONFIRM_MS && !CODELESS.includes(this.#it.status)) {
      this.#asked = 0;
      this.#note = () => t('unconfirmed');
    }
    // The server told earlier that it has no way to WhatsApp's side; nobody has asked since.
    if (this.#kind() === 'down' && !this.#turn && !this.#away) this.#fail(this.#it.info?.statusReason);
    this.#stage?.tick?.();
    this.#paint();
  };

  #pick(choice) {
    Object.assign(this.#guide, choice);
    this.#paint();
  }

  #paint() {
    if (this.#stopped) return;
    const kind = this.#kind();
    const { info, codes, since } = this.#it;
    this.#cut(kind);
    const facts = [info?.statusReason, info?.profileName, info?.phoneNumber, info?.connectedAt];
    const ours = [this.#asked, this.#fault, this.#note?.(), this.#guide.os, this.#guide.tab];
    const shown = [kind, ...facts, codes, since, ...ours].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    const words = kind === 'code' || kind === 'preparing' ? null : this.#words(kind);
    this.#stage?.drop?.();
    this.#show(kind, words);
    if (kind === this.#kindShown) return;
    this.#kindShown = kind;
    const said = words ? `${words.title}. ${words.text ?? ''}` : o(kind === 'code' ? 'ready' : 'preparing');
    this.#nodes.say.textContent = said;
  }

  #show(kind, words) {
    const { scene: el } = this.#nodes;
    const focused = [...el.querySelectorAll('button')].indexOf(document.activeElement);
    this.#stage = this.#stageOf(kind, words);
    el.dataset.kind = kind;
    el.replaceChildren(this.#stage.el);
    const buttons = el.querySelectorAll('button');
    if (focused >= 0) (buttons[focused] ?? buttons[0])?.focus({ preventScroll: true });
  }

  #words(kind) {
    const { info } = this.#it;
    const words = scene(kind, (kind === 'down' && this.#fault) || info?.statusReason);
    // Why a connection dropped is told in the dashboard's words: they name neither servers nor codes.
    if (kind === 'reconnecting' && info.statusReason) words.text = why({ ...info, statusText: null });
    return words;
  }

  #stageOf(kind, words) {
    const { code, info, since, hadCode } = this.#it;
    const busy = this.#asked > 0;
    const button = (then = this.#ask) => words.press && views.press(words.press, { busy, then });
    const note = this.#note && h('p', { class: 'fault', role: 'alert' }, this.#note());
    switch (kind) {
      case 'code':
        return views.living(code, this.#guide, () => {
          this.#it.setCode(null);
          this.#paint();
        });
      case 'preparing':
        return views.preparing(since, hadCode, this.#guide, this.#giveUp);
      case 'finishing':
        return views.scanned(words, since);
      case 'connected':
        return views.connected(words, info);
      case 'reconnecting':
      case 'flapping':
        return views.waiting(words, since);
      case 'action_required':
        return views.passkey(words, since);
      case 'restricted':
        return views.restricted(words);
      case 'conflict':
        return views.conflict(words, button(), note);
      case 'unready':
        return views.waiting(words, since, h('p', { class: 'note' }, o('listening')));
      case 'down':
      case 'busy':
        return views.retrying(words, this.#next, views.press(words.press, { quiet: true, then: this.#again }));
      case 'crowded':
      case 'halted':
        return { el: views.plain(words, null, button(this.#again)) };
      default:
        return { el: views.plain(words, null, [note, button()]) };
    }
  }

  /** Ours, or that of the line, whichever is broken. */
  #next = () => {
    if (this.#turn) return this.#turn;
    const { next, since } = this.#live.state;
    return next === null ? null : { from: Math.min(since, next - 1), at: next };
  };

  #again = () => {
    if (this.#live.state.phase === 'ended') this.#live.start();
    this.#live.hurry();
    if (this.#begun && this.#live.state.phase === 'on') this.#ask();
  };

  /** Under a scene that stays readable without the server: that it is not followed any more. */
  #cut(kind) {
    const { cut } = this.#nodes;
    let words = '';
    if (kind === 'connected' && this.#link) words = o('endedAt', { time: clock(this.#overAt) });
    else if (this.#away && kind !== 'down') words = t('cutOff', { time: clock(new Date(this.#live.state.since)) });
    cut.hidden = !words;
    if (cut.textContent !== words) cut.textContent = words;
  }
}
