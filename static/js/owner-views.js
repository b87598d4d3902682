// What the owner of one connection sees: a scene at a time, each with one thing to do. Every function answers
// `{ el, tick, drop }`, of which the last two may be absent; `tick` comes once a second.
import { bdi, h, sentence } from './dom.js';
import { chase, mark } from './marks.js';
import { t } from './words.js';
import { o } from './owner-words.js';
import { initials, instant, maskedPhone, minutes, when } from './figures.js';
import { codePlate, halves, lifetime, preparingPlate } from './qr.js';
import { a } from './act-words.js';
import { copyButton } from './copy.js';
import { finishing } from './finishing.js';

const box = (...kids) => h('div', { class: 'act' }, kids.flat());

/** Mark, title, text, whatever more, and at the foot what to press. */
export function plain(words, more, foot) {
  const title = h('h2', null, words.title);
  const top = h('div', { class: 'head', 'data-f': words.family }, mark(words.mark), title);
  return box(top, words.text && h('p', null, words.text), more, foot && h('div', { class: 'push' }, foot));
}

export function press(words, { busy = false, quiet = false, then }) {
  const attrs = { class: quiet ? 'btn' : 'btn go', type: 'button', 'data-role': 'next', onclick: then };
  return h('button', { ...attrs, 'aria-disabled': busy && 'true' }, busy ? [chase(), t('asking')] : words);
}

/** Something that may be pressed, but is not what this scene is about. */
export function aside(words, { busy = false, then }) {
  const attrs = { class: 'btn bare', type: 'button', 'data-role': 'aside', onclick: then };
  return h('button', { ...attrs, 'aria-disabled': busy && 'true' }, busy ? [chase(), words] : words);
}

/**
 * `guide`: `{ os, tab, form, pickOs(os), pickTab(tab) }`, what the reader chose and how to choose otherwise, and the form
 * for a number; `null` where the code will be none to scan. `said`: a known reason for the wait.
 */
export function preparing(since, hadCode, { guide, said }, giveUp) {
  const plate = preparingPlate(since, hadCode, { said }, giveUp);
  return { ...plate, el: box(plate.el, guide && scanSteps(guide)) };
}

export function living(code, guide, expired, foot) {
  const byNumber = code.pairing && (!code.image || guide.tab === 'number');
  const plate = byNumber ? numberPlate(code, expired) : codePlate(code, o('qrAlt'), expired, scanSteps(guide));
  return { ...plate, el: box(code.image && tabs(guide), plate.el, h('div', { class: 'push' }, foot)) };
}

/** No code to type yet: for which number? */
export function asking(guide, foot) {
  const title = h('h2', null, o('numberTitle'));
  guide.form.weigh(true);
  return { el: box(tabs(guide), title, h('p', null, o('numberWhy')), guide.form.el, h('div', { class: 'push' }, foot)) };
}

const tabs = ({ tab, pickTab }) => choice('tabs', { qr: o('tabQr'), number: o('tabNumber') }, tab, pickTab);

function numberPlate(code, expired) {
  const bar = h('i');
  const seconds = h('b', { class: 'num' });
  const clock = h('p', { class: 'qclock', role: 'timer', 'aria-live': 'off' }, sentence(t('next'), { s: seconds }));
  const spelt = { class: 'big', 'data-role': 'pairing', 'aria-label': [...code.pairing].join(' ') };
  const big = h('b', spelt, halves(code.pairing));
  const row = h('div', { class: 'row' }, clock, copyButton(code.pairing));
  const [menu, link, number] = [t('menu'), t('link'), a('byNumber')].map(strong);
  const steps = list([
    sentence(o('stepMenu'), { menu }),
    sentence(o('stepNumber'), { link, number }),
    o('stepType'),
  ]);
  const gauge = h('div', { class: 'gauge' }, bar);
  const el = h('div', { class: 'number' }, h('h2', null, o('type')), big, gauge, row, steps);
  const each = (ms, share) => {
    bar.style.inlineSize = `${share}%`;
    seconds.textContent = `${Math.ceil(ms / 1000)} s`;
  };
  return { el, ...lifetime(code, each, expired) };
}

