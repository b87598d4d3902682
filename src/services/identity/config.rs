//! Whom to believe: the variables of INTERFACE §1 that decide how callers are recognised.

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Shortest operator token and shared secret, in characters.
const MIN_SECRET: usize = 32;

/// How callers prove who they are. An empty value counts as unset.
#[derive(Clone, Debug, Args)]
pub struct IdentityConfig {
    /// Bearer tokens of the operator and of the SaaS's own backend: comma-separated, at least 32 characters each.
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<SecretString>,
    /// Secret of users' HS256 tokens, at least 32 characters. Not together with `JWKS_URL`.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<SecretString>,
    /// URL of the key set of users' RS256 or ES256 tokens.
    #[arg(long, env = "JWKS_URL")]
    pub jwks_url: Option<String>,
    /// The `iss` that tokens must carry. Unset: any.
    #[arg(long, env = "JWT_ISSUER")]
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must carry, alone or in a list. Unset: any.
    #[arg(long, env = "JWT_AUDIENCE")]
    pub jwt_audience: Option<String>,
    /// Claim that names the user's organisation; dots lead into objects (`app_metadata.org_id`).
    #[arg(long, env = "JWT_ORG_CLAIM", default_value = "org_id")]
    pub jwt_org_claim: String,
    /// Claim that names the user's role; dots lead into objects.
    #[arg(long, env = "JWT_ROLE_CLAIM", default_value = "role")]
    pub jwt_role_claim: String,
    /// Role that makes a token an operator of the whole installation. Unset: no token is one.
    #[arg(long, env = "JWT_ADMIN_ROLE")]
    pub jwt_admin_role: Option<String>,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            admin_token: None,
            jwt_secret: None,
            jwks_url: None,
            jwt_issuer: None,
            jwt_audience: None,
            jwt_org_claim: "org_id".to_owned(),
            jwt_role_claim: "role".to_owned(),
            jwt_admin_role: None,
        }
    }
}

impl IdentityConfig {
    /// Everything wrong with it, one line each: the variable, the problem, an example. Values of secrets never appear.
    pub fn validate(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (nth, token) in self.admin_tokens().enumerate() {
            let length = token.chars().count();
            if length < MIN_SECRET {
                faults.push(format!(
                    "ADMIN_TOKEN: token {} has {length} characters, at least {MIN_SECRET} are needed; \
                     example: ADMIN_TOKEN=$(openssl rand -hex 32)",
                    nth + 1
                ));
            }
        }
        if let Some(length) = self.secret().map(|secret| secret.chars().count()).filter(|length| *length < MIN_SECRET) {
            faults.push(format!(
                "JWT_SECRET: has {length} characters, at least {MIN_SECRET} are needed; \
                 example: JWT_SECRET=$(openssl rand -hex 32)"
            ));
        }
        if self.secret().is_some() && text(self.jwks_url.as_ref()).is_some() {
            faults.push(
                "JWKS_URL: JWT_SECRET is set too, and only one of them can decide how tokens are checked; \
                 example: JWT_SECRET= (empty) beside JWKS_URL=https://id.example.com/.well-known/jwks.json"
                    .to_owned(),
            );
        }
        if text(self.jwks_url.as_ref()).is_some() && self.key_set_url().is_none() {
            faults.push(
                "JWKS_URL: is not an http or https URL; \
                 example: JWKS_URL=https://id.example.com/.well-known/jwks.json"
                    .to_owned(),
            );
        }
        faults.extend(claim_fault("JWT_ORG_CLAIM", &self.jwt_org_claim, "app_metadata.org_id"));
        faults.extend(claim_fault("JWT_ROLE_CLAIM", &self.jwt_role_claim, "app_metadata.role"));
        if overlap(&self.jwt_org_claim, &self.jwt_role_claim) {
            faults.push(
                "JWT_ROLE_CLAIM: is the same claim as JWT_ORG_CLAIM or lies in it, so an organisation's name could \
                 make an operator; example: JWT_ROLE_CLAIM=role"
                    .to_owned(),
            );
        }
        faults
    }

