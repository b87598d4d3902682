//! `POST /api/webhook/test`: does the way from webhook to socket work for this user?

use actix_web::post;
use actix_web::web::{Bytes, Data, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::webhook;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use crate::http::webhook::{Answer, Intake};
use crate::services::hub::Hub;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(test);
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    user_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Tested {
    #[serde(flatten)]
    #[schema(inline)]
    stored: Answer,
    /// The frame's type on the user's channel.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Sockets that were listening to the user's channel.
    sockets: usize,
}

/// The name of the synthetic event: one that Evolution never sends, so that it means nothing to any client.
const EVENT: &str = "gateway.test";

/// Run a synthetic event through the real pipeline
#[utoipa::path(tag = "webhooks", request_body = Wanted, responses((status = 200, body = Tested), (status = 404)))]
#[post("/api/webhook/test")]
async fn test(_: Admin, wanted: Json<Wanted>, intake: Data<Intake>, hub: Data<Hub>) -> Result<Json<Tested>, Problem> {
    let user = UserId::named_by_admin(&wanted.user_id)?;
    let name = intake.instances.name_of(&user);
    intake.store.instance_named(&name).await?.ok_or(Error::NotFound("instance"))?;
    let now = intake.clock.now();
    let body =
        json!({"event": EVENT, "instance": name, "data": {"nonce": Uuid::now_v7()}, "date_time": now.to_string()});
    let webhook = webhook::parse(&Bytes::from(body.to_string()), Some(&name), Some(now))?;
    let sockets = hub.listeners(&Channel::User(user));
    let verdict = intake.ingest.accept(webhook, now).await?;
    Ok(Json(Tested { stored: verdict.into(), kind: "evolution.gateway.test", sockets }))
}
