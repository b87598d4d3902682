//! Is it alive, is it ready, what can it do.

use std::sync::atomic::Ordering;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::adapters::store::Store;
use crate::adapters::tasks::Tasks;
use crate::domain::breaker::Standing;
use crate::domain::caller::Caller;
use crate::http::extract;
use crate::http::problem::Problem;
use crate::http::webhook::Intake;

/// The `OpenAPI` document, rendered once.
#[derive(Clone, Debug)]
pub struct ApiDocument(pub String);

/// The server's own loops, whose end makes it unready.
#[derive(Clone, Debug)]
pub struct Loops {
    pub front: Tasks,
    pub back: Tasks,
}

pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(health).service(ready).service(openapi);
}

/// Liveness
///
/// `{"status":"ok"}` for anybody; the queue, the counts, the store, Evolution's breaker and the commands for an operator.
#[utoipa::path(tag = "operations", security((), ("bearer" = [])), responses((status = 200, description = "alive")))]
#[get("/health")]
async fn health(request: HttpRequest, intake: Data<Intake>, store: Data<Store>) -> HttpResponse {
    let operator = extract::caller(&request).await.is_ok_and(|caller: Caller| caller.admin);
    if !operator {
        return HttpResponse::Ok().json(json!({"status": "ok"}));
    }
    let commands = store.open_commands().await.ok();
    let counts = intake.ingest.counts();
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    HttpResponse::Ok().json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "diskNearlyFull": intake.ingest.disk_is_low(),
        "evolution": intake.instances.breaker().map(|standing| match standing {
            Standing::Closed => json!({"breaker": "closed"}),
            Standing::Open { until } => json!({"breaker": "open", "until": until.to_string()}),
            Standing::Probing => json!({"breaker": "probing"}),
        }),
        // Of what is asked of Evolution; null when the database doesn't answer.
        "commands": commands.map(|(waiting, under_way)| json!({"waiting": waiting, "underWay": under_way})),
        "ingest": {
            "waiting": intake.ingest.waiting(),
            "stored": read(&counts.stored),
            "duplicates": read(&counts.duplicates),
            "duplicatesDiffering": read(&counts.duplicates_differing),
            "folded": read(&counts.folded),
            "quarantined": read(&counts.quarantined),
            "refused": read(&counts.refused),
            "commits": read(&counts.commits),
            "failedCommits": read(&counts.failed_commits),
        },
    }))
}

/// Readiness
///
/// 200 when the database answers and is migrated, else 503.
#[utoipa::path(tag = "operations", security(()), responses((status = 200, description = "ready"), (status = 503, description = "not ready: the same members say why", body = serde_json::Value)))]
#[get("/ready")]
async fn ready(store: Data<Store>, intake: Data<Intake>, loops: Data<Loops>) -> HttpResponse {
    let database = store.last_entry_id().await.is_ok();
    let disk = !intake.ingest.disk_is_low();
    let stopping = loops.front.stopping().is_cancelled();
    let lost = loops.back.lost().or(loops.front.lost());
    let is_ready = database && disk && !stopping && lost.is_none();
    let body = json!({
        "status": if is_ready { "ready" } else { "not_ready" },
        "database": if database { "ok" } else { "failing" },
        "migrations": if database { "ok" } else { "unknown" },
        "bus": "local",
        "disk": if disk { "ok" } else { "nearly_full" },
        "stopping": stopping,
        "lostTask": lost,
    });
    if is_ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// This document
#[utoipa::path(tag = "operations", security(()), responses((status = 200, description = "OpenAPI 3.1")))]
#[get("/openapi.json")]
async fn openapi(document: Data<ApiDocument>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(document.0.clone()))
}
