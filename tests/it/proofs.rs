//! Who may post webhooks: what proves it, what doesn't, and what a refusal leaves behind (INTERFACE §3 "Webhooks in").

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{ADMIN, Answer, JWT_SECRET, TestApp, WEBHOOK_SECRET, answer, instance_of};
use crate::recorded;

const MINUTE: Duration = Duration::from_mins(1);

fn text() -> Value {
    recorded::webhook("messages.upsert/text-conversation")
}

/// Posts to `path` with one header.
async fn post(app: &TestApp, path: &str, (name, value): (&str, &str), body: &Value) -> Answer {
    answer(app.http.post(format!("{}{path}", app.url)).header(name, value).json(body)).await
}

async fn with_jwt(app: &TestApp, path: &str, jwt: &str, body: &Value) -> Answer {
    post(app, path, ("authorization", &format!("Bearer {jwt}")), body).await
}

/// The recorded text, for ana's instance.
fn ana_text() -> Value {
    let mut body = text();
    body["instance"] = json!("user_ana");
    body
}

fn claims_at(app: &TestApp, ahead_s: i64) -> Value {
    let iat = app.clock.now().as_secs() + ahead_s;
    json!({"iat": iat, "exp": iat + 600, "app": "evolution", "action": "webhook"})
}

fn signed(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

/// The codes of the user's notifications so far.
async fn notifications(app: &TestApp, user: &str) -> Vec<String> {
    let path = format!("/api/events?limit=200&event=zapgate.notification&user={user}");
    let page = app.as_admin("GET", &path, Value::Null).await;
    let items = page.json["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["body"]["code"].as_str().unwrap().to_owned()).collect()
}

async fn stored_webhooks(app: &TestApp) -> usize {
    let page = app.as_admin("GET", "/api/events?limit=200", Value::Null).await;
    let items = page.json["items"].as_array().unwrap().clone();
    items.iter().filter(|item| !item["event"].as_str().unwrap().starts_with("zapgate.")).count()
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.json);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.json["type"], format!("/problems/{code}"));
    assert_eq!(answer.json["status"], status);
    assert!(answer.json["title"].is_string() && answer.json["detail"].is_string(), "{}", answer.json);
}

#[actix_web::test]
async fn nothing_forged_gets_in_or_leaves_a_trace() {
    let app = TestApp::start().await;
    app.user("ana").await;
    app.user("bob").await;
    let own = app.key_of("user_ana");
    let others = app.key_of("user_bob");
    let now = claims_at(&app, 0);
    let none = format!(
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
        signed(Algorithm::HS256, "x", &now).split('.').nth(1).unwrap()
    );
    let stripped = signed(Algorithm::HS256, own.expose_secret(), &now);
    let stripped = format!("{}.", stripped.rsplit_once('.').unwrap().0);

    for (what, jwt) in [
        ("another key", signed(Algorithm::HS256, "not-our-secret-0123456789abcdef0123", &now)),
        ("an empty key", signed(Algorithm::HS256, "", &now)),
        ("the users' secret", signed(Algorithm::HS256, JWT_SECRET, &now)),
        ("HS512", signed(Algorithm::HS512, own.expose_secret(), &now)),
        ("HS384", signed(Algorithm::HS384, WEBHOOK_SECRET, &now)),
        ("another instance's key", signed(Algorithm::HS256, others.expose_secret(), &now)),
        ("no iat", signed(Algorithm::HS256, own.expose_secret(), &json!({"exp": 9_999_999_999_i64}))),
        ("an iat that is text", signed(Algorithm::HS256, own.expose_secret(), &json!({"iat": "1795211606"}))),
        ("an absurd iat", signed(Algorithm::HS256, own.expose_secret(), &json!({"iat": 1e300}))),
        ("a day ago", signed(Algorithm::HS256, own.expose_secret(), &claims_at(&app, -86_400))),
        ("alg none", none),
        ("no signature", stripped),
        ("nonsense", "a.b.c".to_owned()),
        ("the secret itself", WEBHOOK_SECRET.to_owned()),
        ("an operator's token", ADMIN.to_owned()),
    ] {
        for path in [
            "/api/webhook/user/ana",
            "/api/webhook/user/ana/messages-upsert",
            "/api/webhook/evolution",
            "/api/webhook/whatsapp",
        ] {
            let refused = with_jwt(&app, path, &jwt, &ana_text()).await;
            assert_eq!(refused.status, 401, "{what} at {path}: {}", refused.json);
            assert_problem(&refused, 401, "webhook_proof_invalid");
        }
    }
    for secret in ["", "x", JWT_SECRET, ADMIN, others.expose_secret()] {
        let refused = post(&app, "/api/webhook/user/ana", ("x-webhook-secret", secret), &ana_text()).await;
        assert_problem(&refused, 401, "webhook_proof_invalid");
    }

    assert_eq!(stored_webhooks(&app).await, 0);
    assert_eq!(app.as_admin("GET", "/api/dead-letters", Value::Null).await.json["items"], json!([]));
    assert_eq!(app.as_admin("GET", "/api/quarantine", Value::Null).await.json["items"], json!([]));
}

