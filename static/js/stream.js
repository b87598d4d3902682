// What is said on one connection, as it comes: slips of paper on a ledger, in on the start side, out on the end side.
// Bounded: the oldest leave as new ones come.
import { bdi, h, sentence } from './dom.js';
import { hasMark, mark } from './marks.js';
import { ack, kind as kindWord, lang, t } from './words.js';
import { instant, phoneOf, stamp } from './figures.js';

const LIMIT = 100;
const NEAR = 48;          // px from the end that still count as "at the end"
const STEPS = { pending: 0, sent: 1, delivered: 2, read: 3, played: 3 };

export class Stream {
  #items = []; #names = new Map(); #unseen = 0;

  constructor(user) {
    this.log = h('div', { class: 'log', role: 'log', 'aria-live': 'off', tabindex: 0, 'aria-label': t('messages', { user }), onscroll: () => this.#seen() });
    this.pill = h('button', { class: 'btn sm fresh', type: 'button', hidden: true, onclick: () => this.toEnd() });
    this.el = h('div', { class: 'stream' }, this.log, this.pill);
    this.user = user;
    this.#hint();
  }

  get empty() { return this.#items.length === 0; }

  /** `message` frames. A message that came again (by its id) is painted in its place. */
  message(data, late) {
    const key = data.id ?? null;
    if (data.pushName && !data.fromMe) this.#learn(data.from ?? data.chatId, data.pushName);
    const known = this.#find(key);
    if (known) { Object.assign(known, { data: { ...known.data, ...data } }); this.#paint(known); return; }
    this.#add({ type: 'message', key, data, late: Boolean(late), status: data.status ?? null, edited: false, deleted: false });
  }

  update(data) {
    this.#change(data, (item) => {
      const next = String(data.status ?? '').toLowerCase();
      if ((STEPS[next] ?? -1) >= (STEPS[item.status] ?? -1) || next === 'failed') item.status = next;
    });
  }

  edit(data) { this.#change(data, (item) => { if (typeof data.text === 'string') item.data = { ...item.data, text: data.text }; item.edited = true; }); }

  remove(data) { this.#change(data, (item) => { item.deleted = true; }); }

  /** A notification, a call, a history: one quiet line between the messages. */
  notice({ words, family, icon, at, code }) { this.#add({ type: 'notice', key: null, words, family, icon, at, code }); }

  /** Starts afresh: a new epoch may hold another history. */
  clear() { this.#items = []; this.log.replaceChildren(); this.#hint(); }

  retell() {
    this.log.setAttribute('aria-label', t('messages', { user: this.user }));
    if (this.empty) this.#hint();
    this.#items.forEach((item) => this.#paint(item));
    this.#count();
  }

  toEnd() { this.log.scrollTop = this.log.scrollHeight; this.#seen(); }

  #hint() { this.log.replaceChildren(h('p', { class: 'hush' }, t('quiet'))); }

  #find(key) { return key === null || key === undefined ? undefined : this.#items.find((item) => item.key === key); }

  #change(data, alter) {
    const item = this.#find(data.id ?? data.messageId ?? data.key?.id);
    if (!item) return;      // it left the page, or came before the page was open
    alter(item);
    this.#paint(item);
  }

  #learn(jid, name) {
    if (!jid) return;
    this.#names.delete(jid);
    this.#names.set(jid, name);
    if (this.#names.size > 200) this.#names.delete(this.#names.keys().next().value);
  }

  #add(item) {
    const follow = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR;
    if (this.empty) this.log.replaceChildren();
    const before = this.#items.at(-1);
    item.turn = speaker(item) !== (before && speaker(before));
    this.#items.push(item);
    this.#paint(item);
    this.log.append(item.el);
    while (this.#items.length > LIMIT) this.#items.shift().el.remove();
    if (follow) this.log.scrollTop = this.log.scrollHeight;
    else { this.#unseen += 1; this.#count(); }
  }

  #seen() {
    if (this.#unseen && this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR) { this.#unseen = 0; this.#count(); }
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
    const chat = this.#names.get(data.chatId) ?? phoneOf(data.chatId);
    if (data.fromMe) return chat;
    return data.pushName || this.#names.get(data.from) || phoneOf(data.from) || chat;
  }
}

const speaker = (item) => (item.type === 'notice' ? 'notice' : `${item.data.fromMe ? 'out' : 'in'} ${item.data.chatId} ${item.data.from}`);

function notice({ words, family, icon, at, code }) {
  const line = typeof words === 'function' ? words() : words;
  return h('div', { class: 'strip', 'data-f': family ?? 'off', 'data-role': 'notification', 'data-code': code }, mark(icon ?? 'bell'), h('span', { dir: 'auto' }, line), time(at));
}

function slip(item, who) {
  const { data, deleted } = item;
  const out = Boolean(data.fromMe), group = String(data.chatId ?? '').endsWith('@g.us');
  const name = h('p', { class: 'who' }, out && mark('to'), who ? bdi(who) : h('span', null, t('nameless')), group && h('span', { class: 'tag' }, t('group')));
  const meta = h('div', { class: 'meta' }, item.edited && !deleted && h('span', null, t('edited')), time(data.timestamp), out && !deleted && ticks(item.status));
  return h('article', { class: ['m', out ? 'out' : 'in', item.turn && 'turn', item.late && 'late', deleted && 'gone'].filter(Boolean).join(' '), 'data-role': 'message', 'data-id': data.id, 'data-status': item.status, 'data-kind': data.kind },
    item.late && h('span', { class: 'chip', 'data-f': 'warn' }, mark('clock'), t('late')), item.turn && name, deleted ? h('p', { class: 'dim' }, t('deleted')) : body(data), meta);
}

function body({ kind, text }) {
  const said = text ? h('p', { dir: 'auto' }, text) : null;
  if (!kind || kind === 'text') return said ?? h('p', { class: 'dim' }, kindWord('text'));
  if (kind === 'reaction') return h('p', null, text ? sentence(t('reacted'), { emoji: h('b', null, text) }) : t('unreacted'));
  return h('div', { class: 'media' }, h('i', null, mark(hasMark(kind) ? kind : kind === 'voice' ? 'audio' : 'other')), h('div', null, h('b', null, kindWord(kind)), said));
}

/** Sent, delivered, read as three squares that fill: the words say the same. */
function ticks(status) {
  const words = ack(status);
  if (!words) return null;
  const full = STEPS[status] ?? 0;
  return h('span', { class: 'ticks', 'data-read': full === 3, 'data-failed': status === 'failed', title: words },
    h('span', { class: 'vh' }, words), h('span', { class: 'ack', 'aria-hidden': 'true' }, [1, 2, 3].map((step) => h('i', { class: step <= full && 'f' }))));
}

function time(value) {
  const date = instant(value);
  return date && h('time', { datetime: date.toISOString(), title: date.toISOString(), lang: lang() }, stamp(date));
}
