//! `GET /api/events`: everything of everybody, in the order it was committed, for those who follow along.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::listeners::{connecting, open, presence, text};

async fn read(app: &TestApp, query: &str) -> Answer {
    app.as_admin("GET", &format!("/api/events?{query}"), Value::Null).await
}

/// All that there is with `filter`, page by page; and the cursor behind it.
async fn all(app: &TestApp, filter: &str, limit: usize) -> (Vec<Value>, String) {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let page = read(app, &format!("limit={limit}{filter}{after}")).await;
        assert_eq!(page.status, 200, "{}", page.json);
        let cursor = page.json["nextCursor"].as_str().unwrap().to_owned();
        let found = page.json["items"].as_array().unwrap().clone();
        if found.is_empty() {
            return (items, cursor);
        }
        assert!(found.len() <= limit);
        items.extend(found);
        after = format!("&after={cursor}");
    }
}

fn names(items: &[Value]) -> Vec<(String, i64)> {
    items.iter().map(|item| (item["userId"].as_str().unwrap().to_owned(), item["seq"].as_i64().unwrap())).collect()
}

async fn two_users() -> TestApp {
    let app = TestApp::start().await;
    app.user_in("ana", "acme").await;
    app.user("bob").await;
    app
}

#[actix_web::test]
async fn every_event_of_everybody_comes_once_and_in_commit_order() {
    let app = two_users().await;
    let posts = (0..60).map(|nth| {
        let user = if nth % 3 == 0 { "bob" } else { "ana" };
        app.evolution_posts(user, text(&format!("{user}-{nth}")))
    });
    join_all(posts).await;

    let (items, _) = all(&app, "", 7).await;

    for user in ["ana", "bob"] {
        let seqs: Vec<i64> = names(&items).into_iter().filter(|(owner, _)| owner == user).map(|(_, seq)| seq).collect();
        let expected = if user == "ana" { 41 } else { 21 };
        assert_eq!(seqs, (1..=expected).collect::<Vec<i64>>(), "{user}, its creation first");
    }
    assert_eq!(items.len(), 62);
    assert_eq!(items[0]["organizationId"], "acme");
    let texts = items.iter().filter(|item| item["event"] == "messages.upsert");
    assert!(texts.clone().count() == 60 && texts.clone().all(|item| item["body"]["data"]["key"]["id"].is_string()));
    assert!(!json!(items).to_string().contains("apikey"), "secrets are not kept");
}

#[actix_web::test]
async fn a_cursor_is_good_after_a_restart() {
    let mut app = two_users().await;
    let (_, cursor) = all(&app, "", 100).await;
    app.evolution_posts("ana", text("before")).await;
    app.restart().await;
    app.evolution_posts("ana", text("after")).await;

    let page = read(&app, &format!("after={cursor}")).await;

    let ids: Vec<&Value> =
        page.json["items"].as_array().unwrap().iter().map(|item| &item["body"]["data"]["key"]["id"]).collect();
    assert_eq!(ids, ["before", "after"]);
}

#[actix_web::test]
async fn whoever_waits_is_woken_by_the_commit_itself() {
    let app = two_users().await;
    let (_, cursor) = all(&app, "", 100).await;
    let waiting = format!("after={cursor}&wait=25");

    let (page, posted_at) = join(
        async {
            let page = read(&app, &waiting).await;
            (page, Instant::now())
        },
        async {
            // The first answer shows that the server has taken up requests of after the poll's.
            app.http.get(format!("{}/health", app.url)).send().await.unwrap();
            app.evolution_posts("bob", text("wakes")).await;
            Instant::now()
        },
    )
    .await;

    let (page, woken_at) = page;
    assert_eq!(page.json["items"][0]["body"]["data"]["key"]["id"], "wakes");
    let late = woken_at.saturating_duration_since(posted_at);
    assert!(late < Duration::from_millis(500), "woken {late:?} after the commit");
}

