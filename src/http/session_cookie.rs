//! The dashboard's cookie `zapgate_session`: sealed (encrypted and authenticated) under the installation's key, so any
//! node reads it and nobody else can.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, CookieJar, Key, SameSite};
use secrecy::ExposeSecret;

use crate::domain::caller::Caller;
use crate::domain::error::Error;
use crate::services::identity::{Identity, Session};

const NAME: &str = "zapgate_session";

/// The cookie for a session made by [`Identity::session_of`].
///
/// # Errors
/// [`Error::Internal`], never in practice.
pub fn seal(identity: &Identity, session: &Session, https: bool) -> Result<Cookie<'static>, Error> {
    let mut jar = CookieJar::new();
    let mut cookie = attributes(session.content.expose_secret().to_owned(), https);
    cookie.set_max_age(Duration::try_from(session.left).unwrap_or(Duration::ZERO));
    jar.private_mut(&key(identity)?).add(cookie);
    jar.get(NAME).cloned().ok_or(Error::Internal("a session could not be sealed"))
}

/// Whether the request has such a cookie, readable or not.
pub fn is_present(request: &HttpRequest) -> bool {
    request.cookie(NAME).is_some()
}

/// The caller of the request's cookie.
///
/// # Errors
/// [`Error::CredentialsMissing`] without a cookie; [`Error::CredentialsInvalid`], [`Error::CredentialsExpired`].
pub fn caller(identity: &Identity, request: &HttpRequest) -> Result<Caller, Error> {
    let sealed = request.cookie(NAME).ok_or(Error::CredentialsMissing)?;
    let opened = CookieJar::new().private(&key(identity)?).decrypt(sealed);
    identity.caller_by_session(opened.ok_or(Error::CredentialsInvalid("the session was not sealed here"))?.value())
}

/// The cookie that makes a browser forget its session.
pub fn forgotten(https: bool) -> Cookie<'static> {
    let mut cookie = attributes(String::new(), https);
    cookie.make_removal();
    cookie
}

fn attributes(value: String, https: bool) -> Cookie<'static> {
    Cookie::build(NAME, value).path("/").http_only(true).same_site(SameSite::Strict).secure(https).finish()
}

fn key(identity: &Identity) -> Result<Key, Error> {
    Key::try_from(identity.cookie_key()).map_err(|_| Error::Internal("the cookie key is too short"))
}
