//! Secrets that are good once and briefly: login codes and socket tickets. Only their SHA-256 is stored.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::grant::{Grant, StoredCaller};
use super::{Identity, LONGEST_SESSION, digest, operator};
use crate::adapters::clock;
use crate::domain::caller::Caller;
use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::domain::time::Millis;

/// How long a ticket may be used (INTERFACE §4).
const TICKET_LIFE: Duration = Duration::from_secs(30);
/// Random bytes of a code or ticket: 192 bits, far beyond guessing.
const SECRET_BYTES: usize = 24;

/// A ticket for one socket.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub ticket: SecretString,
    pub expires_at: Millis,
}

impl Identity {
    /// A code that signs an operator into the dashboard, once, within `ttl`. For those who started the process.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn make_login_code(&self, ttl: Duration) -> Result<SecretString, Error> {
        let code = fresh();
        self.store.add_login_code(&digest(&code), self.clock.now() + ttl).await?;
        Ok(code.into())
    }

    /// Uses up a login code.
    ///
    /// # Errors
    /// [`Error::CredentialsInvalid`] when it is unknown, used or over; [`Error::Store`].
    pub async fn caller_by_login_code(&self, code: &str) -> Result<Caller, Error> {
        let now = self.clock.now();
        if self.store.take_login_code(&digest(code), now).await? {
            Ok(operator(now, Some(now + LONGEST_SESSION)))
        } else {
            Err(Error::CredentialsInvalid("the login code was used, is over or never was"))
        }
    }

    /// Sells `caller` a ticket to `channel` for pages of `origin`. A ticket that an operator buys to a user's or an
    /// organisation's channel lets its bearer in as that, not as an operator: it is meant to be handed to a browser.
    ///
    /// # Errors
    /// As [`Caller::may_listen`]; [`Error::Store`].
    pub async fn sell_ticket(&self, caller: &Caller, channel: &Channel, origin: Option<&str>) -> Result<Ticket, Error> {
        caller.may_listen(channel)?;
        let (ticket, now) = (fresh(), self.clock.now());
        let grant = Grant {
            caller: StoredCaller::from(&narrowed(caller, channel, now)),
            channel: channel.into(),
            origin: origin.map(str::to_owned),
        };
        let grant = serde_json::to_string(&grant).map_err(|_| Error::Internal("a ticket could not be written"))?;
        let expires_at = now + TICKET_LIFE;
        self.store.add_ticket(&digest(&ticket), &grant, expires_at).await?;
        Ok(Ticket { ticket: ticket.into(), expires_at })
    }

    /// Uses up a ticket, even when it is then refused for its origin. One bought by a program, which has no origin, is
    /// bound to none: the general rule on origins still holds for whoever uses it.
    ///
    /// # Errors
    /// [`Error::CredentialsInvalid`] when it is unknown, used, over or from another page;
    /// [`Error::CredentialsExpired`] when the credentials that bought it ended; [`Error::Store`].
    pub async fn redeem_ticket(&self, ticket: &str, origin: Option<&str>) -> Result<(Caller, Channel), Error> {
        let now = self.clock.now();
        let grant = self.store.take_ticket(&digest(ticket), now).await?;
        let grant = grant.ok_or(Error::CredentialsInvalid("the ticket was used, is over or never was"))?;
        let grant: Grant = serde_json::from_str(&grant).map_err(|_| Error::Internal("a stored ticket is damaged"))?;
        if grant.origin.is_some() && grant.origin.as_deref() != origin {
            return Err(Error::CredentialsInvalid("the ticket was bought by a page of another origin"));
        }
        let caller = self.unless_ended(grant.caller.into(), now)?;
        Ok((caller, grant.channel.into()))
    }
}

fn narrowed(caller: &Caller, channel: &Channel, now: Millis) -> Caller {
    match channel {
        Channel::User(user) if caller.admin && caller.user.as_ref() != Some(user) => {
            Caller { admin: false, user: Some(user.clone()), org: None, issued_at: now, ..caller.clone() }
        }
        Channel::Org(org) if caller.admin => Caller { admin: false, org: Some(org.clone()), ..caller.clone() },
        _ => caller.clone(),
    }
}

fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(clock::random_bytes::<SECRET_BYTES>())
}
