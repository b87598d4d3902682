//! The identity routes served on a free port, and what a client of them does.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use utoipa_actix_web::AppExt;
use zapgate::adapters::clock::Clock;
use zapgate::adapters::store::Store;
use zapgate::adapters::tasks::Tasks;
use zapgate::http::api::{session, tickets, tokens};
use zapgate::http::door::{Door, DoorConfig};
use zapgate::http::extract;
use zapgate::http::limits::LimitsConfig;
use zapgate::http::problem::{self, Problem};
use zapgate::services::identity::{Identity, IdentityConfig};

pub(crate) const ADMIN: &str = "operator-token-0123456789abcdef0123456789";
pub(crate) const JWT_SECRET: &str = "users-secret-0123456789abcdef0123456789";
pub(crate) const FRONTEND: &str = "https://app.example.com";

pub(crate) struct Front {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) identity: web::Data<Identity>,
    pub(crate) clock: Clock,
    config: IdentityConfig,
    limits: LimitsConfig,
    folder: Arc<TempDir>,
    tasks: Tasks,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Front {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut IdentityConfig)) -> Self {
        Self::fresh(change, LimitsConfig::default()).await
    }

    pub(crate) async fn limited(limits: LimitsConfig) -> Self {
        Self::fresh(|_| {}, limits).await
    }

    async fn fresh(change: impl FnOnce(&mut IdentityConfig), limits: LimitsConfig) -> Self {
        let mut config = IdentityConfig {
            admin_token: Some(ADMIN.into()),
            jwt_secret: Some(JWT_SECRET.into()),
            ..IdentityConfig::default()
        };
        change(&mut config);
        assert_eq!(config.validate(), Vec::<String>::new());
        Self::open(config, limits, Arc::new(TempDir::new().unwrap()), Clock::system()).await
    }

    /// The same installation opened anew: another process, or another node.
    pub(crate) async fn restart(&self) -> Self {
        self.restart_with(|_| {}).await
    }

    pub(crate) async fn restart_with(&self, change: impl FnOnce(&mut IdentityConfig)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        Self::open(config, self.limits, self.folder.clone(), self.clock.clone()).await
    }

    async fn open(config: IdentityConfig, limits: LimitsConfig, folder: Arc<TempDir>, clock: Clock) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        let identity = web::Data::new(Identity::open(&config, store, clock.clone()).await.unwrap());
        let door = DoorConfig {
            frontend_url: vec![FRONTEND.to_owned()],
            trusted_proxies: vec!["127.0.0.1".to_owned(), "10.0.0.0/8".to_owned()],
        };
        let door = web::Data::new(Door::new(&door, limits));
        let (tasks, shared) = (Tasks::default(), identity.clone());
        let base = serve(&tasks, move |cfg| {
            cfg.app_data(shared.clone()).app_data(door.clone()).app_data(problem::json_config());
            cfg.route("/live", web::get().to(live));
        });
        Self { base, http: reqwest::Client::new(), identity, clock, config, limits, folder, tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Value) {
        answer(with_headers(self.http.get(self.url(path)), headers)).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
        answer(with_headers(self.http.post(self.url(path)).json(body), headers)).await
    }

    /// Who the bearer is; must be somebody.
    pub(crate) async fn me(&self, token: &str) -> Value {
        let (status, me) = self.get("/api/me", &[("authorization", &bearer(token))]).await;
        assert_eq!(status, StatusCode::OK, "{me}");
        me
    }

    /// A token of an hour, as the SaaS's backend orders it.
    pub(crate) async fn mint(&self, user: &str) -> String {
        let order = json!({"userId": user, "ttlS": 3600});
        let (status, minted) = self.post("/api/tokens", &[("authorization", &bearer(ADMIN))], &order).await;
        assert_eq!(status, StatusCode::OK, "{minted}");
        minted["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn login_code(&self) -> String {
        let code = self.identity.make_login_code(Duration::from_mins(10)).await.unwrap();
        code.expose_secret().to_owned()
    }

    /// The `Set-Cookie` of a login.
    pub(crate) async fn login(&self, body: &Value) -> Result<String, StatusCode> {
        self.login_with(&[], body).await
    }

    pub(crate) async fn login_with(&self, headers: &[(&str, &str)], body: &Value) -> Result<String, StatusCode> {
        let request = with_headers(self.http.post(self.url("/api/login")).json(body), headers);
        let response = request.send().await.unwrap();
        match response.status().as_u16() {
            200 => Ok(response.headers()["set-cookie"].to_str().unwrap().to_owned()),
            status => Err(StatusCode::from_u16(status).unwrap()),
        }
    }

    pub(crate) async fn ticket(
        &self,
        token: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<String, StatusCode> {
        let authorization = bearer(token);
        let headers: Vec<_> = headers.iter().copied().chain([("authorization", &*authorization)]).collect();
        match self.post("/api/ws/ticket", &headers, body).await {
            (StatusCode::OK, sold) => Ok(sold["ticket"].as_str().unwrap().to_owned()),
            (status, _) => Err(status),
        }
    }
}

/// Stands for the live routes: whom they would serve.
async fn live(request: HttpRequest) -> Result<web::Json<Value>, Problem> {
    let (caller, channel, protocol) = extract::live_caller(&request).await?;
    Ok(web::Json(json!({
        "admin": caller.admin,
        "user": caller.user.map(|user| user.to_string()),
        "expiresAt": caller.expires_at.map(|end| end.to_string()),
        "channel": channel.map(|channel| channel.to_string()),
        "protocol": protocol,
    })))
}

/// Serves the identity routes and `extra` on a free port until the tasks are cancelled; answers the base URL.
pub(crate) fn serve<F>(tasks: &Tasks, extra: F) -> String
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = HttpServer::new(move || {
        App::new()
            .into_utoipa_app()
            .configure(session::routes)
            .configure(tokens::routes)
            .configure(tickets::routes)
            .into_app()
            .configure(extra.clone())
            .default_service(web::to(problem::no_route))
    });
    let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    tasks.spawn("server", |_| async move { server.await.unwrap() });
    tasks.spawn("stop", |stop| async move {
        stop.cancelled().await;
        handle.stop(false).await;
    });
    base
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// `name=value` of a `Set-Cookie`.
pub(crate) fn pair(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap()
}

/// Seconds since the epoch, so far from now.
pub(crate) fn in_secs(secs: i64) -> i64 {
    Clock::system().now().as_secs() + secs
}

pub(crate) fn hs256(claims: &Value, secret: &str) -> String {
    signed(claims, secret, Algorithm::HS256)
}

pub(crate) fn signed(claims: &Value, secret: &str, algorithm: Algorithm) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

pub(crate) fn critical(claims: &Value, secret: &str) -> String {
    let header = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

pub(crate) fn unsigned(claims: &Value, algorithm: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": algorithm, "typ": "JWT"})), part(claims))
}

fn with_headers(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> reqwest::RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
}
