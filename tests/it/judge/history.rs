//! What happened, as the outside saw it. Times are since the start of the test, on one monotonic clock.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    User(String),
    Org(String),
    Admin,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Org(org) => write!(f, "org:{org}"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// One event that was posted, however often.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What its frame shows as `data.id`, for a message; any name of the test's own when it is [`Trace::Unnamed`].
    /// Unique among all users of the test.
    pub event: String,
    pub user: String,
    pub trace: Trace,
    /// When its first attempt began.
    pub at: Duration,
}

/// How an event can be told among frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Its frame names it, on the user's channel and the org's: a message.
    Named,
    /// It has a frame, which does not name it: all else.
    Unnamed,
}

/// What one attempt to post an event was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Stored(i64),
    Duplicate(i64),
    /// Counted on the row with this number.
    Folded(i64),
    Quarantined,
    /// 400, 401, 413, 415: not taken, for a reason in the event or its proof.
    Refused,
    /// 5xx, 422: says nothing about whether it was stored.
    Failed,
    /// No answer came: says nothing either.
    Nothing,
}

impl Answer {
    /// The number of the event's own row, when the answer promises that there is one.
    pub fn own_seq(self) -> Option<i64> {
        match self {
            Self::Stored(seq) | Self::Duplicate(seq) => Some(seq),
            Self::Folded(_) | Self::Quarantined | Self::Refused | Self::Failed | Self::Nothing => None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Ack {
    pub event: String,
    pub answer: Answer,
    /// When the answer was read.
    pub at: Duration,
    /// The epoch the server was in, when the test declared one.
    pub epoch: Option<String>,
}

/// The parts of a frame that promises are made about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub seq: i64,
    pub kind: String,
    /// The event it names, if it names one.
    pub event: Option<String>,
    /// The user it is about, if it says so.
    pub user: Option<String>,
    /// A QR or pairing code is readable in it.
    pub shows_code: bool,
    /// Equal for the live and the replayed form of one frame.
    pub print: u64,
}

impl Frame {
    /// Reads a frame's JSON text. `None` for a `hello`, a `pong`, and what is no frame.
    pub fn read(text: &str) -> Option<Self> {
        let whole: Value = serde_json::from_str(text).ok()?;
        let seq = whole.get("seq")?.as_i64()?;
        let kind = whole.get("type")?.as_str()?.to_owned();
        if kind == "hello" {
            return None;
        }
        let data = &whole["data"];
        let word = |key: &str| data[key].as_str().map(str::to_owned);
        let names_itself = kind == "message";
        Some(Self {
            seq,
            event: word("id").filter(|_| names_itself),
            user: data["instanceName"].as_str().and_then(|name| name.strip_prefix("user_")).map(str::to_owned),
            shows_code: CODES.iter().any(|key| !data[*key].is_null()) || (kind == "qrcode" && !data["code"].is_null()),
            print: print_of(&kind, data),
            kind,
        })
    }
}

/// Members that let a phone be linked, in any frame.
const CODES: [&str; 2] = ["qrCode", "pairingCode"];

/// A code is shown only while it is valid, so it is no part of what must stay equal (INTERFACE §4). Of a `qrcode` the
/// text of the code is one more of its forms; elsewhere `code` is a notification's name.
fn print_of(kind: &str, data: &Value) -> u64 {
    let mut kept = data.clone();
    if let Some(members) = kept.as_object_mut() {
        let text = ["code"].into_iter().filter(|_| kind == "qrcode");
        for passing in CODES.into_iter().chain(["expired"]).chain(text) {
            members.remove(passing);
        }
    }
    let mut hasher = DefaultHasher::new();
    (kind, kept.to_string()).hash(&mut hasher);
    hasher.finish()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub epoch: String,
    pub seq: i64,
    pub recovered: bool,
}

/// The position a connection asked to recover from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    pub epoch: String,
    pub seq: i64,
}

/// One connection, from its `hello` to its end.
#[derive(Clone, Debug)]
pub struct Session {
    pub hello: Hello,
    pub since: Option<Since>,
    /// When the connection was asked for.
    pub asked_at: Duration,
    /// When its `hello` was read.
    pub greeted_at: Duration,
    pub frames: Vec<Frame>,
    pub settled_at: Option<Duration>,
}

impl Session {
    /// The last number this connection knows of.
    pub fn last(&self) -> i64 {
        self.frames.last().map_or(self.hello.seq, |frame| frame.seq)
    }
}

/// One client of one channel, through all its connections.
#[derive(Clone, Debug)]
pub struct Listener {
    pub channel: Channel,
    pub sessions: Vec<Session>,
}

impl Listener {
    pub fn new(channel: Channel) -> Self {
        Self { channel, sessions: Vec::new() }
    }

