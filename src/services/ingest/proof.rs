//! Does a webhook come from this installation's Evolution API? (INTERFACE §1 `WEBHOOK_SECRET`, §3.)
//!
//! Evolution proves it with a JWT it signs per event (its `jwt_key`), or with a header. Each instance registered by
//! `connect` has a key of its own, derived from the secret, so that a leaked key opens one instance only. The
//! undivided secret is accepted too, for webhooks set by hand.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::ValueEnum;
use dashmap::DashMap;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::error::Error;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;

#[derive(Clone, Debug, clap::Args)]
pub struct ProofConfig {
    /// Secrets that prove a webhook, separated by commas: the first signs, all verify. Made once and kept in the
    /// database when unset.
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true, value_delimiter = ',', value_parser = trimmed)]
    pub webhook_secret: Vec<SecretString>,
    /// `none` accepts webhooks without any proof; only for closed networks.
    #[arg(long, env = "WEBHOOK_AUTH", value_enum, default_value_t = WebhookAuth::Required)]
    pub webhook_auth: WebhookAuth,
    /// Seconds after its `iat` that a proof is refused; Evolution re-sends for about 20 minutes.
    #[arg(long, env = "WEBHOOK_PROOF_MAX_AGE_S", default_value_t = 3600)]
    pub webhook_proof_max_age_s: u32,
}

/// Spaces around the commas of a list belong to no secret.
#[expect(clippy::unnecessary_wraps, reason = "a value parser may fail")]
fn trimmed(raw: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(raw.trim()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WebhookAuth {
    Required,
    None,
}

/// What a webhook presents as proof.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    Nothing,
    /// `X-Webhook-Secret`.
    Secret(&'a str),
    /// `Authorization: Bearer`.
    Jwt(&'a str),
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Secret(_) => "Secret(…)",
            Self::Jwt(_) => "Jwt(…)",
        })
    }
}

/// A checked proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The JWT's `iat`: when Evolution emitted the event, in true UTC.
    pub issued_at: Option<Millis>,
}

/// How far in the future an `iat` may lie: a clock that runs ahead (INTERFACE §3).
const AHEAD_MS: i64 = 3_600_000;

pub struct Proofs {
    secrets: Vec<SecretString>,
    undivided: Vec<Key>,
    /// Keys of instances that have proven something, one for each secret: deriving one costs as much as a proof.
    derived: DashMap<InstanceName, Arc<[Key]>>,
    rules: Validation,
    auth: WebhookAuth,
    max_age_ms: i64,
}

/// Prints no key, and no name.
impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").field("auth", &self.auth).field("max_age_ms", &self.max_age_ms).finish_non_exhaustive()
    }
}

/// Instances whose keys are kept; beyond it all are derived anew.
const KEYS_KEPT: usize = 10_000;

/// What may prove a webhook, in both forms in which it is presented.
struct Key {
    secret: SecretString,
    jwt: DecodingKey,
}

impl Key {
    fn of(secret: SecretString) -> Self {
        Self { jwt: DecodingKey::from_secret(secret.expose_secret().as_bytes()), secret }
    }

    fn is(&self, presented: &str) -> bool {
        self.secret.expose_secret().as_bytes().ct_eq(presented.as_bytes()).into()
    }

    fn claims(&self, token: &str, rules: &Validation) -> Option<Claims> {
        jsonwebtoken::decode::<Claims>(token, &self.jwt, rules).ok().map(|token| token.claims)
    }
}

impl Proofs {
    /// `secrets` must not be empty; the first is used for new registrations.
    pub fn new(config: &ProofConfig, secrets: Vec<SecretString>) -> Self {
        Self {
            undivided: secrets.iter().cloned().map(Key::of).collect(),
            derived: DashMap::new(),
            secrets,
            rules: rules(),
            auth: config.webhook_auth,
            max_age_ms: i64::from(config.webhook_proof_max_age_s) * 1000,
        }
    }

    /// The key that Evolution is given for one instance (its `jwt_key`).
    pub fn key_for(&self, instance: &InstanceName) -> Option<SecretString> {
        self.secrets.first().map(|secret| derived(secret, instance))
    }

    /// Checks a proof for a webhook that says it is of `instance`; `None` when that is not known yet, so that only
    /// the undivided secrets can prove it.
    ///
    /// # Errors
    /// [`Error::ProofMissing`], [`Error::ProofInvalid`].
    pub fn check(
        &self,
        presented: Presented<'_>,
        instance: Option<&InstanceName>,
        now: Millis,
    ) -> Result<Proof, Error> {
        match presented {
            Presented::Jwt(token) => match self.check_jwt(token, instance, now) {
                Err(_) if self.auth == WebhookAuth::None => Ok(Proof::default()),
                checked => checked,
            },
            _ if self.auth == WebhookAuth::None => Ok(Proof::default()),
            Presented::Nothing => Err(Error::ProofMissing),
            Presented::Secret(secret) => self
                .proven(instance, |key| key.is(secret).then(Proof::default))
                .ok_or(Error::ProofInvalid("the secret is not ours")),
        }
    }

    fn check_jwt(&self, token: &str, instance: Option<&InstanceName>, now: Millis) -> Result<Proof, Error> {
        let claims = self
            .proven(instance, |key| key.claims(token, &self.rules))
            .ok_or(Error::ProofInvalid("the signature is not ours, or not of this instance"))?;
        let issued_at = claims.iat.map(|secs| Millis::from_secs(clamp_secs(secs)));
        let issued_at = issued_at.ok_or(Error::ProofInvalid("it has no `iat`"))?;
        let age_ms = now.since(issued_at);
        // `exp` is not asked: Evolution signs once and re-sends for longer than its ten minutes (CONTRACT §1.1).
        if age_ms > self.max_age_ms {
            return Err(Error::ProofInvalid("it was signed too long ago"));
        }
        if age_ms < -AHEAD_MS {
            return Err(Error::ProofInvalid("it was signed in the future"));
        }
        Ok(Proof { issued_at: Some(issued_at) })
    }

