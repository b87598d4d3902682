//! The pretended server's door: its port, which can be shut, and one place through which every call comes (§6).

mod chats;
mod instances;
mod listening;
mod route;
mod settings;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::form_urlencoded;

pub(super) use self::listening::{Door, run};
use self::route::Route;
use super::answers::{self, Reply};
use super::engine::{Engine, lock};
use super::faults::Fault;
use super::record::Call;
use super::world::World;

/// What a handler is given.
pub(super) struct Asked<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) body: Value,
    /// Decoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) key: String,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn has_global_key(&self) -> bool {
        self.key == self.engine.key.expose_secret()
    }
}

/// Every call that is not of the simulator's own control.
async fn receive(request: HttpRequest, raw: Bytes, engine: Data<Engine>) -> HttpResponse {
    let engine = engine.into_inner();
    let route = Route::of(request.method().as_str(), request.path());
    let parsed = serde_json::from_slice::<Value>(&raw);
    let number = engine.record.called(Call {
        at: engine.time.now(),
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        body: parsed.as_ref().cloned().unwrap_or_default(),
        answered: None,
    });
    let fault = lock(&engine.faults).take(route.ask(), engine.time.now());
    if let Some(response) = instead(&engine, fault).await {
        engine.record.answered(number, response.status().as_u16());
        return response;
    }
    let reply = match parsed {
        Err(fault) if !raw.is_empty() => malformed(&fault, raw.len()),
        parsed => {
            let query = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
            let key = request.headers().get("apikey").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
            let asked = Asked { engine: &engine, body: parsed.unwrap_or(json!({})), query, key };
            let url = request.uri().path_and_query().map_or(request.path(), |url| url.as_str());
            answer(&asked, &route, request.method().as_str(), url).await
        }
    };
    match fault {
        Some(Fault::Lost) => never(&engine).await,
        Some(Fault::LateMs(ms)) => {
            drop(engine.time.until(engine.time.now() + Duration::from_millis(ms)).await);
        }
        Some(Fault::Broken) => {
            let half = [Ok(Bytes::from_static(b"{\"instance\": {")), Err(io::Error::from(io::ErrorKind::BrokenPipe))];
            return HttpResponse::Ok().content_type("application/json").streaming(stream::iter(half));
        }
        _ => {}
    }
    engine.record.answered(number, reply.status);
    show(&reply)
}

/// Guards in Evolution's order (§6.1): there (404), name in use (403), key (401). Then the call itself.
async fn answer(asked: &Asked<'_>, route: &Route, method: &str, url: &str) -> Reply {
    if let Some(refused) = guard(asked, route, method, url) {
        return refused;
    }
    match route {
        Route::Info => info(asked.engine),
        Route::Metrics => metrics(asked.engine),
        Route::VerifyKey => Reply::new(200, json!({"status": 200, "message": "Credentials are valid"})),
        Route::Create => instances::create(asked).await,
        Route::Connect(name) => instances::connect(asked, name).await,
        Route::State(name) => instances::state(asked, name),
        Route::Rows => instances::rows(asked),
        Route::Restart(name) => asked.engine.with(|world, now| world.restart(name, now)),
        Route::Logout(name) => asked.engine.with(|world, now| world.log_out(name, now)),
        Route::Delete(name) => asked.engine.with(|world, now| world.delete(name, now)),
        Route::Presence(_) => Reply::new(201, json!({"presence": asked.body["presence"]})),
        Route::Set(what, name) => settings::set(asked, *what, name),
        Route::Find(what, name) => settings::find(asked, *what, name),
        Route::Send(kind, name) => chats::send(asked, kind, name).await,
        Route::Chat(what, name) => chats::ask(asked, what, name),
        Route::Unknown => answers::no_route(method, url),
    }
}

