//! A handler that panics answers 500 and harms nobody else.

use std::panic::AssertUnwindSafe;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use futures_util::FutureExt;
use tracing::error;

use super::problem::Problem;
use crate::domain::error::Error as DomainError;

/// Middleware: turns a panic into a problem of our own.
///
/// # Errors
/// Those of the handler.
pub async fn catch<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    AssertUnwindSafe(next.call(request)).catch_unwind().await.unwrap_or_else(|_| {
        error!("a handler panicked");
        Err(Problem::from(DomainError::Internal("the request could not be handled")).into())
    })
}
