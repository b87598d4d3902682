// What is known of one WhatsApp connection, whoever told it last: its state, since when, and its living code. Knows
// nothing of the page; every page that shows a connection asks here.
import { instant } from './figures.js';
import { serverNow } from './api.js';
import { codeOf, sameCode } from './qr.js';

export class Connection {
  info = null;
  code = null;
  codes = 0; // rises with every change of the code
  hadCode = false; // in this wait for a scan
  since = Date.now(); // the state, or the wait for a code, in ms of this clock
  #on;
  #asOf = '';
  #knownAt = null;
  #anew = false; // it is connecting out of a state without a phone

  /** `on`: `turned(before)` hears of a new state, `coded()` of a new code. */
  constructor(on) {
    this.#on = on;
  }

  get status() {
    return this.info?.status;
  }

  /** On its way to a code, rather than back to a phone that is linked already. */
  get awaitsCode() {
    const { status, statusReason, phoneNumber } = this.info ?? {};
    if (status !== 'connecting') return status === 'waiting_qr';
    return !phoneNumber || this.#anew || statusReason === 'waiting_for_wipe';
  }

  /** A whole instance. What an answer tells may be older than a frame that overtook it; a snapshot is `certain`. */
  take(instance, certain = false) {
    const before = this.info;
    if (!certain && instance.updatedAt < this.#asOf) return;
    this.#asOf = instance.updatedAt ?? this.#asOf;
    this.info = { ...before, ...instance };
    this.#turn(before?.status);
    if (!before)
      this.since = Math.min(Date.now(), Date.now() - serverNow() + Number(instant(instance.updatedAt) ?? serverNow()));
    const { qrCode, pairingCode, qrExpiresAt: expiresAt } = instance;
    this.setCode(codeOf({ qrCode, pairingCode, expiresAt }));
  }

  /** The start that a `hello` gives: frames up to `seq` tell no newer state. */
  begin(seq, instance) {
    this.#knownAt = seq;
    if (instance) this.take(instance, true);
  }

  /** A frame; those of other types, and those from before the start, change nothing here. */
  frame({ type, seq, at, data }) {
    if (type !== 'status' && type !== 'qrcode') return;
    if (this.#knownAt !== null && seq <= this.#knownAt) return;
    this.#asOf = at;
    if (type === 'status') this.hear(data);
    else this.#qrcode(data, at);
  }

  /** The data of a `status`, wherever it was heard. */
  hear(data) {
    const before = this.info?.status;
    this.info = {
      ...this.info,
      status: data.status,
      isConnected: data.isConnected,
      statusReason: data.reason ?? null,
      statusText: data.statusText ?? null,
    };
    for (const key of ['phoneNumber', 'profileName']) if (data[key]) this.info[key] = data[key];
    if (data.status === 'connected' && before !== 'connected')
      this.info.connectedAt = data.connectedAt ?? new Date().toISOString();
    this.#turn(before);
    if (data.status !== 'waiting_qr') this.setCode(null); // scanned, or of an earlier connection
  }

  setCode(code) {
    if (sameCode(code, this.code)) return;
    if (this.code && !code) this.since = Date.now();
    this.code = code;
    this.codes += 1;
    if (!code) return;
    this.hadCode = true;
    this.#on.coded();
  }

  #qrcode(data, at) {
    const before = this.info?.status;
    if (data.status) this.info = { ...this.info, status: data.status, statusReason: null, statusText: null };
    this.#turn(before);
    this.setCode(codeOf({ ...data, issuedAt: at }));
  }

  /** What follows from a change of state, whoever told of it. */
  #turn(before) {
    if (before === this.info?.status) return;
    this.#anew = ['disconnected', 'logged_out'].includes(before);
    this.since = Date.now();
    if (before !== 'waiting_qr') this.hadCode = false;
    this.#on.turned(before);
  }
}
