//! Tokens for the SaaS's users, and their revocation. For operators, which the SaaS's backend is.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use actix_web::{HttpRequest, post, web};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::domain::caller::Scope;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::http::door::Door;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use crate::services::identity::{Identity, TokenRequest};

/// Life of a token for which none is asked, in seconds.
const DEFAULT_TTL_S: u64 = 3600;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewToken {
    /// The user as the SaaS knows it: the token's `sub`.
    user_id: String,
    organization_id: Option<String>,
    /// Seconds until the token ends: 1 to 3600.
    ttl_s: Option<u64>,
    /// What the token may do; absent: what its user may.
    scope: Option<Scopes>,
}

/// `connect`, `messages`, `sessions`: words in a string, or a list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Scopes {
    Words(String),
    List(Vec<String>),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserToken {
    token: String,
    /// RFC 3339.
    expires_at: String,
    /// A page with that user's connect widget only; the token is in the fragment, which browsers never send.
    link: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    user_id: String,
    /// RFC 3339. Tokens issued up to then are refused.
    revoked_before: String,
}

/// Without the token and the link that holds it.
impl fmt::Debug for UserToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl NewToken {
    fn into_request(self) -> Result<TokenRequest, Error> {
        Ok(TokenRequest {
            subject: self.user_id,
            org: self.organization_id.filter(|org| !org.is_empty()),
            ttl: Duration::from_secs(self.ttl_s.unwrap_or(DEFAULT_TTL_S)),
            scopes: self.scope.map(|scopes| scopes.parse()).transpose()?,
            session: None,
            admin: false,
        })
    }
}

impl Scopes {
    /// Unlike a foreign token's, these are a request to us: an unknown one is a mistake to tell.
    fn parse(&self) -> Result<BTreeSet<Scope>, Error> {
        let names: Vec<&str> = match self {
            Self::Words(words) => words.split_whitespace().collect(),
            Self::List(list) => list.iter().map(String::as_str).collect(),
        };
        let known = |name: &&str| {
            Scope::parse(name).ok_or_else(|| Error::bad_input("scope", "knows connect, messages and sessions only"))
        };
        names.iter().map(known).collect()
    }
}

/// A token for a user of yours
#[utoipa::path(tag = "identity", operation_id = "create_token", responses(
    (status = 200, body = UserToken), (status = 400), (status = 403)
))]
#[post("/api/tokens")]
async fn create(
    admin: Admin,
    request: HttpRequest,
    body: web::Json<NewToken>,
    identity: web::Data<Identity>,
    door: web::Data<Door>,
) -> Result<web::Json<UserToken>, Problem> {
    let minted = identity.mint_for(&admin.0, &body.into_inner().into_request()?)?;
    let token = minted.token.expose_secret().to_owned();
    let link = format!("{}/connect.html#token={token}", door.base_url(&request));
    Ok(web::Json(UserToken { token, expires_at: minted.expires_at.to_string(), link }))
}

/// Refuse a user's tokens issued before now, and close their sockets
#[utoipa::path(tag = "identity", params(("userId" = String, Path)), responses(
    (status = 200, body = Revoked), (status = 403)
))]
#[post("/api/users/{userId}/revoke")]
async fn revoke(
    admin: Admin,
    user: web::Path<String>,
    identity: web::Data<Identity>,
) -> Result<web::Json<Revoked>, Problem> {
    let user = UserId::named_by_admin(&user)?;
    let before = identity.revoke(&admin.0, &user).await?;
    Ok(web::Json(Revoked { user_id: user.to_string(), revoked_before: before.to_string() }))
}

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(create).service(revoke);
}
