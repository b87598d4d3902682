//! Every event is accounted for: at each socket that listens to its user it arrives once and in its turn.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::bail;
use hdrhistogram::Histogram;
use tokio::sync::Notify;

use crate::event::Event;

/// What was sent, and what came of it.
#[derive(Debug)]
pub struct Ledger {
    /// Per user: when each marked event was due.
    due: RefCell<Vec<Vec<Instant>>>,
    /// Events that were sent, marked or not.
    sent: Cell<u64>,
    /// Microseconds from when an event was due to when a socket had it.
    latencies: RefCell<Histogram<u64>>,
    expected: Cell<u64>,
    arrived: Cell<u64>,
    faults: RefCell<Faults>,
    moved: Notify,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Faults {
    twice: u64,
    skipped: u64,
    unknown: u64,
    not_dense: u64,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { twice, skipped, unknown, not_dense } = self;
        write!(f, "{twice} twice, {skipped} skipped, {unknown} never sent, {not_dense} numbers out of sequence")
    }
}

/// Not everything was done in time, and nothing that was done was wrong: more was asked of the server than it can do.
#[derive(Debug)]
pub struct Collapsed {
    /// `sent` or `arrived`.
    pub what: &'static str,
    pub done: u64,
    pub wanted: u64,
}

impl fmt::Display for Collapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {} in time", self.done, self.wanted, self.what)
    }
}

impl std::error::Error for Collapsed {}

/// How far one socket has come with the marked events of one user.
#[derive(Debug)]
pub struct Cursor {
    user: usize,
    next: usize,
    opened: Instant,
}

impl Cursor {
    /// A socket opened now, from this event on. What was due before is recovered there: it has to arrive as all else
    /// does, but how late it is says nothing.
    pub fn new(user: usize, next: usize) -> Self {
        Self { user, next, opened: Instant::now() }
    }
}

