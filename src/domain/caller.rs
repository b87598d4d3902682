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
        if self.admin {
            return OrgId::named_by_admin(raw).map(Some);
        }
        let own = self.org.as_ref().ok_or(Error::NotYours)?;
        let same = raw == own.as_str() || OrgId::from_claim(raw).is_ok_and(|org| org == *own);
        if same { Ok(Some(own.clone())) } else { Err(Error::NotYours) }
    }

    /// Whether this caller may name this user and this organisation at all, used or not.
    ///
    /// # Errors
    /// [`Error::NotYours`].
    pub fn may_name(&self, user: Option<&str>, org: Option<&str>) -> Result<(), Error> {
        if self.admin {
            return Ok(());
        }
        if user.is_some() {
            self.acting_for(user)?;
        }
        self.acting_in(org).map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::from_subject(name).unwrap()
    }

    fn ana() -> Caller {
        Caller {
            admin: false,
            user: Some(user("auth0|ana")),
            org: Some(OrgId::from_claim("Ação Ltda").unwrap()),
            scopes: None,
            session: None,
            issued_at: Millis(0),
            expires_at: None,
        }
    }

    fn operator() -> Caller {
        Caller { admin: true, user: None, org: None, ..ana() }
    }

    #[test]
    fn a_user_acts_for_themselves_by_subject_or_by_id_and_for_nobody_else() {
        let own = user("auth0|ana");

        for named in [None, Some("auth0|ana"), Some(own.as_str())] {
            assert_eq!(ana().acting_for(named).unwrap(), own, "{named:?}");
        }
        assert!(matches!(ana().acting_for(Some("bob")), Err(Error::NotYours)));
    }

    #[test]
    fn an_operator_acts_for_anybody_but_has_to_say_for_whom() {
        assert_eq!(operator().acting_for(Some("bob")).unwrap(), user("bob"));
        assert!(matches!(operator().acting_for(None), Err(Error::BadInput { field: "userId", .. })));
    }

    #[test]
    fn an_organisation_may_be_named_by_its_members_and_by_an_operator_only() {
        let own = ana().org;

        for named in [None, Some("Ação Ltda"), own.as_ref().map(OrgId::as_str)] {
            assert_eq!(ana().acting_in(named).unwrap(), own, "{named:?}");
        }
        assert!(matches!(ana().acting_in(Some("other")), Err(Error::NotYours)));
        assert!(matches!(Caller { org: None, ..ana() }.acting_in(Some("other")), Err(Error::NotYours)));
        assert_eq!(operator().acting_in(own.as_ref().map(OrgId::as_str)).unwrap(), own);
    }

    #[test]
    fn sessions_need_their_scope_and_a_scoped_token_only_has_what_it_names() {
        let scoped = |scope| Caller { scopes: Some([scope].into()), ..ana() };

        assert!(ana().require_scope(Scope::Messages).is_ok());
        assert!(matches!(ana().require_scope(Scope::Sessions), Err(Error::ScopeMissing("sessions"))));
        assert!(scoped(Scope::Sessions).require_scope(Scope::Sessions).is_ok());
        assert!(scoped(Scope::Connect).require_scope(Scope::Messages).is_err());
        assert!(operator().require_scope(Scope::Sessions).is_ok());
    }

    #[test]
    fn everybody_listens_to_their_own_channels_only() {
        let org = |name| Channel::Org(OrgId::from_claim(name).unwrap());

        assert!(ana().may_listen(&Channel::User(user("auth0|ana"))).is_ok());
        assert!(ana().may_listen(&org("Ação Ltda")).is_ok());
        for foreign in [Channel::User(user("bob")), org("other")] {
            assert!(matches!(ana().may_listen(&foreign), Err(Error::NotYours)), "{foreign}");
            assert!(operator().may_listen(&foreign).is_ok());
        }
        assert!(matches!(ana().may_listen(&Channel::Admin), Err(Error::AdminOnly)));
    }
}
