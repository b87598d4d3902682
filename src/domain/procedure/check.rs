//! Reading how an instance stands at Evolution: after adopting it, after an ending that could not be stored, and when a
//! late wipe may have hit the session that is open now (CONTRACT §1.6).

use std::time::Duration;

use super::{Call, End, Heard, Next, Order, Reply, Sight, put_off};
use crate::domain::command::Note;
use crate::domain::evolution::{Connection, Failure};
use crate::domain::lifecycle::{Act, reason};

#[derive(Debug)]
pub struct Check {
    order: Order,
    stage: Stage,
    /// Looks that found it open with a row that says otherwise.
    wiped: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Webhook,
    Looking,
    Reading,
    Resting,
    Telling,
}

/// Row `close` with state `open` counts when it is read twice.
const LOOKS: u8 = 2;
const LOOKS_APART: Duration = Duration::from_secs(3);
/// When Evolution has given up whatever it still had to deliver (CONTRACT §1.3).
const DELIVERED_BY: Duration = Duration::from_mins(25);

impl Check {
    pub(super) fn new(order: Order) -> Self {
        Self { order, stage: Stage::default(), wiped: 0 }
    }

    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Next {
        match (self.stage, heard) {
            (Stage::Webhook, Heard::Reply(Ok(_))) | (Stage::Resting, Heard::Woken) => {
                self.stage = Stage::Looking;
                Next::Call(Call::Connection)
            }
            (Stage::Webhook, Heard::Begun) => Next::Call(Call::Webhook),
            (Stage::Looking, Heard::Reply(Ok(Reply::Connection(Connection::Open)))) => {
                self.stage = Stage::Reading;
                Next::Call(Call::Row)
            }
            (Stage::Webhook, Heard::Reply(Err(Failure::NoSuchInstance)))
            | (Stage::Looking, Heard::Reply(Ok(Reply::Connection(Connection::Absent)))) => self.tell(Act::FoundAbsent),
            (Stage::Looking, Heard::Reply(Ok(Reply::Connection(_)))) | (Stage::Telling, Heard::Told) => {
                Next::End(self.end(sight))
            }
            (Stage::Reading, Heard::Reply(Ok(Reply::Row(Some(row))))) if row.status == Connection::Close => {
                self.wiped += 1;
                if self.wiped >= LOOKS {
                    return self.tell(Act::FoundWiped);
                }
                self.stage = Stage::Resting;
                Next::Wait(sight.now + LOOKS_APART)
            }
            (Stage::Reading, Heard::Reply(Ok(Reply::Row(row)))) => {
                let (phone_number, profile_name) = row.map_or((None, None), |row| (row.phone_number, row.profile_name));
                self.tell(Act::FoundOpen { phone_number, profile_name })
            }
            (_, Heard::Reply(Err(failure))) => Next::End(put_off(&self.order, &failure, sight.now)),
            _ => Next::End(End::Unconfirmed(Note::new(reason::UNCONFIRMED))),
        }
    }

    fn tell(&mut self, act: Act) -> Next {
        self.stage = Stage::Telling;
        Next::Tell(act)
    }

    /// A pairing that went on although a wipe was due is looked at again when that can't come any more.
    fn end(&self, sight: &Sight<'_>) -> End {
        let again = sight.state.own.unwiped_since(sight.now).map(|since| since + DELIVERED_BY);
        match again.filter(|at| *at > sight.now && self.wiped == 0) {
            Some(at) => End::Later(at, None),
            None => End::Confirmed(None),
        }
    }
}
