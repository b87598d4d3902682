//! Answers that are not what was asked for, in every form of the contract's §6 and §9 and in some of nobody's.

use serde_json::json;
use zapgate::adapters::evolution::{Evolution, InstanceSettings};
use zapgate::domain::evolution::{Connection, Failure};

use super::recordings::webhook;
use super::server::{Reply, Server, name};

/// Evolution's own form (§6.1).
fn error(status: u16, message: &serde_json::Value) -> Reply {
    let body = json!({"status": status, "error": "X", "response": {"message": message}});
    Reply::json(status, &body.to_string())
}

async fn failure(reply: Reply) -> String {
    let server = Server::saying([reply]).await;
    let failed = server.client().restart(&name()).await.unwrap_err();
    format!("{failed:?}")
}

#[tokio::test]
async fn every_form_of_an_error_is_read() {
    let cases = [
        error(400, &json!("a string")),
        error(400, &json!(["in a list"])),
        error(400, &json!([["in a list", "of lists"]])),
        error(400, &json!([{"an": "object"}])),
        Reply::json(400, r#"{"status":400,"error":"Bad Request","response":{}}"#),
        Reply::json(400, r#"{"status":400,"error":"Bad Request","message":["no wrapper"]}"#),
        Reply::json(400, "{}"),
        error(400, &json!([{"jid": "5511900009999@s.whatsapp.net", "exists": false, "number": "5511900009999"}])),
        error(400, &json!([{"exists": true}, {"exists": false}])),
        error(400, &json!(["the text {\"exists\":false} is none of its words"])),
        error(400, &json!(["TypeError: Cannot read properties of undefined (reading 'id')"])),
        error(400, &json!(["The \"user_101\" instance is not connected"])),
        error(400, &json!(["Error: Connection Closed"])),
        error(400, &json!(["SessionError: No sessions"])),
        error(400, &json!(["[object Object]"])),
        error(400, &json!(["5511900009999 called 123456 and\n+55 11900009999"])),
        error(401, &json!("Unauthorized")),
        error(403, &json!(["This name \"user_101\" is already in use."])),
        error(403, &json!(["Forbidden"])),
        error(404, &json!(["The \"user_101\" instance does not exist"])),
        error(404, &json!(["Instance \"user_101\" not found"])),
        error(404, &json!(["The \"Cannot GET\" instance does not exist"])),
        error(404, &json!(["Cannot POST /instance/restart/user_101"])),
        error(404, &json!(["Chat not found"])),
        error(413, &json!(["request entity too large"])),
        error(500, &json!(["Error: connect ECONNREFUSED 127.0.0.1:21999"])),
        error(500, &json!("Cannot read properties of undefined (reading 'length')")),
        Reply::json(503, r#"{"error":"service not activated","code":"LICENSE_REQUIRED","register_url":"https://x"}"#),
        error(503, &json!(["Service Unavailable"])),
    ];
    let mut read = Vec::new();
    for case in cases {
        read.push(failure(case).await);
    }

    insta::assert_json_snapshot!(read);
}

#[tokio::test]
async fn what_is_not_evolutions_is_told_as_such() {
    let express = "<!DOCTYPE html><pre>Cannot GET /instance/restart</pre>";
    let cases = [
        Reply::of(200, "text/html", "<h1>Sign in</h1>"),
        Reply::of(200, "text/plain", "ok"),
        Reply::of(200, "application/json", ""),
        Reply::of(200, "application/json", "[]"),
        Reply::of(200, "application/json", "{\"instance\":"),
        Reply::of(204, "text/plain", ""),
        Reply::of(400, "text/html", "<h1>400 The plain HTTP request was sent to HTTPS port</h1>"),
        Reply::of(401, "text/html", "<h1>401 Authorization Required</h1>"),
        Reply::of(403, "text/plain", "Forbidden"),
        Reply::of(404, "text/html", express),
        Reply::of(404, "application/json", r#"{"timestamp":"now","status":404,"error":"Not Found","path":"/"}"#),
        Reply::of(404, "application/json", "\"not found\""),
    ];

    for case in cases {
        let read = failure(case).await;
        assert!(read.starts_with("NotEvolution"), "{read}");
    }
}

#[tokio::test]
async fn only_evolutions_own_words_say_that_an_instance_is_gone() {
    let strangers =
        [r#"{"message":"not found"}"#, r#"{"error":"not found"}"#, r#"{"message":"no Route matched"}"#, "{}"];

    for body in strangers {
        let server = Server::saying([Reply::json(404, body)]).await;
        assert!(server.client().connection(&name()).await.is_err(), "{body}");
        assert!(server.client().row(&name()).await.is_err(), "{body}");
    }
}

async fn client(status: u16, body: &str) -> Evolution {
    Server::saying([Reply::json(status, body)]).await.client()
}

#[tokio::test]
async fn an_instance_without_a_state_is_not_in_memory() {
    let without = client(200, r#"{"instance":{"instanceName":"user_101"}}"#).await;
    let of_the_limit = client(200, r#"{"instance":{"instanceName":"user_101","state":"refused"}}"#).await;
    let of_the_future = client(200, r#"{"instance":{"instanceName":"user_101","state":"dreaming"}}"#).await;

    assert_eq!(without.connection(&name()).await.unwrap(), Connection::Unloaded);
    assert_eq!(of_the_limit.connection(&name()).await.unwrap(), Connection::Close);
    assert!(matches!(of_the_future.connection(&name()).await, Err(Failure::NotEvolution(_))));
}

#[tokio::test]
async fn connect_is_read_in_all_its_shapes() {
    let shapes = [
        (r#"{"pairingCode":null,"code":"2@x","base64":"data:","count":3}"#, "Pairing(code)"),
        (r#"{"pairingCode":"ABCD1234","code":"2@x","base64":"data:","count":1}"#, "Pairing(code)"),
        (r#"{"pairingCode":null,"count":0}"#, "Pairing(pending)"),
        (r#"{"count":0}"#, "Pairing(pending)"),
        (r#"{"instance":{"instanceName":"user_101","state":"open"}}"#, "Open"),
        (r#"{"instance":{"instanceName":"user_101","state":"connecting"}}"#, "Pairing(pending)"),
        (r#"{"instance":{"instanceName":"user_101"}}"#, "Failed"),
        (r#"{"instance":{"instanceName":"user_101","status":"refused"},"qrcode":{"count":0}}"#, "Failed"),
        (r#"{"error":true,"message":"[object Object]"}"#, "Failed"),
    ];

    for (body, wanted) in shapes {
        let answer = client(200, body).await.connect(&name(), None).await.unwrap();
        assert_eq!(format!("{answer:?}"), wanted, "{body}");
    }
}

#[tokio::test]
async fn rows_are_read_wrapped_and_bare_and_never_half() {
    let bare = r#"[{"name":"user_101","connectionStatus":"open","ownerJid":"5511900000001:7@s.whatsapp.net","token":7},
                   {"name":""},{"name":"a/b"}]"#;
    let wrapped =
        r#"[{"instance":{"instanceName":"user_101","status":"open","owner":"5511900000001@s.whatsapp.net"}}]"#;
    let of_a_lid = r#"[{"name":"user_101","connectionStatus":null,"ownerJid":"77511900000001@lid"}]"#;

    for body in [bare, wrapped] {
        let rows = client(200, body).await.rows().await.unwrap();
        let row = &rows[0];
        assert_eq!((rows.len(), row.name.as_str(), row.status), (1, "user_101", Connection::Open), "{body}");
        assert_eq!(row.phone_number.as_deref(), Some("5511900000001"));
    }
    assert_eq!(client(200, of_a_lid).await.row(&name()).await.unwrap().unwrap().phone_number, None);
    assert!(client(200, "[]").await.rows().await.unwrap().is_empty());
    assert!(client(200, "[]").await.row(&name()).await.unwrap().is_none());
    for body in [r#"[{"id":1}]"#, "[null]", "{}", "null", r#"{"instances":[]}"#] {
        assert!(client(200, body).await.rows().await.is_err(), "{body}");
        assert!(client(200, body).await.row(&name()).await.is_err(), "{body}");
    }
}

#[tokio::test]
async fn a_webhook_is_compared_with_what_is_wanted() {
    let wanted = webhook();
    let row = |change: &dyn Fn(&mut serde_json::Value)| {
        let events = [
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
            "PRESENCE_UPDATE",
        ];
        let mut row = json!({
            "url": "http://zapgate/api/webhook/user/101", "headers": {"jwt_key": "a-key-of-this-instance"},
            "enabled": true, "events": events, "webhookByEvents": false, "webhookBase64": false,
        });
        change(&mut row);
        row.to_string()
    };
    let spoilt: [&dyn Fn(&mut serde_json::Value); 7] = [
        &|row| row["enabled"] = json!(false),
        &|row| row["url"] = json!("http://elsewhere"),
        &|row| row["events"] = json!(["CALL"]),
        &|row| row["headers"] = json!(null),
        &|row| row["headers"]["Authorization"] = json!("x"),
        &|row| row["webhookByEvents"] = json!(true),
        &|row| row["webhookBase64"] = json!(true),
    ];

    let there = client(200, &row(&|_| {})).await.webhook(&name()).await.unwrap().unwrap();
    assert!(wanted.is_satisfied_by(&there));
    for change in spoilt {
        let there = client(200, &row(change)).await.webhook(&name()).await.unwrap();
        assert!(!there.is_some_and(|there| wanted.is_satisfied_by(&there)), "{}", row(change));
    }
    assert!(client(200, "null").await.webhook(&name()).await.unwrap().is_none());
    assert!(client(200, "[]").await.webhook(&name()).await.is_err());
}

#[tokio::test]
async fn what_is_null_counts_as_missing() {
    let settings = client(200, r#"{"rejectCall":true,"msgCall":null,"groupsIgnore":null}"#).await;
    let proxy = client(200, r#"{"enabled":false,"host":null,"port":null,"username":null}"#).await;

    let read = settings.settings(&name()).await.unwrap();
    assert!(read.reject_call && read.msg_call.is_empty() && !read.groups_ignore);
    assert_eq!(proxy.proxy(&name()).await.unwrap().unwrap().host, "");
    assert_eq!(client(200, "null").await.settings(&name()).await.unwrap(), InstanceSettings::default());
    assert!(client(200, "null").await.proxy(&name()).await.unwrap().is_none());
}

#[tokio::test]
async fn metrics_that_are_not_shown_are_no_list_without_instances() {
    let refusals = [
        Reply::of(401, "text/plain", "Authentication required"),
        Reply::of(403, "text/plain", "Forbidden: IP not allowed"),
        error(404, &json!(["Cannot GET /metrics"])),
        Reply::of(200, "text/html", "<h1>Sign in</h1>"),
        Reply::of(200, "text/plain", ""),
    ];

    for refusal in refusals {
        let server = Server::saying([refusal]).await;
        assert_eq!(server.client().states().await.unwrap(), None);
    }
    let down = Server::saying([Reply::down()]).await;
    assert!(matches!(down.client().states().await, Err(Failure::Down { status: 503 })));
}

#[tokio::test]
async fn a_send_that_names_no_message_may_have_worked() {
    let failed = client(201, r#"{"status":"PENDING"}"#).await.react(&name(), &json!({}), "").await.unwrap_err();

    assert!(failed.may_have_worked(), "{failed:?}");
}

#[tokio::test]
async fn a_time_is_read_in_its_three_encodings() {
    for time in ["1795211793", "\"1795211793\"", r#"{"low":1795211793,"high":0,"unsigned":true}"#] {
        let body = format!(r#"{{"key":{{"id":"3EB0"}},"messageTimestamp":{time}}}"#);
        let sent = client(201, &body).await.react(&name(), &json!({}), "").await.unwrap();
        assert_eq!(sent.timestamp, Some(1_795_211_793), "{time}");
    }
}
