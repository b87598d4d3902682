// One mark per state, cut from the eye of a QR code: a square ring and its core. Readable in one colour at 12 px.
import { h, svg } from './dom.js';

const ring = line('M2 2h12v12H2z');
function line(d, width = 2) { return { d, width }; }
function solid(d) { return { d, width: 0 }; }

const MARKS = {
  connected: [ring, solid('M6 6h4v4H6z')],
  connecting: [line('M14 6V2H2v12h12v-4')],
  waiting_qr: [solid('M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1zM9 9h3v3H9zM12 12h3v3h-3z')],
  finishing: [line('M14 6V2H2v12h12v-4'), solid('M6 6h4v4H6z')],
  reconnecting: [line('M2 6V2h12v4M2 10v4h12v-4'), solid('M7 7h2v2H7z')],
  flapping: [line('M0 8h3l2.5-6 4.5 12 2.5-6H16')],
  action_required: [ring, solid('M7 4.5h2v4.5H7zM7 10.3h2v1.8H7z')],
  logged_out: [line('M9 2H2v12h7'), line('M7 8h8M12 5l3 3-3 3')],
  conflict: [line('M1.5 1.5h8.5v8.5H1.5z'), line('M6 6h8.5v8.5H6z')],
  restricted: [ring, solid('M4.5 7h7v2h-7z')],
  failed: [line('M2.5 2.5l11 11M13.5 2.5l-11 11', 2.6)],
  disconnected: [line('M2.5 2.5h11v11h-11z', 1.4)],
  done: [line('M2 8.5l4 4 8-9', 2.4)],
  down: [line('M1 8h4M11 8h4M6.5 4.5v7M9.5 4.5v7')],
  clock: [line('M2 2h12v12H2zM8 4.5V8h3', 1.8)],
  close: [line('M3 3l10 10M13 3L3 13', 1.6)],
  bell: [line('M3 12h10M4.5 12V7a3.5 3.5 0 0 1 7 0v5M8 1.5V3', 1.6)],
  arrow: [line('M8 2v11M4 9l4 4 4-4', 1.8)],
  to: [line('M2 8h11M9 4l4 4-4 4', 1.8)],
  image: [line('M2 2.5h12v11H2zM2.5 11l3.5-4 3 3.2 1.8-1.8 3 3', 1.5), solid('M10 4.8h2v2h-2z')],
  video: [line('M1.5 3.5h9v9h-9zM10.5 7l4-2.5v7l-4-2.5', 1.5)],
  audio: [line('M2 6.5v3M5 4v8M8 2v12M11 5v6M14 7v2', 1.6)],
  document: [line('M3 1.5h6.5L13 5v9.5H3zM9 1.8V5.5h3.8M5.5 9h5M5.5 11.5h5', 1.5)],
  sticker: [line('M2 2h12v7l-5 5H2zM9 14V9h5', 1.5)],
  location: [line('M8 14.5C5 11 3.5 8.8 3.5 6.2a4.5 4.5 0 0 1 9 0c0 2.6-1.5 4.8-4.5 8.3z', 1.5), solid('M7 5.2h2v2H7z')],
  contact: [line('M2 2h12v12H2zM5 12c.4-2 1.4-3 3-3s2.6 1 3 3', 1.5), solid('M6.6 4.5h2.8v2.8H6.6z')],
  poll: [line('M2 3.5h12M2 8h7M2 12.5h9.5', 2)],
  reaction: [line('M8 13.5L2.8 8.4a3 3 0 0 1 4.3-4.3l.9.9.9-.9a3 3 0 0 1 4.3 4.3z', 1.5)],
  call: [line('M3 2h3l1.2 3.5L5.5 7a8 8 0 0 0 3.5 3.5l1.5-1.7L14 10v3c0 .6-.5 1-1 1C7.5 14 2 8.5 2 3c0-.5.4-1 1-1z', 1.5)],
  history: [line('M2 3.5h12v3H2zM3 6.5v7h10v-7M6 9.5h4', 1.5)],
  other: [line('M2 4h12v8H2zM5 8h6', 1.5)],
};

/** A decorative mark; the words beside it carry the meaning for whoever cannot see it. */
export function mark(name, family) {
  const paths = (MARKS[name] ?? MARKS.other).map(({ d, width }) => (width
    ? svg('path', { d, fill: 'none', stroke: 'currentColor', 'stroke-width': width })
    : svg('path', { d, fill: 'currentColor' })));
  return h('span', { class: 'mark', 'data-f': family, 'aria-hidden': 'true' }, svg('svg', { viewBox: '0 0 16 16' }, paths));
}

/** The core of a state that is under way: a light running along its square. Still when motion is unwelcome. */
export function chase() {
  const square = (attrs) => svg('path', { d: 'M2 2h12v12H2z', fill: 'none', stroke: 'currentColor', 'stroke-width': 2, ...attrs });
  return h('span', { class: 'mark', 'aria-hidden': 'true' }, svg('svg', { viewBox: '0 0 16 16' },
    square({ opacity: '.25' }), square({ class: 'chase', pathLength: 100 })));
}

export const hasMark = (name) => name in MARKS;
