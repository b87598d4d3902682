//! Evolution API as this gateway knows it: what it answers, in types, and every way in which a call can fail. The wire
//! shapes are `adapters/evolution`'s; sections named here are of the contract with Evolution, recordings are in
//! `tests/data/evolution/http`.

use std::time::Duration;

use thiserror::Error as ThisError;

use super::error::Cause;
use super::ids::InstanceName;
use super::time::Millis;

/// What Evolution's memory says of an instance (`connectionState`, §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    Open,
    Connecting,
    Close,
    /// It has a row but is not in memory: Evolution is starting, or about to remove it (§5.8, §5.11).
    Unloaded,
    /// There is no instance of this name.
    Absent,
}

/// What `GET /instance/connect` answered (§6.3).
#[derive(Clone, PartialEq, Eq)]
pub enum ConnectAnswer {
    /// It is open already.
    Open,
    /// A pairing is under way. What the answer shows may be stale (§5.9); the webhook is the truth.
    Pairing { has_code: bool },
    /// 200 with `error: true`: nothing was done.
    Failed,
}

impl std::fmt::Debug for ConnectAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Pairing { has_code: true } => "Pairing(code)",
            Self::Pairing { has_code: false } => "Pairing(pending)",
            Self::Failed => "Failed",
        })
    }
}

/// The version of a server, of which only what decides is kept: `2.3.6` is `(2, 3, 6)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// From here on a logout leaves the queue of incoming messages alive (§9).
    pub const SAFE_LOGOUT: Self = Self(2, 3, 7);

    /// Reads `2.3.6`, `2.4.0-rc2`, `v2.3.7`; missing parts are 0.
    pub fn parse(raw: &str) -> Option<Self> {
        let mut parts = raw.trim().trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let mut next = || parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self(major, next(), next()))
    }
}

/// One instance's row in Evolution's database (`fetchInstances`). It may be stale: see §6.3.
#[derive(Clone)]
pub struct Row {
    pub name: InstanceName,
    /// `open`, `connecting` or `close`, as last written.
    pub status: Connection,
    /// The instance's key. Never logged, stored or shown.
    pub token: Option<secrecy::SecretString>,
    /// Digits with country code, of the owner's address.
    pub phone_number: Option<String>,
    pub profile_name: Option<String>,
}

/// Names no token, number or person.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("name", &self.name).field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why a call did not do what it was for.
#[derive(Debug, ThisError)]
pub enum Failure {
    /// No answer came. `sent` is false only when the request certainly never left: repeating it is then harmless.
    #[error("Evolution did not answer: {how}")]
    NoAnswer {
        how: NoAnswer,
        sent: bool,
        #[source]
        cause: Option<Cause>,
    },
    /// It answered that it can't serve now: 500 and above, but for a licence.
    #[error("Evolution answered {status}")]
    Down { status: u16 },
    /// Not asked: it failed too often a moment ago.
    #[error("Evolution failed repeatedly and is not asked for now")]
    BreakerOpen { until: Millis },
    /// 401: `EVOLUTION_API_KEY` is not this server's.
    #[error("Evolution does not accept the key")]
    KeyRefused,
    /// `LICENSE_REQUIRED` of 2.4 (§9): a matter of configuration, not an outage.
    #[error("Evolution is not activated: its licence is missing")]
    LicenceRequired,
    /// 403 at `create`.
    #[error("Evolution has an instance of this name already")]
    NameInUse,
    /// 404 that names the instance.
    #[error("Evolution has no such instance")]
    NoSuchInstance,
    /// `logout` of an instance that is `close`, or a send before the first connection.
    #[error("the instance is not connected")]
    NotConnected,
    /// The number is not on WhatsApp (sends).
    #[error("that number is not on WhatsApp")]
    NotOnWhatsApp,
    /// 400 `SessionError: No sessions` (sends; CONTRACT §8.3).
    #[error("the Signal session is missing")]
    NoSignalSession,
    /// 400 `Connection Closed`, after up to a minute (sends).
    #[error("the connection closed while sending")]
    ConnectionClosed,
    /// 400 and 403 otherwise: what was asked is wrong. The words are Evolution's.
    #[error("Evolution refused the request: {0}")]
    Rejected(String),
    /// 404 `Cannot GET …`: this server does not know the route.
    #[error("Evolution does not know the route {0}: is it version 2?")]
    NoSuchRoute(String),
    /// A redirect, which is never followed: the address is not Evolution's own.
    #[error("Evolution's address redirects elsewhere")]
    Redirected,
    /// Not JSON, or of no known shape: something else answers at that address.
    #[error("what answers is not Evolution API: {0}")]
    NotEvolution(&'static str),
}

/// How an answer failed to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    Refused,
    TimedOut,
    /// The host's name is not known.
    NameUnknown,
    /// No way to the host.
    Unreachable,
    /// Reset or closed before the answer was whole.
    Broken,
    /// The certificate or the handshake was not acceptable.
    Tls,
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "the connection was refused",
            Self::TimedOut => "the time was up",
            Self::NameUnknown => "its host name is unknown",
            Self::Unreachable => "there is no way to its host",
            Self::Broken => "the connection broke",
            Self::Tls => "the TLS handshake failed",
        })
    }
}