fn guard(asked: &Asked<'_>, route: &Route, method: &str, url: &str) -> Option<Reply> {
    match route {
        Route::Info | Route::Metrics => None,
        Route::Unknown => Some(answers::no_route(method, url)),
        Route::Create => {
            let name = asked.body["instanceName"].as_str();
            let is_used = name.is_none_or(|name| asked.engine.look(|world| world.instance(name).is_some()));
            match name {
                _ if is_used => Some(answers::name_in_use(name.unwrap_or("undefined"))),
                _ => (!asked.has_global_key()).then(answers::unauthorized),
            }
        }
        Route::VerifyKey => (!asked.has_global_key()).then(answers::unauthorized),
        // An instance's token sees its own rows.
        Route::Rows => {
            let is_token = |world: &World| world.instances().any(|instance| instance.token == asked.key);
            (!asked.has_global_key() && !asked.engine.look(is_token)).then(answers::unauthorized)
        }
        named => {
            let name = named.instance().unwrap_or_default();
            match asked.engine.look(|world| world.instance(name).map(|instance| instance.token.clone())) {
                None => Some(answers::no_instance(name)),
                Some(token) => (!asked.has_global_key() && token != asked.key).then(answers::unauthorized),
            }
        }
    }
}

fn info(engine: &Engine) -> Reply {
    let (version, server) = engine.look(|world| (world.version_text.clone(), world.server_url.clone()));
    Reply::new(
        200,
        json!({
            "status": 200, "message": "Welcome to the Evolution API, it is working!", "version": version,
            "clientName": engine.client_name, "manager": format!("{server}/manager"),
            "documentation": "https://doc.evolution-api.com", "whatsappWebVersion": "2.3000.1027934701",
        }),
    )
}

fn metrics(engine: &Engine) -> Reply {
    let text = engine.look(|world| {
        let kept = world.instances().filter(|instance| !instance.is_removing);
        answers::metrics(&world.version_text, &engine.client_name, &world.server_url, kept)
    });
    Reply::new(200, Value::String(text))
}

/// The words of the JSON parser of Node, which is what a client sees; only this one was recorded.
fn malformed(fault: &serde_json::Error, length: usize) -> Reply {
    let at = fault.column().min(length);
    let text = format!("Expected double-quoted property name in JSON at position {at}");
    answers::error(400, "Internal Server Error", json!(text))
}

/// What comes instead of Evolution's answer, when nothing is to be done.
async fn instead(engine: &Engine, fault: Option<Fault>) -> Option<HttpResponse> {
    const PAGE: &str = "<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>";
    Some(match fault? {
        Fault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            HttpResponse::build(status).content_type("text/html").body(PAGE)
        }
        Fault::Html => HttpResponse::Ok().content_type("text/html").body(PAGE),
        Fault::Garbage => HttpResponse::Ok().content_type("application/json").body("{\"instance\": {\"inst"),
        Fault::Lie => HttpResponse::Ok().json(json!({"ok": "yes", "instance": [1, 2, 3]})),
        Fault::Endless => {
            let spaces = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b' '; 16 * 1024])));
            HttpResponse::Ok().content_type("application/json").streaming(spaces)
        }
        Fault::Redirect => HttpResponse::Found().insert_header(("location", "/elsewhere")).finish(),
        Fault::Licence => show(&answers::licence_required(&engine.look(|world| world.server_url.clone()))),
        Fault::WrongKey => show(&answers::unauthorized()),
        Fault::Hang => {
            never(engine).await;
            HttpResponse::ServiceUnavailable().finish()
        }
        Fault::Lost | Fault::Broken | Fault::LateMs(_) => return None,
    })
}

/// Until the client gives up, which ends the handler, or the simulator stops.
async fn never(engine: &Engine) {
    engine.stop.cancelled().await;
}

fn show(reply: &Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match &reply.body {
        Value::String(text) => HttpResponse::build(status).content_type("text/plain; version=0.0.4").body(text.clone()),
        body => HttpResponse::build(status).json(body),
    }
}
