//! Login codes, socket tickets and revocations. Codes and tickets are kept as SHA-256 only. Anybody may try one, so what
//! is not there is found out without the writing connection.

use sqlx::Row;

use super::Store;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Millis;

/// SHA-256 of a code or ticket.
pub type SecretDigest = [u8; 32];

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn add_login_code(&self, digest: &SecretDigest, expires_at: Millis) -> Result<(), Error> {
        sqlx::query("INSERT INTO login_codes (digest, expires_at) VALUES ($1, $2)")
            .bind(&digest[..])
            .bind(expires_at.0)
            .execute(&mut *self.turn().await?)
            .await
            .map(|_| ())
            .map_err(|e| Error::store("storing a login code", e))
    }

    /// Uses up a login code: true for exactly one caller, and only before its expiry.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn take_login_code(&self, digest: &SecretDigest, now: Millis) -> Result<bool, Error> {
        let failed = |e| Error::store("using a login code", e);
        if !self.is_there("SELECT 1 FROM login_codes WHERE digest = $1", digest).await.map_err(failed)? {
            return Ok(false);
        }
        sqlx::query("DELETE FROM login_codes WHERE digest = $1 AND expires_at > $2")
            .bind(&digest[..])
            .bind(now.0)
            .execute(&mut *self.turn().await?)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(failed)
    }

    /// `grant_json` says whom the ticket lets in and where to; only `services/identity` reads it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn add_ticket(&self, digest: &SecretDigest, grant_json: &str, expires_at: Millis) -> Result<(), Error> {
        sqlx::query("INSERT INTO tickets (digest, expires_at, grant_json) VALUES ($1, $2, $3)")
            .bind(&digest[..])
            .bind(expires_at.0)
            .bind(grant_json)
            .execute(&mut *self.turn().await?)
            .await
            .map(|_| ())
            .map_err(|e| Error::store("storing a ticket", e))
    }

    /// Uses up a ticket: the same statement deletes and reads it, so no two sockets get in by one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn take_ticket(&self, digest: &SecretDigest, now: Millis) -> Result<Option<String>, Error> {
        let failed = |e| Error::store("using a ticket", e);
        if !self.is_there("SELECT 1 FROM tickets WHERE digest = $1", digest).await.map_err(failed)? {
            return Ok(None);
        }
        sqlx::query_scalar("DELETE FROM tickets WHERE digest = $1 AND expires_at > $2 RETURNING grant_json")
            .bind(&digest[..])
            .bind(now.0)
            .fetch_optional(&mut *self.turn().await?)
            .await
            .map_err(failed)
    }

    async fn is_there(&self, sql: &'static str, digest: &SecretDigest) -> Result<bool, sqlx::Error> {
        let found: Option<i64> = sqlx::query_scalar(sql).bind(&digest[..]).fetch_optional(&self.read).await?;
        Ok(found.is_some())
    }

    /// Drops the codes and tickets that expired by `now`. How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_expired_secrets(&self, now: Millis) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        let mut dropped = 0;
        for sql in ["DELETE FROM login_codes WHERE expires_at <= $1", "DELETE FROM tickets WHERE expires_at <= $1"] {
            let done = sqlx::query(sql).bind(now.0).execute(&mut *turn).await;
            dropped += done.map_err(|e| Error::store("dropping expired codes and tickets", e))?.rows_affected();
        }
        Ok(dropped)
    }

    /// Refuses `user`'s tokens issued up to `before`; an earlier revocation is never weakened.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn revoke(&self, user: &UserId, before: Millis) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO revocations (user_id, before) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET before = excluded.before WHERE excluded.before > before",
        )
        .bind(user.as_str())
        .bind(before.0)
        .execute(&mut *self.turn().await?)
        .await
        .map(|_| ())
        .map_err(|e| Error::store("storing a revocation", e))
    }

    /// Every user with a revocation, and up to when their tokens are refused.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn revocations(&self) -> Result<Vec<(UserId, Millis)>, Error> {
        let rows = sqlx::query("SELECT user_id, before FROM revocations")
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("reading the revocations", e))?;
        rows.iter().map(|row| Ok((UserId::named_by_admin(row.get(0))?, Millis(row.get(1))))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Millis = Millis(1_000_000);
    const LATER: Millis = Millis(1_000_001);

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn secrets_that_never_were_are_refused_while_another_write_runs() {
        let (_folder, store) = store().await;
        let _running = store.turn().await.unwrap();

        let answers = async {
            (store.take_ticket(&[7; 32], NOW).await.unwrap(), store.take_login_code(&[7; 32], NOW).await.unwrap())
        };

        assert_eq!(tokio::time::timeout(Duration::from_secs(5), answers).await, Ok((None, false)));
    }

    #[tokio::test]
    async fn a_ticket_lets_in_one_of_many() {
        let (_folder, store) = store().await;
        store.add_ticket(&[1; 32], "grant", LATER).await.unwrap();

        let all = futures_util::future::join_all((0..8).map(|_| store.take_ticket(&[1; 32], NOW))).await;

        let in_by_it: Vec<String> = all.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(in_by_it, ["grant"]);
    }

    #[tokio::test]
    async fn expired_secrets_are_refused_and_swept_out_and_the_others_stay_good() {
        let (_folder, store) = store().await;
        for (digest, expires_at) in [([1; 32], NOW), ([2; 32], LATER)] {
            store.add_ticket(&digest, "grant", expires_at).await.unwrap();
            store.add_login_code(&digest, expires_at).await.unwrap();
        }

        let over =
            (store.take_ticket(&[1; 32], NOW).await.unwrap(), store.take_login_code(&[1; 32], NOW).await.unwrap());
        let dropped = store.drop_expired_secrets(NOW).await.unwrap();

        assert_eq!((over, dropped), ((None, false), 2));
        assert_eq!(store.take_ticket(&[2; 32], NOW).await.unwrap().as_deref(), Some("grant"));
        assert!(store.take_login_code(&[2; 32], NOW).await.unwrap());
    }
}