#[actix_web::test]
async fn without_any_proof_the_answer_is_401_and_nothing_is_stored() {
    let app = TestApp::start().await;
    app.user("ana").await;

    for path in
        ["/api/webhook/user/ana", "/api/webhook/user/ana/x", "/api/webhook/evolution", "/api/webhook/whatsapp/x"]
    {
        let refused = post(&app, path, ("x-nothing", "here"), &ana_text()).await;
        assert_problem(&refused, 401, "webhook_proof_missing");
        let basic = post(&app, path, ("authorization", "Basic YTpi"), &ana_text()).await;
        assert_problem(&basic, 401, "webhook_proof_missing");
    }

    assert_eq!(stored_webhooks(&app).await, 0);
}

#[actix_web::test]
async fn an_instance_s_own_key_and_the_undivided_secret_open_every_door() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let own = app.key_of("user_ana");
    let own_jwt = app.proof(own.expose_secret(), Duration::ZERO);
    let undivided = app.proof(WEBHOOK_SECRET, Duration::ZERO);

    let mut n = 0;
    for path in [
        "/api/webhook/user/ana",
        "/api/webhook/user/ana/messages-upsert",
        "/api/webhook/evolution/x",
        "/api/webhook/whatsapp",
    ] {
        for (name, value) in [
            ("authorization", format!("Bearer {own_jwt}")),
            ("authorization", format!("bearer  {undivided}")),
            ("x-webhook-secret", own.expose_secret().to_owned()),
            ("x-webhook-secret", WEBHOOK_SECRET.to_owned()),
        ] {
            n += 1;
            let mut body = ana_text();
            body["data"]["key"]["id"] = json!(format!("ID{n}"));
            let stored = post(&app, path, (name, &value), &body).await;
            assert_eq!((stored.status, stored.verdict()), (200, "stored"), "{path} {name} {}", stored.json);
        }
    }
}

#[actix_web::test]
async fn a_proof_counts_by_its_age_and_not_by_its_exp() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let key = app.key_of("user_ana");

    for (ahead_s, status) in
        [(-20 * 60, 200), (-59 * 60, 200), (-61 * 60, 401), (50 * 60, 200), (2 * 3600, 401), (-86_400, 401)]
    {
        let mut body = ana_text();
        body["data"]["key"]["id"] = json!(format!("ID{ahead_s}"));
        let jwt = signed(Algorithm::HS256, key.expose_secret(), &claims_at(&app, ahead_s));
        let answer = with_jwt(&app, "/api/webhook/user/ana", &jwt, &body).await;
        assert_eq!(answer.status, status, "{ahead_s} s: {}", answer.json);
    }
}

#[actix_web::test]
async fn a_resend_is_a_duplicate_as_long_as_its_proof_is_young_enough() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let jwt = app.proof(app.key_of("user_ana").expose_secret(), Duration::ZERO);
    let first = with_jwt(&app, "/api/webhook/user/ana", &jwt, &ana_text()).await;

    app.clock.advance(20 * MINUTE);
    let again = with_jwt(&app, "/api/webhook/user/ana", &jwt, &ana_text()).await;
    app.clock.advance(41 * MINUTE);
    let too_late = with_jwt(&app, "/api/webhook/user/ana", &jwt, &ana_text()).await;

    assert_eq!((again.verdict(), again.seq()), ("duplicate", first.seq()));
    assert_problem(&too_late, 401, "webhook_proof_invalid");
}

