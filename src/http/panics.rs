//! A handler that panics answers 500 and harms nobody else.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use futures_util::FutureExt;
use tracing::error;

use super::problem::Problem;
use crate::domain::error::Error as DomainError;

/// Middleware: turns a panic into a problem of our own.
///
/// # Errors
/// Those of the handler.
pub async fn catch<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let http = request.request().clone();
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer.map(ServiceResponse::map_into_boxed_body),
        Err(_) => {
            error!(http.route = http.match_pattern(), "a handler panicked");
            let problem = Problem::from(DomainError::Internal("the request could not be handled"));
            Ok(ServiceResponse::new(http, problem.error_response()))
        }
    }
}
