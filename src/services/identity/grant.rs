//! A caller and a channel as they are written into a sealed cookie or a ticket's row. The domain's own types carry no
//! serde, so that no other door can make a caller out of text.

use serde::{Deserialize, Serialize};

use crate::adapters::store::identity::SecretDigest;
use crate::domain::caller::{Caller, Scope};
use crate::domain::channel::Channel;
use crate::domain::ids::{OrgId, UserId};
use crate::domain::time::Millis;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredCaller {
    admin: bool,
    user: Option<UserId>,
    org: Option<OrgId>,
    scopes: Option<Vec<String>>,
    session: Option<String>,
    issued_at: Millis,
    expires_at: Option<Millis>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredChannel {
    User(UserId),
    Org(OrgId),
    Admin,
}

/// What the dashboard's cookie holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSession {
    pub(super) caller: StoredCaller,
    /// SHA-256 of the operator's token that signed in, so that the session ends when that token is taken back.
    pub(super) operator: Option<SecretDigest>,
}

/// What a ticket lets in: one caller, to one channel, from one page.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) caller: StoredCaller,
    pub(super) channel: StoredChannel,
    /// The `Origin` it was bought from; `None` when a program bought it.
    pub(super) origin: Option<String>,
}

impl From<&Caller> for StoredCaller {
    fn from(caller: &Caller) -> Self {
        let names = |scope: &Scope| scope.as_str().to_owned();
        Self {
            admin: caller.admin,
            user: caller.user.clone(),
            org: caller.org.clone(),
            scopes: caller.scopes.as_ref().map(|scopes| scopes.iter().map(names).collect()),
            session: caller.session.clone(),
            issued_at: caller.issued_at,
            expires_at: caller.expires_at,
        }
    }
}

impl From<StoredCaller> for Caller {
    fn from(stored: StoredCaller) -> Self {
        let known = |names: Vec<String>| names.iter().filter_map(|name| Scope::parse(name)).collect();
        Self {
            admin: stored.admin,
            user: stored.user,
            org: stored.org,
            scopes: stored.scopes.map(known),
            session: stored.session,
            issued_at: stored.issued_at,
            expires_at: stored.expires_at,
        }
    }
}

impl From<&Channel> for StoredChannel {
    fn from(channel: &Channel) -> Self {
        match channel {
            Channel::User(user) => Self::User(user.clone()),
            Channel::Org(org) => Self::Org(org.clone()),
            Channel::Admin => Self::Admin,
        }
    }
}

impl From<StoredChannel> for Channel {
    fn from(stored: StoredChannel) -> Self {
        match stored {
            StoredChannel::User(user) => Self::User(user),
            StoredChannel::Org(org) => Self::Org(org),
            StoredChannel::Admin => Self::Admin,
        }
    }
}
