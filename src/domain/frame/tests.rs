use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::domain::entry::{Outcome, QrMark};
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::instance::{Status, View};
use crate::domain::webhook;

const NOW: Millis = Millis(1_795_211_000_000);

/// The row that stores this body under this event.
fn entry(event: &str, body: impl Into<Bytes>) -> Entry {
    Entry {
        id: 7,
        user: UserId::from_subject("1").unwrap(),
        seq: 42,
        org: None,
        admin_seq: None,
        instance: InstanceName::parse("user_1").unwrap(),
        event: EventName::dotted(event),
        at: NOW,
        emitted_at: NOW,
        late: false,
        folded: 0,
        outcome: None,
        body: body.into(),
    }
}

/// The row of a webhook as it would really be stored.
fn stored(event: &str, data: &Value) -> Entry {
    let envelope =
        json!({"event": event, "instance": "user_1", "data": data, "sender": "5511@s.whatsapp.net", "apikey": "K"});
    let webhook = webhook::parse(&envelope.to_string().into(), None, None).unwrap();
    entry(event, webhook.body)
}

/// Type and `data` of the frame.
fn rendered(entry: &Entry) -> (String, Value) {
    let body = body(entry, None, NOW);
    let frame: Value = serde_json::from_str(encode(entry, 1, &body).text()).unwrap();
    assert_eq!(frame["type"], body.kind);
    (body.kind, frame["data"].clone())
}

fn frame_of(event: &str, data: &Value) -> (String, Value) {
    rendered(&stored(event, data))
}

