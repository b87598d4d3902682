// Numbers, clocks and telephone numbers in the reader's language and time.
import { lang, t } from './words.js';

const formats = new Map();

function format(options) {
  const key = lang() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(lang(), options));
  return formats.get(key);
}

const sameDay = (a, b) => a.toDateString() === b.toDateString();

export const number = (n) => Number(n).toLocaleString(lang());
export const clock = (date) => format({ timeStyle: 'short' }).format(date);

/** "hoje, 14:32", "ontem, 09:10", "3 de nov., 18:40". */
export function when(date, now = new Date()) {
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  if (sameDay(date, now)) return t('today', { time: clock(date) });
  if (sameDay(date, yesterday)) return t('yesterday', { time: clock(date) });
  return format({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }).format(date);
}

/** The clock alone for today, with its day for older ones: short enough for the corner of a message. */
export function stamp(date, now = new Date()) {
  return sameDay(date, now)
    ? clock(date)
    : format({ day: '2-digit', month: '2-digit', hour: '2-digit', minute: '2-digit' }).format(date);
}

/** Whole seconds as "0:34". */
export const minutes = (s) => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;

/** Digits with country code → what a person would write. */
export function phone(digits) {
  const br = /^55(\d{2})(\d{4,5})(\d{4})$/.exec(digits);
  return br ? `+55 ${br[1]} ${br[2]}-${br[3]}` : `+${digits}`;
}

/** The same, for a screen that others may see: enough to tell one's own number by. */
export function maskedPhone(digits) {
  const br = /^55(\d{2})(\d)\d*(\d{4})$/.exec(digits);
  return br ? `+55 ${br[1]} ${br[2]}••••-${br[3]}` : `+${digits.slice(0, 2)} ••••${digits.slice(-4)}`;
}

/** The telephone number in a WhatsApp address; `null` for private ids, groups and channels, which have none. */
export function phoneOf(jid) {
  const digits = /^(\d{6,16})(?::\d+)?@s\.whatsapp\.net$/.exec(jid ?? '');
  return digits ? phone(digits[1]) : null;
}

/** A time from the wire: RFC 3339, or seconds or milliseconds since 1970. `null` when it is none of these. */
export function instant(value) {
  const number = typeof value === 'number' ? value : /^\d+$/.test(value ?? '') ? Number(value) : null;
  const date = new Date(number === null ? (value ?? NaN) : number < 1e11 ? number * 1000 : number);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** Up to two letters for the tile beside a name. */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).filter(Boolean);
  const letters = (words.length > 1 ? [words[0], words[words.length - 1]] : words).map((word) => [...word][0]);
  return (letters.join('') || '?').toLocaleUpperCase(lang());
}
