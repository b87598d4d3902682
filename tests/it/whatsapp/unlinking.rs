//! Reconnect, unlink, remove.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zapgate::simulator::{Message, Phone};

use super::rig::{Rig, until, until_notified, until_reason, until_status};

#[actix_web::test]
async fn unlinking_forgets_the_phone_keeps_the_instance_and_alarms_nobody() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    let before = rig.token_at_evolution("user_ana").await;

    let asked = rig.post("ana", "/api/whatsapp/disconnect", Value::Null).await;
    let mut heard = Vec::new();
    loop {
        let frame = ana.next().await;
        heard.push(frame.clone());
        if frame["type"] == "status" && frame["data"]["reason"] == "by_owner" {
            break;
        }
    }

    assert_eq!((asked.status, &asked.json["statusReason"]), (202, &json!("unlinking")));
    assert!(!heard.iter().any(|frame| frame["type"] == "notification"), "{heard:?}");
    assert_eq!(rig.evolution.linked("user_ana"), None);
    assert_eq!(rig.evolution.instances(), ["user_ana"]);
    assert_eq!(rig.token_at_evolution("user_ana").await.expose_secret(), before.expose_secret());
    let calls = rig.evolution.calls();
    assert!(!calls.iter().any(|call| call.path.contains("/instance/logout")), "2.3.6 would lose all messages");
    let own = rig.app.instance("ana").await;
    assert_eq!((&own["status"], &own["statusReason"]), (&json!("disconnected"), &json!("by_owner")));
}

#[actix_web::test]
async fn messages_come_in_again_after_unlinking_and_linking_anew() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.post("ana", "/api/whatsapp/disconnect", Value::Null).await;
    until_reason(&mut ana, "by_owner").await;

    rig.app.clock.advance(Duration::from_secs(40));
    rig.connect("ana").await;
    rig.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    until_notified(&mut ana, "connected").await;
    rig.evolution
        .message("user_ana", &Phone::new("5511999990001", "Ana Teste"), Message::Text("de novo".into()))
        .unwrap();
    let heard = until(&mut ana, |frame| frame["type"] == "message").await;

    assert_eq!(heard["data"]["text"], "de novo");
}

#[actix_web::test]
async fn from_2_3_7_on_unlinking_is_evolutions_own_logout() {
    let rig = Rig::start().await;
    rig.evolution.set_version("2.3.7");
    let mut ana = rig.connected("ana").await;

    rig.post("ana", "/api/whatsapp/disconnect", Value::Null).await;
    until_reason(&mut ana, "by_owner").await;

    let calls = rig.evolution.calls();
    assert!(calls.iter().any(|call| call.path == "/instance/logout/user_ana"), "{calls:?}");
    assert_eq!((rig.creates("user_ana"), rig.evolution.linked("user_ana")), (1, None));
}

#[actix_web::test]
async fn removing_ends_it_here_and_at_evolution_and_connecting_begins_anew_on_the_same_channel() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;

    let removed = rig.delete("ana").await;
    let last = until_reason(&mut ana, "removed").await;
    let absent = rig.app.asks(&rig.app.token("ana", None), "GET", "/api/whatsapp/instance", Value::Null).await;
    let listed = rig.app.as_admin("GET", "/api/instances", Value::Null).await;
    rig.app.clock.advance(Duration::from_secs(40));
    let again = rig.connect("ana").await;
    let begun = until(&mut ana, |frame| frame["type"] == "qrcode").await;

    assert_eq!(removed.status, 204, "{}", removed.json);
    assert_eq!((absent.status, listed.json["items"].as_array().unwrap().len()), (404, 0));
    assert_eq!(again.status, 200, "{}", again.json);
    assert!(begun["seq"].as_i64() > last["seq"].as_i64());
    assert_eq!(rig.evolution.instances(), ["user_ana"]);
}

