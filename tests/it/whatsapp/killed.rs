//! The real program, killed at each step of a command: whatever was asked for is done once, by the next run.

use std::net::TcpListener;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use zapgate::adapters::tasks::Tasks;
use zapgate::simulator::{Ask, Fault, Simulator, SimulatorConfig};

use super::rig::{Rig, until_reason};
use crate::app::{ADMIN, TestApp, answer};
use crate::process::{Process, Site};

/// A program over one folder, and the Evolution it drives.
struct Scene {
    site: Site,
    evolution: Simulator,
    tasks: Tasks,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Scene {
    async fn set() -> Self {
        let tasks = Tasks::default();
        let evolution = Simulator::start(SimulatorConfig::quick(), &tasks).await.unwrap();
        // Evolution re-sends to the address of the run before: a deletion waits for that.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let site = Site::new()
            .with("PORT", &port.to_string())
            .with("EVOLUTION_API_URL", evolution.url())
            .with("EVOLUTION_API_KEY", evolution.key().expose_secret());
        Self { site, evolution, tasks }
    }

    /// Asks, and kills the program as soon as Evolution hears this call, before it is answered.
    async fn killed_at(&self, method: &str, path: &str, body: Value, call: (&str, &str)) {
        let process = self.site.start().await;
        let before =
            self.evolution.calls().iter().filter(|one| one.method == call.0 && one.path.starts_with(call.1)).count();
        let request = process.http.request(method.parse().unwrap(), format!("{}{path}", process.url));
        let pressed = tokio::spawn(request.bearer_auth(ADMIN).json(&body).send());
        self.evolution.called(call.0, call.1, before + 1).await;
        process.kill();
        drop(pressed);
    }
}

fn users_of(process: &Process) -> TestApp {
    TestApp::at(&process.url)
}

#[actix_web::test]
async fn killed_at_any_call_of_connecting_the_next_run_shows_the_code_of_one_instance() {
    let calls = [
        (Ask::State, "GET", "/instance/connectionState/"),
        (Ask::Create, "POST", "/instance/create"),
        (Ask::Connect, "GET", "/instance/connect/"),
    ];
    for (ask, method, path) in calls {
        let scene = Scene::set().await;
        scene.evolution.fail(ask, Fault::LateMs(500), Some(1), None);

        scene.killed_at("POST", "/api/whatsapp/connect", json!({"userId": "ana"}), (method, path)).await;
        let _process = scene.site.start().await;
        scene.evolution.code_shown("user_ana").await;

        let creates = scene.evolution.calls().iter().filter(|call| call.path == "/instance/create").count();
        assert_eq!((creates, scene.evolution.instances()), (1, vec!["user_ana".to_owned()]), "{path}");
    }
}

#[actix_web::test]
async fn killed_in_the_middle_of_unlinking_and_removing_the_next_run_does_the_rest() {
    let scene = Scene::set().await;
    let process = scene.site.start().await;
    process.user("ana", None).await;
    scene.evolution.scan_when_shown("user_ana", Rig::phone()).await;
    scene.evolution.until_state("user_ana", "open").await;
    process.kill();

    scene.evolution.fail(Ask::Delete, Fault::LateMs(300), Some(1), None);
    let unlink = "/api/whatsapp/disconnect?userId=ana";
    scene.killed_at("POST", unlink, Value::Null, ("DELETE", "/instance/delete/user_ana")).await;
    let process = scene.site.start().await;
    let app = users_of(&process);
    let mut ana = app.listen_since("ana", 0, app.listen("ana").await.epoch()).await;
    until_reason(&mut ana, "by_owner").await;
    assert_eq!(scene.evolution.linked("user_ana"), None);

    let removed = process.http.delete(format!("{}/api/whatsapp/instance?userId=ana", process.url)).bearer_auth(ADMIN);
    assert_eq!(answer(removed).await.status, 204);
    until_reason(&mut ana, "removed").await;
    assert_eq!(scene.evolution.instances(), [""; 0]);
}
