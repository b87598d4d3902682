//! What a live connection asks for, WebSocket and SSE alike (INTERFACE §4), and whether its caller may have it.

use std::future;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::caller::{Caller, Scope};
use crate::domain::channel::{Channel, Epoch, Position};
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Millis;

/// The query of `/ws` and `/events`. All text, so that a wrong value is answered as a problem of its own.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// `user` (default), `org` or `admin`.
    pub channel: Option<String>,
    /// The last `seq` received; with `epoch`, to recover what came after it.
    pub since: Option<String>,
    /// The `epoch` of the `hello` that `since` follows.
    pub epoch: Option<String>,
    /// For operators: whose channel.
    pub user_id: Option<String>,
    /// For operators: which organisation's channel.
    pub organization_id: Option<String>,
}

impl LiveQuery {
    /// The channel asked for. `bought` is the ticket's, when the caller came with one: it is good for no other.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a channel that does not exist, [`Error::NotYours`], [`Error::AdminOnly`],
    /// [`Error::ScopeMissing`].
    pub fn channel(&self, caller: &Caller, bought: Option<Channel>) -> Result<Channel, Error> {
        caller.require_scope(Scope::Connect).or_else(|_| caller.require_scope(Scope::Messages))?;
        let channel = match bought {
            Some(bought) => bought,
            None => self.named_channel(caller)?,
        };
        caller.may_listen(&channel)?;
        Ok(channel)
    }

    fn named_channel(&self, caller: &Caller) -> Result<Channel, Error> {
        match self.channel.as_deref() {
            None | Some("user") => Ok(Channel::User(caller.acting_for(self.user_id.as_deref())?)),
            Some("org") => match caller.acting_in(self.organization_id.as_deref())? {
                Some(org) => Ok(Channel::Org(org)),
                None if caller.admin => Err(Error::bad_input("organizationId", "is missing: an operator must name it")),
                None => Err(Error::NotYours),
            },
            Some("admin") => Ok(Channel::Admin),
            Some(_) => Err(Error::bad_input("channel", "is none of user, org, admin")),
        }
    }

    /// Where to recover from, if the client wants to. Without an epoch no position means anything.
    ///
    /// # Errors
    /// [`Error::BadInput`] when `since` is not a number.
    pub fn position(&self) -> Result<Option<Position>, Error> {
        let Some(since) = &self.since else { return Ok(None) };
        let seq = since.parse().map_err(|_| Error::bad_input("since", "is not a whole number"))?;
        Ok(self.epoch.clone().map(|epoch| Position { epoch: Epoch(epoch), seq }))
    }
}

/// A live connection that may begin: what its credentials and its query came to.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub channel: Channel,
    pub from: Option<Position>,
    /// Whose connections it counts among; `None` for operators, who listen for many.
    pub user: Option<UserId>,
    /// When the credentials end.
    pub expires_at: Option<Millis>,
}

impl Admitted {
    /// What `caller` may begin with `query`.
    ///
    /// # Errors
    /// Those of [`LiveQuery::channel`] and [`LiveQuery::position`].
    pub fn new(caller: &Caller, bought: Option<Channel>, query: &LiveQuery) -> Result<Self, Error> {
        Ok(Self {
            channel: query.channel(caller, bought)?,
            from: query.position()?,
            user: caller.user.clone().filter(|_| !caller.admin),
            expires_at: caller.expires_at,
        })
    }
}

/// Waits until credentials end; for ever when they don't.
pub(super) async fn expiry(ends_at: Option<Millis>, now: Millis) {
    match ends_at {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.since(now).max(0).unsigned_abs())).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OrgId;

    fn caller(admin: bool, user: Option<&str>, org: Option<&str>) -> Caller {
        Caller {
            admin,
            user: user.map(|user| UserId::from_subject(user).unwrap()),
            org: org.map(|org| OrgId::from_claim(org).unwrap()),
            scopes: None,
            session: None,
            issued_at: Millis(0),
            expires_at: None,
        }
    }

    fn asking(channel: &str, user_id: Option<&str>, organization_id: Option<&str>) -> LiveQuery {
        LiveQuery {
            channel: Some(channel.into()),
            user_id: user_id.map(Into::into),
            organization_id: organization_id.map(Into::into),
            ..LiveQuery::default()
        }
    }

    fn answer(caller: &Caller, query: &LiveQuery) -> Result<String, &'static str> {
        query.channel(caller, None).map(|channel| channel.to_string()).map_err(|e| e.code())
    }

    #[test]
    fn nobody_listens_to_what_is_not_theirs() {
        let ana = caller(false, Some("ana"), Some("acme"));
        let lone = caller(false, Some("bob"), None);
        let operator = caller(true, None, None);

        for (caller, query, expected) in [
            (&ana, LiveQuery::default(), Ok("user:ana")),
            (&ana, asking("user", Some("bob"), None), Err("not_yours")),
            (&ana, asking("org", None, None), Ok("org:acme")),
            (&ana, asking("org", None, Some("other")), Err("not_yours")),
            (&ana, asking("admin", None, None), Err("admin_only")),
            (&ana, asking("everything", None, None), Err("bad_input")),
            (&lone, asking("org", None, None), Err("not_yours")),
            (&operator, asking("user", Some("bob"), None), Ok("user:bob")),
            (&operator, asking("user", None, None), Err("bad_input")),
            (&operator, asking("org", None, Some("acme")), Ok("org:acme")),
            (&operator, asking("org", None, None), Err("bad_input")),
            (&operator, asking("admin", None, None), Ok("admin")),
        ] {
            assert_eq!(answer(caller, &query), expected.map(String::from), "{query:?}");
        }
    }

    #[test]
    fn a_ticket_is_good_for_its_own_channel_only() {
        let ana = caller(false, Some("ana"), Some("acme"));
        let bought = Channel::User(UserId::from_subject("ana").unwrap());

        assert_eq!(asking("org", None, None).channel(&ana, Some(bought.clone())).unwrap(), bought);
        assert!(LiveQuery::default().channel(&ana, Some(Channel::Admin)).is_err());
    }

    #[test]
    fn a_token_for_session_files_alone_hears_nothing() {
        let files = Caller { scopes: Some([Scope::Sessions].into()), ..caller(false, Some("ana"), None) };

        assert_eq!(answer(&files, &LiveQuery::default()), Err("scope_missing"));
    }
}
