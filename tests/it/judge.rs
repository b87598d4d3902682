//! The judge: reads what was sent, what was acknowledged and what every listener got, and says which promise was broken.
//!
//! It knows the published interface only (seq, epoch, recovered, the acks) and shares no code with the server, so that
//! both cannot be wrong in the same way. Feed a [`History`], then ask [`judge`] or [`assert_kept`]:
//!
//! ```ignore
//! let mut history = History::default();
//! history.tenant("ana", Some("acme"));
//! history.sent(Sent { event: "A1".into(), user: "ana".into(), trace: Trace::Named, at });
//! history.answered("A1", Answer::Stored(1), at);
//! let ana = history.listener(Channel::User("ana".into()));
//! ana.hello(Hello { epoch: "e".into(), seq: 0, recovered: false }, None, at);
//! ana.frame(Frame::read(text));
//! ana.settled(at);
//! assert_kept(&history);
//! ```

mod acks;
mod history;
mod log;
mod mutations;
mod sessions;

use std::fmt;

pub use history::{Answer, Channel, Frame, Hello, History, Listener, Sent, Session, Since, Trace};

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    /// Where it shows: a channel, with the listener and its connection when it is one listener's.
    pub place: String,
    pub detail: String,
}

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Acknowledged, or numbered, but missing where it had to be.
    Lost,
    /// One event more than once.
    Twice,
    /// The sequence is not the one sequence of the channel.
    OutOfOrder,
    /// Something on a channel where it must never be.
    Foreign,
    /// Acknowledged under a number that is, or became, something else.
    NotKept,
    /// Claimed to be complete, and was not.
    SilentLoss,
    /// Delivered though it was refused, or never sent.
    Unasked,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Lost => "lost",
            Kind::Twice => "twice",
            Kind::OutOfOrder => "out of order",
            Kind::Foreign => "foreign",
            Kind::NotKept => "acked but not kept",
            Kind::SilentLoss => "silent loss",
            Kind::Unasked => "unasked",
        };
        write!(f, "{kind}: {}: {}", self.place, self.detail)
    }
}

/// Where the rules put what they find.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, kind: Kind, place: impl fmt::Display, detail: impl Into<String>) {
        self.0.push(Fault { kind, place: place.to_string(), detail: detail.into() });
    }
}

/// Every broken promise of a history; empty when all were kept. Linear in frames and acks, apart from sorting.
pub fn judge(history: &History) -> Vec<Fault> {
    let mut faults = Faults::default();
    sessions::check(history, &mut faults);
    let log = log::Log::merge(history, &mut faults);
    log.check(history, &mut faults);
    acks::check(history, &log, &mut faults);
    faults.0
}

/// Stops the test with the first faults, if there are any.
pub fn assert_kept(history: &History) {
    const SHOWN: usize = 20;
    let faults = judge(history);
    let list: Vec<String> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), list.join("\n"));
}
