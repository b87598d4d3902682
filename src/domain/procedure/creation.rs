//! Creating an instance at Evolution, exactly once: an answer that got lost is looked for twice before it is repeated,
//! since a second `create` of a name would remove the first one's instance (CONTRACT §6.3).

use std::time::Duration;

use super::{Call, Heard, Next, Reply, Sight, Step, out_of_turn};
use crate::domain::evolution::{Connection, Failure};

#[derive(Debug, Default)]
pub struct Creation {
    stage: Stage,
    sent: u8,
    /// Reads without a trace of it since it was last sent.
    looks: u8,
    refusals: u8,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Sending,
    /// Before the next look.
    Resting,
    Looking,
    /// The name is not free yet.
    Queuing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// By this procedure, with our webhook inside.
    New,
    /// It was there.
    Existing,
}

/// Before the first and the second look for a create whose answer was lost.
const LOOK_AFTER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];
/// How often it is sent at the most.
const SENDS: u8 = 2;
/// A deleted name is taken for some ten milliseconds more (CONTRACT §5.11).
const QUEUE: (u8, Duration) = (20, Duration::from_millis(500));

impl Creation {
    /// One that may have been sent before, by a process that is gone.
    pub(super) fn resumed() -> Self {
        Self { stage: Stage::Resting, sent: 1, ..Self::default() }
    }

    pub(super) fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Step<Created> {
        match (&self.stage, heard) {
            (Stage::Sending, Heard::Begun | Heard::Told | Heard::Woken) => self.send(),
            (Stage::Sending, Heard::Reply(Ok(Reply::Done))) => Step::Done(Created::New),
            (Stage::Sending, Heard::Reply(Err(Failure::NameInUse))) => self.taken(sight),
            (Stage::Sending, Heard::Reply(Err(failure))) if failure.may_have_worked() => self.rest(sight),
            (Stage::Resting, Heard::Begun) => self.rest(sight),
            (Stage::Queuing, Heard::Woken) | (Stage::Resting, Heard::Woken | Heard::Told) => {
                self.stage = Stage::Looking;
                Step::Next(Next::Call(Call::Connection))
            }
            (Stage::Looking, Heard::Reply(Ok(Reply::Connection(Connection::Absent)))) => self.not_there(sight),
            (Stage::Looking, Heard::Reply(Ok(Reply::Connection(_)))) => Step::Done(self.whose()),
            (_, Heard::Reply(Err(failure))) => Step::Failed(failure),
            _ => out_of_turn(),
        }
    }

    fn send(&mut self) -> Step<Created> {
        self.stage = Stage::Sending;
        self.sent += 1;
        self.looks = 0;
        Step::Next(Next::Call(Call::Create))
    }

    fn rest(&mut self, sight: &Sight<'_>) -> Step<Created> {
        self.stage = Stage::Resting;
        let pause = LOOK_AFTER[usize::from(self.looks).min(LOOK_AFTER.len() - 1)];
        Step::Next(Next::Wait(sight.now + pause))
    }

    fn not_there(&mut self, sight: &Sight<'_>) -> Step<Created> {
        if self.refusals > 0 {
            self.sent -= 1; // it was refused, so that nothing of it is on its way
            return self.send();
        }
        self.looks += 1;
        if usize::from(self.looks) < LOOK_AFTER.len() {
            return self.rest(sight);
        }
        if self.sent >= SENDS {
            return Step::Failed(Failure::NotEvolution("it accepts instances and does not make them"));
        }
        self.send()
    }

    /// Somebody has it, or it is about to go.
    fn taken(&mut self, sight: &Sight<'_>) -> Step<Created> {
        self.refusals += 1;
        let (most, pause) = QUEUE;
        if self.refusals > most {
            return Step::Failed(Failure::NameInUse);
        }
        self.stage = Stage::Queuing;
        Step::Next(Next::Wait(sight.now + pause))
    }

    fn whose(&self) -> Created {
        if self.refusals > 0 { Created::Existing } else { Created::New }
    }
}
