//! What is asked of the pretended Evolution about instances (§6.3): create, connect, restart.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::instance::{Instance, Memory, Row, Setting, State, Webhook};
use super::{Due, Then, World};
use crate::domain::time::Millis;
use crate::simulator::answers::{self, Reply};
use crate::simulator::checks::{self, SETTINGS};

/// A create between the guard and the database: a second one of that name gets past the guard meanwhile (§6.3).
pub(super) struct Creating {
    wanted: Value,
    answer: oneshot::Sender<Created>,
}

/// How a create went.
#[derive(Debug)]
pub(in crate::simulator) enum Created {
    Refused(Reply),
    /// The body of the answer as things stand then, whatever becomes of the instance; with the name where the code is
    /// wanted too (`qrcode: true`), which comes later.
    Made {
        body: Value,
        coded: Option<String>,
    },
}

/// What `connect` does.
#[derive(Debug)]
pub(in crate::simulator) enum Pairing {
    /// Answer at once.
    Now(Reply),
    /// A socket was opened; what is to be answered is known when two seconds are over.
    Later,
}

impl World {
    /// `POST /instance/create` once the guards let it through; the answer comes when the row is written.
    pub(in crate::simulator) fn create(&mut self, wanted: Value, now: Millis) -> oneshot::Receiver<Created> {
        let (answer, answered) = oneshot::channel();
        let ticket = self.fresh();
        self.creating.insert(ticket, Creating { wanted, answer });
        let wait = self.latencies.create;
        self.later(now + wait, Due::Insert { ticket });
        answered
    }

    pub(super) fn insert(&mut self, ticket: u64, now: Millis) {
        let Some(Creating { wanted, answer }) = self.creating.remove(&ticket) else { return };
        let name = wanted["instanceName"].as_str().unwrap_or("undefined").to_owned();
        let outcome = self.made(&name, &wanted, now);
        // Who asked may be gone; it is done all the same.
        let _ = answer.send(outcome);
    }

    fn made(&mut self, name: &str, wanted: &Value, now: Millis) -> Created {
        if self.instances.contains_key(name) {
            // The clean-up of the failed one goes by name: it removes the other (§6.3).
            let then = Then::Remove { name: name.to_owned(), serial: None };
            self.emit(name, "remove.instance", Value::Null, Some(then), now);
            let text = "\nInvalid `this.prismaRepository.instance.create()` invocation\n\nUnique constraint failed on the fields: (`name`)";
            return Created::Refused(answers::bad_request(json!([text])));
        }
        let has_webhook = wanted["webhook"].is_object();
        if has_webhook && !wanted["webhook"]["events"].is_array() {
            return Created::Refused(answers::bad_request(json!([checks::NO_EVENTS])));
        }
        let instance = self.new_instance(name, wanted, now);
        let mut body = answers::created(&instance);
        let data = json!({"instanceName": name, "instanceId": instance.id});
        self.instances.insert(name.to_owned(), instance);
        self.emit(name, "instance.create", data, None, now);
        if wanted["proxyHost"].is_string() {
            // No proxy is reachable from here; the failed test takes the instance along (§5.1).
            let then = Then::Remove { name: name.to_owned(), serial: None };
            self.emit(name, "remove.instance", Value::Null, Some(then), now);
            return Created::Refused(answers::bad_request(json!(["Invalid proxy"])));
        }
        let has_code = wanted["qrcode"] == json!(true);
        if has_code {
            let number = wanted["number"].as_str().map(str::to_owned);
            if let Some(memory) = self.memory_mut(name) {
                memory.pairing_number = number;
            }
            self.open_socket(name, now);
            body["instance"]["status"] = json!(State::Connecting.as_str());
        }
        Created::Made { body, coded: has_code.then(|| name.to_owned()) }
    }

