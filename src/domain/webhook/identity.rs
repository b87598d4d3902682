//! By what a re-delivery is recognised (DESIGN "Dedupe by meaning"): a message by its own id wherever it comes from,
//! everything else by its content. `destination`, `server_url`, `sender` and `apikey` never count.

use sha2::{Digest, Sha256};

use super::protocol::Protocol;
use super::{Identity, Keep};
use crate::domain::event::EventName;
use crate::domain::ids::InstanceName;
use crate::domain::json::{Json, Object};

/// `data` is as it was received, before anything was cut out.
pub(super) fn of(instance: &InstanceName, event: &EventName, date_time: &str, data: Option<Json<'_>>) -> Identity {
    let digest: [u8; 32] = Sha256::digest(data.map_or("", Json::raw)).into();
    let content = u64::from_be_bytes(std::array::from_fn(|i| digest[i]));
    let by_id = data.and_then(|data| message_key(instance, event.as_str(), data));
    let (key, keep) = if let Some(key) = by_id {
        (key, Keep::WithEntry)
    } else {
        (Key::new("event", instance).part(event.as_str()).part(date_time).part(digest), Keep::TwoDays)
    };
    Identity { key: key.finish(), keep, content }
}

/// The key of an event about one message; `None` for other events, when the message has no id and when an edit has no
/// time.
fn message_key(instance: &InstanceName, event: &str, data: Json<'_>) -> Option<Key> {
    let members = data.object()?;
    let of = |name| members.get(name);
    let key = of("key").and_then(Json::object);
    match event {
        "messages.upsert" | "send.message" => Key::of_message("message", instance, &key?, "id"),
        "messages.update" => {
            let update = match of("keyId") {
                Some(_) => Key::of_message("update", instance, &members, "keyId"),
                None => Key::of_message("update", instance, &key?, "id"),
            }?;
            let update = update.value(of("status")).value(of("participant"));
            Some(update.value(of("pollUpdates")).value(of("message")))
        }
        "messages.edited" | "send.message.update" => {
            let family = match Protocol::of_event(event, data)? {
                Protocol::Edit => "edit",
                Protocol::Revoke => "revoke",
                Protocol::Secret => return None,
            };
            let at = of("timestampMs").and_then(Json::integer);
            // It may be missing (CONTRACT §4.4). A message is revoked once, but edited again and again.
            if at.is_none() && family == "edit" {
                return None;
            }
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            Some(Key::of_message(family, instance, &key?, "id")?.part(at))
        }
        // By the API the key is a member, and `id` beside it the database's; by a contact `data` is the key (§4.4).
        "messages.delete" if of("key").is_some() => Key::of_message("delete", instance, &key?, "id"),
        "messages.delete" => Key::of_message("delete", instance, &members, "id"),
        _ => None,
    }
}

/// A hash over parts, each with its length before it, so that no two lists of parts read the same.
struct Key(Sha256);

impl Key {
    fn new(family: &str, instance: &InstanceName) -> Self {
        Self(Sha256::new()).part(family).part(instance.as_str())
    }

    /// A message's own id and side; `None` without an id.
    fn of_message(family: &str, instance: &InstanceName, key: &Object<'_>, id: &str) -> Option<Self> {
        let id = key.get(id)?.filled_text()?;
        let from_me = key.get("fromMe").is_some_and(Json::is_true);
        Some(Self::new(family, instance).part(id.as_ref()).part([u8::from(from_me)]))
    }

    fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// A value that may be missing; missing, `null` and an empty text are the same nothing.
    fn value(self, value: Option<Json<'_>>) -> Self {
        let said = value.filter(|value| !value.is_null() && value.raw() != "\"\"");
        self.part(said.map_or("", Json::raw))
    }

    fn finish(self) -> [u8; 16] {
        let digest: [u8; 32] = self.0.finalize().into();
        std::array::from_fn(|i| digest[i])
    }
}
