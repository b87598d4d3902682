//! Why a live socket ends; the codes are published (INTERFACE §4).

/// A close code of the live protocol, with the words sent beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: &'static str,
}

impl Close {
    /// The server goes away: reconnect with jitter and recover.
    pub const GOING_AWAY: Self = Self { code: 1001, reason: "server going away, reconnect" };
    /// The client sent too much (over 4 KiB in a frame, or over 20 frames a second): do not reconnect at once.
    pub const POLICY: Self = Self { code: 1008, reason: "too much sent" };
    /// The credentials expired or were revoked: sign in again first.
    pub const EXPIRED: Self = Self { code: 4001, reason: "credentials expired or revoked" };
    /// Not allowed here: do not reconnect.
    pub const NOT_ALLOWED: Self = Self { code: 4003, reason: "not allowed" };
    /// The reader was too slow: reconnect and recover from the last `seq`.
    pub const SLOW: Self = Self { code: 4008, reason: "too slow, reconnect and recover" };
    /// This user has too many sockets: close others first.
    pub const TOO_MANY: Self = Self { code: 4009, reason: "too many sockets of this user" };
    /// Nothing was heard for 60 s: reconnect.
    pub const SILENT: Self = Self { code: 4010, reason: "silent" };
}