/// What a failure says about whose matter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// An outage: later may help. Never counted against an instance (DESIGN, invariant 6).
    Outage,
    /// Somebody must change the configuration.
    Configuration,
    /// The server is sound; it is about this request.
    Request,
}

impl Failure {
    pub const fn blame(&self) -> Blame {
        match self {
            Self::NoAnswer { .. } | Self::Down { .. } | Self::BreakerOpen { .. } => Blame::Outage,
            Self::KeyRefused
            | Self::LicenceRequired
            | Self::NoSuchRoute(_)
            | Self::Redirected
            | Self::NotEvolution(_) => Blame::Configuration,
            Self::NameInUse
            | Self::NoSuchInstance
            | Self::NotConnected
            | Self::NotOnWhatsApp
            | Self::NoSignalSession
            | Self::ConnectionClosed
            | Self::Rejected(_) => Blame::Request,
        }
    }

    /// Whether what was asked may have been done all the same.
    pub const fn may_have_worked(&self) -> bool {
        matches!(self, Self::NoAnswer { sent: true, .. } | Self::Down { .. } | Self::NotEvolution(_))
    }

    /// What an operator has to do, in one sentence; `None` where waiting is all.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::KeyRefused => "Set EVOLUTION_API_KEY to the server's AUTHENTICATION_API_KEY.".to_owned(),
            Self::LicenceRequired => {
                "Activate this Evolution API server (its /manager page shows how), then connect again.".to_owned()
            }
            Self::NoSuchRoute(_) => "Use Evolution API 2.3 or later, and its base URL as EVOLUTION_API_URL.".to_owned(),
            Self::Redirected => {
                "Set EVOLUTION_API_URL to the address that answers itself (often https:// instead of http://)."
                    .to_owned()
            }
            Self::NotEvolution(_) => {
                "Check EVOLUTION_API_URL: something other than Evolution API answers there.".to_owned()
            }
            Self::NoAnswer { how: NoAnswer::NameUnknown, .. } => "Check the host name in EVOLUTION_API_URL.".to_owned(),
            Self::NoAnswer { how: NoAnswer::Tls, .. } => {
                "Check the certificate at EVOLUTION_API_URL, or use http:// inside a private network.".to_owned()
            }
            Self::Rejected(words) => format!("Evolution said: {words}"),
            _ => return None,
        })
    }

    /// How long to wait before asking again.
    pub fn retry_after(&self, now: Millis) -> Duration {
        match self {
            Self::BreakerOpen { until } => {
                Duration::from_millis(u64::try_from(until.since(now)).unwrap_or(0)).max(Duration::from_secs(1))
            }
            _ => Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let parsed = |raw| Version::parse(raw);

        assert_eq!(parsed("2.3.6"), Some(Version(2, 3, 6)));
        assert_eq!(parsed("v2.4.0-rc2"), Some(Version(2, 4, 0)));
        assert_eq!(parsed("2"), Some(Version(2, 0, 0)));
        assert_eq!(parsed("latest"), None);
        assert!(parsed("2.3.10") > parsed("2.3.7") && parsed("2.3.6") < Some(Version::SAFE_LOGOUT));
    }
}
