//! What an error looks like from outside: RFC 9457 problem+json. The only table of statuses.

use std::error::Error as _;
use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::error::{JsonPayloadError, QueryPayloadError};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Serialize;
use serde_json::error::Category;
use tracing::{error, warn};
use utoipa::ToSchema;

use crate::domain::error::Error;

/// After how long to try again what failed for a reason of ours.
const RETRY_SOON: Duration = Duration::from_secs(5);
/// Largest JSON body of the API; webhooks and sessions have limits of their own.
const MAX_JSON_BYTES: usize = 256 * 1024;

/// An [`Error`] on its way out.
#[derive(Debug)]
pub struct Problem(pub Error);

/// `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `/problems/` and the code.
    #[schema(value_type = String, example = "/problems/not_yours")]
    pub r#type: String,
    pub title: &'static str,
    pub status: u16,
    /// What happened this time, for people.
    pub detail: String,
    /// Stable name of the problem, for programs.
    #[schema(value_type = String, example = "not_yours")]
    pub code: &'static str,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status_and_title(&self.0).0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, title) = status_and_title(&self.0);
        let code = self.0.code();
        if status.is_server_error() {
            log(&self.0, status);
        }
        let body = ProblemBody {
            r#type: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail: detail(&self.0, status, title),
            code,
        };
        let mut response = HttpResponse::build(status);
        if let Some(wait) = retry_after(&self.0, status) {
            // Whole seconds, rounded up: a client that obeys is let in.
            let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, secs.max(1)));
        }
        if let Some(challenge) = challenge(&self.0) {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        let text = serde_json::to_string(&body).unwrap_or_default();
        response.content_type("application/problem+json").body(text)
    }
}

/// The one table of statuses and titles.
const fn status_and_title(error: &Error) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match error {
        Error::BadInput { .. } => (S::BAD_REQUEST, "A value in the request is not valid"),
        Error::NotJson(_) => (S::BAD_REQUEST, "The body is not JSON"),
        Error::NoEvent => (S::BAD_REQUEST, "The webhook names no event"),
        Error::NoInstance => (S::BAD_REQUEST, "The webhook names no instance"),
        Error::CredentialsMissing => (S::UNAUTHORIZED, "Credentials are missing"),
        Error::CredentialsInvalid(_) => (S::UNAUTHORIZED, "The credentials are not valid"),
        Error::CredentialsExpired => (S::UNAUTHORIZED, "The credentials expired"),
        Error::ProofMissing => (S::UNAUTHORIZED, "The webhook carries no proof"),
        Error::ProofInvalid(_) => (S::UNAUTHORIZED, "The webhook's proof is not valid"),
        Error::InstanceMismatch => (S::UNAUTHORIZED, "The webhook is for another instance"),
        Error::NotYours => (S::FORBIDDEN, "That belongs to somebody else"),
        Error::AdminOnly => (S::FORBIDDEN, "Only an operator may do that"),
        Error::ScopeMissing(_) => (S::FORBIDDEN, "The token lacks a scope"),
        Error::ForeignOrigin => (S::FORBIDDEN, "This origin is not allowed"),
        Error::NotFound(_) => (S::NOT_FOUND, "Not found"),
        Error::NotPossible(_) => (S::CONFLICT, "Not possible now"),
        Error::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, "This method is not allowed here"),
        Error::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "The body is too large"),
        Error::BodyTimeout => (S::REQUEST_TIMEOUT, "The body took too long"),
        Error::UnsupportedMedia(_) => (S::UNSUPPORTED_MEDIA_TYPE, "The body's type is not supported"),
        Error::TooManyRequests { .. } => (S::TOO_MANY_REQUESTS, "Too many requests"),
        Error::EndingNotStored => (S::UNPROCESSABLE_ENTITY, "The ending could not be stored"),
        Error::Overloaded => (S::SERVICE_UNAVAILABLE, "Overloaded"),
        Error::DiskNearlyFull => (S::SERVICE_UNAVAILABLE, "The disk is nearly full"),
        Error::QuarantineFull => (S::SERVICE_UNAVAILABLE, "The quarantine is full"),
        Error::Stopping => (S::SERVICE_UNAVAILABLE, "The server is stopping"),
        Error::Store { .. } => (S::SERVICE_UNAVAILABLE, "The store is not available"),
        Error::EvolutionUnreachable { .. } => (S::SERVICE_UNAVAILABLE, "Evolution API can't be reached"),
        Error::EvolutionRefused(_) => (S::BAD_GATEWAY, "Evolution API refused"),
        Error::EvolutionNotConfigured => (S::SERVICE_UNAVAILABLE, "Evolution API is not configured"),
        Error::KeySetUnreachable(_) => (S::SERVICE_UNAVAILABLE, "The identity provider's keys could not be read"),
        Error::Internal(_) => (S::INTERNAL_SERVER_ERROR, "Internal error"),
    }
}

