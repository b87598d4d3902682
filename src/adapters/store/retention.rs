//! Dropping what is old, a small batch at a time, so that ingest never waits long for the one writing connection.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{BUSY_TIMEOUT, Store};
use crate::domain::error::Error;
use crate::domain::time::Millis;

/// Log rows in one deletion.
const BATCH: i64 = 500;
/// Bytes of bodies in one deletion, the first row always included: freed pages are overwritten, by way of the
/// write-ahead log, and webhooks wait meanwhile.
const BATCH_BYTES: i64 = 4 << 20;

/// A channel's head is read off its last row; where that goes, it is written down first.
const WRITE_HEADS_DOWN: &str = "UPDATE channels SET dropped_head = MAX(dropped_head, v.head) FROM ( \
       SELECT user_channel AS id, MAX(seq) AS head FROM events WHERE id <= $1 GROUP BY user_channel \
       UNION ALL SELECT org_channel, MAX(org_seq) FROM events WHERE id <= $1 AND org_channel IS NOT NULL GROUP BY org_channel \
       UNION ALL SELECT a.id, MAX(admin_seq) FROM events, channels a WHERE events.id <= $1 AND a.kind = 'admin' GROUP BY a.id \
     ) v WHERE channels.id = v.id AND v.head IS NOT NULL";

impl Store {
    /// Drops the oldest log rows stored before `before`, at most one batch, with the identities kept beside them.
    /// How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_events_before(&self, before: Millis) -> Result<u64, Error> {
        let failed = |e: sqlx::Error| Error::store("dropping old events", e);
        let mut turn = self.turn().await?;
        let mut tx = turn.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        // Rows are appended in time order, so the old ones are a prefix of the primary key: no scan.
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(id) FROM (SELECT id, at, SUM(size) OVER (ORDER BY id) - size AS earlier \
                 FROM (SELECT id, at, LENGTH(body) AS size FROM events ORDER BY id LIMIT $1)) \
                 WHERE at < $2 AND earlier < $3",
        )
        .bind(BATCH)
        .bind(before.0)
        .bind(BATCH_BYTES)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        let Some(last) = last else { return Ok(0) };
        self.memory.forget();
        sqlx::query(WRITE_HEADS_DOWN).bind(last).execute(&mut *tx).await.map_err(failed)?;
        sqlx::query(
            "DELETE FROM dedupe_messages WHERE key IN \
             (SELECT identity FROM events WHERE id <= $1 AND identity IS NOT NULL)",
        )
        .bind(last)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let dropped =
            sqlx::query("DELETE FROM events WHERE id <= $1").bind(last).execute(&mut *tx).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(dropped.rows_affected())
    }

    /// Drops identities of 48 hours remembered on days before `day`, at most one batch. How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_recent_before(&self, day: i64) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        self.memory.forget();
        sqlx::query(
            "DELETE FROM dedupe_recent WHERE (day, key) IN \
             (SELECT day, key FROM dedupe_recent WHERE day < $1 ORDER BY day, key LIMIT $2)",
        )
        .bind(day)
        .bind(BATCH * 4)
        .execute(&mut *turn)
        .await
        .map(|done| done.rows_affected())
        .map_err(|e| Error::store("dropping old identities", e))
    }

    /// Clears what could be scanned or typed, in every form, of codes that expired by `now`; their count stays.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clear_expired_codes(&self, now: Millis) -> Result<u64, Error> {
        sqlx::query(
            "UPDATE whatsapp_instances SET qr_code = NULL, qr = json_remove(qr, '$.code', '$.pairingCode') \
             WHERE qr IS NOT NULL AND qr ->> '$.expiresAt' <= $1 \
             AND COALESCE(qr_code, qr ->> '$.code', qr ->> '$.pairingCode') IS NOT NULL",
        )
        .bind(now.0)
        .execute(&mut *self.turn().await?)
        .await
        .map(|done| done.rows_affected())
        .map_err(|e| Error::store("clearing expired codes", e))
    }

    /// Empties the write-ahead log, where what was deleted or overwritten can still be read. While a reader needs the
    /// log it stays, and the next call does it: nobody is waited for.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn empty_wal(&self) -> Result<(), Error> {
        let failed = |e: sqlx::Error| Error::store("emptying the write-ahead log", e);
        let mut writer = self.turn().await?;
        busy_timeout(&mut writer, Duration::ZERO).await.map_err(failed)?;
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *writer).await;
        busy_timeout(&mut writer, BUSY_TIMEOUT).await.map_err(failed)?;
        emptied.map(|_| ()).map_err(failed)
    }

    /// Bytes in use by the database file, free pages not counted.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn bytes_in_use(&self) -> Result<i64, Error> {
        sqlx::query_scalar(
            "SELECT (p.page_count - f.freelist_count) * s.page_size \
             FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
        )
        .fetch_one(&self.read)
        .await
        .map_err(|e| Error::store("measuring the database", e))
    }

    /// Bytes of the database file that hold nothing: new rows go there before the file grows.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn free_bytes(&self) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT f.freelist_count * s.page_size FROM pragma_freelist_count f, pragma_page_size s")
            .fetch_one(&self.read)
            .await
            .map_err(|e| Error::store("measuring the database", e))
    }
}

/// How long a statement of this connection waits for a lock of another.
async fn busy_timeout(connection: &mut SqliteConnection, patience: Duration) -> Result<(), sqlx::Error> {
    let pragma = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    sqlx::query(AssertSqlSafe(pragma)).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lingering_reader_puts_off_the_emptying_and_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        let wal_bytes = || std::fs::metadata(folder.path().join("zapgate.db-wal")).unwrap().len();
        let mut reader = store.read.begin().await.unwrap();
        sqlx::query("SELECT * FROM settings").fetch_all(&mut *reader).await.unwrap();
        store.setting_or("a", "b").await.unwrap();

        tokio::time::timeout(BUSY_TIMEOUT / 2, store.empty_wal()).await.unwrap().unwrap();
        let while_read = wal_bytes();
        reader.rollback().await.unwrap();
        store.empty_wal().await.unwrap();

        let patience: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&store.write).await.unwrap();
        assert!(while_read > 0);
        assert_eq!(wal_bytes(), 0);
        assert_eq!(u128::try_from(patience).unwrap(), BUSY_TIMEOUT.as_millis());
    }

    async fn store_with_bodies(sizes: &[usize]) -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        for (seq, size) in (1_i64..).zip(sizes) {
            sqlx::query(
                "INSERT INTO events (user_channel, seq, instance_name, event, at, emitted_at, body) \
                 VALUES (1, $1, 'i', 'messages.set', 0, 0, $2)",
            )
            .bind(seq)
            .bind(vec![b' '; *size])
            .execute(&store.write)
            .await
            .unwrap();
        }
        (store, folder)
    }

    #[tokio::test]
    async fn large_events_are_dropped_a_few_at_a_time_and_any_is_dropped_at_last() {
        const MIB: usize = 1 << 20;
        let (store, _folder) = store_with_bodies(&[10 * MIB, 3 * MIB, 3 * MIB, 3 * MIB]).await;

        let mut dropped = Vec::new();
        while dropped.last() != Some(&0) {
            dropped.push(store.drop_events_before(Millis(1)).await.unwrap());
        }

        assert_eq!(dropped, [1, 2, 1, 0]);
    }
}
