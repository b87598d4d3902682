//! The names of Evolution's events (CONTRACT §2) and the gateway's own.

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
    /// configuration. A known one is known by its letters alone, so that nothing that hangs on a name (what is secret,
    /// who may see it) hangs on its spelling; of others the underscores are read as dots. `None` for no name and for
    /// one of the gateway's own.
    pub fn parse(raw: &str) -> Option<Self> {
        let raw = raw.trim();
        if raw.is_empty() || raw.len() > 128 || raw.chars().any(char::is_control) {
            return None;
        }
        let as_written = KNOWN.iter().find(|known| **known == raw);
        let known = as_written.or_else(|| KNOWN.iter().find(|known| letters(known).eq(letters(raw))));
        let name =
            Self(known.map_or_else(|| raw.to_ascii_lowercase().replace('_', ".").into(), |known| (*known).into()));
        (!name.is_gateways_own()).then_some(name)
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

/// Evolution's events (CONTRACT §2) and the gateway's own.
const KNOWN: [&str; 35] = [
    "application.startup",
    "instance.create",
    "instance.delete",
    "qrcode.updated",
    "connection.update",
    "status.instance",
    "logout.instance",
    "remove.instance",
    "messages.set",
    "messages.upsert",
    "messages.edited",
    "messages.update",
    "messages.delete",
    "send.message",
    "send.message.update",
    "contacts.set",
    "contacts.upsert",
    "contacts.update",
    "presence.update",
    "chats.set",
    "chats.upsert",
    "chats.update",
    "chats.delete",
    "groups.upsert",
    "groups.update",
    "group-participants.update",
    "labels.edit",
    "labels.association",
    "call",
    "typebot.start",
    "typebot.change-status",
    "error",
    EventName::STATUS,
    EventName::NOTIFICATION,
    EventName::HEALTH,
];

/// A name without its case and whatever stands between its words.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::EventName;

    #[test]
    fn every_spelling_of_a_name_is_one_event() {
        for (raw, dotted) in [
            ("connection.update", "connection.update"),
            ("CONNECTION_UPDATE", "connection.update"),
            ("SEND_MESSAGE_UPDATE", "send.message.update"),
            ("GROUP_PARTICIPANTS_UPDATE", "group-participants.update"),
            ("group-participants.update", "group-participants.update"),
            ("qrcode_updated", "qrcode.updated"),
            ("Qrcode.Updated", "qrcode.updated"),
            ("qrcode-updated", "qrcode.updated"),
            ("QrcodeUpdated", "qrcode.updated"),
            (" QRCODE UPDATED. ", "qrcode.updated"),
            ("group_participants.Update", "group-participants.update"),
            ("typebot-change-status", "typebot.change-status"),
            ("QUITE_NEW", "quite.new"),
            ("Quite_new", "quite.new"),
            ("quite-new.thing", "quite-new.thing"),
        ] {
            assert_eq!(EventName::parse(raw).unwrap().as_str(), dotted);
        }
    }

    #[test]
    fn nobody_outside_can_speak_in_the_gateways_name() {
        for own in
            ["zapgate.status", "ZAPGATE_STATUS", "Zapgate-Health", "zapgateNotification", "ZAPGATE_NEW", "Zapgate.x"]
        {
            assert_eq!(EventName::parse(own), None, "{own}");
        }
        assert_eq!(EventName::parse(" "), None);
    }
}
