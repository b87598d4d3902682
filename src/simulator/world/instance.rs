//! One instance of the pretended Evolution: its row, its configuration, and what lives in memory while it runs.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::chats::Waiting;
use crate::domain::time::Millis;
use crate::simulator::Phone;

/// As memory and the row say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum State {
    Open,
    Connecting,
    Close,
}

impl State {
    pub(in crate::simulator) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Connecting => "connecting",
            Self::Close => "close",
        }
    }
}

pub(in crate::simulator) struct Instance {
    pub(in crate::simulator) id: String,
    /// Tells it from an older one of its name.
    pub(super) serial: u64,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) token: String,
    pub(in crate::simulator) row: Row,
    pub(in crate::simulator) setting: Setting,
    pub(in crate::simulator) webhook: Option<Webhook>,
    pub(in crate::simulator) proxy: Option<Value>,
    /// The row `"Session"`: the credentials that survive a restart.
    pub(in crate::simulator) session: Option<Session>,
    /// Absent while Evolution starts, and shortly before a deleted instance is gone (§5.8, §5.11).
    pub(in crate::simulator) memory: Option<Memory>,
    /// Deleted, and waiting for its farewell to be delivered.
    pub(in crate::simulator) is_removing: bool,
    /// Newest last.
    pub(in crate::simulator) messages: VecDeque<Value>,
    /// Came while nothing was connected.
    pub(super) offline: VecDeque<super::Incoming>,
    /// WhatsApp can't be reached until then.
    pub(super) cut_until: Option<Millis>,
    /// WhatsApp is there and says nothing until then.
    pub(super) silent_until: Option<Millis>,
    /// Another server uses the same session until then (440).
    pub(super) rival_until: Option<Millis>,
    /// The next message sent is refused by WhatsApp.
    pub(super) refuses_next: bool,
}

/// What `fetchInstances` shows; stale in the ways of §6.3.
pub(in crate::simulator) struct Row {
    pub(in crate::simulator) status: State,
    pub(in crate::simulator) owner: Option<String>,
    pub(in crate::simulator) profile_name: Option<String>,
    pub(in crate::simulator) picture: Option<String>,
    pub(in crate::simulator) number: Option<String>,
    /// Code, object (a JSON string) and time of the last final ending; never cleared.
    pub(in crate::simulator) ending: Option<(u16, String, Millis)>,
    pub(in crate::simulator) created_at: Millis,
    pub(in crate::simulator) updated_at: Millis,
}

#[derive(Clone, Debug)]
pub(in crate::simulator) struct Setting {
    pub(in crate::simulator) id: String,
    pub(in crate::simulator) values: Map<String, Value>,
    pub(in crate::simulator) created_at: Millis,
    pub(in crate::simulator) updated_at: Millis,
}

/// The link of a phone to an instance.
#[derive(Clone)]
pub(in crate::simulator) struct Session {
    pub(in crate::simulator) phone: Phone,
    /// Tells one pairing from another.
    pub(super) link: u64,
    /// False once the phone removed the device: logging in with it ends with 401.
    pub(in crate::simulator) is_linked: bool,
    /// The history was shared already.
    pub(super) is_synced: bool,
}

/// What an instance is while its process runs.
pub(in crate::simulator) struct Memory {
    /// Tells it from an older one.
    pub(super) id: u64,
    pub(in crate::simulator) state: State,
    pub(super) sockets: Vec<Socket>,
    /// Reconnects of an older run are void.
    pub(super) run: u64,
    pub(in crate::simulator) code: Option<Code>,
    /// Never reset by an opening or a logout (§5.4).
    pub(in crate::simulator) count: u32,
    /// Pairing by this number, until a connect without one.
    pub(super) pairing_number: Option<String>,
    /// Own address, from the first opening on.
    pub(in crate::simulator) sender: Option<String>,
    /// Attempts since WhatsApp was reached last.
    pub(super) tries: u32,
    pub(super) queue: VecDeque<Waiting>,
    /// A delivery is being waited for.
    pub(super) is_queue_held: bool,
    /// Dead since a logout by API (§5.5).
    pub(super) is_queue_dead: bool,
}

/// A code to scan, which stays in memory when it is long stale (§5.9).
#[derive(Clone)]
pub(in crate::simulator) struct Code {
    pub(in crate::simulator) text: String,
    pub(in crate::simulator) image: String,
    pub(in crate::simulator) pairing: Option<String>,
}

pub(super) struct Socket {
    pub(super) id: u64,
    pub(super) stage: Stage,
    /// Codes that WhatsApp still hands out.
    pub(super) references: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for WhatsApp's first word.
    Greeting,
    /// Shows codes.
    Pairing,
    /// Logging in with this link.
    Login(u64),
    Open(u64),
}

impl Memory {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            state: State::Close,
            sockets: Vec::new(),
            run: id,
            code: None,
            count: 0,
            pairing_number: None,
            sender: None,
            tries: 0,
            queue: VecDeque::new(),
            is_queue_held: false,
            is_queue_dead: false,
        }
    }

    pub(super) fn socket(&mut self, id: u64) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.id == id)
    }

    /// Takes a socket away; whether it was there.
    pub(super) fn drop_socket(&mut self, id: u64) -> bool {
        let before = self.sockets.len();
        self.sockets.retain(|socket| socket.id != id);
        self.sockets.len() < before
    }
}

/// An instance's webhook, as its row has it.
#[derive(Clone)]
pub(in crate::simulator) struct Webhook {
    pub(in crate::simulator) id: String,
    pub(in crate::simulator) url: String,
    pub(in crate::simulator) headers: Option<Value>,
    pub(in crate::simulator) is_enabled: bool,
    /// In the form of the configuration: `MESSAGES_UPSERT`.
    pub(in crate::simulator) events: Vec<String>,
    pub(in crate::simulator) by_events: bool,
    pub(in crate::simulator) base64: bool,
    pub(in crate::simulator) created_at: Millis,
    pub(in crate::simulator) updated_at: Millis,
}

impl Webhook {
    /// Whether an event goes out; one whose URL is none never does (§1.7).
    pub(super) fn wants(&self, event: &str) -> bool {
        let configured = event.replace(['.', '-'], "_").to_uppercase();
        self.is_enabled && self.url.starts_with("http") && self.events.contains(&configured)
    }

    /// Plain concatenation, as Evolution does it (§1.1).
    pub(super) fn address(&self, event: &str) -> String {
        if self.by_events { format!("{}/{}", self.url, event.replace('.', "-")) } else { self.url.clone() }
    }

    pub(super) fn header_list(&self) -> Vec<(String, String)> {
        let headers = self.headers.as_ref().and_then(Value::as_object).into_iter().flatten();
        headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}
