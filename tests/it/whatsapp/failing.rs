//! Evolution is away, wrong, or not Evolution: one clear problem with what to do, and the instance unharmed.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use zapgate::simulator::{Ask, Fault, Simulator, SimulatorConfig};

use super::rig::{Rig, until_reason};
use crate::app::TestApp;

#[actix_web::test]
async fn without_evolution_at_the_start_connecting_says_so_and_works_once_it_is_there() {
    let tasks = zapgate::adapters::tasks::Tasks::default();
    let evolution = Simulator::start(SimulatorConfig::quick(), &tasks).await.unwrap();
    evolution.down(None).await;
    let app = TestApp::start_with(|settings| {
        settings.evolution.evolution_api_url = Some(evolution.url().parse().unwrap());
        settings.evolution.evolution_api_key = Some(evolution.key().clone());
        settings.evolution.retry_initial_ms = 20;
    })
    .await;
    let token = app.token("ana", None);

    let refused = app.asks(&token, "POST", "/api/whatsapp/connect", Value::Null).await;
    let kept = app.instance("ana").await;
    evolution.up().await;
    let connected = app.asks(&token, "POST", "/api/whatsapp/connect", Value::Null).await;

    assert_eq!((refused.status, refused.code()), (503, "evolution_unreachable"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!((&kept["status"], &kept["statusReason"]), (&json!("disconnected"), &json!("evolution_unreachable")));
    assert_eq!((connected.status, connected.json["qrCode"].is_string()), (200, true));
    tasks.cancel();
}

#[actix_web::test]
async fn each_way_of_being_refused_names_its_cure_and_harms_nothing() {
    let rig = Rig::start().await;
    rig.connected("bob").await;
    let cases = [
        (Fault::WrongKey, 502, "evolution_refused", "EVOLUTION_API_KEY"),
        (Fault::Licence, 502, "evolution_refused", "Activate"),
        (Fault::Redirect, 502, "evolution_refused", "EVOLUTION_API_URL"),
        (Fault::Html, 502, "evolution_refused", "EVOLUTION_API_URL"),
        (Fault::Garbage, 502, "evolution_refused", "EVOLUTION_API_URL"),
        (Fault::Lie, 502, "evolution_refused", "EVOLUTION_API_URL"),
        (Fault::Endless, 502, "evolution_refused", "EVOLUTION_API_URL"),
        (Fault::Hang, 503, "evolution_unreachable", "time"),
        (Fault::Status(502), 503, "evolution_unreachable", "502"),
        (Fault::Status(500), 503, "evolution_unreachable", "500"),
    ];
    for (nth, (fault, status, code, cure)) in cases.into_iter().enumerate() {
        rig.evolution.fail(Ask::Any, fault, None, None);

        let user = format!("u{nth}");
        let refused = rig.connect(&user).await;

        rig.evolution.heal();
        assert_eq!((refused.status, refused.code()), (status, code), "{fault:?} {}", refused.json);
        assert!(refused.json["detail"].as_str().unwrap().contains(cure), "{fault:?} {}", refused.json);
        let own = rig.app.instance(&user).await;
        assert_eq!(own["statusReason"], code, "{fault:?}");
        assert_eq!(own["health"]["issues"].as_array().unwrap().len(), 1, "{fault:?}");
    }
    assert_eq!(rig.app.instance("bob").await["status"], "connected", "nobody else is touched");
}

#[actix_web::test]
async fn a_code_whose_webhook_does_not_reach_us_is_told_as_what_it_is() {
    let rig = Rig::start().await;
    let mut ana = rig.app.listen("ana").await;
    rig.evolution.lose_webhooks(100);

    let asked = rig.connect("ana").await;
    rig.app.clock.advance(Duration::from_secs(11));
    let told = until_reason(&mut ana, "webhook_silent").await;

    assert_eq!((asked.status, &asked.json["qrCode"]), (200, &Value::Null));
    assert_eq!(told["data"]["status"], "disconnected");
    let own = rig.app.instance("ana").await;
    assert!(own["health"]["issues"][0].as_str().unwrap().contains("WEBHOOK_URL"), "{own}");
}

#[actix_web::test]
async fn after_five_failures_nothing_is_asked_for_half_a_minute_and_then_once() {
    let rig = Rig::start_with(|settings| {
        settings.evolution.breaker_failures = 5;
        settings.evolution.retry_max_attempts = 1;
    })
    .await;
    rig.evolution.fail(Ask::Any, Fault::Status(503), None, None);
    for n in 0..5 {
        rig.connect(&format!("u{n}")).await;
    }
    rig.evolution.heal();
    rig.evolution.clear_record();

    let refused = rig.connect("ana").await;
    let asked_meanwhile = rig.evolution.calls().len();
    rig.app.clock.advance(Duration::from_secs(31));
    let connected = rig.connect("ana").await;

    assert_eq!((refused.status, refused.code(), asked_meanwhile), (503, "evolution_unreachable", 0));
    assert_eq!(connected.status, 200, "{}", connected.json);
    let retry_after: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((20..=30).contains(&retry_after), "{retry_after}");
}

#[actix_web::test]
async fn what_an_ending_said_that_could_not_be_stored_is_read_from_evolution_instead() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.evolution.clear_record();
    let mut elsewhere = rig.app.database().await.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *elsewhere).await.unwrap();

    // The deletion goes on once its `remove.instance` is answered, be it 422.
    rig.asks_evolution("DELETE", "/instance/delete/user_ana", Value::Null).await;
    let refused = rig.evolution.delivered(1, |one| one.event == "remove.instance").await;
    sqlx::query("ROLLBACK").execute(&mut *elsewhere).await.unwrap();
    let read = until_reason(&mut ana, "removed").await;

    assert_eq!(refused[0].answered, Some(422));
    assert_eq!(read["data"]["status"], "disconnected");
}

