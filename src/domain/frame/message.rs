//! The frames about messages: what a chat window shows, and nothing of the keys that open the media.

use super::data::Data;
use crate::domain::ids::InstanceName;
use crate::domain::json::{Json, Object};
use crate::domain::time::Millis;
use crate::domain::webhook::protocol;

/// What a message is, by the name of its content (`messageType`, CONTRACT §4.2), and where its text stands in it.
/// Endings such as `V3` are versions of one thing.
const CONTENTS: [(&str, &str, &[&str]); 31] = [
    ("conversation", "text", &[]),
    ("extendedTextMessage", "text", &["text"]),
    ("imageMessage", "image", &["caption"]),
    ("videoMessage", "video", &["caption"]),
    ("ptvMessage", "video", &["caption"]),
    ("audioMessage", "audio", &["caption"]),
    ("documentMessage", "document", &["caption"]),
    ("stickerMessage", "sticker", &["caption"]),
    ("lottieStickerMessage", "sticker", &["caption"]),
    ("locationMessage", "location", &["name"]),
    ("liveLocationMessage", "location", &["caption"]),
    ("contactMessage", "contact", &["displayName"]),
    ("contactsArrayMessage", "contact", &["displayName"]),
    ("pollCreationMessage", "poll", &["name"]),
    ("pollCreationMessageV2", "poll", &["name"]),
    ("pollCreationMessageV3", "poll", &["name"]),
    ("pollCreationMessageV4", "poll", &["name"]),
    ("pollCreationMessageV5", "poll", &["name"]),
    ("pollUpdateMessage", "poll_vote", &["name"]),
    ("reactionMessage", "reaction", &["text"]),
    ("buttonsMessage", "buttons", &["contentText"]),
    ("buttonsResponseMessage", "buttons", &["selectedDisplayText"]),
    ("templateButtonReplyMessage", "buttons", &["selectedDisplayText"]),
    ("interactiveMessage", "buttons", &["body", "text"]),
    ("interactiveResponseMessage", "buttons", &["body", "text"]),
    ("templateMessage", "buttons", &["hydratedTemplate", "hydratedContentText"]),
    ("listMessage", "list", &["title"]),
    ("listResponseMessage", "list", &["title"]),
    ("eventMessage", "event", &["name"]),
    ("groupInviteMessage", "group_invite", &["caption"]),
    ("productMessage", "product", &["body"]),
];

/// Wrappers opened to find what is shown.
const MAX_WRAPPING: usize = 3;

/// `messages.upsert` and `send.message`. `sender` is the envelope's: the own address, if Evolution knows it.
pub(super) fn message(instance: &InstanceName, data: Option<Json<'_>>, sender: Option<Json<'_>>) -> String {
    let entry = data.and_then(Json::object);
    let of = |name| entry.as_ref().and_then(|entry| entry.get(name));
    let key = of("key").and_then(Json::object);
    let of_key = |name| key.as_ref().and_then(|key| key.get(name)).filter(|value| !is_empty(*value));
    let from_me = of_key("fromMe").is_some_and(Json::is_true);
    let chat = of_key("remoteJid");
    let from = if from_me { sender } else { of_key("participant").or(chat) };
    let shown = Shown::of(of("message"), of("messageType"));

    Data::of(instance)
        .string("id", of_key("id"))
        .string("chatId", chat)
        .string("from", from)
        .flag("fromMe", from_me)
        .string("pushName", of("pushName"))
        .text("kind", Some(shown.kind))
        .string("text", shown.text)
        .text("timestamp", of("messageTimestamp").and_then(Json::integer).and_then(from_secs).as_deref())
        .string_if_any("chatAlt", of_key("remoteJidAlt"))
        .string_if_any("fromAlt", of_key("participantAlt"))
        .string_if_any("reactionTo", shown.reaction_to)
        .finish()
}

/// `messages.update`: how far a message got, or that it was refused.
pub(super) fn update(instance: &InstanceName, data: Option<Json<'_>>) -> String {
    let data = data.and_then(Json::object);
    let of = |name| data.as_ref().and_then(|data| data.get(name));
    let of_key = |name| of("key").and_then(|key| key.get(name));
    Data::of(instance)
        .string("id", of("keyId").or_else(|| of_key("id")))
        .string("chatId", of("remoteJid").or_else(|| of_key("remoteJid")))
        .flag("fromMe", of("fromMe").or_else(|| of_key("fromMe")).is_some_and(Json::is_true))
        .string_if_any("participant", of("participant"))
        .string("status", of("status"))
        .finish()
}

