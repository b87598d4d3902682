//! Every recorded REST call, put to the simulator in the state it was recorded in: status and shape must be the same, and
//! the words of an error too.

use std::time::Duration;

use serde_json::{Value, json};
use zapgate::simulator::{Message, Phone, SimulatorConfig};

use super::rig::{Rig, owner};
use super::shape;

/// The state an instance of a recording was in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Created,
    Connecting,
    Open,
}

#[actix_web::test]
async fn every_recorded_call_is_answered_as_recorded() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution/http");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".json").to_owned())
        .collect();
    names.sort();
    assert!(names.len() > 70, "the recordings are missing");

    let mut differences = Vec::new();
    for name in names {
        let recording: Value = crate::recorded::file(&format!("http/{name}"));
        differences.extend(difference(&name, &recording).await);
    }

    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

async fn difference(name: &str, recording: &Value) -> Option<String> {
    let mut config = SimulatorConfig::quick();
    // No receipt comes by itself in the recordings.
    config.latencies.delivered = Duration::from_hours(1);
    let rig = Rig::start(config).await;
    arrange(&rig, name, recording).await;
    let (request, response) = (&recording["request"], &recording["response"]);

    let body = match &request["raw_body"] {
        Value::String(raw) => raw.clone(),
        _ => request["body"].to_string(),
    };
    let key = request["headers"]["apikey"].as_str();
    let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
    let (status, answer) = rig.call_as(key, method, path, body).await;

    let recorded = match (&response["body"], &response["body_text"]) {
        (Value::Null, Value::String(text)) if text != "null" => Value::String(text.clone()),
        (body, _) => body.clone(),
    };
    let is_error = status >= 400;
    let (got, wanted) = match (is_error, &answer, &recorded) {
        (true, ..) => (answer.to_string(), recorded.to_string()),
        (_, Value::String(got), Value::String(wanted)) => (labels(got), labels(wanted)),
        _ => (shape::of(&answer), shape::of(&recorded)),
    };
    let wanted_status = response["status"].as_u64().unwrap();
    let same = u64::from(status) == wanted_status && got == wanted;
    (!same).then(|| format!("── {name}: {status} (recorded {wanted_status})\n   {got}\n   {wanted}"))
}

