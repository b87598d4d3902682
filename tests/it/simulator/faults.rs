//! What the simulator does wrong when it is told to, as a client sees it; and the control over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::simulator::{Ask, Fault, Message, Phone, SimulatorConfig};

use super::rig::{KEY, Rig, owner};

/// A call that may fail, with half a second of patience.
async fn ask(rig: &Rig, path: &str) -> Result<(u16, String), reqwest::Error> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", rig.simulator.url())).header("apikey", KEY);
    let answer = request.timeout(Duration::from_millis(500)).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

#[actix_web::test]
async fn every_fault_of_an_answer_is_seen_by_the_client_and_ends_after_its_calls() {
    let rig = Rig::start(SimulatorConfig::quick()).await;
    let answered = [
        (Fault::Status(502), 502),
        (Fault::Html, 200),
        (Fault::Garbage, 200),
        (Fault::Lie, 200),
        (Fault::Redirect, 302),
        (Fault::Licence, 503),
        (Fault::WrongKey, 401),
        (Fault::LateMs(1), 200),
    ];
    for (fault, status) in answered {
        rig.simulator.fail(Ask::Rows, fault, Some(1), None);
        assert_eq!(ask(&rig, "/instance/fetchInstances").await.unwrap().0, status, "{fault:?}");
        assert_eq!(ask(&rig, "/instance/fetchInstances").await.unwrap(), (200, "[]".to_owned()), "{fault:?}");
    }
    for (fault, times_out) in [
        (Fault::Endless, true),
        (Fault::Hang, true),
        (Fault::Lost, true),
        (Fault::LateMs(5000), true),
        (Fault::Broken, false),
    ] {
        rig.simulator.fail(Ask::Rows, fault, Some(1), None);
        let failure = ask(&rig, "/instance/fetchInstances").await.unwrap_err();
        assert_eq!(failure.is_timeout(), times_out, "{fault:?}: {failure:?}");
    }
}

#[actix_web::test]
async fn a_create_whose_answer_is_lost_was_done() {
    let rig = Rig::start(SimulatorConfig::quick()).await;
    rig.simulator.fail(Ask::Create, Fault::Lost, Some(1), None);
    let wanted = json!({"instanceName": "loja", "integration": "WHATSAPP-BAILEYS"});

    let client = reqwest::Client::new();
    let request = client.post(format!("{}/instance/create", rig.simulator.url())).header("apikey", KEY).json(&wanted);
    let unanswered = request.timeout(Duration::from_millis(300)).send().await;

    assert!(unanswered.unwrap_err().is_timeout());
    assert_eq!(rig.call("POST", "/instance/create", wanted).await.0, 403);
    let calls = rig.simulator.called("POST", "/instance/create", 2).await;
    assert_eq!((calls[0].answered, calls[1].answered), (None, Some(403)));
}

#[actix_web::test]
async fn a_port_that_is_shut_refuses_connections_and_comes_back() {
    let rig = Rig::start(SimulatorConfig::quick()).await;

    rig.simulator.down(None).await;
    let refused = ask(&rig, "/").await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    rig.simulator.up().await;
    assert_eq!(ask(&rig, "/").await.unwrap().0, 200);

    rig.simulator.down(Some(Duration::from_millis(1))).await;
    while ask(&rig, "/").await.is_err() {}
}

#[actix_web::test]
async fn a_process_that_dies_takes_its_undelivered_webhooks_along() {
    let rig = Rig::manual().await;
    rig.receiver.answer(503);
    rig.create("loja").await;
    rig.pass(1).await;

    rig.simulator.die(None).await;
    rig.receiver.answer(200);
    rig.simulator.up().await;
    rig.pass(20 * 60).await;

    let kept = rig.receiver.kept();
    assert_eq!(kept.iter().filter(|received| received.event() == "instance.create").count(), 1);
}

