//! How the simulator delivers: proof, retries, what it waits for, what it wipes late, and the wars and windows of an
//! Evolution whose receiver is slow.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::simulator::{Message, Phone};

use super::rig::Rig;

#[actix_web::test]
async fn a_refused_webhook_is_tried_ten_times_with_the_recorded_waits_and_the_same_bytes() {
    let rig = Rig::manual().await;
    let webhook =
        json!({"url": rig.receiver.url, "headers": {"jwt_key": "a-key-of-some-length-0123456789"}, "events": []});
    rig.receiver.answer(503);
    rig.create_with("user_1", json!({"webhook": webhook})).await;
    let start = rig.simulator.now();

    rig.pass(30 * 60).await;

    let tries = rig.simulator.delivered(10, |sent| sent.event == "instance.create").await;
    let at: Vec<i64> = tries.iter().map(|sent| sent.at.since(start)).collect();
    let waits: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, base) in waits.iter().zip([5, 10, 20, 40, 80, 160, 300, 300, 300]) {
        assert!((base * 800..=base * 1200).contains(wait) && *wait >= 5000, "{waits:?}");
    }
    assert!(tries.len() == 10 && tries.last().unwrap().is_last && tries.iter().all(|sent| sent.answered == Some(503)));
    let received = rig.receiver.kept();
    assert!(received.iter().all(|r| r.bytes == received[0].bytes && r.authorization == received[0].authorization));
    assert!(received[0].authorization.as_ref().unwrap().starts_with("Bearer ey"));
}

#[actix_web::test]
async fn an_answer_that_is_final_is_not_tried_again() {
    let rig = Rig::manual().await;
    rig.receiver.answer(422);
    rig.create("user_1").await;

    rig.pass(60 * 60).await;

    assert_eq!(rig.receiver.kept().len(), 1);
}

#[actix_web::test]
async fn a_receiver_that_says_nothing_is_tried_again_after_a_minute() {
    let rig = Rig::manual().await;
    rig.receiver.keep_back(Some("instance.create"));
    rig.create("user_1").await;

    rig.pass(70).await;

    let tries = rig.simulator.delivered(1, |sent| sent.event == "instance.create").await;
    assert_eq!((tries[0].answered, tries[0].is_last), (None, false));
    assert_eq!(rig.receiver.until(2, |_| true).await.len(), 2);
}

#[actix_web::test]
async fn the_late_wipe_hits_the_session_that_was_paired_meanwhile() {
    let rig = Rig::manual().await;
    rig.open("loja").await;
    rig.receiver.keep_back(Some("logout.instance"));
    rig.call("DELETE", "/instance/logout/loja", Value::Null).await;
    rig.pass(1).await;
    rig.pair("loja").await;
    assert_eq!(rig.states("loja").await, (json!("open"), json!("open")));

    rig.receiver.keep_back(None);
    rig.simulator.delivered(1, |sent| sent.event == "logout.instance").await;
    rig.pass(1).await;

    assert_eq!(rig.states("loja").await, (json!("open"), json!("close")), "wiped underneath");
    rig.receiver.forget();
    rig.simulator.end_silently("loja", 503);
    rig.pass(1).await;
    rig.receiver.event("qrcode.updated").await;
}

#[actix_web::test]
async fn a_name_is_in_use_until_the_farewell_was_delivered() {
    let rig = Rig::manual().await;
    rig.open("loja").await;
    rig.receiver.keep_back(Some("remove.instance"));
    rig.call("DELETE", "/instance/delete/loja", Value::Null).await;
    rig.pass(1).await;
    let wanted = json!({"instanceName": "loja", "integration": "WHATSAPP-BAILEYS"});

    assert_eq!(rig.states("loja").await, (json!("close"), json!("close")));
    assert_eq!(rig.call("POST", "/instance/create", wanted.clone()).await.0, 403);
    rig.receiver.keep_back(None);
    rig.simulator.delivered(1, |sent| sent.event == "remove.instance").await;
    rig.pass(1).await;

    assert_eq!(rig.get("/instance/connectionState/loja").await.0, 404);
    assert_eq!(rig.call("POST", "/instance/create", wanted).await.0, 201);
}

#[actix_web::test]
async fn a_held_back_edit_holds_back_the_messages_of_that_instance() {
    let rig = Rig::manual().await;
    rig.open("loja").await;
    rig.receiver.forget();
    let ana = Phone::new("5511999990001", "Ana");
    rig.receiver.keep_back(Some("messages.edited"));

    rig.simulator.message("loja", &ana, Message::Edit { of: "AC01".into(), text: "11h".into() });
    rig.simulator.message("loja", &ana, Message::Text("oi".into()));
    rig.pass(1).await;
    let before = rig.receiver.kept().iter().filter(|received| received.event() == "messages.upsert").count();
    rig.receiver.keep_back(None);

    assert_eq!(before, 0);
    rig.receiver.event("messages.upsert").await;
}

#[actix_web::test]
async fn a_connect_during_a_reconnect_loop_starts_a_war_of_two_sockets() {
    let rig = Rig::manual().await;
    rig.open("loja").await;
    rig.simulator.drop_for("loja", Duration::from_secs(2));
    while rig.simulator.state("loja") != Some("close") {
        rig.simulator.advance(Duration::from_millis(3)).await;
    }

    rig.get("/instance/connect/loja").await;
    rig.pass(3).await;
    rig.receiver.forget();
    rig.simulator.message("loja", &Phone::new("5511999990001", "Ana"), Message::Text("oi".into()));
    rig.pass(2).await;

    let kept = rig.receiver.kept();
    assert!(kept.iter().filter(|received| received.is("open")).count() > 20, "{}", kept.len());
    assert!(kept.iter().all(|received| received.event() != "messages.upsert"), "no message gets through");
}

#[actix_web::test]
async fn codes_are_renewed_until_the_limit_and_then_refused() {
    let rig = Rig::manual().await;
    rig.create("loja").await;
    rig.connect("loja").await;

    rig.pass(30 * 60).await;

    let kept = rig.receiver.kept();
    let texts: std::collections::BTreeSet<String> =
        kept.iter().filter_map(|received| Some(received.body["data"]["qrcode"]["code"].as_str()?.to_owned())).collect();
    let refused = kept.iter().find(|received| received.is("refused")).unwrap();
    assert_eq!((texts.len(), refused.body["data"]["statusReason"].as_u64()), (30, Some(428)));
    assert_eq!(rig.states("loja").await, (json!("close"), json!("connecting")));
}

#[actix_web::test]
async fn two_creates_of_one_name_at_once_leave_none() {
    let mut config = zapgate::simulator::SimulatorConfig::quick();
    config.latencies.create = Duration::from_millis(300);
    let rig = Rig::start(config).await;
    let wanted = json!({"instanceName": "loja", "integration": "WHATSAPP-BAILEYS"});

    let (one, other) = futures_util::join!(
        rig.call("POST", "/instance/create", wanted.clone()),
        rig.call("POST", "/instance/create", wanted)
    );

    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);
    while rig.simulator.has_instance("loja") {
        rig.get("/instance/connectionState/loja").await;
    }
}
