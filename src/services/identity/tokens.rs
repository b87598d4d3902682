//! JSON Web Tokens: checking users' and minting our own.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use secrecy::SecretString;

use super::claims::{Claims, Rules, TokenRequest};
use super::config::IdentityConfig;
use super::{Identity, hex};
use crate::adapters::clock;
use crate::adapters::jwks::KeySet;
use crate::adapters::store::Store;
use crate::domain::caller::Caller;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Millis;

/// Longest life of a token that the SaaS's backend asks for (INTERFACE §2).
const LONGEST_TTL: Duration = Duration::from_hours(1);
/// Longest token looked at, in bytes: beyond, it is no credential but a load.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const NOT_OURS: Error = Error::CredentialsInvalid("the token's signature does not fit");

/// A token we made.
#[derive(Clone, Debug)]
pub struct Minted {
    pub token: SecretString,
    pub expires_at: Millis,
}

pub(super) struct Tokens {
    rules: Rules,
    /// HS256 by `JWT_SECRET`; without one, by a secret of this installation: what we mint must be good here.
    own_decoding: DecodingKey,
    own_encoding: EncodingKey,
    key_set: Option<KeySet>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("rules", &self.rules).field("key_set", &self.key_set).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) async fn open(config: &IdentityConfig, store: &Store) -> Result<Self, Error> {
        let secret = match config.secret() {
            Some(configured) => configured.to_owned(),
            None => store.setting_or("token_secret", &hex(&clock::random_bytes::<32>())).await?,
        };
        Self::signing_with(config, &secret)
    }

    fn signing_with(config: &IdentityConfig, secret: &str) -> Result<Self, Error> {
        Ok(Self {
            rules: Rules::new(config),
            own_decoding: DecodingKey::from_secret(secret.as_bytes()),
            own_encoding: EncodingKey::from_secret(secret.as_bytes()),
            key_set: config.key_set_url().map(KeySet::new).transpose()?,
        })
    }

    /// The caller a JWT stands for; revocations aside.
    pub(super) async fn caller(&self, token: &str, now: Millis) -> Result<Caller, Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::CredentialsInvalid("the token is too long"));
        }
        let header = decode_header(token).map_err(|_| Error::CredentialsInvalid("it is no known token"))?;
        // RFC 7515: whoever doesn't understand what a token declares critical must refuse it; we know no such extension.
        if header.crit.is_some() {
            return Err(Error::CredentialsInvalid("the token demands an extension that is not known here"));
        }
        if let Some(claims) = verified(token, Algorithm::HS256, &self.own_decoding) {
            return self.rules.caller(&claims, now);
        }
        let key_set = self.key_set.as_ref().ok_or(NOT_OURS)?;
        // Spares the identity provider a question for a token that no public key can have signed.
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
            return Err(NOT_OURS);
        }
        let keys = key_set.keys_for(header.kid.as_deref(), now).await?;
        let claims = keys.iter().find_map(|key| verified(token, key.algorithm, &key.key));
        self.rules.caller(&claims.ok_or(NOT_OURS)?, now)
    }

    fn mint(&self, request: &TokenRequest, issued_at: Millis) -> Result<Minted, Error> {
        let (claims, expires_at) = self.rules.mint(request, issued_at)?;
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.own_encoding)
            .map_err(|_| Error::Internal("a token could not be signed"))?;
        Ok(Minted { token: token.into(), expires_at })
    }
}

/// The claims, if `key` signed the token by `algorithm`. What they say is checked by [`Rules`], by our clock.
fn verified(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Option<Claims> {
    let mut signature_only = Validation::new(algorithm);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    decode(token, key, &signature_only).ok().map(|data| data.claims)
}

impl Identity {
    /// A token for one of the SaaS's users.
    ///
    /// # Errors
    /// [`Error::AdminOnly`]; [`Error::BadInput`] for a life of nothing or over an hour, a user that no token
    /// can name, or an operator without `JWT_ADMIN_ROLE`.
    pub fn mint_for(&self, caller: &Caller, request: &TokenRequest) -> Result<Minted, Error> {
        caller.require_admin()?;
        if request.ttl.is_zero() || request.ttl > LONGEST_TTL {
            return Err(Error::bad_input("ttlS", "must be 1 to 3600 seconds"));
        }
        self.mint(request)
    }

    fn mint(&self, request: &TokenRequest) -> Result<Minted, Error> {
        let user = nameable(&request.subject)?;
        let now = self.clock.now();
        let after_revocation = self.revocations.of(&user).map(|at| at + Duration::from_millis(1));
        self.tokens.mint(request, after_revocation.map_or(now, |earliest| earliest.max(now)))
    }
}

/// A token by somebody at the shell, who holds `JWT_SECRET` anyway. Needs neither a running server nor its database.
///
/// # Errors
/// [`Error::BadInput`] without `JWT_SECRET`, for a user that no token can name, or an operator without
/// `JWT_ADMIN_ROLE`.
pub fn mint_at_shell(config: &IdentityConfig, request: &TokenRequest, now: Millis) -> Result<Minted, Error> {
    nameable(&request.subject)?;
    let secret = config.secret().ok_or_else(|| Error::bad_input("JWT_SECRET", "is not set"))?;
    Tokens::signing_with(config, secret)?.mint(request, now)
}

/// The user that a token with this subject will stand for.
fn nameable(subject: &str) -> Result<UserId, Error> {
    let user = UserId::from_subject(subject)?;
    // The form `h-<hash>` stands for a subject that only the SaaS knows: as a subject it would be hashed again.
    if UserId::named_by_admin(subject)? != user {
        return Err(Error::bad_input("userId", "is the hash of a subject: name the subject itself"));
    }
    Ok(user)
}
