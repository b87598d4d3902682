//! A code lets a phone be linked: it is shown to its user while it can be scanned, and nowhere and never else.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row;
use zapgate::adapters::store::Store;
use zapgate::domain::time::Millis;
use zapgate::services::ingest::retention;

use crate::app::{TestApp, instance_of};
use crate::listeners::{connecting, open, posts_emitted, qr};

/// Longer than a code can be scanned (CONTRACT §5.4).
const EXPIRED: Duration = Duration::from_secs(46);

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.user_in("ana", "acme").await;
    app
}

fn before(app: &TestApp, seconds: u64) -> Millis {
    app.clock.now() - Duration::from_secs(seconds)
}

/// The frame numbered `seq` as it is replayed now.
async fn replayed(app: &TestApp, seq: i64) -> Value {
    let epoch = app.listen("ana").await.epoch().to_owned();
    let mut socket = app.listen_since("ana", seq - 1, &epoch).await;
    assert_eq!(socket.hello["recovered"], true);
    socket.next().await
}

/// What everybody who may ask is answered about the instance.
async fn answers(app: &TestApp) -> (Value, Value, Value) {
    let own = app.asks(&app.token("ana", None), "GET", "/api/whatsapp/instance", Value::Null).await;
    let admin = app.as_admin("GET", "/api/instances", Value::Null).await;
    let org = app.asks(&app.token("bob", Some("acme")), "GET", "/api/instances", Value::Null).await;
    assert_eq!((own.status, admin.status, org.status), (200, 200, 200));
    (own.json, admin.json["items"][0].clone(), org.json["items"][0].clone())
}

fn assert_no_code(shown: &Value, place: &str) {
    assert_eq!((&shown["qrCode"], &shown["pairingCode"]), (&Value::Null, &Value::Null), "{place}: {shown}");
    assert!(!shown.to_string().contains("first"), "{place}: {shown}");
}

#[actix_web::test]
async fn a_live_code_comes_in_all_its_forms_with_its_expiry_and_a_rising_count() {
    let app = app().await;
    let mut ana = app.listen("ana").await;

    let emitted = before(&app, 0);
    posts_emitted(&app, "ana", connecting(), emitted - Duration::from_secs(1)).await;
    posts_emitted(&app, "ana", qr("first"), emitted).await;
    app.clock.advance(Duration::from_secs(20));
    posts_emitted(&app, "ana", qr("second"), before(&app, 0)).await;
    let (first, second) = (ana.next_of("qrcode").await, ana.next_of("qrcode").await);

    assert_eq!(first["data"]["qrCode"], "data:image/png;base64,firstimage");
    assert_eq!((&first["data"]["code"], &first["data"]["pairingCode"]), (&json!("2@firstcode"), &json!("firstpair")));
    assert_eq!((&first["data"]["count"], &second["data"]["count"]), (&json!(1), &json!(2)));
    assert_eq!(first["data"]["status"], "waiting_qr");
    assert!(first["data"].get("expired").is_none());
    let expires_at = Millis::parse_rfc3339(first["data"]["expiresAt"].as_str().unwrap()).unwrap();
    assert_eq!(expires_at, emitted + Duration::from_secs(45));
}

#[actix_web::test]
async fn an_expired_code_is_in_no_hello_no_replay_and_no_answer() {
    let app = app().await;
    let mut live = app.listen("ana").await;
    let seq = app.evolution_posts("ana", qr("first")).await.seq();
    let shown = live.next_of("qrcode").await;
    let (own, _, org) = answers(&app).await;
    assert_eq!(own["qrCode"], shown["data"]["qrCode"]);
    assert_no_code(&org, "the organisation's list");
    assert_eq!(replayed(&app, seq).await, shown);

    app.clock.advance(EXPIRED);

    assert_no_code(&app.listen("ana").await.hello["data"]["instance"], "hello");
    let (own, admin, org) = answers(&app).await;
    for (shown, place) in [(own, "own"), (admin, "admin"), (org, "org")] {
        assert_no_code(&shown, place);
        assert_eq!(shown["qrExpiresAt"], Value::Null);
    }
    let again = replayed(&app, seq).await;
    assert_no_code(&again["data"], "replay");
    assert_eq!((&again["data"]["expired"], &again["data"]["code"]), (&json!(true), &Value::Null));
    assert_eq!((&again["seq"], &again["at"]), (&shown["seq"], &shown["at"]));
    assert_eq!(again["data"]["expiresAt"], shown["data"]["expiresAt"]);
}

