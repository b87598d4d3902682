//! Values made once and kept: the epoch, secrets that nobody configured.

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

    /// The store's identity; `fresh` becomes it when there is none yet.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn epoch_or(&self, fresh: &str) -> Result<Epoch, Error> {
        self.setting_or("epoch", fresh).await.map(Epoch)
    }
}
