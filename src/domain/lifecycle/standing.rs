//! Where a connection stands: read off the facts for one moment. Only facts of the present life count, which begins
//! with `instance.create` and ends with its removal.

use std::time::Duration;

use super::QR_PERIOD;
use super::endings::{self, RESTART_REQUIRED};
use super::facts::{At, Facts};
use crate::domain::instance::{Status, View};
use crate::domain::time::Millis;

/// A status and why; the reason is one of [`reason`]'s.
pub(super) type Standing = (Status, Option<&'static str>);

/// Published `statusReason` codes that this state machine gives.
pub mod reason {
    /// The gateway's own hint on an instance that nothing connects.
    pub const EVOLUTION_NOT_CONFIGURED: &str = "evolution_not_configured";
    /// Evolution did not answer, or can't serve now.
    pub const EVOLUTION_UNREACHABLE: &str = "evolution_unreachable";
    /// Evolution answered, and somebody must change the configuration.
    pub const EVOLUTION_REFUSED: &str = "evolution_refused";
    /// Evolution made no code in time.
    pub const NO_CODE: &str = "no_code";
    /// Evolution made a code, but its webhook did not come.
    pub const WEBHOOK_SILENT: &str = "webhook_silent";
    /// A command is under way.
    pub const UNLINKING: &str = "unlinking";
    pub const REMOVING: &str = "removing";
    /// A command was sent, and neither an event nor a read-back confirmed it.
    pub const UNCONFIRMED: &str = "unconfirmed";
    /// The owner unlinked the phone from here.
    pub const BY_OWNER: &str = "by_owner";
    /// Pairing waits, for half a minute at most, until an earlier ending was told to its end (CONTRACT §1.6).
    pub const WAITING_FOR_WIPE: &str = "waiting_for_wipe";
    /// Connected, but Evolution's stored session is gone: it ends with the next reconnect.
    pub const SESSION_WIPED: &str = "session_wiped";
    /// The account asks for a passkey on the phone.
    pub const PASSKEY: &str = "passkey";
    pub const REMOVED: &str = "removed";
    pub const QR_LIMIT: &str = "qr_limit";
    /// A code seemed scanned, but the connection never opened.
    pub const PAIRING_TIMED_OUT: &str = "pairing_timed_out";
    pub const RECONNECTING_SILENTLY: &str = "reconnecting_silently";
    pub const WHATSAPP_UNREACHABLE: &str = "whatsapp_unreachable";
    pub const DEVICE_REMOVED: &str = "device_removed";
    pub const LOGGED_OUT_AT_EVOLUTION: &str = "logged_out_at_evolution";
    pub const TEMPORARY_BAN: &str = "temporary_ban";
    pub const ACCOUNT_BLOCKED: &str = "account_blocked";
    pub const ACCOUNT_BANNED: &str = "account_banned";
    pub const UPGRADE_EVOLUTION: &str = "upgrade_evolution";
    pub const OPENED_ELSEWHERE: &str = "opened_elsewhere";
    pub const TIMED_OUT: &str = "timed_out";
    pub const SIGN_IN_AGAIN: &str = "sign_in_again";
    pub const CONNECTION_CLOSED: &str = "connection_closed";
    pub const SESSION_ERROR: &str = "session_error";
    pub const WHATSAPP_UNAVAILABLE: &str = "whatsapp_unavailable";
    pub const RESTART_REQUIRED: &str = "restart_required";
    /// It dropped and Evolution didn't say why.
    pub const CONNECTION_LOST: &str = "connection_lost";
}

/// A silent reconnect takes 0.2 s (CONTRACT §5.10); only one that takes longer is worth showing.
const SILENT_FOR: Duration = Duration::from_secs(10);
/// After a scan the phone sends its keys within seconds; nothing turns for ever.
const FINISHING_FOR: Duration = Duration::from_mins(2);
/// More than eight `connecting` in ten seconds: the reconnect loop without back-off (CONTRACT §5.9).
const STORM: (usize, Duration) = (9, Duration::from_secs(10));
/// Up and down, until five stable minutes have passed.
const FLAPPING: (usize, Duration) = (4, Duration::from_mins(5));
/// The pattern by which alone a 440 is known (CONTRACT §3.2, §5.9): two sockets replace each other.
const CONFLICT: (usize, Duration) = (6, Duration::from_mins(1));
/// The three webhooks of one ending come within milliseconds (CONTRACT §5.6); their re-sends keep their emission.
const SAME_ENDING: Duration = Duration::from_mins(1);
/// `logout.instance` names no reason and may come first of the three (CONTRACT §5.6): so long the code is waited for
/// before people are told what has ended, since it may as well be a ban.
const CODE_FOLLOWS: Duration = Duration::from_secs(30);

/// What was heard last. The order breaks ties of emission: a late `connecting` never undoes an `open`, and an ending
/// follows what it ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Created,
    Connecting,
    Qr,
    Opened,
    QrLimit,
    Ended,
}

