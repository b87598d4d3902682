//! The simulator's own clock: real time, or one that a test moves by hand. Everything here that waits, waits on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::adapters::clock::Clock;
use crate::domain::time::Millis;

/// How long a move of the clock waits for what it woke, in real time: a receiver that keeps its answer back never
/// comes to rest.
const PATIENCE: Duration = Duration::from_millis(300);

/// A clone shows the same time.
#[derive(Clone, Debug)]
pub(super) enum Time {
    Real(Clock),
    Manual(Arc<Manual>),
}

#[derive(Debug)]
pub(super) struct Manual {
    state: Mutex<State>,
    at_rest: Notify,
}

#[derive(Debug)]
struct State {
    now: Millis,
    /// Who waits, by the moment and the order in which they came.
    waiting: BTreeMap<(Millis, u64), oneshot::Sender<Busy>>,
    next: u64,
    busy: usize,
}

/// Held by work that a move of the clock waits for. Means nothing on real time.
#[derive(Debug)]
pub(super) struct Busy(Option<Arc<Manual>>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(manual) = &self.0 {
            manual.lock().busy -= 1;
            manual.at_rest.notify_waiters();
        }
    }
}

impl Manual {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    pub(super) fn manual(start: Millis) -> Self {
        let state = State { now: start, waiting: BTreeMap::new(), next: 0, busy: 0 };
        Self::Manual(Arc::new(Manual { state: Mutex::new(state), at_rest: Notify::new() }))
    }

    pub(super) fn now(&self) -> Millis {
        match self {
            Self::Real(clock) => clock.now(),
            Self::Manual(manual) => manual.lock().now,
        }
    }

    /// Marks work as going on until the guard goes.
    pub(super) fn busy(&self) -> Busy {
        match self {
            Self::Real(_) => Busy(None),
            Self::Manual(manual) => {
                manual.lock().busy += 1;
                Busy(Some(Arc::clone(manual)))
            }
        }
    }

    /// Waits for a moment; what comes back is held while its work is done.
    pub(super) async fn until(&self, at: Millis) -> Busy {
        let receiver = match self {
            Self::Real(clock) => {
                let left = u64::try_from(at.since(clock.now())).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(left)).await;
                return Busy(None);
            }
            Self::Manual(manual) => {
                let mut state = manual.lock();
                if state.now >= at {
                    drop(state);
                    return self.busy();
                }
                let (sender, receiver) = oneshot::channel();
                let key = (at, state.next);
                state.next += 1;
                state.waiting.insert(key, sender);
                receiver
            }
        };
        receiver.await.unwrap_or_else(|_| self.busy())
    }

    /// The earliest moment that somebody waits for, on a manual clock.
    pub(super) fn next(&self) -> Option<Millis> {
        match self {
            Self::Real(_) => None,
            Self::Manual(manual) => {
                let mut state = manual.lock();
                // Who gave up waiting is no reason to stop there.
                while state.waiting.first_entry().is_some_and(|first| first.get().is_closed()) {
                    state.waiting.pop_first();
                }
                state.waiting.first_key_value().map(|((at, _), _)| *at)
            }
        }
    }

    /// Moves a manual clock forward and wakes who waited for that; real time stays as it is.
    pub(super) fn set(&self, at: Millis) {
        let Self::Manual(manual) = self else { return };
        let mut woken = Vec::new();
        {
            let mut state = manual.lock();
            state.now = state.now.max(at);
            while state.waiting.first_key_value().is_some_and(|((until, _), _)| *until <= at) {
                if let Some((_, sender)) = state.waiting.pop_first() {
                    state.busy += 1;
                    woken.push(sender);
                }
            }
        }
        for sender in woken {
            // One that is gone drops the guard, and is no longer waited for.
            let _ = sender.send(Busy(Some(Arc::clone(manual))));
        }
    }

    /// Waits until nothing is busy, or patience ends.
    pub(super) async fn at_rest(&self) {
        let Self::Manual(manual) = self else { return };
        let resting = async {
            loop {
                let changed = manual.at_rest.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if manual.lock().busy == 0 {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, resting).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_who_waited_for_the_moment_and_nobody_else() {
        let time = Time::manual(Millis(0));
        let (early, late) = (time.until(Millis(10)), time.until(Millis(20)));
        tokio::pin!(early, late);
        assert!(futures_util::poll!(&mut early).is_pending() && futures_util::poll!(&mut late).is_pending());

        time.set(Millis(10));

        assert!(futures_util::poll!(&mut early).is_ready() && futures_util::poll!(&mut late).is_pending());
        assert_eq!(time.next(), Some(Millis(20)));
    }
}
