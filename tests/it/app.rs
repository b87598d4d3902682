//! The real program on a free port with a database of its own, and what its users do to it: Evolution posts webhooks,
//! browsers listen, operators ask.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use clap::Parser;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use zapgate::adapters::clock::Clock;
use zapgate::app::App;
use zapgate::config::Settings;
use zapgate::domain::ids::{InstanceName, UserId};
use zapgate::domain::time::Millis;
use zapgate::http::sockets::Patience;
use zapgate::services::ingest::proof::Proofs;

use crate::recorded::Post;
use crate::socket::Socket;

pub const ADMIN: &str = "admin-token-of-the-tests-0123456789abcdef";
pub const JWT_SECRET: &str = "jwt-secret-of-the-tests-0123456789abcdef";
pub const WEBHOOK_SECRET: &str = "webhook-secret-of-the-tests-0123456789";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// A running server.
pub struct TestApp {
    pub url: String,
    pub clock: Clock,
    pub http: reqwest::Client,
    folder: TempDir,
    settings: Settings,
    patience: Patience,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<()>>,
}

/// An answer as a test looks at it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
}

impl Answer {
    /// `code` of a problem.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or("")
    }

    /// `seq` of a webhook's answer.
    pub fn seq(&self) -> i64 {
        self.json["seq"].as_i64().unwrap_or_else(|| panic!("no seq in {} {}", self.status, self.json))
    }

    /// `status` of a webhook's answer: stored, duplicate, folded, quarantined.
    pub fn verdict(&self) -> &str {
        self.json["status"].as_str().unwrap_or("")
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A server with settings of one's own.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_patient(change, Patience::default()).await
    }

    /// A server whose sockets wait as long as `patience` says.
    pub async fn start_patient(change: impl FnOnce(&mut Settings), patience: Patience) -> Self {
        let mut app = Self::new(change, patience);
        app.run().await;
        app
    }

    /// The users of a server that runs elsewhere, at `url`, with the secrets of the tests.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::new(|_| {}, Patience::default()) }
    }

    /// The settings of the tests, over a database in `folder`.
    pub fn settings(folder: &Path) -> Settings {
        let mut settings = Arguments::parse_from(["zapgate"]).settings;
        settings.listen.port = 0;
        settings.database_url = format!("sqlite://{}", folder.join("zapgate.db").display());
        settings.identity.admin_token = Some(SecretString::from(ADMIN));
        settings.identity.jwt_secret = Some(SecretString::from(JWT_SECRET));
        settings.proof.webhook_secret = vec![SecretString::from(WEBHOOK_SECRET)];
        settings.ingest.disk_floor_percent = 0;
        settings.limits.rate_caller_per_s = 100_000;
        settings.shutdown_grace_s = 5;
        settings
    }

    fn new(change: impl FnOnce(&mut Settings), patience: Patience) -> Self {
        zapgate::adapters::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Self::settings(folder.path());
        change(&mut settings);
        Self {
            url: String::new(),
            clock: Clock::system(),
            http: reqwest::Client::new(),
            folder,
            settings,
            patience,
            running: None,
        }
    }

    async fn run(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let app = App::build_with(self.settings.clone(), listener, self.clock.clone(), self.patience).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = actix_web::rt::spawn(app.run(async move {
            let _ = stopped.await;
        }));
        self.running = Some(Running { stop, ended });
    }

    /// Stops in order and waits for the end.
    pub async fn stop(&mut self) {
        let running = self.running.take().expect("it runs");
        let _ = running.stop.send(());
        running.ended.await.unwrap().unwrap();
    }

    /// Stops and starts again over the same files, on another port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.run().await;
    }

    /// The folder of the database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A second connection to the database, to look at it or to break it.
    pub async fn database(&self) -> sqlx::SqlitePool {
        sqlx::SqlitePool::connect(&self.settings.database_url).await.unwrap()
    }

    // ── Evolution ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// What Evolution's `jwt_key` of an instance is.
    pub fn key_of(&self, instance: &str) -> SecretString {
        let proofs = Proofs::new(&self.settings.proof, vec![SecretString::from(WEBHOOK_SECRET)]);
        proofs.key_for(&InstanceName::parse(instance).unwrap()).unwrap()
    }

    /// A proof as Evolution signs it, issued `ago` before now.
    pub fn proof(&self, key: &str, ago: Duration) -> String {
        Self::proof_issued_at(key, self.clock.now() - ago)
    }

    /// A proof as Evolution signs it; the same twice for the same second, as in its re-sends.
    pub fn proof_issued_at(key: &str, at: Millis) -> String {
        let issued_at = at.as_secs();
        let claims = json!({"iat": issued_at, "exp": issued_at + 600, "app": "evolution", "action": "webhook"});
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
    }

    /// Posts a body for a user's instance as Evolution would, proof included; `instance` in the body is made to fit.
    pub async fn evolution_posts(&self, user: &str, mut body: Value) -> Answer {
        let instance = instance_of(user);
        body["instance"] = json!(instance);
        self.evolution_posts_bytes(user, body.to_string().into_bytes()).await
    }

    /// As [`TestApp::evolution_posts`], with the bytes as they are.
    pub async fn evolution_posts_bytes(&self, user: &str, body: Vec<u8>) -> Answer {
        let proof = self.proof(self.key_of(&instance_of(user)).expose_secret(), Duration::ZERO);
        let request = self.http.post(format!("{}/api/webhook/user/{user}", self.url));
        answer(request.bearer_auth(proof).header("content-type", "application/json").body(body)).await
    }

    /// Posts what was recorded, bytes and headers as they were. Its proof is made for this server: a JWT of the second
    /// it was emitted where it had one, else the secret.
    pub async fn evolution_repeats(&self, user: &str, post: &Post) -> Answer {
        let path = if post.is_global { "evolution".into() } else { format!("user/{user}") };
        let mut request = self.http.post(format!("{}/api/webhook/{path}{}", self.url, post.by_event));
        for (name, value) in &post.headers {
            request = request.header(name, value);
        }
        let request = if post.is_signed {
            let key = self.key_of(&post.instance);
            request.bearer_auth(Self::proof_issued_at(key.expose_secret(), post.emitted()))
        } else {
            request.header("x-webhook-secret", WEBHOOK_SECRET)
        };
        answer(request.body(post.body.clone())).await
    }

    // ── the SaaS and its users ─────────────────────────────────────────────────────────────────────────────────────

    /// Makes the user's instance, as "Conectar WhatsApp" does. A user's name is also its id.
    pub async fn user(&self, user: &str) -> Answer {
        self.as_admin("POST", "/api/whatsapp/connect", json!({"userId": user})).await
    }

    /// As [`TestApp::user`], in an organisation.
    pub async fn user_in(&self, user: &str, org: &str) -> Answer {
        self.as_admin("POST", "/api/whatsapp/connect", json!({"userId": user, "organizationId": org})).await
    }

    /// Gives an instance an owner and tells who it is: `user_101` is 101's, another name is adopted by its namesake.
    pub async fn owner_of(&self, instance: &str) -> String {
        let owner = instance.strip_prefix("user_").unwrap_or(instance).to_owned();
        let release = format!("/api/quarantine/{instance}/release");
        let answer = self.as_admin("POST", &release, json!({"userId": owner})).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        owner
    }

    /// The user's instance as its owner reads it.
    pub async fn instance(&self, user: &str) -> Value {
        self.asks(&self.token(user, None), "GET", "/api/whatsapp/instance", Value::Null).await.json
    }

    /// The number of the last frame on a user's channel.
    pub async fn head_of(&self, user: &str) -> i64 {
        let socket = self.listen(user).await;
        let head = socket.hello_seq();
        socket.close().await;
        head
    }

    /// A user's token, good for an hour.
    pub fn token(&self, user: &str, org: Option<&str>) -> String {
        let now = self.clock.now().as_secs();
        let mut claims = json!({"sub": user, "iat": now, "exp": now + 3600});
        if let Some(org) = org {
            claims["org_id"] = json!(org);
        }
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
    }

    pub async fn as_admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.asks(ADMIN, method, path, body).await
    }

    /// A request with a bearer; a body of `null` is none.
    pub async fn asks(&self, bearer: &str, method: &str, path: &str, body: Value) -> Answer {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(bearer);
        answer(if body.is_null() { request } else { request.json(&body) }).await
    }

    // ── listeners ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// A user's socket, from now on.
    pub async fn listen(&self, user: &str) -> Socket {
        Socket::open(&self.url, "", &self.token(user, None)).await
    }

    /// A user's socket that wants what came after `since`.
    pub async fn listen_since(&self, user: &str, since: i64, epoch: &str) -> Socket {
        Socket::open(&self.url, &format!("since={since}&epoch={epoch}"), &self.token(user, None)).await
    }

    /// A member's socket on the organisation's channel.
    pub async fn listen_org(&self, user: &str, org: &str) -> Socket {
        Socket::open(&self.url, "channel=org", &self.token(user, Some(org))).await
    }

    /// An operator's socket on the admin channel.
    pub async fn listen_admin(&self) -> Socket {
        Socket::open(&self.url, "channel=admin", ADMIN).await
    }
}

/// Sends a request and reads the answer; a body that is not JSON is kept as a string.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, json }
}

/// The name of a user's instance.
pub fn instance_of(user: &str) -> String {
    InstanceName::of_user(&UserId::named_by_admin(user).unwrap()).to_string()
}
