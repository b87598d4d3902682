//! The demo's routes in the gateway, against a simulator whose phones link to instances made through the gateway.

use actix_web::rt::task::JoinHandle;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use zapgate::adapters::tasks::Tasks;
use zapgate::app::App;
use zapgate::http::Extras;
use zapgate::simulator::demo::{self, Demo};
use zapgate::simulator::{Simulator, SimulatorConfig};

use crate::app::{ADMIN, TestApp};

/// A gateway that is a demo.
struct Rig {
    url: String,
    http: reqwest::Client,
    demo: Demo,
    tasks: Tasks,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Self {
        let tasks = Tasks::default();
        let simulator = Simulator::start(SimulatorConfig::quick(), &tasks).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = TestApp::settings(folder.path());
        settings.evolution.evolution_api_url = Some(simulator.url().parse().unwrap());
        settings.evolution.evolution_api_key = Some(simulator.key().clone());
        let demo = Demo::new(simulator);
        let mounted = demo.clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let app = App::build(settings, listener).await.unwrap();
        let app = app.with_extras(Extras::new(move |cfg| demo::routes(cfg, &mounted))).unwrap();
        let url = app.local_url();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = actix_web::rt::spawn(app.run(async move {
            let _ = stopped.await;
        }));
        Self { url, http: reqwest::Client::new(), demo, tasks, stop: Some(stop), ended, _folder: folder }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(ADMIN);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn press(&self, button: &str) -> u16 {
        self.ask("POST", &format!("/demo/{button}"), Value::Null).await.0
    }

    async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.ended.await.unwrap().unwrap();
        self.tasks.cancel();
    }
}

#[actix_web::test]
async fn the_buttons_act_on_the_phones_and_only_where_that_can_happen() {
    let rig = Rig::start().await;
    rig.ask("POST", "/api/whatsapp/connect", json!({"userId": "ana"})).await;
    rig.demo.simulator.code_shown("user_ana").await;

    assert_eq!(rig.press("phones/nobody/scan").await, 404);
    assert_eq!(rig.press("phones/user_ana/message").await, 409);
    assert!(!rig.demo.is_taken_over("nobody"));
    assert_eq!(rig.press("phones/user_ana/scan").await, 204);
    rig.demo.simulator.until_state("user_ana", "open").await;
    assert_eq!(rig.press("phones/user_ana/scan").await, 409);
    assert_eq!(rig.press("phones/user_ana/message").await, 204);
    assert_eq!(rig.press("phones/user_ana/remove-device").await, 204);
    rig.demo.simulator.until_state("user_ana", "close").await;

    assert!(rig.demo.is_taken_over("user_ana"));
    rig.stop().await;
}

#[actix_web::test]
async fn an_evolution_that_is_down_says_until_when() {
    let rig = Rig::start().await;

    let up = rig.ask("GET", "/demo", Value::Null).await.1;
    assert_eq!(up, json!({"evolution": {"up": true, "downUntil": null}}));
    assert_eq!(rig.ask("POST", "/demo/evolution/down", json!({"seconds": 0})).await.0, 400);
    assert_eq!(rig.ask("POST", "/demo/evolution/down", json!({"seconds": 60})).await.0, 204);
    let down = rig.ask("GET", "/demo", Value::Null).await.1;

    assert_eq!(down["evolution"]["up"], false);
    assert!(down["evolution"]["downUntil"].is_string());
    rig.demo.simulator.up().await;
    assert_eq!(rig.ask("GET", "/demo", Value::Null).await.1["evolution"]["up"], true);
    rig.stop().await;
}

#[actix_web::test]
async fn a_demo_says_so_and_documents_its_routes_and_only_operators_may_press() {
    let (rig, plain) = (Rig::start().await, TestApp::start().await);

    assert_eq!(rig.ask("GET", "/api/me", Value::Null).await.1["demo"], true);
    let document = rig.ask("GET", "/openapi.json", Value::Null).await.1;
    assert!(document["paths"]["/demo/phones/{instance_name}/scan"].is_object());
    let answer = rig.http.post(format!("{}/demo/phones/user_ana/scan", rig.url)).send().await.unwrap();
    assert_eq!(answer.status(), 401);

    let answer = plain.http.get(format!("{}/demo", plain.url)).bearer_auth(ADMIN).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    rig.stop().await;
}
