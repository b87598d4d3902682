//! What was kept aside: dead letters and the quarantine, as an operator handles them.

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, WEBHOOK_SECRET, answer};
use crate::recorded;

async fn post(app: &TestApp, path: &str, body: String) -> Answer {
    let request = app.http.post(format!("{}{path}", app.url)).header("x-webhook-secret", WEBHOOK_SECRET);
    answer(request.header("content-type", "application/json").body(body)).await
}

async fn post_for(app: &TestApp, instance: &str, recording: &str) -> Answer {
    let mut body = recorded::webhook(recording);
    body["instance"] = json!(instance);
    post(app, "/api/webhook/evolution", body.to_string()).await
}

/// All items of a list, two at a time.
async fn all(app: &TestApp, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.as_admin("GET", &format!("{path}?limit=2{cursor}"), Value::Null).await;
        assert_eq!(page.status, 200, "{}", page.json);
        let found = page.json["items"].as_array().unwrap();
        assert!(found.len() <= 2);
        items.extend(found.iter().cloned());
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[actix_web::test]
async fn dead_letters_are_listed_page_by_page_shown_and_dropped() {
    let app = TestApp::start().await;
    app.user("ana").await;
    for n in 0..5 {
        post(
            &app,
            "/api/webhook/user/ana",
            format!(r#"{{"n":{n},"apikey":"TOKEN","data":{{"pairingCode":"ABCD1234"}}"#),
        )
        .await;
    }

    let letters = all(&app, "/api/dead-letters").await;
    let ids: Vec<i64> = letters.iter().map(|letter| letter["id"].as_i64().unwrap()).collect();
    let one = app.as_admin("GET", &format!("/api/dead-letters/{}", ids[0]), Value::Null).await;
    let dropped = app.as_admin("DELETE", &format!("/api/dead-letters/{}", ids[0]), Value::Null).await;
    let again = app.as_admin("DELETE", &format!("/api/dead-letters/{}", ids[0]), Value::Null).await;
    let rest = app.as_admin("DELETE", "/api/dead-letters", Value::Null).await;

    assert_eq!(letters.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(one.json, letters[0]);
    let shown = one.json.to_string();
    assert!(shown.contains("***") && !shown.contains("TOKEN") && !shown.contains("ABCD1234"), "{shown}");
    assert_eq!((dropped.status, again.status, again.code()), (204, 404, "not_found"));
    assert_eq!(rest.json, json!({"dropped": 4}));
    assert_eq!(all(&app, "/api/dead-letters").await, Vec::<Value>::new());
}

#[actix_web::test]
async fn a_dead_letter_that_still_cannot_be_read_stays_where_it_is() {
    let app = TestApp::start().await;
    app.user("ana").await;
    post(&app, "/api/webhook/user/ana", String::from("{")).await;
    let id = all(&app, "/api/dead-letters").await[0]["id"].as_i64().unwrap();

    let replayed = app.as_admin("POST", &format!("/api/dead-letters/{id}/replay"), Value::Null).await;
    let absent = app.as_admin("POST", "/api/dead-letters/999/replay", Value::Null).await;

    assert_eq!((replayed.status, replayed.code()), (400, "not_json"));
    assert_eq!((absent.status, absent.code()), (404, "not_found"));
    assert_eq!(all(&app, "/api/dead-letters").await.len(), 1);
}

#[actix_web::test]
async fn a_quarantined_webhook_is_kept_once_and_released_late_in_order_without_touching_the_state() {
    let app = TestApp::start().await;
    let name = "user_carol";
    let recordings = [
        "messages.upsert/text-conversation",
        "connection.update/open-after-scan",
        "qrcode.updated/qr-first",
        "messages.upsert/text-emoji-multiline",
        "logout.instance/device-removed",
    ];
    for recording in recordings {
        for _ in 0..2 {
            let kept = post_for(&app, name, recording).await;
            assert_eq!((kept.status, kept.json), (200, json!({"status": "quarantined"})), "{recording}");
        }
    }

    let groups = all(&app, "/api/quarantine").await;
    let rows = all(&app, &format!("/api/quarantine/{name}")).await;
    let released = app.as_admin("POST", &format!("/api/quarantine/{name}/release"), Value::Null).await;
    let carol = app.listen("carol").await;
    let mut replayed = app.listen_since("carol", 0, carol.epoch()).await;
    let frames = replayed.up_to(carol.hello_seq()).await;
    let late: Vec<&Value> = frames.iter().filter(|frame| frame["late"] == true).collect();

    assert_eq!((&groups[0]["instanceName"], &groups[0]["count"]), (&json!(name), &json!(5)));
    assert_eq!(
        rows.iter().map(|row| row["event"].as_str().unwrap()).collect::<Vec<_>>(),
        recordings.map(|r| r.split('/').next().unwrap())
    );
    let shown = Value::from(rows).to_string();
    assert!(!shown.contains("apikey") && !shown.contains("base64,"), "{shown}");
    assert_eq!(released.json, json!({"stored": 5, "duplicates": 0, "unreadable": 0}));
    assert_eq!(
        late.iter().map(|f| f["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["message", "status", "qrcode", "message", "status"]
    );
    assert!(frames.iter().enumerate().all(|(i, frame)| frame["seq"] == i + 1), "{frames:?}");
    let qr = late.iter().find(|frame| frame["type"] == "qrcode").unwrap();
    assert_eq!(
        (&qr["data"]["qrCode"], &qr["data"]["pairingCode"], &qr["data"]["expired"]),
        (&Value::Null, &Value::Null, &json!(true))
    );
    let instance = &carol.hello["data"]["instance"];
    assert_eq!((&instance["status"], &instance["isConnected"]), (&json!("disconnected"), &json!(false)));
    assert_eq!((&instance["qrCode"], &instance["statusReason"]), (&Value::Null, &json!("evolution_not_configured")));
    assert_eq!(all(&app, "/api/quarantine").await, Vec::<Value>::new());
    assert_eq!(post_for(&app, name, recordings[0]).await.verdict(), "duplicate");
}

#[actix_web::test]
async fn a_name_of_another_form_needs_a_user_and_goes_on_at_their_path() {
    let app = TestApp::start().await;
    post_for(&app, "loja centro", "messages.upsert/text-conversation").await;

    let nobody = app.as_admin("POST", "/api/quarantine/loja%20centro/release", Value::Null).await;
    let misspelt = app.as_admin("POST", "/api/quarantine/loja%20centro/release", json!({"userId": 7})).await;
    let released = app.as_admin("POST", "/api/quarantine/loja%20centro/release", json!({"userId": "dora"})).await;
    let live = post_for(&app, "loja centro", "messages.upsert/text-emoji-multiline").await;
    let mut body = recorded::webhook("messages.upsert/reaction");
    body["instance"] = json!("loja centro");
    let at_path = post(&app, "/api/webhook/user/dora", body.to_string()).await;

    assert_eq!((nobody.status, nobody.code()), (400, "bad_input"));
    assert_eq!((misspelt.status, misspelt.code()), (400, "bad_input"));
    assert_eq!(released.json["stored"], 1, "{}", released.json);
    assert_eq!((live.verdict(), at_path.verdict()), ("stored", "stored"));
}

#[actix_web::test]
async fn nobody_is_given_the_name_made_for_another_user_nor_a_second_one() {
    let app = TestApp::start().await;
    app.user("ana").await;
    for name in ["user_bob", "loja"] {
        post_for(&app, name, "messages.upsert/text-conversation").await;
    }

    let bobs = app.as_admin("POST", "/api/quarantine/user_bob/release", json!({"userId": "mallory"})).await;
    let second = app.as_admin("POST", "/api/quarantine/loja/release", json!({"userId": "ana"})).await;
    let taken = app.as_admin("POST", "/api/quarantine/user_ana/release", json!({"userId": "mallory"})).await;

    for refused in [bobs, second, taken] {
        assert_eq!((refused.status, refused.code()), (400, "bad_input"), "{}", refused.json);
    }
    assert_eq!(app.user("bob").await.json["instance"]["instanceName"], "user_bob");
}

#[actix_web::test]
async fn a_quarantine_is_dropped_by_name() {
    let app = TestApp::start().await;
    post_for(&app, "user_x", "messages.upsert/text-conversation").await;
    post_for(&app, "user_y", "messages.upsert/text-conversation").await;

    let dropped = app.as_admin("DELETE", "/api/quarantine/user_x", Value::Null).await;

    assert_eq!(dropped.json, json!({"dropped": 1}));
    assert_eq!(all(&app, "/api/quarantine").await.len(), 1);
    assert_eq!(all(&app, "/api/quarantine/user_x").await.len(), 0);
}

#[actix_web::test]
async fn a_large_quarantined_body_is_measured_and_not_shown() {
    let app = TestApp::start().await;
    let large = json!({"event": "quite.new", "instance": "user_x", "data": "x".repeat(100_000)}).to_string();
    let size = large.len();
    post(&app, "/api/webhook/evolution", large).await;

    let rows = all(&app, "/api/quarantine/user_x").await;

    assert_eq!((&rows[0]["sizeBytes"], &rows[0]["body"]), (&json!(size), &Value::Null));
}

#[actix_web::test]
async fn what_was_kept_aside_is_for_operators_alone() {
    let app = TestApp::start().await;
    let ana = app.token("ana", Some("acme"));

    for (method, path) in [
        ("GET", "/api/dead-letters"),
        ("GET", "/api/dead-letters/1"),
        ("DELETE", "/api/dead-letters"),
        ("DELETE", "/api/dead-letters/1"),
        ("POST", "/api/dead-letters/1/replay"),
        ("GET", "/api/quarantine"),
        ("GET", "/api/quarantine/user_ana"),
        ("DELETE", "/api/quarantine/user_ana"),
        ("POST", "/api/quarantine/user_ana/release"),
    ] {
        let refused = app.asks(&ana, method, path, Value::Null).await;
        assert_eq!((refused.status, refused.code()), (403, "admin_only"), "{method} {path}");
    }
}

/// Puts `rows` webhooks of `user_x` into the quarantine.
async fn fill_quarantine(app: &mut TestApp, rows: i64) {
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                INSERT INTO quarantine (instance_name, identity, event, at, body) SELECT 'user_x', i, 'e', 0, '{}' FROM n";
    sqlx::query(fill).bind(rows).execute(&app.database().await).await.unwrap();
    app.restart().await;
}

#[actix_web::test]
async fn the_quarantine_takes_what_fits_and_nothing_beyond_and_counts_a_re_send_once() {
    let mut app = TestApp::start().await;
    fill_quarantine(&mut app, 99_998).await;
    let text = "messages.upsert/text-conversation";

    let first = post_for(&app, "user_y", text).await;
    let re_sent = post_for(&app, "user_y", text).await;
    let last = post_for(&app, "user_z", text).await;
    let beyond = post_for(&app, "user_w", text).await;

    assert_eq!([first.verdict(), re_sent.verdict(), last.verdict()], ["quarantined"; 3]);
    assert_eq!((beyond.status, beyond.code()), (503, "quarantine_full"));
}

#[actix_web::test]
async fn a_full_quarantine_takes_strangers_in_as_soon_as_an_operator_made_room() {
    let mut app = TestApp::start().await;
    fill_quarantine(&mut app, 99_999).await;
    let text = "messages.upsert/text-conversation";
    post_for(&app, "user_y", text).await;
    let full = post_for(&app, "user_z", text).await;

    app.as_admin("POST", "/api/quarantine/user_y/release", Value::Null).await;
    let after_release = post_for(&app, "user_z", text).await;
    let full_again = post_for(&app, "user_w", text).await;
    app.as_admin("DELETE", "/api/quarantine/user_x", Value::Null).await;
    let after_drop = post_for(&app, "user_w", text).await;

    assert_eq!((full.code(), full_again.code()), ("quarantine_full", "quarantine_full"));
    assert_eq!((after_release.verdict(), after_drop.verdict()), ("quarantined", "quarantined"));
}

#[actix_web::test]
async fn a_full_quarantine_puts_strangers_off_and_nobody_else() {
    let mut app = TestApp::start().await;
    app.user("ana").await;
    fill_quarantine(&mut app, 100_000).await;

    let stranger = post_for(&app, "user_y", "messages.upsert/text-conversation").await;
    let known = post_for(&app, "user_ana", "messages.upsert/text-conversation").await;

    assert_eq!((stranger.status, stranger.code()), (503, "quarantine_full"));
    assert!(stranger.headers.contains_key("retry-after"));
    assert_eq!((known.status, known.verdict()), (200, "stored"));
}
