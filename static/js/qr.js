// The plate with the code: black on white in every theme, its age drawn as the frame around it. A code that has expired
// is taken out of the page at that moment, not covered.
import { h, sentence, svg } from './dom.js';
import { t } from './words.js';
import { serverNow } from './api.js';

const FRAME = 'M150 2.5H293.5a4 4 0 0 1 4 4V293.5a4 4 0 0 1-4 4H6.5a4 4 0 0 1-4-4V6.5a4 4 0 0 1 4-4Z'; // starts at noon
const GHOST = 'M5 5h12v12H5zM48 5h12v12H48zM5 48h12v12H5z';
const GHOST_CORE =
  'M9 9h4v4H9zM52 9h4v4h-4zM9 52h4v4H9zM24 8h5v3h-5zM34 6h3v7h-3zM40 12h4v3h-4zM24 22h3v6h-3zM32 20h8v3h-8zM46 24h6v3h-6z' +
  'M8 24h6v3H8zM16 30h4v6h-4zM28 32h9v4h-9zM44 34h3v8h-3zM54 32h5v4h-5zM24 42h6v3h-6zM36 46h4v6h-4zM46 52h7v3h-7z' +
  'M26 54h5v5h-5zM56 44h4v4h-4z';
const IMAGE = /^data:image\/(?:png|jpeg|webp|gif);base64,/;
const WARN_MS = 10_000;
const WORD_MS = 8_000;
const GIVE_UP_MS = 45_000;

/** A code as the page keeps it: `{ image, pairing, nth, expiresAt, total }`, times in ms of the server's clock. */
export function codeOf({ qrCode, pairingCode, expiresAt, issuedAt, count }) {
  const end = Date.parse(expiresAt);
  if ((!qrCode && !pairingCode) || !(end > serverNow())) return null;
  const total = issuedAt ? end - Date.parse(issuedAt) : end - serverNow();
  return {
    image: IMAGE.test(qrCode ?? '') ? qrCode : null,
    pairing: pairingCode || null,
    nth: count ?? null,
    expiresAt: end,
    total: Math.max(total, 1),
  };
}

export const isValid = (code) => Boolean(code) && serverNow() < code.expiresAt;

export const sameCode = (a, b) =>
  a === b || Boolean(a && b && a.image === b.image && a.pairing === b.pairing && a.expiresAt === b.expiresAt);

/** Whether a code awaited since then does not come any more. */
export const gaveUpOn = (since) => Date.now() - since >= GIVE_UP_MS;

/**
 * The plate while a code is awaited; `since` when decides whether it says so, speaks again, or gives up. `end`: what to
 * offer after giving up, once `giveUp` was called. `said`: a known reason for the wait.
 */
export function preparingPlate(since, hadCode, { end = null, said = null }, giveUp) {
  const clock = h('p', { class: 'qclock' });
  const eyes = svg('path', { d: GHOST, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4 });
  const cores = svg('path', { d: GHOST_CORE, fill: 'currentColor' });
  const drawing = svg('svg', { viewBox: '0 0 65 65', 'aria-hidden': 'true' }, eyes, cores);
  const plate = h('div', { class: 'plate wait', 'data-role': 'qr-wait' }, drawing);
  const tick = () => {
    const waited = Date.now() - since;
    if (waited >= GIVE_UP_MS && !end) giveUp();
    clock.textContent = waited < GIVE_UP_MS && said ? said : t(waitingWords(waited, hadCode));
    plate.toggleAttribute('data-still', waited >= GIVE_UP_MS);
  };
  tick();
  return { el: h('div', { class: 'qr' }, plate, clock, end), tick };
}

function waitingWords(waited, hadCode) {
  if (waited >= GIVE_UP_MS) return 'preparing45';
  if (waited >= WORD_MS) return 'preparing8';
  return hadCode ? 'nextSoon' : 'preparing';
}

/** The plate with a living code, `alt` in words, and how to scan it below. `expired` is called at its end. */
export function codePlate(code, alt, expired, below) {
  const left = svg('path', { class: 'left', pathLength: 100, d: FRAME });
  const frame = { class: 'ring', viewBox: '0 0 300 300', fill: 'none', 'stroke-width': 5, 'aria-hidden': 'true' };
  const ring = svg('svg', frame, svg('path', { class: 'track', d: FRAME }), left);
  const image = code.image && h('img', { src: code.image, alt, 'data-role': 'qr', onload: fit });
  const seconds = h('b', { class: 'num' });
  const clock = h('p', { class: 'qclock', role: 'timer', 'aria-live': 'off' }, sentence(t('next'), { s: seconds }));
  const plate = image && h('div', { class: 'plate' }, ring, image);
  const el = h('div', { class: 'qr' }, plate, clock, below);
  const each = (ms, share) => {
    left.setAttribute('stroke-dasharray', `${share} 100`);
    left.setAttribute('stroke-dashoffset', share - 100);
    el.toggleAttribute('data-low', ms <= WARN_MS);
    seconds.textContent = `${Math.ceil(ms / 1000)} s`;
  };
  const end = () => {
    image?.remove();
    expired();
  };
  return { el, ...lifetime(code, each, end) };
}

/** Calls `each(ms, share)` with what is left of a code, in ms and per cent, and `expired` at its very end. */
export function lifetime(code, each, expired) {
  const tick = () => {
    const ms = code.expiresAt - serverNow();
    if (ms > 0) each(ms, Math.min(100, (ms / code.total) * 100));
    else expired();
  };
  const timer = setTimeout(tick, Math.max(0, code.expiresAt - serverNow()) + 5);
  tick();
  return { tick, drop: () => clearTimeout(timer) };
}

/** Evolution draws four pixels a module; three or two keep every module the same width, other sizes are smoothed. */
function fit({ target }) {
  const exact = [1, 0.75, 0.5].map((scale) => target.naturalWidth * scale).find((size) => size <= 280 && size >= 240);
  target.style.width = target.style.height = `${exact ?? 272}px`;
  if (exact) target.style.imageRendering = 'pixelated';
}

/** Four and four, as the phone asks for it. */
export function halves(text) {
  const half = Math.ceil(text.length / 2);
  return [text.slice(0, half), text.slice(half)].map((part) => h('span', null, part));
}

export function steps() {
  const strong = (text) => h('b', null, text);
  const step = (key, gaps) => h('li', null, h('span', null, sentence(t(key), gaps)));
  const [app, menu, link] = ['WhatsApp', t('menu'), t('link')].map(strong);
  return h('ol', { class: 'steps' }, step('step1', { app }), step('step2', { menu }), step('step3', { link }));
}
