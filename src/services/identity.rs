//! Who a caller is: operators' tokens, users' JWTs, the dashboard's session, tickets and login codes. What a caller may
//! do is `domain::caller`'s matter; where credentials stand in a request is `http/extract`'s.
//!
//! The algorithm of a token is decided by our configuration: a secret of ours verifies HS256 and nothing else, a key of
//! the key set its own RS256 or ES256 and nothing else. So neither `alg:none` nor an HMAC made with a public key fits.

mod claims;
mod codes;
mod config;
mod grant;
mod revocation;
mod tokens;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::watch;

pub use claims::TokenRequest;
pub use codes::Ticket;
pub use config::IdentityConfig;
pub use tokens::{Minted, mint_at_shell};

use crate::adapters::clock::{self, Clock};
use crate::adapters::store::Store;
use crate::adapters::store::identity::SecretDigest;
use crate::domain::caller::Caller;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Millis;
use grant::StoredSession;
use revocation::Revocations;
use tokens::Tokens;

/// Bytes of the key that seals the dashboard's cookie.
const COOKIE_KEY_BYTES: usize = 64;

/// Longest life of a dashboard session (INTERFACE §2).
const LONGEST_SESSION: Duration = Duration::from_hours(8);

/// A dashboard session to be sealed into a cookie.
#[derive(Debug)]
pub struct Session {
    /// The caller as the session will show it.
    pub caller: Caller,
    /// What [`Identity::caller_by_session`] reads back.
    pub content: SecretString,
    /// How long it will be good.
    pub left: Duration,
}

/// Recognises callers. One per process, shared.
#[derive(Debug)]
pub struct Identity {
    store: Store,
    clock: Clock,
    operators: Vec<SecretDigest>,
    tokens: Tokens,
    revocations: Revocations,
    cookie_key: SecretBox<[u8]>,
}

impl Identity {
    /// Reads the installation's own secrets, made at the first start, and the revocations.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Internal`] when a stored secret is damaged.
    pub async fn open(config: &IdentityConfig, store: Store, clock: Clock) -> Result<Self, Error> {
        let tokens = Tokens::open(config, &store).await?;
        let cookie_key = store.setting_or("cookie_key", &hex(&clock::random_bytes::<COOKIE_KEY_BYTES>())).await?;
        let cookie_key = unhex(&cookie_key).filter(|key| key.len() == COOKIE_KEY_BYTES);
        let revocations = Revocations::default();
        revocations.learn(store.revocations().await?);
        Ok(Self {
            operators: config.admin_tokens().map(digest).collect(),
            tokens,
            revocations,
            cookie_key: cookie_key
                .ok_or(Error::Internal("the stored cookie key is damaged"))?
                .into_boxed_slice()
                .into(),
            store,
            clock,
        })
    }

    /// The caller behind a bearer: an operator's token or a user's JWT.
    ///
    /// # Errors
    /// [`Error::CredentialsInvalid`], [`Error::CredentialsExpired`] (revoked, too); [`Error::KeySetUnreachable`] when
    /// nobody's token can be checked.
    pub async fn caller_by_bearer(&self, bearer: &str) -> Result<Caller, Error> {
        let now = self.clock.now();
        if matches_any(&self.operators, bearer) {
            return Ok(operator(now, None));
        }
        let caller = self.tokens.caller(bearer, now).await?;
        self.unless_ended(caller, now)
    }

    /// The caller sealed into the dashboard's cookie, as [`Identity::session_of`] wrote it.
    ///
    /// # Errors
    /// [`Error::CredentialsInvalid`], [`Error::CredentialsExpired`].
    pub fn caller_by_session(&self, session: &str) -> Result<Caller, Error> {
        let stored: StoredSession =
            serde_json::from_str(session).map_err(|_| Error::CredentialsInvalid("the session is not readable"))?;
        if stored.operator.is_some_and(|token| !self.operators.contains(&token)) {
            return Err(Error::CredentialsExpired);
        }
        self.unless_ended(stored.caller.into(), self.clock.now())
    }

    /// A dashboard session for `caller`, who signed in by `bearer` or by a login code: at most 8 h, never beyond the
    /// credentials, and no longer than an operator's token stays configured.
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice.
    pub fn session_of(&self, mut caller: Caller, bearer: Option<&str>) -> Result<Session, Error> {
        let now = self.clock.now();
        let longest = now + LONGEST_SESSION;
        let end = caller.expires_at.map_or(longest, |end| end.min(longest));
        caller.expires_at = Some(end);
        let operator = bearer.map(digest).filter(|token| self.operators.contains(token));
        let content = serde_json::to_string(&StoredSession { caller: (&caller).into(), operator })
            .map_err(|_| Error::Internal("a session could not be written"))?;
        let left = Duration::from_millis(u64::try_from(end.since(now)).unwrap_or(0));
        Ok(Session { caller, content: content.into(), left })
    }

    /// The key that seals sessions: 64 bytes, the same on every node and after a restart.
    pub fn cookie_key(&self) -> &[u8] {
        self.cookie_key.expose_secret()
    }

    /// Refuses what `user` holds by now: tokens, sessions, tickets; their sockets hear of it by [`Identity::revoked`].
    /// A token whose `iat` has whole seconds is refused through the end of this second, since it doesn't tell on which
    /// side of now it was issued; our own carry milliseconds, so one minted right afterwards works.
    ///
    /// # Errors
    /// [`Error::AdminOnly`], [`Error::Store`].
    pub async fn revoke(&self, caller: &Caller, user: &UserId) -> Result<Millis, Error> {
        caller.require_admin()?;
        let now = self.clock.now();
        self.store.revoke(user, now).await?;
        self.revocations.learn([(user.clone(), now)]);
        Ok(now)
    }

    /// Learns what other nodes revoked. To be called every few seconds where there are several.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn reload_revocations(&self) -> Result<(), Error> {
        self.revocations.learn(self.store.revocations().await?);
        Ok(())
    }

    /// Changes whenever somebody was revoked; then ask [`Identity::still_good`] for one's own caller.
    pub fn revoked(&self) -> watch::Receiver<u64> {
        self.revocations.watch()
    }

    /// Whether these credentials, good once, are so at `now`: neither ended nor revoked.
    pub fn still_good(&self, caller: &Caller, now: Millis) -> bool {
        caller.expires_at.is_none_or(|end| now < end) && !self.revocations.covers(caller)
    }

    fn unless_ended(&self, caller: Caller, now: Millis) -> Result<Caller, Error> {
        if self.still_good(&caller, now) { Ok(caller) } else { Err(Error::CredentialsExpired) }
    }
}

fn operator(now: Millis, expires_at: Option<Millis>) -> Caller {
    Caller { admin: true, user: None, org: None, scopes: None, session: None, issued_at: now, expires_at }
}

fn digest(secret: &str) -> SecretDigest {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares with every one, in constant time, so that neither the time nor the order tells how close a guess was.
fn matches_any(known: &[SecretDigest], presented: &str) -> bool {
    let presented = digest(presented);
    known.iter().fold(Choice::from(0), |found, one| found | one.ct_eq(&presented)).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