#[actix_web::test]
async fn webhooks_can_be_doubled_lost_and_disordered() {
    let rig = Rig::manual().await;
    rig.open("loja").await;
    rig.receiver.forget();
    let says =
        |text: &str| rig.simulator.message("loja", &Phone::new("5511999990001", "Ana"), Message::Text(text.into()));
    let texts = || {
        let kept = rig.receiver.kept();
        let texts = kept.iter().filter(|received| received.event() == "messages.upsert");
        texts
            .map(|received| received.body["data"]["message"]["conversation"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };

    rig.simulator.lose_webhooks(4);
    says("lost");
    rig.simulator.double_webhooks(true);
    says("twice");
    rig.pass(1).await;
    assert_eq!(texts(), ["twice", "twice"]);

    rig.simulator.heal();
    rig.receiver.forget();
    rig.simulator.disorder_webhooks(Duration::from_secs(10));
    let sent: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
    for text in &sent {
        drop(says(text));
    }
    rig.pass(11).await;
    let mut got = texts();
    assert_ne!(got, sent);
    got.sort();
    assert_eq!(got, sent);
}

#[actix_web::test]
async fn pairing_by_number_shows_a_code_to_type_with_the_next_code() {
    let rig = Rig::manual().await;
    rig.create("loja").await;

    rig.get("/instance/connect/loja?number=5511900000001").await;
    rig.pass(1).await;

    let (_, typed) = rig.simulator.code_shown("loja").await;
    let typed = typed.unwrap();
    let shown = rig.receiver.event("qrcode.updated").await.body["data"]["qrcode"]["pairingCode"].clone();
    assert_eq!((typed.len(), &shown), (8, &json!(typed)));
    assert!(!rig.simulator.type_code("loja", "WRONG123", owner()));
    assert!(rig.simulator.type_code("loja", &typed, owner()));
    rig.pass(1).await;
    assert_eq!(rig.simulator.state("loja"), Some("open"));
}

#[actix_web::test]
async fn from_2_4_on_a_time_out_is_final_and_a_second_logout_is_forgiven() {
    let rig = Rig::manual().await;
    rig.simulator.set_version("2.4.0");
    rig.open("loja").await;

    assert!(rig.simulator.end_silently("loja", 408));
    rig.pass(1).await;

    let closed = rig.receiver.event("status.instance").await;
    assert_eq!(closed.body["data"]["disconnectionReasonCode"], 408);
    let (status, answer) = rig.call("DELETE", "/instance/logout/loja", Value::Null).await;
    assert_eq!((status, &answer["response"]["message"]), (200, &json!("Instance was already disconnected")));
}

#[actix_web::test]
async fn a_silent_whatsapp_shows_open_for_a_minute_and_a_send_hangs() {
    let mut config = SimulatorConfig::manual();
    config.latencies.silence_noticed = Duration::from_secs(57);
    let rig = Rig::start(config).await;
    rig.open("loja").await;

    assert!(rig.simulator.mute_for("loja", Duration::from_secs(90)));
    rig.pass(50).await;
    assert_eq!(rig.simulator.state("loja"), Some("open"));
    let body = json!({"number": "5511999990001", "text": "oi"});
    let sending = rig.call("POST", "/message/sendText/loja", body);
    let passing = async {
        rig.simulator.called("POST", "/message/sendText/loja", 1).await;
        for _ in 0..70 {
            rig.pass(1).await;
        }
    };
    let ((status, answer), ()) = futures_util::join!(sending, passing);

    assert_eq!((status, &answer["response"]["message"]), (400, &json!(["Error: Connection Closed"])));
    assert_eq!(rig.simulator.state("loja"), Some("open"), "it is over");
}

#[actix_web::test]
async fn the_control_does_over_http_what_the_handle_does() {
    let rig = Rig::start(SimulatorConfig::quick()).await;
    rig.create("loja").await;
    let control = |path: &'static str, body: Value| rig.call("POST", path, body);

    assert_eq!(control("/simulator/phones/loja/scan", Value::Null).await.0, 409);
    rig.get("/instance/connect/loja").await;
    rig.simulator.code_shown("loja").await;
    let phone = json!({"number": "5511900000001", "name": "Loja"});
    assert_eq!(control("/simulator/phones/loja/scan", phone).await.0, 204);
    rig.simulator.until_state("loja", "open").await;
    let (status, sent) = control("/simulator/phones/loja/message", json!({"message": {"text": "oi"}})).await;
    assert_eq!((status, sent["id"].is_string()), (200, true));
    assert_eq!(control("/simulator/phones/loja/sing", Value::Null).await.0, 404);
    let fault = json!({"ask": "state", "fault": {"status": 500}, "times": 1});
    assert_eq!(control("/simulator/server/fail", fault).await.0, 204);
    assert_eq!(rig.get("/instance/connectionState/loja").await.0, 500);

    let (_, state) = rig.get("/simulator").await;
    assert_eq!(
        (&state["instances"][0]["state"], &state["instances"][0]["linked"]),
        (&json!("open"), &json!("5511900000001"))
    );
    let (_, calls) = rig.get("/simulator/calls?last=1").await;
    assert_eq!(calls["entries"][0]["answered"], 500);
    assert_eq!(control("/simulator/server/die", json!({"seconds": 0.2})).await.0, 204);
    rig.simulator.until_state("loja", "open").await;
}
