//! What a live connection may cost: how slow, how many, how loud, how silent, how long.

use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use zapgate::http::sockets::Patience;

use crate::app::{JWT_SECRET, TestApp};
use crate::listeners::text;
use crate::socket::Socket;

const SOON: Duration = Duration::from_secs(20);

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.user("ana").await;
    app
}

async fn patient(patience: Patience) -> TestApp {
    let app = TestApp::start_patient(|_| {}, patience).await;
    app.user("ana").await;
    app
}

/// A text of about `bytes` bytes.
fn long_text(id: &str, bytes: usize) -> Value {
    let mut body = text(id);
    body["data"]["message"]["conversation"] = json!("x".repeat(bytes));
    body
}

/// A WebSocket client by hand, which reads only when told to.
struct Raw {
    stream: TcpStream,
}

impl Raw {
    async fn open(app: &TestApp, query: &str, bearer: &str) -> Self {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        Self::ask(app, &format!("/ws?{query}"), upgrade, bearer).await
    }

    /// Sends a request and reads the answer's head.
    async fn ask(app: &TestApp, path: &str, headers: &str, bearer: &str) -> Self {
        let address = app.url.trim_start_matches("http://").parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {bearer}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Self { stream };
        while !raw.head_line().await.is_empty() {}
        raw
    }

    async fn head_line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.stream.read_u8().await.unwrap());
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// The next frame's opcode and payload; `None` when the connection was cut.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((head[0] & 15, payload))
    }

    async fn next(&mut self) -> Value {
        let (opcode, payload) = timeout(SOON, self.frame()).await.expect("a frame in time").expect("it is open");
        assert_eq!(opcode, 1, "a text");
        serde_json::from_slice(&payload).unwrap()
    }

    /// Reads on to the end: the last number, and the close code if one came.
    async fn read_to_end(&mut self) -> (i64, Option<u16>) {
        let mut last = 0;
        while let Some((opcode, payload)) = timeout(SOON, self.frame()).await.expect("an end in time") {
            match opcode {
                1 => last = serde_json::from_slice::<Value>(&payload).unwrap()["seq"].as_i64().unwrap(),
                8 => return (last, Some(u16::from_be_bytes([payload[0], payload[1]]))),
                _ => {}
            }
        }
        (last, None)
    }
}

/// Sockets that listen to the user's channel, as the operator's test tells.
async fn listening(app: &TestApp, user: &str) -> i64 {
    app.as_admin("POST", "/api/webhook/test", json!({"userId": user})).await.json["sockets"].as_i64().unwrap()
}

#[actix_web::test]
async fn a_reader_that_stops_is_cut_off_while_others_go_on_and_recovers_everything() {
    let patience = Patience { write: Duration::from_millis(500), ..Patience::default() };
    let app = TestApp::start_patient(|settings| settings.hub.queue_bytes = 256 << 10, patience).await;
    app.user("ana").await;
    let mut slow = Raw::open(&app, "", &app.token("ana", None)).await;
    let hello = slow.next().await;
    let epoch = hello["epoch"].as_str().unwrap();
    let mut quick = app.listen("ana").await;

    let mut posted = Vec::new();
    for nth in 0..120 {
        let seq = app.evolution_posts("ana", long_text(&format!("long-{nth}"), 100_000)).await.seq();
        let text = quick.next_text().await;
        assert!(text.contains(&format!("\"seq\":{seq},")));
        posted.push((seq, text));
    }
    assert_eq!(listening(&app, "ana").await, 1, "the slow one no longer listens");
    let (last, code) = slow.read_to_end().await;
    let last = last.max(hello["seq"].as_i64().unwrap());

    assert!(code.is_none_or(|code| code == 4008), "{code:?}");
    let head = posted.last().unwrap().0;
    assert!(last < head, "it was cut before the end");
    let mut back = app.listen_since("ana", last, epoch).await;
    assert_eq!(back.hello["recovered"], true);
    for (seq, text) in posted.iter().filter(|(seq, _)| *seq > last) {
        assert!(back.next_text().await == *text, "number {seq} after {last}");
    }
}

