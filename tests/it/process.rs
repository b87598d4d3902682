//! The real program as a process of its own, over a folder that outlives it: for what only a process can show, its end
//! above all.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::app::{ADMIN, Answer, JWT_SECRET, WEBHOOK_SECRET, answer, instance_of};
use crate::recorded;

/// Longest that a start or an end may take; a passing test never waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a database, and the program that serves it.
pub struct Site {
    folder: TempDir,
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Site {
    pub fn new() -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_zapgate")))
    }

    /// A site of another build of the program.
    pub fn of(program: &Path) -> Self {
        zapgate::adapters::tls::install();
        Self { folder: tempfile::tempdir().unwrap(), program: program.to_owned(), environment: Vec::new() }
    }

    /// The same, with a variable set.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database_url(&self) -> String {
        format!("sqlite://{}", self.folder.path().join("zapgate.db").display())
    }

    /// A second connection to the database, to look at it or to break it.
    pub async fn database(&self) -> SqlitePool {
        SqlitePool::connect(&self.database_url()).await.unwrap()
    }

    /// Starts the program and waits until it listens.
    pub async fn start(&self) -> Process {
        self.start_under(&[]).await
    }

    /// As [`Site::start`], as the argument of another command.
    pub async fn start_under(&self, command: &[OsString]) -> Process {
        let mut process = self.launch(command);
        let line = process.line("zapgate listens on ").await.expect("it starts");
        process.url = line.split_whitespace().last().unwrap().into();
        process
    }

    /// Starts the program without waiting for anything.
    pub fn launch(&self, command: &[OsString]) -> Process {
        let words: Vec<OsString> = command.iter().cloned().chain([self.program.clone().into()]).collect();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("LOG_FORMAT", "json"), ("RUST_LOG", "info")])
            .envs([("ADMIN_TOKEN", ADMIN), ("JWT_SECRET", JWT_SECRET), ("WEBHOOK_SECRET", WEBHOOK_SECRET)])
            .envs([("DISK_FLOOR_PERCENT", "0"), ("RATE_CALLER_PER_S", "100000"), ("SHUTDOWN_GRACE_S", "5")])
            .env("DATABASE_URL", self.database_url())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", words[0].display()));
        let (heard, lines) = mpsc::unbounded_channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| drop(heard.send(line)));
        });
        Process { child, url: String::new(), http: reqwest::Client::new(), lines }
    }
}

/// The running program. It is killed when this is dropped.
pub struct Process {
    pub url: String,
    pub http: reqwest::Client,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with no chance to do anything (SIGKILL).
    pub fn kill(self) {
        drop(self);
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        terminate(self.id());
    }

    /// The next message of its log that contains `words`; `None` when it ends without one.
    pub async fn line(&mut self, words: &str) -> Option<String> {
        let search = async {
            while let Some(line) = self.lines.recv().await {
                let json: Value = serde_json::from_str(&line).unwrap_or_default();
                let message = json["message"].as_str().unwrap_or(&line);
                if message.contains(words) {
                    return Some(message.to_owned());
                }
            }
            None
        };
        timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("`{words}` is said in time"))
    }

    /// Waits for the end; the exit code, or `None` when a signal ended it.
    pub async fn ended(&mut self) -> Option<i32> {
        let rest = async { while self.lines.recv().await.is_some() {} };
        timeout(PATIENCE, rest).await.expect("it ends in time");
        self.child.wait().unwrap().code()
    }

    /// Makes a user's instance.
    pub async fn user(&self, user: &str, org: Option<&str>) {
        let body = json!({"userId": user, "organizationId": org});
        let request = self.http.post(format!("{}/api/whatsapp/connect", self.url)).bearer_auth(ADMIN);
        let answer = answer(request.json(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
    }

    /// Posts a webhook as Evolution would and waits for the answer.
    pub async fn evolution_posts(&self, user: &str, body: &Value) -> Answer {
        answer(delivery(&self.http, &self.url, user, body)).await
    }
}

/// Asks a process to end (SIGTERM).
pub fn terminate(id: u32) {
    let done = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap();
    assert!(done.success());
}

/// The request that brings a webhook to the server at `url`.
pub fn delivery(http: &reqwest::Client, url: &str, user: &str, body: &Value) -> reqwest::RequestBuilder {
    http.post(format!("{url}/api/webhook/user/{user}")).header("x-webhook-secret", WEBHOOK_SECRET).json(body)
}

/// A message to the user, told from all others by its id.
pub fn message(user: &str, id: &str) -> Value {
    let mut body = recorded::webhook("messages.upsert/text-conversation");
    body["instance"] = json!(instance_of(user));
    body["data"]["key"]["id"] = json!(id);
    body
}

/// A [`message`] of about `bytes`.
pub fn large_message(user: &str, id: &str, bytes: usize) -> Value {
    let mut body = message(user, id);
    body["data"]["message"]["conversation"] = json!("x".repeat(bytes));
    body
}

/// A user's token, good for an hour.
pub fn token(user: &str, org: Option<&str>) -> String {
    let claims = json!({"sub": user, "exp": jsonwebtoken::get_current_timestamp() + 3600, "org_id": org});
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

/// While the database is locked: posts messages until one waits behind those that keep the writer busy; what will give
/// their answers. Whatever is posted next waits too and becomes one batch with it.
pub async fn pile_up(http: &reqwest::Client, url: &str, user: &str) -> Vec<JoinHandle<Answer>> {
    let mut posted = Vec::new();
    // Asked twice, since what waits for an idle writer is gone the next time.
    while waiting(http, url).await == 0 || waiting(http, url).await == 0 {
        let id = format!("PILE{}", posted.len());
        posted.push(tokio::spawn(answer(delivery(http, url, user, &message(user, &id)))));
        tokio::task::yield_now().await;
    }
    posted
}

/// How many webhooks wait for the writer.
pub async fn waiting(http: &reqwest::Client, url: &str) -> i64 {
    let health = answer(http.get(format!("{url}/health")).bearer_auth(ADMIN)).await;
    health.json["ingest"]["waiting"].as_i64().unwrap_or_else(|| panic!("{}", health.json))
}