impl Facts {
    pub(super) fn view(&self, now: Millis) -> View {
        let (status, reason) = self.standing(now);
        let told = |fact: &Option<At<String>>| fact.as_ref().filter(|f| self.lives(f.at)).map(|f| f.value.clone());
        let open_newest = self.newest().is_some_and(|(_, sign)| sign == Sign::Opened);
        View {
            status,
            reason: reason.map(str::to_owned),
            is_connected: status == Status::Connected || (status == Status::Flapping && open_newest),
            phone_number: told(&self.phone_number),
            profile_name: told(&self.profile_name),
        }
    }

    pub(super) fn standing(&self, now: Millis) -> Standing {
        match self.newest() {
            _ if self.is_removed() => (Status::Disconnected, Some(reason::REMOVED)),
            None | Some((_, Sign::Created)) => (Status::Disconnected, None),
            Some((at, Sign::Connecting)) => self.while_connecting(at, now),
            Some((_, Sign::Qr)) => (Status::WaitingQr, None),
            Some((_, Sign::Opened)) => self.while_open(None, now),
            Some((_, Sign::QrLimit)) => (Status::Disconnected, Some(reason::QR_LIMIT)),
            Some((at, Sign::Ended)) => self.ending(at),
        }
    }

    /// The code that should be on the screen, with its expiry: only while nothing newer than it is known.
    pub(super) fn shown_qr(&self) -> Option<(&str, Millis)> {
        let on_show = !self.is_removed() && self.newest().is_some_and(|(_, sign)| sign == Sign::Qr);
        self.qr().filter(|_| on_show).map(|qr| (qr.value.as_str(), qr.at + QR_PERIOD))
    }

    /// The next moment at which time alone changes the standing.
    pub(super) fn changes_after(&self, now: Millis) -> Option<Millis> {
        let today = (self.standing(now), self.is_unexplained(now));
        let deadlines = [
            self.ended.map(|at| at + CODE_FOLLOWS),
            self.first_connecting_since_open().map(|at| at + SILENT_FOR),
            self.connecting.first().map(|at| at + FINISHING_FOR),
            self.opened().map(|at| at + CONFLICT.1),
            self.opened().map(|at| at + FLAPPING.1),
        ];
        deadlines
            .into_iter()
            .flatten()
            .filter(|at| *at > now && (self.standing(*at), self.is_unexplained(*at)) != today)
            .min()
    }

    /// Whether a phone is linked as far as is known: it was open, and neither a final ending nor a new code came since.
    pub(super) fn is_linked(&self) -> bool {
        let unlinked = self.ending_since_open().is_some_and(|(_, (status, _))| endings::is_final(status));
        self.opened().is_some() && self.qr().is_none() && !unlinked
    }

