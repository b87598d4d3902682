//! "Desvincular": the phone forgets this device, the instance stays. From 2.3.7 on by Evolution's own logout; below it
//! that kills incoming messages, so the instance is deleted and created again (DESIGN "Commands lie").

use std::time::Duration;

use super::recreation::Recreation;
use super::{Call, End, Heard, Next, Order, Reply, Sight, Step, put_off};
use crate::domain::command::Note;
use crate::domain::evolution::{Connection, Failure, Version};
use crate::domain::lifecycle::{Act, reason};
use crate::domain::time::Millis;

#[derive(Debug)]
pub struct Unlink {
    order: Order,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Versions,
    /// Whether there is anything to unlink; `true` when a logout may do it.
    Looking(bool),
    LoggingOut,
    /// Since the logout was accepted.
    Confirming(Millis),
    Recreating(Recreation),
    TellingAbsence,
}

/// How long a logout may take to show.
const LOGOUT_SHOWS_IN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Unlink {
    pub(super) fn new(order: Order) -> Self {
        Self { order, stage: Stage::Versions }
    }

    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Next {
        match (&mut self.stage, heard) {
            (Stage::Versions, Heard::Reply(told)) => {
                // A server that doesn't tell its version gets what works on all of them.
                let safe = matches!(told, Ok(Reply::Version(version)) if version >= Version::SAFE_LOGOUT);
                self.stage = Stage::Looking(safe);
                Next::Call(Call::Connection)
            }
            (Stage::Versions, _) => Next::Call(Call::Version),
            (Stage::Looking(_), Heard::Reply(Ok(Reply::Connection(Connection::Absent)))) => {
                self.stage = Stage::TellingAbsence;
                Next::Tell(Act::FoundAbsent)
            }
            (Stage::Looking(true), Heard::Reply(Ok(Reply::Connection(Connection::Open | Connection::Connecting)))) => {
                self.stage = Stage::LoggingOut;
                Next::Call(Call::Logout)
            }
            (Stage::Looking(_), Heard::Reply(Ok(Reply::Connection(_)))) => self.recreate(sight),
            (Stage::LoggingOut, Heard::Reply(outcome)) => match outcome {
                Err(failure) if !failure.may_have_worked() && !matches!(failure, Failure::NotConnected) => {
                    self.failed(&failure, sight)
                }
                _ => self.confirm(sight.now, sight),
            },
            (Stage::Confirming(since), Heard::Reply(Ok(Reply::Connection(found)))) => {
                let since = *since;
                match found {
                    Connection::Close | Connection::Absent => unlinked(),
                    _ if sight.now >= since + LOGOUT_SHOWS_IN => self.recreate(sight),
                    _ => Next::Wait(sight.now + LOOK_EVERY),
                }
            }
            (Stage::Confirming(_), Heard::Woken) => Next::Call(Call::Connection),
            (Stage::Recreating(recreation), heard) => match recreation.next(heard, sight) {
                Step::Next(next) => next,
                Step::Done(()) => unlinked(),
                Step::Failed(failure) => self.failed(&failure, sight),
            },
            (Stage::TellingAbsence, Heard::Told) => unlinked(),
            (_, Heard::Reply(Err(failure))) => self.failed(&failure, sight),
            (_, _) => self.failed(&Failure::NotEvolution("an answer came out of turn"), sight),
        }
    }

    fn confirm(&mut self, since: Millis, sight: &Sight<'_>) -> Next {
        self.stage = Stage::Confirming(since);
        Next::Wait(sight.now + LOOK_EVERY / 4)
    }

    fn recreate(&mut self, sight: &Sight<'_>) -> Next {
        self.stage = Stage::Recreating(Recreation::default());
        self.next(Heard::Begun, sight)
    }

    fn failed(&self, failure: &Failure, sight: &Sight<'_>) -> Next {
        Next::End(put_off(&self.order, failure, sight.now))
    }
}

fn unlinked() -> Next {
    Next::End(End::Confirmed(Some(Note::new(reason::BY_OWNER))))
}