/// A fault of ours is told by its title alone: what lies behind it is for the log.
fn detail(error: &Error, status: StatusCode, title: &str) -> String {
    match status {
        // What Evolution lacks is for whoever runs it to read.
        _ if error.code().starts_with("evolution_") => error.to_string().trim_end().to_owned(),
        StatusCode::INTERNAL_SERVER_ERROR => format!("{title}. The log of the server knows more."),
        _ if status.is_server_error() => format!("{title}. Try again in a moment."),
        _ => error.to_string(),
    }
}

fn retry_after(error: &Error, status: StatusCode) -> Option<Duration> {
    match error {
        Error::TooManyRequests { retry_after } | Error::EvolutionUnreachable { retry_after, .. } => Some(*retry_after),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_SOON),
        _ => None,
    }
}

/// RFC 6750: what a caller without (good) credentials is asked for.
const fn challenge(error: &Error) -> Option<&'static str> {
    match error {
        Error::CredentialsMissing => Some("Bearer"),
        Error::CredentialsInvalid(_) | Error::CredentialsExpired => Some("Bearer error=\"invalid_token\""),
        _ => None,
    }
}

fn log(error: &Error, status: StatusCode) {
    let mut causes = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        next = cause.source();
    }
    let (code, status) = (error.code(), status.as_u16());
    if matches!(error, Error::Store { .. } | Error::KeySetUnreachable(_) | Error::Internal(_)) {
        error!(error.code = code, http.status = status, "a request failed: {error}{causes}");
    } else {
        warn!(error.code = code, http.status = status, "a request was put off: {error}{causes}");
    }
}

/// JSON bodies: at most 256 KiB, `application/json` only, faults as problems.
pub fn json_config() -> web::JsonConfig {
    web::JsonConfig::default().limit(MAX_JSON_BYTES).error_handler(|fault, _| Problem(of_json(&fault)).into())
}

/// Query parameters, faults as problems.
pub fn query_config() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|fault, _| {
        let problem = match &fault {
            QueryPayloadError::Deserialize(what) => without_values(&what.to_string()),
            _ => "is not readable".to_owned(),
        };
        Problem(Error::BadInput { field: "query", problem }).into()
    })
}

/// Path parameters, faults as problems.
pub fn path_config() -> web::PathConfig {
    web::PathConfig::default()
        .error_handler(|_, _| Problem(Error::bad_input("path", "has a part of the wrong form")).into())
}

/// The answer where no route fits: 405 when the address is known with another method, else 404. For
/// `App::default_service`.
///
/// # Errors
/// Always.
#[expect(clippy::needless_pass_by_value, reason = "actix hands a handler its arguments by value")]
pub fn no_route(request: HttpRequest) -> Ready<Result<HttpResponse, Problem>> {
    ready(Err(Problem(match request.match_pattern() {
        Some(_) => Error::MethodNotAllowed(request.method().to_string()),
        None => Error::NotFound("address"),
    })))
}

fn of_json(fault: &JsonPayloadError) -> Error {
    match fault {
        JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
            Error::TooLarge { limit_bytes: *limit }
        }
        JsonPayloadError::ContentType => Error::UnsupportedMedia("the body must be application/json"),
        JsonPayloadError::Deserialize(what) => match what.classify() {
            Category::Data => Error::BadInput { field: "body", problem: without_values(&what.to_string()) },
            _ => Error::NotJson(what.to_string()),
        },
        _ => Error::BadInput { field: "body", problem: "could not be read".to_owned() },
    }
}