    /// What `proof` makes of the first key that proves: the instance's own before the undivided ones, since those are
    /// what `connect` registers.
    fn proven<T>(&self, instance: Option<&InstanceName>, proof: impl Fn(&Key) -> Option<T>) -> Option<T> {
        let by_own = instance.and_then(|name| {
            let kept = self.derived.get(name).map(|keys| Arc::clone(&keys));
            let is_new = kept.is_none();
            let keys = kept.unwrap_or_else(|| self.secrets.iter().map(|s| Key::of(derived(s, name))).collect());
            let proven = keys.iter().find_map(&proof)?;
            if is_new {
                self.keep(name, keys);
            }
            Some(proven)
        });
        by_own.or_else(|| self.undivided.iter().find_map(&proof))
    }

    /// Only names that have proven something get here: a stranger can't fill it.
    fn keep(&self, name: &InstanceName, keys: Arc<[Key]>) {
        if self.derived.len() >= KEYS_KEPT {
            self.derived.clear();
        }
        self.derived.insert(name.clone(), keys);
    }
}

#[derive(Deserialize)]
struct Claims {
    iat: Option<f64>,
}

fn rules() -> Validation {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    rules
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that i64 holds exactly")]
fn clamp_secs(secs: f64) -> i64 {
    secs.clamp(-1e12, 1e12) as i64
}

/// HMAC-SHA256 over the instance's name, in URL-safe base64: 43 characters that travel well in a header.
fn derived(secret: &SecretString, instance: &InstanceName) -> SecretString {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return SecretString::default();
    };
    mac.update(b"zapgate webhook key v1:");
    mac.update(instance.as_str().as_bytes());
    SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const NOW: Millis = Millis(1_795_211_606_000);

    fn proofs(secrets: &[&str]) -> Proofs {
        let config =
            ProofConfig { webhook_secret: vec![], webhook_auth: WebhookAuth::Required, webhook_proof_max_age_s: 3600 };
        Proofs::new(&config, secrets.iter().map(|s| SecretString::from(*s)).collect())
    }

    fn name(raw: &str) -> InstanceName {
        InstanceName::parse(raw).unwrap()
    }

    fn signed(key: &str, iat: i64) -> String {
        let claims = json!({"iat": iat, "exp": iat + 600, "app": "evolution", "action": "webhook"});
        encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
    }

    #[test]
    fn a_key_derived_for_one_instance_proves_that_instance_only() {
        let proofs = proofs(&["secret-one"]);
        let key = proofs.key_for(&name("user_1")).unwrap();
        let token = signed(key.expose_secret(), NOW.as_secs());

        assert!(proofs.check(Presented::Jwt(&token), Some(&name("user_1")), NOW).is_ok());
        assert!(proofs.check(Presented::Secret(key.expose_secret()), Some(&name("user_1")), NOW).is_ok());
        assert!(proofs.check(Presented::Jwt(&token), Some(&name("user_2")), NOW).is_err());
        assert!(proofs.check(Presented::Jwt(&token), None, NOW).is_err());
    }

    #[test]
    fn a_resend_whose_exp_passed_ten_minutes_ago_is_authentic_and_a_day_old_one_is_not() {
        let proofs = proofs(&["secret-one"]);
        let resend = signed("secret-one", NOW.as_secs() - 1200);
        let old = signed("secret-one", NOW.as_secs() - 86_400);

        let proof = proofs.check(Presented::Jwt(&resend), None, NOW).unwrap();
        assert_eq!(proof.issued_at, Some(Millis::from_secs(NOW.as_secs() - 1200)));
        assert!(matches!(proofs.check(Presented::Jwt(&old), None, NOW), Err(Error::ProofInvalid(_))));
    }

    #[test]
    fn after_a_rotation_the_old_secret_still_verifies() {
        let proofs = proofs(&["new", "old"]);

        assert!(proofs.check(Presented::Secret("old"), None, NOW).is_ok());
        assert!(proofs.check(Presented::Secret("older"), None, NOW).is_err());
    }

    #[test]
    fn a_list_of_secrets_may_have_spaces() {
        #[derive(clap::Parser)]
        struct Arguments {
            #[command(flatten)]
            proof: ProofConfig,
        }

        let parsed: Arguments = clap::Parser::parse_from(["zapgate", "--webhook-secret", "new-secret , old-secret"]);
        let secrets: Vec<&str> = parsed.proof.webhook_secret.iter().map(ExposeSecret::expose_secret).collect();

        assert_eq!(secrets, ["new-secret", "old-secret"]);
    }

    #[test]
    fn unsigned_and_foreign_algorithms_are_refused() {
        let proofs = proofs(&["secret-one"]);
        let none = "eyJhbGciOiJub25lIn0.eyJpYXQiOjE3OTUyMTE2MDZ9.";
        let hs512 = encode(
            &Header::new(Algorithm::HS512),
            &json!({"iat": NOW.as_secs()}),
            &EncodingKey::from_secret(b"secret-one"),
        )
        .unwrap();

        for token in [none, &hs512, "", "a.b.c"] {
            assert!(matches!(proofs.check(Presented::Jwt(token), None, NOW), Err(Error::ProofInvalid(_))), "{token}");
        }
        assert!(matches!(proofs.check(Presented::Nothing, None, NOW), Err(Error::ProofMissing)));
    }
}
