//! One request to Evolution and its answer: address, time, size, repeats, breaker.

use std::error::Error as _;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::debug;
use url::Url;

use super::{EvolutionConfig, answers};
use crate::adapters::clock::Clock;
use crate::domain::breaker::{Breaker, Outcome, Standing};
use crate::domain::error::Error;
use crate::domain::evolution::{Failure, NoAnswer};
use crate::domain::retry::Retry;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Below the five seconds after which Evolution closes an idle connection (`Keep-Alive: timeout=5` in the recordings).
const IDLE: Duration = Duration::from_secs(4);
/// Largest answer read: status answers have some KiB, a code 15, an instance's row 2.
const MAX_BYTES: usize = 2 << 20;
/// The same for lists, messages and media.
const MAX_LARGE_BYTES: usize = 96 << 20;

/// A request, built of parts: nothing in it can lead anywhere else.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    within: Duration,
    max_bytes: usize,
    is_harmless: bool,
    is_counted: bool,
}

/// Names the route only: the rest may hold numbers, texts and keys.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.route())
    }
}

impl Request {
    fn new(method: Method, segments: &[&str], body: Option<Value>, is_harmless: bool) -> Self {
        Self {
            method,
            segments: segments.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            body,
            within: Duration::from_secs(5),
            max_bytes: MAX_BYTES,
            is_harmless,
            is_counted: true,
        }
    }

    pub(super) fn get<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Method::GET, &segments, None, true)
    }

    pub(super) fn post<const N: usize>(segments: [&str; N], body: Value) -> Self {
        Self::new(Method::POST, &segments, Some(body), false)
    }

    pub(super) fn delete<const N: usize>(segments: [&str; N]) -> Self {
        Self::new(Method::DELETE, &segments, None, false)
    }

    pub(super) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    /// From the first byte sent to the last one read.
    pub(super) fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Its answer may be large.
    pub(super) fn large(self) -> Self {
        Self { max_bytes: MAX_LARGE_BYTES, ..self }
    }

    /// It may be repeated whatever came of it.
    pub(super) fn harmless(self) -> Self {
        Self { is_harmless: true, ..self }
    }

    /// It may be repeated only if it certainly never left.
    pub(super) fn once(self) -> Self {
        Self { is_harmless: false, ..self }
    }

    /// A failure says nothing of the server: it may be of one instance, or of WhatsApp.
    pub(super) fn uncounted(self) -> Self {
        Self { is_counted: false, ..self }
    }

    /// For the log and for people: without the instance.
    fn route(&self) -> String {
        self.segments.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("/")
    }

    /// Each part is one segment, whatever characters it has.
    fn url(&self, base: &Url) -> Result<Url, Failure> {
        // A URL knows no way to name these two, escaped or not.
        if self.segments.iter().any(|segment| matches!(segment.as_str(), "." | "..")) {
            return Err(Failure::Rejected("an instance can't be named `.` or `..`".to_owned()));
        }
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::NotEvolution("its address can't have a path"))?
            .pop_if_empty()
            .extend(&self.segments);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

#[derive(Debug)]
pub(super) struct Transport {
    http: Client,
    base: Url,
    key: SecretString,
    retry: Retry,
    longest: Option<Duration>,
    breaker: Mutex<Breaker>,
    clock: Clock,
}

