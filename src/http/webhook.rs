//! Evolution's POST: who sent it, how large and of what type, then its bytes go to ingest, and the answer comes once
//! they are on disk. The answers are a contract: Evolution re-sends on 5xx and drops on 4xx (INTERFACE §3).

mod body;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, post};
use serde::Serialize;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use self::body::{Allowance, Body};
use super::problem::Problem;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::time::Millis;
use crate::domain::webhook::{self, Webhook};
use crate::services::ingest::proof::{Presented, Proof, Proofs};
use crate::services::ingest::{Ingest, IngestConfig, Verdict, letters};
use crate::services::instances::Instances;

/// What the webhook routes need.
#[derive(Clone, Debug)]
pub struct Intake {
    pub ingest: Ingest,
    pub proofs: Data<Proofs>,
    pub instances: Instances,
    pub store: Store,
    pub clock: Clock,
    proven: Allowance,
    unproven: Allowance,
}

impl Intake {
    pub fn new(
        config: &IngestConfig,
        ingest: Ingest,
        proofs: Arc<Proofs>,
        instances: Instances,
        store: Store,
        clock: Clock,
    ) -> Self {
        Self {
            ingest,
            proofs: Data::from(proofs),
            instances,
            store,
            clock,
            proven: Allowance::proven(config.webhook_max_bytes, config.ingest_queue_bytes),
            unproven: Allowance::unproven(config.webhook_max_bytes),
        }
    }
}

/// What became of a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer {
    /// `stored`, `duplicate`, `folded` or `quarantined`.
    status: &'static str,
    /// Its position on the user's channel; absent for `quarantined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        let (status, seq) = match verdict {
            Verdict::Stored { seq } => ("stored", Some(seq)),
            Verdict::Duplicate { seq, .. } => ("duplicate", Some(seq)),
            Verdict::Folded { seq } => ("folded", Some(seq)),
            Verdict::Quarantined => ("quarantined", None),
        };
        Self { status, seq }
    }
}

/// How each of the routes below refuses, for the `OpenAPI` document.
struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let all = [
            ("400", "not JSON, no event, or no instance"),
            ("401", "no valid proof, or of another instance"),
            ("408", "the body did not arrive whole and in time; send again"),
            ("413", "too large"),
            ("415", "not `application/json`, or compressed"),
            ("422", "an ending that could not be committed and must not be sent again"),
            ("503", "could not commit now; send again after `Retry-After`"),
        ];
        all.into_iter().map(|(status, why)| (status.to_owned(), RefOr::T(Response::new(why)))).collect()
    }
}

/// One route per path of INTERFACE §3, each also with the segment that Evolution's `byEvents` appends.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(of_user).service(of_user_by_event);
    cfg.service(evolution).service(evolution_by_event);
    cfg.service(whatsapp).service(whatsapp_by_event);
}

/// Webhook of one user's instance
///
/// What `connect` registers at Evolution. The proof is checked before the body is read.
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses(
    (status = 200, body = Answer, description = "committed durably, or seen before, folded, quarantined"),
    Refusals))]
#[post("/api/webhook/user/{user_id}")]
async fn of_user(
    request: HttpRequest,
    path: web::Path<String>,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive_for(&request, &path, body, &intake).await
}

/// Webhook of one user's instance, by event
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer), Refusals))]
#[post("/api/webhook/user/{user_id}/{event}")]
async fn of_user_by_event(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive_for(&request, &path.0, body, &intake).await
}

