//! What hostile or broken senders post, and that it harms nobody.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Body;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{Answer, TestApp, WEBHOOK_SECRET, answer};
use crate::recorded;

fn text() -> Value {
    recorded::webhook("messages.upsert/text-conversation")
}

/// Posts bytes with the undivided secret.
fn posting(app: &TestApp, path: &str, body: impl Into<Body>) -> reqwest::RequestBuilder {
    let request = app.http.post(format!("{}{path}", app.url)).header("x-webhook-secret", WEBHOOK_SECRET);
    request.header("content-type", "application/json").body(body)
}

async fn post(app: &TestApp, path: &str, body: impl Into<Body>) -> Answer {
    answer(posting(app, path, body)).await
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.json);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.json["type"], format!("/problems/{code}"));
    assert!(answer.json["title"].is_string() && answer.json["detail"].is_string(), "{}", answer.json);
}

async fn assert_healthy(app: &TestApp, id: &str) {
    let mut body = text();
    body["data"]["key"]["id"] = json!(id);
    let stored = app.evolution_posts("ana", body).await;
    assert_eq!((stored.status, stored.verdict()), (200, "stored"), "{}", stored.json);
}

async fn letters(app: &TestApp) -> Vec<Value> {
    let page = app.as_admin("GET", "/api/dead-letters?limit=200", Value::Null).await;
    page.json["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn nul_and_lone_surrogates_reach_the_socket_as_they_came() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let odd = r"a\u0000b \ud800 c \udfff\ud83d 🎉 \ud83c\udf89";
    let body = text().to_string().replace("Oi, vocês abrem no sábado?", odd);
    let body = body.replace(text()["instance"].as_str().unwrap(), "user_ana");

    let stored = app.evolution_posts_bytes("ana", body.into_bytes()).await;
    let frame = ana.next_text().await;

    assert_eq!((stored.status, stored.verdict()), (200, "stored"), "{}", stored.json);
    assert!(frame.contains(&format!("\"{odd}\"")), "{frame}");
}

#[actix_web::test]
async fn what_is_no_webhook_is_400_and_kept_for_the_operator() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let deep = "[".repeat(100_000);

    for (body, code) in [
        (&b""[..], "not_json"),
        (b"   ", "not_json"),
        (b"{", "not_json"),
        (b"nonsense", "not_json"),
        (b"null", "not_json"),
        (b"[]", "not_json"),
        (b"\"text\"", "not_json"),
        (b"1e999", "not_json"),
        (b"{\"event\":\"messages.upsert\"} trailing", "not_json"),
        (b"{\"event\":\"messages.upsert\",\"data\":\"\xff\xfe\"}", "not_json"),
        (b"\xef\xbb\xbf{\"event\":\"x\"}", "not_json"),
        (deep.as_bytes(), "not_json"),
        (b"{}", "no_event"),
        (b"{\"event\":\"\"}", "no_event"),
        (b"{\"event\":7}", "no_event"),
        (b"{\"event\":\"zapgate.status\"}", "no_event"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let before = letters(&app).await.len();
        let refused = post(&app, "/api/webhook/user/ana", body.to_vec()).await;
        assert_eq!((refused.status, refused.code()), (400, code), "{shown:?}: {}", refused.json);
        assert_problem(&refused, 400, code);
        post(&app, "/api/webhook/user/ana", body.to_vec()).await;
        let kept = letters(&app).await;
        assert_eq!(kept.len(), before + 1, "{shown:?} is kept once");
        assert_eq!((&kept[0]["reason"], &kept[0]["instanceName"]), (&json!(code), &json!("user_ana")));
    }
    let nameless = post(&app, "/api/webhook/evolution", r#"{"event":"messages.upsert","data":{}}"#).await;
    assert_problem(&nameless, 400, "no_instance");
    assert_healthy(&app, "AFTER").await;
}

#[actix_web::test]
async fn depth_repeated_names_and_huge_numbers_are_stored_as_they_came() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));

    for data in [
        deep.as_str(),
        r#"{"a":1,"a":2,"":3,"\u0000":4}"#,
        "[1e400,-1e-400,123456789012345678901234567890,0.1000000000000000055511151231257827]",
        r#"{"key":{"id":{"id":1}},"message":[[]],"messageTimestamp":{"low":{"low":{}},"high":1e999}}"#,
        "null",
        "true",
        "\"\"",
    ] {
        for event in ["messages.upsert", "qrcode.updated", "connection.update", "messages.update", "quite.new"] {
            let body = format!(r#"{{"event":"{event}","instance":"user_ana","data":{data}}}"#);
            let stored = post(&app, "/api/webhook/user/ana", body).await;
            assert_eq!(stored.status, 200, "{event} {}: {}", &data[..data.len().min(60)], stored.json);
            if stored.verdict() == "stored" {
                let mark = format!("\"seq\":{},", stored.seq());
                while !ana.next_text().await.contains(&mark) {}
            }
        }
    }
    let twice = r#"{"event":"quite.new","event":"quite.newer","instance":"user_bob","instance":"user_ana","data":1}"#;
    let stored = post(&app, "/api/webhook/user/ana", twice).await;
    assert_eq!(ana.up_to(stored.seq()).await.last().unwrap()["type"], "evolution.quite.newer");
}