/// Metrics without their values.
fn labels(text: &str) -> String {
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = text.lines().filter(|line| !line.starts_with('#')).map(name).collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

async fn arrange(rig: &Rig, name: &str, recording: &Value) {
    let instances: &[(&str, State)] = match name {
        "connect-after-401" => &[("loja-centro", State::Open)],
        "connect-when-open" | "connectionState-open" | "connectionState-after-process-restart-user_101" => {
            &[("user_101", State::Open)]
        }
        "connectionState-after-delete" => &[("loja-norte", State::Absent)],
        "connectionState-after-logout" => &[("loja-norte", State::Created)],
        "connect-while-connecting"
        | "connectionState-connecting"
        | "connectionState-instance-token"
        | "create-name-in-use"
        | "create-with-instance-token"
        | "fetchInstances-connecting"
        | "fetchInstances-instance-token"
        | "sendText-not-connected" => &[("user_101", State::Connecting)],
        "connectionState-foreign-token" => &[("user_101", State::Created), ("user_102", State::Created)],
        "create-right-after-delete"
        | "fetchInstances-after-logout"
        | "delete-when-open"
        | "logout-when-open"
        | "restart-when-open" => &[("loja-norte", State::Open)],
        "fetchInstances-all" => &[("user_101", State::Connecting), ("user_102", State::Created)],
        "fetchInstances-empty" | "metrics-with-instances" => &[("probe2", State::Open), ("user_102", State::Created)],
        "fetchInstances-open" => &[("user_101", State::Open)],
        "metrics" => &[("user_102", State::Created)],
        _ => match asked(recording).as_deref() {
            Some("user_101") => &[("user_101", State::Open)],
            Some("user_102") => &[("user_102", State::Created)],
            _ => &[],
        },
    };
    for (instance, state) in instances {
        make(rig, instance, *state).await;
    }
    prepare(rig, name).await;
}

/// The instance in the path of a recorded call.
fn asked(recording: &Value) -> Option<String> {
    let path = recording["request"]["path"].as_str()?;
    path.split('/').nth(3).map(str::to_owned)
}

async fn make(rig: &Rig, instance: &str, state: State) {
    if state == State::Absent {
        return;
    }
    let token = match instance {
        "user_101" => "TKN-USER101-7F3A9C".to_owned(),
        other => format!("TKN-{other}"),
    };
    let body = json!({"instanceName": instance, "integration": "WHATSAPP-BAILEYS", "token": token});
    assert_eq!(rig.call("POST", "/instance/create", body).await.0, 201);
    if matches!(state, State::Connecting | State::Open) {
        rig.get(&format!("/instance/connect/{instance}")).await;
        rig.simulator.code_shown(instance).await;
    }
    if state == State::Open {
        rig.simulator.scan(instance, Phone { has_picture: instance != "probe2", ..owner() });
        rig.simulator.until_state(instance, "open").await;
    }
}

/// What else had happened before a recording.
async fn prepare(rig: &Rig, name: &str) {
    let disabled = json!({"enabled": false, "host": "x", "port": "1", "protocol": "http"});
    match name {
        "connect-after-401" => {
            rig.simulator.remove_device("loja-centro");
            rig.simulator.until_state("loja-centro", "close").await;
        }
        "create-right-after-delete" => {
            // Its farewell is refused, and it stays until that is given up.
            let webhook = json!({"webhook": {"enabled": true, "url": "http://127.0.0.1:1/hook", "events": []}});
            rig.call("POST", "/webhook/set/loja-norte", webhook).await;
            rig.call("DELETE", "/instance/delete/loja-norte", Value::Null).await;
        }
        "fetchInstances-after-logout" => {
            rig.call("DELETE", "/instance/logout/loja-norte", Value::Null).await;
        }
        "fetchInstances-all" | "proxy-find-disabled" => {
            rig.call("POST", "/proxy/set/user_102", disabled).await;
        }
        "webhook-find" => {
            let headers = json!({"x-tenant-id": "tenant-002"});
            let webhook =
                json!({"enabled": true, "url": "http://127.0.0.1:1/", "headers": headers, "events": ["CALL"]});
            rig.call("POST", "/webhook/set/user_102", json!({"webhook": webhook})).await;
        }
        "findMessages" => {
            let poll = json!({"number": "5511999990001", "name": "?", "selectableCount": 1, "values": ["a", "b"]});
            rig.call("POST", "/message/sendPoll/user_101", poll).await;
            send_refused(rig).await;
        }
        "findChats" | "findContacts" | "deleteMessageForEveryone" => {
            let ana = Phone::new("5511999990001", "Ana Teste");
            rig.simulator.message("user_101", &ana, Message::Text("Oi".into()));
            send_refused(rig).await;
        }
        "send-media-image" => {
            let webhook = json!({"enabled": true, "url": "none", "base64": true, "events": []});
            rig.call("POST", "/webhook/set/user_101", json!({"webhook": webhook})).await;
        }
        "send-not-on-whatsapp" | "whatsappNumbers" => rig.simulator.forget_number("5511900009999"),
        "send-text-ack-error" => assert!(rig.simulator.refuse_next_send("user_101")),
        _ => {}
    }
}

async fn send_refused(rig: &Rig) {
    rig.simulator.refuse_next_send("user_101");
    let text = json!({"number": "5511999990001", "text": "vai falhar"});
    let (_, sent) = rig.call("POST", "/message/sendText/user_101", text).await;
    let id = sent["key"]["id"].clone();
    let find = json!({"where": {"key": {"id": id}}});
    loop {
        let (_, found) = rig.call("POST", "/chat/findMessages/user_101", find.clone()).await;
        if found["messages"]["records"][0]["MessageUpdate"] != json!([]) {
            return;
        }
    }
}