#[actix_web::test]
async fn a_slow_reader_that_reads_again_in_time_is_told_why_it_was_closed() {
    let app = TestApp::start_with(|settings| settings.hub.queue_bytes = 256 << 10).await;
    app.user("ana").await;
    let mut slow = Raw::open(&app, "", &app.token("ana", None)).await;

    for nth in 0..120 {
        app.evolution_posts("ana", long_text(&format!("long-{nth}"), 100_000)).await;
    }

    assert_eq!(slow.read_to_end().await.1, Some(4008));
}

#[actix_web::test]
async fn a_connection_whose_peer_takes_nothing_is_given_up_and_frees_its_place() {
    let patience = Patience { write: Duration::from_secs(1), ..Patience::default() };
    let app = TestApp::start_patient(|settings| settings.hub.queue_bytes = 256 << 10, patience).await;
    app.user("ana").await;
    let mut socket = Raw::open(&app, "", &app.token("ana", None)).await;
    let mut stream = Raw::ask(&app, "/events", "", &app.token("ana", None)).await;

    for nth in 0..120 {
        app.evolution_posts("ana", long_text(&format!("long-{nth}"), 100_000)).await;
    }
    timeout(SOON, async { while listening(&app, "ana").await > 0 {} }).await.expect("the stream's place is freed");

    // What was on its way to them is gone with the connections.
    for raw in [&mut socket, &mut stream] {
        let mut left = Vec::new();
        let read = timeout(SOON, raw.stream.read_to_end(&mut left)).await.expect("it is at an end");
        assert!(read.is_err() && left.len() < 1_000_000, "{read:?} after {} bytes", left.len());
    }
}

