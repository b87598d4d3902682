//! The floors: what this machine does at best with a part of the work. `floor bare|relay|durable [database]`.
//!
//! `bare` reads a webhook's body and answers. `relay` also pushes it to its user's sockets. `durable` does so after a
//! group commit to SQLite with full sync, checkpoints on a thread of their own.

use std::collections::HashMap;
use std::sync::Mutex;

use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, web};
use anyhow::Context;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

/// Events of one commit at the most.
const MOST: usize = 256;

struct Event {
    user: String,
    body: Bytes,
    stored: oneshot::Sender<()>,
}

type Sockets = Mutex<HashMap<String, Vec<mpsc::UnboundedSender<String>>>>;

struct Floor {
    sockets: Sockets,
    commits: Option<mpsc::Sender<Event>>,
    relays: bool,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

async fn webhook(user: Path<String>, body: Bytes, floor: Data<Floor>) -> impl Responder {
    if let Some(commits) = &floor.commits {
        let (stored, committed) = oneshot::channel();
        let event = Event { user: user.clone(), body: body.clone(), stored };
        if commits.send(event).await.is_err() || committed.await.is_err() {
            return HttpResponse::ServiceUnavailable().finish();
        }
    }
    if floor.relays
        && let Ok(mut sockets) = floor.sockets.lock()
        && let Some(sockets) = sockets.get_mut(user.as_str())
    {
        let frame = String::from_utf8_lossy(&body);
        sockets.retain(|socket| socket.send(frame.clone().into_owned()).is_ok());
    }
    HttpResponse::Ok().body("{}")
}

async fn socket(request: HttpRequest, payload: Payload, floor: Data<Floor>) -> actix_web::Result<HttpResponse> {
    let bearer =
        request.headers().get("authorization").and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
    let validation = Validation::new(Algorithm::HS256);
    let claims = bearer.and_then(|token| jsonwebtoken::decode::<Claims>(token, &floor.key, &validation).ok());
    let Some(claims) = claims else { return Ok(HttpResponse::Unauthorized().finish()) };
    let (response, mut session, mut stream) = actix_ws::handle(&request, payload)?;
    let (sender, mut frames) = mpsc::unbounded_channel();
    if let Ok(mut sockets) = floor.sockets.lock() {
        sockets.entry(claims.claims.sub).or_default().push(sender);
    }
    tokio::task::spawn_local(async move {
        if session.text(r#"{"type":"hello"}"#).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                Some(frame) = frames.recv() => if session.text(frame).await.is_err() { return },
                message = stream.recv() => match message {
                    Some(Ok(actix_ws::Message::Ping(bytes))) if session.pong(&bytes).await.is_err() => return,
                    Some(Ok(actix_ws::Message::Close(_)) | Err(_)) | None => return,
                    _ => {}
                },
            }
        }
    });
    Ok(response)
}

async fn open(path: &str) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "0");
    Ok(options.connect().await?)
}

/// Commits what has gathered, one transaction after the other.
async fn commit_all(mut connection: SqliteConnection, mut events: mpsc::Receiver<Event>) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(MOST);
    while events.recv_many(&mut batch, MOST).await > 0 {
        let mut transaction = connection.begin().await?;
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO events (user, body) ");
        insert.push_values(&batch, |mut row, event| {
            row.push_bind(&event.user).push_bind(event.body.as_ref());
        });
        insert.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
        for event in batch.drain(..) {
            // Who posted it may be gone.
            let _ = event.stored.send(());
        }
    }
    Ok(())
}

/// A thread of its own for the commits, and one for the checkpoints.
async fn committer(path: String) -> anyhow::Result<mpsc::Sender<Event>> {
    let mut first = open(&path).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, user TEXT NOT NULL, body BLOB NOT NULL)")
        .execute(&mut first)
        .await?;
    let (sender, events) = mpsc::channel(4096);
    std::thread::spawn(move || runtime()?.block_on(commit_all(first, events)));
    std::thread::spawn(move || {
        runtime()?.block_on(async move {
            let mut connection = open(&path).await?;
            loop {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await?;
            }
            #[allow(unreachable_code, reason = "it says of what type the loop's errors are")]
            anyhow::Ok(())
        })
    });
    Ok(sender)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().context("floor bare|relay|durable [database]")?;
    let port: u16 = std::env::var("PORT")?.parse()?;
    let commits = match kind.as_str() {
        "durable" => Some(committer(args.next().context("where is the database?")?).await?),
        _ => None,
    };
    let key = DecodingKey::from_secret(std::env::var("JWT_SECRET").unwrap_or_default().as_bytes());
    let floor = Data::new(Floor { sockets: Mutex::default(), commits, relays: kind != "bare", key });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(floor.clone())
            .app_data(web::PayloadConfig::new(1 << 20))
            .route("/health", web::get().to(HttpResponse::Ok))
            .route("/webhook/{user}", web::post().to(webhook))
            .route("/ws", web::get().to(socket))
    });
    server.workers(2).backlog(8192).max_connections(100_000).bind(("127.0.0.1", port))?.run().await?;
    Ok(())
}
