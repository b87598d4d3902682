// Which scene the owner of a connection sees, from all that is known. Pure: no clock, no page.
import { UNDER_WAY } from './actions.js';

/** States out of which a new code leads; asking for one shows at once that it is being made. */
export const CODELESS = [undefined, 'disconnected', 'logged_out', 'action_required'];
/** Evolution's own troubles. We try again where nobody else does. */
const DOWN = ['evolution_unreachable', 'evolution_refused'];
const NO_CODE = ['no_code', 'webhook_silent'];

/**
 * `info`: the instance; `awaitsCode`: it is on its way to one; `code`: the living one. `link`: why the link leads nowhere,
 * a scene's name. `line`: of the live channel; `away`: it is lost for long. `asked`: for a code; `fault`: why none came.
 * `sure`: whether to unlink is being asked. `wantsNumber`: the reader would type a code; `numbered`: one is on its way.
 */
export function kindOf(known) {
  const { info, link, line, away, fault, sure } = known;
  const { status, statusReason } = info ?? {};
  if (status === 'connected') return connected(known, statusReason); // stays true whatever becomes of the link
  if (link) return link;
  if (line.phase === 'ended') return line.code === 4009 ? 'crowded' : 'halted';
  if (UNDER_WAY.includes(statusReason) && !away) return 'unlinking';
  if (sure && !away) return 'sure';
  if (status === 'waiting_qr' && known.code) return byNumber(known) ?? 'code';
  if (fault === 'too_many_requests' && !away) return 'busy';
  if (away || fault) return 'down';
  if (statusReason === 'evolution_not_configured') return 'unready';
  if (status === 'finishing') return 'finishing';
  if (known.awaitsCode) return byNumber(known) ?? 'preparing';
  if (status === 'connecting') return 'reconnecting';
  return codeless(known, status, statusReason);
}

function connected({ link, away, sure }, reason) {
  if (link || away) return 'connected';
  if (UNDER_WAY.includes(reason)) return 'unlinking';
  return sure ? 'sure' : 'connected';
}

function byNumber({ wantsNumber, numbered, code }) {
  const typing = wantsNumber && !code?.pairing && !(numbered && !code);
  return typing ? 'number' : null;
}

function codeless(known, status, reason) {
  if (CODELESS.includes(status)) {
    if (known.asked || !status) return byNumber(known) ?? 'preparing';
    if (DOWN.includes(reason)) return 'down';
    if (NO_CODE.includes(reason)) return 'nocode';
  }
  if (reason === 'qr_limit') return 'expired';
  if (reason === 'upgrade_evolution') return 'outdated';
  return status;
}
