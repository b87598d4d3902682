//! One type per kind of identity, so that no bare string can be taken for another. Parsed at the door, correct inside.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::Error;

/// Longest user, organisation and session id, in characters (INTERFACE §2).
const MAX_ID: usize = 128;
/// Longest instance name, in characters (INTERFACE §2).
const MAX_INSTANCE_NAME: usize = 255;

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// A tenant's user: 1–128 characters of `A–Z a–z 0–9 _ . -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Arc<str>);
text_id!(UserId);

impl UserId {
    /// The user a token's `sub` stands for. A subject outside the allowed characters, or one that looks like the
    /// result of this very mapping (so that nobody can name themselves into another's hash), becomes `h-` and
    /// 32 hex digits of its SHA-256.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it is empty.
    pub fn from_subject(subject: &str) -> Result<Self, Error> {
        Self::mapped(subject, is_plain(subject) && !is_hashed(subject))
    }

    /// The user an operator means: an id as zapgate shows it, or a subject as the SaaS knows it.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it is empty.
    pub fn named_by_admin(raw: &str) -> Result<Self, Error> {
        Self::mapped(raw, is_plain(raw))
    }

    fn mapped(raw: &str, keep: bool) -> Result<Self, Error> {
        match raw {
            "" => Err(Error::bad_input("userId", "is empty")),
            _ if keep => Ok(Self(raw.into())),
            _ => Ok(Self(hashed(raw).into())),
        }
    }
}

/// An organisation of users; same characters and same mapping as [`UserId`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgId(Arc<str>);
text_id!(OrgId);

impl OrgId {
    /// The organisation a token's claim stands for.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it is empty.
    pub fn from_claim(raw: &str) -> Result<Self, Error> {
        Self::mapped(raw, is_plain(raw) && !is_hashed(raw))
    }

    /// The organisation an operator means: an id as zapgate shows it, or as the SaaS knows it.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it is empty.
    pub fn named_by_admin(raw: &str) -> Result<Self, Error> {
        Self::mapped(raw, is_plain(raw))
    }

    fn mapped(raw: &str, keep: bool) -> Result<Self, Error> {
        match raw {
            "" => Err(Error::bad_input("organizationId", "is empty")),
            _ if keep => Ok(Self(raw.into())),
            _ => Ok(Self(hashed(raw).into())),
        }
    }
}

/// The name of one WhatsApp connection at Evolution; unique in this installation. 1–255 characters without
/// `/ ? # %` and control characters, since it is a path segment of Evolution's routes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceName(Arc<str>);
text_id!(InstanceName);

impl InstanceName {
    /// The one instance of a user: `user_` and the user id (source 004).
    pub fn of_user(user: &UserId) -> Self {
        Self(format!("user_{user}").into())
    }

    /// # Errors
    /// [`Error::BadInput`] naming the first rule broken.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        let problem = match raw {
            "" => "is empty",
            _ if raw.chars().count() > MAX_INSTANCE_NAME => "has more than 255 characters",
            _ if raw.contains(['/', '?', '#', '%']) => "has one of / ? # %",
            _ if raw.chars().any(char::is_control) => "has a control character",
            _ if raw == "." || raw == ".." => "is a relative path segment",
            _ => return Ok(Self(raw.into())),
        };
        Err(Error::bad_input("instance", problem))
    }

    /// The user this name was made for, when it has source 004's form `user_<id>`.
    pub fn user(&self) -> Option<UserId> {
        let id = self.0.strip_prefix("user_")?;
        is_plain(id).then(|| UserId(id.into()))
    }
}

fn is_plain(raw: &str) -> bool {
    (1..=MAX_ID).contains(&raw.len())
        && raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_hashed(raw: &str) -> bool {
    raw.strip_prefix("h-")
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn hashed(raw: &str) -> String {
    let digest = Sha256::digest(raw.as_bytes());
    digest.iter().take(16).fold(String::from("h-"), |mut text, byte| {
        use fmt::Write;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_subject_is_its_own_user_id() {
        assert_eq!(UserId::from_subject("550e8400-e29b.A_z").unwrap().as_str(), "550e8400-e29b.A_z");
    }

    #[test]
    fn a_foreign_subject_is_hashed_and_a_hash_cannot_be_claimed() {
        let hashed = UserId::from_subject("auth0|ana@example.com").unwrap();
        assert!(is_hashed(hashed.as_str()));
        assert_ne!(UserId::from_subject(hashed.as_str()).unwrap(), hashed);
        assert_eq!(UserId::named_by_admin(hashed.as_str()).unwrap(), hashed);
        assert_eq!(UserId::named_by_admin("auth0|ana@example.com").unwrap(), hashed);
    }

    #[test]
    fn an_instance_name_leads_back_to_its_user() {
        let user = UserId::from_subject("123").unwrap();
        assert_eq!(InstanceName::of_user(&user).user(), Some(user));
        assert_eq!(InstanceName::parse("loja-centro").unwrap().user(), None);
    }

    #[test]
    fn an_instance_name_may_not_bend_a_url() {
        for bad in ["", "a/b", "a?b", "a#b", "a%2f", "a\u{0}", "..", &"x".repeat(256)] {
            assert!(InstanceName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