    /// Whether anybody at all can prove who they are; without, only loopback may be served.
    pub fn has_credentials(&self) -> bool {
        self.admin_tokens().next().is_some() || self.secret().is_some() || text(self.jwks_url.as_ref()).is_some()
    }

    /// The operators' tokens in the order given; the first is the one that commands use.
    pub fn admin_tokens(&self) -> impl Iterator<Item = &str> {
        secret(self.admin_token.as_ref())
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }

    pub(super) fn secret(&self) -> Option<&str> {
        secret(self.jwt_secret.as_ref())
    }

    pub(super) fn key_set_url(&self) -> Option<Url> {
        let url: Url = text(self.jwks_url.as_ref())?.parse().ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    }
}

fn secret(value: Option<&SecretString>) -> Option<&str> {
    value.map(ExposeSecret::expose_secret).filter(|text| !text.is_empty())
}

/// A variable's value, unless it is empty.
pub(super) fn text(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Whether one dotted path is the other, or leads through it.
fn overlap(one: &str, other: &str) -> bool {
    one.split('.').zip(other.split('.')).all(|(a, b)| a == b)
}

fn claim_fault(variable: &str, path: &str, example: &str) -> Option<String> {
    let problem = if path.split('.').any(str::is_empty) {
        "is not a claim's name, or names joined by dots"
    } else if path.split('.').any(|step| step == "user_metadata") {
        "lies in user_metadata, which users can edit themselves"
    } else if matches!(
        path.split('.').next().unwrap_or_default(),
        "sub" | "exp" | "nbf" | "iat" | "iss" | "aud" | "scope" | "session"
    ) {
        "is a claim with a meaning of its own"
    } else {
        return None;
    };
    Some(format!("{variable}: {problem}; example: {variable}={example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_configuration_has_no_fault_and_empty_values_count_as_unset() {
        let config = IdentityConfig {
            admin_token: Some("a".repeat(32).into()),
            jwt_secret: Some("b".repeat(32).into()),
            jwks_url: Some(String::new()),
            ..IdentityConfig::default()
        };

        assert_eq!(config.validate(), Vec::<String>::new());
        assert!(!IdentityConfig { admin_token: Some("".into()), ..IdentityConfig::default() }.has_credentials());
    }

    #[test]
    fn all_faults_are_told_at_once_by_variable_and_without_the_secrets() {
        let config = IdentityConfig {
            admin_token: Some(format!("{},hunter2", "a".repeat(32)).into()),
            jwt_secret: Some("hunter3".into()),
            jwks_url: Some("ftp://keys".to_owned()),
            jwt_org_claim: "user_metadata.org".to_owned(),
            jwt_role_claim: "app..role".to_owned(),
            ..IdentityConfig::default()
        };

        let faults = config.validate();

        let variables: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        let expected = ["ADMIN_TOKEN", "JWT_SECRET", "JWKS_URL", "JWKS_URL", "JWT_ORG_CLAIM", "JWT_ROLE_CLAIM"];
        assert_eq!(variables, expected);
        assert!(faults.iter().all(|fault| !fault.contains("hunter") && !fault.contains('\n')), "{faults:?}");
        assert!(!format!("{config:?}").contains("hunter"));
    }

    #[test]
    fn claims_that_lie_in_each_other_or_mean_something_else_are_refused() {
        let faults = |org: &str, role: &str| {
            let claims = (org.to_owned(), role.to_owned());
            let config =
                IdentityConfig { jwt_org_claim: claims.0, jwt_role_claim: claims.1, ..IdentityConfig::default() };
            config.validate().len()
        };

        assert_eq!(faults("app.org", "app.role"), 0);
        assert_eq!(faults("https://id.example.com/org", "role"), 0);
        assert_eq!(
            [faults("role", "role"), faults("app", "app.role"), faults("sub", "role"), faults("o", "aud")],
            [1; 4]
        );
    }
}
