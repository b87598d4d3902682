//! Evolution's POST: who sent it, how large and of what type, then its bytes go to ingest, and the answer comes once
//! they are on disk. The answers are a contract: Evolution re-sends on 5xx and drops on 4xx (INTERFACE §3).

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut, Data};
use actix_web::{HttpRequest, post};
use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::problem::Problem;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::time::Millis;
use crate::domain::webhook;
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
    pub max_bytes: usize,
    /// Bytes of authentic bodies that may be in memory before they are queued.
    proven_room: Arc<Semaphore>,
    /// The same for bodies whose sender is not known yet: of one, whoever they are, and however many.
    unproven_room: Arc<Semaphore>,
}

impl Intake {
    pub fn new(
        config: &IngestConfig,
        ingest: Ingest,
        proofs: Proofs,
        instances: Instances,
        store: Store,
        clock: Clock,
    ) -> Self {
        let max_bytes = config.webhook_max_bytes;
        let room = |bytes: usize| Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)));
        Self {
            ingest,
            proofs: Data::new(proofs),
            instances,
            store,
            clock,
            max_bytes,
            proven_room: room(config.ingest_queue_bytes.max(max_bytes)),
            unproven_room: room(max_bytes),
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
    (status = 401, description = "no valid proof, or of another instance"),
    (status = 408, description = "the body did not arrive in time; send again"),
    (status = 413), (status = 415),
    (status = 422, description = "an ending that could not be committed and must not be sent again"),
    (status = 503, description = "could not commit now; send again")))]
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
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer)))]
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
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer)))]
#[post("/api/webhook/evolution")]
async fn evolution(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, by event
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, params(("event" = String, Path)), responses((status = 200, body = Answer)))]
#[post("/api/webhook/evolution/{event}")]
async fn evolution_by_event(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, under source 004's first name for it
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, responses((status = 200, body = Answer)))]
#[post("/api/webhook/whatsapp")]
async fn whatsapp(
    request: HttpRequest,
    body: web::Payload,
    intake: Data<Intake>,
) -> Result<web::Json<Answer>, Problem> {
    receive(&request, None, body, &intake).await
}

/// Webhook of any instance, under source 004's first name for it, by event
#[utoipa::path(tag = "webhooks", request_body = serde_json::Value, params(("event" = String, Path)), responses((status = 200, body = Answer)))]
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
    body: web::Payload,
    intake: &Intake,
) -> Result<web::Json<Answer>, Problem> {
    let received = intake.clock.now();
    let presented = presented(request);
    let early = match intake.proofs.check(presented, expected.as_ref(), received) {
        // A key of one instance proves nothing until the body names that instance.
        Err(refusal) if expected.is_some() || !matches!(refusal, Error::ProofInvalid(_)) => {
            return Err(refuse(intake, expected.as_ref(), refusal).await.into());
        }
        early => early,
    };
    if let Err(unsupported) = require_plain_json(request) {
        return Err(early.err().unwrap_or(unsupported).into());
    }
    let room = if early.is_ok() { &intake.proven_room } else { &intake.unproven_room };
    let reading = tokio::time::timeout(BODY_PATIENCE, read_body(body, intake.max_bytes, room));
    let (bytes, size, _room) = reading.await.map_err(|_| Error::BodyTimeout)??;
    let too_large = size > intake.max_bytes;
    let (proof, expected) = match early {
        Ok(proof) => (proof, expected),
        // Nothing of an unproven body is kept, and its faults are not explained.
        Err(_) if too_large => return Err(Error::TooLarge { limit_bytes: intake.max_bytes }.into()),
        Err(_) => prove_by_body(&bytes, presented, intake, received).await?,
    };
    let understood = if too_large {
        Err(Error::TooLarge { limit_bytes: intake.max_bytes })
    } else {
        webhook::parse(&bytes, expected.as_ref(), proof.issued_at)
    };
    let webhook = match understood {
        Ok(webhook) => webhook,
        Err(mismatch @ Error::InstanceMismatch) => {
            return Err(refuse(intake, expected.as_ref(), mismatch).await.into());
        }
        Err(cause) => {
            let size = announced(request).unwrap_or(size).max(size);
            letters::keep(&intake.store, &cause, request.path(), expected.as_ref(), &bytes, size, received).await;
            return Err(if too_large { refuse(intake, expected.as_ref(), cause).await } else { cause }.into());
        }
    };
    Ok(web::Json(intake.ingest.accept(webhook, received).await?.into()))
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

/// How long a sender may take over its body: twice Evolution's default timeout (CONTRACT §1.3).
const BODY_PATIENCE: Duration = Duration::from_mins(1);

fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole body, at most `max_bytes` of which are kept, and says how long it was. Of one that is too large the
/// rest is read and thrown away, within reason, so that the sender sees the answer. What is kept takes its place in
/// `room` until the webhook is answered, so that many large bodies at once can't use up the memory.
async fn read_body(
    mut body: web::Payload,
    max_bytes: usize,
    room: &Arc<Semaphore>,
) -> Result<(Bytes, usize, Option<OwnedSemaphorePermit>), Error> {
    let (mut kept, mut size, mut held) = (BytesMut::new(), 0usize, None::<OwnedSemaphorePermit>);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Error::NotJson(String::from("the body was cut short")))?;
        size += piece.len();
        if size > max_bytes.saturating_mul(2) {
            break;
        }
        let fitting = piece.slice(..piece.len().min(max_bytes - kept.len()));
        let weight = u32::try_from(fitting.len()).map_err(|_| Error::Overloaded)?;
        let more = Arc::clone(room).try_acquire_many_owned(weight).map_err(|_| Error::Overloaded)?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        kept.extend_from_slice(&fitting);
    }
    Ok((kept.freeze(), size, held))
}

/// Proves a webhook by the key of the instance that its body names.
async fn prove_by_body(
    bytes: &Bytes,
    presented: Presented<'_>,
    intake: &Intake,
    now: Millis,
) -> Result<(Proof, Option<InstanceName>), Error> {
    let named = webhook::named_instance(bytes);
    match intake.proofs.check(presented, named.as_ref(), now) {
        Ok(proof) => Ok((proof, named)),
        Err(refusal) => Err(refuse(intake, named.as_ref(), refusal).await),
    }
}

/// A refusal is final for Evolution: the operator must hear of it when the instance is one of ours.
async fn refuse(intake: &Intake, instance: Option<&InstanceName>, refusal: Error) -> Error {
    intake.instances.alert_refusal(instance, &refusal, intake.clock.now()).await;
    refusal
}
