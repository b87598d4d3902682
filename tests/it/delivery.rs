//! What Evolution does when answers fail: it tries again, from two registrations, in parallel, minutes later. Each event
//! is stored once all the same, and nothing is lost.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::recorded::{self, Post, Try};

#[actix_web::test]
async fn every_recorded_delivery_stores_each_event_once_however_often_it_was_tried() {
    let mut played = 0;
    for name in recorded::all("delivery") {
        let mut app = TestApp::start().await;
        let tries = from_now(&app, recorded::tries(&name));
        let users = owners(&app, &tries).await;

        let mut known = HashSet::new();
        for (attempt, verdict) in tries.iter().zip(replay(&app, &users, &tries).await) {
            let expected = if known.insert(&attempt.body) { first_verdict(attempt) } else { &["duplicate"] };
            assert!(expected.contains(&verdict.as_str()), "{name}: {verdict} at {} ms", attempt.offset_ms);
        }
        assert_eq!(counted(&app).await, known.len(), "{name}");
        assert_heard_all(&app, &users).await;
        played += tries.len();
        app.stop().await;
    }
    assert!(played > 360, "only {played} tries were found");
}

/// What may become of an event that was not there before.
fn first_verdict(attempt: &Try) -> &'static [&'static str] {
    let is_connecting = attempt.post.json()["data"]["state"] == "connecting";
    if is_connecting { &["stored", "folded"] } else { &["stored"] }
}

/// The same story, the first event of it happening now.
fn from_now(app: &TestApp, tries: Vec<Try>) -> Vec<Try> {
    let Some(first) = tries.iter().map(|attempt| attempt.post.emitted()).min() else { return tries };
    let by = Duration::from_millis(app.clock.now().since(first).unsigned_abs());
    let later = app.clock.now() > first;
    let moved = tries.into_iter().map(|attempt| {
        let at = attempt.post.emitted();
        let post = attempt.post.clone().emitted_at(if later { at + by } else { at - by });
        Try { post, ..attempt }
    });
    moved.collect()
}

/// Instance → owner.
async fn owners(app: &TestApp, tries: &[Try]) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for attempt in tries {
        if !owners.contains_key(&attempt.post.instance) {
            owners.insert(attempt.post.instance.clone(), app.owner_of(&attempt.post.instance).await);
        }
    }
    owners
}

/// Posts each try when it was made, by the server's clock. What became of each.
async fn replay(app: &TestApp, users: &BTreeMap<String, String>, tries: &[Try]) -> Vec<String> {
    let mut verdicts = Vec::new();
    let mut passed_ms = tries.first().map_or(0, |first| first.offset_ms);
    for Try { offset_ms, post, .. } in tries {
        app.clock.advance(Duration::from_millis(u64::try_from(offset_ms - passed_ms).unwrap()));
        passed_ms = *offset_ms;
        let answer = app.evolution_repeats(&users[&post.instance], post).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        verdicts.push(answer.verdict().to_owned());
    }
    verdicts
}

/// Events in the log: rows of webhooks, and what was folded into them.
async fn counted(app: &TestApp) -> usize {
    let (rows, folded) = rows_and_folded(app).await;
    usize::try_from(rows + folded).unwrap()
}

async fn rows_and_folded(app: &TestApp) -> (i64, i64) {
    let sql = "SELECT COUNT(*), COALESCE(SUM(folded), 0) FROM events WHERE event NOT LIKE 'zapgate.%'";
    sqlx::query_as(sql).fetch_one(&app.database().await).await.unwrap()
}

/// Whoever was away gets all of it, without a gap.
async fn assert_heard_all(app: &TestApp, users: &BTreeMap<String, String>) {
    for user in users.values() {
        let away = app.listen(user).await;
        let head = away.hello_seq();
        let mut back = app.listen_since(user, 0, away.epoch()).await;
        let frames = back.up_to(head).await;
        let numbers: Vec<_> = frames.iter().filter_map(|frame| frame["seq"].as_i64()).collect();
        assert_eq!(numbers, (1..=head).collect::<Vec<_>>());
        away.close().await;
        back.close().await;
    }
}

#[actix_web::test]
async fn a_re_send_is_known_with_the_token_of_its_first_try_long_after_that_expired() {
    let app = TestApp::start().await;
    let tries = from_now(&app, recorded::tries("delivery/PITFALL-retry-503-until-given-up-jwt-expires"));
    let users = owners(&app, &tries).await;
    let last_try_ms = tries.last().unwrap().offset_ms;

    let verdicts = replay(&app, &users, &tries).await;
    app.clock.advance(Duration::from_mins(4));
    let after_the_last = app.evolution_repeats(&users[&tries[0].post.instance], &tries[0].post).await;

    assert!(tries.iter().all(|attempt| attempt.post.is_signed) && last_try_ms > 19 * 60_000);
    assert_eq!(verdicts[0], "stored");
    assert!(verdicts[1..].iter().all(|verdict| verdict == "duplicate"), "{verdicts:?}");
    assert_eq!(after_the_last.verdict(), "duplicate");
}