    fn while_connecting(&self, at: Millis, now: Millis) -> Standing {
        if self.is_storm() {
            return (Status::Reconnecting, Some(reason::WHATSAPP_UNREACHABLE));
        }
        let (opened, qr, ending) = (self.opened(), self.qr(), self.ending_since_open());
        let begun = opened.max(qr.map(|qr| qr.at));
        let over = ending.filter(|(_, (status, _))| endings::is_final(*status)).map(|(ended, _)| ended);
        if over.max(self.qr_limit).is_some_and(|over| Some(over) >= begun) {
            return (Status::Connecting, None);
        }
        match (qr, opened, ending) {
            (Some(qr), ..) => finishing(qr, at, now),
            // A recoverable ending: Evolution tries again, which says nothing new.
            (None, Some(_), Some((_, standing))) => standing,
            (None, Some(_), None) => self.while_open(self.first_connecting_since_open(), now),
            (None, None, _) => (Status::Connecting, None),
        }
    }

    /// Open, and since `dropped` silently trying to be so again.
    fn while_open(&self, dropped: Option<Millis>, now: Millis) -> Standing {
        if dropped.is_some_and(|at| now >= at + SILENT_FOR) {
            (Status::Reconnecting, Some(reason::CONNECTION_LOST))
        } else if self.is_fought_over(now) {
            (Status::Conflict, Some(reason::OPENED_ELSEWHERE))
        } else if self.opened_often(FLAPPING, now) {
            (Status::Flapping, None)
        } else {
            (Status::Connected, dropped.map(|_| reason::RECONNECTING_SILENTLY))
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.is_removed() && self.newest().is_some_and(|(_, sign)| sign == Sign::Opened)
    }

    pub(super) fn opened_after(&self, at: Millis) -> bool {
        self.opened() > Some(at)
    }

    pub(super) fn last_opened(&self) -> Option<Millis> {
        self.opened()
    }

    pub(super) fn last_connecting(&self) -> Option<Millis> {
        self.connecting.first().filter(|at| self.lives(*at))
    }

    /// The session has ended, and the webhooks that say how are still to come.
    pub(super) fn is_unexplained(&self, now: Millis) -> bool {
        let Some((ended, Sign::Ended)) = self.newest() else { return false };
        now < ended + CODE_FOLLOWS && !self.is_removed() && self.is_wiped_by(ended) && self.code_of(ended).is_none()
    }

    /// What was known before an ending that nothing explains yet.
    pub(super) fn before_unexplained(&self) -> Self {
        let ended = self.code.as_ref().map(|code| code.at);
        Self { ended, wiped: self.wiped.filter(|wiped| Some(*wiped) <= ended), ..self.clone() }
    }

    /// A final ending whose `logout.instance` has not come. It counts beyond a removal, since the wipe goes by name.
    pub(super) fn unwiped_ending(&self) -> Option<Millis> {
        let ended = self.ended?;
        let code = self.code.as_ref().filter(|code| code.at + SAME_ENDING >= ended).map(|code| code.value);
        let (status, _) = endings::standing(code, None, false);
        let is_wiped = self.wiped.is_some_and(|wiped| wiped + SAME_ENDING >= ended);
        (endings::is_final(status) && !is_wiped).then_some(ended)
    }

    fn ending_since_open(&self) -> Option<(Millis, Standing)> {
        let ended = self.ended.filter(|ended| self.lives(*ended) && Some(*ended) >= self.opened())?;
        Some((ended, self.ending(ended)))
    }

    fn ending(&self, ended: Millis) -> Standing {
        let code = self.code_of(ended);
        let cause = self.cause.as_ref().filter(|cause| self.is_of(ended, cause.at)).map(|cause| cause.value);
        if code == Some(RESTART_REQUIRED) && self.qr().is_some_and(|qr| ended < qr.at + QR_PERIOD) {
            return (Status::Finishing, None);
        }
        endings::standing(code, cause, self.is_wiped_by(ended))
    }

    /// Whether what was told at that instant is about this ending.
    fn is_of(&self, ended: Millis, at: Millis) -> bool {
        at + SAME_ENDING >= ended && Some(at) >= self.opened()
    }

    fn code_of(&self, ended: Millis) -> Option<u16> {
        self.code.as_ref().filter(|code| self.is_of(ended, code.at)).map(|code| code.value)
    }

    fn is_wiped_by(&self, ended: Millis) -> bool {
        self.wiped.is_some_and(|at| self.is_of(ended, at))
    }

    /// The newest sign of this life.
    fn newest(&self) -> Option<(Millis, Sign)> {
        [
            (self.created, Sign::Created),
            (self.connecting.first(), Sign::Connecting),
            (self.qr().map(|qr| qr.at), Sign::Qr),
            (self.opened(), Sign::Opened),
            (self.qr_limit, Sign::QrLimit),
            (self.ended, Sign::Ended),
        ]
        .into_iter()
        .filter_map(|(at, sign)| Some((at?, sign)))
        .filter(|(at, _)| self.lives(*at))
        .max()
    }

    /// Removed, and no sign of life since. An ending is none: `status.instance` and `logout.instance` of a removed
    /// instance may be emitted 20 ms after `remove.instance` (CONTRACT §5.11).
    pub(super) fn is_removed(&self) -> bool {
        let signs = [self.created, self.connecting.first(), self.qr.as_ref().map(|qr| qr.at), self.opened.first()];
        self.removed.is_some() && !signs.into_iter().flatten().any(|at| self.lives(at))
    }

    /// Whether something of that instant belongs to the present life.
    fn lives(&self, at: Millis) -> bool {
        Some(at) >= self.created && Some(at) > self.removed
    }

    fn opened(&self) -> Option<Millis> {
        self.opened.first().filter(|at| self.lives(*at))
    }

    /// The newest code, unless an `open` made it worthless: then a newer code needs a reason, which is a drop between
    /// the two. A code without one is a leftover of the old socket.
    fn qr(&self) -> Option<&At<String>> {
        let qr = self.qr.as_ref().filter(|qr| self.lives(qr.at))?;
        let Some(opened) = self.opened() else { return Some(qr) };
        let mut drops = self.connecting.iter().chain(self.ended).chain(self.qr_limit);
        drops.any(|at| opened < at && at <= qr.at).then_some(qr)
    }

    /// Where more were heard than are kept, the oldest kept one stands for the first: then either all are within a
    /// storm, or the silent time is over anyway.
    fn first_connecting_since_open(&self) -> Option<Millis> {
        let opened = self.opened()?;
        self.connecting.iter().take_while(|at| *at > opened).last()
    }

    fn is_storm(&self) -> bool {
        let (count, within) = STORM;
        let (Some(newest), Some(oldest)) = (self.connecting.first(), self.connecting.nth(count)) else { return false };
        let between = [self.opened(), self.qr().map(|qr| qr.at), self.ended, self.qr_limit].into_iter().flatten().max();
        oldest + within >= newest && self.lives(oldest) && Some(oldest) > between
    }

    /// Two servers take the session from each other, as far as the pattern tells.
    pub(super) fn is_fought_over(&self, now: Millis) -> bool {
        self.opened_often(CONFLICT, now)
    }

    /// Counted from the end of an earlier fight on.
    fn opened_often(&self, (count, within): (usize, Duration), now: Millis) -> bool {
        let (Some(newest), Some(oldest)) = (self.opened.first(), self.opened.nth(count)) else { return false };
        oldest + within >= newest && self.lives(oldest) && Some(oldest) > self.reclaimed && now < newest + within
    }
}

/// `connecting` while a code is valid means that it was scanned; at or after its expiry, that new references are handed
/// out (CONTRACT §5.2, §5.4).
fn finishing(qr: &At<String>, connecting: Millis, now: Millis) -> Standing {
    if connecting >= qr.at + QR_PERIOD {
        (Status::WaitingQr, None)
    } else if now < connecting + FINISHING_FOR {
        (Status::Finishing, None)
    } else {
        (Status::Disconnected, Some(reason::PAIRING_TIMED_OUT))
    }
}
