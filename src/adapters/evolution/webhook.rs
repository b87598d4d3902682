//! Where Evolution posts an instance's events, which, and how it proves that it does.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::domain::evolution::Failure;

/// What this gateway subscribes (§2). Chats, contacts and history cost three more posts per message.
const EVENTS: [&str; 16] = [
    "QRCODE_UPDATED",
    "CONNECTION_UPDATE",
    "STATUS_INSTANCE",
    "LOGOUT_INSTANCE",
    "REMOVE_INSTANCE",
    "INSTANCE_CREATE",
    "INSTANCE_DELETE",
    "MESSAGES_UPSERT",
    "MESSAGES_UPDATE",
    "MESSAGES_EDITED",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE",
    "CALL",
    "GROUP_PARTICIPANTS_UPDATE",
    "GROUPS_UPSERT",
];
/// `webhook/set` refuses it; `create` looks at no name (§2).
const ONLY_AT_CREATE: &str = "GROUPS_UPDATE";
/// The header that is none: Evolution signs with it (§1.1).
const KEY_HEADER: &str = "jwt_key";

/// An instance's webhook.
#[derive(Clone)]
pub struct WebhookSetting {
    url: String,
    jwt_key: SecretString,
    events: BTreeSet<String>,
    /// Posts to one address, with our headers alone, media left out.
    is_plain: bool,
}

/// Never prints the key.
impl std::fmt::Debug for WebhookSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookSetting")
            .field("url", &self.url)
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

impl WebhookSetting {
    /// What this gateway wants of an instance.
    pub fn new(url: String, jwt_key: SecretString) -> Self {
        Self { url, jwt_key, events: EVENTS.iter().map(|&event| event.to_owned()).collect(), is_plain: true }
    }

    /// What `webhook/find` answered; `None` when nothing is posted.
    pub(super) fn found(answer: &Value) -> Result<Option<Self>, Failure> {
        match answer {
            Value::Object(_) => Ok(Self::of_row(answer)),
            Value::Null => Ok(None),
            _ => Err(Failure::NotEvolution("its webhook is unreadable")),
        }
    }

    fn of_row(answer: &Value) -> Option<Self> {
        if answer["enabled"] != Value::Bool(true) {
            return None;
        }
        let headers = answer["headers"].as_object();
        let key = headers.and_then(|headers| headers.get(KEY_HEADER)).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str| answer[name] == Value::Bool(true);
        let events = answer["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Some(Self {
            url: answer["url"].as_str()?.to_owned(),
            jwt_key: SecretString::from(key),
            events: events.map(str::to_owned).collect(),
            is_plain: !flag("webhookByEvents") && !flag("webhookBase64") && headers.is_some_and(|h| h.len() == 1),
        })
    }

    /// Whether what is there does what is wanted. More events do.
    pub fn is_satisfied_by(&self, there: &Self) -> bool {
        self.url == there.url
            && self.jwt_key.expose_secret() == there.jwt_key.expose_secret()
            && self.events.is_subset(&there.events)
            && there.is_plain
    }

    pub(super) fn for_create(&self) -> Value {
        let mut events: Vec<&str> = self.events.iter().map(String::as_str).collect();
        events.push(ONLY_AT_CREATE);
        self.with_events(&events)
    }

    pub(super) fn for_set(&self) -> Value {
        let events: Vec<&str> = self.events.iter().map(String::as_str).collect();
        self.with_events(&events)
    }

    fn with_events(&self, events: &[&str]) -> Value {
        json!({
            "enabled": true,
            "url": self.url,
            "byEvents": false,
            "base64": false,
            "headers": { KEY_HEADER: self.jwt_key.expose_secret() },
            "events": events,
        })
    }
}
