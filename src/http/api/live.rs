//! The live routes: WebSocket, Server-Sent Events, and the tail of all events.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Data, Json, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::service_config::ServiceConfig;

use super::tail::{self, TailPage, TailQuery};
use crate::adapters::tasks::Tasks;
use crate::domain::caller::Caller;
use crate::http::extract::{self, Admin};
use crate::http::listening::{Admitted, LiveQuery};
use crate::http::problem::Problem;
use crate::http::{sockets, sse};
use crate::services::identity::Identity;
use crate::services::live::Live;
use crate::services::tail::Tail;

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(websocket).service(events).service(all_events);
}

/// What live connections share.
#[derive(Clone, Debug)]
pub struct LiveDoor {
    pub live: Arc<Live>,
    pub tasks: Tasks,
    pub stop: CancellationToken,
    pub patience: sockets::Patience,
}

/// Live events over WebSocket
#[utoipa::path(tag = "live", params(LiveQuery), responses(
    (status = 101, description = "frames follow"), (status = 401), (status = 403, description = "not allowed, or a foreign `Origin`")))]
#[get("/ws")]
async fn websocket(
    request: HttpRequest,
    payload: web::Payload,
    query: Query<LiveQuery>,
    identity: Data<Identity>,
    door: Data<LiveDoor>,
) -> Result<HttpResponse, Problem> {
    let (caller, bought, _) = extract::live_caller(&request).await?;
    let admitted = Admitted::new(&caller, bought, &query)?;
    let revoked = revoked(identity, caller, door.live.clone());
    Ok(sockets::upgrade(&request, payload, admitted, revoked, Arc::clone(&door.live), (&door.tasks, door.patience))?)
}

/// Live events as Server-Sent Events
#[utoipa::path(tag = "live", params(LiveQuery, ("Last-Event-ID" = Option<String>, Header, description = "`<epoch>:<seq>`")),
    responses((status = 200, content_type = "text/event-stream"), (status = 401), (status = 403)))]
#[get("/events")]
async fn events(
    request: HttpRequest,
    query: Query<LiveQuery>,
    identity: Data<Identity>,
    door: Data<LiveDoor>,
) -> Result<HttpResponse, Problem> {
    let (caller, bought, _) = extract::live_caller(&request).await?;
    let admitted = Admitted::new(&caller, bought, &query)?;
    let revoked = revoked(identity, caller, door.live.clone());
    Ok(sse::stream(&request, admitted, revoked, Arc::clone(&door.live), door.stop.clone()).await?)
}

/// All stored events of all tenants, in commit order
///
/// A long poll: `nextCursor` is always given, so that polling goes on from it.
#[utoipa::path(tag = "live", params(TailQuery), responses((status = 200, body = TailPage)))]
#[get("/api/events")]
async fn all_events(
    Admin(caller): Admin,
    query: Query<TailQuery>,
    tail: Data<Tail>,
) -> Result<Json<TailPage>, Problem> {
    Ok(Json(tail::read(&caller, &query, &tail).await?))
}

/// How long a missed signal of a revocation may go unnoticed.
const RECHECK: Duration = Duration::from_mins(1);

/// Ends when the caller's credentials are taken back.
async fn revoked(identity: Data<Identity>, caller: Caller, live: Arc<Live>) {
    let mut changes = identity.revoked();
    while identity.still_good(&caller, live.clock().now()) {
        if tokio::time::timeout(RECHECK, changes.changed()).await.is_ok_and(|changed| changed.is_err()) {
            return std::future::pending().await;
        }
    }
}
