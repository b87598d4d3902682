//! A server on a socket of its own that keeps what it was asked and answers with the bytes it was given, and a client
//! that knows no other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use zapgate::adapters::clock::Clock;
use zapgate::adapters::evolution::{Evolution, EvolutionConfig};
use zapgate::domain::ids::InstanceName;

pub const KEY: &str = "lab-global-key-0001";

/// How a client begins that wants TLS, which is not spoken here.
const TLS_HANDSHAKE: u8 = 22;

/// What came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With the query, as on the wire.
    pub path: String,
    pub headers: String,
    pub body: String,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
}

/// What goes out.
#[derive(Clone)]
pub enum Reply {
    /// These bytes; the connection stays.
    Bytes(Vec<u8>),
    /// These bytes, and the connection is closed.
    Last(Vec<u8>),
    /// These bytes, and then one space every few milliseconds.
    Drip(Vec<u8>),
    /// The first, and then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// These bytes, once a permit is given.
    Held(Arc<Semaphore>, Vec<u8>),
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    /// An answer with JSON, as Evolution gives it.
    pub fn json(status: u16, body: &str) -> Self {
        Self::of(status, "application/json; charset=utf-8", body)
    }

    pub fn of(status: u16, kind: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        Self::Bytes((head + body).into_bytes())
    }

    pub fn open() -> Self {
        Self::json(200, r#"{"instance":{"instanceName":"a","state":"open"}}"#)
    }

    pub fn down() -> Self {
        Self::of(503, "text/html", "<h1>503</h1>")
    }
}

pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    count: watch::Receiver<usize>,
    replies: Arc<Mutex<Vec<Reply>>>,
}

struct Shared {
    asked: Arc<Mutex<Vec<Asked>>>,
    count: watch::Sender<usize>,
    replies: Arc<Mutex<Vec<Reply>>>,
}

impl Server {
    /// Gives these answers in turn, and the last one from then on.
    pub async fn saying(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (count, counted) = watch::channel(0);
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let shared = Arc::new(Shared { asked: Arc::default(), count, replies: Arc::clone(&replies) });
        let asked = Arc::clone(&shared.asked);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, Arc::clone(&shared)));
            }
        });
        Self { address, asked, count: counted, replies }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub fn says(&self, replies: impl IntoIterator<Item = Reply>) {
        *self.replies.lock().unwrap() = replies.into_iter().collect();
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn times(&self) -> usize {
        self.asked().len()
    }

    /// Waits until so many requests have come.
    pub async fn until(&self, count: usize) {
        self.count.clone().wait_for(|now| *now >= count).await.unwrap();
    }

    pub fn client(&self) -> Evolution {
        client(&self.url(), Clock::skipping(), |_| {})
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    while let Some(asked) = read(&mut stream, connection).await {
        shared.asked.lock().unwrap().push(asked);
        let reply = {
            let mut replies = shared.replies.lock().unwrap();
            if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() }
        };
        shared.count.send_modify(|count| *count += 1);
        if !answer(&mut stream, reply).await {
            return;
        }
    }
}

/// Whether the connection goes on.
async fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    match reply {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await.is_ok(),
        Reply::Last(bytes) => {
            let _ = stream.write_all(&bytes).await;
            false
        }
        Reply::Endless(first, more) => {
            let mut next = stream.write_all(&first).await;
            while next.is_ok() {
                tokio::task::yield_now().await;
                next = stream.write_all(&more).await;
            }
            false
        }
        Reply::Drip(first) => {
            let mut next = stream.write_all(&first).await;
            let mut drops = tokio::time::interval(Duration::from_millis(5));
            while next.is_ok() {
                drops.tick().await;
                next = stream.write_all(b" ").await;
            }
            false
        }
        Reply::Held(permit, bytes) => {
            permit.acquire().await.unwrap().forget();
            stream.write_all(&bytes).await.is_ok()
        }
        Reply::Silence => {
            let mut byte = [0];
            while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
            false
        }
    }
}

async fn read(stream: &mut TcpStream, connection: usize) -> Option<Asked> {
    let mut text = Vec::new();
    let end = loop {
        if text.first() == Some(&TLS_HANDSHAKE) {
            return Some(Asked {
                method: "TLS".into(),
                path: String::new(),
                headers: String::new(),
                body: String::new(),
                connection,
            });
        }
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    };
    let headers = String::from_utf8(text[..end].to_vec()).unwrap().to_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while text.len() < end + length {
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    }
    let first = String::from_utf8(text[..end].to_vec()).unwrap().lines().next().unwrap().to_owned();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    Some(Asked { method, path, headers, body: String::from_utf8(text[end..].to_vec()).unwrap(), connection })
}

/// A client as it comes with its defaults, but for a limit on time that a test can wait for.
pub fn client(url: &str, clock: Clock, change: impl FnOnce(&mut EvolutionConfig)) -> Evolution {
    zapgate::adapters::tls::install();
    let mut config = crate::app::TestApp::settings(std::path::Path::new("nowhere")).evolution;
    config.evolution_api_url = Some(url.parse().unwrap());
    config.evolution_api_key = Some(SecretString::from(KEY));
    config.longest_call = Some(Duration::from_secs(10));
    change(&mut config);
    Evolution::new(&config, clock).unwrap().unwrap()
}

/// An address where nobody listens.
pub async fn nobody() -> String {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{address}")
}

pub fn name() -> InstanceName {
    InstanceName::parse("user_101").unwrap()
}

/// JSON as it was on the wire, from a file that was made to be read: without the white space between its parts.
pub fn compact(json: &RawValue) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        let kept = in_string || !c.is_ascii_whitespace();
        in_string ^= *c == '"' && !escaped;
        escaped = in_string && *c == '\\' && !escaped;
        kept
    };
    json.get().chars().filter(keep).collect()
}
