// The plate with the code: black on white in every theme, its age drawn as the frame around it. A code that has expired
// is taken out of the page at that moment, not covered.
import { h, sentence, svg } from './dom.js';
import { t } from './words.js';
import { serverNow } from './api.js';

const FRAME = 'M150 2.5H293.5a4 4 0 0 1 4 4V293.5a4 4 0 0 1-4 4H6.5a4 4 0 0 1-4-4V6.5a4 4 0 0 1 4-4Z';   // starts at noon
const GHOST = 'M5 5h12v12H5zM48 5h12v12H48zM5 48h12v12H5z';
const GHOST_CORE = 'M9 9h4v4H9zM52 9h4v4h-4zM9 52h4v4H9zM24 8h5v3h-5zM34 6h3v7h-3zM40 12h4v3h-4zM24 22h3v6h-3zM32 20h8v3h-8zM46 24h6v3h-6zM8 24h6v3H8zM16 30h4v6h-4zM28 32h9v4h-9zM44 34h3v8h-3zM54 32h5v4h-5zM24 42h6v3h-6zM36 46h4v6h-4zM46 52h7v3h-7zM26 54h5v5h-5zM56 44h4v4h-4z';
const IMAGE = /^data:image\/(?:png|jpeg|webp|gif);base64,/;
const WARN_MS = 10_000;
const WORD_MS = 8_000, GIVE_UP_MS = 45_000;

/** A code as the page keeps it: `{ image, pairing, expiresAt, total }`, times in ms of the server's clock. */
export function codeOf({ qrCode, pairingCode, expiresAt, issuedAt }) {
  const end = Date.parse(expiresAt);
  if ((!qrCode && !pairingCode) || !(end > serverNow())) return null;
  const total = issuedAt ? end - Date.parse(issuedAt) : end - serverNow();
  return { image: IMAGE.test(qrCode ?? '') ? qrCode : null, pairing: pairingCode || null, expiresAt: end, total: Math.max(total, 1) };
}

export const isValid = (code) => Boolean(code) && serverNow() < code.expiresAt;

/** The plate while a code is awaited: since when decides whether it says so, speaks again, or gives up. */
export function preparingPlate(since, hadCode, giveUp) {
  const clock = h('p', { class: 'qclock' });
  const ghost = h('div', { class: 'plate wait', 'data-role': 'qr-wait' }, svg('svg', { viewBox: '0 0 65 65', 'aria-hidden': 'true' },
    svg('path', { d: GHOST, fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4 }), svg('path', { d: GHOST_CORE, fill: 'currentColor' })));
  const el = h('div', { class: 'qr' }, ghost, clock);
  const tick = () => {
    const waited = Date.now() - since;
    if (waited >= GIVE_UP_MS) giveUp();
    clock.textContent = t(waited >= GIVE_UP_MS ? 'preparing45' : waited >= WORD_MS ? 'preparing8' : hadCode ? 'nextSoon' : 'preparing');
    el.toggleAttribute('data-still', waited >= GIVE_UP_MS);
  };
  tick();
  return { el, tick };
}

/** The plate with a living code. `expired` is called once, at its end. */
export function codePlate(code, user, expired) {
  const left = svg('path', { class: 'left', pathLength: 100, d: FRAME });
  const ring = svg('svg', { class: 'ring', viewBox: '0 0 300 300', fill: 'none', 'stroke-width': 5, 'aria-hidden': 'true' }, svg('path', { class: 'track', d: FRAME }), left);
  const image = code.image && h('img', { src: code.image, alt: t('qrAlt', { user }), 'data-role': 'qr', draggable: 'false', onload: fit });
  const seconds = h('b', { class: 'num' });
  const clock = h('p', { class: 'qclock', role: 'timer', 'aria-live': 'off' }, sentence(t('next'), { s: seconds }));
  const el = h('div', { class: 'qr' }, image && h('div', { class: 'plate' }, ring, image), clock, code.pairing && pairing(code.pairing));
  const tick = () => {
    const ms = code.expiresAt - serverNow();
    if (ms <= 0) { image?.remove(); expired(); return; }
    const share = Math.min(100, ms / code.total * 100);
    left.setAttribute('stroke-dasharray', `${share} 100`);
    left.setAttribute('stroke-dashoffset', share - 100);
    el.toggleAttribute('data-low', ms <= WARN_MS);
    seconds.textContent = `${Math.ceil(ms / 1000)} s`;
  };
  const timer = setTimeout(tick, Math.max(0, code.expiresAt - serverNow()) + 5);
  tick();
  return { el, tick, drop: () => clearTimeout(timer) };
}

/** Evolution draws four pixels a module; three or two keep every module the same width, other sizes are smoothed. */
function fit({ target }) {
  const exact = [1, .75, .5].map((scale) => target.naturalWidth * scale).find((size) => size <= 280 && size >= 240);
  target.style.width = target.style.height = `${exact ?? 272}px`;
  if (exact) target.style.imageRendering = 'pixelated';
}

function pairing(text) {
  const half = Math.ceil(text.length / 2);
  return h('div', { class: 'pairing', 'data-role': 'pairing' }, h('span', null, t('pairing')),
    h('b', { 'aria-label': [...text].join(' ') }, h('span', null, text.slice(0, half)), h('span', null, text.slice(half))));
}