impl Ledger {
    pub fn new(users: usize) -> anyhow::Result<Self> {
        Ok(Self {
            due: RefCell::new(vec![Vec::new(); users]),
            sent: Cell::default(),
            latencies: RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3)?),
            expected: Cell::default(),
            arrived: Cell::default(),
            faults: RefCell::default(),
            moved: Notify::new(),
        })
    }

    /// A marked event of the user that was due then is expected at so many sockets. Its number.
    pub fn expect(&self, user: usize, due: Instant, sockets: u64) -> usize {
        let marked = &mut self.due.borrow_mut()[user];
        marked.push(due);
        self.expected.set(self.expected.get() + sockets);
        marked.len() - 1
    }

    /// An event goes out.
    pub fn send(&self) {
        self.sent.set(self.sent.get() + 1);
        self.moved.notify_waiters();
    }

    /// How many events were sent.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// How many marked events were sent to the user.
    pub fn sent_to(&self, user: usize) -> usize {
        self.due.borrow()[user].len()
    }

    /// A socket got a marked event.
    pub fn receive(&self, cursor: &mut Cursor, event: Event) {
        let now = Instant::now();
        let mut faults = self.faults.borrow_mut();
        let due = self.due.borrow().get(event.user).and_then(|sent| sent.get(event.number).copied());
        let Some(due) = due.filter(|_| event.user == cursor.user) else {
            faults.unknown += 1;
            return;
        };
        if event.number < cursor.next {
            faults.twice += 1;
            return;
        }
        faults.skipped += (event.number - cursor.next) as u64;
        cursor.next = event.number + 1;
        if due >= cursor.opened {
            let micros = u64::try_from(now.duration_since(due).as_micros()).unwrap_or(u64::MAX);
            self.latencies.borrow_mut().saturating_record(micros.max(1));
        }
        self.arrived.set(self.arrived.get() + 1);
        self.moved.notify_waiters();
    }

    /// A socket got a frame whose number does not follow the last one.
    pub fn break_sequence(&self) {
        self.faults.borrow_mut().not_dense += 1;
    }

    /// Waits until so many events were sent in all.
    ///
    /// # Errors
    /// [`Collapsed`] when that takes longer.
    pub async fn all_sent(&self, goal: u64, within: Duration) -> Result<(), Collapsed> {
        let in_time = self.reach(|| self.sent.get() >= goal, within).await;
        in_time.then_some(()).ok_or(Collapsed { what: "sent", done: self.sent.get(), wanted: goal })
    }

    /// Waits until all that was sent has arrived, and says what is wrong where it does not or not exactly so.
    ///
    /// # Errors
    /// [`Collapsed`] when that takes longer and all else is right.
    pub async fn settle(&self, within: Duration) -> anyhow::Result<()> {
        let in_time = self.reach(|| self.arrived.get() >= self.expected.get(), within).await;
        let (arrived, expected, faults) = (self.arrived.get(), self.expected.get(), self.faults.borrow().clone());
        if faults != Faults::default() || arrived > expected {
            bail!("{arrived} of {expected} arrived; {faults}");
        }
        if !in_time {
            bail!(Collapsed { what: "arrived", done: arrived, wanted: expected });
        }
        Ok(())
    }

    async fn reach(&self, is_there: impl Fn() -> bool, within: Duration) -> bool {
        let all = async {
            loop {
                let moved = self.moved.notified();
                if is_there() {
                    return;
                }
                moved.await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    /// Latencies so far, which then begin anew.
    pub fn take_latencies(&self) -> Histogram<u64> {
        let mut latencies = self.latencies.borrow_mut();
        let taken = latencies.clone();
        latencies.reset();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(1);

    fn ledger_of_three() -> Ledger {
        let ledger = Ledger::new(2).unwrap();
        for _ in 0..3 {
            ledger.expect(1, Instant::now(), 1);
            ledger.send();
        }
        ledger
    }

    async fn account(events: &[(usize, usize)]) -> anyhow::Result<()> {
        let (ledger, mut cursor) = (ledger_of_three(), Cursor::new(1, 0));
        for (user, number) in events {
            ledger.receive(&mut cursor, Event { user: *user, number: *number });
        }
        ledger.settle(AT_ONCE).await
    }

    #[tokio::test]
    async fn once_and_in_turn_is_right_and_all_else_is_told() {
        account(&[(1, 0), (1, 1), (1, 2)]).await.unwrap();
        for (events, fault) in [
            (&[(1, 0), (1, 1), (1, 1), (1, 2)][..], "3 of 3 arrived; 1 twice"),
            (&[(1, 0), (1, 2)], "1 skipped"),
            (&[(1, 1), (1, 0), (1, 2)], "1 twice, 1 skipped"),
            (&[(1, 0), (0, 1), (1, 1)], "1 never sent"),
        ] {
            let said = account(events).await.unwrap_err();
            assert!(said.to_string().contains(fault) && !said.is::<Collapsed>(), "{said}");
        }
    }

    #[tokio::test]
    async fn what_is_merely_late_is_a_collapse_and_a_broken_sequence_is_not() {
        let late = account(&[(1, 0), (1, 1)]).await.unwrap_err();
        assert_eq!(late.downcast::<Collapsed>().unwrap().to_string(), "2 of 3 arrived in time");

        let ledger = ledger_of_three();
        ledger.break_sequence();
        let said = ledger.settle(AT_ONCE).await.unwrap_err();
        assert!(said.to_string().contains("1 numbers out of sequence") && !said.is::<Collapsed>());
    }

    #[tokio::test]
    async fn what_is_recovered_arrives_without_a_latency() {
        let (ledger, mut cursor) = (ledger_of_three(), Cursor::new(1, 0));
        ledger.expect(1, Instant::now(), 1);

        for number in 0..4 {
            ledger.receive(&mut cursor, Event { user: 1, number });
        }

        ledger.settle(AT_ONCE).await.unwrap();
        assert_eq!(ledger.take_latencies().len(), 1);
        ledger.all_sent(3, AT_ONCE).await.unwrap();
        assert_eq!(ledger.all_sent(4, AT_ONCE).await.unwrap_err().to_string(), "3 of 4 sent in time");
    }
}
