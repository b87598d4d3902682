//! Which pages of other origins may call: those of `FRONTEND_URL`, and nobody else.

use actix_cors::Cors;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use super::problem::Problem;
use crate::domain::error::Error as DomainError;

/// CORS for exactly these origins.
pub fn allowing(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .allowed_header("idempotency-key")
        .allowed_header("last-event-id")
        .expose_headers([header::RETRY_AFTER])
        .supports_credentials()
        // The origin check of cookies and sockets has its own answers (`door.rs`); here nothing but headers is decided.
        .block_on_origin_mismatch(false)
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Middleware around [`allowing`]: a refused preflight is a problem like any other refusal.
///
/// # Errors
/// Those of the handler.
pub async fn explained<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let answer = next.call(request).await?;
    let refused = answer.request().method() == Method::OPTIONS && answer.status() == StatusCode::BAD_REQUEST;
    if !refused {
        return Ok(answer.map_into_left_body());
    }
    let problem = Problem::from(DomainError::ForeignOrigin).error_response();
    Ok(answer.into_response(problem).map_into_right_body())
}
