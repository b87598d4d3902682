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
    /// Per user: when each event was due.
    due: RefCell<Vec<Vec<Instant>>>,
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
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} twice, {} skipped, {} never sent", self.twice, self.skipped, self.unknown)
    }
}

/// How far one socket has come with the events of one user.
#[derive(Debug)]
pub struct Cursor {
    user: usize,
    next: usize,
}

impl Cursor {
    /// From this event on.
    pub const fn new(user: usize, next: usize) -> Self {
        Self { user, next }
    }
}

impl Ledger {
    pub fn new(users: usize) -> anyhow::Result<Self> {
        Ok(Self {
            due: RefCell::new(vec![Vec::new(); users]),
            latencies: RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3)?),
            expected: Cell::default(),
            arrived: Cell::default(),
            faults: RefCell::default(),
            moved: Notify::new(),
        })
    }

    /// An event of the user goes out that was due then, to so many sockets. Its number.
    pub fn send(&self, user: usize, due: Instant, sockets: u64) -> usize {
        let sent = &mut self.due.borrow_mut()[user];
        sent.push(due);
        self.expected.set(self.expected.get() + sockets);
        sent.len() - 1
    }

    /// How many events were sent to the user.
    pub fn sent_to(&self, user: usize) -> usize {
        self.due.borrow()[user].len()
    }

    /// A socket got an event.
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
        let micros = u64::try_from(now.duration_since(due).as_micros()).unwrap_or(u64::MAX);
        self.latencies.borrow_mut().saturating_record(micros.max(1));
        self.arrived.set(self.arrived.get() + 1);
        self.moved.notify_waiters();
    }

    pub fn arrived(&self) -> u64 {
        self.arrived.get()
    }

    /// Waits until so many have arrived in all: some may still wait to be sent.
    pub async fn reach(&self, goal: u64, within: Duration) -> anyhow::Result<()> {
        let all = async {
            loop {
                let moved = self.moved.notified();
                if self.arrived.get() >= goal {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            bail!("{} of {goal} arrived; {}", self.arrived.get(), self.faults.borrow());
        }
        Ok(())
    }

    /// Waits until all that was sent has arrived, and says what is wrong where it does not or not exactly so.
    pub async fn settle(&self, within: Duration) -> anyhow::Result<()> {
        let in_time = self.reach(self.expected.get(), within).await.is_ok();
        let faults = self.faults.borrow().clone();
        if !in_time || faults != Faults::default() || self.arrived.get() != self.expected.get() {
            bail!("{} of {} arrived; {faults}", self.arrived.get(), self.expected.get());
        }
        Ok(())
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

    async fn account(events: &[(usize, usize)]) -> Result<(), String> {
        let ledger = Ledger::new(2).unwrap();
        for _ in 0..3 {
            ledger.send(1, Instant::now(), 1);
        }
        let mut cursor = Cursor::new(1, 0);
        for (user, number) in events {
            ledger.receive(&mut cursor, Event { user: *user, number: *number });
        }
        ledger.settle(Duration::from_millis(1)).await.map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn once_and_in_turn_is_right_and_all_else_is_told() {
        assert_eq!(account(&[(1, 0), (1, 1), (1, 2)]).await, Ok(()));
        let said = |wrong| format!("{wrong} twice, {} skipped, {} never sent", 0, 0);
        assert_eq!(account(&[(1, 0), (1, 1), (1, 1), (1, 2)]).await, Err(format!("3 of 3 arrived; {}", said(1))));
        assert!(account(&[(1, 0), (1, 2)]).await.unwrap_err().contains("1 skipped"));
        assert!(account(&[(1, 1), (1, 0), (1, 2)]).await.unwrap_err().contains("1 twice, 1 skipped"));
        assert!(account(&[(1, 0), (0, 1), (1, 1)]).await.unwrap_err().contains("1 never sent"));
    }
}