    fn new_instance(&mut self, name: &str, wanted: &Value, now: Millis) -> Instance {
        let (serial, memory) = (self.fresh(), self.fresh());
        let token = match wanted["token"].as_str().filter(|token| !token.is_empty()) {
            Some(token) => token.to_owned(),
            None => self.dice.uuid().to_uppercase(),
        };
        let mut values: Map<String, Value> =
            SETTINGS.iter().map(|key| ((*key).to_owned(), wanted.get(*key).cloned().unwrap_or(json!(false)))).collect();
        for key in ["msgCall", "wavoipToken"] {
            values.insert(key.to_owned(), json!(wanted[key].as_str().unwrap_or("")));
        }
        let webhook = wanted["webhook"].is_object().then(|| {
            // Enabled whatever is said, and its events not looked at (§1.7).
            let mut webhook = wanted["webhook"].clone();
            webhook["enabled"] = json!(true);
            self.new_webhook(&webhook, now)
        });
        let row = Row {
            status: State::Close,
            owner: None,
            profile_name: None,
            picture: None,
            number: wanted["number"].as_str().map(str::to_owned),
            ending: None,
            created_at: now,
            updated_at: now,
        };
        Instance {
            id: self.dice.uuid(),
            serial,
            name: name.to_owned(),
            token,
            row,
            setting: Setting { id: self.dice.row_id(), values, created_at: now, updated_at: now },
            webhook,
            proxy: None,
            session: None,
            device: None,
            memory: Some(Memory::new(memory)),
            is_removing: false,
            messages: VecDeque::new(),
            offline: VecDeque::new(),
            cut_until: None,
            silent_until: None,
            rival_until: None,
            refuses_next: false,
        }
    }

    /// A webhook's row; no events mean all that the enum has (§2).
    fn new_webhook(&mut self, wanted: &Value, now: Millis) -> Webhook {
        let is_enabled = wanted["enabled"].as_bool().unwrap_or(false);
        let listed: Vec<String> =
            wanted["events"].as_array().into_iter().flatten().filter_map(|e| Some(e.as_str()?.to_owned())).collect();
        let events = match (is_enabled, listed.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => checks::EVENTS.iter().map(|event| (*event).to_owned()).collect(),
            (true, false) => listed,
        };
        Webhook {
            id: self.dice.row_id(),
            url: wanted["url"].as_str().unwrap_or("").to_owned(),
            headers: wanted.get("headers").filter(|headers| headers.is_object()).cloned(),
            is_enabled,
            events,
            by_events: wanted["byEvents"].as_bool().unwrap_or(false),
            base64: wanted["base64"].as_bool().unwrap_or(false),
            created_at: now,
            updated_at: now,
        }
    }

    /// `POST /webhook/set`: the row keeps its id and its birthday.
    pub(in crate::simulator) fn set_webhook(&mut self, name: &str, wanted: &Value, now: Millis) -> Option<Webhook> {
        let mut webhook = self.new_webhook(wanted, now);
        let instance = self.instances.get_mut(name)?;
        if let Some(old) = &instance.webhook {
            (webhook.id, webhook.created_at) = (old.id.clone(), old.created_at);
        }
        instance.webhook = Some(webhook.clone());
        Some(webhook)
    }

    /// `GET /instance/connect`: from `close` it opens a socket, also beside one that is reconnecting (§5.9).
    pub(in crate::simulator) fn connect(&mut self, name: &str, number: Option<String>, now: Millis) -> Pairing {
        let Some(instance) = self.instances.get_mut(name) else { return Pairing::Now(answers::no_instance(name)) };
        let Some(memory) = instance.memory.as_mut() else {
            return Pairing::Now(answers::failed("Cannot read properties of undefined (reading 'connectionStatus')"));
        };
        match memory.state {
            State::Open => Pairing::Now(answers::connection(name, Some(State::Open))),
            State::Connecting => Pairing::Now(answers::code(memory)),
            State::Close => {
                memory.pairing_number = number;
                self.open_socket(name, now);
                Pairing::Later
            }
        }
    }

    /// What `connect` answers when its two seconds are over, and `create` with `qrcode: true`.
    pub(in crate::simulator) fn code_answer(&self, name: &str) -> Value {
        let memory = self.instances.get(name).and_then(|instance| instance.memory.as_ref());
        memory.map_or(json!({"count": 0}), answers::code_object)
    }

    /// `POST /instance/restart`: answers the state of before (§5.7).
    pub(in crate::simulator) fn restart(&mut self, name: &str, now: Millis) -> Reply {
        let Some(instance) = self.instances.get_mut(name) else { return answers::no_instance(name) };
        let Some(memory) = instance.memory.as_mut() else { return answers::failed("[object Object]") };
        match memory.state {
            State::Close => answers::failed("[object Object]"),
            State::Connecting => answers::code(memory),
            State::Open => {
                self.end_silently(name, 500, now);
                answers::connection(name, Some(State::Open))
            }
        }
    }
}
