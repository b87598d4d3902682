//! Turns at the one writing connection. Webhooks must not wait behind whatever else is to be written, so everything but
//! a batch of them queues here first: of all that, only one at a time asks for the connection.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};
use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::Store;
use crate::domain::error::Error;

/// How long one waits for its turn before it is told that the database is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The writing connection, for one piece of work; the next gets its turn when this is dropped.
pub(super) struct Turn<'a> {
    // First, so that it is on its way back when the next one asks.
    connection: PoolConnection<Sqlite>,
    _alone: MutexGuard<'a, ()>,
}

impl Store {
    /// The writing connection for everything but a batch of webhooks. Whoever holds one must not ask for another.
    ///
    /// # Errors
    /// [`Error::Store`] when the turn does not come in time.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Error> {
        let turn = async {
            let alone = self.turns.lock().await;
            self.write.acquire().await.map(|connection| Turn { connection, _alone: alone })
        };
        let waited = timeout(PATIENCE, turn).await.map_err(|e| Error::store("waiting for a turn to write", e))?;
        waited.map_err(|e| Error::store("taking the writing connection", e))
    }
}

impl Deref for Turn<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::future::join_all;

    use super::*;
    use crate::adapters::store::batch::{Changes, Lookups};
    use crate::domain::time::Millis;

    #[tokio::test]
    async fn a_batch_of_webhooks_waits_for_one_other_write_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        let done = RefCell::new(Vec::new());
        let running = store.turn().await.unwrap();
        let tickets = join_all((0..50).map(async |number| {
            store.add_ticket(&[number; 32], "{}", Millis(60_000)).await.unwrap();
            done.borrow_mut().push("ticket");
        }));
        let batch = async {
            let lookups = Lookups::default();
            store.commit_batch(&lookups, Millis(0), |_| Changes::default()).await.unwrap();
            done.borrow_mut().push("batch");
        };

        // Polled in this order: all wait when the running write ends.
        tokio::join!(tickets, batch, async { drop(running) });

        let before = done.borrow().iter().position(|what| *what == "batch").unwrap();
        assert!(before <= 1, "{before} tickets were written before the batch");
        assert_eq!(done.borrow().len(), 51);
    }
}
