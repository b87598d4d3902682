// Which presses a connection offers: one that leads on, and a quiet rest. Only what the server would accept.

/** Somebody's phone is linked, as far as is known. */
const LINKED = ['connected', 'reconnecting', 'flapping', 'conflict', 'restricted', 'failed'];
const PAIRING = ['waiting_qr', 'finishing'];
/** A command is under way; everything else has to wait for it. */
export const UNDER_WAY = ['unlinking', 'removing'];
/** A code was made, or should have been, and nothing came of it. */
const CODE_SPENT = ['qr_limit', 'no_code', 'webhook_silent', 'pairing_timed_out'];

/** The one press that leads on, as `{ act, words }` (a key of `act-words.js`), or `null` where nobody has to act. */
function main({ status, statusReason: reason }) {
  switch (status) {
    case 'disconnected':
      return { act: 'connect', words: CODE_SPENT.includes(reason) ? 'newCode' : 'connect' };
    case 'logged_out':
      return { act: 'connect', words: 'again' };
    case 'action_required':
      return { act: 'connect', words: 'newCode' };
    case 'connected':
      return reason === 'session_wiped' ? { act: 'connect', words: 'again' } : null;
    case 'conflict':
      return { act: 'reconnect', words: 'useHere' };
    case 'failed':
      return reason === 'upgrade_evolution' ? null : { act: 'reconnect', words: 'reconnect' };
    case 'reconnecting':
      return { act: 'reconnect', words: 'reconnect' };
    default:
      return null;
  }
}

/** `{ main, rest }` of an instance; `rest` are names of acts, the gravest last. */
export function actionsOf(info) {
  const { status, statusReason: reason } = info;
  if (UNDER_WAY.includes(reason)) return { main: null, rest: [] };
  if (reason === 'evolution_not_configured') return { main: null, rest: ['remove'] };
  const rest = [
    status === 'flapping' && 'reconnect',
    PAIRING.includes(status) && 'show',
    PAIRING.includes(status) && 'scanned',
    LINKED.includes(status) && 'unlink',
    'remove',
  ];
  return { main: main(info), rest: rest.filter(Boolean) };
}
