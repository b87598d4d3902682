//! The door for programs and browsers: routes, who is let in, and what an error looks like. actix lives here; what is
//! decided is decided below.

pub mod api;
pub mod assets;
pub mod cors;
pub mod document;
pub mod door;
pub mod extract;
pub mod limits;
pub mod listening;
pub mod panics;
pub mod problem;
pub mod server;
pub mod session_cookie;
pub mod sockets;
pub mod span;
pub mod sse;
pub mod webhook;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::Data;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use self::api::session::IsDemo;

/// The whole route table; every route is described for `OpenAPI` where it is made. Fixed paths stand before those with a
/// parameter in the same place.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.configure(api::webhook_test::routes); // POST   /api/webhook/test
    cfg.configure(webhook::routes); //           POST   /api/webhook/user/{user_id}[/…], evolution[/…], whatsapp[/…]
    cfg.configure(api::whatsapp::routes); //     …      /api/whatsapp/connect, instance, reconnect, disconnect, scanned
    cfg.configure(api::instances::routes); //    …      /api/instances[/{id}[/reconnect]], /api/health/instances
    cfg.configure(api::migration::routes); //    …      /api/migration
    cfg.configure(api::live::routes); //         GET    /ws, /events, /api/events
    cfg.configure(api::tickets::routes); //      POST   /api/ws/ticket
    cfg.configure(api::session::routes); //      POST   /api/login, /api/logout · GET /api/me
    cfg.configure(api::tokens::routes); //       POST   /api/tokens, /api/users/{user_id}/revoke
    cfg.configure(api::aside::routes); //        …      /api/dead-letters[/…], /api/quarantine[/…]
    cfg.configure(api::operations::routes); //   GET    /health, /ready, /openapi.json
}

/// What every answer carries that says nothing else of it: tokens, codes to scan and people's messages stay in no cache,
/// nothing is guessed to be a page, and no address leaks to another site. The page's own files are stricter still.
pub fn hardening() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "zapgate", description = "The durable, multi-tenant gateway between Evolution API (WhatsApp) and your SaaS."),
    tags(
        (name = "webhooks", description = "What Evolution posts"),
        (name = "instances", description = "One WhatsApp connection per user"),
        (name = "live", description = "Frames as they come, recovered without gap or repeat"),
        (name = "identity", description = "Tokens, sign-in, tickets"),
        (name = "aside", description = "Dead letters and quarantine"),
        (name = "operations", description = "Health and this document"),
    ),
    components(schemas(problem::ProblemBody)),
    security(("bearer" = []))
)]
struct Document;

/// Routes that only some servers have, with the data they need: the demo's. They are mounted after all others.
#[derive(Clone)]
pub struct Extras(Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>);

impl Extras {
    pub fn new(mount: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        Self(Arc::new(mount))
    }
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Extras")
    }
}

pub fn mount(cfg: &mut ServiceConfig, extras: Option<&Extras>) {
    if let Some(Extras(mount)) = extras {
        cfg.app_data(Data::new(IsDemo));
        mount(cfg);
    }
}

/// The `OpenAPI` 3.1 document of all routes, as JSON.
///
/// # Errors
/// Never in practice: the document is made of plain data.
pub fn openapi_document(extras: Option<&Extras>) -> Result<String, serde_json::Error> {
    let app = actix_web::App::new().into_utoipa_app().openapi(Document::openapi()).configure(routes);
    let (_, mut document) = app.configure(|cfg| mount(cfg, extras)).split_for_parts();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    document::complete(&mut document);
    serde_json::to_string_pretty(&document)
}
