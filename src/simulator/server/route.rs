//! Which call a method and a path are.

use url::form_urlencoded;

use crate::simulator::faults::Ask;

/// What `find` and `set` are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Webhook,
    Settings,
    Proxy,
}

/// A call; names are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Info,
    Metrics,
    VerifyKey,
    Create,
    Connect(String),
    State(String),
    Rows,
    Restart(String),
    Logout(String),
    Delete(String),
    Presence(String),
    Set(Part, String),
    Find(Part, String),
    /// `message/<kind>`.
    Send(String, String),
    /// `chat/<what>`.
    Chat(String, String),
    Unknown,
}

impl Route {
    pub(super) fn of(method: &str, path: &str) -> Self {
        let parts: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let part = |word: &str| match word {
            "webhook" => Some(Part::Webhook),
            "settings" => Some(Part::Settings),
            "proxy" => Some(Part::Proxy),
            _ => None,
        };
        match (method, parts.as_slice()) {
            ("GET", [""]) => Self::Info,
            ("GET", ["metrics"]) => Self::Metrics,
            ("POST", ["verify-creds"]) => Self::VerifyKey,
            ("POST", ["instance", "create"]) => Self::Create,
            ("GET", ["instance", "fetchInstances"]) => Self::Rows,
            ("GET", ["instance", "connect", name]) => Self::Connect((*name).to_owned()),
            ("GET", ["instance", "connectionState", name]) => Self::State((*name).to_owned()),
            ("POST", ["instance", "restart", name]) => Self::Restart((*name).to_owned()),
            ("DELETE", ["instance", "logout", name]) => Self::Logout((*name).to_owned()),
            ("DELETE", ["instance", "delete", name]) => Self::Delete((*name).to_owned()),
            ("POST", ["instance", "setPresence", name]) => Self::Presence((*name).to_owned()),
            ("POST", [word, "set", name]) => {
                part(word).map_or(Self::Unknown, |part| Self::Set(part, (*name).to_owned()))
            }
            ("GET", [word, "find", name]) => {
                part(word).map_or(Self::Unknown, |part| Self::Find(part, (*name).to_owned()))
            }
            ("POST", ["message", kind, name]) => Self::Send((*kind).to_owned(), (*name).to_owned()),
            ("POST", ["chat", what, name]) => Self::Chat((*what).to_owned(), (*name).to_owned()),
            ("DELETE", ["chat", "deleteMessageForEveryone", name]) => {
                Self::Chat("deleteMessageForEveryone".to_owned(), (*name).to_owned())
            }
            _ => Self::Unknown,
        }
    }

    pub(super) const fn ask(&self) -> Ask {
        match self {
            Self::Info => Ask::Info,
            Self::Metrics => Ask::Metrics,
            Self::VerifyKey => Ask::VerifyKey,
            Self::Create => Ask::Create,
            Self::Connect(_) => Ask::Connect,
            Self::State(_) => Ask::State,
            Self::Rows => Ask::Rows,
            Self::Restart(_) => Ask::Restart,
            Self::Logout(_) => Ask::Logout,
            Self::Delete(_) => Ask::Delete,
            Self::Set(Part::Webhook, _) | Self::Find(Part::Webhook, _) => Ask::Webhook,
            Self::Set(Part::Settings, _) | Self::Find(Part::Settings, _) => Ask::Settings,
            Self::Set(Part::Proxy, _) | Self::Find(Part::Proxy, _) => Ask::Proxy,
            Self::Send(..) => Ask::Send,
            Self::Chat(..) | Self::Presence(_) => Ask::Chat,
            Self::Unknown => Ask::Unknown,
        }
    }

    /// The instance that it is about.
    pub(super) fn instance(&self) -> Option<&str> {
        match self {
            Self::Connect(name)
            | Self::State(name)
            | Self::Restart(name)
            | Self::Logout(name)
            | Self::Delete(name)
            | Self::Presence(name)
            | Self::Set(_, name)
            | Self::Find(_, name)
            | Self::Send(_, name)
            | Self::Chat(_, name) => Some(name),
            _ => None,
        }
    }
}

/// Undoes percent-encoding; a plus stays one.
fn decoded(part: &str) -> String {
    let escaped = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_stay_one_segment() {
        assert_eq!(Route::of("GET", "/instance/connect/a%2Fb%20+c&d"), Route::Connect("a/b +c&d".to_owned()));
        assert_eq!(Route::of("GET", "/instance/connect/a/b"), Route::Unknown);
        assert_eq!(Route::of("POST", "/webhook/set/x"), Route::Set(Part::Webhook, "x".to_owned()));
    }
}
