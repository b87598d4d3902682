//! From a verified token's claims to a caller, and back when we mint one ourselves. Pure: time comes in.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Number, Value};

use super::config::{IdentityConfig, text};
use crate::domain::caller::{Caller, Scope};
use crate::domain::error::Error;
use crate::domain::ids::{OrgId, UserId};
use crate::domain::time::Millis;

/// How far the issuer's clock may be off (INTERFACE §1).
pub(super) const LEEWAY: Duration = Duration::from_mins(1);

pub(super) type Claims = Map<String, Value>;

/// What tokens must say, and where they say it.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    org_claim: String,
    role_claim: String,
    admin_role: Option<String>,
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// The `sub`: the user as the SaaS knows it, mapped to a user id when the token is presented.
    pub subject: String,
    pub org: Option<String>,
    pub ttl: Duration,
    /// `None`: no `scope` claim.
    pub scopes: Option<BTreeSet<Scope>>,
    /// The one stored session of source 002's kind that the token is for.
    pub session: Option<String>,
    /// With the role of `JWT_ADMIN_ROLE`.
    pub admin: bool,
}

impl Rules {
    pub(super) fn new(config: &IdentityConfig) -> Self {
        Self {
            issuer: text(config.jwt_issuer.as_ref()).map(str::to_owned),
            audience: text(config.jwt_audience.as_ref()).map(str::to_owned),
            org_claim: config.jwt_org_claim.clone(),
            role_claim: config.jwt_role_claim.clone(),
            admin_role: text(config.jwt_admin_role.as_ref()).map(str::to_owned),
        }
    }

    /// The caller that these claims stand for.
    ///
    /// # Errors
    /// [`Error::CredentialsExpired`], or [`Error::CredentialsInvalid`] with the first rule broken.
    pub(super) fn caller(&self, claims: &Claims, now: Millis) -> Result<Caller, Error> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty());
        let user = UserId::from_subject(subject.ok_or(Error::CredentialsInvalid("the token has no sub"))?)?;
        let expires_at = expiry(claims, now)?;
        // A token that doesn't say when it was issued counts as older than any revocation.
        let issued_at = instant(claims, "iat")?.unwrap_or_default();
        if issued_at > now + LEEWAY || instant(claims, "nbf")?.is_some_and(|from| from > now + LEEWAY) {
            return Err(Error::CredentialsInvalid("the token is not valid yet"));
        }
        self.check_parties(claims)?;
        let role = lookup(claims, &self.role_claim).and_then(Value::as_str);
        Ok(Caller {
            admin: self.admin_role.is_some() && role == self.admin_role.as_deref(),
            user: Some(user),
            org: org(lookup(claims, &self.org_claim))?,
            scopes: scopes(claims.get("scope"))?,
            session: claims.get("session").and_then(Value::as_str).map(str::to_owned),
            issued_at,
            expires_at: Some(expires_at),
        })
    }

    fn check_parties(&self, claims: &Claims) -> Result<(), Error> {
        if self.issuer.is_some() && claims.get("iss").and_then(Value::as_str) != self.issuer.as_deref() {
            return Err(Error::CredentialsInvalid("the token is of another issuer"));
        }
        let Some(wanted) = &self.audience else { return Ok(()) };
        let meant = match claims.get("aud") {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(wanted)),
            _ => false,
        };
        if meant { Ok(()) } else { Err(Error::CredentialsInvalid("the token is for another audience")) }
    }

    /// The claims of a token of our own, such that [`Rules::caller`] reads back what was asked for; and its expiry.
    ///
    /// # Errors
    /// [`Error::BadInput`] when an operator's token is asked for and `JWT_ADMIN_ROLE` is unset.
    pub(super) fn mint(&self, request: &TokenRequest, issued_at: Millis) -> Result<(Claims, Millis), Error> {
        let expires_at = issued_at + request.ttl;
        let mut claims = Claims::new();
        claims.insert("sub".to_owned(), request.subject.as_str().into());
        claims.insert("iat".to_owned(), with_fraction(issued_at)?);
        claims.insert("exp".to_owned(), with_fraction(expires_at)?);
        let scope = request.scopes.as_ref().map(|set| set.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" "));
        let optional = [
            ("iss", self.issuer.as_deref()),
            ("aud", self.audience.as_deref()),
            ("scope", scope.as_deref()),
            ("session", request.session.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                claims.insert(name.to_owned(), value.into());
            }
        }
        if let Some(org) = &request.org {
            place(&mut claims, &self.org_claim, org);
        }
        if request.admin {
            let role = self.admin_role.as_ref();
            let role = role.ok_or_else(|| Error::bad_input("admin", "needs JWT_ADMIN_ROLE, which is not set"))?;
            place(&mut claims, &self.role_claim, role);
        }
        Ok((claims, expires_at))
    }
}

