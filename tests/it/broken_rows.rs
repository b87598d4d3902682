//! A row that can't be read, such as one that a newer version left, is trouble for nobody else.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::listeners::{open, text};

/// `ana`, `bob` and `cida` of one organisation, and a row of `bob`'s whose `column` is `json` when the server starts.
async fn with_broken(column: &str, json: &str) -> TestApp {
    let mut app = TestApp::start().await;
    for user in ["ana", "bob", "cida"] {
        app.user_in(user, "acme").await;
    }
    let sql = format!("UPDATE whatsapp_instances SET {column} = $1 WHERE user_id = 'bob'");
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(json).execute(&app.database().await).await.unwrap();
    app.restart().await;
    app
}

/// The users in the operators' list, one a page.
async fn listed(app: &TestApp) -> Vec<String> {
    let (mut users, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.as_admin("GET", &format!("/api/instances?limit=1{cursor}"), Value::Null).await;
        assert_eq!(page.status, 200, "{}", page.json);
        let items = page.json["items"].as_array().unwrap().iter();
        users.extend(items.map(|item| item["userId"].as_str().unwrap().to_owned()));
        match page.json["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return users,
        }
    }
}

#[actix_web::test]
async fn a_list_leaves_a_broken_row_out_and_shows_all_others_page_by_page() {
    for (column, json) in [("state", "{\"facts\":7}"), ("state", "nonsense"), ("qr", "{}"), ("id", "none")] {
        let app = with_broken(column, json).await;

        let hello = app.listen_org("ana", "acme").await.hello;

        assert_eq!(listed(&app).await, ["ana", "cida"], "{column} {json}");
        let greeted: Vec<&Value> =
            hello["data"]["instances"].as_array().unwrap().iter().map(|instance| &instance["userId"]).collect();
        assert_eq!(greeted, ["ana", "cida"], "{column} {json}");
    }
}

#[actix_web::test]
async fn an_instance_whose_state_is_broken_learns_it_again_and_its_webhooks_are_stored() {
    for (column, json) in [("state", "{\"facts\":7}"), ("qr", "{}")] {
        let app = with_broken(column, json).await;

        let (ana, bob) = tokio::join!(app.evolution_posts("ana", text("a1")), app.evolution_posts("bob", text("b1")),);
        let opened = app.evolution_posts("bob", open()).await;

        assert_eq!([ana.verdict(), bob.verdict(), opened.verdict()], ["stored"; 3], "{column} {json}");
        assert_eq!(app.instance("bob").await["status"], "connected");
        assert_eq!(listed(&app).await, ["ana", "bob", "cida"]);
    }
}

#[actix_web::test]
async fn a_status_that_only_a_newer_version_knows_hides_nobody() {
    let app = with_broken("state", r#"{"seen":{"status":"parked","reason":null}}"#).await;

    assert_eq!(listed(&app).await, ["ana", "bob", "cida"]);
    assert_eq!(app.evolution_posts("bob", open()).await.verdict(), "stored");
    assert_eq!(app.instance("bob").await["status"], "connected");
}

#[actix_web::test]
async fn a_log_row_with_a_decision_that_cannot_be_read_keeps_nobody_from_the_rest() {
    let app = TestApp::start().await;
    app.user("ana").await;
    app.evolution_posts("ana", open()).await;
    app.evolution_posts("ana", text("after")).await;
    let newer = json!({"status": "parked", "isConnected": true, "reason": null}).to_string();
    sqlx::query("UPDATE events SET outcome = $1 WHERE outcome IS NOT NULL")
        .bind(newer)
        .execute(&app.database().await)
        .await
        .unwrap();

    let head = app.head_of("ana").await;
    let epoch = app.listen("ana").await.epoch().to_owned();
    let mut back = app.listen_since("ana", 0, &epoch).await;
    let tail = app.as_admin("GET", "/api/events", Value::Null).await;

    for seq in 1..=head {
        assert_eq!(back.next().await["seq"], seq);
    }
    assert_eq!(tail.json["items"].as_array().unwrap().len(), usize::try_from(head).unwrap());
}
