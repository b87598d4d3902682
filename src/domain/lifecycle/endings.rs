//! How a connection ended, and what follows: the one table.

use super::Cause;
use super::standing::{Standing, reason};
use crate::domain::instance::Status;

/// Code; who did it; where that leads; why.
type Row = (u16, Option<Cause>, Status, Option<&'static str>);

/// From the special to the general: the first row that fits counts, and a row without a cause fits every cause.
/// Sources are sections of the contract with Evolution and recordings in `tests/data/evolution`.
#[rustfmt::skip]
const ENDINGS: [Row; 14] = [
    // The owner removed the device on the phone: §3.2, flows/ending-device-removed-401.
    (401, Some(Cause::DeviceRemoved),  Status::LoggedOut,    Some(reason::DEVICE_REMOVED)),
    // Somebody called Evolution's logout: §5.5, flows/logout-by-api.
    (401, Some(Cause::LoggedOutByApi), Status::LoggedOut,    Some(reason::LOGGED_OUT_AT_EVOLUTION)),
    // A `close` alone doesn't tell who: §3.2.
    (401, None,                        Status::LoggedOut,    None),
    // A ban with an end: §3.2.
    (402, None,                        Status::Restricted,   Some(reason::TEMPORARY_BAN)),
    // Banned, or the primary phone is gone: §3.2, flows/ending-failure-403.
    (403, None,                        Status::Restricted,   Some(reason::ACCOUNT_BLOCKED)),
    // Banned: §3.2.
    (406, None,                        Status::Restricted,   Some(reason::ACCOUNT_BANNED)),
    // The client version is too old; only an update of Evolution helps: §3.2.
    (405, None,                        Status::Failed,       Some(reason::UPGRADE_EVOLUTION)),
    // The same session is connected elsewhere: §3.2. In 2.3.6 it is silent and known by its pattern only (§5.9).
    (440, None,                        Status::Conflict,     Some(reason::OPENED_ELSEWHERE)),
    // The rest mends itself. Silent in 2.3.6 (§3.2); later versions may post a `close`.
    (408, None,                        Status::Reconnecting, Some(reason::TIMED_OUT)),
    (411, None,                        Status::Reconnecting, Some(reason::SIGN_IN_AGAIN)),
    (428, None,                        Status::Reconnecting, Some(reason::CONNECTION_CLOSED)),
    (500, None,                        Status::Reconnecting, Some(reason::SESSION_ERROR)),
    (503, None,                        Status::Reconnecting, Some(reason::WHATSAPP_UNAVAILABLE)),
    (515, None,                        Status::Reconnecting, Some(reason::RESTART_REQUIRED)),
];

/// Normal right after a scan: part of finishing, never shown as an error (CONTRACT §5.2).
pub(super) const RESTART_REQUIRED: u16 = 515;

/// Where an ending leads. `wiped` says that `logout.instance` came with it: such a session needs a new code, whatever
/// its code says elsewhere (§1.6; with 408 from 2.4 on, §9).
pub(super) fn standing(code: Option<u16>, cause: Option<Cause>, wiped: bool) -> Standing {
    let row = ENDINGS.iter().find(|(known, by, ..)| Some(*known) == code && (by.is_none() || *by == cause));
    match row {
        Some((.., status, reason)) if !wiped || is_final(*status) => (*status, *reason),
        Some((.., reason)) => (Status::LoggedOut, *reason),
        None if wiped => (Status::LoggedOut, None),
        None => (Status::Reconnecting, Some(reason::CONNECTION_LOST)),
    }
}

/// Evolution wipes the session in these cases: what comes next is a new pairing.
pub(super) fn is_final(status: Status) -> bool {
    matches!(status, Status::LoggedOut | Status::Restricted)
}
