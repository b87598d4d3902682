//! Every recorded answer, replayed byte for byte, and what the client makes of it.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use zapgate::adapters::evolution::{
    Content, Evolution, InstanceSettings, Message, NewConnection, ProxySetting, Search, WebhookSetting,
};
use zapgate::domain::ids::InstanceName;

use super::server::{Reply, Server, compact};
use crate::recorded;

#[derive(Deserialize)]
struct Recording {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: Option<Box<RawValue>>,
    body_text: Option<String>,
}

impl Response {
    fn bytes(&self) -> Vec<u8> {
        let body = self.body_text.clone().or_else(|| self.body.as_deref().map(compact)).unwrap_or_default();
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        format!("HTTP/1.1 {} {}\r\n{headers}\r\n{body}", self.status, self.reason).into_bytes()
    }
}

#[tokio::test]
async fn every_recorded_answer_means_what_the_contract_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution/http");
    let mut made_of_it = BTreeMap::new();

    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".json").to_owned();
        let recording: Recording = recorded::file(&format!("http/{name}"));
        made_of_it.insert(name, meaning(&recording).await);
    }

    assert!(made_of_it.len() > 70, "the recordings are missing");
    insta::assert_json_snapshot!(made_of_it);
}

async fn meaning(recording: &Recording) -> String {
    let Request { method, path } = &recording.request;
    let server = Server::saying([Reply::Bytes(recording.response.bytes())]).await;
    let Some(meaning) = ask(&server.client(), path).await else { return "(not asked by zapgate)".to_owned() };

    let asked = &server.asked()[0];
    assert_eq!((&asked.method, &asked.path), (method, path));
    assert_eq!(server.times(), 1, "{path}: {meaning}");
    meaning
}

/// What the method for this path makes of the answer.
async fn ask(evolution: &Evolution, path: &str) -> Option<String> {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = route.split('/').skip(1);
    let (noun, verb) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let asked_for = parts.next().or_else(|| query.strip_prefix("instanceName="));
    let name = &InstanceName::parse(asked_for.unwrap_or("user_101")).unwrap();
    Some(match (noun, verb) {
        ("", _) => told(evolution.version().await),
        ("verify-creds", _) => told(evolution.verify_key().await),
        ("metrics", _) => told(evolution.states().await),
        ("instance", "create") => told(evolution.create(&new(name)).await),
        ("instance", "connect") => told(evolution.connect(name, None).await),
        ("instance", "connectionState") => told(evolution.connection(name).await),
        ("instance", "fetchInstances") if query.starts_with("instanceId") => return None,
        ("instance", "fetchInstances") if asked_for.is_some() => told(evolution.row(name).await),
        ("instance", "fetchInstances") => told(evolution.rows().await),
        ("instance", "restart") => told(evolution.restart(name).await),
        ("instance", "logout") => told(evolution.logout(name).await),
        ("instance", "delete") => told(evolution.delete(name).await),
        ("webhook", "find") => told(evolution.webhook(name).await),
        ("webhook", "set") => told(evolution.set_webhook(name, &webhook()).await),
        ("settings", "find") => told(evolution.settings(name).await),
        ("settings", "set") => told(evolution.set_settings(name, &InstanceSettings::default()).await),
        ("proxy", "find") => told(evolution.proxy(name).await),
        ("proxy", "set") => told(evolution.set_proxy(name, &ProxySetting::default()).await),
        ("message", "sendReaction") => told(evolution.react(name, &json!({}), "").await),
        ("message", operation) => told(evolution.send(name, &Message::new("5511999990001", content(operation))).await),
        ("chat", "findMessages") => told(evolution.find_messages(name, &Search::default()).await),
        ("chat", "whatsappNumbers") => told(evolution.numbers(name, &["5511999990001"]).await),
        ("chat", "updateMessage") => told(evolution.edit(name, "5511999990001", &json!({}), "x").await),
        ("chat", "deleteMessageForEveryone") => told(evolution.revoke(name, &json!({})).await),
        _ => return None,
    })
}

fn told<T: std::fmt::Debug>(outcome: Result<T, zapgate::domain::evolution::Failure>) -> String {
    match outcome {
        Ok(answer) => format!("{answer:?}"),
        Err(failure) => format!("failure: {failure:?}"),
    }
}

fn content(operation: &str) -> Content {
    match operation {
        "sendText" => Content::Text("x".into()),
        "sendMedia" => Content::Media(super::requests::media()),
        "sendPoll" => Content::Poll { question: "?".into(), options: vec!["a".into(), "b".into()], selectable: 1 },
        other => panic!("no content for {other}"),
    }
}

fn new(name: &InstanceName) -> NewConnection {
    NewConnection { name: name.clone(), webhook: webhook(), token: None }
}

pub fn webhook() -> WebhookSetting {
    WebhookSetting::new("http://zapgate/api/webhook/user/101".into(), SecretString::from("a-key-of-this-instance"))
}
