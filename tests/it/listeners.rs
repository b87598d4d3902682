//! Clients that keep the judge's record of what they hear, over WebSocket and over Server-Sent Events; and the events
//! that are posted for them.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use zapgate::domain::time::Millis;

use crate::app::{ADMIN, Answer, TestApp, answer, instance_of};
use crate::judge::{self, Channel, Frame, Hello, History, Listener, Sent, Since, Trace};
use crate::recorded;
use crate::socket::Socket;

const PATIENCE: Duration = Duration::from_secs(20);

/// One connection, with its record.
pub struct Ear {
    wire: Wire,
    pub hello: Value,
    pub record: Listener,
    /// The frames as they came, `hello` left out.
    pub texts: Vec<String>,
    began: Instant,
}

enum Wire {
    Socket(Box<Socket>),
    Events { response: reqwest::Response, buffer: Vec<u8> },
}

/// How a position is told to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Socket,
    EventsQuery,
    LastEventId,
}

impl By {
    pub const ALL: [Self; 3] = [Self::Socket, Self::EventsQuery, Self::LastEventId];
}

impl Ear {
    pub async fn open(app: &TestApp, channel: &Channel, since: Option<Since>, by: By, began: Instant) -> Self {
        let (bearer, mut query) = credentials(app, channel);
        let told_by_header = by == By::LastEventId;
        if let Some(since) = since.as_ref().filter(|_| !told_by_header) {
            query = format!("{query}&since={}&epoch={}", since.seq, since.epoch);
        }
        let asked = began.elapsed();
        let mut wire = if by == By::Socket {
            Wire::Socket(Box::new(Socket::try_open(&app.url, &query, &bearer).await.expect("the upgrade succeeds")))
        } else {
            let mut request = app.http.get(format!("{}/events?{query}", app.url)).bearer_auth(bearer);
            if let Some(since) = since.as_ref().filter(|_| told_by_header) {
                request = request.header("last-event-id", format!("{}:{}", since.epoch, since.seq));
            }
            Wire::Events { response: request.send().await.unwrap(), buffer: Vec::new() }
        };
        let hello: Value = serde_json::from_str(&wire.next().await).unwrap();
        assert_eq!(hello["type"], "hello", "{hello}");
        let mut record = Listener::new(channel.clone());
        record.hello_between(read_hello(&hello), since, asked, began.elapsed());
        Self { wire, hello, record, texts: Vec::new(), began }
    }

    /// Reads on to the frame numbered `seq`, and settles: all that was acknowledged by then has to be there.
    pub async fn up_to(&mut self, seq: i64) {
        self.read_to(seq).await;
        self.record.settled(self.began.elapsed());
    }

    /// Reads on to the frame numbered `seq`.
    pub async fn read_to(&mut self, seq: i64) {
        while self.last() < seq {
            let text = self.wire.next().await;
            self.record.frame(Frame::read(&text).expect("a frame"));
            self.texts.push(text);
        }
    }

    pub fn last(&self) -> i64 {
        self.record.sessions.last().map_or(0, judge::Session::last)
    }

    pub fn recovered(&self) -> bool {
        self.hello["recovered"] == true
    }

    pub fn hello_seq(&self) -> i64 {
        self.hello["seq"].as_i64().unwrap()
    }
}

impl Wire {
    async fn next(&mut self) -> String {
        match self {
            Self::Socket(socket) => socket.next_text().await,
            Self::Events { response, buffer } => loop {
                if let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = buffer.drain(..end + 2).collect();
                    let event = std::str::from_utf8(&event).unwrap();
                    if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                        return data.to_owned();
                    }
                } else {
                    let chunk = timeout(PATIENCE, response.chunk()).await.expect("an event in time");
                    buffer.extend_from_slice(&chunk.unwrap().expect("the stream goes on"));
                }
            },
        }
    }
}

fn read_hello(hello: &Value) -> Hello {
    Hello {
        epoch: hello["epoch"].as_str().unwrap().into(),
        seq: hello["seq"].as_i64().unwrap(),
        recovered: hello["recovered"].as_bool().unwrap(),
    }
}