    /// A connection opened: what it asked for and what it was told. `at` is when it was asked for and greeted; see
    /// [`Listener::hello_between`] when both are known.
    pub fn hello(&mut self, hello: Hello, since: Option<Since>, at: Duration) {
        self.hello_between(hello, since, at, at);
    }

    pub fn hello_between(&mut self, hello: Hello, since: Option<Since>, asked_at: Duration, greeted_at: Duration) {
        self.sessions.push(Session { hello, since, asked_at, greeted_at, frames: Vec::new(), settled_at: None });
    }

    /// A frame came over the newest connection.
    pub fn frame(&mut self, frame: Frame) {
        self.sessions.last_mut().expect("hello comes before any frame").frames.push(frame);
    }

    /// The client has waited long enough: all that was acknowledged before `at` has to be here.
    pub fn settled(&mut self, at: Duration) {
        self.sessions.last_mut().expect("hello comes before the end").settled_at = Some(at);
    }

    /// Where the next connection recovers from.
    pub fn position(&self) -> Option<Since> {
        let session = self.sessions.last()?;
        Some(Since { epoch: session.hello.epoch.clone(), seq: session.last() })
    }
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub orgs: HashMap<String, Option<String>>,
    pub sent: HashMap<String, Sent>,
    pub acks: Vec<Ack>,
    pub listeners: Vec<Listener>,
    /// Epochs that the test itself brought about, by a restore or a new store.
    pub declared: BTreeSet<String>,
    current: Option<String>,
}

impl History {
    /// Who belongs where.
    pub fn tenant(&mut self, user: &str, org: Option<&str>) {
        self.orgs.insert(user.into(), org.map(str::to_owned));
    }

    /// From now on the server is in this epoch, by the test's own doing. Only needed where there is more than one.
    pub fn in_epoch(&mut self, epoch: &str) {
        self.declared.insert(epoch.into());
        self.current = Some(epoch.into());
    }

    /// An event's first attempt began; later attempts need no mention.
    pub fn sent(&mut self, sent: Sent) {
        self.sent.entry(sent.event.clone()).or_insert(sent);
    }

    /// One attempt ended. The event has to be known: an ack of an unknown one could hide a loss.
    pub fn answered(&mut self, event: &str, answer: Answer, at: Duration) {
        assert!(self.sent.contains_key(event), "{event} was answered, but never sent");
        self.acks.push(Ack { event: event.into(), answer, at, epoch: self.current.clone() });
    }

    /// A new listener, told as it happens.
    pub fn listener(&mut self, channel: Channel) -> &mut Listener {
        self.heard(Listener::new(channel))
    }

    /// A listener that kept its own record, for instance in a task of its own.
    pub fn heard(&mut self, listener: Listener) -> &mut Listener {
        self.listeners.push(listener);
        self.listeners.last_mut().expect("one was pushed just now")
    }

    pub fn org_of(&self, user: &str) -> Option<&str> {
        self.orgs.get(user)?.as_deref()
    }

    /// All epochs any listener saw.
    pub fn epochs(&self) -> BTreeSet<&str> {
        self.listeners.iter().flat_map(|l| &l.sessions).map(|s| s.hello.epoch.as_str()).collect()
    }
}
