//! Carrying what was committed from the write-ahead log into the database file, on a connection of its own: inside a
//! commit it would hold up whoever waits for that commit (DESIGN "Storage").

use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Store;

/// Between two checkpoints while there are commits: the longer, the more commits share a page, and the longer each takes.
const PACE: Duration = Duration::from_millis(500);

/// Pages of the write-ahead log at which a commit does it after all. It alone can begin the log anew, as long as others
/// commit all the time; by then little is left to do.
pub(super) const BACKSTOP_PAGES: u32 = 16_384;

impl Store {
    /// Runs until `stop`; does nothing while nothing is committed.
    pub async fn keep_checkpointing(self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.written.notified()).await.is_some() {
            if let Err(e) = checkpoint(&self.checkpoints).await {
                warn!(error = &e as &dyn std::error::Error, "a checkpoint failed: the write-ahead log grows");
            }
            stop.run_until_cancelled(tokio::time::sleep(PACE)).await;
        }
    }
}

/// As far as it goes without waiting for readers or the writer.
async fn checkpoint(connection: &SqlitePool) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(connection).await.map(|_| ())
}
