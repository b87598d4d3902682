//! What was kept aside, for operators: dead letters and the quarantine; both can be looked at, replayed or dropped.

use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::adapters::store::Store;
use crate::adapters::store::aside::{Letter, QuarantineGroup, QuarantinedHead};
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::time::Millis;
use crate::domain::webhook;
use crate::http::api::page::{Cursor, Page, PageQuery};
use crate::http::extract::{Admin, OptionalBody};
use crate::http::problem::Problem;
use crate::http::webhook::{Answer, Intake};
use crate::services::instances::Instances;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list_letters).service(one_letter).service(replay).service(drop_letter).service(drop_letters);
    cfg.service(list_quarantine).service(list_quarantined).service(release).service(drop_quarantined);
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LetterJson {
    id: i64,
    at: String,
    /// The code of the problem that the sender was answered.
    reason: String,
    detail: String,
    path: String,
    instance_name: Option<String>,
    event: Option<String>,
    size_bytes: i64,
    /// The head of the body, secrets masked.
    body: String,
}

impl From<Letter> for LetterJson {
    fn from(letter: Letter) -> Self {
        Self {
            id: letter.id,
            at: Millis(letter.at).to_string(),
            reason: letter.reason,
            detail: letter.detail,
            path: letter.path,
            instance_name: letter.instance_name,
            event: letter.event,
            size_bytes: letter.size_bytes,
            body: String::from_utf8_lossy(&letter.body).into_owned(),
        }
    }
}

/// Dead letters, newest first
#[utoipa::path(tag = "aside", params(PageQuery), responses((status = 200, body = Page<LetterJson>)))]
#[get("/api/dead-letters")]
async fn list_letters(_: Admin, page: Query<PageQuery>, store: Data<Store>) -> Result<Json<Page<LetterJson>>, Problem> {
    let limit = page.limit()?;
    let rows = store.letters(page.cursor::<i64>()?.unwrap_or(i64::MAX), limit + 1).await?;
    Ok(Json(Page::cut(rows, limit, |last| Cursor::of(&last.id)).map(LetterJson::from)))
}

/// One dead letter
#[utoipa::path(tag = "aside", params(("id" = i64, Path)), responses((status = 200, body = LetterJson), (status = 404)))]
#[get("/api/dead-letters/{id}")]
async fn one_letter(_: Admin, id: Path<i64>, store: Data<Store>) -> Result<Json<LetterJson>, Problem> {
    let letter = store.letter(*id).await?.ok_or(Error::NotFound("dead letter"))?;
    Ok(Json(letter.into()))
}

/// Try a dead letter again
///
/// What is stored of it is marked late and changes no instance state. A letter that still can't be understood stays.
#[utoipa::path(tag = "aside", params(("id" = i64, Path)), responses((status = 200, body = Answer), (status = 400), (status = 404)))]
#[post("/api/dead-letters/{id}/replay")]
async fn replay(_: Admin, id: Path<i64>, intake: Data<Intake>) -> Result<Json<Answer>, Problem> {
    let letter = intake.store.letter(*id).await?.ok_or(Error::NotFound("dead letter"))?;
    let expected = letter.instance_name.as_deref().map(InstanceName::parse).transpose()?;
    let webhook = webhook::parse(&Bytes::from(letter.body), expected.as_ref(), None)?;
    let verdict = intake.ingest.accept_late(webhook, Millis(letter.at), None).await?;
    intake.store.drop_letters(Some(*id)).await?;
    Ok(Json(verdict.into()))
}

