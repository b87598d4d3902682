//! Instances: the owner's one, and the lists of operators and organisations (INTERFACE §3).

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::caller::{Caller, Scope};
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId};
use crate::domain::instance::Instance;
use crate::domain::wire::InstanceJson;
use crate::http::api::page::{Cursor, Page, PageQuery};
use crate::http::extract::OptionalBody;
use crate::http::problem::Problem;
use crate::services::instances::Instances;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(connect).service(own).service(list).service(one);
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct Connect {
    /// Whose instance; for operators. A user's own otherwise.
    user_id: Option<String>,
    organization_id: Option<String>,
    /// Digits with country code, for a pairing code instead of a QR.
    number: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Connected {
    instance: InstanceJson,
    /// A `data:image/png` URI, when there is one by now; else it comes over the socket.
    qr_code: Option<String>,
    pairing_code: Option<String>,
}

/// Connect WhatsApp
///
/// Ensures the user's one instance. Safe to call many times at once.
#[utoipa::path(tag = "instances", params(Whose), request_body = Connect, responses(
    (status = 200, body = Connected), (status = 401), (status = 403, description = "somebody else's `userId` or `organizationId`")))]
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
    let instance = InstanceJson::of(&instances.ensure(&user, org.as_ref()).await?, clock.now(), true);
    let (qr_code, pairing_code) = (instance.qr_code.clone(), instance.pairing_code.clone());
    Ok(Json(Connected { instance, qr_code, pairing_code }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Whose {
    /// Whose instance; for operators.
    user_id: Option<String>,
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
    let user = caller.acting_for(whose.user_id.as_deref())?;
    let instance = store.instance_of(&user).await?.ok_or(Error::NotFound("instance"))?;
    Ok(Json(InstanceJson::of(&instance, clock.now(), true)))
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
#[utoipa::path(tag = "instances", params(PageQuery, Which), responses((status = 200, body = Page<InstanceJson>)))]
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

/// One instance, by uuid, session id or name
#[utoipa::path(tag = "instances", params(("id" = String, Path)), responses((status = 200, body = InstanceJson), (status = 404)))]
#[get("/api/instances/{id}")]
async fn one(
    caller: Caller,
    id: Path<String>,
    store: Data<Store>,
    clock: Data<Clock>,
) -> Result<Json<InstanceJson>, Problem> {
    caller.require_admin()?;
    let instance = find(&store, &id).await?;
    Ok(Json(InstanceJson::of(&instance, clock.now(), true)))
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
