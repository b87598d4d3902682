// Each scene of the owner's page with what can be pressed in it: one thing that leads on, and at most one aside.
import { h } from './dom.js';
import { a } from './act-words.js';
import { o } from './owner-words.js';
import * as views from './owner-views.js';

/**
 * `known`: `code`, `info`, `since`, `hadCode` of the connection; `guide` (see `owner-views.js`); `note`, what a press came
 * to; `asking`, the act that is under way; `numbered`, whether a code for a number is; `reachable`, whether a request
 * would arrive; `press`, the functions behind the buttons.
 */
export function stageOf(kind, words, known) {
  const { code, info, since, hadCode, guide, press } = known;
  const note = known.note && h('p', { class: 'fault', role: 'alert' }, known.note);
  const button = (then) => words.press && views.press(words.press, { busy: known.asking !== null, then });
  const stuck = (said) => [note, views.aside(o(said), { busy: known.asking === 'scanned', then: press.scanned })];
  const leave = known.reachable && views.aside(o('unlink'), { then: () => press.sure(true) });
  switch (kind) {
    case 'code':
      return views.living(code, guide, press.expired, stuck(isTyped(code, guide) ? 'typed' : 'scanned'));
    case 'number':
      return views.asking(guide, note);
    case 'preparing':
      return preparing(known);
    case 'finishing':
      return views.scanned(words, since, stuck('scanned'));
    case 'connected':
      return views.connected(words, info, [note, pairAgain(known), leave]);
    case 'sure': {
      const busy = known.asking !== null;
      return views.sure(words, { keep: () => press.sure(false), go: press.unlink, busy, note });
    }
    case 'unlinking':
      return views.waiting(words, since);
    case 'reconnecting':
      return views.waiting(words, since, { foot: [note, button(press.reconnect), leave] });
    case 'flapping':
      return views.waiting(words, since, { foot: [note, leave] });
    case 'action_required':
      return views.passkey(words, since, [note, button(press.ask)]);
    case 'restricted':
      return views.restricted(words);
    case 'conflict':
      return views.conflict(words, button(press.reconnect), note);
    case 'failed':
      return { el: views.plain(words, null, [note, button(press.reconnect)]) };
    case 'unready':
      return views.waiting(words, since, { more: h('p', { class: 'note' }, o('listening')) });
    case 'down':
    case 'busy':
      return views.retrying(words, press.next, views.press(words.press, { quiet: true, then: press.again }));
    case 'crowded':
    case 'halted':
      return { el: views.plain(words, null, button(press.again)) };
    default:
      return { el: views.plain(words, null, [note, button(press.ask)]) };
  }
}

const isTyped = (code, guide) => code.pairing && (!code.image || guide.tab === 'number');

function preparing({ since, hadCode, info, guide, numbered, press }) {
  const said = info?.statusReason === 'waiting_for_wipe' ? a('wipe') : null;
  return views.preparing(since, hadCode, { guide: numbered ? null : guide, said }, press.giveUp);
}

/** It works, but would not come back by itself. */
function pairAgain({ info, reachable, asking, press }) {
  if (info.statusReason !== 'session_wiped' || !reachable) return null;
  return views.press(o('again'), { busy: asking === 'connect', then: press.ask });
}