#[actix_web::test]
async fn a_wait_passes_over_what_its_filter_does_not_want_and_ends_in_time() {
    let app = two_users().await;
    let (_, cursor) = all(&app, "", 100).await;

    let began = Instant::now();
    let (page, _) = join(read(&app, &format!("after={cursor}&user=ana&wait=1")), async {
        app.evolution_posts("bob", text("not wanted")).await
    })
    .await;

    assert_eq!(page.json["items"], json!([]));
    assert!(began.elapsed() >= Duration::from_secs(1));
    app.evolution_posts("ana", text("wanted")).await;
    let next = page.json["nextCursor"].as_str().unwrap();
    let next = read(&app, &format!("after={next}&user=ana")).await;
    assert_eq!(next.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn filters_narrow_by_instance_event_and_user_together() {
    let app = two_users().await;
    app.evolution_posts("ana", connecting()).await;
    app.evolution_posts("ana", open()).await;
    for nth in 0..3 {
        app.evolution_posts("ana", text(&format!("ana-{nth}"))).await;
        app.evolution_posts("bob", text(&format!("bob-{nth}"))).await;
        app.evolution_posts("bob", presence(nth)).await;
    }

    for (filter, expected) in [
        ("&user=bob", 7),
        ("&instance=user_bob", 7),
        ("&event=messages.upsert", 6),
        ("&event=messages.upsert&user=bob", 3),
        ("&event=presence.update&user=ana", 0),
        ("&event=connection.update", 2),
        ("&user=nobody", 0),
    ] {
        assert_eq!(all(&app, filter, 2).await.0.len(), expected, "{filter}");
    }
}

/// Rows, more than one read of a filtered tail looks at.
const MANY: i64 = 2500;

#[actix_web::test]
async fn a_rare_event_is_found_behind_thousands_of_others_and_behind_what_retention_dropped() {
    let mut app = two_users().await;
    app.evolution_posts("ana", text("common")).await;
    let database = app.database().await;
    // Copies of one stored row, on a channel of nobody's: as good as posted, and quicker.
    sqlx::query(
        "INSERT INTO events (user_channel, seq, instance_name, event, at, emitted_at, late, folded, body) \
         SELECT (SELECT id FROM channels WHERE kind = 'user' AND name = 'bob'), 1000 + value, 'user_bob', event, at, \
         emitted_at, 0, 0, body FROM json_each($1), (SELECT * FROM events WHERE event = 'messages.upsert' LIMIT 1)",
    )
    .bind(json!((1..=MANY).collect::<Vec<i64>>()).to_string())
    .execute(&database)
    .await
    .unwrap();
    sqlx::query("DELETE FROM events WHERE id < 200").execute(&database).await.unwrap();
    // A running server knows its log without looking.
    app.restart().await;
    let rare = app.evolution_posts("ana", presence(1)).await.seq();

    let (found, cursor) = all(&app, "&event=presence.update", 10).await;
    let (everything, _) = all(&app, "", 200).await;

    assert_eq!(names(&found), [("ana".to_owned(), rare)]);
    assert!(everything.len() > 2300);
    app.evolution_posts("ana", presence(2)).await;
    let next = read(&app, &format!("after={cursor}&event=presence.update")).await;
    assert_eq!(next.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn wrong_questions_are_refused_and_users_do_not_read_it() {
    let app = two_users().await;
    let (_, cursor) = all(&app, "", 100).await;
    let elsewhere = {
        let other = two_users().await;
        all(&other, "", 100).await.1
    };

    for after in ["x", "", "AAAA", &cursor[1..], &elsewhere] {
        let answer = read(&app, &format!("after={after}")).await;
        assert_eq!((answer.status, answer.code()), (400, "bad_input"), "{after:?}: {}", answer.json);
    }
    for query in ["limit=0", "limit=201", "limit=x", "wait=31", "wait=-1"] {
        assert_eq!(read(&app, query).await.status, 400, "{query}");
    }
    let ana = app.token("ana", Some("acme"));
    assert_eq!(app.asks(&ana, "GET", "/api/events", Value::Null).await.status, 403);
}

#[actix_web::test]
async fn a_server_that_stops_ends_the_waiting_at_once() {
    let mut app = two_users().await;
    let (_, cursor) = all(&app, "", 100).await;
    let request = app.http.get(format!("{}/api/events?after={cursor}&wait=25", app.url)).bearer_auth(crate::app::ADMIN);
    let waiting = actix_web::rt::spawn(request.send());
    app.http.get(format!("{}/health", app.url)).send().await.unwrap();

    let began = Instant::now();
    app.stop().await;

    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    drop(waiting);
}
