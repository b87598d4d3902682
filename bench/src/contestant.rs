//! Who is measured: how each is started, and how its webhooks and sockets are spoken to.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::ValueEnum;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use sha2::Sha256;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::event::user_id;
use crate::sequence::Position;

/// A server under test, a peer, or a floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Contestant {
    /// zapgate on SQLite: on disk before it answers.
    Zapgate,
    /// Express and Socket.IO, in memory.
    Socketio,
    /// The same with an insert into Postgres before it answers.
    SocketioPostgres,
    /// Fastify and ws, in memory.
    Fastify,
    /// Bun's own server and its topics, in memory.
    Bun,
    /// Floor: actix-web that reads a body and answers.
    Bare,
    /// Floor: actix-web and actix-ws, in memory.
    Relay,
    /// Floor: the relay, after a group commit to SQLite with full sync.
    Durable,
}

/// How a socket is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Plain,
    /// Frames are numbered from the greeting on.
    Zapgate,
    /// Engine.IO 4 beneath Socket.IO 5, by WebSocket alone.
    SocketIo,
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// `target/release`.
    pub binaries: PathBuf,
    /// `bench/peers`, with its packages installed.
    pub peers: PathBuf,
    /// A Postgres for the peers that want one: its URL and the process id of its postmaster.
    pub postgres: Option<(String, u32)>,
    /// Where databases with a history are kept for the rounds to come.
    pub histories: PathBuf,
}

impl Places {
    pub fn bun(&self) -> PathBuf {
        self.peers.join("node_modules/.bin/bun")
    }
}

/// The file that zapgate keeps in its folder.
pub const DATABASE: &str = "zapgate.db";
/// What the SaaS signs its users' tokens with.
const JWT_SECRET: &str = "bench-jwt-secret-bench-jwt-secret-bench";
/// What Evolution signs its webhooks with.
const WEBHOOK_SECRET: &str = "bench-webhook-secret-bench-webhook-secret";
const ADMIN_TOKEN: &str = "bench-admin-token-bench-admin-token-bench";

impl Contestant {
    pub fn name(self) -> &'static str {
        match self {
            Self::Zapgate => "zapgate (SQLite, durable)",
            Self::Socketio => "Express + Socket.IO, in memory",
            Self::SocketioPostgres => "Express + Socket.IO + Postgres",
            Self::Fastify => "Fastify + ws, in memory",
            Self::Bun => "Bun.serve, in memory",
            Self::Bare => "floor: actix-web, no work",
            Self::Relay => "floor: actix-web + actix-ws, in memory",
            Self::Durable => "floor: actix + SQLite group commit",
        }
    }

    /// Whether it has sockets at all.
    pub fn relays(self) -> bool {
        self != Self::Bare
    }

    pub fn dialect(self) -> Dialect {
        match self {
            Self::Zapgate => Dialect::Zapgate,
            Self::Socketio | Self::SocketioPostgres => Dialect::SocketIo,
            _ => Dialect::Plain,
        }
    }

    /// What starts it, with a folder to keep data in.
    pub fn command(self, places: &Places, folder: &Path) -> anyhow::Result<Command> {
        let node = |script: &str| {
            let mut command = Command::new("node");
            command.arg(places.peers.join(script));
            command
        };
        let mut command = match self {
            Self::Zapgate => zapgate(places, folder),
            Self::Socketio => node("socketio.mjs"),
            Self::SocketioPostgres => {
                let (url, _) = places.postgres.as_ref().context("Postgres is not there")?;
                let mut command = node("socketio.mjs");
                command.env("DATABASE_URL", url);
                command
            }
            Self::Fastify => node("fastify.mjs"),
            Self::Bun => {
                let mut command = Command::new(places.bun());
                command.arg(places.peers.join("bun.mjs"));
                command
            }
            Self::Bare => floor(places, "bare", folder),
            Self::Relay => floor(places, "relay", folder),
            Self::Durable => floor(places, "durable", folder),
        };
        command.env("NODE_ENV", "production").env("WEBHOOK_SECRET", WEBHOOK_SECRET).env("JWT_SECRET", JWT_SECRET);
        Ok(command)
    }

    /// The head of a user's webhook with a body of that length, signed then.
    pub fn webhook_head(self, user: usize, length: usize, at: Timestamp) -> anyhow::Result<String> {
        let user = user_id(user);
        let (path, proof) = match self {
            Self::Zapgate => {
                // As Evolution signs what `connect` registered: HS256, the instance's own key, ten minutes.
                let now = at.as_second();
                let claims = json!({"iat": now, "exp": now + 600, "app": "evolution", "action": "webhook"});
                let token = signed(&key_of(&format!("user_{user}"))?, &claims)?;
                (format!("/api/webhook/user/{user}"), format!("Authorization: Bearer {token}"))
            }
            _ => (format!("/webhook/{user}"), format!("X-Webhook-Secret: {WEBHOOK_SECRET}")),
        };
        Ok(format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{proof}\r\n\
             User-Agent: axios/1.12.2\r\nContent-Length: {length}\r\n\r\n"
        ))
    }

    /// The upgrade of a user's socket, to recover what came after that position.
    pub fn upgrade(self, port: u16, user: usize, from: Option<&Position>) -> anyhow::Result<Request> {
        let path = match (self.dialect(), from) {
            (Dialect::SocketIo, _) => "/socket.io/?EIO=4&transport=websocket".to_owned(),
            (_, Some(Position { epoch, seq, .. })) => format!("/ws?since={seq}&epoch={epoch}"),
            (_, None) => "/ws".to_owned(),
        };
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", token(user)?).parse()?);
        Ok(request)
    }

    /// Makes a user's instance, where that is needed.
    pub fn make_user(self, user: usize) -> Option<String> {
        let body = json!({"userId": user_id(user)}).to_string();
        (self == Self::Zapgate).then(|| {
            format!(
                "POST /api/whatsapp/connect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
                 Authorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        })
    }
}

fn zapgate(places: &Places, folder: &Path) -> Command {
    let mut command = Command::new(places.binaries.join("zapgate"));
    command
        .arg("serve")
        .env("DATABASE_URL", format!("sqlite://{}", folder.join(DATABASE).display()))
        .env("ADMIN_TOKEN", ADMIN_TOKEN)
        .env("RUST_LOG", "warn")
        // The load is one caller, and a fan-out is to one user.
        .env("RATE_CALLER_PER_S", "1000000")
        .env("WS_MAX_SOCKETS_PER_USER", "100000")
        // What is measured as history stays.
        .env("EVENT_RETENTION_DAYS", "3650")
        .env("EVENT_RETENTION_BYTES", "0");
    command
}

fn floor(places: &Places, kind: &str, folder: &Path) -> Command {
    let mut command = Command::new(places.binaries.join("floor"));
    command.arg(kind).arg(folder.join("floor.db"));
    command
}

/// A user's token, for an hour.
fn token(user: usize) -> anyhow::Result<String> {
    let now = Timestamp::now().as_second();
    signed(JWT_SECRET, &json!({"sub": user_id(user), "iat": now, "exp": now + 3600}))
}

/// The key that zapgate derives for an instance.
fn key_of(instance: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes())?;
    mac.update(b"zapgate webhook key v1:");
    mac.update(instance.as_bytes());
    Ok(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn signed(secret: &str, claims: &serde_json::Value) -> anyhow::Result<String> {
    Ok(jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}
