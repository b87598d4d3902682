//! Instances as operators and organisations see them: lists, health, one by its id (INTERFACE §3).

use std::collections::BTreeMap;

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, patch, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::asked::Asked;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::adapters::store::commands::Listed;
use crate::domain::caller::Caller;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId};
use crate::domain::instance::Instance;
use crate::domain::time::Millis;
use crate::domain::wire::{HealthJson, InstanceJson};
use crate::http::api::page::{Cursor, Page, PageQuery};
use crate::http::extract::Admin;
use crate::http::problem::Problem;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list).service(one).service(change).service(remove).service(reconnect).service(health);
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only this organisation's; for operators.
    organization_id: Option<String>,
}

/// All instances, by session id
///
/// Operators see all, members of an organisation its own without QR codes.
#[utoipa::path(tag = "instances", operation_id = "list_instances", params(PageQuery, Which), responses(
    (status = 200, body = Page<InstanceJson>), (status = 400), (status = 403, description = "`admin_only`: neither an operator nor of an organisation")))]
#[get("/api/instances")]
async fn list(
    caller: Caller,
    page: Query<PageQuery>,
    which: Query<Which>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<Page<InstanceJson>>, Problem> {
    let org = whose_list(&caller, which.organization_id.as_deref())?;
    let (after, limit) = (page.cursor::<i64>()?.unwrap_or(0), page.limit()?);
    let rows = store.instances(org.as_ref(), after, limit + 1, caller.admin).await?;
    let now = clock.now();
    let page = Page::cut(rows, limit, |last| Cursor::of(&last.session_id));
    Ok(Json(page.map(|instance| InstanceJson::of(&instance, now, caller.admin))))
}

/// The organisation a list is narrowed to; `None` is all of them.
fn whose_list(caller: &Caller, named: Option<&str>) -> Result<Option<OrgId>, Error> {
    if caller.admin {
        return named.map(OrgId::named_by_admin).transpose();
    }
    caller.acting_in(named)?.map(Some).ok_or(Error::AdminOnly)
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CommandJson {
    /// `connect`, `reconnect`, `unlink`, `remove` or `check`.
    kind: String,
    /// `pending`, `sent`, `confirmed` or `unconfirmed`.
    status: String,
    /// How often it was begun.
    attempts: u32,
    asked_at: String,
    /// When a pending one is begun, or begun again.
    due_at: Option<String>,
    ended_at: Option<String>,
    /// Why it did not come about, or not yet.
    reason: Option<String>,
    /// What an operator can do.
    advice: Option<String>,
}

impl From<Listed> for CommandJson {
    fn from(listed: Listed) -> Self {
        let is_pending = listed.status == "pending";
        Self {
            kind: listed.kind,
            status: listed.status,
            attempts: listed.attempts,
            asked_at: Millis(listed.asked_at).to_string(),
            due_at: is_pending.then(|| Millis(listed.due_at).to_string()),
            ended_at: listed.ended_at.map(|at| Millis(at).to_string()),
            reason: listed.outcome,
            advice: listed.advice,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct OneJson {
    #[serde(flatten)]
    instance: InstanceJson,
    /// What was asked of Evolution for it and how that went; what has not ended first, then the newest.
    commands: Vec<CommandJson>,
}

/// Of an instance's commands as many as explain how it stands.
const COMMANDS_SHOWN: i64 = 10;

/// One instance, by uuid, session id or name, with what was asked of Evolution for it
#[utoipa::path(tag = "instances", operation_id = "one_instance", params(("id" = String, Path)), responses(
    (status = 200, body = OneJson), (status = 403), (status = 404)))]
#[get("/api/instances/{id}")]
async fn one(
    caller: Caller,
    id: Path<String>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<OneJson>, Problem> {
    caller.require_admin()?;
    let instance = find(&store, &id).await?;
    let commands = store.commands_of(instance.session_id, COMMANDS_SHOWN).await?;
    let commands = commands.into_iter().map(CommandJson::from).collect();
    Ok(Json(OneJson { instance: InstanceJson::of(&instance, clock.now(), true), commands }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    /// Whether the gateway may reconnect it by itself.
    auto_reconnect: bool,
}

/// Change an instance
#[utoipa::path(tag = "instances", operation_id = "change_instance", params(("id" = String, Path)), request_body = Change, responses(
    (status = 200, body = InstanceJson), (status = 400), (status = 403), (status = 404)))]
#[patch("/api/instances/{id}")]
async fn change(
    _: Admin,
    id: Path<String>,
    wanted: Json<Change>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<InstanceJson>, Problem> {
    let instance = find(&store, &id).await?;
    store.set_auto_reconnect(instance.id, wanted.auto_reconnect, clock.now()).await?;
    Ok(Json(InstanceJson::of(&find(&store, &id).await?, clock.now(), true)))
}

/// Remove an instance, here and at Evolution
///
/// 204 when it is confirmed in time, else 202 with the instance, whose `statusReason` is `removing`.
#[utoipa::path(tag = "instances", operation_id = "remove_instance", params(("id" = String, Path)), responses(
    (status = 204, description = "removed"), (status = 202, body = InstanceJson, description = "not confirmed yet"), (status = 403), (status = 404)))]
