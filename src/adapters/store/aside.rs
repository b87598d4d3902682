//! What was kept aside: dead letters, which could not be processed, and the quarantine of instances nobody owns.

use sqlx::FromRow;

use super::Store;
use crate::domain::error::Error;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;

/// What could not be processed, and why.
#[derive(Clone, Debug)]
pub struct NewLetter {
    pub at: Millis,
    /// A code of [`Error::code`].
    pub reason: &'static str,
    pub detail: String,
    pub path: String,
    pub instance: Option<String>,
    pub event: Option<String>,
    /// Tells re-sends of one body from other bodies.
    pub digest: [u8; 32],
    pub size_bytes: i64,
    /// The head of the body, masked.
    pub body: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct Letter {
    pub id: i64,
    pub at: i64,
    pub reason: String,
    pub detail: String,
    pub path: String,
    pub instance_name: Option<String>,
    pub event: Option<String>,
    pub size_bytes: i64,
    pub body: Vec<u8>,
}

/// One instance's part of the quarantine.
#[derive(Clone, Debug, FromRow)]
pub struct QuarantineGroup {
    pub instance_name: String,
    pub count: i64,
    pub first_at: i64,
    pub last_at: i64,
    pub size_bytes: i64,
}

#[derive(Clone, Debug, FromRow)]
pub struct QuarantineRow {
    pub id: i64,
    pub instance_name: String,
    pub identity: Vec<u8>,
    pub event: String,
    pub at: i64,
    pub issued_at: Option<i64>,
    pub body: Vec<u8>,
}

/// How much the quarantine holds, or by how much it grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct QuarantineSize {
    pub rows: i64,
    /// Of the bodies.
    pub bytes: i64,
}

/// A quarantined webhook for people to look at.
#[derive(Clone, Debug, FromRow)]
pub struct QuarantinedHead {
    pub id: i64,
    pub event: String,
    pub at: i64,
    pub size_bytes: i64,
    /// Empty when it is larger than 64 KiB: a page of the largest would not fit into memory.
    pub body: Vec<u8>,
}

/// Dead letters kept; the oldest go first.
const MAX_LETTERS: i64 = 10_000;

macro_rules! letter_columns {
    () => {
        "SELECT id, at, reason, detail, path, instance_name, event, size_bytes, body FROM dead_letters "
    };
}

impl Store {
    /// Keeps a dead letter; a re-send of the same body for the same reason is not kept again. True when it is new.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn keep_letter(&self, letter: &NewLetter) -> Result<bool, Error> {
        let failed = |e: sqlx::Error| Error::store("keeping a dead letter", e);
        let mut turn = self.turn().await?;
        let kept = sqlx::query(
            "INSERT INTO dead_letters (at, reason, detail, path, instance_name, event, digest, size_bytes, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(letter.at.0)
        .bind(letter.reason)
        .bind(&letter.detail)
        .bind(&letter.path)
        .bind(&letter.instance)
        .bind(&letter.event)
        .bind(letter.digest.as_slice())
        .bind(letter.size_bytes)
        .bind(letter.body.as_bytes())
        .execute(&mut *turn)
        .await
        .map_err(failed)?;
        sqlx::query("DELETE FROM dead_letters WHERE id <= (SELECT MAX(id) FROM dead_letters) - $1")
            .bind(MAX_LETTERS)
            .execute(&mut *turn)
            .await
            .map_err(failed)?;
        Ok(kept.rows_affected() == 1)
    }

    /// Dead letters older than `before`, newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn letters(&self, before: i64, limit: i64) -> Result<Vec<Letter>, Error> {
        sqlx::query_as(concat!(letter_columns!(), "WHERE id < $1 ORDER BY id DESC LIMIT $2"))
            .bind(before)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("listing dead letters", e))
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn letter(&self, id: i64) -> Result<Option<Letter>, Error> {
        sqlx::query_as(concat!(letter_columns!(), "WHERE id = $1"))
            .bind(id)
            .fetch_optional(&self.read)
            .await
            .map_err(|e| Error::store("reading a dead letter", e))
    }

    /// Drops one dead letter, or all. How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_letters(&self, id: Option<i64>) -> Result<u64, Error> {
        sqlx::query("DELETE FROM dead_letters WHERE $1 IS NULL OR id = $1")
            .bind(id)
            .execute(&mut *self.turn().await?)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| Error::store("dropping dead letters", e))
    }

    /// The quarantine by instance, in the order of names after `after`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn quarantine_groups(&self, after: &str, limit: i64) -> Result<Vec<QuarantineGroup>, Error> {
        sqlx::query_as(
            "SELECT instance_name, COUNT(*) AS count, MIN(at) AS first_at, MAX(at) AS last_at, \
             SUM(LENGTH(body)) AS size_bytes FROM quarantine WHERE instance_name > $1 \
             GROUP BY instance_name ORDER BY instance_name LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .map_err(|e| Error::store("listing the quarantine", e))
    }

    /// The quarantined webhooks of one instance after the row `after`, in the order they came.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn quarantined(
        &self,
        instance: &InstanceName,
        after: i64,
        limit: i64,
    ) -> Result<Vec<QuarantineRow>, Error> {
        sqlx::query_as(
            "SELECT id, instance_name, identity, event, at, issued_at, body FROM quarantine \
             WHERE instance_name = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(instance.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .map_err(|e| Error::store("reading the quarantine", e))
    }

    /// As [`Store::quarantined`], without the bodies that are large.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn quarantined_heads(
        &self,
        instance: &InstanceName,
        after: i64,
        limit: i64,
    ) -> Result<Vec<QuarantinedHead>, Error> {
        sqlx::query_as(
            "SELECT id, event, at, LENGTH(body) AS size_bytes, \
             CASE WHEN LENGTH(body) <= 65536 THEN body ELSE x'' END AS body FROM quarantine \
             WHERE instance_name = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(instance.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .map_err(|e| Error::store("listing the quarantine", e))
    }

    /// Drops the quarantined webhooks of one instance. How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_quarantined(&self, instance: &InstanceName) -> Result<u64, Error> {
        sqlx::query("DELETE FROM quarantine WHERE instance_name = $1")
            .bind(instance.as_str())
            .execute(&mut *self.turn().await?)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| Error::store("dropping the quarantine", e))
    }

    /// How much the quarantine holds.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn quarantine_size(&self) -> Result<QuarantineSize, Error> {
        sqlx::query_as("SELECT COUNT(*) AS rows, COALESCE(SUM(LENGTH(body)), 0) AS bytes FROM quarantine")
            .fetch_one(&self.read)
            .await
            .map_err(|e| Error::store("measuring the quarantine", e))
    }
}
