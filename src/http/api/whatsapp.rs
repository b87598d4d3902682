//! The owner's one instance: connect, look, reconnect, unlink, remove (INTERFACE §3). An operator names the user.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Query};
use actix_web::{delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::asked::Asked;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::caller::{Caller, Scope};
use crate::domain::error::Error;
use crate::domain::wire::InstanceJson;
use crate::http::extract::OptionalBody;
use crate::http::problem::Problem;
use crate::services::instances::Instances;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(connect).service(own).service(reconnect).service(disconnect).service(scanned).service(remove);
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct Connect {
    /// Whose instance; for operators. A user's own otherwise.
    #[schema(example = "ana")]
    user_id: Option<String>,
    organization_id: Option<String>,
    /// Digits with country code, for a pairing code beside the QR.
    #[schema(example = "5511900000001")]
    number: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Connected {
    instance: InstanceJson,
    /// A `data:image/png` URI, when there is one by now; else it comes over the socket.
    #[schema(example = "data:image/png;base64,…")]
    qr_code: Option<String>,
    pairing_code: Option<String>,
}

/// Connect WhatsApp
///
/// Ensures the user's one instance, at Evolution too, and starts its connection. Answers within 5 s; a code that takes
/// longer comes over the socket. Safe to call many times at once.
#[utoipa::path(tag = "instances", params(Whose), request_body = Option<Connect>, responses(
    (status = 200, body = Connected), (status = 400), (status = 403, description = "`not_yours`: somebody else's `userId` or `organizationId`; `scope_missing`"),
    (status = 502, description = "`evolution_refused`: `detail` says what to change"), (status = 503, description = "`evolution_unreachable`: wait for `Retry-After`; the instance stays")))]
#[post("/api/whatsapp/connect")]
async fn connect(
    caller: Caller,
    whose: Query<Whose>,
    OptionalBody(wanted): OptionalBody<Connect>,
    instances: Data<Instances>,
    clock: Data<Clock>,
) -> Result<Json<Connected>, Problem> {
    caller.require_scope(Scope::Connect)?;
    let user = caller.acting_for(wanted.user_id.as_deref().or(whose.user_id.as_deref()))?;
    let org = caller.acting_in(wanted.organization_id.as_deref())?;
    if wanted
        .number
        .as_ref()
        .is_some_and(|number| !(8..=15).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(
            Error::bad_input("number", "must be 8 to 15 digits with country code, for example 5511900000001").into()
        );
    }
    let instance = instances.connect(&user, org.as_ref(), wanted.number.as_deref()).await?;
    let instance = InstanceJson::of(&instance, clock.now(), true);
    let (qr_code, pairing_code) = (instance.qr_code.clone(), instance.pairing_code.clone());
    Ok(Json(Connected { instance, qr_code, pairing_code }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Whose instance; for operators.
    pub(super) user_id: Option<String>,
}

/// The caller's own instance
#[utoipa::path(tag = "instances", params(Whose), responses((status = 200, body = InstanceJson), (status = 404)))]
#[get("/api/whatsapp/instance")]
async fn own(
    caller: Caller,
    whose: Query<Whose>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<InstanceJson>, Problem> {
    caller.require_scope(Scope::Connect).or_else(|_| caller.require_scope(Scope::Messages))?;
    let user = caller.acting_for(whose.user_id.as_deref())?;
    let instance = store.instance_of(&user).await?.ok_or(Error::NotFound("instance"))?;
    Ok(Json(InstanceJson::of(&instance, clock.now(), true)))
}

/// "Reconectar agora"
///
/// Asks Evolution to connect, unless it is trying by itself. How it goes is told on the channel.
#[utoipa::path(tag = "instances", params(Whose), responses(
    (status = 202, body = InstanceJson), (status = 403), (status = 404), (status = 503, description = "`evolution_not_configured`")))]
#[post("/api/whatsapp/reconnect")]
async fn reconnect(caller: Caller, whose: Query<Whose>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = asked.instance(&caller, &whose).await?;
    Ok(asked.accepted(&asked.instances.reconnect(&instance).await?))
}

/// Unlink the phone
///
/// A new code is needed later. `disconnected` with the reason `by_owner` once it is confirmed.
#[utoipa::path(tag = "instances", params(Whose), responses(
    (status = 202, body = InstanceJson), (status = 403), (status = 404), (status = 503, description = "`evolution_not_configured`")))]
#[post("/api/whatsapp/disconnect")]
async fn disconnect(caller: Caller, whose: Query<Whose>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = asked.instance(&caller, &whose).await?;
    Ok(asked.accepted(&asked.instances.unlink(&instance).await?))
}

/// "I scanned it and nothing happened"
#[utoipa::path(tag = "instances", params(Whose), responses((status = 202, body = InstanceJson), (status = 403), (status = 404)))]
#[post("/api/whatsapp/scanned")]
async fn scanned(caller: Caller, whose: Query<Whose>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = asked.instance(&caller, &whose).await?;
    Ok(asked.accepted(&asked.instances.scanned(&instance).await?))
}

/// Remove the instance, here and at Evolution
///
/// 204 when it is confirmed in time, else 202 with the instance, whose `statusReason` is `removing`.
#[utoipa::path(tag = "instances", params(Whose), responses(
    (status = 204, description = "removed"), (status = 202, body = InstanceJson, description = "not confirmed yet"), (status = 403), (status = 404)))]
#[delete("/api/whatsapp/instance")]
async fn remove(caller: Caller, whose: Query<Whose>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = asked.instance(&caller, &whose).await?;
    Ok(asked.removed(asked.instances.remove(&instance).await?.as_ref()))
}
