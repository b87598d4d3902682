//! Values made once and kept: the epoch, secrets that nobody configured.

use sqlx::Connection;

use super::Store;
use crate::domain::channel::Epoch;
use crate::domain::error::Error;

impl Store {
    /// The stored value of `key`, or `value` stored now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn setting_or(&self, key: &str, value: &str) -> Result<String, Error> {
        let mut turn = self.turn().await?;
        sqlx::query("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(&mut *turn)
            .await
            .map_err(|e| Error::store("storing a setting", e))?;
        sqlx::query_scalar("SELECT value FROM settings WHERE key = $1")
            .bind(key)
            .fetch_one(&mut *turn)
            .await
            .map_err(|e| Error::store("reading a setting", e))
    }

    /// The mark that tells this database from its copies; `None` when it was never served.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn mark(&self) -> Result<Option<String>, Error> {
        sqlx::query_scalar("SELECT value FROM settings WHERE key = 'mark'")
            .fetch_optional(&self.read)
            .await
            .map_err(|e| Error::store("reading the database's mark", e))
    }

    /// Gives it another mark and, where `fresh` is one, another epoch. The epoch it has now.
    ///
    /// # Errors
    /// [`Error::Store`]; also when it has no epoch and gets none.
    pub async fn set_mark(&self, mark: &str, fresh: Option<&Epoch>) -> Result<Epoch, Error> {
        let failed = |e: sqlx::Error| Error::store("marking the database", e);
        let mut turn = self.turn().await?;
        let mut tx = turn.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let epoch = fresh.map(|epoch| ("epoch", epoch.0.as_str()));
        for (key, value) in [("mark", mark)].into_iter().chain(epoch) {
            sqlx::query("INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2")
                .bind(key)
                .bind(value)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        let epoch: String = sqlx::query_scalar("SELECT value FROM settings WHERE key = 'epoch'")
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(Epoch(epoch))
    }
}
