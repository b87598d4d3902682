//! The life of an instance as one pure function (DESIGN "The life of an instance").
//!
//! Evolution's webhooks come late, twice and in any order, so nothing here depends on arrival: what is learnt goes into
//! [`Facts`], of which any order makes the same, and where the connection stands is read off them for one moment.
//! The ingest writer calls [`step`] inside the transaction that stores the event. How the state of things is said to
//! people is `domain/words.rs`.

mod endings;
mod facts;
mod own;
mod standing;
mod storm;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub use facts::Facts;
pub use own::{Act, Own};
pub use standing::reason;
pub use storm::Storm;

use super::command::Kind;
use super::emission::EvolutionClock;
use super::instance::{Status, View};
use super::time::Millis;

/// How long a QR code can be scanned after it was emitted: Evolution's `qrTimeout` (CONTRACT §5.4).
pub const QR_PERIOD: Duration = Duration::from_secs(45);

/// Everything remembered of an instance's connection; kept as JSON in its row. Only `facts` say where it stands; the
/// rest is this gateway's own memory of what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct State {
    pub facts: Facts,
    /// Into which log row repeats of `connecting` are counted. Kept by the writer.
    pub storm: Storm,
    /// Evolution's clock as this instance's unproven events show it; see [`super::emission::settle`]. Kept by the writer.
    pub clock: EvolutionClock,
    /// What the last step showed. Where it differs after a step whose event makes no status frame of its own (a tick,
    /// a folded repeat), the change wants a `zapgate.status`. `None` also where a newer version wrote a status that this
    /// one does not know.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known_or_none")]
    pub seen: Option<Seen>,
    /// How the last step left things by the facts alone, without what this gateway does: people are told of a change.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known_or_none")]
    pub stood: Option<Seen>,
    /// What this gateway did and found out itself.
    pub own: Own,
}

/// The part of a [`View`] that can change by time alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub status: Status,
    pub reason: Option<String>,
}

impl Seen {
    fn of(view: View) -> Self {
        Self { status: view.status, reason: view.reason }
    }
}

fn known_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seen>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Something that happened to an instance.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// `instance.create`.
    Created,
    /// `connection.update` with `connecting`.
    Connecting,
    /// `connection.update` with `open` (or with `wuid`, CONTRACT §3.1).
    Opened { phone_number: Option<String>, profile_name: Option<String> },
    /// `qrcode.updated` with a code, told from others by its hash. It expires [`QR_PERIOD`] after its emission.
    Qr { hash: String },
    /// `qrcode.updated` without a code, or state `refused`: Evolution stopped making codes.
    QrLimit,
    /// `connection.update` with `close`.
    Closed { code: Option<u16> },
    /// `status.instance`: how the session ended, and by whom.
    Ended { code: Option<u16>, cause: Option<Cause> },
    /// `logout.instance`: the session's keys are wiped.
    LoggedOut,
    /// `remove.instance` and `instance.delete`.
    Removed,
    /// Time passed.
    Tick,
    /// This gateway did or found out something.
    Own(Act),
}

/// Names no number and no person.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("Created"),
            Self::Connecting => f.write_str("Connecting"),
            Self::Opened { .. } => f.write_str("Opened"),
            Self::Qr { hash } => f.debug_struct("Qr").field("hash", hash).finish(),
            Self::QrLimit => f.write_str("QrLimit"),
            Self::Closed { code } => f.debug_struct("Closed").field("code", code).finish(),
            Self::Ended { code, cause } => f.debug_struct("Ended").field("code", code).field("cause", cause).finish(),
            Self::LoggedOut => f.write_str("LoggedOut"),
            Self::Removed => f.write_str("Removed"),
            Self::Tick => f.write_str("Tick"),
            Self::Own(Act::FoundOpen { .. }) => f.write_str("Own(FoundOpen)"),
            Self::Own(act) => f.debug_tuple("Own").field(act).finish(),
        }
    }
}

/// Who ended a session with 401 (CONTRACT §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    DeviceRemoved,
    LoggedOutByApi,
}

/// What must follow from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Append this notification to the log.
    Notify(Notice),
    /// Feed [`Input::Tick`] at this time, always later than the step; replaces an earlier one. A step without it needs
    /// no tick.
    WakeAt(Millis),
    /// Ask for this command, after so long.
    Order(Kind, Duration),
}

/// A notification's published code (INTERFACE §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Connected,
    Reconnected,
    LoggedOut,
    Conflict,
    Restricted,
    QrLimit,
    /// The owner has to do something on the phone.
    ActionRequired,
    /// It works, but only until the next reconnect: its stored session is gone (CONTRACT §1.6).
    Wiped,
}

/// After a late `logout.instance` Evolution needs this long to wipe; and a row read too early says nothing.
const WIPE_TAKES: Duration = Duration::from_secs(2);