#[actix_web::test]
async fn a_replaced_code_is_expired_in_replay_although_its_time_is_not_over() {
    let app = app().await;
    let emitted = before(&app, 5);
    let first = posts_emitted(&app, "ana", qr("first"), emitted).await.seq();
    let second = posts_emitted(&app, "ana", qr("second"), emitted + Duration::from_secs(2)).await.seq();

    let (replaced, on_show) = (replayed(&app, first).await, replayed(&app, second).await);

    assert_no_code(&replaced["data"], "replay");
    assert_eq!(replaced["data"]["expired"], true);
    assert_eq!(on_show["data"]["qrCode"], "data:image/png;base64,secondimage");
}

#[actix_web::test]
async fn a_code_that_arrives_after_the_open_it_led_to_is_not_shown() {
    let app = app().await;
    let mut ana = app.listen("ana").await;
    let now = before(&app, 0);

    posts_emitted(&app, "ana", open(), now).await;
    posts_emitted(&app, "ana", qr("first"), now - Duration::from_secs(10)).await;

    let late = ana.next_of("qrcode").await;
    assert_no_code(&late["data"], "live");
    assert_eq!((&late["data"]["expired"], &late["data"]["status"]), (&json!(true), &json!("connected")));
    assert_no_code(&app.listen("ana").await.hello["data"]["instance"], "hello");
    assert_eq!(answers(&app).await.0["status"], "connected");
}

#[actix_web::test]
async fn an_open_takes_the_code_off_the_screen_before_it_expires() {
    let app = app().await;
    let now = before(&app, 0);
    let seq = posts_emitted(&app, "ana", qr("first"), now - Duration::from_secs(10)).await.seq();

    posts_emitted(&app, "ana", open(), now).await;

    assert_no_code(&app.listen("ana").await.hello["data"]["instance"], "hello");
    assert_no_code(&replayed(&app, seq).await["data"], "replay");
    assert_no_code(&answers(&app).await.0, "own");
}

#[actix_web::test]
async fn a_code_released_from_quarantine_is_not_shown() {
    let app = TestApp::start().await;
    let kept = app.evolution_posts("ana", qr("first")).await;
    assert_eq!(kept.verdict(), "quarantined");
    app.user("ana").await;
    let mut ana = app.listen("ana").await;

    let released = app
        .as_admin("POST", &format!("/api/quarantine/{}/release", instance_of("ana")), json!({"userId": "ana"}))
        .await;

    assert_eq!(released.status, 200, "{}", released.json);
    let late = ana.next_of("qrcode").await;
    assert_no_code(&late["data"], "live");
    assert_eq!((&late["late"], &late["data"]["expired"]), (&json!(true), &json!(true)));
    assert_no_code(&app.listen("ana").await.hello["data"]["instance"], "hello");
}

#[actix_web::test]
async fn no_code_is_written_anywhere_but_in_the_instances_row_and_a_sweep_clears_it() {
    let app = app().await;
    app.evolution_posts("ana", qr("first")).await;
    app.evolution_posts("nobody", qr("first")).await;
    assert_eq!(tables_with_a_code(&app).await, ["whatsapp_instances"]);

    app.clock.advance(EXPIRED);
    sweep(&app).await;

    assert_eq!(tables_with_a_code(&app).await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_sweep_also_clears_a_code_that_came_without_a_picture() {
    let app = app().await;
    let mut body = qr("first");
    body["data"]["qrcode"].as_object_mut().unwrap().remove("base64");
    app.evolution_posts("ana", body).await;
    assert_eq!(tables_with_a_code(&app).await, ["whatsapp_instances"]);

    app.clock.advance(EXPIRED);
    sweep(&app).await;

    assert_eq!(tables_with_a_code(&app).await, Vec::<String>::new());
}

async fn sweep(app: &TestApp) {
    let store = Store::open(&app.folder().join("zapgate.db")).await.unwrap();
    let config = retention::RetentionConfig { event_retention_days: 30, event_retention_bytes: 0 };
    retention::sweep(&store, &app.clock, &config).await.unwrap();
    store.close().await;
}

/// The tables in any of whose cells a form of the first code stands.
async fn tables_with_a_code(app: &TestApp) -> Vec<String> {
    let database = app.database().await;
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .fetch_all(&database)
        .await
        .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM \"{table}\""))).fetch_all(&database).await.unwrap();
        let shows = rows.iter().any(|row| {
            (0..row.columns().len()).any(|at| {
                let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
                ["firstimage", "firstcode", "firstpair"].iter().any(|form| text.contains(form))
            })
        });
        if shows {
            found.push(table);
        }
    }
    found
}