#[actix_web::test]
async fn a_body_over_the_limit_is_413_kept_once_told_once_and_harms_nobody() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut big =
        br#"{"event":"messages.upsert","instance":"user_ana","apikey":"TOKEN-TO-HIDE","data":{"x":""#.to_vec();
    big.resize(34_000_000, b'x');
    let big = Bytes::from(big);

    for _ in 0..3 {
        let refused = post(&app, "/api/webhook/user/ana", big.clone()).await;
        assert_problem(&refused, 413, "too_large");
    }
    let pieces = big.chunks(1 << 20).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
    let chunked = Body::wrap_stream(futures_util::stream::iter(pieces.collect::<Vec<_>>()));
    assert_problem(&post(&app, "/api/webhook/user/ana", chunked).await, 413, "too_large");

    let kept = letters(&app).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["reason"], &kept[0]["sizeBytes"]), (&json!("too_large"), &json!(34_000_000)));
    let head = kept[0]["body"].as_str().unwrap();
    assert!(head.len() <= 64 << 10 && head.starts_with("{\"event\"") && !head.contains("TOKEN-TO-HIDE"));
    let alerts = app.as_admin("GET", "/api/events?event=zapgate.notification", Value::Null).await;
    assert_eq!(alerts.json["items"].as_array().unwrap().len(), 1, "{}", alerts.json);
    assert_healthy(&app, "AFTER").await;
}