#[actix_web::test]
async fn of_ten_deliveries_at_once_one_is_stored_also_after_a_restart() {
    for name in ["messages.upsert/text-conversation", "connection.update/open-after-scan", "messages.update/read"] {
        let mut app = TestApp::start().await;
        let post = recorded::post(&format!("webhooks/{name}")).emitted_at(app.clock.now());
        let user = app.owner_of(&post.instance).await;

        let answers = join_all((0..10).map(|_| app.evolution_repeats(&user, &post))).await;
        app.restart().await;
        let later = join_all((0..10).map(|_| app.evolution_repeats(&user, &post))).await;

        let stored: Vec<_> = answers.iter().filter(|answer| answer.verdict() == "stored").map(Answer::seq).collect();
        assert_eq!(stored.len(), 1, "{name}");
        for again in answers.iter().filter(|answer| answer.verdict() != "stored").chain(&later) {
            assert_eq!((again.verdict(), again.seq()), ("duplicate", stored[0]), "{name}");
        }
        assert_eq!(counted(&app).await, 1, "{name}");
        app.stop().await;
    }
}

#[actix_web::test]
async fn two_registrations_of_one_instance_are_one_event() {
    for name in recorded::all("webhooks") {
        let mut app = TestApp::start().await;
        let own = recorded::post(&name).emitted_at(app.clock.now());
        let user = app.owner_of(&own.instance).await;
        let elsewhere = by_another_registration(&own);

        let (first, second) =
            tokio::join!(app.evolution_repeats(&user, &own), app.evolution_repeats(&user, &elsewhere));

        let mut verdicts = [first.verdict(), second.verdict()];
        verdicts.sort_unstable();
        assert_eq!((verdicts, first.seq()), (["duplicate", "stored"], second.seq()), "{name}");
        assert_eq!(counted(&app).await, 1, "{name}");
        app.stop().await;
    }
}

/// The same event as a second registration would tell it, with every member changed that does not count. The data stays
/// as it was written: a sender does not lay it out anew for each destination.
fn by_another_registration(post: &Post) -> Post {
    let mut json = post.json();
    let data = &post.body[post.body.find("\"data\":").unwrap()..post.body.rfind(",\"destination\":").unwrap()];
    json.as_object_mut().unwrap().remove("data");
    json["destination"] = json!("https://elsewhere.example/api/webhook/evolution");
    json["server_url"] = json!("https://evolution.example");
    json["sender"] = json!("5521900000009@s.whatsapp.net");
    json["apikey"] = Value::Null;
    let body = format!("{},{data}}}", json.to_string().strip_suffix('}').unwrap());
    Post { is_global: true, is_signed: false, by_event: String::new(), body, ..post.clone() }
}

/// Recorded loops of `connecting`; of the last one only these are kept or can be made up.
fn storms() -> Vec<(&'static str, Vec<Post>)> {
    let loop_440 = recorded::tries("delivery/PITFALL-connect-during-reconnect-loop-440");
    let unreachable = recorded::flow("flows/PITFALL-whatsapp-unreachable-hot-loop");
    let refused = recorded::flow("flows/whatsapp-refuses-connections");
    vec![
        ("unreachable", unreachable),
        ("refused", refused),
        ("loop 440", loop_440.into_iter().map(|attempt| attempt.post).collect()),
    ]
}

#[actix_web::test]
async fn a_recorded_storm_costs_few_rows_and_says_that_whatsapp_is_unreachable() {
    for (name, storm) in storms() {
        let mut app = TestApp::start().await;
        let storm = recorded::ending_at(storm, app.clock.now());
        let user = app.owner_of(&storm[0].instance).await;
        let mut socket = app.listen(&user).await;

        let mut folded = 0;
        for post in &storm {
            folded += i64::from(app.evolution_repeats(&user, post).await.verdict() == "folded");
        }
        let instance = app.instance(&user).await;
        let frames = socket.up_to(app.head_of(&user).await).await;

        let (rows, counted) = rows_and_folded(&app).await;
        assert_eq!((counted, rows + counted), (folded, i64::try_from(storm.len()).unwrap()), "{name}");
        assert!(rows <= 5 && frames.len() <= 8, "{name}: {rows} rows, {} frames", frames.len());
        assert_eq!(instance["status"], "reconnecting", "{name}");
        assert_eq!(instance["statusReason"], "whatsapp_unreachable", "{name}");
        assert_eq!(frames.last().unwrap()["data"]["reason"], "whatsapp_unreachable", "{name}");
        socket.close().await;
        app.stop().await;
    }
}

#[actix_web::test]
async fn a_storm_re_sent_is_not_counted_again() {
    let app = TestApp::start().await;
    let storm = recorded::ending_at(recorded::flow("flows/whatsapp-refuses-connections"), app.clock.now());
    let user = app.owner_of(&storm[0].instance).await;

    let first = join_all(storm.iter().map(|post| app.evolution_repeats(&user, post))).await;
    let before = rows_and_folded(&app).await;
    let again = join_all(storm.iter().map(|post| app.evolution_repeats(&user, post))).await;

    assert!(first.iter().all(|answer| answer.status == 200));
    assert!(again.iter().all(|answer| answer.verdict() == "duplicate"));
    assert_eq!(rows_and_folded(&app).await, before);
}
