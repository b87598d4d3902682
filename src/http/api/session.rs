//! The dashboard's session: signing in by a token or a login code, out, and who one is.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::domain::caller::Caller;
use crate::domain::error::Error;
use crate::http::door::Door;
use crate::http::extract::admit;
use crate::http::problem::Problem;
use crate::http::session_cookie;
use crate::services::identity::Identity;

/// One of the two.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Login {
    /// An operator's token, or a user's JWT.
    #[schema(value_type = Option<String>)]
    token: Option<SecretString>,
    /// A login code, good once.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    admin: bool,
    user_id: Option<String>,
    organization_id: Option<String>,
    /// RFC 3339; absent for credentials without an end.
    expires_at: Option<String>,
    /// This server is a demo: it has `/demo`, and everything is thrown away at its end.
    demo: bool,
}

/// Shared by a server that is a demo.
#[derive(Clone, Copy, Debug)]
pub struct IsDemo;

impl Me {
    fn of(caller: &Caller, request: &HttpRequest) -> Self {
        Self {
            demo: request.app_data::<web::Data<IsDemo>>().is_some(),
            admin: caller.admin,
            user_id: caller.user.as_ref().map(ToString::to_string),
            organization_id: caller.org.as_ref().map(ToString::to_string),
            expires_at: caller.expires_at.map(|end| end.to_string()),
        }
    }
}

/// Sign in to the dashboard
#[utoipa::path(tag = "identity", security(()), responses((status = 200, body = Me), (status = 401)))]
#[post("/api/login")]
async fn login(
    request: HttpRequest,
    body: web::Json<Login>,
    identity: web::Data<Identity>,
    door: web::Data<Door>,
) -> Result<HttpResponse, Problem> {
    // A foreign page may not sign its visitor in as somebody of its choice.
    door.own_origin(&request)?;
    let attempt = match (&body.token, &body.code) {
        (Some(token), None) => identity.caller_by_bearer(token.expose_secret()).await,
        (None, Some(code)) => identity.caller_by_login_code(code.expose_secret()).await,
        _ => return Err(Error::bad_input("body", "needs either `token` or `code`").into()),
    };
    let caller = admit(&door, &request, attempt)?;
    let session = identity.session_of(caller, body.token.as_ref().map(ExposeSecret::expose_secret))?;
    let cookie = session_cookie::seal(&identity, &session, door.is_https(&request))?;
    Ok(HttpResponse::Ok().cookie(cookie).json(Me::of(&session.caller, &request)))
}

/// Sign out of the dashboard
#[utoipa::path(tag = "identity", security(()), responses((status = 204), (status = 403)))]
#[post("/api/logout")]
async fn logout(request: HttpRequest, door: web::Data<Door>) -> Result<HttpResponse, Problem> {
    door.own_origin(&request)?;
    Ok(HttpResponse::NoContent().cookie(session_cookie::forgotten(door.is_https(&request))).finish())
}

/// Who the credentials stand for
#[utoipa::path(tag = "identity", responses((status = 200, body = Me), (status = 401)))]
#[get("/api/me")]
async fn me(caller: Caller, request: HttpRequest) -> web::Json<Me> {
    web::Json(Me::of(&caller, &request))
}

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(login).service(logout).service(me);
}
