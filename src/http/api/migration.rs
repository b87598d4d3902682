//! Instances without a user, and giving them one: what `zapgate migrate` asks for.

use actix_web::web::{Data, Json};
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::domain::error::Error;
use crate::domain::evolution::Connection;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use crate::services::instances::{Instances, Released, Unowned};

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(adopt);
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UnownedJson {
    instance_name: String,
    /// Whose it is by its name, `user_<id>`.
    user_id: Option<String>,
    /// `open`, `connecting` or `close` as Evolution's database has it; absent when Evolution doesn't have it.
    state: Option<&'static str>,
    /// Webhooks kept of it.
    quarantined: i64,
}

impl From<Unowned> for UnownedJson {
    fn from(unowned: Unowned) -> Self {
        Self {
            instance_name: unowned.name.to_string(),
            user_id: unowned.user.map(|user| user.to_string()),
            state: unowned.at_evolution.map(|state| match state {
                Connection::Open => "open",
                Connection::Connecting => "connecting",
                Connection::Close | Connection::Unloaded | Connection::Absent => "close",
            }),
            quarantined: unowned.quarantined,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Unowneds {
    items: Vec<UnownedJson>,
}

/// Instances without a user
///
/// Those that Evolution has and this gateway doesn't, and those whose webhooks wait in the quarantine.
#[utoipa::path(tag = "instances", operation_id = "list_unowned", responses(
    (status = 200, body = Unowneds), (status = 403), (status = 502), (status = 503)))]
#[get("/api/migration")]
async fn list(_: Admin, instances: Data<Instances>) -> Result<Json<Unowneds>, Problem> {
    let items = instances.unowned().await?.into_iter().map(UnownedJson::from).collect();
    Ok(Json(Unowneds { items }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Adopt {
    #[schema(example = "loja-centro")]
    instance_name: String,
    /// May be left out for a name of the form `user_<id>`.
    #[schema(example = "carla")]
    user_id: Option<String>,
    organization_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Adopted {
    instance_name: String,
    user_id: String,
    /// Webhooks that were kept of it and are in the log now.
    stored: u64,
    duplicates: u64,
    unreadable: u64,
}

/// Give an instance its user
///
/// Releases its quarantined webhooks, in the order they came, and sets its webhook at Evolution right.
#[utoipa::path(tag = "instances", request_body = Adopt, responses(
    (status = 200, body = Adopted), (status = 400, description = "a value is not valid, or somebody else has the instance"), (status = 403), (status = 404), (status = 502), (status = 503)))]
#[post("/api/migration")]
async fn adopt(_: Admin, wanted: Json<Adopt>, instances: Data<Instances>) -> Result<Json<Adopted>, Problem> {
    let name = InstanceName::parse(&wanted.instance_name)?;
    let named = wanted.user_id.as_deref().map(UserId::named_by_admin).transpose()?;
    let user = named
        .or_else(|| name.user())
        .ok_or_else(|| Error::bad_input("userId", "is missing: the name does not tell whose the instance is"))?;
    let org = wanted.organization_id.as_deref().map(OrgId::named_by_admin).transpose()?;
    let Released { stored, duplicates, unreadable } = instances.adopt(&name, &user, org.as_ref()).await?;
    Ok(Json(Adopted { instance_name: name.to_string(), user_id: user.to_string(), stored, duplicates, unreadable }))
}
