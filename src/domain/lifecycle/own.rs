//! What the gateway itself did and found out, beside what Evolution's webhooks tell: its own memory, in the order it
//! happened here, so no fact of [`super::Facts`]. It shades how things are shown and decides nothing about them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Input, reason};
use crate::domain::command::{Kind, Note};
use crate::domain::instance::{Status, View};
use crate::domain::time::Millis;

/// Something this gateway did or found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A command was asked for.
    Began(Kind),
    /// A command has ended; the note says why it did not come about, or what it led to.
    Ended(Kind, Option<Note>),
    /// Pairing waits for an ending's `logout.instance`.
    AwaitingWipe,
    /// Pairing went on without it.
    WentOnUnwiped,
    /// An open instance was deleted, so that its `logout.instance` may still come and wipe by name.
    DeletedOpen,
    /// The owner scanned, and nothing happened.
    Scanned,
    /// A read found it open.
    FoundOpen { phone_number: Option<String>, profile_name: Option<String> },
    /// A read found no such instance.
    FoundAbsent,
    /// It is open, but its stored session is gone (CONTRACT §1.6).
    FoundWiped,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Own {
    /// Commands under way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    doing: Vec<Kind>,
    /// Why nothing has happened, or what the last command led to. What Evolution tells afterwards says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
    #[serde(skip_serializing_if = "is_false")]
    awaiting_wipe: bool,
    #[serde(skip_serializing_if = "is_false")]
    scanned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_open: Option<Millis>,
    /// Since when a pairing goes on that a late wipe may still hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    unwiped: Option<Millis>,
    #[serde(skip_serializing_if = "is_false")]
    wiped: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Longer than Evolution re-sends anything (CONTRACT §1.3): a wipe that has not come by then does not come.
pub const WIPE_HORIZON: Duration = Duration::from_mins(35);

impl Own {
    /// The memory of an instance that nothing has happened to, for this reason.
    pub fn noting(note: Note) -> Self {
        Self { note: Some(note), ..Self::default() }
    }

    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// When an open instance was deleted whose `logout.instance` has not come.
    pub(super) fn deleted_open(&self) -> Option<Millis> {
        self.deleted_open
    }

    /// Since when a pairing goes on that a late wipe may still hit; `None` once that is over.
    pub fn unwiped_since(&self, now: Millis) -> Option<Millis> {
        self.unwiped.filter(|since| now < *since + WIPE_HORIZON)
    }

    /// Its stored session is gone although it is open.
    pub fn is_wiped(&self) -> bool {
        self.wiped
    }

    /// Whatever Evolution tells now is of our own doing, or of the owner's.
    pub(super) fn is_ending(&self) -> bool {
        let by_owner = self.note.as_ref().is_some_and(|note| note.code == reason::BY_OWNER);
        by_owner || self.doing.contains(&Kind::Unlink) || self.doing.contains(&Kind::Remove)
    }

    pub(super) fn act(&mut self, act: &Act, now: Millis) {
        match act {
            // Asked again while it is under way, nothing begins.
            Act::Began(kind) if self.doing.contains(kind) => {}
            Act::Began(kind) => {
                self.doing.push(*kind);
                if *kind != Kind::Check {
                    self.note = None;
                    self.scanned = false;
                }
            }
            Act::Ended(kind, note) => {
                self.doing.retain(|doing| doing != kind);
                self.awaiting_wipe = false;
                if *kind != Kind::Check {
                    self.note.clone_from(note);
                }
            }
            Act::AwaitingWipe => self.awaiting_wipe = true,
            Act::WentOnUnwiped => {
                self.awaiting_wipe = false;
                self.unwiped = Some(now);
            }
            Act::DeletedOpen => {
                self.deleted_open = Some(now);
                self.wiped = false;
            }
            Act::Scanned => self.scanned = true,
            Act::FoundWiped => self.wiped = true,
            Act::FoundOpen { .. } | Act::FoundAbsent => {}
        }
    }

    /// A webhook came: what it says is newer than what we noted. What Evolution has left to say of an instance that the
    /// owner unlinked changes nothing about that.
    pub(super) fn hear(&mut self, input: &Input) {
        let moves_on = matches!(input, Input::Connecting | Input::Opened { .. } | Input::Qr { .. } | Input::QrLimit);
        let ends = matches!(
            input,
            Input::Created | Input::Closed { .. } | Input::Ended { .. } | Input::LoggedOut | Input::Removed
        );
        let unlinked = self.note.as_ref().is_some_and(|note| note.code == reason::BY_OWNER);
        if moves_on || (ends && !unlinked) {
            self.note = None;
        }
        match input {
            Input::Opened { .. } | Input::QrLimit | Input::Removed => self.scanned = false,
            Input::LoggedOut => self.deleted_open = None,
            Input::Ended { .. } | Input::Closed { .. } => {
                self.scanned = false;
                self.wiped = false;
            }
            _ => {}
        }
    }

    /// What the facts show, as it looks with what we know ourselves.
    pub(super) fn shade(&self, view: &mut View) {
        if let Some((status, reason)) = self.shaded(view.status, view.reason.is_some()) {
            view.status = status;
            view.reason = reason.map(str::to_owned);
        }
    }

    fn shaded(&self, status: Status, has_reason: bool) -> Option<(Status, Option<&str>)> {
        let doing = |kind| self.doing.contains(&kind);
        let idle = matches!(status, Status::Disconnected | Status::LoggedOut | Status::Failed);
        let waiting = self.awaiting_wipe.then_some(reason::WAITING_FOR_WIPE);
        match status {
            // What ends now was not ended on the phone.
            _ if doing(Kind::Remove) => Some((ended_by_us(status), Some(reason::REMOVING))),
            _ if doing(Kind::Unlink) => Some((ended_by_us(status), Some(reason::UNLINKING))),
            Status::WaitingQr | Status::Finishing | Status::Connecting if self.scanned => {
                Some((Status::ActionRequired, Some(reason::PASSKEY)))
            }
            _ if idle && (doing(Kind::Connect) || doing(Kind::Reconnect)) => Some((Status::Connecting, waiting)),
            Status::Connecting if waiting.is_some() => Some((status, waiting)),
            Status::Connected | Status::Flapping if self.wiped => Some((status, Some(reason::SESSION_WIPED))),
            _ => match self.note.as_ref()?.code.as_str() {
                reason::BY_OWNER if idle => Some((Status::Disconnected, Some(reason::BY_OWNER))),
                reason::BY_OWNER => None,
                _ if status == Status::Connected && has_reason => None,
                code => Some((status, Some(code))),
            },
        }
    }
}

const fn ended_by_us(status: Status) -> Status {
    match status {
        Status::LoggedOut => Status::Disconnected,
        other => other,
    }
}
