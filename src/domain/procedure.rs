//! How a command is carried out at Evolution, as pure decisions: what was heard last and what is known go in, the next
//! call comes out. No I/O and no clock; `services/supervisor` makes the calls. Every procedure begins by looking, so that
//! one that a crash cut off is begun again without harm.

mod check;
mod connect;
mod creation;
mod deletion;
mod recreation;
#[cfg(test)]
mod tests;
mod unlink;

use std::time::Duration;

use self::check::Check;
use self::connect::Connect;
use self::deletion::Deletion;
use self::unlink::Unlink;
use super::command::{Kind, Note};
use super::evolution::{Blame, ConnectAnswer, Connection, Failure, Version};
use super::lifecycle::{Act, State, reason};
use super::time::Millis;

/// What is known when a decision is due.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    pub state: &'a State,
    pub now: Millis,
    /// How long no `connecting` may have come before we act (`RECONNECT_QUIET_MS`).
    pub quiet: Duration,
}

/// A command as it is begun.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub kind: Kind,
    /// A pairing code is wanted for the number that the command names.
    pub by_number: bool,
    pub asked_at: Millis,
    /// How often it was begun before.
    pub attempts: u32,
}

/// A call to Evolution; of the instance, with the number and token that whoever makes it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Version,
    Connection,
    /// Reads the row, and remembers its token for a later [`Call::Create`].
    Row,
    Create,
    Connect,
    /// Sets the webhook right, unless it is.
    Webhook,
    Logout,
    Delete,
}

/// What a call brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Create, webhook, logout and delete were accepted: no proof that they have happened.
    Done,
    Version(Version),
    Connection(Connection),
    Row(Option<RowSight>),
    Connect(ConnectAnswer),
}

/// The part of a row that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSight {
    pub status: Connection,
    pub phone_number: Option<String>,
    pub profile_name: Option<String>,
}

/// What has happened since the last decision.
#[derive(Debug)]
pub enum Heard {
    Begun,
    Reply(Result<Reply, Failure>),
    /// The time is up, or something about the instance was stored.
    Woken,
    /// What was to be told is stored.
    Told,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Call(Call),
    /// Store this.
    Tell(Act),
    /// Wait until then, or until something about the instance is stored.
    Wait(Millis),
    End(End),
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With what it led to, if that is worth saying.
    Confirmed(Option<Note>),
    /// The instance is gone at Evolution, and goes here too.
    Removed,
    Unconfirmed(Note),
    /// Not yet: to be begun again then.
    Later(Millis, Option<Note>),
}

/// A part of a procedure: goes on, is done, or failed.
enum Step<T> {
    Next(Next),
    Done(T),
    Failed(Failure),
}

/// A command under way.
#[derive(Debug)]
pub enum Procedure {
    Connect(Connect),
    Unlink(Unlink),
    Remove(Order, Deletion),
    Check(Check),
}

impl Procedure {
    pub fn of(order: Order) -> Self {
        match order.kind {
            Kind::Connect | Kind::Reconnect => Self::Connect(Connect::new(order)),
            Kind::Unlink => Self::Unlink(Unlink::new(order)),
            Kind::Remove => Self::Remove(order, Deletion::default()),
            Kind::Check => Self::Check(Check::new(order)),
        }
    }

    /// Decides what follows from what was heard.
    pub fn next(&mut self, heard: Heard, sight: &Sight<'_>) -> Next {
        match self {
            Self::Connect(connect) => connect.next(heard, sight),
            Self::Unlink(unlink) => unlink.next(heard, sight),
            Self::Remove(order, deletion) => match deletion.next(heard, sight) {
                Step::Next(next) => next,
                Step::Done(()) => Next::End(End::Removed),
                Step::Failed(failure) => Next::End(put_off(order, &failure, sight.now)),
            },
            Self::Check(check) => check.next(heard, sight),
        }
    }
}

/// What a failure means to people: whose matter it is, and what an operator can do.
pub fn note_of(failure: &Failure) -> Note {
    let code = match failure.blame() {
        Blame::Outage => reason::EVOLUTION_UNREACHABLE,
        Blame::Configuration | Blame::Request => reason::EVOLUTION_REFUSED,
    };
    Note::new(code).with_advice(failure.advice().unwrap_or_else(|| format!("{failure}.")))
}

/// What must be done in the end is tried again through an outage, this long.
const PERSISTS_FOR: Duration = Duration::from_hours(1);
/// Between two tries: doubled from the first to the last of these.
const TRIES_APART: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(5));

/// A command that nobody waits for goes through an outage; everything else ends it. One that was not even tried, since
/// the breaker is open, has its turn as soon as that lets somebody through: it must not wait ever longer for what was
/// no failure of its own.
fn put_off(order: &Order, failure: &Failure, now: Millis) -> End {
    let persists = failure.blame() == Blame::Outage && now < order.asked_at + PERSISTS_FOR;
    if !persists {
        return End::Unconfirmed(note_of(failure));
    }
    let due = match failure {
        Failure::BreakerOpen { until } => *until,
        _ => now + apart(order.attempts),
    };
    End::Later(due, Some(note_of(failure)))
}

fn apart(attempts: u32) -> Duration {
    let (first, last) = TRIES_APART;
    (first * 2_u32.saturating_pow(attempts.min(8))).min(last)
}

/// A reply of a kind that was not asked for.
fn out_of_turn<T>() -> Step<T> {
    Step::Failed(Failure::NotEvolution("an answer came out of turn"))
}
