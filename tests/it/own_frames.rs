//! What the gateway itself says on a channel: that something changed, once, and in the right order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use uuid::Uuid;
use zapgate::adapters::bus::Bus;
use zapgate::adapters::clock::Clock;
use zapgate::adapters::store::Store;
use zapgate::adapters::store::batch::NewInstance;
use zapgate::adapters::tasks::Tasks;
use zapgate::domain::ids::{InstanceName, UserId};
use zapgate::domain::lifecycle::State;
use zapgate::services::ingest::disk::DiskGauge;
use zapgate::services::ingest::{Announcement, Ingest, IngestConfig, wake};

use crate::app::TestApp;
use crate::listeners::{connecting, open, posts_emitted, text};
use crate::recorded;
use crate::socket::Socket;

async fn connected() -> (TestApp, Socket) {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    posts_emitted(&app, "ana", open(), app.clock.now() - Duration::from_secs(5)).await;
    assert_eq!(ana.next().await["data"]["status"], "connected");
    assert_eq!(ana.next().await["data"]["code"], "connected");
    (app, ana)
}

/// All frames up to that of a text posted now, which is left out.
async fn until_now(app: &TestApp, socket: &mut Socket) -> Vec<Value> {
    let seq = app.evolution_posts("ana", text(&format!("mark-{}", app.clock.now().0))).await.seq();
    let mut frames = socket.up_to(seq).await;
    frames.pop();
    frames
}

fn shown(frame: &Value) -> (&str, &Value) {
    (
        frame["type"].as_str().unwrap(),
        if frame["type"] == "status" { &frame["data"]["status"] } else { &frame["data"]["code"] },
    )
}

#[actix_web::test]
async fn a_whole_pairing_says_connected_once_and_after_the_status_that_shows_it() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;

    let flow: Value = recorded::file("flows/qr-scan-to-open");
    let events = flow["events"].as_array().unwrap();
    let offset = |event: &Value| Duration::from_millis(event["offset_ms"].as_u64().unwrap());
    let began = app.clock.now() - offset(events.last().unwrap());
    for event in events {
        posts_emitted(&app, "ana", event["request"]["body"].clone(), began + offset(event)).await;
    }

    let frames = until_now(&app, &mut ana).await;
    let notifications: Vec<usize> = (0..frames.len()).filter(|nth| frames[*nth]["type"] == "notification").collect();
    let [told] = notifications[..] else { panic!("{} notifications", notifications.len()) };
    assert_eq!(frames[told]["data"]["code"], "connected");
    assert_eq!(shown(&frames[told - 1]), ("status", &json!("connected")));
    assert_eq!(frames[told]["data"]["instanceName"], "user_ana");
}

#[actix_web::test]
async fn a_drop_that_does_not_mend_is_told_when_its_time_is_over_and_only_then() {
    let (app, mut ana) = connected().await;

    posts_emitted(&app, "ana", connecting(), app.clock.now()).await;
    let dropped = ana.next().await;
    app.clock.advance(Duration::from_secs(11));
    let told = ana.next().await;

    assert_eq!(
        (&dropped["data"]["status"], &dropped["data"]["reason"]),
        (&json!("connected"), &json!("reconnecting_silently"))
    );
    assert_eq!(shown(&told), ("status", &json!("reconnecting")));
    assert_eq!(told["data"]["isConnected"], false);
    assert_eq!(told["seq"], dropped["seq"].as_i64().unwrap() + 1);
    assert_eq!(events(&app).await.last().unwrap(), "zapgate.status");
}

#[actix_web::test]
async fn a_return_is_told_as_a_return() {
    let (app, mut ana) = connected().await;
    posts_emitted(&app, "ana", connecting(), app.clock.now()).await;
    app.clock.advance(Duration::from_secs(11));
    while ana.next().await["data"]["status"] != "reconnecting" {}

    posts_emitted(&app, "ana", open(), app.clock.now()).await;

    let (back, told) = (ana.next().await, ana.next().await);
    assert_eq!(shown(&back), ("status", &json!("connected")));
    assert_eq!(shown(&told), ("notification", &json!("reconnected")));
}

#[actix_web::test]
async fn a_short_drop_makes_no_frame_of_the_gateways_own() {
    let (app, mut ana) = connected().await;
    let now = app.clock.now();

    posts_emitted(&app, "ana", connecting(), now - Duration::from_secs(2)).await;
    posts_emitted(&app, "ana", open(), now).await;
    app.clock.advance(Duration::from_secs(30));

    let frames = until_now(&app, &mut ana).await;
    let shown: Vec<_> = frames.iter().map(shown).collect();
    assert_eq!(shown, [("status", &json!("connected")), ("status", &json!("connected"))]);
}

#[actix_web::test]
async fn repeats_of_a_storm_say_nothing_until_they_change_something() {
    let (app, mut ana) = connected().await;
    let now = app.clock.now();
    posts_emitted(&app, "ana", connecting(), now - Duration::from_secs(4)).await;

    for nth in 1..8 {
        let mut again = connecting();
        again["data"]["nonce"] = json!(nth);
        let at = now - Duration::from_millis(4000 - nth * 100);
        let folded = posts_emitted(&app, "ana", again, at).await;
        assert_eq!(folded.verdict(), "folded", "{}", folded.json);
    }

    let frames = until_now(&app, &mut ana).await;
    assert_eq!(frames.iter().map(shown).collect::<Vec<_>>(), [("status", &json!("connected"))]);
}

#[actix_web::test]
async fn a_user_who_connects_again_hears_nothing_new() {
    let (app, mut ana) = connected().await;

    for _ in 0..3 {
        assert_eq!(app.user("ana").await.status, 200);
    }

    assert_eq!(until_now(&app, &mut ana).await, Vec::<Value>::new());
}

async fn events(app: &TestApp) -> Vec<String> {
    let database = app.database().await;
    sqlx::query_scalar("SELECT event FROM events ORDER BY id").fetch_all(&database).await.unwrap()
}

#[actix_web::test]
async fn instances_that_are_due_together_are_woken_in_few_commits_and_say_nothing_when_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zapgate.db");
    let (store, clock, tasks) = (Store::open(&path).await.unwrap(), Clock::system(), Tasks::default());
    let config = Config::parse_from(["zapgate"]).ingest;
    let disk = DiskGauge::open(store.clone(), 0).await;
    let ingest = Ingest::start(&config, store.clone(), Bus::default(), clock.clone(), disk, &tasks).await.unwrap();
    for nth in 0..50_u128 {
        let user = UserId::from_subject(&format!("user{nth}")).unwrap();
        let (id, name) = (Uuid::from_u128(nth + 1), InstanceName::of_user(&user));
        let new = NewInstance { id, name, user, org: None, state: State::default() };
        ingest.announce(Announcement::Make(Box::new(new))).await.unwrap();
    }
    let (made, last) = (ingest.counts().commits.load(Ordering::Relaxed), store.last_entry_id().await.unwrap());
    let database = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("UPDATE whatsapp_instances SET wake_at = 1").execute(&database).await.unwrap();

    let due = wake::once(&store, &clock, &ingest).await.unwrap();
    let again = wake::once(&store, &clock, &ingest).await.unwrap();

    let commits = ingest.counts().commits.load(Ordering::Relaxed) - made;
    assert_eq!((due, again), (50, 0));
    assert!((1..=5).contains(&commits), "{commits} commits");
    assert_eq!(store.last_entry_id().await.unwrap(), last);
}

#[derive(Parser)]
struct Config {
    #[command(flatten)]
    ingest: IngestConfig,
}