/// What a deserialiser complains about, but not the value it quotes: problems are logged, and the value may be anything.
fn without_values(complaint: &str) -> String {
    let wanted = complaint.rsplit_once(", expected ").map(|(_, wanted)| format!("does not fit: expected {wanted}"));
    match wanted {
        Some(wanted) => wanted,
        None if complaint.starts_with("missing field") => format!("does not fit: {complaint}"),
        None => "does not fit".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;
    use actix_web::{App, post};
    use serde::Deserialize;
    use serde_json::Value;

    /// One of each; the match makes the compiler ask for a new one here.
    fn every_error() -> Vec<Error> {
        let all = vec![
            Error::bad_input("userId", "is empty"),
            Error::NotJson("expected value at line 1 column 1".to_owned()),
            Error::NoEvent,
            Error::NoInstance,
            Error::CredentialsMissing,
            Error::CredentialsInvalid("the token has no exp"),
            Error::CredentialsExpired,
            Error::ProofMissing,
            Error::ProofInvalid("it was signed too long ago"),
            Error::InstanceMismatch,
            Error::NotYours,
            Error::AdminOnly,
            Error::ScopeMissing("sessions"),
            Error::ForeignOrigin,
            Error::NotFound("instance"),
            Error::NotPossible("that can't happen now"),
            Error::MethodNotAllowed("PUT".to_owned()),
            Error::TooLarge { limit_bytes: 1024 },
            Error::BodyTimeout,
            Error::UnsupportedMedia("the body must be application/json"),
            Error::TooManyRequests { retry_after: Duration::from_millis(1200) },
            Error::EndingNotStored,
            Error::Overloaded,
            Error::DiskNearlyFull,
            Error::QuarantineFull,
            Error::Stopping,
            Error::store("reading", "secret cause"),
            Error::EvolutionUnreachable {
                advice: "Check the host name.".to_owned(),
                retry_after: Duration::from_secs(30),
            },
            Error::EvolutionRefused("Set the key.".to_owned()),
            Error::EvolutionNotConfigured,
            Error::KeySetUnreachable("secret cause".into()),
            Error::Internal("secret cause"),
        ];
        for error in &all {
            match error {
                Error::BadInput { .. }
                | Error::NotJson(_)
                | Error::NoEvent
                | Error::NoInstance
                | Error::CredentialsMissing
                | Error::CredentialsInvalid(_)
                | Error::CredentialsExpired
                | Error::ProofMissing
                | Error::ProofInvalid(_)
                | Error::InstanceMismatch
                | Error::NotYours
                | Error::AdminOnly
                | Error::ScopeMissing(_)
                | Error::ForeignOrigin
                | Error::NotFound(_)
                | Error::NotPossible(_)
                | Error::MethodNotAllowed(_)
                | Error::TooLarge { .. }
                | Error::BodyTimeout
                | Error::UnsupportedMedia(_)
                | Error::TooManyRequests { .. }
                | Error::EndingNotStored
                | Error::Overloaded
                | Error::DiskNearlyFull
                | Error::QuarantineFull
                | Error::Stopping
                | Error::Store { .. }
                | Error::EvolutionUnreachable { .. }
                | Error::EvolutionRefused(_)
                | Error::EvolutionNotConfigured
                | Error::KeySetUnreachable(_)
                | Error::Internal(_) => {}
            }
        }
        all
    }

    async fn answer(error: Error) -> String {
        let response = Problem(error).error_response();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (retry, challenge) = (header(header::RETRY_AFTER), header(header::WWW_AUTHENTICATE));
        assert_eq!(header(header::CONTENT_TYPE).as_deref(), Some("application/problem+json"));
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
        assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().unwrap()));
        let extra =
            retry.map(|s| format!(" · retry after {s}")).into_iter().chain(challenge.map(|c| format!(" · {c}")));
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        format!(
            "{} {} | {} | {}{}",
            body["status"],
            text("code"),
            text("title"),
            text("detail"),
            extra.collect::<String>()
        )
    }

    #[actix_web::test]
    async fn every_error_has_its_status_and_none_shows_a_cause() {
        let mut table = Vec::new();
        for error in every_error() {
            table.push(answer(error).await);
        }

        assert!(table.iter().all(|line| !line.contains("secret cause")));
        insta::assert_snapshot!(table.join("\n"), @r#"
        400 bad_input | A value in the request is not valid | `userId` is empty
        400 not_json | The body is not JSON | the body is not valid JSON: expected value at line 1 column 1
        400 no_event | The webhook names no event | the webhook names no event
        400 no_instance | The webhook names no instance | neither the path nor the body names an instance
        401 credentials_missing | Credentials are missing | credentials are missing · Bearer
        401 credentials_invalid | The credentials are not valid | the credentials are not valid: the token has no exp · Bearer error="invalid_token"
        401 credentials_expired | The credentials expired | the credentials expired or were revoked · Bearer error="invalid_token"
        401 webhook_proof_missing | The webhook carries no proof | the webhook carries no proof that it comes from this installation's Evolution API
        401 webhook_proof_invalid | The webhook's proof is not valid | the webhook's proof is not valid: it was signed too long ago
        401 instance_mismatch | The webhook is for another instance | the path and the body name different instances
        403 not_yours | That belongs to somebody else | that belongs to somebody else
        403 admin_only | Only an operator may do that | only an operator may do that
        403 scope_missing | The token lacks a scope | the token lacks the scope `sessions`
        403 foreign_origin | This origin is not allowed | requests from this origin are not allowed
        404 not_found | Not found | there is no such instance
        409 not_possible | Not possible now | that can't happen now
        405 method_not_allowed | This method is not allowed here | this address doesn't know the method PUT
        413 too_large | The body is too large | the body is larger than 1024 bytes
        408 body_timeout | The body took too long | the body did not arrive whole and in time
        415 unsupported_media | The body's type is not supported | the body must be application/json
        429 too_many_requests | Too many requests | too many requests · retry after 2
        422 ending_not_stored | The ending could not be stored | this ending could not be stored and must not be sent again
        503 overloaded | Overloaded | Overloaded. Try again in a moment. · retry after 5
        503 disk_nearly_full | The disk is nearly full | The disk is nearly full. Try again in a moment. · retry after 5
        503 quarantine_full | The quarantine is full | The quarantine is full. Try again in a moment. · retry after 5
        503 stopping | The server is stopping | The server is stopping. Try again in a moment. · retry after 5
        503 store_unavailable | The store is not available | The store is not available. Try again in a moment. · retry after 5
        503 evolution_unreachable | Evolution API can't be reached | Evolution can't be reached. Check the host name. · retry after 30
        502 evolution_refused | Evolution API refused | Evolution refused. Set the key.
        503 evolution_not_configured | Evolution API is not configured | EVOLUTION_API_URL is not set on this server, so nothing can be asked of Evolution · retry after 5
        503 key_set_unreachable | The identity provider's keys could not be read | The identity provider's keys could not be read. Try again in a moment. · retry after 5
        500 internal | Internal error | Internal error. The log of the server knows more.
        "#);
    }

    #[derive(Deserialize)]
    struct Body {
        #[expect(dead_code, reason = "only its type matters")]
        number: u32,
    }

    #[post("/body")]
    async fn takes_body(_: web::Json<Body>) -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    #[test]
    fn a_complaint_says_what_was_expected_and_never_what_came() {
        let complaint = |json| without_values(&serde_json::from_str::<Body>(json).err().unwrap().to_string());

        assert_eq!(complaint(r#"{"number":"5511, expected x"}"#), "does not fit: expected u32 at line 1 column 28");
        assert_eq!(complaint("{}"), "does not fit: missing field `number` at line 1 column 2");
        assert_eq!(without_values("unknown field `5511`"), "does not fit");
    }

    async fn posted(content_type: &'static str, body: impl Into<web::Bytes>) -> (u16, String) {
        let app = App::new().app_data(json_config()).service(takes_body).default_service(web::to(no_route));
        let app = actix_web::test::init_service(app).await;
        let request = TestRequest::post().uri("/body").insert_header((header::CONTENT_TYPE, content_type));
        let response = actix_web::test::call_service(&app, request.set_payload(body).to_request()).await;
        let status = response.status().as_u16();
        if status == 200 {
            return (status, String::new());
        }
        let body: Value = actix_web::test::read_body_json(response).await;
        (status, body["code"].as_str().unwrap().to_owned())
    }

    #[actix_web::test]
    async fn a_faulty_body_is_a_problem_that_tells_what_is_wrong() {
        let json = "application/json";

        assert_eq!(posted(json, r#"{"number":1}"#).await, (200, String::new()));
        assert_eq!(posted(json, "{").await, (400, "not_json".to_owned()));
        assert_eq!(posted(json, r#"{"number":"x"}"#).await, (400, "bad_input".to_owned()));
        assert_eq!(posted("text/plain", r#"{"number":1}"#).await, (415, "unsupported_media".to_owned()));
        assert_eq!(posted(json, vec![b' '; MAX_JSON_BYTES + 1]).await, (413, "too_large".to_owned()));
    }

    #[actix_web::test]
    async fn an_unknown_address_is_404_and_a_known_one_with_another_method_405() {
        let app = App::new().service(takes_body).default_service(web::to(no_route));
        let app = actix_web::test::init_service(app).await;

        for (path, status, code) in [("/nowhere", 404, "not_found"), ("/body", 405, "method_not_allowed")] {
            let response = actix_web::test::call_service(&app, TestRequest::get().uri(path).to_request()).await;
            assert_eq!(response.status().as_u16(), status);
            let body: Value = actix_web::test::read_body_json(response).await;
            assert_eq!(body["code"], code);
        }
    }
}
