//! Login codes, socket tickets and revocations. Codes and tickets are kept as SHA-256 only, and whoever makes one
//! sweeps out the expired.

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
    pub async fn add_login_code(&self, digest: &SecretDigest, expires_at: Millis, now: Millis) -> Result<(), Error> {
        let failed = |e| Error::store("storing a login code", e);
        sqlx::query("DELETE FROM login_codes WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&self.write)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO login_codes (digest, expires_at) VALUES ($1, $2)")
            .bind(&digest[..])
            .bind(expires_at.0)
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Uses up a login code: true for exactly one caller, and only before its expiry.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn take_login_code(&self, digest: &SecretDigest, now: Millis) -> Result<bool, Error> {
        sqlx::query("DELETE FROM login_codes WHERE digest = $1 AND expires_at > $2")
            .bind(&digest[..])
            .bind(now.0)
            .execute(&self.write)
            .await
            .map(|done| done.rows_affected() == 1)
            .map_err(|e| Error::store("using a login code", e))
    }

    /// `grant_json` says whom the ticket lets in and where to; only `services/identity` reads it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn add_ticket(
        &self,
        digest: &SecretDigest,
        grant_json: &str,
        expires_at: Millis,
        now: Millis,
    ) -> Result<(), Error> {
        let failed = |e| Error::store("storing a ticket", e);
        sqlx::query("DELETE FROM tickets WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&self.write)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO tickets (digest, expires_at, grant_json) VALUES ($1, $2, $3)")
            .bind(&digest[..])
            .bind(expires_at.0)
            .bind(grant_json)
            .execute(&self.write)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Uses up a ticket: the same statement deletes and reads it, so no two sockets get in by one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn take_ticket(&self, digest: &SecretDigest, now: Millis) -> Result<Option<String>, Error> {
        sqlx::query_scalar("DELETE FROM tickets WHERE digest = $1 AND expires_at > $2 RETURNING grant_json")
            .bind(&digest[..])
            .bind(now.0)
            .fetch_optional(&self.write)
            .await
            .map_err(|e| Error::store("using a ticket", e))
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
        .execute(&self.write)
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
