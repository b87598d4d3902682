//! Protocol messages between an account's devices, which Evolution forwards unread as `messages.edited` (CONTRACT §4.4): edits and revokes
//! are events of the chat, all others are the device's own affairs and may carry its keys.

use crate::domain::json::{Json, Object};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Edit,
    Revoke,
    /// Key shares, history notices and whatever else: nothing but its type may be kept.
    Secret,
}

/// Messages around a message: one of these holds the real one in its own `message`.
const WRAPPERS: [&str; 7] = [
    "ephemeralMessage",
    "deviceSentMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "editedMessage",
];

/// How deep wrappers are opened; two are seen in practice.
const MAX_WRAPPING: usize = 3;

impl Protocol {
    /// What an event's `data` is, if the event is one of those that carry a bare protocol message.
    pub fn of_event(event: &str, data: Json<'_>) -> Option<Self> {
        match event {
            // Made by Evolution from an edit of its own; only a type that says otherwise is believed.
            "send.message.update" if data.get("type").is_none_or(Json::is_null) => Some(Self::Edit),
            "messages.edited" | "send.message.update" => Some(Self::of_message(data)),
            _ => None,
        }
    }

    /// A bare protocol message by its `type`, which is a name or a number (CONTRACT §4.1). One without a type is
    /// secret: better a dull frame than a leaked key.
    pub fn of_message(message: Json<'_>) -> Self {
        let Some(kind) = message.get("type") else { return Self::Secret };
        match (kind.text().as_deref(), kind.integer()) {
            (Some("MESSAGE_EDIT"), _) | (_, Some(14)) => Self::Edit,
            (Some("REVOKE"), _) | (_, Some(0)) => Self::Revoke,
            _ => Self::Secret,
        }
    }
}

/// The protocol messages inside one entry of `messages.upsert` and the like, every copy of every member, wrapped ones
/// too.
pub fn inside<'a>(entry: &Object<'a>) -> Vec<Json<'a>> {
    let mut found = Vec::new();
    let mut level: Vec<_> = entry.all("message").filter_map(Json::object).collect();
    for _ in 0..=MAX_WRAPPING {
        found.extend(level.iter().flat_map(|message| message.all("protocolMessage").collect::<Vec<_>>()));
        level = level.iter().flat_map(|message| unwrapped(message)).collect();
    }
    found
}

/// What the wrappers in `message` hold.
pub fn unwrapped<'a>(message: &Object<'a>) -> Vec<Object<'a>> {
    WRAPPERS
        .iter()
        .flat_map(|name| message.all(name).collect::<Vec<_>>())
        .filter_map(Json::object)
        .flat_map(|wrapper| wrapper.all("message").filter_map(Json::object).collect::<Vec<_>>())
        .collect()
}