/// When the credentials end: at `exp`; for a token that is good only by the leeway, at the leeway's end.
fn expiry(claims: &Claims, now: Millis) -> Result<Millis, Error> {
    let exp = instant(claims, "exp")?.ok_or(Error::CredentialsInvalid("the token has no exp"))?;
    match exp + LEEWAY {
        _ if now < exp => Ok(exp),
        grace if now < grace => Ok(grace),
        _ => Err(Error::CredentialsExpired),
    }
}

/// A `NumericDate` (RFC 7519): seconds since the epoch, perhaps with a fraction.
fn instant(claims: &Claims, name: &str) -> Result<Option<Millis>, Error> {
    const NO_TIME: Error = Error::CredentialsInvalid("a time in the token is not a number of seconds");
    let number = match claims.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(NO_TIME),
    };
    if let Some(secs) = number.as_i64() {
        return Ok(Some(Millis::from_secs(secs)));
    }
    let span = number.as_f64().and_then(|secs| Duration::try_from_secs_f64(secs).ok()).ok_or(NO_TIME)?;
    let millis = span.as_micros().saturating_add(500) / 1000;
    i64::try_from(millis).map(|millis| Some(Millis(millis))).map_err(|_| NO_TIME)
}

/// A `NumericDate` to the millisecond, so that a token minted right after a revocation is later than it.
fn with_fraction(at: Millis) -> Result<Value, Error> {
    let text = format!("{}.{:03}", at.as_secs(), at.0.rem_euclid(1000));
    text.parse::<Number>().map(Value::Number).map_err(|_| Error::Internal("an instant could not be written"))
}

/// An organisation's name may be text or a whole number; an empty one is none.
fn org(claim: Option<&Value>) -> Result<Option<OrgId>, Error> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if name.is_empty() => Ok(None),
        Some(Value::String(name)) => OrgId::from_claim(name).map(Some),
        Some(Value::Number(id)) if id.is_u64() => OrgId::from_claim(&id.to_string()).map(Some),
        Some(_) => Err(Error::CredentialsInvalid("the organisation claim is not text")),
    }
}

/// `scope` as RFC 8693 writes it (words in a string) or as a list; names that are not ours grant nothing.
fn scopes(claim: Option<&Value>) -> Result<Option<BTreeSet<Scope>>, Error> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(words)) => Ok(Some(words.split_whitespace().filter_map(Scope::parse).collect())),
        Some(Value::Array(items)) => {
            Ok(Some(items.iter().filter_map(Value::as_str).filter_map(Scope::parse).collect()))
        }
        Some(_) => Err(Error::CredentialsInvalid("the scope claim is neither text nor a list")),
    }
}

/// The claim at a dotted path. A claim whose own name has the dots (`https://id.example/org`) is found too.
fn lookup<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, step| value.get(step))
}

