//! Which frame type an event becomes, and which channels it may go to (INTERFACE §4).

use std::borrow::Cow;

use crate::domain::event::EventName;
use crate::domain::json::Json;
use crate::domain::webhook::protocol::{self, Protocol};

/// The events that tell where a connection stands.
const STATUS_FAMILY: [&str; 7] = [
    "connection.update",
    "status.instance",
    "logout.instance",
    "remove.instance",
    "instance.create",
    "instance.delete",
    EventName::STATUS,
];

/// Evolution's plurals and their frames' singulars; the verb after the dot is kept.
const NOUNS: [(&str, &str); 4] = [
    ("chats.", "chat."),
    ("contacts.", "contact."),
    ("groups.", "group."),
    ("group-participants.", "group.participants."),
];

/// Whether it may go to the organisation's channel: everything but codes and presence.
pub fn goes_to_org(event: &EventName) -> bool {
    !event.as_str().starts_with("qrcode.") && event.as_str() != "presence.update"
}

/// Whether it goes to the operators' channel: status, health and notifications only.
pub fn goes_to_admin(event: &EventName) -> bool {
    is_status(event) || matches!(event.as_str(), EventName::NOTIFICATION | EventName::HEALTH)
}

/// Whether it is about messages: what `ORG_SEES_MESSAGES=false` keeps from the organisation's channel.
pub fn is_about_messages(event: &EventName) -> bool {
    event.as_str().starts_with("messages.") || matches!(event.as_str(), "send.message" | "send.message.update")
}

/// Whether it shows a code, and so becomes the frame `qrcode`.
pub fn is_qrcode(event: &EventName) -> bool {
    event.as_str() == "qrcode.updated"
}

/// Whether it tells where a connection stands, and so becomes the frame `status`.
pub fn is_status(event: &EventName) -> bool {
    STATUS_FAMILY.contains(&event.as_str())
}

/// The published type of a frame.
pub(super) fn kind_of<'a>(event: &'a EventName, data: Option<Json<'_>>) -> Cow<'a, str> {
    let name = event.as_str();
    Cow::Borrowed(match name {
        _ if is_status(event) => "status",
        EventName::NOTIFICATION => "notification",
        EventName::HEALTH => "health",
        "qrcode.updated" => "qrcode",
        "messages.upsert" | "send.message" if data.and_then(protocol::secret_inside).is_some() => "evolution.protocol",
        "messages.upsert" | "send.message" => "message",
        "messages.update" => "message.update",
        "messages.delete" => "message.delete",
        "messages.edited" | "send.message.update" => match data.and_then(|data| Protocol::of_event(name, data)) {
            // Of an erased one only the event's name is left.
            Some(Protocol::Edit) | None => "message.edit",
            Some(Protocol::Revoke) => "message.delete",
            Some(Protocol::Secret) => "evolution.protocol",
        },
        "messages.set" => "history",
        "presence.update" => "presence",
        "call" => "call",
        _ => return of_noun(name),
    })
}

fn of_noun(name: &str) -> Cow<'_, str> {
    for (plural, singular) in NOUNS {
        if let Some(verb) = name.strip_prefix(plural) {
            return Cow::Owned(format!("{singular}{verb}"));
        }
    }
    Cow::Owned(format!("evolution.{name}"))
}
