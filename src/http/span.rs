//! One span per request, with an id that its log lines share. Only the route's pattern is kept: a path can hold names,
//! a query a ticket.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::{Span, debug, field, info_span};
use tracing_actix_web::{RequestId, RootSpanBuilder};

/// Builds the span of a request.
#[derive(Debug)]
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        info_span!(
            "request",
            request.id = request.extensions().get::<RequestId>().map(field::display),
            http.method = %request.method(),
            http.route = request.match_pattern().unwrap_or_else(|| String::from("unknown")),
            http.status = field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status", status.as_u16());
        span.in_scope(|| debug!("answered {}", status.as_u16()));
    }
}
