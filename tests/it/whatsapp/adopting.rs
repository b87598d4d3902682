//! Instances that Evolution had before there was a gateway.

use std::process::Command;

use serde_json::{Value, json};
use zapgate::simulator::{Message, Phone};

use super::rig::{Rig, until};
use crate::app::ADMIN;

#[actix_web::test]
async fn connecting_adopts_what_is_there_and_sets_its_webhook_right() {
    let rig = Rig::start().await;
    rig.made_elsewhere("user_ana").await;
    let mut ana = rig.app.listen("ana").await;

    let asked = rig.connect("ana").await;
    until(&mut ana, |frame| frame["type"] == "qrcode").await;

    assert_eq!(asked.status, 200, "{}", asked.json);
    let webhook = rig.asks_evolution("GET", "/webhook/find/user_ana", Value::Null).await;
    assert_eq!(webhook.json["url"], format!("{}/api/webhook/user/ana", rig.app.url));
    assert_eq!(rig.evolution.instances(), ["user_ana"]);
}

#[actix_web::test]
async fn migrating_lists_adopts_and_releases_what_was_kept_in_order() {
    let rig = Rig::start().await;
    rig.made_elsewhere("user_ana").await;
    rig.made_elsewhere("loja-centro").await;
    for n in 0..3 {
        let mut text = crate::recorded::webhook("messages.upsert/text-conversation");
        text["data"]["key"]["id"] = json!(format!("KEPT{n}"));
        text["data"]["message"]["conversation"] = json!(format!("kept {n}"));
        rig.app.evolution_posts("ana", text).await;
    }

    let checked = migrate(&rig, &["check"]).await;
    let updated = migrate(&rig, &["update"]).await;
    let unnamed = migrate(&rig, &["migrate", "loja-centro"]).await;
    let one = migrate(&rig, &["migrate", "loja-centro", "--user", "carla"]).await;
    let done = migrate(&rig, &["check"]).await;

    assert!(checked.1.contains("user_ana  user ana  close  3 webhooks kept"), "{}", checked.1);
    assert!(checked.1.contains("loja-centro  no user in its name  close  0 webhooks kept"), "{}", checked.1);
    assert!(updated.1.contains("user_ana belongs to ana  3 kept webhooks stored"), "{}", updated.1);
    assert_eq!((checked.0, updated.0, unnamed.0, one.0), (0, 0, 2, 0), "{}", one.1);
    assert!(done.1.contains("every instance has a user"), "{}", done.1);
    let head = rig.app.head_of("ana").await;
    let epoch = rig.app.listen("ana").await.epoch().to_owned();
    let frames = rig.app.listen_since("ana", 0, &epoch).await.up_to(head).await;
    let texts: Vec<&str> = frames.iter().filter_map(|frame| frame["data"]["text"].as_str()).collect();
    assert_eq!(texts, ["kept 0", "kept 1", "kept 2"]);
    assert!(frames.iter().filter(|frame| frame["type"] == "message").all(|frame| frame["late"] == true));
}

#[actix_web::test]
async fn a_name_that_nobody_knows_is_given_to_nobody() {
    let rig = Rig::start().await;

    let adopted = rig.app.as_admin("POST", "/api/migration", json!({"instanceName": "lojja", "userId": "carla"})).await;

    assert_eq!((adopted.status, &adopted.json["code"]), (404, &json!("not_found")), "{}", adopted.json);
    assert_eq!(rig.app.as_admin("GET", "/api/instances/lojja", Value::Null).await.status, 404);
    assert_eq!(rig.connect("carla").await.json["instance"]["instanceName"], "user_carla");
}

#[actix_web::test]
async fn an_adopted_instance_that_is_open_shows_it_and_its_phone_and_its_messages_arrive() {
    let rig = Rig::start().await;
    rig.made_elsewhere("loja-centro").await;
    rig.asks_evolution("GET", "/instance/connect/loja-centro", Value::Null).await;
    rig.evolution.scan_when_shown("loja-centro", Rig::phone()).await;
    rig.evolution.until_state("loja-centro", "open").await;
    let mut carla = rig.app.listen("carla").await;

    let adopted =
        rig.app.as_admin("POST", "/api/migration", json!({"instanceName": "loja-centro", "userId": "carla"})).await;
    until(&mut carla, |frame| frame["type"] == "status" && frame["data"]["status"] == "connected").await;
    rig.evolution.message("loja-centro", &Phone::new("5511999990001", "Ana"), Message::Text("olá".into())).unwrap();
    let heard = until(&mut carla, |frame| frame["type"] == "message").await;

    assert_eq!(adopted.status, 200, "{}", adopted.json);
    assert_eq!(heard["data"]["instanceName"], "loja-centro");
    assert_eq!(rig.app.instance("carla").await["phoneNumber"], "5511900000001");
}

/// The command, against the running server: its exit code and all that it printed.
async fn migrate(rig: &Rig, words: &[&str]) -> (i32, String) {
    let port = rig.app.url.rsplit(':').next().unwrap().to_owned();
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zapgate"));
        command.arg("migrate").args(words).env("PORT", port).env("ADMIN_TOKEN", ADMIN);
        // Nobody is there, and nobody is to be asked.
        command.env("http_proxy", "http://127.0.0.1:9").env_remove("no_proxy").env_remove("NO_PROXY");
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}
