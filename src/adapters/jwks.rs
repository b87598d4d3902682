//! The identity provider's public keys (`JWKS_URL`): fetched, cached, and kept when a later fetch fails. Which
//! algorithm a key verifies is decided by the key itself, never by a token.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use serde::Deserialize;
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;

use crate::domain::error::Error;
use crate::domain::time::Millis;

/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set read; real ones have a few KiB.
const MAX_BYTES: usize = 256 * 1024;
/// Most keys kept of a set: bounds the work for a token without a `kid`.
const MAX_KEYS: usize = 32;
/// Shortest time between two fetches, so that made-up `kid`s can't turn us on the identity provider.
const REFETCH_GAP_MS: i64 = 30_000;
/// The same while there is no key at all yet, when nobody can be let in anyway.
const FIRST_FETCH_GAP_MS: i64 = 2_000;
/// A set older than this is read again even if its keys still fit, so that withdrawn keys stop counting.
const FRESH_MS: i64 = 600_000;

/// One verifying key with the only algorithm it is good for.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    kid: Option<String>,
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// A cached key set.
#[derive(Debug)]
pub struct KeySet {
    url: Url,
    http: Client,
    cached: RwLock<Cached>,
    /// When the last fetch began; held while one runs, so that there is one at a time.
    last_try: Mutex<Option<Millis>>,
}

#[derive(Clone, Debug, Default)]
struct Cached {
    keys: Arc<[VerifyingKey]>,
    read_at: Option<Millis>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// # Errors
    /// [`Error::Internal`] when no HTTP client can be made.
    pub fn new(url: Url) -> Result<Self, Error> {
        let http = Client::builder()
            .timeout(FETCH_TIMEOUT)
            .https_only(url.scheme() == "https")
            .build()
            .map_err(|_| Error::Internal("the HTTP client for JWKS_URL could not be made"))?;
        Ok(Self { url, http, cached: RwLock::default(), last_try: Mutex::default() })
    }

    /// The keys that a token with this `kid` may be signed by; without a `kid`, every key of the set. Empty when the
    /// set has none such.
    ///
    /// # Errors
    /// [`Error::KeySetUnreachable`] when the set could never be read.
    pub async fn keys_for(&self, kid: Option<&str>, now: Millis) -> Result<Vec<VerifyingKey>, Error> {
        let cached = self.snapshot();
        let found = cached.matching(kid);
        if found.is_empty() {
            // Whoever waits here for another's fetch sees its result.
            let mut last_try = self.last_try.lock().await;
            let cached = self.snapshot();
            if cached.matching(kid).is_empty() {
                self.refetch(&cached, &mut last_try, now).await?;
            }
            return Ok(self.snapshot().matching(kid));
        }
        if cached.read_at.is_none_or(|at| now.since(at) > FRESH_MS)
            && let Ok(mut last_try) = self.last_try.try_lock()
        {
            self.refetch(&cached, &mut last_try, now).await?;
            return Ok(self.snapshot().matching(kid));
        }
        Ok(found)
    }

    /// Reads the set again if the last try is long enough ago; keeps what there is when that fails.
    async fn refetch(&self, cached: &Cached, last_try: &mut Option<Millis>, now: Millis) -> Result<(), Error> {
        let gap = if cached.read_at.is_some() { REFETCH_GAP_MS } else { FIRST_FETCH_GAP_MS };
        if last_try.is_some_and(|at| now.since(at) < gap) {
            return match cached.read_at {
                Some(_) => Ok(()),
                None => Err(Error::KeySetUnreachable("the last try failed a moment ago".into())),
            };
        }
        *last_try = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                let mut slot = self.cached.write().unwrap_or_else(PoisonError::into_inner);
                *slot = Cached { keys: keys.into(), read_at: Some(now) };
                Ok(())
            }
            Err(cause) if cached.read_at.is_some() => {
                warn!(error = &*cause, "the key set at JWKS_URL could not be read; the known keys stay in use");
                Ok(())
            }
            Err(cause) => Err(Error::KeySetUnreachable(cause)),
        }
    }

    async fn fetch(&self) -> Result<Vec<VerifyingKey>, crate::domain::error::Cause> {
        let mut response = self.http.get(self.url.clone()).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(format!("the key set has more than {MAX_BYTES} bytes").into());
            }
            body.extend_from_slice(&chunk);
        }
        let document: Document = serde_json::from_slice(&body)?;
        let keys: Vec<_> = document.keys.into_iter().filter_map(usable).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err("the key set has no key for RS256 or ES256".into());
        }
        Ok(keys)
    }

    fn snapshot(&self) -> Cached {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Cached {
    fn matching(&self, kid: Option<&str>) -> Vec<VerifyingKey> {
        self.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).cloned().collect()
    }
}

/// A signing key for RS256 or ES256; `None` for everything else, a symmetric key above all.
fn usable(raw: serde_json::Value) -> Option<VerifyingKey> {
    let jwk: Jwk = serde_json::from_value(raw).ok()?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
        _ if !signs => return None,
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256))
            if key.curve == EllipticCurve::P256 =>
        {
            Algorithm::ES256
        }
        _ => return None,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(VerifyingKey { kid: jwk.common.key_id, algorithm, key })
}
