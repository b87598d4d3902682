//! What Evolution looks at in a body, and the words in which it refuses (§6.4, §6.5).

use serde_json::Value;

use super::answers::{Reply, bad_request, violations};

/// The names that `/webhook/set` accepts, in Evolution's order (§2).
pub(super) const EVENTS: [&str; 31] = [
    "APPLICATION_STARTUP",
    "QRCODE_UPDATED",
    "MESSAGES_SET",
    "MESSAGES_UPSERT",
    "MESSAGES_EDITED",
    "MESSAGES_UPDATE",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE",
    "CONTACTS_SET",
    "CONTACTS_UPSERT",
    "CONTACTS_UPDATE",
    "PRESENCE_UPDATE",
    "CHATS_SET",
    "CHATS_UPSERT",
    "CHATS_UPDATE",
    "CHATS_DELETE",
    "GROUPS_UPSERT",
    "GROUP_UPDATE",
    "GROUP_PARTICIPANTS_UPDATE",
    "CONNECTION_UPDATE",
    "LABELS_EDIT",
    "LABELS_ASSOCIATION",
    "CALL",
    "TYPEBOT_START",
    "TYPEBOT_CHANGE_STATUS",
    "REMOVE_INSTANCE",
    "LOGOUT_INSTANCE",
    "INSTANCE_CREATE",
    "INSTANCE_DELETE",
    "STATUS_INSTANCE",
];

/// The switches of an instance, all required by `/settings/set`.
pub(super) const SETTINGS: [&str; 6] =
    ["rejectCall", "groupsIgnore", "alwaysOnline", "readMessages", "readStatus", "syncFullHistory"];

/// What it says where `events` is missing (§1.7).
pub(super) const NO_EVENTS: &str = "Cannot read properties of undefined (reading 'length')";

/// The fields of a body that must be there.
pub(super) fn required(body: &Value, fields: &[&str]) -> Option<Reply> {
    let missing: Vec<String> = fields
        .iter()
        .filter(|field| body[**field].is_null())
        .map(|field| format!("instance requires property \"{field}\""))
        .collect();
    (!missing.is_empty()).then(|| violations(&missing))
}

/// The body of a create, less the name, which the guard has seen.
pub(super) fn create(body: &Value) -> Option<Reply> {
    let mut found = Vec::new();
    if let Some(number) = body["number"].as_str().filter(|number| !is_number(number)) {
        let _ = number;
        found.push("number does not match pattern \"^\\\\d+[\\\\.@\\\\w-]+\"".to_owned());
    }
    for field in ["qrcode"].into_iter().chain(SETTINGS) {
        if !body[field].is_null() && !body[field].is_boolean() {
            found.push(format!("{field} is not of a type(s) boolean"));
        }
    }
    if !found.is_empty() {
        return Some(violations(&found));
    }
    let is_known = matches!(body["integration"].as_str(), Some("WHATSAPP-BAILEYS" | "WHATSAPP-BUSINESS" | "EVOLUTION"));
    (!is_known).then(|| bad_request(serde_json::json!(["Invalid integration"])))
}

/// `^\d+[\.@\w-]+`: digits, and at least one more of a few characters.
fn is_number(number: &str) -> bool {
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = number.len() - rest.len();
    let more = rest.chars().next().is_some_and(|c| c == '.' || c == '@' || c == '-' || c == '_' || c.is_alphanumeric());
    digits > 1 || digits == 1 && more
}

/// The body of `/webhook/set`.
pub(super) fn webhook(body: &Value) -> Option<Reply> {
    if let Some(refused) = required(body, &["webhook"]) {
        return Some(refused);
    }
    let webhook = &body["webhook"];
    let mut found = Vec::new();
    for field in ["enabled", "url"] {
        if webhook[field].is_null() {
            found.push(format!("webhook requires property \"{field}\""));
        }
    }
    for (at, event) in webhook["events"].as_array().into_iter().flatten().enumerate() {
        if !event.as_str().is_some_and(|event| EVENTS.contains(&event)) {
            found.push(format!("webhook.events[{at}] is not one of enum values: {}", EVENTS.join(",")));
        }
    }
    if !found.is_empty() {
        return Some(violations(&found));
    }
    let is_missing = webhook["enabled"] == Value::Bool(true) && !webhook["events"].is_array();
    is_missing.then(|| super::answers::error(500, "Internal Server Error", Value::String(NO_EVENTS.to_owned())))
}

/// `number` of a send.
pub(super) fn recipient(body: &Value) -> Result<String, Reply> {
    match &body["number"] {
        Value::String(number) => Ok(number.clone()),
        Value::Null => Err(violations(&["instance requires property \"number\"".to_owned()])),
        _ => Err(violations(&["Invalid format".to_owned()])),
    }
}