#[actix_web::test]
async fn after_a_rotation_both_secrets_prove_and_a_third_does_not() {
    let (new, old) = ("the-new-webhook-secret-0123456789", WEBHOOK_SECRET);
    let app = TestApp::start_with(|settings| {
        settings.proof.webhook_secret = vec![SecretString::from(new), SecretString::from(old)];
    })
    .await;
    app.user("ana").await;

    // The harness derives from the old secret: what Evolution was given before the rotation.
    let derived_from_old = app.evolution_posts("ana", text()).await;
    let undivided_new = with_jwt(&app, "/api/webhook/user/ana", &app.proof(new, Duration::ZERO), &ana_text()).await;
    let third = app.proof("another-webhook-secret-0123456789", Duration::ZERO);

    assert_eq!(derived_from_old.status, 200);
    assert_eq!(undivided_new.verdict(), "duplicate");
    assert_problem(&with_jwt(&app, "/api/webhook/user/ana", &third, &ana_text()).await, 401, "webhook_proof_invalid");
}

#[actix_web::test]
async fn a_body_of_another_instance_than_the_path_is_refused_whatever_proves_it() {
    let app = TestApp::start().await;
    app.user("ana").await;
    app.user("bob").await;
    let mut body = text();
    body["instance"] = json!("user_bob");

    for key in [app.key_of("user_ana"), app.key_of("user_bob"), SecretString::from(WEBHOOK_SECRET)] {
        let jwt = app.proof(key.expose_secret(), Duration::ZERO);
        let refused = with_jwt(&app, "/api/webhook/user/ana", &jwt, &body).await;
        assert_eq!(refused.status, 401, "{}", refused.json);
    }
    body["instance"] = json!({"instanceName": "user_bob"});
    let jwt = app.proof(WEBHOOK_SECRET, Duration::ZERO);
    assert_problem(&with_jwt(&app, "/api/webhook/user/ana", &jwt, &body).await, 401, "instance_mismatch");

    assert_eq!(stored_webhooks(&app).await, 0);
    assert_eq!(app.as_admin("GET", "/api/dead-letters", Value::Null).await.json["items"], json!([]));
}

#[actix_web::test]
async fn a_refusal_is_told_once_in_ten_minutes_and_for_known_instances_only() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let refusals = |path: &'static str| {
        let app = &app;
        async move {
            let all = join_all((0..20).map(|_| with_jwt(app, path, "a.b.c", &Value::Null))).await;
            assert!(all.iter().all(|answer| answer.status == 401));
        }
    };

    refusals("/api/webhook/user/ana").await;
    refusals("/api/webhook/user/nobody").await;
    let first = notifications(&app, "ana").await;
    app.clock.advance(9 * MINUTE);
    refusals("/api/webhook/user/ana").await;
    let within = notifications(&app, "ana").await;
    app.clock.advance(2 * MINUTE);
    refusals("/api/webhook/user/ana").await;
    let later = notifications(&app, "ana").await;

    assert_eq!(first, ["webhook_refused"]);
    assert_eq!(within, ["webhook_refused"]);
    assert_eq!(later, ["webhook_refused", "webhook_refused"]);
    assert_eq!(notifications(&app, "nobody").await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_refusal_reaches_the_owner_s_socket_without_saying_what_was_posted() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;

    with_jwt(&app, "/api/webhook/evolution", "a.b.c", &ana_text()).await;
    let frame = ana.next().await;

    assert_eq!((&frame["type"], &frame["data"]["code"]), (&json!("notification"), &json!("webhook_refused")));
    assert!(!frame.to_string().contains("sábado"), "{frame}");
}

#[actix_web::test]
async fn on_a_user_s_path_the_proof_is_checked_before_the_body_is_read() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /api/webhook/user/ana HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                authorization: Bearer a.b.c\r\ncontent-length: 33000000\r\n\r\n";

    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read =
        timeout(Duration::from_secs(5), stream.read(&mut answer)).await.expect("it is answered at once").unwrap();

    assert!(answer[..read].starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer[..read]));
}

#[actix_web::test]
async fn without_required_proofs_anybody_may_post_and_a_good_proof_still_tells_the_time() {
    let app = TestApp::start_with(|settings| {
        settings.proof.webhook_auth = zapgate::services::ingest::proof::WebhookAuth::None;
    })
    .await;
    app.user("ana").await;

    let bare = post(&app, "/api/webhook/user/ana", ("x-nothing", "here"), &ana_text()).await;

    assert_eq!((bare.status, bare.verdict()), (200, "stored"));
    assert_eq!(instance_of("ana"), "user_ana");
}
