//! What was asked of the simulator and what it delivered, in order, for tests to look at and to wait for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::domain::time::Millis;

/// Entries of each kind that are kept; the oldest give way.
const KEPT: usize = 100_000;

/// One REST call. Bodies hold secrets: they are for tests, and `Debug` leaves them out.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pub at: Millis,
    pub method: String,
    /// As it came, still percent-encoded, without the query.
    pub path: String,
    pub query: String,
    /// `null` where there was none or no JSON.
    pub body: Value,
    /// `None` while it is not answered, and for ever where the answer was withheld.
    pub answered: Option<u16>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {:?}", self.method, self.path, self.answered)
    }
}

/// One try to deliver a webhook.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Of this try; its event was emitted earlier or then.
    pub at: Millis,
    pub emitted_at: Millis,
    pub instance: String,
    pub event: &'static str,
    /// `data` of the event.
    pub data: Value,
    pub url: String,
    /// From 1.
    pub attempt: u32,
    /// The receiver's status; `None` where no answer came.
    pub answered: Option<u16>,
    /// Nothing more will be tried.
    pub is_last: bool,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}, try {} → {:?}", self.event, self.instance, self.attempt, self.answered)
    }
}

/// The two lists. A number is that of the entry since the start.
pub(super) struct Record {
    kept: Mutex<Kept>,
    /// Moves whenever something was added or changed.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    calls: VecDeque<Call>,
    forgotten: u64,
    deliveries: VecDeque<Delivery>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}

impl Record {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), changed: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Its number, for [`Record::answered`].
    pub(super) fn called(&self, call: Call) -> u64 {
        let number = {
            let mut kept = self.lock();
            if kept.calls.len() >= KEPT {
                kept.calls.pop_front();
                kept.forgotten += 1;
            }
            kept.calls.push_back(call);
            kept.forgotten + kept.calls.len() as u64 - 1
        };
        self.tell();
        number
    }

    pub(super) fn answered(&self, number: u64, status: u16) {
        {
            let mut kept = self.lock();
            let at = number.checked_sub(kept.forgotten).and_then(|at| usize::try_from(at).ok());
            if let Some(call) = at.and_then(|at| kept.calls.get_mut(at)) {
                call.answered = Some(status);
            }
        }
        self.tell();
    }

    pub(super) fn delivered(&self, delivery: Delivery) {
        {
            let mut kept = self.lock();
            if kept.deliveries.len() >= KEPT {
                kept.deliveries.pop_front();
            }
            kept.deliveries.push_back(delivery);
        }
        self.tell();
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.iter().cloned().collect()
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.lock().deliveries.iter().cloned().collect()
    }

    pub(super) fn clear(&self) {
        let mut kept = self.lock();
        kept.forgotten += kept.calls.len() as u64;
        kept.calls.clear();
        kept.deliveries.clear();
    }

    /// Waits until at least `times` calls fit, and gives those that do.
    pub(super) async fn until_called(&self, times: usize, fits: impl Fn(&Call) -> bool) -> Vec<Call> {
        let found = || {
            let found: Vec<Call> = self.lock().calls.iter().filter(|call| fits(call)).cloned().collect();
            (found.len() >= times).then_some(found)
        };
        self.until(found).await
    }

    /// Waits until at least `times` tries to deliver fit, and gives those that do.
    pub(super) async fn until_delivered(&self, times: usize, fits: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let found = || {
            let found: Vec<Delivery> = self.lock().deliveries.iter().filter(|d| fits(d)).cloned().collect();
            (found.len() >= times).then_some(found)
        };
        self.until(found).await
    }

    async fn until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = found() {
                return found;
            }
            if changed.changed().await.is_err() {
                // Never: the sender is this record's own.
                std::future::pending::<()>().await;
            }
        }
    }
}
