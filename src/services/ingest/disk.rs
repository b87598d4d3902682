//! The free-disk floor: below it nothing more is accepted, so that what is accepted can still be committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often the free space is read.
const EVERY: Duration = Duration::from_secs(5);

/// Knows whether the disk is nearly full.
#[derive(Clone, Debug)]
pub struct DiskGauge {
    folder: PathBuf,
    floor_percent: u8,
    low: Arc<AtomicBool>,
}

impl DiskGauge {
    /// Reads the free space once, so that a full disk is known before the first webhook.
    pub fn new(folder: &Path, floor_percent: u8) -> Self {
        let gauge = Self { folder: folder.to_owned(), floor_percent, low: Arc::default() };
        gauge.read();
        gauge
    }

    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Reads the free space now and then until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.read();
        }
    }

    fn read(&self) {
        if self.floor_percent == 0 {
            return;
        }
        match rustix::fs::statvfs(&self.folder) {
            Ok(disk) => self.note(free_percent(disk.f_bavail, disk.f_blocks)),
            Err(e) => warn!("the free disk space can't be read: {e}"),
        }
    }

    fn note(&self, free: u64) {
        let low = free < u64::from(self.floor_percent);
        if self.low.swap(low, Ordering::Relaxed) == low {
            return;
        }
        if low {
            error!(free_percent = free, "only {free} % of the disk is free: webhooks get 503 until there is more");
        } else {
            info!(free_percent = free, "{free} % of the disk is free: webhooks are accepted again");
        }
    }
}

fn free_percent(available: u64, blocks: u64) -> u64 {
    available.saturating_mul(100).checked_div(blocks).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::DiskGauge;

    #[test]
    fn below_the_floor_it_is_low_and_above_it_is_not() {
        let gauge = DiskGauge::new(&std::env::temp_dir(), 5);

        gauge.note(4);
        assert!(gauge.is_low());

        gauge.note(5);
        assert!(!gauge.is_low());
    }
}
