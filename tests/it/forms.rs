//! Every form of a webhook that is accepted (INTERFACE §3 "Accepted forms", source 004): another spelling of the same
//! event is the same frame.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, WEBHOOK_SECRET, answer};
use crate::socket::Socket;

const ANA: &str = "user_ana";

/// How a webhook proves where it comes from.
#[derive(Clone, Copy, Debug)]
enum ProofForm {
    SecretHeader,
    DerivedSecretHeader,
    JwtOfDerivedKey,
    JwtOfSecret,
}

const PROOFS: [ProofForm; 4] =
    [ProofForm::SecretHeader, ProofForm::DerivedSecretHeader, ProofForm::JwtOfDerivedKey, ProofForm::JwtOfSecret];

const PATHS: [&str; 6] = [
    "/api/webhook/user/ana",
    "/api/webhook/user/ana/messages-upsert",
    "/api/webhook/evolution",
    "/api/webhook/evolution/messages-upsert",
    "/api/webhook/whatsapp",
    "/api/webhook/whatsapp/messages-upsert",
];

async fn post(app: &TestApp, path: &str, proof: ProofForm, body: &Value) -> Answer {
    let key = app.key_of(ANA);
    let key = key.expose_secret();
    let request = app.http.post(format!("{}{path}", app.url)).json(body);
    let request = match proof {
        ProofForm::SecretHeader => request.header("X-Webhook-Secret", WEBHOOK_SECRET),
        ProofForm::DerivedSecretHeader => request.header("X-Webhook-Secret", key),
        ProofForm::JwtOfDerivedKey => request.bearer_auth(app.proof(key, Duration::ZERO)),
        ProofForm::JwtOfSecret => request.bearer_auth(app.proof(WEBHOOK_SECRET, Duration::ZERO)),
    };
    answer(request).await
}

async fn ana() -> (TestApp, Socket) {
    let app = TestApp::start().await;
    app.user("ana").await;
    let socket = app.listen("ana").await;
    (app, socket)
}

/// The webhook's own frame, once it was stored.
async fn frame_of(socket: &mut Socket, answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.verdict()), (200, "stored"), "{}", answer.json);
    socket.up_to(answer.seq()).await.pop().unwrap()
}

#[actix_web::test]
async fn a_message_comes_through_on_every_path_with_every_proof() {
    let (app, mut socket) = ana().await;

    for path in PATHS {
        for proof in PROOFS {
            let id = format!("{path} {proof:?}");
            let data = json!({"key": {"id": id, "fromMe": false, "remoteJid": "5511999990001@s.whatsapp.net"},
                "message": {"conversation": "Oi"}, "messageTimestamp": 1_795_239_054});
            let body = json!({"event": "messages.upsert", "instance": ANA, "data": data});

            let answer = post(&app, path, proof, &body).await;
            let frame = frame_of(&mut socket, &answer).await;

            assert_eq!((&frame["type"], &frame["data"]["id"]), (&json!("message"), &json!(id)));
        }
    }
}

#[actix_web::test]
async fn without_a_proof_or_with_that_of_another_instance_no_path_lets_anything_in() {
    let (app, socket) = ana().await;
    let foreign = app.proof(app.key_of("user_bob").expose_secret(), Duration::ZERO);

    for path in PATHS {
        let body = json!({"event": "messages.upsert", "instance": ANA, "data": {"message": "Oi"}});
        let request = || app.http.post(format!("{}{path}", app.url)).json(&body);

        assert_eq!(answer(request()).await.status, 401, "{path}");
        assert_eq!(answer(request().bearer_auth(&foreign)).await.status, 401, "{path}");
        assert_eq!(answer(request().header("X-Webhook-Secret", "guessed")).await.status, 401, "{path}");
    }
    let sql = "SELECT COUNT(*) FROM events WHERE event NOT LIKE 'zapgate.%'";
    let stored: i64 = sqlx::query_scalar(sql).fetch_one(&app.database().await).await.unwrap();
    assert_eq!(stored, 0);
    socket.close().await;
}

