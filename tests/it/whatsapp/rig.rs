//! A gateway and a simulated Evolution that know each other.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use zapgate::adapters::tasks::Tasks;
use zapgate::config::Settings;
use zapgate::simulator::{Phone, Simulator, SimulatorConfig};

use crate::app::{Answer, TestApp, instance_of};
use crate::socket::Socket;

pub struct Rig {
    pub app: TestApp,
    pub evolution: Simulator,
    tasks: Tasks,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Rig {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A gateway with settings of one's own, which waits a tenth as long between two tries as it would.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let tasks = Tasks::default();
        let evolution = Simulator::start(SimulatorConfig::quick(), &tasks).await.unwrap();
        let (url, key) = (evolution.url().to_owned(), evolution.key().clone());
        let app = TestApp::start_with(|settings| {
            settings.evolution.evolution_api_url = Some(url.parse().unwrap());
            settings.evolution.evolution_api_key = Some(key);
            settings.evolution.retry_initial_ms = 20;
            settings.evolution.breaker_failures = 1000;
            settings.evolution.longest_call = Some(Duration::from_secs(1));
            change(settings);
        })
        .await;
        Self { app, evolution, tasks }
    }

    /// The phone of whoever scans.
    pub fn phone() -> Phone {
        Phone::new("5511900000001", "Loja Central")
    }

    /// Presses "Conectar WhatsApp" as the user.
    pub async fn connect(&self, user: &str) -> Answer {
        self.post(user, "/api/whatsapp/connect", Value::Null).await
    }

    pub async fn post(&self, user: &str, path: &str, body: Value) -> Answer {
        self.app.asks(&self.app.token(user, None), "POST", path, body).await
    }

    pub async fn delete(&self, user: &str) -> Answer {
        self.app.asks(&self.app.token(user, None), "DELETE", "/api/whatsapp/instance", Value::Null).await
    }

    /// From nothing to a linked phone; the socket is behind the notification of it.
    pub async fn connected(&self, user: &str) -> Socket {
        let mut socket = self.app.listen(user).await;
        let asked = self.connect(user).await;
        assert_eq!(asked.status, 200, "{}", asked.json);
        self.evolution.scan_when_shown(&instance_of(user), Self::phone()).await;
        until_notified(&mut socket, "connected").await;
        socket
    }

    /// How often Evolution was asked to make an instance of this name.
    pub fn creates(&self, instance: &str) -> usize {
        let calls = self.evolution.calls();
        let creates = calls.iter().filter(|call| call.path == "/instance/create");
        creates.filter(|call| call.body["instanceName"] == instance).count()
    }

    /// A call of our own to Evolution, past the gateway.
    pub async fn asks_evolution(&self, method: &str, path: &str, body: Value) -> Answer {
        let url = format!("{}{path}", self.evolution.url());
        let request = self.app.http.request(method.parse().unwrap(), url);
        let request = request.header("apikey", self.evolution.key().expose_secret());
        crate::app::answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    /// An instance as somebody made it before there was a gateway.
    pub async fn made_elsewhere(&self, instance: &str) {
        let body = json!({"instanceName": instance, "integration": "WHATSAPP-BAILEYS"});
        assert_eq!(self.asks_evolution("POST", "/instance/create", body).await.status, 201);
    }

    /// The key of an instance at Evolution.
    pub async fn token_at_evolution(&self, instance: &str) -> SecretString {
        let path = format!("/instance/fetchInstances?instanceName={instance}");
        let rows = self.asks_evolution("GET", &path, Value::Null).await;
        SecretString::from(rows.json[0]["token"].as_str().unwrap())
    }
}

/// The next frame that fits.
pub async fn until(socket: &mut Socket, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let frame = socket.next().await;
        if fits(&frame) {
            return frame;
        }
    }
}

pub async fn until_status(socket: &mut Socket, status: &str) -> Value {
    until(socket, |frame| frame["type"] == "status" && frame["data"]["status"] == status).await
}

pub async fn until_reason(socket: &mut Socket, reason: &str) -> Value {
    until(socket, |frame| frame["type"] == "status" && frame["data"]["reason"] == reason).await
}

pub async fn until_notified(socket: &mut Socket, code: &str) -> Value {
    until(socket, |frame| frame["type"] == "notification" && frame["data"]["code"] == code).await
}
