// One user's connection as its owner sees it: listens, asks for a code when the link was opened for that, and chooses
// the scene. Never fights by itself: what was taken over, limited or given up waits for a press.
import { t, why } from './words.js';
import { o, scene } from './owner-words.js';
import { clock } from './figures.js';
import { a } from './act-words.js';
import { apiOf } from './api.js';
import { Connection } from './connection.js';
import { LiveChannel } from './live.js';
import { NumberForm } from './number.js';
import { isValid } from './qr.js';
import { CODELESS, kindOf } from './owner-kind.js';
import { stageOf } from './owner-stage.js';

const AWAY_MS = 10_000;
const CHECK_MS = 5_000;
const CONFIRM_MS = 15_000;
const RETRY = { first: 8_000, cap: 60_000 };
/** Opening the link asks for nothing where somebody has just let a code pass, or unlinked: the phone may not be at hand. */
const LET_PASS = ['qr_limit', 'pairing_timed_out', 'by_owner', 'unconfirmed'];
/** Where the owner may unlink; elsewhere the phone itself can. */
const UNLINKABLE = ['connected', 'reconnecting', 'flapping'];

export class Owner {
  #nodes;
  #api = null;
  #live = null;
  #it;
  #link = null; // why the link leads nowhere: a scene's name
  #overAt = null;
  #begun = false;
  #asked = 0;
  #act = null; // what was asked for besides a code, of `actions.js`
  #sure = false; // whether to unlink is being asked
  #numbered = false; // a code for a number is on its way
  #standing = '';
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
    form: new NumberForm((digits) => this.#askByNumber(digits)),
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
    this.#guide.form.retell();
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
    this.#numbered = false;
    this.#asked = this.#it.since = Date.now();
    this.#it.hadCode = false; // what comes is the first of a new wait
    this.#paint();
    this.#api.connect().then(
      (answer) => this.#connecting(answer),
      (error) => this.#failed(error),
    );
  };

  #connecting({ instance, qrCode, pairingCode }) {
    const code = { qrCode: qrCode ?? instance.qrCode, pairingCode: pairingCode ?? instance.pairingCode };
    this.#it.take({ ...instance, ...code });
    this.#paint();
  }

  /** A code to type; throws with words for whoever typed the number. */
  async #askByNumber(digits) {
    try {
      const answer = await this.#api.connect(digits);
      this.#numbered = true;
      this.#connecting(answer);
    } catch (error) {
      this.#endedBy(error);
      throw new Error(scene(error.code === 'too_many_requests' ? 'busy' : 'down').title);
    }
    if (!this.#it.code?.pairing) throw new Error(a('numberLate'));
  }

  /** Something other than a code. Its effect shows by itself, or its absence is told. */
  #request(act) {
    if (this.#asked) return;
    this.#note = null;
    this.#asked = Date.now();
    this.#act = act;
    this.#paint();
    this.#api[act]().then(
      (instance) => {
        this.#it.take(instance);
        this.#paint();
      },
      (error) => this.#failed(error),
    );
  }

  /** What the scenes' buttons do, and what their clocks find out. */
  #presses = {
    ask: () => this.#ask(),
    reconnect: () => this.#request('reconnect'),
    scanned: () => this.#request('scanned'),
    unlink: () => this.#request('unlink'),
    sure: (sure) => {
      this.#sure = sure;
      this.#paint();
    },
    again: () => this.#again(),
    next: () => this.#next(),
    expired: () => {
      this.#it.setCode(null);
      this.#paint();
    },
    giveUp: () => this.#giveUp(),
  };

  #failed(error) {
    if (this.#endedBy(error)) return;
    if (!this.#act && ['preparing', 'unready', 'down', 'busy'].includes(this.#kind())) {
      this.#fail(error.code ?? 'other');
      return;
    }
    this.#asked = 0;
    this.#act = null;
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
    this.#act = null;
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
    const { info, code, awaitsCode } = this.#it;
    return kindOf({
      info,
      awaitsCode,
      code: isValid(code) ? code : null,
      link: this.#link,
      line: this.#live?.state,
      away: this.#away,
      asked: this.#asked > 0 && !this.#act,
      fault: this.#fault,
      sure: this.#sure && UNLINKABLE.includes(info?.status),
      wantsNumber: this.#guide.tab === 'number',
      numbered: this.#numbered,
    });
  }

  #tick = () => {
    if (this.#asked && Date.now() - this.#asked > CONFIRM_MS && (this.#act || !CODELESS.includes(this.#it.status))) {
      this.#asked = 0;
      this.#act = null;
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
    this.#noticeReason();
    const kind = this.#kind();
    const { info, codes, since } = this.#it;
    this.#cut(kind);
    const facts = [info?.statusReason, info?.profileName, info?.phoneNumber, info?.connectedAt];
    const ours = [this.#asked, this.#act, this.#fault, this.#note?.(), this.#guide.os, this.#guide.tab, this.#away];
    const passing = kind === 'number' ? [] : [codes, since]; // no code is shown, and somebody is typing
    const shown = [kind, ...facts, ...passing, ...ours].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    const words = ['code', 'preparing', 'number'].includes(kind) ? null : this.#words(kind);
    this.#stage?.drop?.();
    this.#show(kind, words);
    if (kind === this.#kindShown) return;
    this.#kindShown = kind;
    const plain = { code: 'ready', preparing: 'preparing', number: 'numberTitle' }[kind];
    const said = words ? `${words.title}. ${words.text ?? ''}` : o(plain);
    this.#nodes.say.textContent = said;
  }

  /** A new reason is an answer, too. */
  #noticeReason() {
    const { status, statusReason } = this.#it.info ?? {};
    const standing = `${status} ${statusReason}`;
    if (standing === this.#standing) return;
    this.#standing = standing;
    this.#sure = false;
    if (this.#act) this.#settle();
  }

  #show(kind, words) {
    const { scene: el } = this.#nodes;
    const typing = el.querySelector('input') === document.activeElement && document.activeElement;
    const focused = [...el.querySelectorAll('button')].indexOf(document.activeElement);
    this.#stage = this.#stageOf(kind, words);
    el.dataset.kind = kind;
    el.replaceChildren(this.#stage.el);
    const buttons = el.querySelectorAll('button');
    if (typing && el.contains(typing)) typing.focus({ preventScroll: true });
    const safe = el.querySelector('[data-role=keep]');
    if (focused >= 0) (safe ?? buttons[focused] ?? buttons[0])?.focus({ preventScroll: true });
  }

  #words(kind) {
    const { info } = this.#it;
    if (kind === 'sure') return scene(kind);
    const words = scene(kind, (kind === 'down' && this.#fault) || info?.statusReason);
    // Why a connection dropped is told in the dashboard's words: they name neither servers nor codes.
    if (kind === 'reconnecting' && info.statusReason) words.text = why({ ...info, statusText: null });
    return words;
  }

  #stageOf(kind, words) {
    const { code, info, since, hadCode } = this.#it;
    return stageOf(kind, words, {
      code,
      info,
      since,
      hadCode,
      guide: this.#guide,
      note: this.#note?.(),
      asking: this.#asked > 0 ? (this.#act ?? 'connect') : null,
      numbered: this.#numbered,
      reachable: !this.#link && !this.#away,
      press: this.#presses,
    });
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