#[actix_web::test]
async fn an_instance_is_named_by_a_string_an_object_or_the_path_alone() {
    let (app, mut socket) = ana().await;
    let named = [json!(ANA), json!({"instanceName": ANA}), json!({"instanceName": ANA, "status": "open"})];
    let unnamed = [Value::Null, json!(""), json!({})];

    for (n, instance) in named.iter().chain(&unnamed).enumerate() {
        for path in if n < named.len() { &PATHS[..] } else { &PATHS[..2] } {
            let at = app.clock.now().to_string();
            let data = json!({"id": format!("{n} {path}"), "presences": {}});
            let body = json!({"event": "presence.update", "instance": instance, "data": data, "date_time": at});

            let answer = post(&app, path, ProofForm::SecretHeader, &body).await;
            let frame = frame_of(&mut socket, &answer).await;

            assert_eq!(frame["data"]["instanceName"], ANA, "{instance} {path}");
        }
    }
    let body = json!({"event": "presence.update", "data": {"id": "absent"}});
    let absent = post(&app, PATHS[0], ProofForm::JwtOfDerivedKey, &body).await;
    assert_eq!(frame_of(&mut socket, &absent).await["data"]["chatId"], "absent");
    assert_eq!(post(&app, PATHS[4], ProofForm::SecretHeader, &body).await.status, 400);
}

#[actix_web::test]
async fn path_and_body_that_name_different_instances_are_refused() {
    let (app, _socket) = ana().await;
    app.user("bob").await;
    let body = json!({"event": "presence.update", "instance": "user_bob", "data": {}});

    let refused = post(&app, PATHS[0], ProofForm::SecretHeader, &body).await;

    assert_eq!(refused.status, 401);
}

/// event, data → the frame's type, and members of its data.
type Spelling = (&'static str, Value, &'static str, Value);

fn spellings() -> Vec<Spelling> {
    const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";
    let key = |id: &str| json!({"id": id, "fromMe": false, "remoteJid": "5511999990001@s.whatsapp.net"});
    let wuid = "5511900000001@s.whatsapp.net";
    let code = json!({"base64": PNG, "code": "2@a", "count": 1});
    let connected = json!({"status": "connected", "isConnected": true});
    let shown = json!({"qrCode": PNG, "status": "waiting_qr"});
    let said = |text| json!({"text": text, "kind": "text"});
    vec![
        ("qrcode.updated", json!({"qrcode": code}), "qrcode", shown.clone()),
        ("QRCODE_UPDATED", json!({"qrcode": {"base64": PNG, "code": "2@b"}}), "qrcode", shown.clone()),
        ("Qrcode_Updated", json!({"qrcode": {"base64": PNG, "code": "2@c"}}), "qrcode", shown.clone()),
        ("qrcode.updated", json!({"qrcode": PNG}), "qrcode", shown),
        ("connection.update", json!({"state": "connecting"}), "status", json!({"status": "finishing"})),
        ("connection.update", json!({"state": "open", "wuid": wuid}), "status", connected.clone()),
        ("CONNECTION_UPDATE", json!({"status": "open"}), "status", connected.clone()),
        ("connection.update", json!({"status": "open", "state": "open"}), "status", connected),
        ("messages.upsert", json!({"key": key("1"), "message": {"conversation": "Olá!"}}), "message", said("Olá!")),
        ("messages.upsert", json!({"key": key("2"), "message": "Olá!"}), "message", said("Olá!")),
        ("MESSAGES_UPSERT", json!({"key": key("3"), "message": "Oi"}), "message", said("Oi")),
        ("messages.upsert", json!({"message": "sem chave"}), "message", said("sem chave")),
        ("GROUP_PARTICIPANTS_UPDATE", json!({"id": "g"}), "group.participants.update", json!({})),
        ("SOMETHING_NEW", json!({"a": 1}), "evolution.something.new", json!({"data": {"a": 1}})),
        (
            "connection.update",
            json!({"status": "close", "statusReason": 401}),
            "status",
            json!({"status": "logged_out"}),
        ),
    ]
}

#[actix_web::test]
async fn every_spelling_of_an_event_becomes_its_frame() {
    let (app, mut socket) = ana().await;

    for (event, data, kind, members) in spellings() {
        let at = app.clock.now().to_string();
        let body = json!({"event": event, "instance": {"instanceName": ANA}, "data": data, "date_time": at});

        let answer = post(&app, PATHS[4], ProofForm::SecretHeader, &body).await;
        let frame = frame_of(&mut socket, &answer).await;

        assert_eq!(frame["type"], kind, "{event} {data}");
        for (name, value) in members.as_object().unwrap() {
            assert_eq!(&frame["data"][name], value, "{event} {data}");
        }
    }
}