/// The one transition function. `emitted` is when the input happened at Evolution, `now` when we learnt of it.
/// Any order and any repetition of the same webhooks ends in the same facts.
pub fn step(state: &State, input: &Input, emitted: Millis, now: Millis) -> (State, Vec<Action>) {
    let mut next = state.clone();
    next.facts.learn(input, emitted);
    match input {
        // Only a pairing can be stuck.
        Input::Own(Act::Scanned) if !state.is_pairing(now) => {}
        Input::Own(act) => {
            next.facts.find(act, now);
            next.own.act(act, now);
        }
        Input::Tick => {}
        webhook => next.own.hear(webhook),
    }
    let stands = next.stands(now);
    let notice = match input {
        Input::Own(Act::FoundWiped) if !state.own.is_wiped() => Some(Notice::Wiped),
        Input::Own(Act::Scanned) if state.own != next.own => Some(Notice::ActionRequired),
        _ if next.own.is_ending() || next.facts.is_unexplained(now) => None,
        _ => notice(state.facts.is_linked(), &state.last_stood(now), &stands),
    };
    let order = next.looks_closer(input, emitted, now).then_some(Action::Order(Kind::Check, WIPE_TAKES));
    let wake = next.facts.changes_after(now).map(Action::WakeAt);
    next.stood = Some(stands);
    next.seen = Some(Seen::of(next.view(now)));
    (next, notice.map(Action::Notify).into_iter().chain(order).chain(wake).collect())
}

impl State {
    /// What the outside sees at `now`.
    pub fn view(&self, now: Millis) -> View {
        let mut view = self.facts.view(now);
        self.own.shade(&mut view);
        view
    }

    /// The hash of the code that belongs on the screen, and when it expires; `None` once anything newer is known.
    pub fn shown_qr(&self) -> Option<(&str, Millis)> {
        self.facts.shown_qr()
    }

    /// What was shown last; of a new instance, what its creation showed.
    pub fn last_seen(&self, now: Millis) -> Seen {
        self.seen.clone().unwrap_or_else(|| Seen::of(self.view(now)))
    }

    /// By the facts alone, as people can be told of it.
    fn stands(&self, now: Millis) -> Seen {
        let facts = &self.facts;
        Seen::of(if facts.is_unexplained(now) { facts.before_unexplained().view(now) } else { facts.view(now) })
    }

    fn last_stood(&self, now: Millis) -> Seen {
        self.stood.clone().unwrap_or_else(|| self.stands(now))
    }

    /// Until when a new pairing should wait for the `logout.instance` of an earlier ending: answered late, it would wipe
    /// the new session (CONTRACT §1.6). `None` when none is due.
    pub fn wipe_awaited(&self, now: Millis) -> Option<Millis> {
        let since = self.facts.unwiped_ending().max(self.own.deleted_open())?;
        (now < since + own::WIPE_HORIZON).then(|| since + WIPE_PATIENCE)
    }

    fn is_pairing(&self, now: Millis) -> bool {
        matches!(self.facts.view(now).status, Status::WaitingQr | Status::Finishing | Status::Connecting)
    }

    /// Whether a phone is linked as far as is known, so that Evolution reconnects by itself.
    pub fn is_linked(&self) -> bool {
        self.facts.is_linked()
    }

    /// Whether `open` is the newest that was heard.
    pub fn is_open(&self) -> bool {
        self.facts.is_open()
    }

    pub fn last_opened(&self) -> Option<Millis> {
        self.facts.last_opened()
    }

    /// When Evolution was last heard trying to connect.
    pub fn last_connecting(&self) -> Option<Millis> {
        self.facts.last_connecting()
    }

    /// Removed at Evolution, as far as is known.
    pub fn is_removed(&self) -> bool {
        self.facts.is_removed()
    }

    /// A wipe may have hit the session that is open now: an ending was told late, or pairing did not wait for it.
    fn looks_closer(&self, input: &Input, emitted: Millis, now: Millis) -> bool {
        match input {
            Input::LoggedOut => self.facts.is_open() && self.facts.opened_after(emitted),
            Input::Opened { .. } => self.own.unwiped_since(now).is_some(),
            _ => false,
        }
    }
}

/// How long a pairing waits for an ending's `logout.instance`, counted from the ending.
const WIPE_PATIENCE: Duration = Duration::from_secs(30);

/// People are told of a change of status, not of a reason, and not of what mends itself in seconds. `linked` says whether
/// a phone was linked before.
fn notice(linked: bool, before: &Seen, after: &Seen) -> Option<Notice> {
    use Status::{Conflict, Connected, Disconnected, Failed, Flapping, LoggedOut, Reconnecting, Restricted, WaitingQr};

    let limit = Some(reason::QR_LIMIT);
    if after.status == Disconnected && after.reason.as_deref() == limit && before.reason.as_deref() != limit {
        return Some(Notice::QrLimit);
    }
    if before.status == after.status {
        return None;
    }
    match (before.status, after.status) {
        (Reconnecting | Flapping | Conflict | Failed, Connected) if linked => Some(Notice::Reconnected),
        (_, Connected) => Some(Notice::Connected),
        // A linked phone that needs a code was unlinked without a word: the late wipe of CONTRACT §1.6.
        (Connected | Reconnecting | Flapping | Conflict, WaitingQr) if linked => Some(Notice::LoggedOut),
        (_, LoggedOut) => Some(Notice::LoggedOut),
        (_, Conflict) => Some(Notice::Conflict),
        (_, Restricted) => Some(Notice::Restricted),
        _ => None,
    }
}
