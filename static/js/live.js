// One channel of the live protocol, kept alive: dense, in order, recovered after every break. Knows nothing of the page.
//
//   const live = new LiveChannel({ channel: 'user', userId: 'ana' }, { hello, frame, change });
//   live.start();
//
// `hello(frame)` comes at each (re)connection: with `recovered: false` its snapshot is the new start, and everything
// known from before may be wrong; with `recovered: true` the missed frames follow. `frame(frame)` comes for each event,
// exactly once, in order. `change(state)` tells how the line is:
//   { phase: 'opening' | 'on' | 'again' | 'ended' | 'off', since, code, seq, epoch, next }
// `next`: when the next try begins, in ms of this clock; `null` while one is under way or none is due.

const PING_MS = 25_000;
const ANSWER_MS = 35_000; // with the ping's wait: 60 s of silence
const STABLE_MS = 5_000; // a connection that lasted this long ends the series of failures
const BACKOFF = { first: 500, cap: 30_000, restart: 1_000 };
const FINAL = new Set([1008, 4001, 4003, 4009]); // coming back by itself would not help

export class LiveChannel {
  #query;
  #on;
  #backlog;
  #protocols;
  #socket = null;
  #timer = null;
  #pulse = null;
  #failures = 0;
  #openedAt = 0;
  #heardAt = 0;
  #pingedAt = 0;
  #looked = false;
  #state = { phase: 'off', since: Date.now(), code: null, seq: null, epoch: null, next: null };

  /**
   * `backlog`: how many frames before the present to ask for at the very first connection. `token`: whose line it is;
   * without it the cookie tells. It goes in a subprotocol, since a URL is written to logs.
   */
  constructor(query, on, { backlog = 0, token = null } = {}) {
    this.#query = query;
    this.#on = on;
    this.#backlog = backlog;
    this.#protocols = token ? ['zapgate.v1', `bearer.${token}`] : ['zapgate.v1'];
  }

  get state() {
    return { ...this.#state };
  }

  /** Opens, or opens again after `stop` or an end; goes on from the last position. */
  start() {
    if (this.#socket || this.#timer) return;
    this.#failures = 0;
    addEventListener('online', this.#seen);
    document.addEventListener('visibilitychange', this.#seen);
    this.#open('opening');
  }

  /** Closes on purpose; the position is kept. */
  stop() {
    this.#end('off', null);
  }

  /** Something says that the server can be reached again: do not sit out the rest of a long wait. */
  hurry() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#open('again');
  }

  #seen = () => {
    if (!document.hidden) this.hurry();
  };

  #open(phase) {
    this.#timer = null;
    this.#become(phase);
    const url = new URL('/ws', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    for (const [key, value] of Object.entries(this.#query)) url.searchParams.set(key, value);
    if (this.#state.epoch !== null) {
      url.searchParams.set('since', this.#state.seq);
      url.searchParams.set('epoch', this.#state.epoch);
    }
    const socket = (this.#socket = new WebSocket(url, this.#protocols));
    this.#openedAt = this.#heardAt = Date.now();
    this.#pingedAt = 0;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(data);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code);
    };
    this.#pulse = setInterval(() => this.#beat(), 5_000);
  }

  #hear(text) {
    this.#heardAt = Date.now();
    this.#pingedAt = 0;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#lost(1007);
    }
    if (frame.type === 'hello') return this.#greet(frame);
    if (typeof frame.seq !== 'number' || frame.seq <= this.#state.seq) return undefined; // a pong, or a repeat
    if (frame.seq !== this.#state.seq + 1) return this.#lost(4008); // a gap: fetch what is missing
    this.#state.seq = frame.seq;
    this.#on.frame?.(frame);
    return this.#on.change?.(this.state);
  }

  #greet(hello) {
    if (!hello.recovered) {
      this.#state.seq = hello.seq;
      this.#state.epoch = hello.epoch;
    }
    this.#become('on');
    this.#on.hello?.(hello);
    if (this.#looked || !this.#backlog) return;
    this.#looked = true;
    if (hello.recovered || hello.seq <= 0) return;
    this.#state.seq = Math.max(0, hello.seq - this.#backlog);
    this.#drop();
    this.#open('on');
  }

  #beat() {
    const now = Date.now();
    if (this.#pingedAt && now - this.#pingedAt >= ANSWER_MS) this.#lost(4010);
    else if (!this.#pingedAt && now - this.#heardAt >= PING_MS) {
      // Timers of hidden tabs run late, so only an unanswered ping counts as silence, never the clock alone.
      this.#pingedAt = now;
      if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send('{"type":"ping"}');
    }
  }

  #lost(code) {
    const greeted = this.#state.phase === 'on';
    this.#drop();
    if (FINAL.has(code)) return this.#end('ended', code);
    if (greeted && Date.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    const ceiling =
      code === 1001 && this.#failures === 0
        ? BACKOFF.restart
        : Math.min(BACKOFF.cap, BACKOFF.first * 2 ** this.#failures);
    this.#failures += 1;
    const wait = 50 + Math.random() * ceiling;
    this.#timer = setTimeout(() => this.#open('again'), wait);
    this.#become('again', code, Date.now() + wait);
    if (!greeted) this.#on.refused?.();
    return undefined;
  }

  #end(phase, code) {
    this.#drop();
    clearTimeout(this.#timer);
    this.#timer = null;
    removeEventListener('online', this.#seen);
    document.removeEventListener('visibilitychange', this.#seen);
    this.#become(phase, code);
  }

  /** Lets go of the socket at once: a dead network may never finish the closing handshake. */
  #drop() {
    clearInterval(this.#pulse);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #become(phase, code = this.#state.code, next = null) {
    const same = this.#state.phase === phase;
    this.#state = {
      ...this.#state,
      phase,
      code: phase === 'on' ? null : code,
      next,
      since: same ? this.#state.since : Date.now(),
    };
    this.#on.change?.(this.state);
  }
}
