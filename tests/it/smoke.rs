//! The thinnest path through all floors.

use crate::app::TestApp;
use crate::recorded;

#[actix_web::test]
async fn a_recorded_text_reaches_its_user_once_it_is_on_disk() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let mut ana = app.listen("ana").await;

    let answer = app.evolution_posts("ana", recorded::webhook("messages.upsert/text-conversation")).await;
    let frame = ana.next().await;

    assert_eq!((answer.status, answer.verdict()), (200, "stored"));
    assert_eq!(frame["seq"], answer.seq());
    assert_eq!(frame["type"], "message");
    assert_eq!(frame["data"]["text"], "Oi, vocês abrem no sábado?");
}

#[actix_web::test]
async fn the_same_webhook_twice_is_one_event_also_after_a_restart() {
    let mut app = TestApp::start().await;
    app.user("ana").await;
    let text = recorded::webhook("messages.upsert/text-conversation");

    let first = app.evolution_posts("ana", text.clone()).await;
    let again = app.evolution_posts("ana", text.clone()).await;
    app.restart().await;
    let later = app.evolution_posts("ana", text).await;

    assert_eq!(first.verdict(), "stored");
    assert_eq!((again.verdict(), again.seq()), ("duplicate", first.seq()));
    assert_eq!((later.verdict(), later.seq()), ("duplicate", first.seq()));
}

#[actix_web::test]
async fn a_new_instance_says_that_nobody_asks_evolution_for_a_code() {
    let app = TestApp::start().await;

    app.user("ana").await;
    let mut ana = app.listen("ana").await;
    let before = ana.hello["data"]["instance"]["statusReason"].clone();
    app.evolution_posts("ana", recorded::webhook("connection.update/connecting-first")).await;
    let after = ana.next().await;

    assert_eq!(before, "evolution_not_configured");
    assert_eq!(after["data"]["reason"], serde_json::Value::Null, "{after}");
}