#[actix_web::test]
async fn the_twenty_first_connection_of_a_user_is_turned_away_until_one_leaves() {
    let app = app().await;
    let mut places = Vec::new();
    for _ in 0..20 {
        places.push(app.listen("ana").await);
    }

    let mut over = Socket::try_open(&app.url, "", &app.token("ana", None)).await.unwrap();
    let events = app.http.get(format!("{}/events", app.url)).bearer_auth(app.token("ana", None));
    let refused = events.send().await.unwrap();
    app.listen("bob").await;

    assert_eq!(over.closed().await, 4009);
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
    let mut leaving = places.pop().unwrap();
    leaving.send(r#"{"type":"ping"}"#).await;
    assert_eq!(leaving.next().await["type"], "pong");
    leaving.close().await;
    while listening(&app, "ana").await > 19 {}
    app.listen("ana").await;
}

#[actix_web::test]
async fn operators_connections_are_not_counted_among_a_users() {
    let app = TestApp::start_with(|settings| settings.hub.max_sockets_per_user = 1).await;
    app.user("ana").await;
    let _own = app.listen("ana").await;

    for _ in 0..3 {
        Socket::open(&app.url, "userId=ana", crate::app::ADMIN).await;
    }
}

#[actix_web::test]
async fn a_client_is_answered_its_pings_and_ignored_otherwise() {
    let app = app().await;
    let mut ana = app.listen("ana").await;

    for ignored in ["hello", "[]", r#"{"type":"subscribe","channel":"admin"}"#, &"x".repeat(4096)] {
        ana.send(ignored).await;
    }
    ana.send(r#"{"type":"ping"}"#).await;

    assert_eq!(ana.next().await, json!({"type": "pong"}));
}

#[actix_web::test]
async fn a_client_that_says_too_much_is_closed() {
    let app = app().await;
    let (mut large, mut loud) = (app.listen("ana").await, app.listen("ana").await);

    large.send(&"x".repeat(4097)).await;
    for _ in 0..21 {
        loud.send("x").await;
    }

    assert_eq!((large.closed().await, loud.closed().await), (1008, 1008));
}

#[actix_web::test]
async fn a_silent_client_is_closed_and_one_that_answers_pings_stays() {
    let silence = Duration::from_millis(500);
    let app = patient(Patience { silence, ping: Duration::from_millis(50), ..Patience::default() }).await;
    let mut answering = app.listen("ana").await;
    let mut silent = Raw::open(&app, "", &app.token("ana", None)).await;

    // Reading answers pings; by the time the silent one is closed, the other was asked ten times.
    let ended = silent.read_to_end();
    let seq = async {
        let (ended, first) = futures_util::future::join(ended, async {
            tokio::select! {
                text = answering.next_text() => Some(text),
                () = tokio::time::sleep(2 * silence) => None,
            }
        })
        .await;
        assert_eq!((ended.1, first), (Some(4010), None));
        app.evolution_posts("ana", text("still here")).await.seq()
    }
    .await;

    assert_eq!(answering.next().await["seq"], seq);
}

#[actix_web::test]
async fn a_connection_ends_with_its_token() {
    let app = app().await;
    let now = app.clock.now().as_secs();
    let claims = json!({"sub": "ana", "iat": now, "exp": now + 1});
    let token =
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap();

    let mut ana = Socket::open(&app.url, "", &token).await;
    let events = app.http.get(format!("{}/events", app.url)).bearer_auth(token).send().await.unwrap();

    assert_eq!(ana.closed().await, 4001);
    timeout(SOON, events.bytes()).await.expect("the stream ends too").unwrap();
}

#[actix_web::test]
async fn a_revoked_user_is_cut_off_at_once_and_nobody_else() {
    let app = app().await;
    app.user("bob").await;
    let (mut ana, mut bob) = (app.listen("ana").await, app.listen("bob").await);
    app.clock.advance(Duration::from_secs(1));

    app.as_admin("POST", "/api/users/ana/revoke", json!({})).await;

    assert_eq!(ana.closed().await, 4001);
    let seq = app.evolution_posts("bob", text("for bob")).await.seq();
    assert_eq!(bob.next().await["seq"], seq);
}

#[actix_web::test]
async fn a_server_that_stops_sends_everybody_away_to_come_back() {
    let mut app = app().await;
    let mut ana = app.listen("ana").await;
    let mut admin = app.listen_admin().await;
    let stream = app.http.get(format!("{}/events", app.url)).bearer_auth(app.token("ana", None)).send().await.unwrap();

    app.stop().await;

    assert_eq!((ana.closed().await, admin.closed().await), (1001, 1001));
    let heard = timeout(SOON, stream.text()).await.expect("the stream ends").unwrap();
    assert!(heard.contains("hello"));
}

/// Members of one organisation that listen at once.
const MEMBERS: usize = 1000;
/// What an idle connection may cost the server, in bytes; a build without optimisation needs the most.
const IDLE_BYTES: usize = 64 << 10;

#[actix_web::test]
async fn a_thousand_members_hear_one_event_and_cost_little_while_idle() {
    let app = TestApp::start().await;
    app.user_in("ana", "acme").await;
    let open = async |nth: usize| {
        let mut member = Raw::open(&app, "channel=org", &app.token(&format!("member{nth}"), Some("acme"))).await;
        assert_eq!(member.next().await["type"], "hello");
        member
    };
    // The first ones fill what is allocated once.
    let mut members = join_all((0..100).map(&open)).await;
    let before = resident_bytes();
    for group in 1..MEMBERS / 100 {
        members.extend(join_all((group * 100..(group + 1) * 100).map(&open)).await);
    }
    let idle = resident_bytes().saturating_sub(before) / (MEMBERS - 100);

    let began = std::time::Instant::now();
    app.evolution_posts("ana", text("to all")).await;
    let frames = join_all(members.iter_mut().map(Raw::next)).await;

    eprintln!("{idle} bytes per idle connection; {MEMBERS} heard one event within {:?}", began.elapsed());
    assert!(frames.iter().all(|frame| frame["data"]["id"] == "to all" && *frame == frames[0]));
    assert!(idle < IDLE_BYTES, "{idle} bytes per idle connection");
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