#[delete("/api/instances/{id}")]
async fn remove(_: Admin, id: Path<String>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = find(&asked.store, &id).await?;
    Ok(asked.removed(asked.instances.remove(&instance).await?.as_ref()))
}

/// Reconnect an instance
#[utoipa::path(tag = "instances", operation_id = "reconnect_instance", params(("id" = String, Path)), responses(
    (status = 202, body = InstanceJson), (status = 403), (status = 404), (status = 503, description = "`evolution_not_configured`")))]
#[post("/api/instances/{id}/reconnect")]
async fn reconnect(_: Admin, id: Path<String>, asked: Asked) -> Result<HttpResponse, Problem> {
    let instance = find(&asked.store, &id).await?;
    Ok(asked.accepted(&asked.instances.reconnect(&instance).await?))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthRow {
    #[schema(example = "user_ana")]
    instance_name: String,
    health: HealthJson,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthPage {
    items: Vec<HealthRow>,
    /// Instances per status, all of them.
    totals: BTreeMap<String, i64>,
    next_cursor: Option<String>,
}

/// How instances fare, by session id
#[utoipa::path(tag = "instances", operation_id = "instances_health", params(PageQuery, Which), responses(
    (status = 200, body = HealthPage), (status = 400), (status = 403, description = "`admin_only`: neither an operator nor of an organisation")))]
#[get("/api/health/instances")]
async fn health(
    caller: Caller,
    page: Query<PageQuery>,
    which: Query<Which>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<HealthPage>, Problem> {
    let org = whose_list(&caller, which.organization_id.as_deref())?;
    let (after, limit) = (page.cursor::<i64>()?.unwrap_or(0), page.limit()?);
    let rows = store.instances(org.as_ref(), after, limit + 1, false).await?;
    let totals = store.status_totals(org.as_ref()).await?;
    let now = clock.now();
    let page = Page::cut(rows, limit, |last| Cursor::of(&last.session_id)).map(|instance| {
        let json = InstanceJson::of(&instance, now, false);
        HealthRow { instance_name: json.instance_name, health: json.health }
    });
    Ok(Json(HealthPage { items: page.items, totals, next_cursor: page.next_cursor }))
}

/// An `{id}` is read by its form: a uuid is the instance id, digits alone the session id, anything else the name.
async fn find(store: &Store, id: &str) -> Result<Instance, Error> {
    let found = if let Ok(uuid) = id.parse::<Uuid>() {
        store.instance_with_id(uuid).await?
    } else if id.bytes().all(|b| b.is_ascii_digit()) {
        match id.parse() {
            Ok(session) => store.instance_with_session(session).await?,
            Err(_) => None,
        }
    } else {
        store.instance_named(&InstanceName::parse(id)?).await?
    };
    found.ok_or(Error::NotFound("instance"))
}
