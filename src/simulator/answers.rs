//! The shapes of Evolution's JSON: answers, errors in their many forms (§6.1), and what webhooks carry.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Phone;
use super::world::{Instance, State, Webhook};
use super::world::{Memory, Row, ShownCode};
use crate::domain::time::Millis;

/// The file in the place of every file: a picture of one point, in base64.
pub(super) const TINY_FILE: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// An answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body }
    }
}

/// What a webhook's body is, in the order in which Evolution writes it (§1.2).
#[derive(Serialize)]
pub(super) struct Envelope<'a> {
    pub(super) event: &'a str,
    pub(super) instance: &'a str,
    pub(super) data: &'a Value,
    pub(super) destination: &'a str,
    pub(super) date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sender: Option<&'a str>,
    pub(super) server_url: &'a str,
    pub(super) apikey: &'a str,
}

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The form of all errors; `message` has five of its own (§6.1).
pub(super) fn error(status: u16, reason: &str, message: Value) -> Reply {
    let response = Map::from_iter([("message".to_owned(), message)]);
    Reply::new(status, json!({"status": status, "error": reason, "response": response}))
}

pub(super) fn bad_request(message: Value) -> Reply {
    error(400, "Bad Request", message)
}

/// Violations of a schema come nested once more.
pub(super) fn violations(found: &[String]) -> Reply {
    bad_request(json!([found]))
}

pub(super) fn unauthorized() -> Reply {
    error(401, "Unauthorized", json!("Unauthorized"))
}

pub(super) fn no_instance(name: &str) -> Reply {
    error(404, "Not Found", json!([format!("The \"{name}\" instance does not exist")]))
}

pub(super) fn not_found(what: &str) -> Reply {
    error(404, "Not Found", json!([format!("Instance \"{what}\" not found")]))
}

pub(super) fn no_route(method: &str, path: &str) -> Reply {
    error(404, "Not Found", json!([format!("Cannot {method} {path}")]))
}

pub(super) fn name_in_use(name: &str) -> Reply {
    error(403, "Forbidden", json!([format!("This name \"{name}\" is already in use.")]))
}

/// 200 with an error inside (§5.7).
pub(super) fn failed(message: &str) -> Reply {
    Reply::new(200, json!({"error": true, "message": message}))
}

pub(super) fn licence_required(server: &str) -> Reply {
    let register = format!("{server}/manager/license");
    let message = "This server is not activated.";
    Reply::new(
        503,
        json!({"error": "service not activated", "code": "LICENSE_REQUIRED", "register_url": register, "message": message}),
    )
}

// ── instances ──────────────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn done(message: &str) -> Reply {
    Reply::new(200, json!({"status": "SUCCESS", "error": false, "response": {"message": message}}))
}

pub(super) fn connection(name: &str, state: Option<State>) -> Reply {
    let mut instance = json!({"instanceName": name});
    if let Some(state) = state {
        instance["state"] = json!(state.as_str());
    }
    Reply::new(200, json!({"instance": instance}))
}

pub(super) fn code_object(memory: &Memory) -> Value {
    match &memory.code {
        None => json!({"count": memory.count}),
        Some(code) => {
            json!({"pairingCode": code.pairing, "code": code.text, "base64": code.image, "count": memory.count})
        }
    }
}

pub(super) fn code(memory: &Memory) -> Reply {
    Reply::new(200, code_object(memory))
}

/// Of a create; its code, if one is wanted, is added when there is one.
pub(super) fn created(instance: &Instance) -> Value {
    let webhook = instance.webhook.as_ref().map_or(json!({}), |webhook| {
        let mut shown = json!({
            "webhookUrl": webhook.url, "webhookByEvents": webhook.by_events, "webhookBase64": webhook.base64,
        });
        if let Some(headers) = &webhook.headers {
            shown["webhookHeaders"] = headers.clone();
        }
        shown
    });
    json!({
        "instance": {
            "instanceName": instance.name, "instanceId": instance.id, "integration": "WHATSAPP-BAILEYS",
            "webhookWaBusiness": null, "accessTokenWaBusiness": "",
            "status": instance.memory.as_ref().map_or("close", |memory| memory.state.as_str()),
        },
        "hash": instance.token, "webhook": webhook, "websocket": {}, "rabbitmq": {}, "nats": {}, "sqs": {},
        "settings": instance.setting.values,
    })
}

