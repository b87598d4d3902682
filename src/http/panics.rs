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

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, HttpServer, web};
    use serde_json::Value;

    use crate::adapters::tasks::Tasks;

    async fn sound() -> HttpResponse {
        HttpResponse::Ok().finish()
    }

    async fn panicking() -> HttpResponse {
        panic!("a secret detail")
    }

    #[actix_web::test]
    async fn a_panic_is_answered_with_a_problem_that_tells_nothing_and_the_next_request_is_served() {
        crate::adapters::tls::install();
        let server = HttpServer::new(|| {
            App::new()
                .wrap(from_fn(super::catch))
                .route("/sound", web::get().to(sound))
                .route("/panicking", web::get().to(panicking))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let (tasks, running) = (Tasks::default(), server.run());
        tasks.spawn("server", |_| async move { running.await.unwrap() });

        for _ in 0..3 {
            let answer = reqwest::get(format!("{base}/panicking")).await.unwrap();
            let (status, kind) = (answer.status().as_u16(), answer.headers()["content-type"].clone());
            let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let sound = reqwest::get(format!("{base}/sound")).await.unwrap();

            assert_eq!(
                (status, kind.to_str().unwrap(), &problem["code"]),
                (500, "application/problem+json", &"internal".into())
            );
            assert!(!problem.to_string().contains("secret"), "{problem}");
            assert_eq!(sound.status().as_u16(), 200);
        }
        tasks.cancel();
    }
}
