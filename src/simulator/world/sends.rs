//! What is sent through the API (§6.5), how far it gets, and what is asked about chats (§6.6).

use serde_json::{Value, json};

use super::instance::State;
use super::{Due, World};
use crate::domain::time::Millis;
use crate::simulator::Phone;
use crate::simulator::answers::{self, Reply};

/// What WhatsApp says of a sent message.
#[derive(Clone, Debug)]
pub(super) struct Receipt {
    id: String,
    jid: String,
    status: &'static str,
}

/// How a send went.
#[derive(Debug)]
pub(in crate::simulator) enum Sent {
    Answered(Reply),
    /// WhatsApp is silent: nothing comes for a minute, then this (§6.5).
    Hangs(Reply),
}

/// The address a number stands for. A LID is answered with the phone's address (§4.3).
fn address(number: &str) -> String {
    match number.split_once('@') {
        Some((lid, "lid")) => format!("{}@s.whatsapp.net", lid.strip_prefix("77").unwrap_or(lid)),
        Some(_) => number.to_owned(),
        None => format!("{number}@s.whatsapp.net"),
    }
}

impl World {
    /// Sends a message of a kind (`conversation`, `imageMessage`, …) to a number.
    pub(in crate::simulator) fn send(
        &mut self,
        name: &str,
        number: &str,
        kind: &str,
        message: &Value,
        now: Millis,
    ) -> Sent {
        let id = self.dice.message_id(true);
        let (delivered, read) = (self.latencies.delivered, self.latencies.read);
        let is_unknown = self.unknown_numbers.contains(number);
        let Some(instance) = self.instances.get_mut(name) else { return Sent::Answered(answers::no_instance(name)) };
        let has_sent = instance.memory.as_ref().is_some_and(|memory| memory.sender.is_some());
        let state = instance.memory.as_ref().map_or(State::Close, |memory| memory.state);
        if !has_sent || instance.session.is_none() && state != State::Open {
            let text = "TypeError: Cannot read properties of undefined (reading 'id')";
            return Sent::Answered(answers::bad_request(json!([text])));
        }
        let closed = answers::bad_request(json!(["Error: Connection Closed"]));
        if instance.silent_until.is_some_and(|until| until > now) {
            return Sent::Hangs(closed);
        }
        if state != State::Open {
            return Sent::Answered(closed);
        }
        let jid = address(number);
        if is_unknown {
            return Sent::Answered(answers::bad_request(json!([{"jid": jid, "exists": false, "number": number}])));
        }
        let is_group = jid.ends_with("@g.us");
        let refused = std::mem::take(&mut instance.refuses_next);
        let mut data = answers::sent(&instance.id, &id, &jid, kind, message, now);
        if !instance.webhook.as_ref().is_some_and(|webhook| webhook.base64)
            && let Some(fields) = data["message"].as_object_mut()
        {
            fields.remove("base64");
        }
        self.keep(name, &data, None);
        self.emit(name, "send.message", data.clone(), None, now);
        let mut receipts = vec![];
        if refused {
            receipts.push((now, "ERROR"));
        } else if !is_group {
            // A group's receipts are not forwarded (§4.4).
            receipts.extend([(now + delivered, "DELIVERY_ACK"), (now + delivered + read, "READ")]);
        }
        for (at, status) in receipts {
            let receipt = Receipt { id: id.clone(), jid: jid.clone(), status };
            self.later(at, Due::Receipt { name: name.to_owned(), receipt });
        }
        Sent::Answered(Reply::new(201, data))
    }

    pub(super) fn receipt(&mut self, name: &str, receipt: Receipt, now: Millis) {
        let Receipt { id, jid, status } = receipt;
        let Some(instance) = self.instances.get_mut(name) else { return };
        let instance_id = instance.id.clone();
        let Some(record) = instance.messages.iter_mut().rev().find(|record| record["key"]["id"] == json!(id)) else {
            return;
        };
        if let Some(updates) = record["MessageUpdate"].as_array_mut() {
            updates.push(json!({"status": status}));
        }
        let data = json!({
            "keyId": id, "remoteJid": jid, "fromMe": true, "status": status, "instanceId": instance_id,
            "messageId": record["id"],
        });
        self.emit(name, "messages.update", data, None, now);
        if status != "ERROR" {
            let chat = json!([{"remoteJid": jid, "instanceId": instance_id, "unreadMessages": 0}]);
            self.emit(name, "chats.upsert", chat, None, now);
        }
    }

    /// The next message sent is refused by WhatsApp: 201 all the same, `ERROR` after it.
    pub(in crate::simulator) fn refuse_next(&mut self, name: &str) -> bool {
        self.instances.get_mut(name).map(|instance| instance.refuses_next = true).is_some()
    }

