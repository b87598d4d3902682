//! The database fails under a running server: Evolution is told to try again, endings that hold a wipe are refused at
//! once, and afterwards everything is there once and in order.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::{Answer, TestApp, answer};
use crate::process::{Site, delivery, large_message, message, pile_up, waiting};
use crate::recorded;

const ENDINGS: [&str; 2] = ["logout.instance/device-removed", "remove.instance/open"];

#[actix_web::test]
async fn what_the_store_refuses_is_put_off_and_endings_are_refused_for_good() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let database = app.database().await;
    refuse(&database, "1").await;

    for ending in ENDINGS {
        assert_ending_refused(&app.evolution_posts("ana", recorded::webhook(ending)).await);
    }
    for event in ["messages.upsert/text-conversation", "connection.update/open-after-scan", "presence.update/available"]
    {
        assert_put_off(&app.evolution_posts("ana", recorded::webhook(event)).await, "store_unavailable");
    }
}

#[actix_web::test]
async fn an_ending_that_is_refused_is_told_once_in_words_of_its_own() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let database = app.database().await;
    refuse(&database, "NEW.event IN ('logout.instance', 'remove.instance')").await;

    for ending in ENDINGS {
        assert_ending_refused(&app.evolution_posts("ana", recorded::webhook(ending)).await);
    }
    let alert = ana.next().await;
    let alerts = app.as_admin("GET", "/api/events?event=zapgate.notification", Value::Null).await;

    assert_eq!((&alert["type"], &alert["data"]["code"]), (&json!("notification"), &json!("webhook_refused")));
    assert_eq!(alert["data"]["titleEn"], "Disconnection not stored");
    assert_eq!(alerts.json["items"].as_array().unwrap().len(), 1, "{}", alerts.json);
}

#[actix_web::test]
async fn an_ending_does_not_wait_for_a_locked_database() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let database = app.database().await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();

    // The text keeps the writer busy; both endings wait behind it.
    let asked = Instant::now();
    let (text, logout, remove) = tokio::join!(
        app.evolution_posts("ana", message("ana", "A1")),
        timed(app.evolution_posts("ana", recorded::webhook(ENDINGS[0]))),
        timed(app.evolution_posts("ana", recorded::webhook(ENDINGS[1]))),
    );

    for (ending, took) in [logout, remove] {
        assert_ending_refused(&ending);
        assert!(took < Duration::from_secs(3), "an ending was answered after {took:?}");
    }
    assert_put_off(&text, "store_unavailable");
    assert!(asked.elapsed() < Duration::from_secs(30), "below Evolution's shortest timeout");
    lock.rollback().await.unwrap();
}

#[actix_web::test]
async fn many_that_wait_for_a_locked_database_are_put_off_together() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let database = app.database().await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let piled = pile_up(&app.http, &app.url, "ana").await;
    let events: Vec<Value> = (0..10).map(|number| message("ana", &format!("A{number}"))).collect();

    let answers = join_all(events.iter().map(|event| timed(app.evolution_posts("ana", event.clone())))).await;

    for (answer, took) in answers {
        assert_put_off(&answer, "store_unavailable");
        assert!(took < Duration::from_secs(8), "put off only after {took:?}");
    }
    for answer in piled {
        assert_put_off(&answer.await.unwrap(), "store_unavailable");
    }
    lock.rollback().await.unwrap();
    assert_eq!(messages(&database).await, 0);
}

#[actix_web::test]
async fn after_an_outage_what_is_sent_again_is_stored_once_and_in_order() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let database = app.database().await;
    let events: Vec<Value> = (1..=6).map(|number| message("ana", &format!("A{number}"))).collect();
    let head = app.evolution_posts("ana", events[0].clone()).await.seq();
    refuse(&database, "1").await;
    for event in &events[1..] {
        assert_put_off(&app.evolution_posts("ana", event.clone()).await, "store_unavailable");
    }

    mend(&database).await;
    let first: Vec<_> = posts_in_turn(&app, &events).await;
    let again: Vec<_> = posts_in_turn(&app, &events).await;

    let kept = |answers: &[Answer]| answers.iter().map(Answer::seq).collect::<Vec<_>>();
    assert_eq!(kept(&first), (head..head + 6).collect::<Vec<_>>());
    assert_eq!(kept(&again), kept(&first));
    assert!(again.iter().all(|answer| answer.verdict() == "duplicate"));
    let heard: Vec<Value> = ana.up_to(head + 5).await.iter().map(|frame| frame["data"]["id"].clone()).collect();
    assert_eq!(heard, ["A1", "A2", "A3", "A4", "A5", "A6"]);
}

