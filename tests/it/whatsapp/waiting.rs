//! Commands that wait or are put off: they hold nobody up, can be hurried, and an operator sees how they stand.

use futures_util::future::join_all;
use serde_json::{Value, json};
use zapgate::simulator::{Ask, Fault};

use super::rig::{Rig, until_reason};

/// As many as may call Evolution at once.
const AT_ONCE: usize = 32;

#[actix_web::test]
async fn those_who_wait_for_a_code_that_does_not_come_keep_nobody_from_removing_theirs() {
    let rig = Rig::start().await;
    rig.connected("bob").await;
    rig.evolution.clear_record();
    rig.evolution.fail(Ask::Connect, Fault::Hang, None, None);
    let waiting: Vec<String> = (0..AT_ONCE).map(|n| format!("u{n}")).collect();

    let (asked, removed) = tokio::join!(join_all(waiting.iter().map(|user| rig.connect(user))), async {
        rig.evolution.called("GET", "/instance/connect/", AT_ONCE).await;
        rig.delete("bob").await
    });

    assert!(asked.iter().all(|one| one.json["instance"]["status"] == "connecting"), "{}", asked[0].json);
    assert_eq!(removed.status, 204, "{}", removed.json);
}

#[actix_web::test]
async fn what_was_put_off_is_tried_at_once_when_it_is_asked_for_again() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.down(None).await;

    let first = rig.delete("ana").await;
    rig.evolution.up().await;
    // The clock stands as far as tries are concerned: the next one is seconds away.
    let again = rig.delete("ana").await;
    until_reason(&mut ana, "removed").await;

    assert_eq!((first.status, &first.json["statusReason"]), (202, &json!("removing")));
    assert_eq!(again.status, 204, "{}", again.json);
}

#[actix_web::test]
async fn a_removal_that_evolution_refuses_says_so_and_works_once_the_cause_is_gone() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    rig.evolution.fail(Ask::Any, Fault::WrongKey, None, None);

    let refused = rig.delete("ana").await;
    let kept = rig.app.instance("ana").await;
    rig.evolution.heal();
    let removed = rig.delete("ana").await;

    assert_eq!((refused.status, refused.code()), (502, "evolution_refused"), "nothing goes on by itself");
    assert_eq!((&kept["status"], &kept["statusReason"]), (&json!("connected"), &json!("evolution_refused")));
    assert_eq!(removed.status, 204, "{}", removed.json);
}

#[actix_web::test]
async fn an_operator_sees_in_one_request_what_was_asked_how_often_it_was_tried_and_why_it_failed() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    rig.evolution.down(None).await;

    rig.delete("ana").await;
    let one = rig.app.as_admin("GET", "/api/instances/user_ana", Value::Null).await;
    let health = rig.app.as_admin("GET", "/health", Value::Null).await;

    let (removal, connect) = (&one.json["commands"][0], &one.json["commands"][1]);
    assert_eq!((&removal["kind"], &removal["status"]), (&json!("remove"), &json!("pending")), "{}", one.json);
    assert_eq!((&removal["attempts"], &removal["reason"]), (&json!(1), &json!("evolution_unreachable")));
    assert!(removal["dueAt"].is_string() && removal["endedAt"].is_null());
    assert!(removal["advice"].as_str().is_some_and(|advice| !advice.is_empty()));
    assert_eq!((&connect["kind"], &connect["status"]), (&json!("connect"), &json!("confirmed")));
    assert_eq!(health.json["commands"], json!({"waiting": 1, "underWay": 0}));
}
