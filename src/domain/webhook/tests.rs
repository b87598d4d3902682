use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::entry::Entry;
use crate::domain::frame;
use crate::domain::ids::UserId;
use crate::domain::lifecycle::Cause;

fn parsed(body: &str) -> Result<Webhook, Error> {
    parse(&Bytes::copy_from_slice(body.as_bytes()), None, None)
}

fn webhook(event: &str, data: &Value) -> Webhook {
    parsed(&envelope(event, data).to_string()).unwrap()
}

fn envelope(event: &str, data: &Value) -> Value {
    json!({"event": event, "instance": "user_1", "data": data, "date_time": "2026-11-20T21:50:59.461Z", "apikey": "T"})
}

fn key(event: &str, data: &Value) -> [u8; 16] {
    webhook(event, data).identity.key
}

fn kept(webhook: &Webhook) -> Value {
    serde_json::from_slice(&webhook.body).unwrap()
}

fn frame_kind(webhook: &Webhook) -> String {
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
    frame::body(&entry, None, Millis(0)).kind
}

// ── accepted forms ──

#[test]
fn the_instance_that_a_body_names_is_the_last_and_is_found_in_a_head() {
    for (body, named) in [
        (&br#"{"instance":"user_1","data":"cut o"#[..], Some("user_1")),
        (br#"{"instance":"user_1","data":"cut in a char \xc3"#, Some("user_1")),
        (br#"{"instance":"user_1","instance":{"instanceName":"x","instanceName":"user_2"}}"#, Some("user_2")),
        (br#"{"instance":"user_1","inst\u0061nce":"user_2"}"#, Some("user_2")),
        (br#"{"data":{"instance":"user_1"}}"#, None),
        (br#"{"instance":"user_"#, None),
        (br#"{"instance":7}"#, None),
        (b"", None),
    ] {
        let expected = named.map(|name| InstanceName::parse(name).unwrap());
        assert_eq!(named_instance(body), expected, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn all_documented_forms_are_accepted() {
    let open = Input::Opened { phone_number: None, profile_name: None };
    for (body, input) in [
        (r#"{"event":"connection.update","instance":"user_1","data":{"state":"open"}}"#, Some(open.clone())),
        (r#"{"event":"CONNECTION_UPDATE","instance":{"instanceName":"user_1"},"data":{"status":"open"}}"#, Some(open)),
        (r#"{"event":"connection.update","data":{"state":"refused","wuid":"1@s.whatsapp.net"}}"#, Some(Input::QrLimit)),
        (
            r#"{"event":"qrcode.updated","data":{"message":"QR code limit reached","statusCode":500}}"#,
            Some(Input::QrLimit),
        ),
        (r#"{"event":"qrcode.updated","data":{"qrcode":null}}"#, None),
        (r#"{"event":"connection.update","data":{"state":"hovering"}}"#, None),
        (r#"{"event":"logout.instance","instance":null}"#, Some(Input::LoggedOut)),
        (r#"{"event":"REMOVE_INSTANCE","data":null}"#, Some(Input::Removed)),
        (r#"{"event":"quite.new","data":[1e999],"extra":true}"#, None),
        (r#"{"event":"messages.upsert","data":{"message":"oi"}}"#, None),
    ] {
        let expected = InstanceName::parse("user_1").unwrap();
        let webhook = parse(&Bytes::from(body), Some(&expected), None).unwrap();
        assert_eq!((webhook.instance, webhook.input), (expected, input), "{body}");
        assert_eq!(webhook.body, body, "nothing secret, nothing changed");
    }
}

#[test]
fn data_of_any_type_or_none_is_no_fault() {
    let events = [
        "messages.upsert",
        "messages.edited",
        "messages.set",
        "qrcode.updated",
        "connection.update",
        "status.instance",
        "messages.update",
        "messages.delete",
        "send.message.update",
        "instance.create",
        "call",
    ];
    for event in events {
        for data in
            ["null", "1", "true", "\"x\"", "[]", "{}", "[[]]", "{\"key\":1,\"message\":[]}", "[{\"message\":2}]"]
        {
            let webhook = parsed(&format!(r#"{{"event":"{event}","instance":"a","data":{data}}}"#)).unwrap();
            assert!(!frame_kind(&webhook).is_empty());
            kept(&webhook);
        }
        parsed(&format!(r#"{{"event":"{event}","instance":"a"}}"#)).unwrap();
    }
}

#[test]
fn the_number_is_the_digits_of_the_address_without_its_device() {
    for (wuid, number) in [
        ("5511900000001@s.whatsapp.net", Some("5511900000001")),
        ("5511900000001:12@s.whatsapp.net", Some("5511900000001")),
        ("77511900000001@lid", None),
        ("@s.whatsapp.net", None),
    ] {
        // `state` is newer than `wuid`, but that it was open is what this event tells (CONTRACT §3.1).
        let webhook = webhook("connection.update", &json!({"wuid": wuid, "state": "connecting"}));
        let phone_number = number.map(str::to_owned);
        assert_eq!(webhook.input, Some(Input::Opened { phone_number, profile_name: None }), "{wuid}");
    }
}

#[test]
fn who_logged_out_is_read_from_the_packed_error() {
    let by_api = r#"{"error":{"data":null,"output":{"payload":{"message":"Log out instance: a"}}}}"#;
    for (object, cause) in [(json!(by_api), Some(Cause::LoggedOutByApi)), (json!("{"), None), (json!(null), None)] {
        let data = json!({"status": "closed", "disconnectionReasonCode": 401, "disconnectionObject": object});
        let input = Input::Ended { code: Some(401), cause };
        assert_eq!(webhook("status.instance", &data).input, Some(input));
    }
}

#[test]
fn an_impossible_body_is_refused_without_quoting_it() {
    let refused = |body: &[u8]| parse(&Bytes::copy_from_slice(body), None, None).unwrap_err();

    for body in [&b"\xff{}"[..], b"", b"secret", b"\"secret\"", b"[1]", b"12", b"{\"secret\":", b"{\"a\":1} secret"] {
        let error = refused(body);
        assert!(matches!(error, Error::NotJson(_)), "{body:?}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(matches!(refused(br#"{"instance":"a"}"#), Error::NoEvent));
    assert!(matches!(refused(br#"{"instance":"a","event":7}"#), Error::NoEvent));
    assert!(matches!(refused(br#"{"instance":"a","event":"\ud800"}"#), Error::NoEvent));
    assert!(matches!(refused(br#"{"event":"a.b"}"#), Error::NoInstance));
    assert!(matches!(refused(br#"{"event":"a.b","instance":"a/b"}"#), Error::BadInput { .. }));
}

#[test]
fn path_and_body_may_not_name_different_instances() {
    let expected = InstanceName::parse("user_1").unwrap();
    for other in [r#""user_2""#, r#"{"instanceName":"user_2"}"#, r#""user_1 ""#, r#""a/b""#, r#""\ud800""#] {
        let body = format!(r#"{{"event":"a.b","instance":{other}}}"#);
        let error = parse(&Bytes::from(body), Some(&expected), None).unwrap_err();
        assert!(matches!(error, Error::InstanceMismatch), "{other}");
    }
}

// ── odd JSON ──

#[test]
fn odd_but_legal_texts_and_numbers_pass_untouched() {
    let data = r#"{"key":{"id":"A"},"message":{"conversation":"\u0000 \ud800 \udc00"},"n":1e99999,"\udfff":-0.0}"#;
    let webhook =
        parsed(&format!(r#"{{"apikey":"T","event":"messages.upsert","instance":"a","data":{data}}}"#)).unwrap();
    assert_eq!(webhook.body, format!(r#"{{"event":"messages.upsert","instance":"a","data":{data}}}"#));
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let long = "{\"low\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    let nested = format!(r#"{{"type":{long},"timestampMs":{long},"messageTimestamp":{long},"statusReason":{long}}}"#);
    for event in ["messages.set", "messages.edited", "messages.upsert", "qrcode.updated", "connection.update", "x.y"] {
        for data in [deep.clone(), format!(r#"{{"message":{deep},"qrcode":{deep},"key":{deep}}}"#), nested.clone()] {
            let webhook = parsed(&format!(r#"{{"event":"{event}","instance":"a","data":{data}}}"#)).unwrap();
            frame_kind(&webhook);
        }
    }
    assert!(matches!(parsed(&"[".repeat(100_000)), Err(Error::NotJson(_))));
    assert!(matches!(parsed(&"{\"a\":".repeat(100_000)), Err(Error::NotJson(_))));
}

#[test]
fn the_last_of_repeated_names_counts_but_every_secret_copy_goes() {
    let body = r#"{"apikey":"K1","event":"messages.upsert","data":{"type":1,"secret":"K2"},"instance":"b","api\u006bey":"K3",
        "api_key":"K4","instance":"a","event":"messages.edited","data":{"k":"K5","type":"APP_STATE_SYNC_KEY_SHARE"},"apikey":"K6"}"#;
    let webhook = parsed(body).unwrap();

    assert_eq!((webhook.instance.as_str(), webhook.event.as_str()), ("a", "messages.edited"));
    assert_eq!(kept(&webhook)["data"], json!({"type": "APP_STATE_SYNC_KEY_SHARE"}));
    let text = std::str::from_utf8(&webhook.body).unwrap();
    assert!((1..=6).all(|i| !text.contains(&format!("K{i}"))), "{text}");
}

// ── secrets ──

#[test]
fn of_a_protocol_message_only_edits_and_revokes_are_kept_whole() {
    for kept_whole in [json!("MESSAGE_EDIT"), json!(14), json!("REVOKE"), json!(0)] {
        let data = json!({"key": {"id": "A"}, "type": kept_whole, "editedMessage": {"conversation": "x"}});
        assert_eq!(kept(&webhook("messages.edited", &data))["data"], data);
    }
    for (data, left) in [
        (json!({"type": 6, "appStateSyncKeyShare": {"keys": ["K"]}}), json!({"type": 6})),
        (json!({"appStateSyncKeyShare": {"keys": ["K"]}}), json!({})),
        (json!({"type": {"keys": "K"}, "a": 1}), json!({})),
        (json!([{"type": 6, "k": "K"}, "K"]), json!([{"type": 6}, null])),
        (json!("K"), json!(null)),
    ] {
        assert_eq!(kept(&webhook("messages.edited", &data))["data"], left);
    }
}

#[test]
fn keys_do_not_slip_through_inside_ordinary_messages() {
    let secret = json!({"type": "APP_STATE_SYNC_KEY_SHARE", "appStateSyncKeyShare": "K"});
    let left = json!({"type": "APP_STATE_SYNC_KEY_SHARE"});
    let message = |inner: &Value| json!({"key": {"id": "A"}, "message": {"protocolMessage": inner}});
    let wrapped = |inner: &Value| json!({"message": {"ephemeralMessage": {"message": {"protocolMessage": inner}}}});

    for event in ["messages.upsert", "send.message", "messages.set", "messages.update"] {
        for shape in [message, wrapped] as [fn(&Value) -> Value; 2] {
            assert_eq!(kept(&webhook(event, &shape(&secret)))["data"], shape(&left));
            assert_eq!(kept(&webhook(event, &json!([shape(&secret)])))["data"], json!([shape(&left)]));
        }
        let revoke = message(&json!({"type": 0, "key": {"id": "B"}}));
        assert_eq!(kept(&webhook(event, &revoke))["data"], revoke);
    }
    assert_eq!(frame_kind(&webhook("messages.upsert", &message(&secret))), "evolution.protocol");
}

#[test]
fn a_code_is_shown_once_and_never_kept() {
    for (data, left) in [
        (
            json!({"qrcode": {"instance": "a", "code": "2@K", "base64": "data:K", "pairingCode": "KKKKKKKK"}}),
            json!({"qrcode": {"instance": "a"}}),
        ),
        (json!({"qrcode": "data:image/png;base64,K"}), json!({"qrcode": null})),
        (json!({"code": "2@K", "count": 2}), json!({"count": 2})),
        (json!("data:image/png;base64,K"), json!(null)),
    ] {
        let webhook = webhook("qrcode.updated", &data);
        assert_eq!(kept(&webhook)["data"], left);
        let shown = webhook.qr.as_ref().unwrap();
        assert!(shown.code.is_some() || shown.image.is_some());
        assert!(!format!("{webhook:?}").contains("2@K"));
        assert_eq!(webhook.input, Some(Input::Qr { hash: shown.hash.clone() }));
    }
}

#[test]
fn keys_do_not_slip_through_in_batches_quotes_or_events_without_a_name_here() {
    fn message(inner: &Value) -> Value {
        json!({"message": {"protocolMessage": inner}})
    }
    let secret = json!({"type": 6, "appStateSyncKeyShare": {"keys": ["K"]}});
    let batch =
        |inner: &Value| json!({"messages": [message(inner), {"message": {"conversation": "x"}}], "type": "notify"});
    let nested = |inner: &Value| json!({"data": [[{"messages": message(inner)}]]});
    let quoted = |inner: &Value| json!({"message": {"extendedTextMessage": {"text": "x", "contextInfo": {"quotedMessage": {"protocolMessage": inner}}}}});

    for event in ["messages.upsert", "messages.set", "messages.update", "chats.set", "quite.new"] {
        for shape in [message, batch, nested, quoted] as [fn(&Value) -> Value; 4] {
            assert_eq!(kept(&webhook(event, &shape(&secret)))["data"], shape(&json!({"type": 6})), "{event}");
            let revoke = shape(&json!({"type": 0, "key": {"id": "B"}}));
            assert_eq!(kept(&webhook(event, &revoke))["data"], revoke, "{event}");
        }
    }
    let history = webhook("messages.set", &batch(&secret));
    assert_eq!(frame_kind(&history), "history");
    let edit = |inner: Value| json!({"type": 14, "editedMessage": inner, "key": {"id": "A"}});
    let edited = webhook("messages.edited", &edit(json!({"protocolMessage": secret, "conversation": "x"})));
    assert_eq!(kept(&edited)["data"], edit(json!({"protocolMessage": {"type": 6}, "conversation": "x"})));
    let posing = edit(json!({"appStateSyncKeyShare": {"type": 14, "keys": ["K"]}}));
    assert!(!kept(&webhook("messages.edited", &posing)).to_string().contains("\"K\""));
    let quoting = webhook("messages.upsert", &quoted(&secret));
    assert_eq!(frame_kind(&quoting), "message", "a quote hides no message");
    assert_eq!(frame_kind(&webhook("messages.upsert", &message(&json!(null)))), "message");
}

#[test]
fn keys_under_names_with_escapes_or_too_deep_to_look_for_go_as_well() {
    let escaped = r#"{"message":{"protocol\u004dessage":{"type":6,"k":"SECRET"}}}"#;
    let deep = format!("{}{escaped}{}", r#"{"a":["#.repeat(2000), "]}".repeat(2000));
    for data in [escaped, deep.as_str()] {
        let webhook = parsed(&format!(r#"{{"event":"messages.upsert","instance":"a","data":{data}}}"#)).unwrap();
        assert!(!std::str::from_utf8(&webhook.body).unwrap().contains("SECRET"));
        kept(&webhook);
    }
}

#[test]
fn of_a_codes_event_only_what_can_be_no_code_is_kept_in_whatever_shape_it_comes() {
    for (data, left) in [
        (json!([{"qrcode": {"code": "2@K"}}]), json!(null)),
        (json!({"qrcode": [{"code": "2@K"}]}), json!({"qrcode": null})),
        (json!({"data": {"qrcode": {"code": "2@K"}}, "count": 1}), json!({"count": 1})),
        (
            json!({"qrcode": {"qrcode": {"base64": "K"}, "instance": "a", "new": "K"}}),
            json!({"qrcode": {"instance": "a"}}),
        ),
        (json!({"message": "2@K", "instance": {"code": "2@K"}, "count": "data:image/png;base64,K"}), json!({})),
        (
            json!({"message": "QR code limit reached", "statusCode": 500}),
            json!({"message": "QR code limit reached", "statusCode": 500}),
        ),
        (json!(["data:image/png;base64,K"]), json!(null)),
    ] {
        for event in ["qrcode.updated", "Qrcode_Updated", "qrcode-updated", "QRCODE_NEW"] {
            let webhook = webhook(event, &data);
            assert_eq!(kept(&webhook)["data"], left, "{event}");
            assert!(!frame::goes_to_org(&webhook.event), "{event}");
        }
    }
    let beside = r#"{"event":"qrcode.updated","instance":"a","base64":"K","apikey":"K","qrcode":{"code":"K"}}"#;
    assert_eq!(parsed(beside).unwrap().body, r#"{"event":"qrcode.updated","instance":"a"}"#);
}

#[test]
fn a_cut_takes_the_member_with_one_comma_and_nothing_else() {
    let rest = r#""event":"x.y","instance":"a""#;
    for (whole, left) in [
        (r#"{ "apikey" : "T" , <rest> }"#, "{ <rest> }"),
        (r#"{ <rest> , "apikey" : "T" }"#, "{ <rest> }"),
        (r#"{ "n" : 1e999 , "apikey" : null , <rest> }"#, r#"{ "n" : 1e999 , <rest> }"#),
        (r#"{"apikey":{"a":["}"]},"api_key":"\"",<rest>,"apikey":1}"#, "{<rest>}"),
        (r#"{"data":{"apikey":"inner"},<rest>}"#, r#"{"data":{"apikey":"inner"},<rest>}"#),
    ] {
        let kept = parsed(&whole.replace("<rest>", rest)).unwrap().body;
        assert_eq!(kept, left.replace("<rest>", rest));
    }
}

#[derive(Clone, Debug)]
struct RawMember {
    name: String,
    decoded: String,
    value: String,
    secret: bool,
}

fn raw_member() -> impl Strategy<Value = RawMember> {
    let name = prop_oneof![
        3 => "[a-z]{1,4}".prop_map(|name| (name.clone(), name, false)),
        1 => Just((r"apikey".into(), "apikey".into(), true)),
        1 => Just((r"api\u006bey".into(), "apikey".into(), true)),
        1 => Just((r"\u0061pi\u005fkey".into(), "api_key".into(), true)),
        1 => Just((r"apikey\u0000".into(), "apikey\u{0}".into(), false)),
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<i32>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        Just(r#"{ "apikey" : [ 1 , "}," ] }"#.to_owned()),
    ];
    (name, value).prop_map(|((name, decoded, secret), value)| RawMember { name, decoded, value, secret })
}

fn white() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n")]
}

proptest! {
    #[test]
    fn cutting_leaves_valid_json_that_lacks_only_the_secrets(members in proptest::collection::vec(raw_member(), 0..8), gap in white()) {
        let mut all = members;
        for (name, value) in [("event", "\"x.y\""), ("instance", "\"a\"")] {
            all.insert(all.len() / 2, RawMember { name: name.into(), decoded: name.into(), value: value.into(), secret: false });
        }
        let written = |m: &RawMember| format!("{gap}\"{}\"{gap}:{gap}{}{gap}", m.name, m.value);
        let text = format!("{gap}{{{}}}{gap}", all.iter().map(written).collect::<Vec<_>>().join(","));

        let kept = parsed(&text).unwrap().body;

        let found: Value = serde_json::from_slice(&kept).unwrap();
        let expected: serde_json::Map<String, Value> = all.iter().filter(|m| !m.secret)
            .map(|m| (m.decoded.clone(), serde_json::from_str(&m.value).unwrap())).collect();
        prop_assert_eq!(found, Value::Object(expected));
        // Byte for byte the kept members, in order: only white space of the cut ones may be left.
        let dense = |text: &str| text.replace([' ', '\n', '\t', '\r'], "");
        let rest = all.iter().filter(|m| !m.secret).map(written).collect::<Vec<_>>().join(",");
        prop_assert_eq!(dense(std::str::from_utf8(&kept).unwrap()), dense(&format!("{{{rest}}}")));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}\",:\\\\a-z0-9 ]{0,64}") {
        let _ = parse(&Bytes::from(bytes), None, None);
        let _ = parsed(&text);
        let _ = parsed(&format!(r#"{{"event":"messages.edited","instance":"a","data":{text}}}"#));
    }
}

// ── identity ──

#[test]
fn a_message_is_itself_wherever_it_comes_from() {
    let first = json!({"key": {"id": "A", "fromMe": true, "remoteJid": "1@lid"}, "message": {"conversation": "x"}});
    let again = json!({"key": {"id": "A", "fromMe": true, "remoteJid": "1@s.whatsapp.net"}, "message": "x"});
    let theirs = json!({"key": {"id": "A", "fromMe": false}});

    assert_eq!(key("messages.upsert", &first), key("send.message", &again));
    assert_ne!(webhook("messages.upsert", &first).identity.content, webhook("send.message", &again).identity.content);
    assert_ne!(key("messages.upsert", &first), key("messages.upsert", &theirs));
    assert_eq!(webhook("messages.upsert", &json!({"message": "x"})).identity.keep, Keep::TwoDays);
}

#[test]
fn one_edit_has_one_key_in_every_encoding() {
    let edit = |kind: Value, at: Value| json!({"key": {"id": "A", "fromMe": true}, "type": kind, "timestampMs": at});
    let long = json!({"low": -85_329_728, "high": 417, "unsigned": false});
    let first = key("messages.edited", &edit(json!("MESSAGE_EDIT"), json!("1795211000000")));

    assert_eq!(key("send.message.update", &edit(json!(14), json!(1_795_211_000_000_i64))), first);
    assert_eq!(key("messages.edited", &edit(json!(14), long)), first);
    assert_ne!(key("messages.edited", &edit(json!(14), json!("1795211000001"))), first);
    assert_ne!(key("messages.edited", &edit(json!(0), json!("1795211000000"))), first);
    assert_eq!(
        key("messages.edited", &edit(json!(0), json!(1))),
        key("messages.edited", &edit(json!("REVOKE"), json!("1")))
    );
}

#[test]
fn edits_that_tell_no_time_are_told_apart_by_what_they_say() {
    let edit = |text: &str, at: Value| json!({"key": {"id": "A"}, "type": 14, "editedMessage": {"conversation": text}, "timestampMs": at});
    for event in ["messages.edited", "send.message.update"] {
        for no_time in [json!(null), json!(""), json!({}), json!("soon")] {
            let first = webhook(event, &edit("one", no_time.clone())).identity;
            assert_eq!(webhook(event, &edit("one", no_time.clone())).identity, first);
            assert_eq!(first.keep, Keep::TwoDays);
            assert_ne!(key(event, &edit("two", no_time)), first.key);
        }
    }
}

#[test]
fn receipts_differ_by_status_participant_and_content() {
    let base = json!({"keyId": "A", "fromMe": true, "status": "READ", "messageId": "db1"});
    let with = |name: &str, value: Value| {
        let mut changed = base.clone();
        changed[name] = value;
        key("messages.update", &changed)
    };
    let first = key("messages.update", &base);

    assert_eq!(with("messageId", json!("db2")), first);
    assert_eq!(with("participant", json!("")), first);
    for (name, value) in [
        ("keyId", json!("B")),
        ("status", json!("PLAYED")),
        ("participant", json!("1@lid")),
        ("pollUpdates", json!([1])),
        ("message", json!({"a": 1})),
    ] {
        assert_ne!(with(name, value), first, "{name}");
    }
    assert_ne!(with("pollUpdates", json!([1])), with("message", json!([1])));
}

#[test]
fn a_deletion_has_one_key_in_both_shapes_apart_from_its_revoke() {
    let by_contact = key("messages.delete", &json!({"id": "A", "fromMe": true, "remoteJid": "1@lid"}));
    let by_api = key("messages.delete", &json!({"id": "db1", "key": {"id": "A", "fromMe": true}}));
    let revoke = key("messages.edited", &json!({"key": {"id": "A", "fromMe": true}, "type": 0}));

    assert_eq!(by_contact, by_api);
    assert_ne!(by_contact, revoke);
    assert_ne!(by_contact, key("messages.upsert", &json!({"key": {"id": "A", "fromMe": true}})));
}

#[test]
fn all_else_is_its_content_and_only_transport_does_not_count() {
    let body = |event: &str, at: &str, n: u8, rest: &str| {
        format!(r#"{{"event":"{event}","instance":"a","date_time":"{at}","data":{{"n":{n}}}{rest}}}"#)
    };
    let identity = |text: String| parsed(&text).unwrap().identity.key;
    let first = identity(body("chats.update", "t", 1, ""));

    let transport = r#","destination":"d","server_url":"s","sender":"1@s.whatsapp.net","apikey":"T"}"#;
    assert_eq!(identity(body("CHATS_UPDATE", "t", 1, transport.trim_end_matches('}'))), first);
    assert_ne!(identity(body("chats.upsert", "t", 1, "")), first);
    assert_ne!(identity(body("chats.update", "u", 1, "")), first);
    assert_ne!(identity(body("chats.update", "t", 2, "")), first);
    assert_ne!(identity(body("chats.update", "t", 1, "").replace("\"a\"", "\"b\"")), first);
}

#[test]
fn two_codes_are_two_events_although_neither_is_kept() {
    let code = |code: &str| webhook("qrcode.updated", &json!({"qrcode": {"code": code}}));

    assert_ne!(code("2@a").identity.key, code("2@b").identity.key);
    assert_eq!(code("2@a").body, code("2@b").body);
}
