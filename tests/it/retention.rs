//! What is dropped from the log and when, and what happens when the disk is nearly full.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::adapters::store::Store;
use zapgate::services::ingest::retention::{self, RetentionConfig};

use crate::app::TestApp;
use crate::recorded;

const DAY: Duration = Duration::from_hours(24);

fn text(id: &str) -> Value {
    let mut body = recorded::webhook("messages.upsert/text-conversation");
    body["data"]["key"]["id"] = json!(id);
    body
}

/// One look of the retention, with the app's clock.
async fn sweep(app: &TestApp, max_bytes: u64) -> u64 {
    let store = Store::open(&app.folder().join("zapgate.db")).await.unwrap();
    let config = RetentionConfig { event_retention_days: 30, event_retention_bytes: max_bytes };
    let dropped = retention::sweep(&store, &app.clock, &config).await.unwrap();
    store.close().await;
    dropped
}

async fn remembered(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM dedupe_messages").fetch_one(&app.database().await).await.unwrap()
}

#[actix_web::test]
async fn rows_of_over_thirty_days_go_with_their_identities_and_younger_ones_stay() {
    let mut app = TestApp::start().await;
    app.user("ana").await;
    let epoch = app.listen("ana").await.epoch().to_owned();
    app.evolution_posts("ana", text("OLD")).await;
    app.clock.advance(29 * DAY);
    let young = app.evolution_posts("ana", text("YOUNG")).await;
    let nothing_yet = sweep(&app, 0).await;
    app.clock.advance(2 * DAY);

    let dropped = sweep(&app, 0).await;
    // Swept past the server, which remembers what it stored itself.
    app.restart().await;
    let from_before = app.listen_since("ana", 1, &epoch).await;
    let from_kept = app.listen_since("ana", young.seq() - 1, &epoch).await;
    let same_young = app.evolution_posts("ana", text("YOUNG")).await;
    let same_old = app.evolution_posts("ana", text("OLD")).await;

    assert_eq!(nothing_yet, 0);
    // The status at the making, and the old text.
    assert_eq!(dropped, 2);
    assert_eq!(from_before.hello["recovered"], false);
    assert_eq!((&from_kept.hello["recovered"], from_kept.hello_seq()), (&json!(true), young.seq() - 1));
    assert_eq!((same_young.verdict(), same_young.seq()), ("duplicate", young.seq()));
    assert_eq!((same_old.verdict(), same_old.seq()), ("stored", young.seq() + 1));
    assert_eq!(remembered(&app).await, 2);
}

#[actix_web::test]
async fn for_size_only_rows_of_over_a_day_go() {
    let app = TestApp::start().await;
    app.user("ana").await;
    app.evolution_posts("ana", text("OLD")).await;
    app.clock.advance(Duration::from_mins(24 * 60 - 1));
    app.evolution_posts("ana", text("YOUNG")).await;

    let too_young = sweep(&app, 1).await;
    app.clock.advance(Duration::from_mins(2));
    let dropped = sweep(&app, 1).await;
    let unlimited = sweep(&app, 0).await;

    assert_eq!((too_young, dropped, unlimited), (0, 2, 0));
    assert_eq!(app.evolution_posts("ana", text("YOUNG")).await.verdict(), "duplicate");
}

#[actix_web::test]
async fn an_emptied_log_goes_on_with_its_numbers() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let last = app.evolution_posts("ana", text("A")).await.seq();
    app.clock.advance(31 * DAY);
    sweep(&app, 0).await;

    let next = app.evolution_posts("ana", text("B")).await;

    assert_eq!(next.seq(), last + 1);
}

#[actix_web::test]
async fn on_a_nearly_full_disk_webhooks_are_put_off_and_endings_are_final() {
    let app = TestApp::start_with(|settings| settings.ingest.disk_floor_percent = 100).await;

    let texts = app.evolution_posts("ana", text("A")).await;
    let ending = app.evolution_posts("ana", recorded::webhook("logout.instance/device-removed")).await;
    let removal = app.evolution_posts("ana", recorded::webhook("remove.instance/open")).await;
    let ready = app.asks("", "GET", "/ready", Value::Null).await;
    let alive = app.asks("", "GET", "/health", Value::Null).await;

    assert_eq!((texts.status, texts.code()), (503, "disk_nearly_full"));
    assert!(texts.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!((ending.status, ending.code()), (422, "ending_not_stored"));
    assert_eq!((removal.status, removal.code()), (422, "ending_not_stored"));
    assert_eq!((ready.status, &ready.json["disk"]), (503, &json!("nearly_full")));
    assert_eq!((alive.status, alive.json), (200, json!({"status": "ok"})));
}
