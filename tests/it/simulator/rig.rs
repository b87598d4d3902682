//! A simulator with people who act on it: a client of its REST surface, and a receiver of its webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::watch;
use zapgate::adapters::tasks::Tasks;
use zapgate::simulator::{Phone, Simulator, SimulatorConfig};

/// The key of the recordings.
pub const KEY: &str = "lab-global-key-0001";

pub struct Rig {
    pub simulator: Simulator,
    pub receiver: Receiver,
    tasks: Tasks,
    http: reqwest::Client,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

pub fn owner() -> Phone {
    Phone::new("5511900000001", "Loja Central")
}

impl Rig {
    /// On a clock that only moves when told to.
    pub async fn manual() -> Self {
        Self::start(SimulatorConfig::manual()).await
    }

    pub async fn start(config: SimulatorConfig) -> Self {
        let tasks = Tasks::default();
        let config = SimulatorConfig { key: SecretString::from(KEY), client_name: "evolution_lab".into(), ..config };
        let simulator = Simulator::start(config, &tasks).await.unwrap();
        Self { simulator, receiver: Receiver::start(), tasks, http: reqwest::Client::new() }
    }

    /// A call with the global key; status and body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_as(Some(KEY), method, path, body.to_string()).await
    }

    pub async fn call_as(&self, key: Option<&str>, method: &str, path: &str, body: String) -> (u16, Value) {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.simulator.url()));
        if let Some(key) = key {
            request = request.header("apikey", key);
        }
        if !body.is_empty() && body != "null" {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, Value::Null).await
    }

    /// Makes an instance that posts all its events to the receiver.
    pub async fn create(&self, name: &str) {
        self.create_with(name, json!({})).await;
    }

    /// As [`Rig::create`], with more fields.
    pub async fn create_with(&self, name: &str, more: Value) {
        let mut body = json!({
            "instanceName": name, "integration": "WHATSAPP-BAILEYS", "token": format!("TKN-{name}"),
            "webhook": {"url": self.receiver.url, "events": []},
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        let (status, answer) = self.call("POST", "/instance/create", body).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Asks for a code; on a manual clock it is there.
    pub async fn connect(&self, name: &str) {
        assert_eq!(self.get(&format!("/instance/connect/{name}")).await.0, 200);
        self.pass(1).await;
        self.simulator.code_shown(name).await;
    }

    /// Makes it, connects and scans.
    pub async fn open(&self, name: &str) {
        self.create(name).await;
        self.pair(name).await;
    }

    pub async fn pair(&self, name: &str) {
        self.connect(name).await;
        assert!(self.simulator.scan(name, owner()));
        self.pass(1).await;
        self.simulator.until_state(name, "open").await;
        self.receiver.until(1, |received| received.event() == "connection.update" && received.is("open")).await;
    }

    /// Moves the clock.
    pub async fn pass(&self, seconds: u64) {
        self.simulator.advance(Duration::from_secs(seconds)).await;
    }

    /// The state that memory has, and the row's.
    pub async fn states(&self, name: &str) -> (Value, Value) {
        let (_, memory) = self.get(&format!("/instance/connectionState/{name}")).await;
        let (_, rows) = self.get(&format!("/instance/fetchInstances?instanceName={name}")).await;
        (memory["instance"]["state"].clone(), rows[0]["connectionStatus"].clone())
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub authorization: Option<String>,
    pub bytes: Vec<u8>,
    pub body: Value,
}

impl Received {
    pub fn event(&self) -> &str {
        self.body["event"].as_str().unwrap_or_default()
    }

    /// Whether its data have this `state`.
    pub fn is(&self, state: &str) -> bool {
        self.body["data"]["state"] == state
    }
}

/// A real server that keeps what it gets and answers as it is told.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    kept: Arc<Mutex<Vec<Received>>>,
    count: watch::Sender<usize>,
    /// The status of each answer; an event named here is not answered until it is no longer.
    manners: watch::Sender<(u16, Option<String>)>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            kept: Arc::default(),
            count: watch::Sender::new(0),
            manners: watch::Sender::new((200, None)),
        };
        let shared = receiver.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(shared.clone()))
                .app_data(web::PayloadConfig::new(10 << 20))
                .default_service(web::to(take))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().shutdown_timeout(0).run();
        actix_web::rt::spawn(server);
        receiver
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.manners.send_modify(|manners| manners.0 = status);
    }

    /// Keeps the answer to this event back, or to none.
    pub fn keep_back(&self, event: Option<&str>) {
        self.manners.send_modify(|manners| manners.1 = event.map(str::to_owned));
    }

    pub fn kept(&self) -> Vec<Received> {
        self.kept.lock().unwrap().clone()
    }

    pub fn forget(&self) {
        self.kept.lock().unwrap().clear();
    }

    /// Waits until so many have come that fit; gives all that do.
    pub async fn until(&self, times: usize, fits: impl Fn(&Received) -> bool) -> Vec<Received> {
        let mut count = self.count.subscribe();
        loop {
            count.mark_unchanged();
            let found: Vec<Received> = self.kept().into_iter().filter(&fits).collect();
            if found.len() >= times {
                return found;
            }
            count.changed().await.unwrap();
        }
    }

    pub async fn event(&self, event: &str) -> Received {
        self.until(1, |received| received.event() == event).await.remove(0)
    }
}

async fn take(request: HttpRequest, bytes: Bytes, receiver: Data<Receiver>) -> HttpResponse {
    let header = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let event = body["event"].as_str().unwrap_or_default().to_owned();
    receiver.kept.lock().unwrap().push(Received { authorization: header, bytes: bytes.to_vec(), body });
    receiver.count.send_modify(|count| *count += 1);
    let mut manners = receiver.manners.subscribe();
    let status = manners.wait_for(|(_, kept_back)| kept_back.as_ref() != Some(&event)).await.unwrap().0;
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish()
}
