//! Where frames go: one dense sequence per channel (INTERFACE §4).

use std::fmt;

use super::ids::{OrgId, UserId};

/// A stream of frames with its own sequence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Everything of one user's instance.
    User(UserId),
    /// Everything of an organisation's instances but QR codes, pairing codes and presence.
    Org(OrgId),
    /// Status, health and notifications of all tenants.
    Admin,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Org(org) => write!(f, "org:{org}"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// The store's identity: a client's position is only good within one epoch (INTERFACE §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch(pub String);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A client's last position: recover what came after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: i64,
}
