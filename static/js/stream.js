// What is said on one connection, as it comes: slips of paper on a ledger, in on the start side, out on the end side.
// Bounded: the oldest leave as new ones come.
import { bdi, h, sentence } from './dom.js';
import { mark } from './marks.js';
import { ack, kind as kindWord, t } from './words.js';
import { instant, number, phoneOf, stamp } from './figures.js';

const LIMIT = 100;
const NEAR = 48; // px from the end that still count as "at the end"
/** Evolution's names of how far a message got. */
const ACKS = {
  PENDING: 'pending',
  SERVER_ACK: 'sent',
  DELIVERY_ACK: 'delivered',
  READ: 'read',
  PLAYED: 'played',
  ERROR: 'failed',
};
const STEPS = { pending: 0, sent: 1, delivered: 2, read: 3, played: 3 };

export class Stream {
  #items = [];
  #names = new Map();
  #unseen = 0;
  #atEnd = true; // where the reader is; what grows or shrinks around them does not change it

  constructor(user) {
    this.log = h('div', {
      class: 'log',
      role: 'log',
      'aria-live': 'off',
      tabindex: 0,
      'aria-label': t('messages', { user }),
      onscroll: () => this.#scrolled(),
    });
    this.pill = h('button', { class: 'btn sm fresh', type: 'button', hidden: true, onclick: () => this.toEnd() });
    this.el = h('div', { class: 'stream' }, this.log, this.pill);
    this.user = user;
    new ResizeObserver(() => this.#follow()).observe(this.log);
    this.#hint();
  }

  get empty() {
    return this.#items.length === 0;
  }

  /** `message` frames. A message that came again (by its id) is painted in its place. */
  message(data, late) {
    if (data.erased) return;
    const key = data.id ?? null;
    if (data.pushName && !data.fromMe) this.#learn(data.from ?? data.chatId, data.pushName);
    if (data.kind === 'reaction' && this.#react(data)) return;
    const known = this.#find(key);
    if (known) {
      known.data = { ...known.data, ...data };
      this.#paint(known);
      return;
    }
    this.#add({ type: 'message', key, data, late: Boolean(late), status: null, edited: false, deleted: false, reactions: new Map() });
  }

  /** Puts an emoji on the message it is for, one for each person; an empty one takes it back. */
  #react({ reactionTo, text, from, fromMe }) {
    const item = this.#find(reactionTo);
    if (!item || item.type !== 'message') return false; // it left the page: the reaction is told on its own
    const who = fromMe ? 'me' : from;
    if (text) item.reactions.set(who, text);
    else item.reactions.delete(who);
    this.#paint(item);
    this.#follow();
    return true;
  }

  update(data) {
    this.#change(data, (item) => {
      const next = ACKS[data.status] ?? data.status;
      if (next === 'failed' || STEPS[next] >= (STEPS[item.status] ?? -1)) item.status = next;
    });
  }

  edit(data) {
    this.#change(data, (item) => {
      if (typeof data.text === 'string') item.data = { ...item.data, text: data.text };
      item.edited = true;
    });
  }

  remove(data) {
    this.#change(data, (item) => {
      item.deleted = true;
    });
  }

  /** A notification, a call, a history: one quiet line between the messages. */
  notice({ key = null, words, family, icon, at, code }) {
    if (!this.#find(key)) this.#add({ type: 'notice', key, words, family, icon, at, code });
  }

  /** Starts afresh: a new epoch may hold another history. */
  clear() {
    this.#items = [];
    this.log.replaceChildren();
    this.#hint();
  }

  retell() {
    this.log.setAttribute('aria-label', t('messages', { user: this.user }));
    if (this.empty) this.#hint();
    this.#items.forEach((item) => this.#paint(item));
    this.#follow();
    this.#count();
  }

  toEnd() {
    this.#atEnd = true;
    this.#follow();
    this.#unseen = 0;
    this.#count();
  }

  #hint() {
    this.log.replaceChildren(h('p', { class: 'hush' }, t('quiet')));
  }

  #find(key) {
    return key === null || key === undefined ? undefined : this.#items.find((item) => item.key === key);
  }

  #change(data, alter) {
    const item = this.#find(data.id);
    if (!item) return; // it left the page, or came before the page was open
    alter(item);
    this.#paint(item);
    this.#follow();
  }

  #learn(jid, name) {
    if (!jid) return;
    this.#names.delete(jid);
    this.#names.set(jid, name);
    if (this.#names.size > 200) this.#names.delete(this.#names.keys().next().value);
  }

  #add(item) {
    if (this.empty) this.log.replaceChildren();
    const before = this.#items.at(-1);
    item.turn = speaker(item) !== (before && speaker(before));
    this.#items.push(item);
    this.#paint(item);
    this.log.append(item.el);
    while (this.#items.length > LIMIT) this.#items.shift().el.remove();
    if (!this.#atEnd) this.#unseen += 1;
    this.#follow();
    this.#count();
  }

  #follow() {
    if (this.#atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  #scrolled() {
    this.#atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
    if (!this.#atEnd) return;
    this.#unseen = 0;
    this.#count();
  }

  #count() {
    this.pill.hidden = this.#unseen === 0;
    this.pill.replaceChildren(mark('arrow'), t(this.#unseen === 1 ? 'new1' : 'news', { n: this.#unseen }));
  }

  #paint(item) {
    const fresh = item.type === 'notice' ? notice(item) : slip(item, this.#who(item));
    item.el?.replaceWith(fresh);
    item.el = fresh;
  }

  /** The name over a slip: who wrote it, or to whom it went. */
  #who({ data }) {
    const chat = this.#names.get(data.chatId) ?? phoneOf(data.chatId) ?? phoneOf(data.chatAlt);
    if (data.fromMe) return chat;
    return data.pushName || this.#names.get(data.from) || phoneOf(data.from) || phoneOf(data.fromAlt) || chat;
  }
}

const speaker = (item) =>
  item.type === 'notice' ? 'notice' : `${item.data.fromMe ? 'out' : 'in'} ${item.data.chatId} ${item.data.from}`;

/** `words` is asked at each painting, since the language may have changed. */
function notice({ words, family, icon, at, code }) {
  const attrs = { class: 'strip', 'data-f': family ?? 'off', 'data-role': 'notification', 'data-code': code };
  return h('div', attrs, mark(icon ?? 'bell'), h('span', { dir: 'auto' }, words()), time(at));
}

function slip(item, who) {
  const { data, deleted } = item;
  const out = Boolean(data.fromMe);
  const looks = ['m', out ? 'out' : 'in', item.turn && 'turn', item.late && 'late', deleted && 'gone'];
  const hooks = { 'data-role': 'message', 'data-id': data.id, 'data-status': item.status, 'data-kind': data.kind };
  const edited = item.edited && !deleted && h('span', null, t('edited'));
  return h(
    'article',
    { class: looks.filter(Boolean).join(' '), ...hooks },
    item.late && h('span', { class: 'chip', 'data-f': 'warn' }, mark('clock'), t('late')),
    item.turn && heading(data, who, out),
    deleted ? h('p', { class: 'dim' }, t('deleted')) : body(data),
    !deleted && item.reactions.size > 0 && reactions(item.reactions),
    h('div', { class: 'meta' }, edited, time(data.timestamp), out && !deleted && ticks(item.status)),
  );
}

function heading({ chatId }, who, out) {
  const group = String(chatId ?? '').endsWith('@g.us') && h('span', { class: 'tag' }, t('group'));
  return h('p', { class: 'who' }, out && mark('to'), who ? bdi(who) : h('span', null, t('nameless')), group);
}

function body({ kind, text }) {
  const said = text ? h('p', { dir: 'auto' }, text) : null;
  if (!kind || kind === 'text') return said ?? h('p', { class: 'dim' }, kindWord('text'));
  if (kind === 'reaction')
    return h('p', null, text ? sentence(t('reacted'), { emoji: h('b', null, text) }) : t('unreacted'));
  return h('div', { class: 'media' }, h('i', null, mark(kind)), h('div', null, h('b', null, kindWord(kind)), said));
}

function reactions(given) {
  const counts = new Map();
  given.forEach((emoji) => counts.set(emoji, (counts.get(emoji) ?? 0) + 1));
  const chip = ([emoji, n]) => h('span', null, bdi(emoji), n > 1 && ` ${number(n)}`);
  return h('p', { class: 'given', title: t('reactions') }, [...counts].map(chip));
}

/** Sent, delivered, read as three squares that fill: the words say the same. */
function ticks(status) {
  const words = ack(status);
  if (!words) return null;
  const full = STEPS[status] ?? 0;
  const squares = [1, 2, 3].map((step) => h('i', { class: step <= full && 'f' }));
  const attrs = { class: 'ticks', 'data-read': full === 3, 'data-failed': status === 'failed', title: words };
  return h(
    'span',
    attrs,
    h('span', { class: 'vh' }, words),
    h('span', { class: 'ack', 'aria-hidden': 'true' }, squares),
  );
}

function time(value) {
  const date = instant(value);
  return date && h('time', { datetime: date.toISOString(), title: date.toISOString() }, stamp(date));
}