#[actix_web::test]
async fn a_body_of_exactly_the_limit_is_stored_and_one_byte_more_is_not() {
    let app = TestApp::start_with(|settings| settings.ingest.webhook_max_bytes = 4096).await;
    app.user("ana").await;
    let body = |size: usize| {
        let mut text = String::from(r#"{"event":"quite.new","data":""#);
        text.extend(std::iter::repeat_n('x', size - text.len() - 2));
        text + "\"}"
    };

    let fits = post(&app, "/api/webhook/user/ana", body(4096)).await;
    let over = post(&app, "/api/webhook/user/ana", body(4097)).await;

    assert_eq!((fits.status, fits.verdict()), (200, "stored"), "{}", fits.json);
    assert_problem(&over, 413, "too_large");
    assert_eq!(letters(&app).await[0]["body"].as_str().unwrap().len(), 4096);
}

#[actix_web::test]
async fn an_unproven_sender_leaves_nothing_behind_however_large_or_broken() {
    let app = TestApp::start_with(|settings| settings.ingest.webhook_max_bytes = 4096).await;
    app.user("ana").await;
    let unproven = |body: Vec<u8>| {
        let request = app.http.post(format!("{}/api/webhook/evolution", app.url)).bearer_auth("a.b.c");
        answer(request.header("content-type", "application/json").body(body))
    };

    let large = unproven(vec![b'x'; 5000]).await;
    let broken = unproven(b"{".to_vec()).await;
    let eventless = unproven(br#"{"instance":"user_nobody"}"#.to_vec()).await;

    assert_problem(&large, 413, "too_large");
    assert_problem(&broken, 401, "webhook_proof_invalid");
    assert_problem(&eventless, 401, "webhook_proof_invalid");
    assert_eq!(letters(&app).await, Vec::<Value>::new());
    let alerts = app.as_admin("GET", "/api/events?event=zapgate.notification", Value::Null).await;
    assert_eq!(alerts.json["items"], json!([]));
}

#[actix_web::test]
async fn strangers_with_large_bodies_stand_in_nobody_s_way_and_not_for_long() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(hang(&app, "/api/webhook/evolution", "authorization: Bearer a.b.c", 1_040_000, 1_000_000).await);
    }

    // The 18th finds no room.
    let turned_away = first_told(&mut strangers).await;
    let text =
        by_own_key(&app, "/api/webhook/evolution", br#"{"event":"quite.new","instance":"user_ana"}"#.to_vec()).await;
    let mut logout = recorded::webhook("logout.instance/device-removed");
    logout["instance"] = json!("user_ana");
    let logout = by_own_key(&app, "/api/webhook/evolution", logout.to_string().into_bytes()).await;
    assert_healthy(&app, "MEANWHILE").await;
    // Which of them found room is chance.
    let mut given_up = first_told(&mut strangers).await;
    while given_up == turned_away {
        given_up = first_told(&mut strangers).await;
    }

    assert_eq!(turned_away, "HTTP/1.1 503");
    assert_eq!((text.status, text.verdict()), (200, "stored"), "{}", text.json);
    assert_eq!((logout.status, logout.verdict()), (200, "stored"), "{}", logout.json);
    assert_eq!(given_up, "HTTP/1.1 408", "within 10 s");
}

#[actix_web::test]
async fn an_ending_is_stored_while_authentic_bodies_fill_the_memory() {
    let app = TestApp::start_with(|settings| {
        settings.ingest.webhook_max_bytes = 1 << 20;
        settings.ingest.ingest_queue_bytes = 1 << 20;
    })
    .await;
    app.user("ana").await;
    let secret = format!("x-webhook-secret: {WEBHOOK_SECRET}");
    // All but the last byte of the first leaves none for the second.
    let mut large = vec![hang(&app, "/api/webhook/user/ana", &secret, 1 << 20, (1 << 20) - 1).await];
    assert_healthy(&app, "MEANWHILE").await;
    large.push(hang(&app, "/api/webhook/user/ana", &secret, 1 << 20, 200_000).await);

    let turned_away = first_told(&mut large).await;
    let logout = app.evolution_posts("ana", recorded::webhook("logout.instance/device-removed")).await;
    let remove = app.evolution_posts("ana", recorded::webhook("remove.instance/open")).await;

    assert_eq!(turned_away, "HTTP/1.1 503");
    for ending in [logout, remove] {
        assert_eq!((ending.status, ending.verdict()), (200, "stored"), "{}", ending.json);
    }
}

#[actix_web::test]
async fn over_1_mib_an_instance_s_own_key_needs_its_own_path() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut large = br#"{"event":"quite.new","instance":"user_ana","data":""#.to_vec();
    large.resize(1_200_000, b'x');
    large.extend_from_slice(b"\"}");

    let stranger = app.http.post(format!("{}/api/webhook/evolution", app.url)).bearer_auth("a.b.c");
    let stranger = answer(stranger.header("content-type", "application/json").body(large.clone())).await;
    let left_behind = (letters(&app).await.len(), alerts(&app).await.len());
    let shared = by_own_key(&app, "/api/webhook/evolution", large.clone()).await;
    let told = (letters(&app).await.len(), alerts(&app).await.len());
    let own = by_own_key(&app, "/api/webhook/user/ana", large.clone()).await;
    let undivided = post(&app, "/api/webhook/evolution", large).await;

    assert_problem(&stranger, 413, "too_large");
    assert_eq!(left_behind, (0, 0));
    assert_problem(&shared, 413, "too_large");
    assert_eq!(told, (1, 1), "its head proves whose it is");
    assert_eq!((own.status, own.verdict()), (200, "stored"), "{}", own.json);
    assert_eq!((undivided.status, undivided.verdict()), (200, "duplicate"), "{}", undivided.json);
}

#[actix_web::test]
async fn a_body_over_the_limit_on_a_shared_path_alerts_whom_its_head_names() {
    let app = TestApp::start_with(|settings| settings.ingest.webhook_max_bytes = 4096).await;
    app.user("ana").await;
    let mut large = br#"{"event":"quite.new","instance":{"instanceName":"user_ana"},"data":""#.to_vec();
    large.resize(5000, b'x');

    let refused = post(&app, "/api/webhook/evolution", large).await;
    let told = alerts(&app).await;

    assert_problem(&refused, 413, "too_large");
    assert_eq!(
        (told.len(), &told[0]["userId"], &told[0]["body"]["code"]),
        (1, &json!("ana"), &json!("webhook_refused"))
    );
}

#[actix_web::test]
async fn a_body_cut_short_is_asked_for_again_and_not_kept() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let secret = format!("x-webhook-secret: {WEBHOOK_SECRET}");
    let mut cut = vec![hang(&app, "/api/webhook/user/ana", &secret, 5000, 4000).await];

    cut[0].shutdown().await.unwrap();

    assert_eq!(first_told(&mut cut).await, "HTTP/1.1 408");
    assert_eq!(letters(&app).await, Vec::<Value>::new());
}

