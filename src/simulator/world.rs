//! The pretended Evolution, its WhatsApp and its phones as one pure state: what happens is told to it with the time, what
//! it wants done lies in its outbox, and what is due later in its list. It knows no socket, no HTTP and no clock.
//! Sections named here are of the contract with Evolution API 2.3.6, recordings are in `tests/data/evolution`.

mod asked;
mod chats;
mod connection;
mod endings;
mod instance;
mod outage;
mod pairing;
mod sends;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

pub(super) use asked::{Created, Pairing};
pub(super) use chats::Incoming;
pub(super) use instance::{Code as ShownCode, Instance, Memory, Row, State, Webhook};
pub use outage::Outage;
pub(super) use sends::Sent;

use super::answers::Envelope;
use super::dice::Dice;
use super::{Latencies, Phone};
use crate::domain::evolution::Version;
use crate::domain::time::Millis;

/// A webhook to be delivered, fixed when it was emitted: later changes of the configuration don't reach it (§1.3).
#[derive(Clone)]
pub(super) struct Post {
    pub(super) instance: String,
    pub(super) event: &'static str,
    /// `state`, `status` or `statusReason` of the data: what a test asks for.
    pub(super) data: Value,
    pub(super) url: String,
    /// Custom headers; `jwt_key` among them is the secret of a proof and no header (§1.1).
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) then: Option<Then>,
    pub(super) at: Millis,
}

/// What Evolution does when a delivery has ended, well or not (§1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Wipes whatever session has that name by then.
    Wipe { name: String },
    /// Removes the instance, which by now may be another one of that name.
    Remove { name: String, serial: Option<u64> },
    /// Goes on with the queue of incoming messages.
    Resume { name: String, memory: u64 },
}

/// What will happen later.
#[derive(Clone, Debug)]
enum Due {
    After(Then),
    /// A create has got past the guard and is about to write the row.
    Insert {
        ticket: u64,
    },
    /// WhatsApp answers a new socket, or does not.
    Greeted {
        name: String,
        socket: u64,
    },
    LoggedIn {
        name: String,
        socket: u64,
    },
    /// A code is ready to be shown.
    Code {
        name: String,
        socket: u64,
    },
    NextCode {
        name: String,
        socket: u64,
    },
    Reconnect {
        name: String,
        run: u64,
    },
    /// Somebody else logged in with the same session.
    Replaced {
        name: String,
        socket: u64,
    },
    /// Keep-alive of a silent WhatsApp runs out.
    Noticed {
        name: String,
        socket: u64,
    },
    Receipt {
        name: String,
        receipt: sends::Receipt,
    },
    /// The row of a deleted instance goes.
    Gone {
        name: String,
        serial: u64,
    },
    /// The port listens again; after the death of the process everything connects.
    Reopen {
        outage: u64,
    },
    Outage {
        dies: bool,
        lasts: Duration,
    },
}

/// What Evolution says of itself, and not because of something that came from WhatsApp.
const OF_ITSELF: [&str; 5] =
    ["instance.create", "instance.delete", "remove.instance", "send.message", "send.message.update"];

/// The limits of what is kept.
const MESSAGES_KEPT: usize = 10_000;

pub(super) struct World {
    pub(super) version: Version,
    /// As a server says it: `2.3.6`.
    pub(super) version_text: String,
    pub(super) latencies: Latencies,
    pub(super) server_url: String,
    /// Codes before `refused` (`QRCODE_LIMIT`).
    pub(super) code_limit: u32,
    /// Numbers that are not on WhatsApp.
    pub(super) unknown_numbers: BTreeSet<String>,
    pub(super) dice: Dice,
    instances: BTreeMap<String, Instance>,
    creating: BTreeMap<u64, asked::Creating>,
    outbox: Vec<Post>,
    due: BTreeMap<(Millis, u64), Due>,
    serial: u64,
    /// Evolution's process is down: nothing lives, nothing is sent.
    is_down: bool,
    /// The process died since that was last asked.
    has_died: bool,
    /// The outage under way, in which the port refuses connections; and its end, where that is fixed.
    outage: Option<(u64, Option<Millis>)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("instances", &self.instances.len()).finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn new(version: &str, latencies: &Latencies, code_limit: u32, seed: u64) -> Self {
        Self {
            version: Version::parse(version).unwrap_or(Version(2, 3, 6)),
            version_text: version.to_owned(),
            latencies: *latencies,
            server_url: String::new(),
            code_limit,
            unknown_numbers: BTreeSet::new(),
            dice: Dice::new(seed),
            instances: BTreeMap::new(),
            creating: BTreeMap::new(),
            outbox: Vec::new(),
            due: BTreeMap::new(),
            serial: 0,
            is_down: false,
            has_died: false,
            outage: None,
        }
    }

