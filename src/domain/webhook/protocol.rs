//! Protocol messages between an account's devices, which Evolution forwards unread as `messages.edited` (CONTRACT §4.4): edits and revokes
//! are events of the chat, all others are the device's own affairs and may carry its keys.

use memchr::memmem;

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

/// What may hold keys wherever it stands: a whole protocol message, or the two parts of it that do.
const KEY_HOLDERS: [&str; 3] = ["protocolMessage", "appStateSyncKeyShare", "historySyncNotification"];

/// How deep keys are looked for; nine levels are the deepest known form, a wrapped message in a batch.
const MAX_DEPTH: usize = 16;

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
fn inside<'a>(entry: &Object<'a>) -> Vec<Json<'a>> {
    let mut found = Vec::new();
    let mut level: Vec<_> = entry.all("message").filter_map(Json::object).collect();
    for _ in 0..=MAX_WRAPPING {
        let here = level.iter().flat_map(|message| message.all("protocolMessage").collect::<Vec<_>>());
        found.extend(here.filter(|message| !message.is_null()));
        level = level.iter().flat_map(|message| unwrapped(message)).collect();
    }
    found
}

/// A protocol message with keys that came in an ordinary message's `data`: all that may be told of it is its type.
pub fn secret_inside(data: Json<'_>) -> Option<Json<'_>> {
    if !may_say(data, &["protocolMessage"]) {
        return None;
    }
    inside(&data.object()?).into_iter().find(|message| Protocol::of_message(*message) == Protocol::Secret)
}

/// Whatever may hold keys in `data`, in any shape: alone, in a list, in a batch under `messages`, quoted, and every
/// copy of a repeated member. What lies too deep to be looked through counts as well if it could hold any.
pub fn secrets_in(data: Json<'_>) -> Vec<Json<'_>> {
    let mut found = Vec::new();
    let mut level = vec![data];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for value in level.into_iter().filter(|value| may_hold_keys(*value)) {
            next.extend(value.elements());
            for member in value.object().iter().flat_map(Object::members) {
                let is_kept = match KEY_HOLDERS.iter().find(|name| member.is_called(name)) {
                    Some(&"protocolMessage") => Protocol::of_message(member.value()) != Protocol::Secret,
                    Some(_) => false,
                    None => true,
                };
                if is_kept { next.push(member.value()) } else { found.push(member.value()) }
            }
        }
        level = next;
    }
    found.extend(level.into_iter().filter(|value| may_hold_keys(*value)));
    found
}

/// A cheap look at the text, so that ordinary messages, however large, are not taken apart. Evolution writes no
/// escapes in names, but a name could be written so.
fn may_hold_keys(value: Json<'_>) -> bool {
    may_say(value, &KEY_HOLDERS)
}

/// Whether a member with one of these names may stand anywhere in it.
fn may_say(value: Json<'_>, names: &[&str]) -> bool {
    let says = |sign: &str| memmem::find(value.raw().as_bytes(), sign.as_bytes()).is_some();
    (value.is_object() || value.is_array()) && (says("\\u") || names.iter().any(|name| says(name)))
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