fn place(claims: &mut Claims, path: &str, value: &str) {
    match path.split_once('.') {
        None => {
            claims.insert(path.to_owned(), value.into());
        }
        Some((first, rest)) => {
            let inner = claims.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                place(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Millis = Millis(1_800_000_000_250);

    fn rules(change: impl FnOnce(&mut IdentityConfig)) -> Rules {
        let mut config = IdentityConfig::default();
        change(&mut config);
        Rules::new(&config)
    }

    fn read(rules: &Rules, claims: &Value) -> Result<Caller, Error> {
        let base = json!({"sub": "ana", "iat": 1_799_999_990, "exp": 1_800_000_600});
        let mut all = base.as_object().unwrap().clone();
        all.extend(claims.as_object().unwrap().clone());
        rules.caller(&all, NOW)
    }

    #[test]
    fn times_have_a_minute_of_leeway_and_no_more() {
        let rules = rules(|_| {});

        assert_eq!(read(&rules, &json!({"exp": 1_800_000_600})).unwrap().expires_at, Some(Millis(1_800_000_600_000)));
        assert_eq!(read(&rules, &json!({"exp": 1_799_999_960})).unwrap().expires_at, Some(Millis(1_800_000_020_000)));
        assert!(matches!(read(&rules, &json!({"exp": 1_799_999_940})), Err(Error::CredentialsExpired)));
        assert!(read(&rules, &json!({"nbf": 1_800_000_050})).is_ok());
        assert!(read(&rules, &json!({"nbf": 1_800_000_070})).is_err());
        assert!(read(&rules, &json!({"iat": 1_800_000_070})).is_err());
    }

    #[test]
    fn a_token_without_subject_or_expiry_or_with_odd_times_is_refused() {
        let rules = rules(|_| {});

        for bad in [
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
            json!({"exp": null}),
            json!({"exp": "1800000600"}),
            json!({"exp": -1.5}),
            json!({"nbf": true}),
        ] {
            assert!(matches!(read(&rules, &bad), Err(Error::CredentialsInvalid(_))), "{bad}");
        }
    }

    #[test]
    fn issuer_and_audience_count_when_configured() {
        let rules = rules(|config| {
            config.jwt_issuer = Some("https://id".to_owned());
            config.jwt_audience = Some("zap".to_owned());
        });

        assert!(read(&rules, &json!({"iss": "https://id", "aud": "zap"})).is_ok());
        assert!(read(&rules, &json!({"iss": "https://id", "aud": ["x", "zap"]})).is_ok());
        for bad in [json!({"aud": "zap"}), json!({"iss": "https://id"}), json!({"iss": "https://id/", "aud": "zap"})] {
            assert!(read(&rules, &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn organisation_and_role_are_found_by_a_dotted_path() {
        let rules = rules(|config| {
            config.jwt_org_claim = "app_metadata.org.id".to_owned();
            config.jwt_role_claim = "app_metadata.role".to_owned();
            config.jwt_admin_role = Some("root".to_owned());
        });

        let caller = read(&rules, &json!({"app_metadata": {"org": {"id": 7}, "role": "root"}})).unwrap();
        let plain = read(&rules, &json!({"org": {"id": "x"}, "role": "root", "app_metadata": {}})).unwrap();

        assert_eq!((caller.admin, caller.org.unwrap().as_str()), (true, "7"));
        assert_eq!((plain.admin, plain.org), (false, None));
    }

    #[test]
    fn without_a_configured_role_no_token_is_an_operator() {
        assert!(!read(&rules(|_| {}), &json!({"role": "admin"})).unwrap().admin);
        assert!(!read(&rules(|_| {}), &json!({})).unwrap().admin);
    }

    #[test]
    fn scopes_come_as_words_or_list_and_strangers_grant_nothing() {
        let rules = rules(|_| {});
        let of = |claim: Value| read(&rules, &json!({"scope": claim})).unwrap().scopes;

        assert_eq!(of(json!("openid connect  messages")), Some([Scope::Connect, Scope::Messages].into()));
        assert_eq!(of(json!(["sessions", "x", 1])), Some([Scope::Sessions].into()));
        assert_eq!(of(json!("openid")), Some(BTreeSet::new()));
        assert_eq!(of(Value::Null), None);
        assert!(read(&rules, &json!({"scope": 1})).is_err());
    }

    #[test]
    fn a_minted_token_reads_back_as_it_was_asked_for() {
        let rules = rules(|config| {
            config.jwt_issuer = Some("https://id".to_owned());
            config.jwt_audience = Some("zap".to_owned());
            config.jwt_org_claim = "app.org".to_owned();
            config.jwt_role_claim = "app.role".to_owned();
            config.jwt_admin_role = Some("root".to_owned());
        });
        let request = TokenRequest {
            subject: "ana".to_owned(),
            org: Some("loja".to_owned()),
            ttl: Duration::from_mins(1),
            scopes: Some([Scope::Sessions].into()),
            session: Some("default".to_owned()),
            admin: true,
        };

        let (claims, expires_at) = rules.mint(&request, NOW).unwrap();
        let caller = rules.caller(&claims, NOW).unwrap();

        assert_eq!(caller.issued_at, NOW);
        assert_eq!((caller.expires_at, expires_at), (Some(expires_at), Millis(1_800_000_060_250)));
        assert_eq!((caller.admin, caller.org.unwrap().as_str()), (true, "loja"));
        assert_eq!((caller.scopes, caller.session.as_deref()), (request.scopes, Some("default")));
    }
}
