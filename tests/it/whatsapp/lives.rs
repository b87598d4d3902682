//! What the simulated WhatsApp does to a linked phone, and where the instance stands then: the contract's endings, played
//! through Evolution's own behaviour instead of recorded bodies.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::simulator::Delivery;

use super::rig::{Rig, until, until_notified, until_status};

/// Where it stands, as its owner reads it.
async fn standing(rig: &Rig, user: &str) -> (String, Value) {
    let own = rig.app.instance(user).await;
    (own["status"].as_str().unwrap().to_owned(), own["statusReason"].clone())
}

#[actix_web::test]
async fn every_final_ending_leads_where_the_contract_says() {
    let rig = Rig::start().await;
    let endings = [
        (401, "logged_out", "device_removed"),
        (402, "restricted", "temporary_ban"),
        (403, "restricted", "account_blocked"),
        (406, "restricted", "account_banned"),
    ];
    for (code, status, reason) in endings {
        let user = format!("u{code}");
        let mut socket = rig.connected(&user).await;

        assert!(rig.evolution.end(&format!("user_{user}"), code));
        until_notified(&mut socket, status).await;
        // Why it ended is in the first, which may come last.
        let of_the_end = ["status.instance", "logout.instance"];
        let fits = |one: &Delivery| of_the_end.contains(&one.event) && one.instance.ends_with(&user);
        rig.evolution.delivered(2, fits).await;

        assert_eq!(standing(&rig, &user).await, (status.to_owned(), json!(reason)), "{code}");
    }
}

#[actix_web::test]
async fn a_silent_ending_comes_back_by_itself_and_nobody_is_told() {
    let rig = Rig::start().await;
    for code in [408, 428, 503, 515] {
        let user = format!("u{code}");
        let mut socket = rig.connected(&user).await;

        assert!(rig.evolution.end_silently(&format!("user_{user}"), code));
        let dropped = until(&mut socket, |frame| frame["data"]["reason"] == "reconnecting_silently").await;
        let back = until(&mut socket, |frame| frame["type"] == "status" && frame["data"]["reason"].is_null()).await;

        assert_eq!((&dropped["data"]["status"], &back["data"]["status"]), (&json!("connected"), &json!("connected")));
        assert_eq!(standing(&rig, &user).await, ("connected".to_owned(), Value::Null), "{code}");
    }
}

#[actix_web::test]
async fn whatsapp_out_of_reach_is_a_storm_that_is_told_once_and_ends_by_itself() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;

    rig.evolution.drop_for("user_ana", Duration::from_mins(5));
    let away = until_status(&mut ana, "reconnecting").await;
    rig.evolution.mend("user_ana");
    until_notified(&mut ana, "reconnected").await;

    assert_eq!(away["data"]["reason"], "whatsapp_unreachable");
    assert_eq!(standing(&rig, "ana").await.0, "connected");
}

#[actix_web::test]
async fn two_that_fight_over_one_session_are_a_conflict() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;

    rig.evolution.conflict_for("user_ana", Duration::from_mins(5));
    until_notified(&mut ana, "conflict").await;
    rig.evolution.mend("user_ana");

    assert_eq!(rig.app.as_admin("GET", "/api/health/instances", Value::Null).await.json["totals"]["conflict"], 1);
}

#[actix_web::test]
async fn evolution_dying_and_coming_back_is_a_short_drop_for_a_linked_phone() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;

    rig.evolution.die(None).await;
    rig.evolution.up().await;
    until(&mut ana, |frame| frame["type"] == "status" && frame["data"]["reason"] == "reconnecting_silently").await;
    until(&mut ana, |frame| frame["type"] == "status" && frame["data"]["reason"].is_null()).await;

    assert_eq!(standing(&rig, "ana").await.0, "connected");
}

#[actix_web::test]
async fn linking_again_after_the_phone_removed_the_device_needs_no_new_instance() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.remove_device("user_ana");
    until_notified(&mut ana, "logged_out").await;

    rig.connect("ana").await;
    rig.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    until_notified(&mut ana, "connected").await;

    assert_eq!((standing(&rig, "ana").await.0.as_str(), rig.creates("user_ana")), ("connected", 1));
}
