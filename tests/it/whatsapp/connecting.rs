//! From the button to a linked phone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use zapgate::simulator::{Ask, Fault, Message, Phone};

use super::rig::{Rig, until, until_notified, until_status};
use crate::app::instance_of;

#[actix_web::test]
async fn a_user_connects_scans_and_hears_messages_in_one_dense_sequence() {
    let rig = Rig::start().await;
    let mut ana = rig.app.listen("ana").await;

    let asked = rig.connect("ana").await;
    rig.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    until_notified(&mut ana, "connected").await;
    rig.evolution.message("user_ana", &Phone::new("5511999990001", "Ana Teste"), Message::Text("Oi!".into())).unwrap();
    let heard = until(&mut ana, |frame| frame["type"] == "message").await;

    assert_eq!(asked.status, 200, "{}", asked.json);
    assert!(asked.json["qrCode"].as_str().unwrap().starts_with("data:image/png;base64,"), "{}", asked.json);
    assert_eq!(asked.json["instance"]["status"], "waiting_qr");
    assert_eq!(heard["data"]["text"], "Oi!");
    let own = rig.app.instance("ana").await;
    assert_eq!((&own["status"], &own["phoneNumber"]), (&json!("connected"), &json!("5511900000001")));
    assert_eq!(own["profileName"], "Loja Central");
    let replayed = rig.app.listen_since("ana", 0, ana.epoch()).await.up_to(heard["seq"].as_i64().unwrap()).await;
    let numbers: Vec<i64> = replayed.iter().map(|frame| frame["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=heard["seq"].as_i64().unwrap()).collect::<Vec<_>>());
}

#[actix_web::test]
async fn two_hundred_clicks_at_once_are_one_row_and_one_create() {
    let rig = Rig::start().await;

    let all = join_all((0..200).map(|_| rig.connect("ana"))).await;

    assert!(all.iter().all(|one| one.status == 200), "{:?}", all.iter().find(|one| one.status != 200));
    let ids: BTreeSet<String> = all.iter().map(|one| one.json["instance"]["id"].to_string()).collect();
    assert_eq!((ids.len(), rig.creates("user_ana")), (1, 1));
    assert_eq!(rig.evolution.instances(), ["user_ana"]);
}

#[actix_web::test]
async fn many_users_at_once_get_one_instance_each_and_each_its_own_code() {
    let rig = Rig::start().await;
    let users: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();

    let all = join_all(users.iter().map(|user| rig.connect(user))).await;

    let codes: BTreeSet<&str> = all.iter().filter_map(|one| one.json["qrCode"].as_str()).collect();
    assert_eq!(codes.len(), 20);
    assert!(users.iter().all(|user| rig.creates(&instance_of(user)) == 1));
}

#[actix_web::test]
async fn the_webhook_goes_into_create_with_a_key_of_this_instance_alone() {
    let rig = Rig::start().await;

    rig.connect("ana").await;

    let calls = rig.evolution.calls();
    let create = calls.iter().find(|call| call.path == "/instance/create").unwrap();
    let webhook = &create.body["webhook"];
    assert_eq!(webhook["url"], format!("{}/api/webhook/user/ana", rig.app.url));
    assert_eq!(webhook["headers"]["jwt_key"], secrecy::ExposeSecret::expose_secret(&rig.app.key_of("user_ana")));
    assert!(webhook["events"].as_array().unwrap().contains(&json!("GROUPS_UPDATE")));
    assert!(!calls.iter().any(|call| call.path.starts_with("/webhook/set")), "nothing to set right");
}

#[actix_web::test]
async fn a_number_brings_a_code_to_type_and_typing_it_links_the_phone() {
    let rig = Rig::start().await;
    let mut ana = rig.app.listen("ana").await;

    let asked = rig.post("ana", "/api/whatsapp/connect", json!({"number": "5511900000001"})).await;
    let code = asked.json["pairingCode"].as_str().unwrap_or_else(|| panic!("{}", asked.json)).to_owned();
    let typed = rig.evolution.type_code("user_ana", &code, Rig::phone());
    until_notified(&mut ana, "connected").await;

    assert_eq!((code.len(), typed), (8, true));
}

#[actix_web::test]
async fn a_number_after_a_code_to_scan_still_brings_a_code_to_type() {
    let rig = Rig::start().await;
    rig.connect("ana").await;

    let asked = rig.post("ana", "/api/whatsapp/connect", json!({"number": "5511900000001"})).await;

    assert!(asked.json["pairingCode"].is_string(), "{}", asked.json);
    assert_eq!(rig.evolution.instances(), ["user_ana"]);
}

#[actix_web::test]
async fn connecting_what_is_connected_changes_nothing() {
    let rig = Rig::start().await;
    rig.connected("ana").await;
    rig.evolution.clear_record();

    let again = rig.connect("ana").await;

    assert_eq!((again.status, &again.json["instance"]["status"]), (200, &json!("connected")));
    let calls = rig.evolution.calls();
    assert!(calls.iter().all(|call| call.method == "GET" && !call.path.contains("/connect/")), "{calls:?}");
}

#[actix_web::test]
async fn a_create_whose_answer_broke_is_found_and_not_repeated() {
    let rig = Rig::start().await;
    rig.evolution.fail(Ask::Create, Fault::Broken, Some(1), None);
    let mut ana = rig.app.listen("ana").await;

    rig.connect("ana").await;
    until_status(&mut ana, "connecting").await;
    rig.evolution.code_shown("user_ana").await;

    assert_eq!(rig.creates("user_ana"), 1);
}

#[actix_web::test]
async fn a_create_that_answers_after_our_patience_is_found_and_not_repeated() {
    let rig = Rig::start().await;
    rig.evolution.fail(Ask::Create, Fault::LateMs(3000), Some(1), None);

    rig.connect("ana").await;
    rig.evolution.code_shown("user_ana").await;

    assert_eq!(rig.creates("user_ana"), 1);
}

#[actix_web::test]
async fn a_create_that_nobody_heard_is_repeated_after_two_looks() {
    let rig = Rig::start().await;
    rig.evolution.fail(Ask::Create, Fault::Hang, Some(1), None);

    rig.connect("ana").await;
    rig.evolution.code_shown("user_ana").await;

    let calls = rig.evolution.calls();
    let creates: Vec<usize> = (0..calls.len()).filter(|nth| calls[*nth].path == "/instance/create").collect();
    let looks = calls[creates[0]..creates[1]].iter().filter(|call| call.path.contains("connectionState")).count();
    assert_eq!((creates.len(), looks), (2, 2));
}

#[actix_web::test]
async fn a_restart_in_the_middle_of_connecting_goes_on_and_creates_nothing_twice() {
    let mut rig = Rig::start().await;
    rig.evolution.fail(Ask::Create, Fault::LateMs(900), Some(1), None);
    let pressed = rig.connect("ana");
    let called = rig.evolution.called("POST", "/instance/create", 1);
    tokio::select! {
        _ = called => {}
        answer = pressed => panic!("{}", answer.json),
    }

    rig.app.restart().await;
    rig.evolution.code_shown("user_ana").await;

    assert_eq!((rig.creates("user_ana"), rig.evolution.instances()), (1, vec!["user_ana".to_owned()]));
}

#[actix_web::test]
async fn a_code_renews_on_the_screen_and_the_one_before_is_gone() {
    let rig = Rig::start().await;
    let mut ana = rig.app.listen("ana").await;
    rig.connect("ana").await;
    let first = until(&mut ana, |frame| frame["type"] == "qrcode").await;

    rig.asks_evolution("POST", "/instance/restart/user_ana", json!({})).await;
    rig.post("ana", "/api/whatsapp/connect", json!({"number": "5511900000001"})).await;
    let second = until(&mut ana, |frame| frame["type"] == "qrcode").await;

    assert_ne!(first["data"]["qrCode"], second["data"]["qrCode"]);
    assert!(second["data"]["count"].as_i64() > Some(0));
}

#[actix_web::test]
async fn a_scan_without_effect_asks_for_the_passkey_until_it_opens() {
    let rig = Rig::start().await;
    let mut ana = rig.app.listen("ana").await;
    rig.connect("ana").await;

    let told = rig.post("ana", "/api/whatsapp/scanned", Value::Null).await;
    let notified = until_notified(&mut ana, "action_required").await;
    rig.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    let open = until_status(&mut ana, "connected").await;

    assert_eq!((told.status, &told.json["status"]), (202, &json!("action_required")));
    assert_eq!((&told.json["statusReason"], &told.json["qrCode"]), (&json!("passkey"), &Value::Null));
    assert!(notified["seq"].as_i64() < open["seq"].as_i64());
}
