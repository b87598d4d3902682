//! What Evolution was recorded to post (Evolution 2.3.6), and where in each an id stands that every server's frame shows.

use anyhow::Context;
use serde_json::Value;

/// A recorded webhook.
#[derive(Clone, Copy, Debug)]
pub struct Recording {
    text: &'static str,
    /// A JSON pointer to the id; `None` where a frame shows nothing that differs from one event to the next.
    id: Option<&'static str>,
}

macro_rules! recording {
    ($name:literal) => {
        recording!($name, None)
    };
    ($name:literal at $id:literal) => {
        recording!($name, Some($id))
    };
    ($name:literal, $id:expr) => {
        Recording { text: include_str!(concat!("../../tests/data/evolution/webhooks/", $name, ".json")), id: $id }
    };
}

/// A text, which most webhooks are.
pub const TEXT: Recording = recording!("messages.upsert/text-conversation" at "/data/key/id");

/// Every kind of event, in the order of an instance's life: made, paired, filled with its history, used. Left out are
/// those that end it (`status.instance`, `logout.instance`, `connection.update` with `close`) or remove it
/// (`remove.instance`, `instance.delete`): there is one of each in a life, and nothing after them.
pub const EVERY_KIND: [Recording; 29] = [
    recording!("instance.create/baileys"),
    recording!("connection.update/connecting-first"),
    recording!("qrcode.updated/qr-first" at "/data/qrcode/code"),
    recording!("connection.update/open-after-scan"),
    recording!("chats.set/initial-bootstrap" at "/data/0/remoteJid"),
    recording!("messages.set/initial-bootstrap"),
    recording!("messages.edited/PITFALL-history-sync-notification"),
    recording!("contacts.upsert/from-history" at "/data/0/remoteJid"),
    recording!("contacts.update/picture-changed" at "/data/0/remoteJid"),
    recording!("presence.update/composing" at "/data/id"),
    TEXT,
    recording!("messages.upsert/text-extended-quoted" at "/data/key/id"),
    recording!("messages.upsert/group-text-lid" at "/data/key/id"),
    recording!("messages.upsert/image-with-base64" at "/data/key/id"),
    recording!("messages.upsert/audio-ptt" at "/data/key/id"),
    recording!("messages.upsert/reaction" at "/data/key/id"),
    recording!("messages.edited/edit-by-contact" at "/data/key/id"),
    recording!("messages.delete/revoked-by-contact" at "/data/id"),
    recording!("chats.upsert/from-message-update" at "/data/0/remoteJid"),
    recording!("send.message/text" at "/data/key/id"),
    recording!("send.message/media-image" at "/data/key/id"),
    recording!("messages.update/delivery-ack" at "/data/keyId"),
    recording!("messages.update/read" at "/data/keyId"),
    recording!("send.message.update/edit-own-text" at "/data/key/id"),
    recording!("messages.delete/deleted-by-api" at "/data/key/id"),
    recording!("groups.upsert/created" at "/data/0/id"),
    recording!("groups.update/subject" at "/data/0/id"),
    recording!("group-participants.update/participants-add" at "/data/id"),
    recording!("call/offer-voice" at "/data/id"),
];

impl Recording {
    /// The body as it is posted for an instance of that name, with the mark in place of the id: of an address
    /// (`5511…@s.whatsapp.net`) in place of what stands before the `@`.
    pub fn body(self, instance: &str, mark: &str) -> anyhow::Result<Value> {
        let recorded: Value = serde_json::from_str(self.text)?;
        let mut body = recorded["request"]["body"].clone();
        let name = body["instance"].as_str().context("it names no instance")?.to_owned();
        rename(&mut body, &name, instance);
        if let Some(id) = self.id {
            let id = body.pointer_mut(id).with_context(|| format!("it has nothing at {id}"))?;
            let marked = match id.as_str().context("its id is no text")?.split_once('@') {
                Some((_, server)) => format!("{mark}@{server}"),
                None => mark.to_owned(),
            };
            *id = Value::from(marked);
        }
        Ok(body)
    }
}

/// Every text that is `name` becomes `other`.
fn rename(json: &mut Value, name: &str, other: &str) {
    match json {
        Value::String(text) if text == name => other.clone_into(text),
        Value::Array(elements) => elements.iter_mut().for_each(|element| rename(element, name, other)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, name, other)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn every_recording_is_of_the_instance_it_is_posted_for_and_has_its_mark_once() {
        let event = Event { user: 7, number: 12 };
        for recording in EVERY_KIND {
            let body = recording.body("user_7", &event.mark()).unwrap();

            assert_eq!(body["instance"], "user_7");
            let text = body.to_string();
            assert_eq!(text.matches(&event.mark()).count(), usize::from(recording.id.is_some()), "{text}");
            assert_eq!(Event::in_frame(text.as_bytes()), recording.id.map(|_| event));
        }
    }

    #[test]
    fn a_code_is_of_full_size_and_an_address_keeps_its_server() {
        let sizes = EVERY_KIND.map(|recording| recording.body("user_7", "M").unwrap().to_string().len());
        assert!(sizes.into_iter().any(|size| size >= 15_000), "{sizes:?}");

        let presence = recording!("presence.update/composing" at "/data/id").body("user_7", "M").unwrap();
        assert_eq!(presence["data"]["id"], "M@s.whatsapp.net");
    }
}
