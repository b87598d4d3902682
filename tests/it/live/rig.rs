//! A hub over a real log, and a server whose callers are whoever the request's headers say.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, web};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{SqliteConnection, SqlitePool};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use zapgate::adapters::bus::Committed;
use zapgate::adapters::clock::Clock;
use zapgate::adapters::store::Store;
use zapgate::adapters::store::events::PageSize;
use zapgate::adapters::tasks::Tasks;
use zapgate::domain::caller::Caller;
use zapgate::domain::channel::{Channel, Epoch, Position};
use zapgate::domain::error::Error;
use zapgate::domain::ids::{OrgId, UserId};
use zapgate::domain::time::Millis;
use zapgate::http::listening::{Admitted, LiveQuery};
use zapgate::http::sockets::{self, Patience};
use zapgate::http::{server, sse};
use zapgate::services::hub::{Hub, HubConfig};
use zapgate::services::live::{Listener, Live};

/// Long enough for a loaded machine, short enough for a test that must fail.
const SOON: Duration = Duration::from_secs(20);

pub struct Rig {
    pub live: Arc<Live>,
    pub hub: Hub,
    pub store: Store,
    writer: SqlitePool,
    _folder: TempDir,
}

/// A row of the log to be.
#[derive(Clone, Copy, Default)]
pub struct Row<'a> {
    pub org: Option<&'a str>,
    pub event: &'a str,
    pub outcome: Option<&'a str>,
    pub body: &'a str,
}