/// A row of `fetchInstances`.
pub(super) fn row(instance: &Instance, client: &str) -> Value {
    let Row { status, owner, profile_name, picture, number, ending, created_at, updated_at } = &instance.row;
    let setting = &instance.setting;
    let mut values = json!(setting.values);
    values["id"] = json!(setting.id);
    values["createdAt"] = json!(setting.created_at.to_string());
    values["updatedAt"] = json!(setting.updated_at.to_string());
    values["instanceId"] = json!(instance.id);
    json!({
        "id": instance.id, "name": instance.name, "connectionStatus": status.as_str(), "ownerJid": owner,
        "profileName": profile_name, "profilePicUrl": picture, "integration": "WHATSAPP-BAILEYS", "number": number,
        "businessId": null, "token": instance.token, "clientName": client,
        "disconnectionReasonCode": ending.as_ref().map(|(code, _, _)| code),
        "disconnectionObject": ending.as_ref().map(|(_, object, _)| object),
        "disconnectionAt": ending.as_ref().map(|(_, _, at)| at.to_string()),
        "createdAt": created_at.to_string(), "updatedAt": updated_at.to_string(),
        "Chatwoot": null, "Proxy": instance.proxy, "Rabbitmq": null, "Nats": null, "Sqs": null, "Websocket": null,
        "Setting": values, "_count": {"Message": instance.messages.len(), "Contact": 0, "Chat": 0},
    })
}

/// A webhook's row; its names are not those of the request (§6.4).
pub(super) fn webhook(webhook: &Webhook, instance_id: &str) -> Value {
    json!({
        "id": webhook.id, "url": webhook.url, "headers": webhook.headers, "enabled": webhook.is_enabled,
        "events": webhook.events, "webhookByEvents": webhook.by_events, "webhookBase64": webhook.base64,
        "createdAt": webhook.created_at.to_string(), "updatedAt": webhook.updated_at.to_string(),
        "instanceId": instance_id,
    })
}

// ── what webhooks carry ────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn state(name: &str, state: State, reason: u16) -> Value {
    json!({"instance": name, "state": state.as_str(), "statusReason": reason})
}

pub(super) fn open(name: &str, phone: &Phone) -> Value {
    json!({
        "instance": name, "wuid": phone.jid(), "profileName": phone.name, "profilePictureUrl": phone.picture(),
        "state": "open", "statusReason": 200,
    })
}

pub(super) fn refused(name: &str, row: &Row) -> Value {
    json!({
        "instance": name, "state": "refused", "statusReason": 428, "wuid": row.owner,
        "profileName": row.profile_name, "profilePictureUrl": row.picture,
    })
}

pub(super) fn limit_reached() -> Value {
    json!({"message": "QR code limit reached, please login again", "statusCode": 500})
}

pub(super) fn code_shown(name: &str, code: &ShownCode) -> Value {
    json!({"qrcode": {"instance": name, "pairingCode": code.pairing, "code": code.text, "base64": code.image}})
}

/// Why a connection ended for good.
pub(super) enum Cause {
    DeviceRemoved,
    Failure,
    TimedOut,
    LoggedOut(String),
}

/// `disconnectionObject`: a JSON text, by which the two kinds of 401 are told apart (§3.2).
pub(super) fn ending(code: u16, cause: &Cause, now: Millis) -> String {
    let (data, message) = match cause {
        Cause::DeviceRemoved => (
            json!({"tag": "stream:error", "attrs": {"code": code.to_string()},
                "content": [{"tag": "conflict", "attrs": {"type": "device_removed"}}]}),
            "Stream Errored (conflict)".to_owned(),
        ),
        Cause::Failure => (json!({"reason": code.to_string(), "location": "sim"}), "Connection Failure".to_owned()),
        Cause::TimedOut => (Value::Null, "QR refs attempts ended".to_owned()),
        Cause::LoggedOut(name) => (Value::Null, format!("Log out instance: {name}")),
    };
    let reason = match code {
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        406 => "Not Acceptable",
        _ => "Request Time-out",
    };
    let error = json!({
        "data": data, "isBoom": true, "isServer": false,
        "output": {"statusCode": code, "payload": {"statusCode": code, "error": reason, "message": message}, "headers": {}},
    });
    json!({"error": error, "date": now.to_string()}).to_string()
}

