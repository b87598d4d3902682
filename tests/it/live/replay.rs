//! What `hello` shows on each channel, and what of a code is replayed.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::adapters::clock::Clock;
use zapgate::adapters::store::channels::Snapshot;
use zapgate::domain::channel::Channel;
use zapgate::domain::ids::OrgId;
use zapgate::domain::instance::Instance;
use zapgate::domain::time::Millis;
use zapgate::services::hub::HubConfig;

use super::rig::{Rig, Row, next_json, next_seq, since};

fn acme() -> Channel {
    Channel::Org(OrgId::from_claim("acme").unwrap())
}

async fn rig() -> Rig {
    Rig::start(HubConfig::default()).await
}

/// Announces a code in the log, as the writer does: a mark, never the code.
async fn announce(rig: &Rig, hash: &str, expires_at: Millis) {
    let outcome = json!({
        "status": "waiting_qr", "reason": null, "isConnected": false, "phoneNumber": null, "profileName": null,
        "qr": {"hash": hash, "count": 1, "expiresAt": expires_at},
    });
    let (outcome, body) = (outcome.to_string(), r#"{"event":"qrcode.updated","data":{}}"#);
    rig.commit_row("ana", Row { event: "qrcode.updated", outcome: Some(&outcome), body, ..Row::default() }).await;
}

#[tokio::test]
async fn a_code_is_replayed_only_while_it_is_the_one_on_show() {
    let rig = rig().await;
    let soon = Clock::system().now() + Duration::from_mins(1);
    rig.show_code("ana", "second", soon).await;
    announce(&rig, "first", soon).await;
    announce(&rig, "second", soon).await;
    announce(&rig, "second", Millis(1)).await;

    let (hello, mut ana) = rig.listen("ana", Some(since(0))).await;
    let replayed = [next_json(&mut ana).await, next_json(&mut ana).await, next_json(&mut ana).await];

    assert_eq!(hello["data"]["instance"]["qrCode"], "data:image/png;base64,AA==");
    let shown = replayed.each_ref().map(|frame| (&frame["data"]["qrCode"], &frame["data"]["expired"]));
    let (expired, image) = ((&Value::Null, &Value::Bool(true)), Value::from("data:image/png;base64,AA=="));
    assert_eq!(shown, [expired, (&image, &Value::Null), expired]);
}

#[tokio::test]
async fn an_organisation_sees_its_instances_without_codes_and_only_rows_meant_for_it() {
    let rig = rig().await;
    rig.show_code("ana", "first", Clock::system().now() + Duration::from_mins(1)).await;
    announce(&rig, "first", Clock::system().now() + Duration::from_mins(1)).await;
    let row = Row { org: Some("acme"), event: "zapgate.notification", outcome: None, body: "{}" };
    rig.commit_row("ana", row).await;

    let (hello, mut listener) = rig.listen_on(acme(), Some(since(0))).await;
    assert_eq!(next_json(&mut listener).await["type"], "notification");
    rig.publish(&rig.commit_row("ana", row).await);

    let instance = &hello["data"]["instances"][0];
    assert_eq!((&instance["userId"], &instance["qrCode"]), (&"ana".into(), &Value::Null));
    assert_eq!(next_seq(&mut listener).await, 2);
}

#[tokio::test]
async fn the_pictures_that_an_organisation_is_not_shown_are_not_even_read() {
    let rig = rig().await;
    rig.show_code("ana", "first", Clock::system().now() + Duration::from_mins(1)).await;

    let Snapshot::Org(bare) = rig.store.opening(&acme()).await.unwrap().snapshot else {
        panic!("not an organisation's")
    };
    let full = rig.store.instances(None, 0, 10, true).await.unwrap();

    let image = |instances: &[Instance]| instances[0].qr.as_ref().unwrap().image.clone();
    assert_eq!((image(&bare), image(&full)), (None, Some("data:image/png;base64,AA==".into())));
}

#[tokio::test]
async fn an_operator_is_greeted_with_totals() {
    let rig = rig().await;
    rig.show_code("ana", "first", Millis(0)).await;

    let (hello, _) = rig.listen_on(Channel::Admin, None).await;

    assert_eq!(hello["data"], json!({"totals": {"disconnected": 1}}));
}
