//! The demo's own routes in the gateway, for its buttons: what happens on the phones and to the simulated Evolution.
//! Mounted only when the demo runs; for operators, like every other route of theirs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::engine::lock;
use super::lives::phone_of;
use super::{Message, Phone, Simulator};
use crate::domain::error::Error;
use crate::http::extract::{Admin, OptionalBody};
use crate::http::problem::Problem;

/// How long the network is away, and how long another server fights for the session.
const DROP: Duration = Duration::from_secs(15);
const CONFLICT: Duration = Duration::from_secs(15);
/// How long Evolution is away unless said otherwise, and at most, in seconds.
const DOWN_S: u32 = 60;
const LONGEST_DOWN_S: u32 = 600;

/// What the buttons act on.
#[derive(Clone, Debug)]
pub struct Demo {
    pub simulator: Simulator,
    /// The phones that somebody acted on, by instance.
    taken_over: Arc<Mutex<BTreeSet<String>>>,
}

impl Demo {
    pub fn new(simulator: Simulator) -> Self {
        Self { simulator, taken_over: Arc::default() }
    }

    /// Whether somebody acted on this phone, so that its script must not.
    pub fn is_taken_over(&self, instance: &str) -> bool {
        lock(&self.taken_over).contains(instance)
    }

    /// An action on a phone by hand.
    fn act(&self, instance: &str, act: impl FnOnce(&Simulator) -> bool) -> Result<HttpResponse, Problem> {
        if !self.simulator.has_instance(instance) {
            return Err(Error::NotFound("phone").into());
        }
        lock(&self.taken_over).insert(instance.to_owned());
        if act(&self.simulator) {
            Ok(HttpResponse::NoContent().finish())
        } else {
            Err(Error::NotPossible("that can't happen to this phone now").into())
        }
    }
}

/// Mounts the routes of this demo.
pub fn routes(cfg: &mut ServiceConfig, demo: &Demo) {
    cfg.app_data(Data::new(demo.clone()));
    cfg.service(state).service(scan).service(message).service(drop_connection).service(remove_device);
    cfg.service(ban).service(conflict).service(evolution_down);
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EvolutionState {
    up: bool,
    /// RFC 3339.
    down_until: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DemoState {
    evolution: EvolutionState,
}

/// Whether the simulated Evolution is up
#[utoipa::path(tag = "demo", responses((status = 200, body = DemoState)))]
#[get("/demo")]
async fn state(_: Admin, demo: Data<Demo>) -> Json<DemoState> {
    let outage = demo.simulator.outage();
    let down_until = outage.and_then(|outage| outage.until).map(|until| until.to_string());
    Json(DemoState { evolution: EvolutionState { up: outage.is_none(), down_until } })
}

/// Scan the code that is shown
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), responses((status = 204), (status = 404),
    (status = 409, description = "no code is shown")))]
#[post("/demo/phones/{instance_name}/scan")]
async fn scan(_: Admin, name: Path<String>, demo: Data<Demo>) -> Result<HttpResponse, Problem> {
    demo.act(&name, |simulator| simulator.scan(&name, phone_of(&name)))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct Written {
    /// What is written; a greeting when left out.
    text: Option<String>,
    /// The name of who writes it.
    name: Option<String>,
}

/// Somebody writes
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), request_body = Written,
    responses((status = 204), (status = 404), (status = 409, description = "no phone is linked")))]
#[post("/demo/phones/{instance_name}/message")]
async fn message(
    _: Admin,
    name: Path<String>,
    OptionalBody(written): OptionalBody<Written>,
    demo: Data<Demo>,
) -> Result<HttpResponse, Problem> {
    let from = Phone::new("5511900001001", written.name.as_deref().unwrap_or("Marina Alves"));
    let text = written.text.unwrap_or_else(|| "Olá! Vocês estão abertos agora?".to_owned());
    demo.act(&name, |simulator| simulator.message(&name, &from, Message::Text(text)).is_some())
}

/// The phone's connection goes and comes
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), responses((status = 204), (status = 404),
    (status = 409, description = "nothing is connected")))]
#[post("/demo/phones/{instance_name}/drop")]
async fn drop_connection(_: Admin, name: Path<String>, demo: Data<Demo>) -> Result<HttpResponse, Problem> {
    demo.act(&name, |simulator| simulator.linked(&name).is_some() && simulator.drop_for(&name, DROP))
}

/// The owner removes the device on the phone
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), responses((status = 204), (status = 404),
    (status = 409, description = "no phone is linked")))]
#[post("/demo/phones/{instance_name}/remove-device")]
async fn remove_device(_: Admin, name: Path<String>, demo: Data<Demo>) -> Result<HttpResponse, Problem> {
    demo.act(&name, |simulator| simulator.remove_device(&name))
}

/// WhatsApp bans the account
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), responses((status = 204), (status = 404),
    (status = 409, description = "no phone is linked")))]
#[post("/demo/phones/{instance_name}/ban")]
async fn ban(_: Admin, name: Path<String>, demo: Data<Demo>) -> Result<HttpResponse, Problem> {
    demo.act(&name, |simulator| simulator.end(&name, 403))
}

/// Another server uses the same session
#[utoipa::path(tag = "demo", params(("instance_name" = String, Path)), responses((status = 204), (status = 404),
    (status = 409, description = "nothing is connected")))]
#[post("/demo/phones/{instance_name}/conflict")]
async fn conflict(_: Admin, name: Path<String>, demo: Data<Demo>) -> Result<HttpResponse, Problem> {
    demo.act(&name, |simulator| simulator.conflict_for(&name, CONFLICT))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
struct Down {
    /// From 1 to 600; 60 when left out.
    seconds: Option<u32>,
}

/// The simulated Evolution's process dies for a while
#[utoipa::path(tag = "demo", request_body = Down, responses((status = 204), (status = 400)))]
#[post("/demo/evolution/down")]
async fn evolution_down(
    _: Admin,
    OptionalBody(wanted): OptionalBody<Down>,
    demo: Data<Demo>,
) -> Result<HttpResponse, Problem> {
    let seconds = wanted.seconds.unwrap_or(DOWN_S);
    if !(1..=LONGEST_DOWN_S).contains(&seconds) {
        return Err(Error::bad_input("seconds", format!("must be 1 to {LONGEST_DOWN_S}")).into());
    }
    demo.simulator.die(Some(Duration::from_secs(seconds.into()))).await;
    Ok(HttpResponse::NoContent().finish())
}
