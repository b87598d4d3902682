//! Deleting an instance at Evolution. Its 200 says nothing: the deletion runs behind it and waits for our answer to
//! `remove.instance` (CONTRACT §5.11), so it counts when a read finds nothing, and is repeated only after one did not.

use std::time::Duration;

use super::{Call, Heard, Next, Reply, Sight, Step, out_of_turn};
use crate::domain::evolution::{Connection, Failure};
use crate::domain::lifecycle::Act;

#[derive(Debug, Default)]
pub struct Deletion {
    stage: Stage,
    was_open: bool,
    sent: u8,
    /// Reads that still found it, since it was last sent.
    looks: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Looking,
    Deleting,
    Telling,
    Resting,
    LookingAgain,
}

/// Before each look for whether it is gone.
const LOOK_AFTER: [Duration; 7] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
/// How often it is sent at the most.
const SENDS: u8 = 2;

impl Deletion {
    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Step<()> {
        use Stage::{Deleting, Looking, LookingAgain, Resting, Telling};
        match (self.stage, heard) {
            (Looking, Heard::Begun) => Step::Next(Next::Call(Call::Connection)),
            (Looking | LookingAgain, Heard::Reply(Ok(Reply::Connection(Connection::Absent)))) => Step::Done(()),
            (Looking, Heard::Reply(Ok(Reply::Connection(found)))) => {
                self.was_open = found == Connection::Open;
                self.send()
            }
            (Deleting, Heard::Reply(Ok(Reply::Done) | Err(Failure::NoSuchInstance))) if self.was_open => {
                self.stage = Telling;
                Step::Next(Next::Tell(Act::DeletedOpen))
            }
            (Deleting, Heard::Reply(Ok(Reply::Done) | Err(Failure::NoSuchInstance))) | (Telling, Heard::Told) => {
                self.rest(sight)
            }
            (Deleting, Heard::Reply(Err(failure))) if failure.may_have_worked() => self.rest(sight),
            (Resting, Heard::Woken) => {
                self.stage = LookingAgain;
                Step::Next(Next::Call(Call::Connection))
            }
            (LookingAgain, Heard::Reply(Ok(Reply::Connection(_)))) => self.still_there(sight),
            (_, Heard::Reply(Err(failure))) => Step::Failed(failure),
            _ => out_of_turn(),
        }
    }

    fn send(&mut self) -> Step<()> {
        self.stage = Stage::Deleting;
        self.sent += 1;
        self.looks = 0;
        Step::Next(Next::Call(Call::Delete))
    }

    fn rest(&mut self, sight: &Sight<'_>) -> Step<()> {
        self.stage = Stage::Resting;
        Step::Next(Next::Wait(sight.now + LOOK_AFTER[self.looks.min(LOOK_AFTER.len() - 1)]))
    }

    fn still_there(&mut self, sight: &Sight<'_>) -> Step<()> {
        self.looks += 1;
        match self.looks {
            looks if looks < LOOK_AFTER.len() => self.rest(sight),
            _ if self.sent < SENDS => self.send(),
            // It holds the deletion until `remove.instance` is answered, or given up after 20 minutes (§1.6).
            _ => Step::Failed(Failure::Down { status: 503 }),
        }
    }
}