#[actix_web::test]
async fn one_event_that_cannot_be_stored_takes_no_other_with_it() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let database = app.database().await;
    refuse(&database, "NEW.event = 'presence.update'").await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let piled = pile_up(&app.http, &app.url, "ana").await;
    let behind = waiting(&app.http, &app.url).await + 3;

    let (one, poison, two, ()) = tokio::join!(
        app.evolution_posts("ana", message("ana", "A1")),
        app.evolution_posts("ana", recorded::webhook("presence.update/available")),
        app.evolution_posts("ana", message("ana", "A2")),
        async {
            while waiting(&app.http, &app.url).await < behind {}
            lock.rollback().await.unwrap();
        },
    );

    assert_put_off(&poison, "store_unavailable");
    let health = app.as_admin("GET", "/health", Value::Null).await;
    assert_eq!(health.json["ingest"]["failedCommits"], 2, "the batch, then the poison by itself");
    let mut seqs = vec![one.seq(), two.seq()];
    for answer in piled {
        seqs.push(answer.await.unwrap().seq());
    }
    seqs.sort_unstable();
    let head = ana.hello_seq();
    let all: Vec<i64> = (1..).map(|number| head + number).take(seqs.len()).collect();
    assert_eq!(seqs, all, "no number is left out for the one that failed");
    let heard: Vec<i64> = ana.up_to(seqs[seqs.len() - 1]).await.iter().map(|f| f["seq"].as_i64().unwrap()).collect();
    assert_eq!(heard, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_turns_webhooks_away_at_once_and_in_bounded_memory() {
    // Many, since the allocator keeps some 30 MiB for itself, however many come.
    const EVENTS: usize = 120;
    let site = Site::new().with("INGEST_QUEUE", "1");
    let server = site.start().await;
    server.user("ana", None).await;
    let events: Vec<Value> = (0..EVENTS).map(|number| large_message("ana", &format!("A{number}"), LARGE)).collect();
    // What serving such bodies takes at all, the allocator takes now.
    assert_eq!(server.evolution_posts("ana", &large_message("ana", "B", LARGE)).await.status, 200);
    let database = site.database().await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let before = resident_bytes(server.id());

    let mut posted = JoinSet::new();
    let mut answers = Vec::new();
    for event in &events {
        posted.spawn(timed(answer(delivery(&server.http, &server.url, "ana", event))));
        // One at a time, apart from those that wait for the lock.
        while posted.len() > 2 {
            answers.push(posted.join_next().await.unwrap().unwrap());
        }
    }
    let grown = resident_bytes(server.id()).saturating_sub(before);
    lock.rollback().await.unwrap();
    answers.extend(posted.join_all().await);
    let stored_before = messages(&database).await;
    for event in &events {
        assert_eq!(server.evolution_posts("ana", event).await.status, 200);
    }

    let turned_away: Vec<_> = answers.iter().filter(|(answer, _)| answer.code() == "overloaded").collect();
    assert!(turned_away.len() > EVENTS / 2, "only {} were turned away", turned_away.len());
    for (answer, took) in turned_away {
        assert_put_off(answer, "overloaded");
        assert!(*took < Duration::from_secs(1), "turned away only after {took:?}");
    }
    let accepted = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    assert_eq!(stored_before, accepted + 1);
    assert_eq!(messages(&database).await, EVENTS + 1);
    assert!(grown < EVENTS / 2 * LARGE, "{EVENTS} MiB of refused webhooks left {} MiB behind", grown / LARGE);
}

/// Bytes of a large message.
const LARGE: usize = 1 << 20;

async fn messages(database: &SqlitePool) -> usize {
    let messages = "SELECT count(*) FROM events WHERE event = 'messages.upsert'";
    let count: i64 = sqlx::query_scalar(messages).fetch_one(database).await.unwrap();
    usize::try_from(count).unwrap()
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}

async fn posts_in_turn(app: &TestApp, events: &[Value]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for event in events {
        answers.push(app.evolution_posts("ana", event.clone()).await);
    }
    answers
}

fn assert_put_off(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code()), (503, code), "{}", answer.json);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
    let seconds: u32 = answer.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

fn assert_ending_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (422, "ending_not_stored"), "{}", answer.json);
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
    assert!(!answer.headers.contains_key(RETRY_AFTER), "nothing invites a re-send");
}

/// From now on no event that fits `condition` can be stored.
async fn refuse(database: &SqlitePool, condition: &'static str) {
    let trigger = format!(
        "CREATE TRIGGER refuses BEFORE INSERT ON events WHEN {condition} BEGIN SELECT RAISE(ABORT, 'broken'); END"
    );
    sqlx::query(sqlx::AssertSqlSafe(trigger)).execute(database).await.unwrap();
}

async fn mend(database: &SqlitePool) {
    sqlx::query("DROP TRIGGER refuses").execute(database).await.unwrap();
}

/// Resident memory of a process.
fn resident_bytes(id: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
