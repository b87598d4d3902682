//! Evolution's POST: who sent it, how large and of what type, then its bytes go to ingest, and the answer comes once
//! they are on disk. The answers are a contract: Evolution re-sends on 5xx and drops on 4xx (INTERFACE §3).

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Bytes, BytesMut, Data};
use actix_web::{HttpRequest, post};
use futures_util::StreamExt;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

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
    pub max_bytes: usize,
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
        Self { ingest, proofs: Data::new(proofs), instances, store, clock, max_bytes: config.webhook_max_bytes }
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
    let early = intake.proofs.check(presented, expected.as_ref(), received);
    let deferred = expected.is_none() && matches!(early, Err(Error::ProofInvalid(_)));
    if let (Err(refusal), false) = (early, deferred) {
        return Err(refuse(intake, expected.as_ref(), refusal).await.into());
    }
    require_plain_json(request)?;
    let bytes = read_body(request, body, intake, received).await?;
    let webhook = understand(request, &bytes, expected.as_ref(), presented, intake, received).await?;
    let verdict = intake.ingest.accept(webhook, received).await?;
    Ok(web::Json(verdict.into()))
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

/// How long a sender may take over one piece of its body.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);

/// Reads the whole body, or refuses it when it is larger than the limit: then the rest is read and thrown away, within
/// reason, so that the sender sees the answer, and the head goes to the dead letters.
async fn read_body(
    request: &HttpRequest,
    mut body: web::Payload,
    intake: &Intake,
    now: Millis,
) -> Result<Bytes, Error> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let mut kept = BytesMut::with_capacity(announced.unwrap_or(0).min(64 << 10));
    let mut size = 0usize;
    loop {
        let piece = tokio::time::timeout(PIECE_PATIENCE, body.next()).await;
        let Ok(Some(piece)) = piece else {
            if piece.is_err() {
                return Err(Error::NotJson(String::from("the body did not arrive in time")));
            }
            break;
        };
        let piece = piece.map_err(|_| Error::NotJson(String::from("the body was cut short")))?;
        size += piece.len();
        if size <= intake.max_bytes {
            kept.extend_from_slice(&piece);
        } else if size > intake.max_bytes.saturating_mul(2) {
            break;
        }
    }
    if size > intake.max_bytes {
        let cause = Error::TooLarge { limit_bytes: intake.max_bytes };
        let size = announced.unwrap_or(size).max(size);
        letters::keep(&intake.store, &cause, request.path(), &kept, size, now).await;
        intake.instances.alert_refusal(named_by(request, intake).as_ref(), &cause, now).await;
        return Err(cause);
    }
    Ok(kept.freeze())
}

fn named_by(request: &HttpRequest, intake: &Intake) -> Option<InstanceName> {
    let user = request.match_info().get("user_id")?;
    UserId::named_by_admin(user).ok().map(|user| intake.instances.name_of(&user))
}

/// Parses the body and makes sure that the proof covers the instance it names.
async fn understand(
    request: &HttpRequest,
    bytes: &Bytes,
    expected: Option<&InstanceName>,
    presented: Presented<'_>,
    intake: &Intake,
    now: Millis,
) -> Result<Webhook, Error> {
    let undivided = intake.proofs.check(presented, expected, now);
    let issued_at = undivided.as_ref().ok().and_then(|proof: &Proof| proof.issued_at);
    let mut webhook = match webhook::parse(bytes, expected, issued_at) {
        Ok(webhook) => webhook,
        // Nothing of an unproven body is kept, and its faults are not explained.
        Err(_) if undivided.is_err() => return Err(undivided.err().unwrap_or(Error::ProofMissing)),
        Err(mismatch @ Error::InstanceMismatch) => return Err(refuse(intake, expected, mismatch).await),
        Err(cause) => {
            letters::keep(&intake.store, &cause, request.path(), bytes, bytes.len(), now).await;
            return Err(cause);
        }
    };
    if undivided.is_err() {
        match intake.proofs.check(presented, Some(&webhook.instance), now) {
            Ok(proof) => webhook.emission.issued_at = proof.issued_at,
            Err(refusal) => return Err(refuse(intake, Some(&webhook.instance), refusal).await),
        }
    }
    Ok(webhook)
}

/// A refusal is final for Evolution: the operator must hear of it when the instance is one of ours.
async fn refuse(intake: &Intake, instance: Option<&InstanceName>, refusal: Error) -> Error {
    intake.instances.alert_refusal(instance, &refusal, intake.clock.now()).await;
    refusal
}
