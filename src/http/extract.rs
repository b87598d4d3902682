//! Credentials from requests: the one place where a caller comes in. A handler that takes a [`Caller`] can't run
//! without one, and nothing below acts without one.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_LENGTH, SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::{LocalBoxFuture, ready};
use serde::de::DeserializeOwned;

use super::door::Door;
use super::problem::Problem;
use super::session_cookie;
use crate::domain::caller::Caller;
use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::services::identity::Identity;

/// The subprotocol of our frames.
const PROTOCOL: &str = "zapgate.v1";
/// What a browser, which can't set headers on a socket, writes its token after.
const BEARER_PROTOCOL: &str = "bearer.";

/// A caller who is an operator.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(caller(&request).await?) })
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = caller(&request).await?;
            caller.require_admin()?;
            Ok(Self(caller))
        })
    }
}

/// A JSON body that may be left out, which then means the default.
#[derive(Clone, Debug, Default)]
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let length = headers.get(CONTENT_LENGTH).map_or(&b"0"[..], |length| length.as_bytes());
        if length == b"0" && !headers.contains_key(TRANSFER_ENCODING) {
            return Box::pin(ready(Ok(Self::default())));
        }
        let body = web::Json::<T>::from_request(request, payload);
        Box::pin(async move { Ok(Self(body.await?.into_inner())) })
    }
}

/// Who wants a live stream (a socket or server-sent events): the caller, the channel when a ticket names it, and the
/// subprotocol to select. To be called before the upgrade. Looks at, in this order: `Authorization`, the
/// subprotocols `zapgate.v1, bearer.<jwt>`, `?ticket=`, the dashboard's cookie.
///
/// # Errors
/// [`Error::ForeignOrigin`] for a page that is not ours, whatever its credentials; else as for any request.
pub async fn live_caller(request: &HttpRequest) -> Result<(Caller, Option<Channel>, Option<&'static str>), Problem> {
    let (door, identity) = (shared::<Door>(request)?, shared::<Identity>(request)?);
    let origin = door.own_origin(request)?;
    let offered: Vec<&str> = subprotocols(request).collect();
    let selected = offered.contains(&PROTOCOL).then_some(PROTOCOL);
    let by_protocol = offered.iter().find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL));
    if let Some(bearer) = bearer(request).or(by_protocol) {
        let caller = admit(&door, request, identity.caller_by_bearer(bearer).await)?;
        return Ok((caller, None, selected));
    }
    if let Some(ticket) = ticket(request) {
        let redeemed = identity.redeem_ticket(&ticket, origin).await;
        let (caller, channel) = counted(&door, request, redeemed)?;
        door.limits.request_of(&caller)?;
        names_only_own(request, &caller)?;
        return Ok((caller, Some(channel), selected));
    }
    let caller = admit(&door, request, by_cookie(&identity, request, origin))?;
    Ok((caller, None, selected))
}

/// Trades a secret from a request's body for a caller, with the same limit on failures as everywhere.
///
/// # Errors
/// As `attempt`; [`Error::TooManyRequests`].
pub fn admit(door: &Door, request: &HttpRequest, attempt: Result<Caller, Error>) -> Result<Caller, Error> {
    let caller = counted(door, request, attempt)?;
    door.limits.request_of(&caller)?;
    names_only_own(request, &caller)?;
    Ok(caller)
}

/// Another's `userId` or `organizationId` in a query is refused wherever it stands, also where nobody would read it
/// (INTERFACE §2).
fn names_only_own(request: &HttpRequest, caller: &Caller) -> Result<(), Error> {
    url::form_urlencoded::parse(request.query_string().as_bytes()).try_for_each(|(name, value)| match &*name {
        "userId" => caller.may_name(Some(&value), None),
        "organizationId" => caller.may_name(None, Some(&value)),
        _ => Ok(()),
    })
}

/// A service of the app.
///
/// # Errors
/// [`Error::Internal`] when the app was built without it.
pub fn shared<T: 'static>(request: &HttpRequest) -> Result<web::Data<T>, Error> {
    request.app_data::<web::Data<T>>().cloned().ok_or(Error::Internal("a service is not wired"))
}

/// Who asks, for a handler that answers strangers too.
///
/// # Errors
/// As for any request that needs a caller.
pub async fn caller(request: &HttpRequest) -> Result<Caller, Error> {
    let (door, identity) = (shared::<Door>(request)?, shared::<Identity>(request)?);
    let attempt = match bearer(request) {
        Some(bearer) => identity.caller_by_bearer(bearer).await,
        None if !session_cookie::is_present(request) => Err(Error::CredentialsMissing),
        None => door.own_origin(request).and_then(|origin| by_cookie(&identity, request, origin)),
    };
    admit(&door, request, attempt)
}

/// The cookie counts for a page of ours. A browser always tells the origin, but for reading: so where something is
/// done or a socket opened, a request without one doesn't come from a page.
fn by_cookie(identity: &Identity, request: &HttpRequest, origin: Option<&str>) -> Result<Caller, Error> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD) && !request.headers().contains_key(UPGRADE);
    if origin.is_none() && !reads {
        return Err(Error::CredentialsMissing);
    }
    session_cookie::caller(identity, request)
}

/// Counts credentials that were wrong against the client's address. None at all are no guess, and don't count.
fn counted<T>(door: &Door, request: &HttpRequest, attempt: Result<T, Error>) -> Result<T, Error> {
    if let Err(Error::CredentialsInvalid(_) | Error::CredentialsExpired) = &attempt {
        door.limits.failure_from(door.address(request))?;
    }
    attempt
}

/// The bearer of `Authorization`; another scheme is somebody else's (a proxy's password, say).
fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn subprotocols(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn ticket(request: &HttpRequest) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned())
}