// ── messages ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// A sent message: the answer of a send and the data of `send.message` (§6.5).
pub(super) fn sent(instance_id: &str, id: &str, jid: &str, kind: &str, message: &Value, now: Millis) -> Value {
    let mut data = json!({
        "key": {"remoteJid": jid, "fromMe": true, "id": id}, "pushName": "Você", "status": "PENDING",
        "message": message, "messageType": kind, "messageTimestamp": now.as_secs(), "instanceId": instance_id,
        "source": "web",
    });
    if kind == "conversation" && !jid.ends_with("@g.us") {
        data["contextInfo"] = context(now);
    } else if message[kind]["contextInfo"].is_object() {
        data["contextInfo"] = message[kind]["contextInfo"].clone();
    }
    data
}

pub(super) fn context(now: Millis) -> Value {
    json!({
        "mentionedJid": [], "groupMentions": [], "disappearingMode": {"initiator": 0},
        "ephemeralSettingTimestamp": {"low": now.as_secs() - 172_800, "high": 0, "unsigned": false},
    })
}

pub(super) fn chat(jid: &str, phone: &Phone, last: &Value) -> Value {
    let at = Millis::from_secs(last["messageTimestamp"].as_i64().unwrap_or(0));
    let mut message = last.clone();
    message["participant"] = Value::Null;
    message["sessionId"] = Value::Null;
    message["status"] = json!("PENDING");
    if let Some(fields) = message.as_object_mut() {
        fields.remove("MessageUpdate");
    }
    json!({
        "id": last["id"], "remoteJid": jid, "pushName": phone.name, "profilePicUrl": phone.picture(),
        "updatedAt": at.to_string(), "windowStart": at.to_string(),
        "windowExpires": (at + std::time::Duration::from_hours(24)).to_string(), "windowActive": true,
        "lastMessage": message, "unreadCount": 0, "isSaved": true,
    })
}

pub(super) fn contact(instance: &Instance, jid: &str, phone: &Phone) -> Value {
    let created = instance.row.created_at.to_string();
    let kind = if jid.ends_with("@g.us") { "group" } else { "contact" };
    json!({
        "id": instance.id, "remoteJid": jid, "pushName": phone.name, "profilePicUrl": phone.picture(),
        "createdAt": created, "updatedAt": created, "instanceId": instance.id, "isGroup": kind == "group",
        "isSaved": true, "type": kind,
    })
}

// ── the server ─────────────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn metrics<'a>(
    version: &str,
    client: &str,
    server: &str,
    instances: impl Iterator<Item = &'a Instance>,
) -> String {
    use std::fmt::Write;
    let lines: Vec<(String, &str)> = instances
        .filter_map(|instance| {
            let labels = format!("instance=\"{}\",integration=\"WHATSAPP-BAILEYS\"", instance.name);
            Some((labels, instance.memory.as_ref()?.state.as_str()))
        })
        .collect();
    let mut text = format!(
        "# HELP evolution_environment_info Environment information\n# TYPE evolution_environment_info gauge\n\
         evolution_environment_info{{version=\"{version}\",clientName=\"{client}\",serverUrl=\"{server}\"}} 1\n\
         # HELP evolution_instances_total Total number of instances\n# TYPE evolution_instances_total gauge\n\
         evolution_instances_total {}\n\
         # HELP evolution_instance_up 1 if instance state is open, else 0\n# TYPE evolution_instance_up gauge\n\
         # HELP evolution_instance_state Instance state as a labelled metric\n\
         # TYPE evolution_instance_state gauge\n",
        lines.len()
    );
    for (labels, state) in lines {
        let up = u8::from(state == "open");
        let _ = write!(
            text,
            "evolution_instance_up{{{labels}}} {up}\nevolution_instance_state{{{labels},state=\"{state}\"}} 1\n"
        );
    }
    text
}
