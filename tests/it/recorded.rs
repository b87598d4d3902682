//! The recordings of a real Evolution API in `tests/data/evolution`, as a test reads them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use zapgate::domain::time::Millis;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution")
}

/// A recording by its path below the folder, without `.json`: `flows/qr-scan-to-open`.
pub fn file<T: DeserializeOwned>(name: &str) -> T {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The body of a recorded webhook: `messages.upsert/text-conversation`.
pub fn webhook(name: &str) -> Value {
    file::<Value>(&format!("webhooks/{name}"))["request"]["body"].clone()
}

/// The one request of `webhooks/…`, as Evolution sent it.
pub fn post(name: &str) -> Post {
    #[derive(Deserialize)]
    struct Recording {
        request: Request,
    }
    file::<Recording>(name).request.post().unwrap()
}

/// The requests of `flows/…`, in the order they came.
pub fn flow(name: &str) -> Vec<Post> {
    #[derive(Deserialize)]
    struct Recording {
        events: Vec<Event>,
    }
    #[derive(Deserialize)]
    struct Event {
        request: Request,
    }
    file::<Recording>(name).events.into_iter().map(|event| event.request.post().unwrap()).collect()
}

/// The tries of `delivery/…`, in the order they came. Of the bodies that were not kept those are made up that differ
/// from a kept one in known places only; the others are left out.
pub fn tries(name: &str) -> Vec<Try> {
    #[derive(Deserialize)]
    struct Recording {
        attempts: Vec<Request>,
    }
    let mut known: Vec<(Request, Post)> = Vec::new();
    let mut tries = Vec::new();
    for attempt in file::<Recording>(name).attempts {
        let kept = || known.iter().find(|(of, _)| of.body_sha256 == attempt.body_sha256).map(|(_, post)| post.clone());
        let found = attempt.post().or_else(kept).or_else(|| attempt.made_up_from(&known));
        if let Some(post) = found.filter(|_| attempt.method == "POST") {
            let post = Post { headers: attempt.headers(), ..attempt.addressed(post) };
            tries.push(Try { offset_ms: attempt.offset_ms, body: attempt.body_sha256.clone(), post: post.clone() });
            known.push((attempt, post));
        }
    }
    tries
}

/// One try to deliver a body.
#[derive(Clone, Debug)]
pub struct Try {
    /// Since the recording's own zero.
    pub offset_ms: i64,
    /// The same for tries of the same body.
    pub body: String,
    pub post: Post,
}

/// What Evolution sent: the very bytes, and how.
#[derive(Clone, Debug)]
pub struct Post {
    pub instance: String,
    /// By the global webhook, which has no instance in its path and no proof.
    pub is_global: bool,
    /// What `byEvents` put behind the path: `/connection-update`, or nothing.
    pub by_event: String,
    pub headers: Vec<(String, String)>,
    /// Whether it came with a JWT.
    pub is_signed: bool,
    pub body: String,
}

impl Post {
    /// The body, read.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// `date_time`; the recorder's clock was UTC.
    pub fn emitted(&self) -> Millis {
        Millis::parse_rfc3339(self.json()["date_time"].as_str().unwrap()).unwrap()
    }

    /// The same, emitted then.
    pub fn emitted_at(mut self, at: Millis) -> Self {
        let date_time = |at: Millis| format!("\"date_time\":\"{at}\"");
        self.body = self.body.replace(&date_time(self.emitted()), &date_time(at));
        assert_eq!(self.emitted(), at);
        self
    }

    /// The same, of another instance.
    pub fn of(mut self, instance: &str) -> Self {
        let named = |instance: &str| format!("\"instance\":\"{instance}\"");
        self.body = self.body.replace(&named(&self.instance), &named(instance));
        instance.clone_into(&mut self.instance);
        self
    }
}

/// Moves all so that the last was emitted at `end`; what lies between them stays.
pub fn ending_at(posts: Vec<Post>, end: Millis) -> Vec<Post> {
    let last = posts.iter().map(Post::emitted).max().unwrap();
    let by_ms = end.since(last);
    let moved = posts.into_iter().map(|post| {
        let at = Millis(post.emitted().0 + by_ms);
        post.emitted_at(at)
    });
    moved.collect()
}

/// A request as the files have it.
#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    raw_headers: Vec<(String, String)>,
    /// With one line break and indent per member, but else byte for byte; `""` when there was none.
    body: Option<Box<RawValue>>,
    body_bytes: usize,
    #[serde(default)]
    body_sha256: String,
    #[serde(default)]
    offset_ms: i64,
    event: Option<String>,
    state: Option<String>,
    key_id: Option<String>,
    text: Option<String>,
    jwt: Option<Value>,
}

impl Request {
    fn post(&self) -> Option<Post> {
        let body = compact(self.body.as_ref().filter(|body| body.get().starts_with('{'))?.get());
        let json: Value = serde_json::from_str(&body).unwrap();
        let instance = json["instance"].as_str().unwrap().to_owned();
        let post = Post {
            instance,
            is_global: false,
            by_event: String::new(),
            headers: self.headers(),
            is_signed: false,
            body,
        };
        Some(self.addressed(post))
    }

    /// `post` on this request's path, with or without a proof as here.
    fn addressed(&self, post: Post) -> Post {
        let has_token = self.raw_headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let behind_instance = self.path.split('/').nth(4);
        Post {
            is_global: self.path.ends_with("-global"),
            by_event: behind_instance.map(|event| format!("/{event}")).unwrap_or_default(),
            is_signed: has_token || self.jwt.is_some(),
            ..post
        }
    }

    /// What can be sent as it was; the connection's own headers and the proof are made anew.
    fn headers(&self) -> Vec<(String, String)> {
        const MADE_ANEW: [&str; 4] = ["host", "connection", "content-length", "authorization"];
        let mut headers = self.raw_headers.clone();
        headers.retain(|(name, _)| !MADE_ANEW.contains(&name.to_ascii_lowercase().as_str()));
        if headers.is_empty() {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
        headers
    }

    /// From a kept body of the same event and state, if what comes out has the recorded length.
    fn made_up_from(&self, known: &[(Self, Post)]) -> Option<Post> {
        let (of, post) = known.iter().find(|(of, _)| (&of.event, &of.state) == (&self.event, &self.state))?;
        let at = Millis(post.emitted().0 + self.offset_ms - of.offset_ms);
        let mut post = post.clone().emitted_at(at);
        for (was, is) in [(&of.key_id, &self.key_id), (&of.text, &self.text)] {
            if let (Some(was), Some(is)) = (was, is) {
                post.body = post.body.replace(was.as_str(), is);
            }
        }
        (post.body.len() == self.body_bytes).then_some(post)
    }
}

/// JSON without the white space between its tokens: what `JSON.stringify` made before the file was laid out.
fn compact(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let kept = json.chars().filter(|&c| {
        let keep = inside || !c.is_ascii_whitespace();
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
        keep
    });
    kept.collect()
}

/// The names of all recordings of a kind (`webhooks`, `flows`, `delivery`), sorted.
pub fn all(kind: &str) -> Vec<String> {
    let mut names = Vec::new();
    collect(&folder().join(kind), &mut names);
    names.sort();
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let base = self::folder();
            let name = path.with_extension("").strip_prefix(base).unwrap().display().to_string();
            names.push(name);
        }
    }
}

#[test]
fn a_recorded_body_is_sent_in_its_recorded_length() {
    for name in all("webhooks") {
        let recorded = file::<Value>(&name)["request"]["body_bytes"].as_u64().unwrap();

        assert_eq!(post(&name).body.len() as u64, recorded, "{name}");
    }
}
