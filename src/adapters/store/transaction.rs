//! Whether a transaction that sqlx knows nothing of is open on the writing connection: a batch begins and ends its own
//! among its statements. Where its future is dropped in between, the connection undoes it before anybody else has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::SqliteConnection;

/// A mark that survives whoever set it.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction(Arc<AtomicBool>);

/// To be closed once the transaction has ended, either way.
#[must_use]
pub(super) struct Open<'a>(&'a AtomicBool);

impl Transaction {
    pub(super) fn open(&self) -> Open<'_> {
        self.0.store(true, Ordering::Relaxed);
        Open(&self.0)
    }

    /// Undoes what was left open, if anything was.
    pub(super) async fn undo_abandoned(&self, db: &mut SqliteConnection) {
        if self.0.swap(false, Ordering::Relaxed) {
            rollback(db).await;
        }
    }
}

impl Open<'_> {
    pub(super) fn close(self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Undoes a transaction, if one is open: SQLite may have ended it by itself, when the disk is full or fails.
pub(super) async fn rollback(db: &mut SqliteConnection) {
    let _ = sqlx::query("ROLLBACK").execute(db).await;
}
