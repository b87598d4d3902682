//! The one place that reads wall time and randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::domain::time::Millis;

/// Wall time in UTC. A clone shows the same time; a test may set it forward.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
    /// Whether a sleep is skipped, and the clock set forward by as much.
    skips: bool,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock for tests, on which a sleep takes no time: it is [`Clock::ahead`] by as much afterwards.
    pub fn skipping() -> Self {
        Self { skips: true, ..Self::default() }
    }

    /// Waits.
    pub async fn sleep(&self, pause: Duration) {
        if self.skips {
            self.advance(pause);
        } else {
            tokio::time::sleep(pause).await;
        }
    }

    /// By how much it was set forward.
    pub fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed).unsigned_abs())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now(&self) -> Millis {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let real = Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
        real + self.ahead()
    }

    /// Sets this clock and its clones forward, so that a test need not wait for an expiry.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

/// Bytes nobody can guess, from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
