//! What the recorded webhooks of a real Evolution become: their frame, their identity, what they mean, and that nothing
//! secret of them is kept.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;
use zapgate::domain::entry::Entry;
use zapgate::domain::frame;
use zapgate::domain::ids::UserId;
use zapgate::domain::json::{Json, Object};
use zapgate::domain::lifecycle::{Cause, Input};
use zapgate::domain::time::Millis;
use zapgate::domain::webhook::{Keep, Webhook, parse};

fn parsed(body: &str) -> Webhook {
    parse(&Bytes::copy_from_slice(body.as_bytes()), None, None).unwrap()
}

/// The frame's text for the row that would be stored, without a code in the instance's row.
fn frame_of(webhook: &Webhook) -> (String, String) {
    let entry = Entry {
        id: 1,
        user: UserId::from_subject("1").unwrap(),
        seq: 1,
        org: None,
        admin_seq: None,
        instance: webhook.instance.clone(),
        event: webhook.event.clone(),
        at: Millis(0),
        emitted_at: Millis(0),
        late: false,
        folded: 0,
        outcome: None,
        body: webhook.body.clone(),
    };
    let body = frame::body(&entry, None, Millis(0));
    let text = frame::encode(&entry, 1, &body).text().to_owned();
    (body.kind, text)
}

fn recordings() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution")
}

/// Every recorded body as it stands in its file: reformatted, so white space is exercised as well.
fn recorded_bodies(folder: &str) -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    let mut folders = vec![recordings().join(folder)];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                folders.push(file);
                continue;
            }
            let name = file.strip_prefix(recordings()).unwrap().display().to_string();
            let text = std::fs::read_to_string(&file).unwrap();
            let mut found = Vec::new();
            collect_bodies(Json::parse(&text).unwrap(), &mut found);
            bodies.extend(found.into_iter().map(|body| (name.clone(), body)));
        }
    }
    assert!(!bodies.is_empty());
    bodies.sort();
    bodies
}

/// Recordings keep a body at different places by their kind, always as `body`.
fn collect_bodies(value: Json<'_>, into: &mut Vec<String>) {
    value.elements().into_iter().for_each(|element| collect_bodies(element, into));
    for member in value.object().iter().flat_map(Object::members) {
        if member.is_called("body") && member.value().get("event").is_some() {
            into.push(member.value().raw().to_owned());
        } else {
            collect_bodies(member.value(), into);
        }
    }
}

#[test]
fn every_recorded_webhook_is_understood() {
    let opened =
        Input::Opened { phone_number: Some("5511900000001".into()), profile_name: Some("Loja Central".into()) };
    let ended = Input::Ended { code: Some(401), cause: Some(Cause::DeviceRemoved) };
    let (entry, days) = (Keep::WithEntry, Keep::TwoDays);
    // The first matching row counts.
    let table: &[(&str, &str, Keep, Option<Input>)] = &[
        ("call/", "call", days, None),
        ("chats.set/", "chat.set", days, None),
        ("chats.upsert/", "chat.upsert", days, None),
        ("connection.update/close-401", "status", days, Some(Input::Closed { code: Some(401) })),
        ("connection.update/connecting", "status", days, Some(Input::Connecting)),
        ("connection.update/open", "status", days, Some(opened)),
        ("contacts.update/", "contact.update", days, None),
        ("contacts.upsert/", "contact.upsert", days, None),
        ("group-participants.update/", "group.participants.update", days, None),
        ("groups.update/", "group.update", days, None),
        ("groups.upsert/", "group.upsert", days, None),
        ("instance.create/", "status", days, Some(Input::Created)),
        ("instance.delete/", "status", days, Some(Input::Removed)),
        ("logout.instance/", "status", days, Some(Input::LoggedOut)),
        ("messages.delete/", "message.delete", entry, None),
        ("messages.edited/PITFALL-history-sync-notification", "evolution.protocol", days, None),
        ("messages.edited/PITFALL-revoke-as-edited", "message.delete", entry, None),
        ("messages.edited/edit-by-contact", "message.edit", entry, None),
        ("messages.set/", "history", days, None),
        ("messages.update/", "message.update", entry, None),
        ("messages.upsert/", "message", entry, None),
        ("presence.update/", "presence", days, None),
        ("remove.instance/", "status", days, Some(Input::Removed)),
        ("send.message/", "message", entry, None),
        ("send.message.update/", "message.edit", entry, None),
        ("status.instance/", "status", days, Some(ended)),
    ];

    for (name, body) in recorded_bodies("webhooks") {
        let webhook = parsed(&body);
        let name = name.strip_prefix("webhooks/").unwrap();

        if name.starts_with("qrcode.updated/") {
            let shown = webhook.qr.as_ref().unwrap();
            assert_eq!(webhook.input, Some(Input::Qr { hash: shown.hash.clone() }), "{name}");
            assert!(shown.code.as_ref().unwrap().starts_with("2@"), "{name}");
            assert_eq!(frame_of(&webhook).0, "qrcode", "{name}");
            continue;
        }
        let row = table.iter().find(|(prefix, ..)| name.starts_with(prefix));
        let (_, kind, keep, input) = row.unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!((frame_of(&webhook).0.as_str(), webhook.identity.keep), (*kind, *keep), "{name}");
        assert_eq!(webhook.input, *input, "{name}");
        assert_eq!(webhook.qr, None, "{name}");
        assert!(webhook.emission.date_time.is_some(), "{name}");
    }
}

#[test]
fn no_secret_of_any_recording_is_kept() {
    for folder in ["webhooks", "flows", "delivery"] {
        for (name, body) in recorded_bodies(folder) {
            let before: Value = serde_json::from_str(&body).unwrap();
            let webhook = parsed(&body);
            let after = String::from_utf8(webhook.body.to_vec()).unwrap();

            for secret in secrets_of(&before) {
                assert!(!after.contains(&secret), "{name} keeps a secret");
            }
            serde_json::from_str::<Value>(&after).unwrap();
            let frame = frame_of(&webhook).1;
            serde_json::from_str::<Value>(&frame).unwrap();
            assert!(!frame.contains("mediaKey") && !frame.contains("apikey"), "{name}");
        }
    }
}

/// Token, code and, of protocol messages with keys, every string but the type.
fn secrets_of(envelope: &Value) -> Vec<String> {
    fn strings(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) if text.len() > 3 => into.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|value| strings(value, into)),
            Value::Object(map) => map.values().for_each(|value| strings(value, into)),
            _ => {}
        }
    }
    let mut secrets = Vec::new();
    strings(&envelope["apikey"], &mut secrets);
    for part in ["base64", "code", "pairingCode"] {
        strings(&envelope["data"]["qrcode"][part], &mut secrets);
    }
    let kind = envelope["data"]["type"].as_str().unwrap_or_default();
    if envelope["event"] == "messages.edited" && !["MESSAGE_EDIT", "REVOKE"].contains(&kind) {
        for (name, value) in envelope["data"].as_object().unwrap() {
            if name != "type" {
                strings(value, &mut secrets);
            }
        }
    }
    secrets
}
