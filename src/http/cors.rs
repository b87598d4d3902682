//! Which pages of other origins may call: those of `FRONTEND_URL`, and nobody else.

use actix_cors::Cors;
use actix_web::http::header;

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