#[actix_web::test]
async fn what_evolution_still_tells_of_a_removed_instance_is_stored_and_not_quarantined() {
    let rig = Rig::start().await;
    rig.connected("ana").await;

    rig.delete("ana").await;
    rig.evolution.delivered(1, |delivery| delivery.event == "remove.instance").await;

    assert!(rig.evolution.deliveries().iter().all(|delivery| delivery.answered == Some(200)));
    let quarantine = rig.app.as_admin("GET", "/api/quarantine", Value::Null).await;
    assert_eq!(quarantine.json["items"], json!([]));
}

#[actix_web::test]
async fn a_removal_that_evolution_does_not_confirm_is_pending_and_goes_on() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.down(None).await;

    let asked = rig.delete("ana").await;
    let pending = rig.app.instance("ana").await;
    rig.evolution.up().await;
    rig.app.clock.advance(Duration::from_mins(1));
    until_reason(&mut ana, "removed").await;

    assert_eq!((asked.status, &pending["statusReason"]), (202, &json!("removing")));
    assert_eq!(rig.evolution.instances(), [""; 0]);
}

#[actix_web::test]
async fn deleting_and_connecting_at_once_ends_with_one_instance_or_none_and_the_same_here_and_there() {
    let rig = Rig::start().await;
    for round in 0..3 {
        let user = format!("u{round}");
        rig.connect(&user).await;

        let (removed, connected) = tokio::join!(rig.delete(&user), rig.connect(&user));
        // Whatever comes last, the next press works.
        rig.app.clock.advance(Duration::from_secs(40));
        let again = rig.connect(&user).await;

        assert!(matches!(removed.status, 202 | 204 | 404), "{} {}", removed.status, removed.json);
        assert!(matches!(connected.status, 200 | 404), "{} {}", connected.status, connected.json);
        assert_eq!(again.status, 200, "{}", again.json);
        let there = rig.evolution.instances();
        assert_eq!(there.iter().filter(|name| **name == format!("user_{user}")).count(), 1, "{there:?}");
        rig.evolution.code_shown(&format!("user_{user}")).await;
    }
}

#[actix_web::test]
async fn reconnecting_what_is_open_only_looks() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    rig.evolution.clear_record();

    let asked = rig.post("ana", "/api/whatsapp/reconnect", Value::Null).await;
    let calls = rig.evolution.called("GET", "/webhook/find/user_ana", 1).await;

    assert_eq!((asked.status, &asked.json["status"]), (202, &json!("connected")));
    assert!(calls.iter().all(|call| !call.path.contains("/instance/connect/")), "{calls:?}");
}

#[actix_web::test]
async fn a_reconnect_loop_is_never_called_into() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.drop_for("user_ana", Duration::from_mins(10));
    until_status(&mut ana, "reconnecting").await;
    rig.evolution.clear_record();

    rig.post("ana", "/api/whatsapp/reconnect", Value::Null).await;
    rig.evolution.called("GET", "/instance/connectionState/user_ana", 1).await;
    rig.evolution.mend("user_ana");
    until_notified(&mut ana, "reconnected").await;

    let calls = rig.evolution.calls();
    assert!(calls.iter().all(|call| !call.path.contains("/instance/connect/")), "{calls:?}");
}

#[actix_web::test]
async fn a_session_wiped_under_an_open_connection_is_told_and_connecting_links_anew() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.wipe_session("user_ana");
    rig.app.as_admin("POST", "/api/migration", json!({"instanceName": "user_ana"})).await;

    let warned = until_notified(&mut ana, "instance_unhealthy").await;
    let shown = rig.app.instance("ana").await;
    rig.app.clock.advance(Duration::from_secs(1));
    rig.connect("ana").await;
    rig.app.clock.advance(Duration::from_secs(40));
    rig.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    until_notified(&mut ana, "connected").await;

    assert_eq!(warned["data"]["action"]["href"], "/api/whatsapp/connect");
    assert_eq!((&shown["status"], &shown["statusReason"]), (&json!("connected"), &json!("session_wiped")));
}