/// Whose token opens a channel, and the query that names it.
fn credentials(app: &TestApp, channel: &Channel) -> (String, String) {
    match channel {
        Channel::User(user) => (app.token(user, None), "channel=user".into()),
        Channel::Org(org) => (app.token("member", Some(org)), "channel=org".into()),
        Channel::Admin => (ADMIN.into(), "channel=admin".into()),
    }
}

/// Posts for many users, and keeps the judge's record of it.
pub struct Book {
    pub history: History,
    pub began: Instant,
    posted: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self { history: History::default(), began: Instant::now(), posted: 0 }
    }
}

impl Book {
    /// Makes a user, known to the judge.
    pub async fn user(&mut self, app: &TestApp, user: &str, org: Option<&str>) {
        let made = match org {
            Some(org) => app.user_in(user, org).await,
            None => app.user(user).await,
        };
        assert_eq!(made.status, 200, "{}", made.json);
        self.history.tenant(user, org);
    }

    /// Posts a text and waits for its answer; its number.
    pub async fn text(&mut self, app: &TestApp, user: &str) -> i64 {
        let id = self.fresh(user);
        self.post(app, user, &id, text(&id), Trace::Named).await
    }

    /// Posts what its frame does not name.
    pub async fn other(&mut self, app: &TestApp, user: &str, body: Value) -> i64 {
        let id = self.fresh(user);
        self.post(app, user, &id, body, Trace::Unnamed).await
    }

    async fn post(&mut self, app: &TestApp, user: &str, id: &str, body: Value, trace: Trace) -> i64 {
        let sent = Sent { event: id.into(), user: user.into(), trace, at: self.began.elapsed() };
        self.history.sent(sent);
        let answer = posts_emitted(app, user, body, app.clock.now()).await;
        assert_eq!(answer.verdict(), "stored", "{}", answer.json);
        self.history.answered(id, judge::Answer::Stored(answer.seq()), self.began.elapsed());
        answer.seq()
    }

    fn fresh(&mut self, user: &str) -> String {
        self.posted += 1;
        format!("{user}-{}", self.posted)
    }

    pub fn heard(&mut self, ear: &Ear) {
        self.history.heard(ear.record.clone());
    }
}

/// A recorded text with an id of its own.
pub fn text(id: &str) -> Value {
    let mut body = recorded::webhook("messages.upsert/text-conversation");
    body["data"]["key"]["id"] = json!(id);
    body
}

/// A recorded presence, `nth` of its kind.
pub fn presence(nth: i64) -> Value {
    let mut body = recorded::webhook("presence.update/composing");
    body["data"]["id"] = json!(format!("55119999{nth:05}@s.whatsapp.net"));
    body
}

/// A recorded `connecting`.
pub fn connecting() -> Value {
    recorded::webhook("connection.update/connecting-first")
}

/// A recorded `open`.
pub fn open() -> Value {
    recorded::webhook("connection.update/open-after-scan")
}

/// A QR event whose code and picture contain `mark`.
pub fn qr(mark: &str) -> Value {
    let mut body = recorded::webhook("qrcode.updated/qr-first");
    body["data"]["qrcode"]["code"] = json!(format!("2@{mark}code"));
    body["data"]["qrcode"]["base64"] = json!(format!("data:image/png;base64,{mark}image"));
    body["data"]["qrcode"]["pairingCode"] = json!(format!("{mark}pair"));
    body
}

/// Posts what Evolution emitted at that instant of the server's clock, as its clock and its proof say. A recording keeps
/// the `date_time` of its day, which at some minutes of the hour looks like that of now in another time zone: where the
/// order of emission matters, this is the way to post.
pub async fn posts_emitted(app: &TestApp, user: &str, body: Value, at: Millis) -> Answer {
    let ago = Duration::from_millis(u64::try_from(app.clock.now().since(at)).unwrap());
    let instance = instance_of(user);
    let proof = app.proof(app.key_of(&instance).expose_secret(), ago);
    let request = app.http.post(format!("{}/api/webhook/user/{user}", app.url)).bearer_auth(proof);
    answer(request.json(&dated(&instance, body, at))).await
}

fn dated(instance: &str, mut body: Value, at: Millis) -> Value {
    body["instance"] = json!(instance);
    body["date_time"] = json!(at.to_string());
    body
}