    /// `chat/updateMessage`: the answer's key is the correction's, the message's is inside.
    pub(in crate::simulator) fn edit_sent(&mut self, name: &str, key: &Value, text: &str, now: Millis) -> Reply {
        let edit = json!({"extendedTextMessage": {"text": text}});
        let data = json!({"key": key, "editedMessage": edit, "timestampMs": now.0, "type": 14});
        self.emit(name, "send.message.update", data, None, now);
        let inner =
            json!({"key": key, "type": "MESSAGE_EDIT", "editedMessage": edit, "timestampMs": now.0.to_string()});
        Reply::new(200, self.protocol_answer(key, &inner, now))
    }

    /// `chat/deleteMessageForEveryone`.
    pub(in crate::simulator) fn revoke_sent(&mut self, name: &str, key: &Value, now: Millis) -> Reply {
        let found = self.instances.get(name).and_then(|instance| {
            instance.messages.iter().rev().find(|record| record["key"]["id"] == key["id"]).cloned()
        });
        if let Some(mut data) = found {
            data["status"] = json!("DELETED");
            data["participant"] = Value::Null;
            if let Some(fields) = data.as_object_mut() {
                fields.remove("MessageUpdate");
                fields.remove("contextInfo");
            }
            self.emit(name, "messages.delete", data, None, now);
        }
        Reply::new(201, self.protocol_answer(key, &json!({"key": key, "type": "REVOKE"}), now))
    }

    fn protocol_answer(&mut self, key: &Value, inner: &Value, now: Millis) -> Value {
        json!({
            "key": {"remoteJid": key["remoteJid"], "fromMe": true, "id": self.dice.message_id(true)},
            "message": {"protocolMessage": inner},
            "messageTimestamp": now.as_secs().to_string(),
            "status": "PENDING",
        })
    }

    /// `chat/findMessages`: newest first; `offset` is the size of a page.
    pub(in crate::simulator) fn find_messages(&self, name: &str, asked: &Value) -> Value {
        let wanted = &asked["where"];
        let fits = |record: &&Value| {
            let id = |field: &str| {
                let key = &wanted["key"][field];
                key.is_null() || *key == record["key"][field]
            };
            let kind = &wanted["messageType"];
            // `fromMe: false` is not looked at.
            let own = wanted["key"]["fromMe"] != json!(true) || record["key"]["fromMe"] == json!(true);
            let at = Millis::from_secs(record["messageTimestamp"].as_i64().unwrap_or(0));
            let bound = |field: &str| wanted["messageTimestamp"][field].as_str().and_then(Millis::parse_rfc3339);
            let in_time = match (bound("gte"), bound("lte")) {
                (Some(from), Some(to)) => from <= at && at <= to,
                _ => true,
            };
            id("id") && id("remoteJid") && own && in_time && (kind.is_null() || *kind == record["messageType"])
        };
        let found: Vec<&Value> = self
            .instances
            .get(name)
            .into_iter()
            .flat_map(|instance| instance.messages.iter().rev())
            .filter(fits)
            .collect();
        let size = asked["offset"].as_u64().filter(|size| *size > 0).unwrap_or(50);
        let page = asked["page"].as_u64().filter(|page| *page > 0).unwrap_or(1);
        let total = found.len() as u64;
        let skip = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
        let records: Vec<&Value> = found.into_iter().skip(skip).take(usize::try_from(size).unwrap_or(0)).collect();
        json!({"messages": {
            "total": total, "pages": total.div_ceil(size), "currentPage": page, "records": records,
        }})
    }

    /// `chat/findContacts`, and the same people as `chat/findChats`: whoever wrote or was written to.
    pub(in crate::simulator) fn find_people(&self, name: &str, asked: &Value, as_chats: bool) -> Value {
        let Some(instance) = self.instances.get(name) else { return json!([]) };
        let mut people = std::collections::BTreeMap::new();
        for record in &instance.messages {
            let jid = record["key"]["remoteJid"].as_str().unwrap_or_default();
            let wanted = asked["where"]["remoteJid"].as_str();
            if wanted.is_none_or(|wanted| wanted == jid) {
                people.insert(jid.to_owned(), record);
            }
        }
        let row = |(jid, record): (String, &Value)| {
            let number = jid.split('@').next().unwrap_or_default().to_owned();
            let phone = Phone::new(&number, record["pushName"].as_str().unwrap_or_default());
            if as_chats { answers::chat(&jid, &phone, record) } else { answers::contact(instance, &jid, &phone) }
        };
        people.into_iter().map(row).collect()
    }

    /// `chat/whatsappNumbers`.
    pub(in crate::simulator) fn numbers(&self, asked: &[String]) -> Value {
        let row = |number: &String| {
            let exists = !self.unknown_numbers.contains(number);
            let mut row = json!({"jid": address(number), "exists": exists, "number": number});
            if exists {
                row["name"] = json!("Ana Teste");
            }
            row
        };
        asked.iter().map(row).collect()
    }
}