impl Transport {
    pub(super) fn new(base: Url, key: SecretString, config: &EvolutionConfig, clock: Clock) -> Result<Self, Error> {
        let http = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("zapgate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| Error::Internal("the HTTP client for EVOLUTION_API_URL could not be made"))?;
        let breaker = Mutex::new(Breaker::new(config.breaker()));
        Ok(Self { http, base, key, retry: config.retry(), longest: config.longest_call, breaker, clock })
    }

    pub(super) fn standing(&self) -> Standing {
        self.breaker().standing()
    }

    /// The answer's JSON.
    pub(super) async fn ask(&self, request: &Request) -> Result<Value, Failure> {
        answers::json(&self.ask_bytes(request).await?)
    }

    /// The answer's body, of a success.
    pub(super) async fn ask_bytes(&self, request: &Request) -> Result<Bytes, Failure> {
        let url = request.url(&self.base)?;
        for attempt in 1.. {
            let failure = match self.try_once(request, &url).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            let pause = self.retry.after(attempt).filter(|_| is_worth_repeating(request, &failure));
            let Some(pause) = pause else { return Err(failure) };
            debug!(evolution.route = request.route(), attempt, "Evolution failed and is asked again: {failure}");
            tokio::time::sleep(pause).await;
        }
        Err(Failure::NotEvolution("it was asked too often"))
    }

    async fn try_once(&self, request: &Request, url: &Url) -> Result<Bytes, Failure> {
        let admitted = self.breaker().admit(self.clock.now());
        let admission = admitted.map_err(|until| Failure::BreakerOpen { until })?;
        let within = self.longest.map_or(request.within, |longest| longest.min(request.within));
        let outcome = match tokio::time::timeout(within, self.send(request, url)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, cause: None }),
        };
        let said = match &outcome {
            Ok(_) => Outcome::Sound,
            Err(failure) => says_of_server(failure, request.is_counted),
        };
        self.breaker().note(admission, said, self.clock.now());
        outcome
    }

    async fn send(&self, request: &Request, url: &Url) -> Result<Bytes, Failure> {
        let mut key = HeaderValue::from_str(self.key.expose_secret()).map_err(|_| Failure::KeyRefused)?;
        key.set_sensitive(true);
        let mut sending = self.http.request(request.method.clone(), url.clone()).header("apikey", key);
        if let Some(body) = &request.body {
            sending = sending.json(body);
        }
        let response = sending.send().await.map_err(no_answer)?;
        let status = response.status();
        let body = read(response, request.max_bytes).await?;
        if status.is_success() { Ok(body) } else { Err(answers::failure(status.as_u16(), &body, &request.route())) }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(Failure::NotEvolution("its answer is far too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The failures of source 004's list; what a configuration or a request is at fault for stays as it is.
fn is_worth_repeating(request: &Request, failure: &Failure) -> bool {
    match failure {
        Failure::NoAnswer { how: NoAnswer::Tls, .. } => false,
        Failure::NoAnswer { sent, .. } => request.is_harmless || !sent,
        Failure::Down { status } => request.is_harmless && matches!(status, 502..=504),
        _ => false,
    }
}

/// A 500 is often about the one thing that was asked (§6.5), so that it counts neither way.
fn says_of_server(failure: &Failure, is_counted: bool) -> Outcome {
    match failure {
        Failure::NoAnswer { how: NoAnswer::Tls, .. } | Failure::Down { status: 500 } => Outcome::Neither,
        Failure::NoAnswer { .. } | Failure::Down { .. } if is_counted => Outcome::Outage,
        Failure::NoAnswer { .. } | Failure::Down { .. } | Failure::BreakerOpen { .. } => Outcome::Neither,
        _ => Outcome::Sound,
    }
}

/// Why no answer came, from what lies at the bottom of the error.
fn no_answer(error: reqwest::Error) -> Failure {
    let never_left = error.is_connect();
    let how = known_cause(&error).unwrap_or(match () {
        () if error.is_timeout() => NoAnswer::TimedOut,
        () if never_left => NoAnswer::Tls,
        () => NoAnswer::Broken,
    });
    Failure::NoAnswer { how, sent: !never_left, cause: Some(error.without_url().into()) }
}

fn known_cause(error: &reqwest::Error) -> Option<NoAnswer> {
    let mut next = error.source();
    while let Some(cause) = next {
        if cause.to_string().contains("dns error") {
            return Some(NoAnswer::NameUnknown);
        }
        let how = cause.downcast_ref::<io::Error>().and_then(|cause| of_io(cause.kind()));
        if how.is_some() {
            return how;
        }
        next = cause.source();
    }
    None
}

const fn of_io(kind: io::ErrorKind) -> Option<NoAnswer> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some(NoAnswer::Refused),
        io::ErrorKind::TimedOut => Some(NoAnswer::TimedOut),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkDown => {
            Some(NoAnswer::Unreachable)
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(NoAnswer::Broken),
        _ => None,
    }
}
