//! Who asks, and what they may do: the one place for authorization (INTERFACE §2). How a caller was recognised is
//! `services/identity`'s matter; that every handler has one is `http/extract`'s.

use std::collections::BTreeSet;

use super::channel::Channel;
use super::error::Error;
use super::ids::{OrgId, UserId};
use super::time::Millis;

/// An authenticated caller. Made by `services/identity` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// An operator of the whole installation: `ADMIN_TOKEN`, or a JWT whose role says so.
    pub admin: bool,
    /// The token's `sub`; absent for `ADMIN_TOKEN`.
    pub user: Option<UserId>,
    pub org: Option<OrgId>,
    /// `None` for a token without a `scope` claim: everything its user may, but nothing of [`Scope::Sessions`].
    pub scopes: Option<BTreeSet<Scope>>,
    /// The one stored session a token of source 002's kind is for.
    pub session: Option<String>,
    pub issued_at: Millis,
    /// When the credentials end; their sockets are closed then.
    pub expires_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Connect,
    Messages,
    Sessions,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Messages => "messages",
            Self::Sessions => "sessions",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Connect, Self::Messages, Self::Sessions].into_iter().find(|scope| scope.as_str() == raw)
    }
}

impl Caller {
    /// # Errors
    /// [`Error::AdminOnly`].
    pub fn require_admin(&self) -> Result<(), Error> {
        if self.admin { Ok(()) } else { Err(Error::AdminOnly) }
    }

    /// # Errors
    /// [`Error::ScopeMissing`].
    pub fn require_scope(&self, scope: Scope) -> Result<(), Error> {
        let granted = match &self.scopes {
            _ if self.admin => true,
            Some(scopes) => scopes.contains(&scope),
            None => scope != Scope::Sessions,
        };
        if granted { Ok(()) } else { Err(Error::ScopeMissing(scope.as_str())) }
    }

    /// The user this request is about: the caller's own, or for an admin the one it names.
    ///
    /// # Errors
    /// [`Error::NotYours`] when a user names another; [`Error::BadInput`] when an admin names nobody.
    pub fn acting_for(&self, named: Option<&str>) -> Result<UserId, Error> {
        match (self.admin, named, &self.user) {
            (true, Some(raw), _) => UserId::named_by_admin(raw),
            (_, None, Some(own)) => Ok(own.clone()),
            (true, None, None) => Err(Error::bad_input("userId", "is missing: an operator must name the user")),
            (false, Some(raw), Some(own)) => {
                let same = raw == own.as_str() || UserId::from_subject(raw).is_ok_and(|user| user == *own);
                if same { Ok(own.clone()) } else { Err(Error::NotYours) }
            }
            (false, _, None) => Err(Error::CredentialsInvalid("they name no user")),
        }
    }

    /// The organisation a request may name: the caller's own, or for an admin any.
    ///
    /// # Errors
    /// [`Error::NotYours`] when somebody else's is named.
    pub fn acting_in(&self, named: Option<&str>) -> Result<Option<OrgId>, Error> {
        let Some(raw) = named else { return Ok(self.org.clone()) };
        let org = OrgId::from_claim(raw)?;
        if self.admin || self.org.as_ref() == Some(&org) { Ok(Some(org)) } else { Err(Error::NotYours) }
    }

    /// Whether this caller may listen to `channel`.
    ///
    /// # Errors
    /// [`Error::NotYours`] or [`Error::AdminOnly`].
    pub fn may_listen(&self, channel: &Channel) -> Result<(), Error> {
        match channel {
            _ if self.admin => Ok(()),
            Channel::User(user) if self.user.as_ref() == Some(user) => Ok(()),
            Channel::Org(org) if self.org.as_ref() == Some(org) => Ok(()),
            Channel::User(_) | Channel::Org(_) => Err(Error::NotYours),
            Channel::Admin => Err(Error::AdminOnly),
        }
    }
}