#[actix_web::test]
async fn without_evolution_configured_what_needs_it_says_so_and_removing_still_works() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let token = app.token("ana", None);

    let reconnect = app.asks(&token, "POST", "/api/whatsapp/reconnect", Value::Null).await;
    let unlink = app.asks(&token, "POST", "/api/whatsapp/disconnect", Value::Null).await;
    let removed = app.asks(&token, "DELETE", "/api/whatsapp/instance", Value::Null).await;

    for refused in [reconnect, unlink] {
        assert_eq!((refused.status, refused.code()), (503, "evolution_not_configured"));
    }
    assert_eq!(removed.status, 204);
}

#[actix_web::test]
async fn another_users_instance_can_be_neither_driven_nor_seen() {
    let rig = Rig::start().await;
    rig.connected("bob").await;
    rig.evolution.clear_record();
    let ana = rig.app.token("ana", None);

    for (method, path) in [
        ("POST", "/api/whatsapp/reconnect"),
        ("POST", "/api/whatsapp/disconnect"),
        ("POST", "/api/whatsapp/scanned"),
        ("DELETE", "/api/whatsapp/instance"),
    ] {
        let other = rig.app.asks(&ana, method, &format!("{path}?userId=bob"), Value::Null).await;
        let own = rig.app.asks(&ana, method, path, Value::Null).await;

        assert_eq!((other.status, other.code()), (403, "not_yours"), "{method} {path}");
        assert_eq!((own.status, own.code()), (404, "not_found"), "{method} {path}");
    }
    assert!(rig.evolution.calls().is_empty());
}

#[actix_web::test]
async fn secrets_of_evolution_are_in_no_answer_frame_or_row() {
    let rig = Rig::start().await;
    let mut ana = rig.connected("ana").await;
    rig.post("ana", "/api/whatsapp/disconnect", Value::Null).await;
    let last = until_reason(&mut ana, "by_owner").await;

    let frames = rig.app.listen_since("ana", 0, ana.epoch()).await.up_to(last["seq"].as_i64().unwrap()).await;
    let own = rig.app.instance("ana").await;
    let token = rig.token_at_evolution("user_ana").await;

    let key: &SecretString = rig.evolution.key();
    let database = std::fs::read(rig.app.folder().join("zapgate.db")).unwrap();
    let wal = std::fs::read(rig.app.folder().join("zapgate.db-wal")).unwrap_or_default();
    for secret in [key, &token] {
        let secret = secrecy::ExposeSecret::expose_secret(secret);
        assert!(!json!([frames, own]).to_string().contains(secret));
        for file in [&database, &wal] {
            assert!(!file.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}
