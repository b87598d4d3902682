//! The database behind one door. All writing goes through one connection, taken in turn, so that no writer of this
//! process ever waits on SQLite's lock, and webhooks wait for one other write at most; reading has a pool of its own.

pub mod aside;
pub mod batch;
pub mod channels;
mod checkpoints;
pub mod commands;
pub mod events;
pub mod identity;
pub mod instances;
pub mod retention;
pub mod settings;
mod transaction;
mod turn;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Pool, Sqlite, SqlitePool};
use tokio::sync::Notify;

use self::batch::Memories;
use self::transaction::Transaction;
use crate::domain::error::Error;

/// An open, migrated database.
#[derive(Clone, Debug)]
pub struct Store {
    /// For statements that only read.
    pub(in crate::adapters) read: SqlitePool,
    /// The one connection that writes; begin with `BEGIN IMMEDIATE`. Only a batch of webhooks asks for it directly, all
    /// else through [`Store::turn`].
    pub(in crate::adapters) write: SqlitePool,
    turns: Arc<tokio::sync::Mutex<()>>,
    /// For checkpoints alone.
    checkpoints: SqlitePool,
    /// Something was committed that a checkpoint has not seen.
    written: Arc<Notify>,
    memory: Arc<Memories>,
    transaction: Transaction,
    folder: PathBuf,
}

/// How long a statement waits for a lock that another connection holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Of a new database. Most webhooks are 1 to 3 KB long: in pages of the usual 4 KB half of each would be empty.
const PAGE_BYTES: u32 = 8192;
/// What the writing connection keeps of the database, in KiB if negative: its indexes are touched at random places. Not
/// more, since whenever an index page splits, the commit looks through all that is kept.
const WRITER_CACHE: &str = "-8192";
/// Connections that read side by side: one for each processor, since more would only take them from the writer, but not
/// so few that one long question holds up all others.
fn readers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors).unwrap_or(u32::MAX).clamp(2, 8)
}

impl Store {
    /// Opens `path`, creating and migrating as needed.
    ///
    /// # Errors
    /// [`Error::Store`] when the file can't be opened or migrated.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .page_size(PAGE_BYTES)
            .foreign_keys(true)
            // What is deleted is overwritten: an expired code must not wait in a free page for whoever copies the file.
            .pragma("secure_delete", "ON")
            .busy_timeout(BUSY_TIMEOUT);
        let writing = options
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", checkpoints::BACKSTOP_PAGES.to_string());
        let transaction = Transaction::default();
        let write = pool(1, writing, transaction.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&write).await.map_err(|e| Error::store("migrating the schema", e))?;
        let checkpoints = pool(1, options.clone(), Transaction::default()).await?;
        let options = options.read_only(true).create_if_missing(false);
        let read = pool(readers(), options, Transaction::default()).await?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let (turns, written, memory) = (Arc::default(), Arc::default(), Arc::default());
        Ok(Self { read, write, turns, checkpoints, written, memory, transaction, folder })
    }

    /// The folder that holds the database, for its free space.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits for running statements and closes the files.
    pub async fn close(&self) {
        self.read.close().await;
        self.checkpoints.close().await;
        self.write.close().await;
    }
}

async fn pool(
    connections: u32,
    options: SqliteConnectOptions,
    transaction: Transaction,
) -> Result<Pool<Sqlite>, Error> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // Its other end is a thread of this process, not a server that may have gone.
        .test_before_acquire(false)
        // SQLite ends a transaction by itself when the disk is full or fails, and sqlx then counts one for ever that it
        // can't roll back. Such a connection goes; the next one is new.
        .after_release(move |connection, _| {
            let transaction = transaction.clone();
            Box::pin(async move {
                transaction.undo_abandoned(connection).await;
                if connection.is_in_transaction() {
                    // A rollback may still be on its way: whatever is queued comes before the ping's answer.
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options)
        .await
        .map_err(|e| Error::store("opening the database", e))
}

#[cfg(test)]
mod tests {
    use super::Store;

    async fn ask(store: &Store, sql: &'static str) -> String {
        sqlx::query_scalar::<_, String>(sql).fetch_one(&store.write).await.unwrap()
    }

    #[tokio::test]
    async fn a_commit_is_on_disk_before_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();

        let journal = ask(&store, "SELECT journal_mode FROM pragma_journal_mode").await;
        let synchronous = ask(&store, "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await;

        assert_eq!((journal.as_str(), synchronous.as_str()), ("wal", "2"), "WAL, and FULL");
    }

    /// Older ones have a fault that can corrupt the database when the write-ahead log is reset.
    #[tokio::test]
    async fn the_bundled_sqlite_is_free_of_the_wal_reset_fault() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();

        let version = ask(&store, "SELECT sqlite_version()").await;

        let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(parts >= vec![3, 51, 3], "SQLite {version}");
    }
}
