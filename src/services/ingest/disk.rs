//! The free-disk floor: below it nothing more is accepted, so that what is accepted can still be committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::adapters::store::Store;

/// How often the free space is read.
const EVERY: Duration = Duration::from_secs(5);
/// However much of the database file is free, this much of the disk must be: the write-ahead log needs it.
const RESERVE_BYTES: u64 = 32 << 20;

/// Knows whether the disk is nearly full.
#[derive(Clone, Debug)]
pub struct DiskGauge {
    store: Store,
    floor_percent: u8,
    low: Arc<AtomicBool>,
}

impl DiskGauge {
    /// Reads the free space once, so that a full disk is known before the first webhook. A floor of 0 is none.
    pub async fn open(store: Store, floor_percent: u8) -> Self {
        let gauge = Self { store, floor_percent, low: Arc::default() };
        gauge.read().await;
        gauge
    }

    pub fn is_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Reads the free space now and then until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.read().await;
        }
    }

    /// The database's own free pages count as free: retention makes those, and the file never shrinks.
    async fn read(&self) {
        if self.floor_percent == 0 {
            return;
        }
        let inside = self.store.free_bytes().await.ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        match rustix::fs::statvfs(self.store.folder()) {
            Ok(disk) => self.note(disk.f_bavail * disk.f_frsize, inside, disk.f_blocks * disk.f_frsize),
            Err(e) => warn!("the free disk space can't be read: {e}"),
        }
    }

    fn note(&self, outside: u64, inside: u64, whole: u64) {
        let free = outside.saturating_add(inside).saturating_mul(100).checked_div(whole).unwrap_or(100);
        let low = free < u64::from(self.floor_percent) || outside < RESERVE_BYTES.min(whole / 100);
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

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    async fn gauge() -> (DiskGauge, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        (DiskGauge { store, floor_percent: 5, low: Arc::default() }, folder)
    }

    #[tokio::test]
    async fn below_the_floor_it_is_low_and_above_it_is_not() {
        let (gauge, _folder) = gauge().await;

        gauge.note(4 * GIB, 0, 100 * GIB);
        assert!(gauge.is_low());

        gauge.note(5 * GIB, 0, 100 * GIB);
        assert!(!gauge.is_low());
    }

    #[tokio::test]
    async fn what_retention_freed_inside_the_file_counts_while_the_disk_has_room_for_the_log() {
        let (gauge, _folder) = gauge().await;

        gauge.note(GIB, 5 * GIB, 100 * GIB);
        assert!(!gauge.is_low());

        gauge.note(0, 50 * GIB, 100 * GIB);
        assert!(gauge.is_low());
    }
}