/// An edit by a contact or by the API: the original's id and the new text.
pub(super) fn edit(instance: &InstanceName, data: Option<Json<'_>>) -> String {
    let data = data.and_then(Json::object);
    let of = |name| data.as_ref().and_then(|data| data.get(name));
    let of_key = |name| of("key").and_then(|key| key.get(name));
    let shown = Shown::of(of("editedMessage"), None);
    let at = of("timestampMs").and_then(Json::integer).and_then(|at| rfc3339(Millis(at)));
    Data::of(instance)
        .string("id", of_key("id"))
        .string("chatId", of_key("remoteJid"))
        .flag("fromMe", of_key("fromMe").is_some_and(Json::is_true))
        .text("kind", Some(shown.kind))
        .string("text", shown.text)
        .text("timestamp", at.as_deref())
        .finish()
}

/// A deletion in any of its three shapes: a revoke, a key, or the API's with the key inside (CONTRACT §4.4).
pub(super) fn deletion(instance: &InstanceName, data: Option<Json<'_>>) -> String {
    let key = data.and_then(|data| data.get("key").or(Some(data))).and_then(Json::object);
    let of_key = |name| key.as_ref().and_then(|key| key.get(name));
    Data::of(instance)
        .string("id", of_key("id"))
        .string("chatId", of_key("remoteJid"))
        .flag("fromMe", of_key("fromMe").is_some_and(Json::is_true))
        .string_if_any("participant", of_key("participant"))
        .string_if_any("chatAlt", of_key("remoteJidAlt"))
        .finish()
}

/// What of a message's content is shown.
struct Shown<'a> {
    kind: &'static str,
    text: Option<Json<'a>>,
    reaction_to: Option<Json<'a>>,
}

impl<'a> Shown<'a> {
    const NOTHING: Self = Self { kind: "unknown", text: None, reaction_to: None };

    /// `message` is an object, or in older forms the text itself.
    fn of(message: Option<Json<'a>>, message_type: Option<Json<'_>>) -> Self {
        let Some(message) = message else { return Self::NOTHING };
        if message.is_string() {
            return Self { kind: "text", text: Some(message), reaction_to: None };
        }
        let Some(mut content) = message.object() else { return Self::NOTHING };
        let message_type = message_type.and_then(Json::text);
        for _ in 0..=MAX_WRAPPING {
            if let Some(shown) = Self::named(&content, message_type.as_deref()).or_else(|| Self::first(&content)) {
                return shown;
            }
            let Some(inner) = protocol::unwrapped(&content).into_iter().next() else { break };
            content = inner;
        }
        Self::NOTHING
    }

    /// The content that `messageType` names; in groups others may stand beside it.
    fn named(content: &Object<'a>, message_type: Option<&str>) -> Option<Self> {
        let row = CONTENTS.iter().find(|(name, ..)| Some(*name) == message_type)?;
        Some(Self::at(row, content.get(row.0)?))
    }

    fn first(content: &Object<'a>) -> Option<Self> {
        content.members().iter().find_map(|member| {
            let row = CONTENTS.iter().find(|(name, ..)| member.is_called(name))?;
            (!member.value().is_null()).then(|| Self::at(row, member.value()))
        })
    }

    fn at(&(_, kind, path): &(&str, &'static str, &[&str]), content: Json<'a>) -> Self {
        let reaction_to = if kind == "reaction" { content.at(&["key", "id"]) } else { None };
        Self { kind, text: content.at(path), reaction_to }
    }
}

fn is_empty(value: Json<'_>) -> bool {
    value.is_null() || value.raw() == "\"\""
}

fn from_secs(secs: i64) -> Option<String> {
    rfc3339(Millis::from_secs(secs))
}

/// `None` for an instant that no calendar year of four digits holds.
fn rfc3339(at: Millis) -> Option<String> {
    const YEARS_0_TO_9999: std::ops::Range<i64> = -62_167_219_200_000..253_402_207_200_000;
    YEARS_0_TO_9999.contains(&at.0).then(|| at.to_string())
}