/// Announces a webhook of `announced` bytes, sends `sent` of them and then nothing.
async fn hang(app: &TestApp, path: &str, proof: &str, announced: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{proof}\r\n\
         content-length: {announced}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It may be answered, and closed, before that.
    let _ = stream.write_all(&vec![b' '; sent]).await;
    stream
}

/// The status line of the first of them that is answered, which is then done with.
async fn first_told(streams: &mut Vec<TcpStream>) -> String {
    let told = futures_util::future::select_all(streams.iter_mut().map(|stream| {
        Box::pin(async move {
            let mut head = [0; 12];
            stream.read_exact(&mut head).await.unwrap();
            String::from_utf8_lossy(&head).into_owned()
        })
    }));
    let (told, nth, _) = tokio::time::timeout(Duration::from_secs(10), told).await.expect("one is told");
    streams.remove(nth);
    told
}

/// Posts for ana's instance with its own key.
async fn by_own_key(app: &TestApp, path: &str, body: Vec<u8>) -> Answer {
    let proof = app.proof(app.key_of("user_ana").expose_secret(), Duration::ZERO);
    let request = app.http.post(format!("{}{path}", app.url)).bearer_auth(proof);
    answer(request.header("content-type", "application/json").body(body)).await
}

async fn alerts(app: &TestApp) -> Vec<Value> {
    let page = app.as_admin("GET", "/api/events?event=zapgate.notification", Value::Null).await;
    page.json["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn compressed_or_differently_typed_bodies_are_415() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let typed = |name: &'static str, value: &'static str| {
        let request =
            app.http.post(format!("{}/api/webhook/user/ana", app.url)).header("x-webhook-secret", WEBHOOK_SECRET);
        let request = if name == "content-type" { request } else { request.header("content-type", "application/json") };
        answer(request.header(name, value).body("{}"))
    };

    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-encoding", "br, gzip"),
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "jsonp"),
    ] {
        assert_problem(&typed(name, value).await, 415, "unsupported_media");
    }
    for (name, value) in [
        ("content-encoding", "identity"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-type", "Application/JSON"),
        ("content-type", "application/cloudevents+json"),
    ] {
        assert_problem(&typed(name, value).await, 400, "no_event");
    }
}

#[actix_web::test]
async fn odd_user_ids_in_paths_are_one_user_and_never_a_path() {
    let app = TestApp::start().await;
    let long = "x".repeat(129);
    let plain = "y".repeat(128);
    let key = WEBHOOK_SECRET;

    for (raw, segment) in [
        ("ação 🎉", "a%C3%A7%C3%A3o%20%F0%9F%8E%89"),
        ("auth0|ana@example.com", "auth0%7Cana%40example.com"),
        (long.as_str(), long.as_str()),
        (plain.as_str(), plain.as_str()),
        ("a\u{0}b\r\nX: y", "a%00b%0D%0AX:%20y"),
        ("..%", "..%25"),
    ] {
        let made = app.user(raw).await;
        assert_eq!(made.status, 200, "{raw:?}: {}", made.json);
        let user = made.json["instance"]["userId"].as_str().unwrap().to_owned();
        assert!(user.len() <= 128 && user.bytes().all(|b| b.is_ascii_graphic()), "{user:?}");
        let body = text().to_string().replace(text()["instance"].as_str().unwrap(), &format!("user_{user}"));
        let request = app.http.post(format!("{}/api/webhook/user/{segment}", app.url)).header("x-webhook-secret", key);
        let stored = answer(request.header("content-type", "application/json").body(body)).await;
        assert_eq!((stored.status, stored.verdict()), (200, "stored"), "{raw:?}: {}", stored.json);
    }
    for segment in ["%FF", "a%2Fb", "a/b/c", "", "%2e%2e/evolution"] {
        let request = app.http.post(format!("{}/api/webhook/user/{segment}", app.url)).header("x-webhook-secret", key);
        let odd = answer(request.header("content-type", "application/json").body("{}")).await;
        assert!((400..500).contains(&odd.status), "{segment:?}: {} {}", odd.status, odd.json);
        assert_eq!(odd.headers["content-type"], "application/problem+json", "{segment:?}");
    }
}

