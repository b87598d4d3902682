//! What other people send to a linked account, and the strictly sequential queue it goes through (§1.6, §4).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::instance::Stage;
use super::{MESSAGES_KEPT, Then, World};
use crate::domain::time::Millis;
use crate::simulator::recordings::Recording;
use crate::simulator::{Message, Phone, answers};

/// Messages kept for an account that is not connected.
const OFFLINE_KEPT: usize = 1000;

/// Something that happens at WhatsApp to a linked account.
#[derive(Clone)]
pub(in crate::simulator) struct Incoming {
    pub(in crate::simulator) id: String,
    /// Who wrote it; the other side of the chat where the owner wrote on the phone.
    pub(in crate::simulator) from: Phone,
    pub(in crate::simulator) content: Message,
}

/// What waits in the queue of incoming messages.
pub(super) enum Waiting {
    /// The message, and the contact that is seen by it.
    Upsert(Value, Option<Value>),
    /// A protocol message, whose delivery is waited for; then what follows it.
    Edited(Value, Option<(&'static str, Value)>),
}

impl World {
    /// A message arrives now, or when the account is connected again. Whether there is an account.
    pub(in crate::simulator) fn incoming(&mut self, name: &str, message: Incoming, now: Millis) -> bool {
        let Some(instance) = self.instances.get_mut(name) else { return false };
        if instance.device.is_none() {
            return false;
        }
        let is_fighting = instance.rival_until.is_some_and(|until| until > now);
        let is_mute = instance.silent_until.is_some_and(|until| until > now);
        let sockets = instance.memory.as_ref().map_or(&[][..], |memory| &memory.sockets);
        // With two sockets in a war over one session nothing gets through (§5.9).
        let is_open = matches!(sockets, [socket] if matches!(socket.stage, Stage::Open(_)));
        if is_open && !is_fighting && !is_mute {
            self.arrive(name, message, now);
        } else if instance.offline.len() < OFFLINE_KEPT {
            instance.offline.push_back(message);
        }
        true
    }

    fn arrive(&mut self, name: &str, message: Incoming, now: Millis) {
        let Some(instance) = self.instances.get(name) else { return };
        let Incoming { id, from, content } = message;
        let about = About { instance: instance.id.clone(), id, from, now };
        match content {
            Message::Composing => {
                let jid = about.from.jid();
                let data = json!({"id": jid, "presences": {jid.clone(): {"lastKnownPresence": "composing"}}});
                self.emit(name, "presence.update", data, None, now);
            }
            Message::Call => {
                self.emit(name, "call", about.call(), None, now);
                self.refuse_call(name, &about.from, now);
            }
            Message::Edit { of, text } => {
                let data = json!({
                    "key": about.key_of(&of), "type": "MESSAGE_EDIT",
                    "editedMessage": {"conversation": text}, "timestampMs": now.0.to_string(),
                });
                self.emit(name, "contacts.update", json!([about.contact(None)]), None, now);
                self.queue(name, Waiting::Edited(data, None), now);
            }
            Message::Revoke { of } => {
                let data = json!({"key": about.key_of(&of), "type": "REVOKE"});
                let mut key = about.key_of(&of);
                key["remoteJidAlt"] = json!(about.from.lid());
                key["participant"] = json!("");
                key["addressingMode"] = json!("pn");
                self.emit(name, "contacts.update", json!([about.contact(None)]), None, now);
                self.queue(name, Waiting::Edited(data, Some(("messages.delete", key))), now);
            }
            content => self.upsert(name, &about, &content, now),
        }
    }

    /// With `rejectCall` and `msgCall` the caller gets a text, which comes as an own message (§4.2).
    fn refuse_call(&mut self, name: &str, caller: &Phone, now: Millis) {
        let id = self.dice.message_id(true);
        let Some(instance) = self.instances.get(name) else { return };
        let words = instance.setting.values.get("msgCall").and_then(Value::as_str).unwrap_or_default();
        if words.is_empty() || instance.setting.values.get("rejectCall") != Some(&json!(true)) {
            return;
        }
        let data = json!({
            "key": {"remoteJid": caller.jid(), "fromMe": true, "id": id}, "pushName": "Você", "status": "PENDING",
            "message": {"conversation": words}, "messageType": "conversation", "messageTimestamp": now.as_secs(),
            "instanceId": instance.id, "source": "web",
        });
        let contact = json!({
            "remoteJid": caller.jid(), "pushName": "", "profilePicUrl": caller.picture(), "instanceId": instance.id,
        });
        self.queue(name, Waiting::Upsert(data, Some(contact)), now);
    }

    /// The four webhooks of one message (§2): two at once, two from the queue.
    fn upsert(&mut self, name: &str, about: &About, content: &Message, now: Millis) {
        let mut data = about.message(content);
        if matches!(content, Message::Image(_) | Message::Audio | Message::Document(_))
            && self.instances.get(name).and_then(|instance| instance.webhook.as_ref()).is_some_and(|hook| hook.base64)
        {
            // Beside the message, without the prefix of a data URI (§4.2).
            data["message"]["base64"] = json!(answers::TINY_FILE);
        }
        let is_group = matches!(content, Message::GroupText(_));
        let chat = data["key"]["remoteJid"].clone();
        self.emit(name, "chats.update", json!([{"remoteJid": chat, "instanceId": about.instance}]), None, now);
        let mut seen = about.contact(None);
        if is_group {
            seen["remoteJid"] = json!(about.from.lid());
        }
        self.emit(name, "contacts.update", json!([seen]), None, now);
        let mut contact = about.contact(Some(&about.from.name));
        contact["remoteJid"] = chat;
        self.queue(name, Waiting::Upsert(data, Some(contact)), now);
    }

    /// The recent history of a new pairing (§5.3), with what must never be kept: key shares and history notices.
    pub(super) fn share_history(&mut self, name: &str, picture: Value, now: Millis) {
        let Some(instance) = self.instances.get(name) else { return };
        let id = instance.id.clone();
        let ana = Phone::new("5511999990001", "Ana Teste");
        let about = About { instance: id.clone(), id: self.dice.message_id(false), from: ana.clone(), now };
        let keys = json!({"type": "APP_STATE_SYNC_KEY_SHARE", "appStateSyncKeyShare": {"keys": [{
            "keyId": {"keyId": "AAAAAAAB"},
            "keyData": {"keyData": "c2ltdWxhdGVkLWtleS1kYXRhLW9mLW5vLXVzZS1hdC1hbGw=", "timestamp": "1795000000",
                "fingerprint": {"rawId": 1, "currentIndex": 0, "deviceIndexes": [0]}},
        }]}});
        let notice = Recording::HistoryNotice.data();
        let mut old = about.message(&Message::Text("Bom dia!".to_owned()));
        old["messageTimestamp"] = json!(now.as_secs() - 86_400);
        let unseen = json!([{"remoteJid": ana.jid(), "pushName": ana.name, "profilePicUrl": null, "instanceId": id}]);
        self.queue(name, Waiting::Edited(keys, None), now);
        self.emit(name, "contacts.update", picture.clone(), None, now);
        self.emit(name, "contacts.update", picture, None, now);
        self.emit(name, "chats.set", json!([{"remoteJid": ana.jid(), "instanceId": id, "name": ana.name}]), None, now);
        self.queue(name, Waiting::Edited(notice, None), now);
        self.emit(name, "messages.set", json!([old]), None, now);
        self.emit(name, "contacts.upsert", unseen, None, now);
        self.emit(name, "contacts.update", json!([about.contact(Some(&ana.name))]), None, now);
    }

    // ── the queue ──────────────────────────────────────────────────────────────────────────────────────────────────

    fn queue(&mut self, name: &str, waiting: Waiting, now: Millis) {
        let Some(memory) = self.memory_mut(name) else { return };
        // After a logout by API it is dead: nothing comes out of it, and nothing is stored either (§5.5).
        if !memory.is_queue_dead && memory.queue.len() < OFFLINE_KEPT {
            memory.queue.push_back(waiting);
            self.go_on(name, now);
        }
    }

    fn go_on(&mut self, name: &str, now: Millis) {
        while let Some(memory) = self.memory_mut(name)
            && !memory.is_queue_held
            && let Some(waiting) = memory.queue.pop_front()
        {
            match waiting {
                Waiting::Upsert(data, contact) => {
                    self.keep(name, &data, None);
                    self.emit(name, "messages.upsert", data, None, now);
                    if let Some(contact) = contact {
                        self.emit(name, "contacts.update", contact, None, now);
                    }
                }
                Waiting::Edited(data, next) => {
                    let then = Then::Resume { name: name.to_owned(), memory: memory.id };
                    self.emit(name, "messages.edited", data, Some(then), now);
                    if let Some(memory) = self.memory_mut(name) {
                        memory.is_queue_held = true;
                    }
                    if let Some((event, data)) = next {
                        self.emit(name, event, data, None, now);
                    }
                }
            }
        }
    }

    /// The delivery that held the queue has ended.
    pub(super) fn resume(&mut self, name: &str, id: u64, now: Millis) {
        if let Some(memory) = self.memory_mut(name).filter(|memory| memory.id == id) {
            memory.is_queue_held = false;
            let held_back = std::mem::take(&mut memory.held_back);
            for (event, data, then) in held_back {
                self.emit(name, event, data, then, now);
            }
            self.go_on(name, now);
        }
    }

    /// Stores a message as `findMessages` shows it.
    pub(super) fn keep(&mut self, name: &str, data: &Value, status: Option<&str>) {
        let row_id = self.dice.row_id();
        let Some(instance) = self.instances.get_mut(name) else { return };
        let updates: Vec<Value> = status.iter().map(|status| json!({"status": status})).collect();
        let mut record = json!({"id": row_id, "MessageUpdate": updates});
        for field in ["key", "pushName", "messageType", "message", "messageTimestamp", "instanceId", "source"] {
            record[field] = data[field].clone();
        }
        record["contextInfo"] = data["contextInfo"].clone();
        // Bytes of some fields come out of the database in base64 (§4.1).
        if let Some(secret) = record.pointer_mut("/message/messageContextInfo/messageSecret") {
            *secret = json!(BASE64_STANDARD.encode([0; 32]));
        }
        if instance.messages.len() >= MESSAGES_KEPT {
            instance.messages.pop_front();
        }
        instance.messages.push_back(record);
    }
}

/// One message's circumstances, for the shapes.
struct About {
    /// The id of the instance.
    instance: String,
    id: String,
    from: Phone,
    now: Millis,
}

impl About {
    fn key_of(&self, id: &str) -> Value {
        json!({"remoteJid": self.from.jid(), "fromMe": false, "id": id})
    }

    fn contact(&self, name: Option<&str>) -> Value {
        let mut contact = json!({
            "remoteJid": self.from.jid(), "profilePicUrl": self.from.picture(), "instanceId": self.instance,
        });
        if let Some(name) = name {
            contact["pushName"] = json!(name);
        }
        contact
    }

    fn call(&self) -> Value {
        json!({
            "chatId": self.from.jid(), "from": self.from.jid(), "id": self.id, "date": self.now.to_string(),
            "offline": false, "status": "offer", "isVideo": false, "isGroup": false,
        })
    }

    /// `data` of `messages.upsert`, from the recorded shape.
    fn message(&self, content: &Message) -> Value {
        let (recording, words) = match content {
            Message::GroupText(text) => (Recording::Group, text.as_str()),
            Message::Own(text) => (Recording::FromMe, text.as_str()),
            Message::Image(caption) => (Recording::Image, caption.as_str()),
            Message::Audio => (Recording::Audio, ""),
            Message::Document(caption) => (Recording::Document, caption.as_str()),
            Message::Location(name) => (Recording::Location, name.as_str()),
            Message::Poll(question) => (Recording::Poll, question.as_str()),
            Message::Reaction { emoji, .. } => (Recording::Reaction, emoji.as_str()),
            Message::Text(text) | Message::Edit { text, .. } => (Recording::Text, text.as_str()),
            Message::Revoke { .. } | Message::Composing | Message::Call => (Recording::Text, ""),
        };
        let mut data = recording.data();
        data["key"]["id"] = json!(self.id);
        if recording == Recording::Group {
            data["key"]["participant"] = json!(self.from.lid());
            data["key"]["participantAlt"] = json!(self.from.jid());
        } else {
            data["key"]["remoteJid"] = json!(self.from.jid());
            data["key"]["remoteJidAlt"] = json!(self.from.lid());
        }
        if recording != Recording::FromMe {
            data["pushName"] = json!(self.from.name);
        }
        data["messageTimestamp"] = json!(self.now.as_secs());
        data["instanceId"] = json!(self.instance);
        if let Message::Reaction { of, .. } = content {
            let to = json!({"remoteJid": self.from.jid(), "fromMe": true, "id": of, "participant": ""});
            data["message"]["reactionMessage"]["key"] = to;
        }
        match recording.place_of_words().filter(|_| !words.is_empty()) {
            Some((content, Some(field))) => data["message"][content][field] = json!(words),
            Some((content, None)) => data["message"][content] = json!(words),
            None => {}
        }
        data
    }
}