    /// What is to be delivered; to be asked for after each call.
    pub(super) fn take_posts(&mut self) -> Vec<Post> {
        std::mem::take(&mut self.outbox)
    }

    /// Whether the process died since the last call: its deliveries end with it.
    pub(super) fn take_death(&mut self) -> bool {
        std::mem::take(&mut self.has_died)
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what is due, each thing at its own time.
    pub(super) fn fire(&mut self, now: Millis) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            let ((at, _), due) = first.remove_entry();
            self.happen(due, at);
        }
    }

    fn happen(&mut self, due: Due, now: Millis) {
        match due {
            Due::After(then) => self.after(then, now),
            Due::Insert { ticket } => self.insert(ticket, now),
            Due::Greeted { name, socket } => self.greeted(&name, socket, now),
            Due::LoggedIn { name, socket } => self.logged_in(&name, socket, now),
            Due::Code { name, socket } => self.show_code(&name, socket, now),
            Due::NextCode { name, socket } => self.next_code(&name, socket, now),
            Due::Reconnect { name, run } => self.reconnect(&name, run, now),
            Due::Replaced { name, socket } => self.replaced(&name, socket, now),
            Due::Noticed { name, socket } => self.noticed(&name, socket, now),
            Due::Receipt { name, receipt } => self.receipt(&name, receipt, now),
            Due::Gone { name, serial } => self.gone(&name, serial),
            Due::Reopen { outage } => self.reopen(outage, now),
            Due::Outage { dies, lasts } => self.begin_outage(dies, lasts, now),
        }
    }

    /// What Evolution does after a delivery that it waited for.
    pub(super) fn after(&mut self, then: Then, now: Millis) {
        match then {
            Then::Wipe { name } => self.wipe(&name),
            Then::Remove { name, serial } => self.remove(&name, serial, now),
            Then::Resume { name, memory } => self.resume(&name, memory, now),
        }
    }

    pub(super) fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.get(name)
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    pub(super) fn instance_mut(&mut self, name: &str) -> Option<&mut Instance> {
        self.instances.get_mut(name)
    }

    /// A number that nothing else has.
    fn fresh(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn later(&mut self, at: Millis, due: Due) {
        let order = self.fresh();
        self.due.insert((at, order), due);
    }

    /// Emits an event as the instance's webhook wants it; what waits for its delivery goes on at once where there is
    /// none.
    fn emit(&mut self, name: &str, event: &'static str, data: Value, then: Option<Then>, now: Millis) {
        let is_one_row = self.version >= Version::SAFE_LOGOUT && !OF_ITSELF.contains(&event);
        if is_one_row
            && let Some(memory) = self.memory_mut(name)
            && memory.is_queue_held
            && memory.held_back.len() < MESSAGES_KEPT
        {
            memory.held_back.push_back((event, data, then));
            return;
        }
        let post = self.post(name, event, data, then.clone(), now);
        match (post, then) {
            (Some(post), _) => self.outbox.push(post),
            (None, Some(then)) => self.later(now, Due::After(then)),
            (None, None) => {}
        }
    }

    fn post(&self, name: &str, event: &'static str, data: Value, then: Option<Then>, now: Millis) -> Option<Post> {
        let instance = self.instances.get(name).filter(|_| !self.is_down)?;
        let webhook = instance.webhook.as_ref().filter(|webhook| webhook.wants(event))?;
        let envelope = Envelope {
            event,
            instance: name,
            data: &data,
            destination: &webhook.url,
            date_time: now.to_string(),
            sender: instance.memory.as_ref().and_then(|memory| memory.sender.as_deref()),
            server_url: &self.server_url,
            apikey: &instance.token,
        };
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        let (url, headers) = (webhook.address(event), webhook.header_list());
        Some(Post { instance: name.to_owned(), event, data, url, headers, body, then, at: now })
    }

    /// Behaves as another version from now on.
    pub(super) fn set_version(&mut self, version: &str) {
        self.version = Version::parse(version).unwrap_or(self.version);
        version.clone_into(&mut self.version_text);
    }

    // ── the phone's side ───────────────────────────────────────────────────────────────────────────────────────────

    /// Who is linked to the instance, as WhatsApp knows it.
    pub(super) fn linked(&self, name: &str) -> Option<&Phone> {
        self.instances.get(name)?.device.as_ref().map(|device| &device.phone)
    }
}