/// Webhook of any instance
///
/// For webhooks set by hand. A body over 1 MiB needs the undivided secret here, or `/api/webhook/user/{userId}`: who
/// sends it with the key of one instance is known only once it is read.
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer), Refusals))]
#[post("/api/webhook/evolution")]
async fn evolution(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, by event
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, params(("event" = String, Path)), responses((status = 200, body = Answer), Refusals))]
#[post("/api/webhook/evolution/{event}")]
async fn evolution_by_event(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, under source 004's first name for it
///
/// As `/api/webhook/evolution`: a body over 1 MiB needs the undivided secret, or `/api/webhook/user/{userId}`.
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer), Refusals))]
#[post("/api/webhook/whatsapp")]
async fn whatsapp(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, under source 004's first name for it, by event
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, params(("event" = String, Path)), responses((status = 200, body = Answer), Refusals))]
#[post("/api/webhook/whatsapp/{event}")]
async fn whatsapp_by_event(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

async fn receive_for(
    request: &HttpRequest,
    user: &str,
    body: web::Payload,
    intake: &Intake,
) -> Result<web::Json<Answer>, Problem> {
    let instance = intake.instances.name_of(&UserId::named_by_admin(user)?);
    receive(request, Some(instance), body, intake).await
}

async fn receive(
    request: &HttpRequest,
    expected: Option<InstanceName>,
    payload: web::Payload,
    intake: &Intake,
) -> Result<web::Json<Answer>, Problem> {
    let received = intake.clock.now();
    let presented = presented(request);
    let early = early_proof(presented, expected.as_ref(), intake, received).await?;
    // The faults of what nobody has proven yet are not explained.
    require_plain_json(request).map_err(|fault| if early.is_some() { fault } else { UNPROVEN })?;
    let allowance = if early.is_some() { &intake.proven } else { &intake.unproven };
    let body = allowance.read(payload).await?;
    let (proof, expected) = match early {
        Some(proof) => (proof, expected),
        // Boxed, like whatever is rare here: it takes no room in every webhook's future, which is moved about.
        None => Box::pin(prove_by_body(&body, presented, intake, received)).await?,
    };
    let webhook = match body.whole().and_then(|bytes| webhook::parse(bytes, expected.as_ref(), proof.issued_at)) {
        Ok(webhook) => webhook,
        Err(cause) => {
            return Err(Box::pin(put_aside(request, &body, expected.as_ref(), cause, intake, received)).await.into());
        }
    };
    Ok(web::Json(store(webhook, intake, received).await?.into()))
}

/// Stores a webhook. Of an ending that can't be, which will not come again, the operator is told.
async fn store(webhook: Webhook, intake: &Intake, received: Millis) -> Result<Verdict, Error> {
    let instance = webhook.instance.clone();
    match intake.ingest.accept(webhook, received).await {
        Err(ending @ Error::EndingNotStored) => Err(refuse(intake, Some(&instance), ending).await),
        outcome => outcome,
    }
}

/// What a webhook is told that may or may not turn out to be ours.
const UNPROVEN: Error = Error::ProofInvalid("the signature is not ours, or not of this instance");

/// The proof before the body is read; `None` when it can only be checked once the body names an instance.
async fn early_proof(
    presented: Presented<'_>,
    expected: Option<&InstanceName>,
    intake: &Intake,
    now: Millis,
) -> Result<Option<Proof>, Error> {
    match intake.proofs.check(presented, expected, now) {
        Ok(proof) => Ok(Some(proof)),
        // A key of one instance proves nothing until the body names that instance.
        Err(Error::ProofInvalid(_)) if expected.is_none() => Ok(None),
        Err(refusal) => Err(refuse(intake, expected, refusal).await),
    }
}

/// Keeps an authentic webhook that can't be used, so that nothing is dropped silently; hands its fault back.
async fn put_aside(
    request: &HttpRequest,
    body: &Body,
    expected: Option<&InstanceName>,
    cause: Error,
    intake: &Intake,
    now: Millis,
) -> Error {
    if matches!(cause, Error::InstanceMismatch) {
        return refuse(intake, expected, cause).await;
    }
    let size = announced(request).unwrap_or(body.size).max(body.size);
    letters::keep(&intake.store, &cause, request.path(), expected, &body.bytes, size, now).await;
    if matches!(cause, Error::TooLarge { .. }) {
        let named = expected.cloned().or_else(|| webhook::named_instance(&body.bytes));
        return refuse(intake, named.as_ref(), cause).await;
    }
    cause
}

/// The proof as presented: the header of our own first, since a proxy may have put something else in `Authorization`.
fn presented(request: &HttpRequest) -> Presented<'_> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(secret) = text("x-webhook-secret") {
        return Presented::Secret(secret);
    }
    let bearer = text("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    bearer.map_or(Presented::Nothing, |(_, token)| Presented::Jwt(token.trim()))
}

fn require_plain_json(request: &HttpRequest) -> Result<(), Error> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !matches!(text(header::CONTENT_ENCODING).trim(), "" | "identity") {
        return Err(Error::UnsupportedMedia("a webhook must not be compressed; Evolution never does"));
    }
    let kind = text(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    Err(Error::UnsupportedMedia("a webhook must be `Content-Type: application/json`"))
}

fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Proves a webhook by the key of the instance that its body names, be it only the head of one that is too large.
/// Nothing of one that fails is kept.
async fn prove_by_body(
    body: &Body,
    presented: Presented<'_>,
    intake: &Intake,
    now: Millis,
) -> Result<(Proof, Option<InstanceName>), Error> {
    let named = webhook::named_instance(&body.bytes);
    match intake.proofs.check(presented, named.as_ref(), now) {
        Ok(proof) => Ok((proof, named)),
        Err(refusal) => {
            body.whole()?;
            Err(refuse(intake, named.as_ref(), refusal).await)
        }
    }
}

/// A refusal is final for Evolution: the operator must hear of it when the instance is one of ours.
async fn refuse(intake: &Intake, instance: Option<&InstanceName>, refusal: Error) -> Error {
    Box::pin(intake.instances.alert_refusal(instance, &refusal, intake.clock.now())).await;
    refusal
}
