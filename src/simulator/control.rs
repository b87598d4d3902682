//! The handle over HTTP, under `/simulator/…` on the simulator's own port, for tests and benchmarks in other processes.
//! Everything is JSON; what can't happen is 409, an unknown action 404. There is no key: the port is on loopback.

use std::time::Duration;

use actix_web::web::{self, Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpResponse, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Simulator;
use super::engine::{Engine, lock};
use super::faults::{Ask, Fault};
use super::phones::{Message, Phone};

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(state).service(calls).service(webhooks).service(forget).service(on_phone).service(on_server);
}

fn handle(engine: &Data<Engine>) -> Simulator {
    let engine = engine.clone().into_inner();
    let url = engine.look(|world| world.server_url.clone()).into();
    Simulator { engine, url }
}

/// All instances, with what memory, row and WhatsApp say of them.
#[get("/simulator")]
async fn state(engine: Data<Engine>) -> Json<Value> {
    let instances: Vec<Value> = engine.look(|world| {
        let row = |instance: &super::world::Instance| {
            json!({
                "name": instance.name, "state": instance.memory.as_ref().map(|memory| memory.state.as_str()),
                "row": instance.row.status.as_str(), "linked": world.linked(&instance.name).map(|phone| &phone.number),
                "code": instance.memory.as_ref().and_then(|memory| memory.code.as_ref()).map(|code| &code.text),
                "pairingCode": instance.memory.as_ref().and_then(|memory| memory.code.as_ref()?.pairing.clone()),
                "scannable": world.is_scannable(&instance.name),
            })
        };
        world.instances().map(row).collect()
    });
    Json(json!({"now": engine.time.now().to_string(), "instances": instances}))
}

/// The last so many.
#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

fn tail<T: serde::Serialize>(list: &[T], count: Option<usize>) -> Json<Value> {
    let from = list.len().saturating_sub(count.unwrap_or(1000));
    Json(json!({"total": list.len(), "entries": list.get(from..).unwrap_or_default()}))
}

#[get("/simulator/calls")]
async fn calls(engine: Data<Engine>, asked: Query<Last>) -> Json<Value> {
    tail(&engine.record.calls(), asked.last)
}

#[get("/simulator/webhooks")]
async fn webhooks(engine: Data<Engine>, asked: Query<Last>) -> Json<Value> {
    tail(&engine.record.deliveries(), asked.last)
}

#[post("/simulator/forget")]
async fn forget(engine: Data<Engine>) -> HttpResponse {
    engine.record.clear();
    HttpResponse::NoContent().finish()
}

/// What an action may need.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Act {
    /// Of the phone, or of who writes.
    number: Option<String>,
    name: Option<String>,
    message: Option<Message>,
    /// How long it lasts; of `advance`, how far.
    seconds: Option<f64>,
    /// Of an ending; or the code to type.
    code: Option<Value>,
    ask: Option<Ask>,
    fault: Option<Fault>,
    times: Option<u32>,
    version: Option<String>,
    on: Option<bool>,
}

impl Act {
    fn lasts(&self) -> Option<Duration> {
        self.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    fn phone(&self) -> Phone {
        Phone::new(self.number.as_deref().unwrap_or("5511999990001"), self.name.as_deref().unwrap_or("Ana Teste"))
    }

    fn ending(&self, otherwise: u16) -> u16 {
        self.code.as_ref().and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(otherwise)
    }
}

/// A body that may be left out.
fn read(raw: &web::Bytes) -> Result<Act, serde_json::Error> {
    if raw.is_empty() {
        return Ok(Act::default());
    }
    serde_json::from_slice(raw)
}

fn unreadable(fault: &serde_json::Error) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": fault.to_string()}))
}

/// `scan`, `type`, `message`, `drop`, `mute`, `end`, `remove-device`, `ban`, `silent`, `conflict`, `mend`, `refuse-next`,
/// `wipe`.
#[post("/simulator/phones/{instance}/{action}")]
async fn on_phone(engine: Data<Engine>, path: Path<(String, String)>, raw: web::Bytes) -> HttpResponse {
    let (name, action) = path.into_inner();
    let act = match read(&raw) {
        Ok(act) => act,
        Err(fault) => return unreadable(&fault),
    };
    let simulator = handle(&engine);
    let lasts = act.lasts().unwrap_or(Duration::from_secs(10));
    let done = match action.as_str() {
        "scan" => simulator.scan(&name, act.phone()),
        "type" => {
            simulator.type_code(&name, act.code.as_ref().and_then(Value::as_str).unwrap_or_default(), act.phone())
        }
        "message" => {
            let message = act.message.clone().unwrap_or_else(|| Message::Text("Olá!".to_owned()));
            return match simulator.message(&name, &act.phone(), message) {
                Some(id) => HttpResponse::Ok().json(json!({"id": id})),
                None => impossible(&action),
            };
        }
        "drop" => simulator.drop_for(&name, lasts),
        "mute" => simulator.mute_for(&name, lasts),
        "end" => simulator.end(&name, act.ending(401)),
        "remove-device" => simulator.remove_device(&name),
        "ban" => simulator.end(&name, 403),
        "silent" => simulator.end_silently(&name, act.ending(428)),
        "conflict" => simulator.conflict_for(&name, lasts),
        "refuse-next" => simulator.refuse_next_send(&name),
        "mend" => {
            simulator.mend(&name);
            true
        }
        "wipe" => {
            simulator.wipe_session(&name);
            true
        }
        _ => return HttpResponse::NotFound().json(json!({"error": format!("no action {action}")})),
    };
    if done { HttpResponse::NoContent().finish() } else { impossible(&action) }
}

fn impossible(action: &str) -> HttpResponse {
    HttpResponse::Conflict().json(json!({"error": format!("nothing that {action} could happen to")}))
}

/// `down` and `die` (both with `seconds`, since nobody could call this port to end them), `fail`, `heal`, `double`, `disorder`, `lose`,
/// `version`, `advance`, `forget-number`.
#[post("/simulator/server/{action}")]
async fn on_server(engine: Data<Engine>, action: Path<String>, raw: web::Bytes) -> HttpResponse {
    let act = match read(&raw) {
        Ok(act) => act,
        Err(fault) => return unreadable(&fault),
    };
    let simulator = handle(&engine);
    let lasts = act.lasts();
    match action.as_str() {
        // The answer leaves before the port is shut: it is done by the world's own clock.
        "down" => engine.with(|world, now| world.shut(Some(lasts.unwrap_or(Duration::from_secs(10))), now)),
        "die" => engine.die(Some(lasts.unwrap_or(Duration::from_secs(10)))),
        "fail" => match act.fault {
            Some(fault) => simulator.fail(act.ask.unwrap_or(Ask::Any), fault, act.times, lasts),
            None => return HttpResponse::BadRequest().json(json!({"error": "needs a fault"})),
        },
        "heal" => simulator.heal(),
        "double" => simulator.double_webhooks(act.on.unwrap_or(true)),
        "disorder" => simulator.disorder_webhooks(lasts.unwrap_or(Duration::from_millis(200))),
        "lose" => lock(&engine.posting).losses = act.times.unwrap_or(1),
        "version" => simulator.set_version(act.version.as_deref().unwrap_or("2.3.6")),
        "advance" => simulator.advance(lasts.unwrap_or_default()).await,
        "forget-number" => simulator.forget_number(act.number.as_deref().unwrap_or_default()),
        other => return HttpResponse::NotFound().json(json!({"error": format!("no action {other}")})),
    }
    HttpResponse::NoContent().finish()
}