function scanSteps({ os, pickOs }) {
  const [app, menu, link, settings] = ['WhatsApp', t('menu'), t('link'), o('settings')].map(strong);
  const way = sentence(o(os === 'iphone' ? 'stepIphone' : 'stepAndroid'), { settings, dots: strong('⋮'), menu });
  const steps = list([sentence(o('stepApp'), { app }), way, sentence(o('stepScan'), { link })]);
  const phones = choice('os', { android: 'Android', iphone: 'iPhone' }, os, pickOs);
  return h('div', { class: 'guide' }, phones, steps);
}

/** The scan was seen; `since` when. */
export function scanned(words, since, foot) {
  const { el, tick } = finishing(since);
  return { el: plain(words, el, foot), tick };
}

/** A wait in which nobody here has to act: for how long it lasts already. */
export function waiting(words, since, { more, foot } = {}) {
  const spent = h('b', { class: 'num' });
  const clock = h('p', { class: 'qclock' }, sentence(o('waited'), { s: spent }));
  const tick = () => {
    spent.textContent = minutes(Math.max(0, Math.floor((Date.now() - since) / 1000)));
  };
  tick();
  return { el: plain(words, [more, clock], foot), tick };
}

export function passkey(words, since, foot) {
  const accept = sentence(o('stepAccept'), { key: strong(o('key')) });
  const steps = list([sentence(o('stepApp'), { app: strong('WhatsApp') }), accept, o('stepBack')]);
  return waiting(words, since, { more: steps, foot });
}

export function connected(words, { profileName, phoneNumber, connectedAt }, foot) {
  const number = phoneNumber && maskedPhone(phoneNumber);
  const since = instant(connectedAt);
  const tile = profileName ? initials(profileName) : mark('done', 'ok');
  const who = h(
    'div',
    { class: 'mine' },
    h('span', { class: 'tile', 'aria-hidden': 'true' }, tile),
    h(
      'div',
      null,
      (profileName || number) && h('b', null, bdi(profileName || number, { class: 'num' })),
      profileName && number && h('span', null, bdi(number, { class: 'num' })),
      since && h('span', null, o('since', { when: when(since) })),
    ),
  );
  return { el: plain(words, (number || profileName || since) && who, foot) };
}

/** No button: trying makes it worse. */
export const restricted = (words) => ({
  el: plain(words, h('div', { class: 'timer', 'data-f': words.family }, o('noEnd'))),
});

/** Asked once. What keeps things as they are stands where the question was pressed, so that a second press does no harm. */
export function sure(words, { keep, go, busy, note }) {
  const stay = h('button', { class: 'btn', type: 'button', 'data-role': 'keep', onclick: keep }, o('keepAsIs'));
  const attrs = { class: 'btn grave', type: 'button', 'data-role': 'unlink', 'aria-disabled': busy && 'true', onclick: go };
  const leave = h('button', attrs, busy ? [chase(), t('asking')] : words.press);
  return { el: plain(words, null, [note, leave, stay]) };
}

export function conflict(words, button, note) {
  const stranger = h('p', { class: 'note' }, sentence(o('stranger'), { menu: strong(t('menu')) }));
  return { el: plain(words, null, [stranger, note, button]) };
}

/** Tries again by itself: `turn()` is `{ from, at }` of the next try, or `null` while one is under way. */
export function retrying(words, turn, button) {
  const bar = h('i');
  const clock = h('p', { class: 'qclock' });
  const seconds = h('b', { class: 'num' });
  const tick = () => {
    const { from, at } = turn() ?? { from: 0, at: 0 };
    const left = Math.max(0, at - Date.now());
    seconds.textContent = `${Math.ceil(left / 1000)} s`;
    clock.replaceChildren(...(left ? sentence(o('nextTry'), { s: seconds }) : [o('tryNow')]));
    bar.style.inlineSize = left ? `${100 - (left / (at - from)) * 100}%` : '100%';
  };
  tick();
  return { el: plain(words, [h('div', { class: 'gauge' }, bar), clock], button), tick };
}

const strong = (text) => h('b', null, text);
const list = (items) => h('ol', { class: 'steps' }, items.map((item) => h('li', null, h('span', null, item))));

function choice(kind, choices, chosen, pick) {
  const button = ([name, words]) =>
    h('button', { type: 'button', 'aria-pressed': String(name === chosen), onclick: () => pick(name) }, words);
  return h('div', { class: kind, role: 'group' }, Object.entries(choices).map(button));
}