/// The next number on a channel, and the channel's key.
async fn next_on(db: &mut SqliteConnection, kind: &str, name: &str) -> (i64, i64) {
    sqlx::query("INSERT INTO channels (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(kind)
        .bind(name)
        .execute(&mut *db)
        .await
        .unwrap();
    sqlx::query_as(
        "UPDATE channels SET dropped_head = dropped_head + 1 WHERE kind = $1 AND name = $2 RETURNING id, dropped_head",
    )
    .bind(kind)
    .bind(name)
    .fetch_one(db)
    .await
    .unwrap()
}

pub fn user(name: &str) -> Channel {
    Channel::User(UserId::from_subject(name).unwrap())
}

pub fn since(seq: i64) -> Position {
    Position { epoch: Epoch("e1".into()), seq }
}

impl Rig {
    pub async fn start(config: HubConfig) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("zapgate.db");
        let store = Store::open(&path).await.unwrap();
        let options = SqliteConnectOptions::new().filename(&path).pragma("synchronous", "OFF");
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let hub = Hub::new(config);
        let live = Arc::new(Live::new(hub.clone(), store.clone(), Clock::system(), Epoch("e1".into())));
        Self { live, hub, store, writer, _folder: folder }
    }

    /// Commits a notification of `owner` without publishing it.
    pub async fn commit(&self, owner: &str, data: &str) -> Committed {
        self.commit_row(owner, Row { event: "zapgate.notification", body: data, ..Row::default() }).await
    }

    pub async fn commit_row(&self, owner: &str, row: Row<'_>) -> Committed {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let (channel, seq) = next_on(&mut tx, "user", owner).await;
        let org = match row.org {
            Some(org) => Some(next_on(&mut tx, "org", org).await),
            None => None,
        };
        sqlx::query(
            "INSERT INTO events (user_channel, seq, org_channel, org_seq, instance_name, event, at, emitted_at, \
             outcome, body) VALUES ($1, $2, $3, $4, 'user_' || $5, $6, 0, 0, $7, $8)",
        )
        .bind(channel)
        .bind(seq)
        .bind(org.map(|(channel, _)| channel))
        .bind(org.map(|(_, seq)| seq))
        .bind(owner)
        .bind(row.event)
        .bind(row.outcome)
        .bind(row.body.as_bytes())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let entry = self
            .store
            .entries_on(&user(owner), seq - 1, PageSize { rows: 1, bytes: 1 })
            .await
            .unwrap()
            .entries
            .remove(0);
        Committed { entry, qr: None }
    }

    /// Gives `owner` an instance of the organisation `acme` that shows a code until `expires_at`.
    pub async fn show_code(&self, owner: &str, hash: &str, expires_at: Millis) {
        sqlx::query(
            "INSERT INTO whatsapp_instances (id, instance_name, user_id, organization_id, qr_code, created_at, \
             updated_at, qr) VALUES ($1, 'user_' || $2, $2, 'acme', 'data:image/png;base64,AA==', 0, 0, $3)",
        )
        .bind("00000000-0000-0000-0000-000000000001")
        .bind(owner)
        .bind(format!(r#"{{"hash":"{hash}","code":"2@x","pairingCode":null,"count":1,"expiresAt":{}}}"#, expires_at.0))
        .execute(&self.writer)
        .await
        .unwrap();
    }

    pub async fn commit_many(&self, owner: &str, count: usize) {
        for _ in 0..count {
            self.commit(owner, "{}").await;
        }
    }

    pub async fn commit_and_publish(&self, owner: &str, data: &str) {
        self.publish(&self.commit(owner, data).await);
    }

    pub fn publish(&self, committed: &Committed) {
        self.hub.publish(committed, Millis(0));
    }

    /// What retention does.
    pub async fn forget_up_to(&self, seq: i64) {
        sqlx::query("DELETE FROM events WHERE seq <= $1").bind(seq).execute(&self.writer).await.unwrap();
    }

    pub async fn listen(&self, owner: &str, from: Option<Position>) -> (Value, Listener) {
        self.listen_on(user(owner), from).await
    }

    pub async fn listen_on(&self, channel: Channel, from: Option<Position>) -> (Value, Listener) {
        let mut listener = self.live.listen(channel, from.as_ref()).await.unwrap();
        let hello = listener.next().await.unwrap();
        (serde_json::from_str(hello.text()).unwrap(), listener)
    }
}

pub async fn next_json(listener: &mut Listener) -> Value {
    let frame = timeout(SOON, listener.next()).await.expect("a frame in time").expect("a frame");
    serde_json::from_str(frame.text()).unwrap()
}

pub async fn next_seq(listener: &mut Listener) -> i64 {
    timeout(SOON, listener.next()).await.expect("a frame in time").expect("a frame").seq
}

pub async fn next_seqs(listener: &mut Listener, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    for _ in 0..count {
        seqs.push(next_seq(listener).await);
    }
    seqs
}

/// The rig behind a real server.
pub struct Served {
    pub rig: Rig,
    pub tasks: Tasks,
    pub revoke: watch::Sender<bool>,
    address: String,
}

struct Shared {
    live: Arc<Live>,
    tasks: Tasks,
    patience: Patience,
    revoked: watch::Receiver<bool>,
}

impl Shared {
    fn revoked(&self) -> impl Future<Output = ()> + 'static {
        let mut revoked = self.revoked.clone();
        async move {
            let _ = revoked.wait_for(|revoked| *revoked).await;
        }
    }
}

impl Served {
    pub async fn start(config: HubConfig, patience: Patience) -> Self {
        let rig = Rig::start(config).await;
        let tasks = Tasks::default();
        let (revoke, revoked) = watch::channel(false);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let shared = web::Data::new(Shared { live: rig.live.clone(), tasks: tasks.clone(), patience, revoked });
        let server = server::serve(socket, Duration::from_secs(1), move || {
            App::new().app_data(shared.clone()).route("/ws", web::get().to(ws)).route("/events", web::get().to(events))
        })
        .unwrap();
        Tasks::default().spawn("server", |_| async move {
            server.await.unwrap();
        });
        Self { rig, tasks, revoke, address }
    }

    pub async fn default() -> Self {
        Self::start(HubConfig::default(), Patience::default()).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn connect(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, WsError> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, response) = connect_async(request).await?;
        let protocol = response.headers().get("sec-websocket-protocol").map(|v| v.to_str().unwrap().to_owned());
        Ok(Socket { stream, protocol })
    }

    /// `owner`'s socket, past its `hello`.
    pub async fn socket(&self, owner: &str) -> Socket {
        let mut socket = self.connect("/ws", &[("x-user", owner)]).await.unwrap();
        assert_eq!(socket.next_json().await["type"], "hello");
        socket
    }
}

async fn ws(
    req: HttpRequest,
    body: web::Payload,
    query: web::Query<LiveQuery>,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let answer = async {
        let admitted = Admitted::new(&caller(&req), None, &query)?;
        let (tasks, patience) = (&shared.tasks, shared.patience);
        sockets::upgrade(&req, body, admitted, shared.revoked(), shared.live.clone(), (tasks, patience))
    };
    answer.await.unwrap_or_else(|e| problem(&e))
}

async fn events(req: HttpRequest, query: web::Query<LiveQuery>, shared: web::Data<Shared>) -> HttpResponse {
    let answer = async {
        let admitted = Admitted::new(&caller(&req), None, &query)?;
        sse::stream(&req, admitted, shared.revoked(), shared.live.clone(), shared.tasks.stopping()).await
    };
    answer.await.unwrap_or_else(|e| problem(&e))
}

fn caller(req: &HttpRequest) -> Caller {
    let header = |name| req.headers().get(name).map(|value| value.to_str().unwrap());
    Caller {
        admin: header("x-admin").is_some(),
        user: header("x-user").map(|user| UserId::from_subject(user).unwrap()),
        org: header("x-org").map(|org| OrgId::from_claim(org).unwrap()),
        scopes: None,
        session: None,
        issued_at: Millis(0),
        expires_at: header("x-ends-in-ms").map(|ms| Clock::system().now() + Duration::from_millis(ms.parse().unwrap())),
    }
}

fn problem(error: &Error) -> HttpResponse {
    let status = match error {
        Error::NotYours | Error::AdminOnly => StatusCode::FORBIDDEN,
        Error::BadInput { .. } => StatusCode::BAD_REQUEST,
        Error::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    HttpResponse::build(status).body(error.code())
}

/// A client.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub protocol: Option<String>,
}

impl Socket {
    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends although the server may already have closed.
    pub async fn try_send(&mut self, message: Message) {
        let _ = self.stream.send(message).await;
    }

    async fn next(&mut self) -> Message {
        timeout(SOON, self.stream.next()).await.expect("a message in time").expect("an open socket").unwrap()
    }

    pub async fn next_json(&mut self) -> Value {
        loop {
            match self.next().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("no text but {other:?}"),
            }
        }
    }

    pub async fn next_seqs(&mut self, count: usize) -> Vec<i64> {
        let mut seqs = Vec::new();
        for _ in 0..count {
            seqs.push(self.next_json().await["seq"].as_i64().unwrap());
        }
        seqs
    }

    /// Reads on to the end: the last `seq` seen and the close code.
    pub async fn read_to_close(&mut self) -> (Option<i64>, u16) {
        let mut last = None;
        loop {
            match self.next().await {
                Message::Text(text) => last = serde_json::from_str::<Value>(&text).unwrap()["seq"].as_i64().or(last),
                Message::Close(frame) => return (last, frame.map_or(1005, |frame| frame.code.into())),
                _ => {}
            }
        }
    }

    pub async fn close_code(&mut self) -> u16 {
        self.read_to_close().await.1
    }
}