/// Drop one dead letter
#[utoipa::path(tag = "aside", params(("id" = i64, Path)), responses((status = 204), (status = 404)))]
#[delete("/api/dead-letters/{id}")]
async fn drop_letter(_: Admin, id: Path<i64>, store: Data<Store>) -> Result<HttpResponse, Problem> {
    match store.drop_letters(Some(*id)).await? {
        0 => Err(Error::NotFound("dead letter").into()),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// How many went.
#[derive(Debug, Serialize, ToSchema)]
struct Dropped {
    dropped: u64,
}

/// Drop all dead letters
#[utoipa::path(tag = "aside", responses((status = 200, body = Dropped)))]
#[delete("/api/dead-letters")]
async fn drop_letters(_: Admin, store: Data<Store>) -> Result<Json<Dropped>, Problem> {
    Ok(Json(Dropped { dropped: store.drop_letters(None).await? }))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GroupJson {
    instance_name: String,
    count: i64,
    size_bytes: i64,
    first_at: String,
    last_at: String,
}

impl From<QuarantineGroup> for GroupJson {
    fn from(group: QuarantineGroup) -> Self {
        Self {
            instance_name: group.instance_name,
            count: group.count,
            size_bytes: group.size_bytes,
            first_at: Millis(group.first_at).to_string(),
            last_at: Millis(group.last_at).to_string(),
        }
    }
}

/// Instances nobody owns whose webhooks are kept, by name
#[utoipa::path(tag = "aside", params(PageQuery), responses((status = 200, body = Page<GroupJson>)))]
#[get("/api/quarantine")]
async fn list_quarantine(
    _: Admin,
    page: Query<PageQuery>,
    store: Data<Store>,
) -> Result<Json<Page<GroupJson>>, Problem> {
    let limit = page.limit()?;
    let rows = store.quarantine_groups(&page.cursor::<String>()?.unwrap_or_default(), limit + 1).await?;
    Ok(Json(Page::cut(rows, limit, |last| Cursor::of(&last.instance_name)).map(GroupJson::from)))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QuarantinedJson {
    id: i64,
    event: String,
    at: String,
    size_bytes: i64,
    /// As it was received, less the secrets; absent when it is larger than 64 KiB.
    #[schema(value_type = Option<Object>)]
    body: Option<Box<RawValue>>,
}

impl From<QuarantinedHead> for QuarantinedJson {
    fn from(row: QuarantinedHead) -> Self {
        let body = serde_json::from_slice(&row.body).ok();
        Self { id: row.id, event: row.event, at: Millis(row.at).to_string(), size_bytes: row.size_bytes, body }
    }
}

/// The quarantined webhooks of one instance, in the order they came
#[utoipa::path(tag = "aside", params(("instance" = String, Path), PageQuery), responses((status = 200, body = Page<QuarantinedJson>)))]
#[get("/api/quarantine/{instance}")]
async fn list_quarantined(
    _: Admin,
    instance: Path<String>,
    page: Query<PageQuery>,
    store: Data<Store>,
) -> Result<Json<Page<QuarantinedJson>>, Problem> {
    let limit = page.limit()?;
    let name = InstanceName::parse(&instance)?;
    let rows = store.quarantined_heads(&name, page.cursor::<i64>()?.unwrap_or(0), limit + 1).await?;
    Ok(Json(Page::cut(rows, limit, |last| Cursor::of(&last.id)).map(QuarantinedJson::from)))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct Release {
    /// Who owns the instance from now on; not needed for names of the form `user_<id>`.
    user_id: Option<String>,
    organization_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReleasedJson {
    stored: u64,
    duplicates: u64,
    /// Kept on, since this version cannot read them.
    unreadable: u64,
}

/// Adopt an instance and release its quarantined webhooks, in order
///
/// They are marked late and change no instance state.
#[utoipa::path(tag = "aside", params(("instance" = String, Path)), request_body = Release, responses((status = 200, body = ReleasedJson)))]
#[post("/api/quarantine/{instance}/release")]
async fn release(
    _: Admin,
    instance: Path<String>,
    OptionalBody(wanted): OptionalBody<Release>,
    instances: Data<Instances>,
) -> Result<Json<ReleasedJson>, Problem> {
    let name = InstanceName::parse(&instance)?;
    let user = match wanted.user_id {
        Some(raw) => UserId::named_by_admin(&raw)?,
        None => name
            .user()
            .ok_or_else(|| Error::bad_input("userId", "is missing: the name is not of the form `user_<id>`"))?,
    };
    let org = wanted.organization_id.as_deref().map(OrgId::named_by_admin).transpose()?;
    let released = instances.adopt(&name, &user, org.as_ref()).await?;
    Ok(Json(ReleasedJson { stored: released.stored, duplicates: released.duplicates, unreadable: released.unreadable }))
}

/// Drop the quarantined webhooks of one instance
#[utoipa::path(tag = "aside", params(("instance" = String, Path)), responses((status = 200, body = Dropped)))]
#[delete("/api/quarantine/{instance}")]
async fn drop_quarantined(
    _: Admin,
    instance: Path<String>,
    instances: Data<Instances>,
) -> Result<Json<Dropped>, Problem> {
    let dropped = instances.drop_quarantined(&InstanceName::parse(&instance)?).await?;
    Ok(Json(Dropped { dropped }))
}