#[actix_web::test]
async fn a_dead_letter_of_an_odd_user_s_path_can_be_replayed() {
    let app = TestApp::start_with(|settings| settings.ingest.webhook_max_bytes = 60).await;
    let user = app.user("ação").await.json["instance"]["userId"].as_str().unwrap().to_owned();
    // Too large as it came; what was kept of it, the first 60 bytes, is a webhook.
    let body = format!("{:<80}", r#"{"event":"quite.new","data":1}"#);
    let request = app.http.post(format!("{}/api/webhook/user/a%C3%A7%C3%A3o", app.url));
    let request = request.header("x-webhook-secret", WEBHOOK_SECRET).header("content-type", "application/json");

    let refused = answer(request.body(body)).await;
    let id = letters(&app).await[0]["id"].as_i64().unwrap();
    let replayed = app.as_admin("POST", &format!("/api/dead-letters/{id}/replay"), Value::Null).await;
    let tail = app.as_admin("GET", "/api/events?event=quite.new", Value::Null).await;

    assert_problem(&refused, 413, "too_large");
    assert_eq!((replayed.status, replayed.verdict()), (200, "stored"), "{}", replayed.json);
    assert_eq!((&tail.json["items"][0]["userId"], &tail.json["items"][0]["late"]), (&json!(user), &json!(true)));
}

#[actix_web::test]
async fn nothing_of_a_body_or_a_secret_is_echoed() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let needle = "NEEDLE-5511900000001";
    let key = app.key_of("user_ana");

    for body in [
        format!(r#"{{"event":"{needle}"#),
        format!(r#"{{"apikey":"{needle}","data":{{}}}}"#),
        format!(r#"{{"event":"x","instance":"{needle}"}}"#),
        needle.to_owned(),
    ] {
        for path in ["/api/webhook/user/ana", "/api/webhook/evolution"] {
            let said = post(&app, path, body.clone()).await.json.to_string();
            assert!(!said.contains("NEEDLE") && !said.contains(WEBHOOK_SECRET), "{said}");
            assert!(!said.contains(key.expose_secret()), "{said}");
        }
        for path in ["/api/whatsapp/connect", "/api/login", "/api/tokens", "/api/ws/ticket", "/api/webhook/test"] {
            let request = app.http.post(format!("{}{path}", app.url)).bearer_auth(crate::app::ADMIN);
            let said = answer(request.header("content-type", "application/json").body(body.clone())).await;
            assert!(!said.json.to_string().contains("NEEDLE"), "{path}: {}", said.json);
        }
    }
}

#[actix_web::test]
async fn random_bytes_never_cause_a_5xx_and_never_stop_the_writer() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut runner = TestRunner::deterministic();
    let json = prop_oneof![
        "null|true|-?[0-9]{1,30}(e[0-9]{1,3})?|\"[a-z\\PC]{0,8}\"|\"(\\\\u[dD][89a-fA-F][0-9a-f]{2}){1,3}\"",
        "[\\x00-\\x7f]{0,20}",
    ]
    .prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((member(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let hostile = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        json.clone().prop_map(String::into_bytes),
        (event(), json).prop_map(|(event, data)| format!(r#"{{"event":"{event}","data":{data}}}"#).into_bytes()),
    ];

    for n in 0..400 {
        let body = hostile.new_tree(&mut runner).unwrap().current();
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = post(&app, "/api/webhook/user/ana", body).await;
        assert!(answer.status < 500 && answer.status != 422, "{n}: {} {} for {shown}", answer.status, answer.json);
    }

    assert_healthy(&app, "AFTER").await;
}

fn member() -> impl Strategy<Value = String> {
    let names = ["key", "id", "message", "qrcode", "base64", "state", "instanceName", "protocolMessage", "status", "a"];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

fn event() -> impl Strategy<Value = String> {
    let names = [
        "messages.upsert",
        "messages.update",
        "messages.edited",
        "messages.delete",
        "messages.set",
        "send.message",
        "connection.update",
        "qrcode.updated",
        "presence.update",
        "call",
        "status.instance",
        "quite.new",
    ];
    prop::sample::select(names.to_vec()).prop_map(str::to_owned)
}

#[actix_web::test]
async fn a_request_that_frames_itself_twice_is_not_two_requests() {
    let app = TestApp::start().await;
    let smuggled = "POST /api/webhook/evolution HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let lengths = "POST /api/webhook/evolution HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 30\r\n\r\n\
                   GET /health HTTP/1.1\r\nhost: x\r\n\r\n";

    for raw in [smuggled, lengths] {
        let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut said)).await;
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        assert!(!said.contains("\"ok\""), "{said}");
    }
}