#[test]
fn a_frame_has_the_published_form() {
    let mut entry = entry("zapgate.health", r#"{"a":1}"#);
    let plain = body(&entry, None, NOW);

    assert_eq!(
        encode(&entry, 3, &plain).text(),
        r#"{"type":"health","seq":3,"at":"2026-11-20T21:43:20.000Z","data":{"a":1}}"#
    );
    entry.late = true;
    assert_eq!(
        encode(&entry, 4, &plain).text(),
        r#"{"type":"health","seq":4,"at":"2026-11-20T21:43:20.000Z","late":true,"data":{"a":1}}"#
    );
}

#[test]
fn a_frame_is_one_line_however_the_webhook_was_written() {
    let entry = entry("x.y", "{\"data\": {\r\n  \"text\": \"a\\nb\"\n}}");
    let frame = encode(&entry, 1, &body(&entry, None, NOW));

    assert!(!frame.text().contains(['\n', '\r']));
    assert_eq!(serde_json::from_str::<Value>(frame.text()).unwrap()["data"]["data"]["text"], "a\nb");
}

#[test]
fn a_message_says_who_what_where_and_when_in_this_order() {
    let data = json!({"key": {"id": "A", "remoteJid": "1@s.whatsapp.net", "remoteJidAlt": "7@lid", "fromMe": false, "participant": ""},
        "pushName": "Ana", "message": {"conversation": "Olá!"}, "messageType": "conversation", "messageTimestamp": 1_795_211_000});

    let body = body(&stored("messages.upsert", &data), None, NOW);

    assert_eq!(body.kind, "message");
    assert_eq!(
        body.data,
        r#"{"instanceName":"user_1","id":"A","chatId":"1@s.whatsapp.net","from":"1@s.whatsapp.net","fromMe":false,"pushName":"Ana","kind":"text","text":"Olá!","timestamp":"2026-11-20T21:43:20.000Z","chatAlt":"7@lid"}"#
    );
}

#[test]
fn the_author_is_the_participant_in_groups_and_the_own_address_for_own_messages() {
    let group = json!({"key": {"id": "A", "remoteJid": "9@g.us", "participant": "7@lid", "participantAlt": "1@s.whatsapp.net"}});
    let (_, data) = frame_of("messages.upsert", &group);
    assert_eq!((&data["from"], &data["fromAlt"]), (&json!("7@lid"), &json!("1@s.whatsapp.net")));

    let own = json!({"key": {"id": "A", "remoteJid": "9@g.us", "fromMe": true}});
    assert_eq!(frame_of("send.message", &own).1["from"], "5511@s.whatsapp.net");
    let unknown = entry("send.message", json!({"event": "send.message", "data": own}).to_string());
    assert_eq!(rendered(&unknown).1["from"], Value::Null);
}

#[test]
fn each_content_has_its_kind_and_its_text() {
    for (kind, text, message_type, message) in [
        ("text", Some("x"), "conversation", json!({"conversation": "x"})),
        ("text", Some("x"), "extendedTextMessage", json!({"extendedTextMessage": {"text": "x"}})),
        ("text", Some("x"), "unknown", json!("x")),
        ("image", Some("c"), "imageMessage", json!({"imageMessage": {"caption": "c", "mediaKey": "K"}, "base64": "K"})),
        (
            "image",
            Some("c"),
            "imageMessage",
            json!({"senderKeyDistributionMessage": {}, "conversation": "no", "imageMessage": {"caption": "c"}}),
        ),
        ("video", None, "ptvMessage", json!({"ptvMessage": {}})),
        ("audio", None, "audioMessage", json!({"audioMessage": {"ptt": true}})),
        ("document", Some("c"), "documentMessage", json!({"documentMessage": {"caption": "c"}})),
        ("sticker", None, "stickerMessage", json!({"stickerMessage": {}})),
        ("location", Some("Praça"), "locationMessage", json!({"locationMessage": {"name": "Praça"}})),
        ("contact", Some("Ana"), "contactMessage", json!({"contactMessage": {"displayName": "Ana"}})),
        (
            "poll",
            Some("?"),
            "pollCreationMessageV3",
            json!({"messageContextInfo": {}, "pollCreationMessageV3": {"name": "?"}}),
        ),
        ("reaction", Some("👍"), "reactionMessage", json!({"reactionMessage": {"text": "👍", "key": {"id": "B"}}})),
        (
            "buttons",
            Some("Sim"),
            "buttonsResponseMessage",
            json!({"buttonsResponseMessage": {"selectedDisplayText": "Sim"}}),
        ),
        ("list", Some("t"), "listResponseMessage", json!({"listResponseMessage": {"title": "t"}})),
        (
            "image",
            Some("c"),
            "viewOnceMessageV2",
            json!({"viewOnceMessageV2": {"message": {"imageMessage": {"caption": "c"}}}}),
        ),
        ("text", Some("x"), "ephemeralMessage", json!({"ephemeralMessage": {"message": {"conversation": "x"}}})),
        ("unknown", None, "newThing", json!({"newThing": {"text": "x"}})),
        ("text", None, "conversation", json!({"conversation": {"not": "text"}})),
        ("unknown", None, "conversation", json!(null)),
    ] {
        let data = json!({"key": {"id": "A"}, "messageType": message_type, "message": message});
        let (_, shown) = frame_of("messages.upsert", &data);
        assert_eq!((shown["kind"].as_str(), shown["text"].as_str()), (Some(kind), text), "{message}");
        assert!(!shown.to_string().contains('K'), "no key and no file in a frame: {message}");
        assert_eq!(shown["reactionTo"].as_str(), (kind == "reaction").then_some("B"));
    }
}

#[test]
fn a_text_that_no_rust_string_holds_reaches_the_browser_as_it_was_written() {
    let raw = r#"{"event":"messages.upsert","data":{"key":{"id":"A"},"message":{"conversation":"\ud800 \u0000"}}}"#;
    assert!(body(&entry("messages.upsert", raw), None, NOW).data.contains(r#""text":"\ud800 \u0000","#));
}

#[test]
fn a_time_is_read_in_every_encoding_or_is_null() {
    let long = json!({"low": 1_795_211_000, "high": 0, "unsigned": true});
    let at = |time: Value| {
        frame_of("messages.upsert", &json!({"key": {"id": "A"}, "messageTimestamp": time})).1["timestamp"].clone()
    };

    for same in [json!(1_795_211_000), json!("1795211000"), long] {
        assert_eq!(at(same), "2026-11-20T21:43:20.000Z");
    }
    for none in [json!(null), json!("soon"), json!(i64::MAX), json!(i64::MIN), json!(253_402_300_800_i64), json!(1.5)] {
        assert_eq!(at(none.clone()), Value::Null, "{none}");
    }
}

#[test]
fn what_happens_to_messages_has_frames_of_its_own() {
    let key = json!({"id": "A", "remoteJid": "1@lid", "fromMe": true});
    for (event, data, kind, shown) in [
        (
            "messages.update",
            json!({"keyId": "A", "remoteJid": "1@lid", "fromMe": true, "status": "READ", "messageId": "db"}),
            "message.update",
            json!({"id": "A", "chatId": "1@lid", "fromMe": true, "status": "READ"}),
        ),
        (
            "messages.edited",
            json!({"key": key, "type": "MESSAGE_EDIT", "editedMessage": {"conversation": "n"}, "timestampMs": "1795211000000"}),
            "message.edit",
            json!({"id": "A", "chatId": "1@lid", "fromMe": true, "kind": "text", "text": "n", "timestamp": "2026-11-20T21:43:20.000Z"}),
        ),
        (
            "send.message.update",
            json!({"key": key, "type": 14, "editedMessage": {"extendedTextMessage": {"text": "n"}}}),
            "message.edit",
            json!({"id": "A", "chatId": "1@lid", "fromMe": true, "kind": "text", "text": "n", "timestamp": null}),
        ),
        (
            "messages.edited",
            json!({"key": key, "type": 0}),
            "message.delete",
            json!({"id": "A", "chatId": "1@lid", "fromMe": true}),
        ),
        ("messages.delete", key.clone(), "message.delete", json!({"id": "A", "chatId": "1@lid", "fromMe": true})),
        (
            "messages.delete",
            json!({"id": "db", "key": key}),
            "message.delete",
            json!({"id": "A", "chatId": "1@lid", "fromMe": true}),
        ),
        ("messages.edited", json!({"type": 6, "appStateSyncKeyShare": "K"}), "evolution.protocol", json!({"type": 6})),
        (
            "messages.upsert",
            json!({"key": key, "message": {"protocolMessage": {"type": 6, "k": "K"}}}),
            "evolution.protocol",
            json!({"type": 6}),
        ),
    ] {
        let mut expected = shown;
        expected["instanceName"] = "user_1".into();
        assert_eq!(frame_of(event, &data), (kind.into(), expected), "{event}");
    }
}

#[test]
fn other_events_keep_evolutions_verb_and_their_data() {
    for (event, kind) in [
        ("chats.upsert", "chat.upsert"),
        ("contacts.set", "contact.set"),
        ("groups.update", "group.update"),
        ("group-participants.update", "group.participants.update"),
        ("labels.edit", "evolution.labels.edit"),
        ("brand.\"new\"", "evolution.brand.\"new\""),
    ] {
        let (found, shown) = frame_of(event, &json!([{"id": "x"}]));
        assert_eq!((found.as_str(), shown), (kind, json!({"instanceName": "user_1", "data": [{"id": "x"}]})));
    }
    let call = json!({"id": "C", "from": "1@lid", "chatId": "2@lid", "date": "d", "status": "offer", "isVideo": true});
    assert_eq!(
        frame_of("call", &call),
        (
            "call".into(),
            json!({"instanceName": "user_1", "id": "C", "chatId": "2@lid",
        "from": "1@lid", "status": "offer", "isVideo": true, "isGroup": false, "timestamp": "d"})
        )
    );
    let presence = json!({"id": "1@lid", "presences": {"1@lid": {"lastKnownPresence": "composing"}}});
    let shown = json!({"instanceName": "user_1", "chatId": "1@lid", "presences": presence["presences"]});
    assert_eq!(frame_of("presence.update", &presence), ("presence".into(), shown));
}

#[test]
fn history_is_counted_and_not_shown() {
    let expected = |latest: Value, progress: Value| json!({"instanceName": "user_1", "count": 2, "isLatest": latest, "progress": progress});
    assert_eq!(frame_of("messages.set", &json!([{}, {}])), ("history".into(), expected(json!(null), json!(null))));

    let entry = entry("messages.set", r#"{"event":"messages.set","data":[1,2],"isLatest":false,"progress":37}"#);
    assert_eq!(rendered(&entry), ("history".into(), expected(json!(false), json!(37))));
}

#[test]
fn status_tells_what_was_decided_when_the_row_was_stored() {
    for event in [
        "connection.update",
        "status.instance",
        "logout.instance",
        "remove.instance",
        "instance.create",
        "instance.delete",
        "zapgate.status",
    ] {
        let mut entry = entry(event, "null");
        let view = View {
            status: Status::Connected,
            is_connected: true,
            phone_number: Some("5511".into()),
            ..View::default()
        };
        entry.outcome = Some(Outcome { view, qr: None });

        let body = body(&entry, None, NOW);

        assert_eq!(body.kind, "status");
        assert_eq!(
            body.data,
            r#"{"instanceName":"user_1","status":"connected","isConnected":true,"phoneNumber":"5511","reason":null}"#
        );
    }
}

#[test]
fn a_code_is_shown_only_while_it_is_this_ones_and_valid() {
    let mut entry = stored("qrcode.updated", &json!({"qrcode": {"code": "2@x"}}));
    let expires_at = Millis(NOW.0 + 1000);
    let view = View { status: Status::WaitingQr, ..View::default() };
    entry.outcome = Some(Outcome { view, qr: Some(QrMark { hash: "h".into(), count: 2, expires_at }) });
    let qr = |hash: &str| Qr {
        hash: hash.into(),
        image: Some("data:i".into()),
        code: Some("2@x".into()),
        pairing_code: None,
        count: 2,
        expires_at,
    };

    let shown = body(&entry, Some(&qr("h")), NOW);
    assert_eq!(shown.kind, "qrcode");
    assert_eq!(
        shown.data,
        r#"{"instanceName":"user_1","qrCode":"data:i","pairingCode":null,"count":2,"expiresAt":"2026-11-20T21:43:21.000Z","status":"waiting_qr","code":"2@x"}"#
    );
    for hidden in
        [body(&entry, None, NOW), body(&entry, Some(&qr("other")), NOW), body(&entry, Some(&qr("h")), expires_at)]
    {
        assert_eq!(
            hidden.data,
            r#"{"instanceName":"user_1","qrCode":null,"pairingCode":null,"count":2,"expiresAt":"2026-11-20T21:43:21.000Z","status":"waiting_qr","code":null,"expired":true}"#
        );
    }
}

#[test]
fn the_gateways_own_entries_carry_their_data() {
    let data = r#"{"level":"warning","code":"instance_unhealthy"}"#;
    assert_eq!(body(&entry("zapgate.notification", data), None, NOW).data, data);
    assert_eq!(body(&entry("zapgate.notification", data), None, NOW).kind, "notification");
}

#[test]
fn an_erased_row_keeps_its_type_and_says_so() {
    for (event, kind) in
        [("messages.upsert", "message"), ("x.y", "evolution.x.y"), ("zapgate.notification", "notification")]
    {
        let found = rendered(&entry(event, r#"{"type":"erased"}"#));
        assert_eq!(found, (kind.into(), json!({"instanceName": "user_1", "erased": true})));
    }
}

#[test]
fn a_frame_never_fails() {
    for event in [
        "messages.upsert",
        "messages.update",
        "messages.edited",
        "messages.delete",
        "messages.set",
        "qrcode.updated",
        "connection.update",
        "call",
        "presence.update",
        "chats.set",
        "x.y",
        "zapgate.status",
        "zapgate.health",
    ] {
        for body in [
            &b""[..],
            b"\xff",
            b"[]",
            b"null",
            b"{}",
            b"{\"data\":[]}",
            b"{\"data\":{\"key\":[],\"message\":[1]}}",
            b"{\"data\":",
        ] {
            let (kind, data) = rendered(&entry(event, Bytes::copy_from_slice(body)));
            assert!(!kind.is_empty() && data.is_object(), "{event}");
        }
    }
}

#[test]
fn codes_and_presence_stay_with_the_user_and_operators_see_no_messages() {
    for (event, org, admin, messages) in [
        ("qrcode.updated", false, false, false),
        ("presence.update", false, false, false),
        ("messages.upsert", true, false, true),
        ("send.message", true, false, true),
        ("connection.update", true, true, false),
        ("logout.instance", true, true, false),
        ("zapgate.notification", true, true, false),
        ("zapgate.health", true, true, false),
        ("x.y", true, false, false),
    ] {
        let event = EventName::dotted(event);
        assert_eq!(
            (goes_to_org(&event), goes_to_admin(&event), is_about_messages(&event)),
            (org, admin, messages),
            "{event}"
        );
    }
}
