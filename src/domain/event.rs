//! The names of Evolution's events (CONTRACT §2) and the gateway's own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// An event's dotted lower-case name, as Evolution writes it in `event` (`messages.upsert`), whatever form it came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(Arc<str>);

/// What the gateway itself appends to the log.
impl EventName {
    pub const STATUS: &'static str = "zapgate.status";
    pub const NOTIFICATION: &'static str = "zapgate.notification";
    pub const HEALTH: &'static str = "zapgate.health";

    /// A name already in dotted form: one of the constants, or one read back from the log.
    pub fn dotted(name: &str) -> Self {
        Self(name.into())
    }

    /// Reads a name in either of Evolution's forms: `connection.update`, or `CONNECTION_UPDATE` as in its
    /// configuration. An upper-case name this version does not know has its underscores read as dots.
    pub fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        if raw.is_empty() || raw.len() > 128 || raw.chars().any(char::is_control) || raw.starts_with("zapgate.") {
            return None;
        }
        Some(Self(canonical(raw).as_ref().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_gateways_own(&self) -> bool {
        self.0.starts_with("zapgate.")
    }

    /// The two events behind whose answer Evolution holds the wipe of a session (CONTRACT §1.6); never answered 5xx.
    pub fn holds_a_wipe(&self) -> bool {
        matches!(self.as_str(), "logout.instance" | "remove.instance")
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names whose dotted form cannot be told from the upper-case one by replacing underscores: the hyphenated ones.
const HYPHENATED: [(&str, &str); 2] =
    [("GROUP_PARTICIPANTS_UPDATE", "group-participants.update"), ("TYPEBOT_CHANGE_STATUS", "typebot.change-status")];

fn canonical(raw: &str) -> Cow<'_, str> {
    if raw.bytes().any(|b| b.is_ascii_lowercase()) {
        return Cow::Borrowed(raw);
    }
    match HYPHENATED.iter().find(|(upper, _)| *upper == raw) {
        Some((_, dotted)) => Cow::Borrowed(dotted),
        None => Cow::Owned(raw.to_ascii_lowercase().replace('_', ".")),
    }
}

#[cfg(test)]
mod tests {
    use super::EventName;

    #[test]
    fn both_forms_of_a_name_are_one_event() {
        for (raw, dotted) in [
            ("connection.update", "connection.update"),
            ("CONNECTION_UPDATE", "connection.update"),
            ("SEND_MESSAGE_UPDATE", "send.message.update"),
            ("GROUP_PARTICIPANTS_UPDATE", "group-participants.update"),
            ("group-participants.update", "group-participants.update"),
            ("QUITE_NEW", "quite.new"),
        ] {
            assert_eq!(EventName::parse(raw).unwrap().as_str(), dotted);
        }
    }

    #[test]
    fn nobody_outside_can_speak_in_the_gateways_name() {
        assert_eq!(EventName::parse("zapgate.status"), None);
        assert_eq!(EventName::parse(" "), None);
    }
}
