//! One request to Evolution and its answer: time, size, repeats, breaker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::{debug, info, warn};
use url::Url;

use super::no_answer::SystemNames;
use super::request::Request;
use super::{EvolutionConfig, answers, no_answer};
use crate::adapters::clock::Clock;
use crate::domain::breaker::{Admission, Breaker, Outcome, Standing};
use crate::domain::error::Error;
use crate::domain::evolution::{Failure, NoAnswer};
use crate::domain::retry::Retry;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Below the five seconds after which Evolution closes an idle connection (`Keep-Alive: timeout=5` in the recordings).
const IDLE: Duration = Duration::from_secs(4);
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
            // Nor through what HTTP_PROXY names: whoever is there would have the key.
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(SystemNames))
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
        let mut outcome = self.try_once(request, &url).await;
        for attempt in 1.. {
            let Err(failure) = &outcome else { break };
            let pause = self.retry.after(attempt).filter(|_| is_worth_repeating(request, failure));
            let Some(pause) = pause else { break };
            debug!(evolution.route = request.route(), attempt, "Evolution failed and is asked again: {failure}");
            self.clock.sleep(pause).await;
            match self.try_once(request, &url).await {
                // It opened meanwhile. What this call met itself says more.
                Err(Failure::BreakerOpen { .. }) => break,
                next => outcome = next,
            }
        }
        outcome
    }

    async fn try_once(&self, request: &Request, url: &Url) -> Result<Bytes, Failure> {
        let admitted = self.breaker().admit(self.clock.now());
        let admission = admitted.map_err(|until| Failure::BreakerOpen { until })?;
        let mut underway = Underway { transport: self, admission, said: Outcome::Neither };
        let within = self.longest.map_or(request.within, |longest| longest.min(request.within));
        let outcome = match tokio::time::timeout(within, self.send(request, url)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, cause: None }),
        };
        underway.said = match &outcome {
            Ok(_) => Outcome::Sound,
            Err(failure) => says_of_server(failure, request.is_counted),
        };
        outcome
    }

    async fn send(&self, request: &Request, url: &Url) -> Result<Bytes, Failure> {
        let mut key = HeaderValue::from_str(self.key.expose_secret()).map_err(|_| Failure::KeyRefused)?;
        key.set_sensitive(true);
        let mut sending = self.http.request(request.method.clone(), url.clone()).header("apikey", key);
        if let Some(body) = &request.body {
            sending = sending.json(body);
        }
        let response = sending.send().await.map_err(no_answer::failure)?;
        let status = response.status();
        let body = read(response, request.max_bytes).await?;
        if status.is_success() { Ok(body) } else { Err(answers::failure(status.as_u16(), &body, &request.route())) }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was let through. Whoever drops it in the middle has learnt nothing of the server: a probe that nobody
/// waits for makes way for the next.
struct Underway<'a> {
    transport: &'a Transport,
    admission: Admission,
    said: Outcome,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let now = self.transport.clock.now();
        let mut breaker = self.transport.breaker();
        let before = breaker.standing();
        breaker.note(self.admission, self.said, now);
        let after = breaker.standing();
        drop(breaker);
        log_change(before, after);
    }
}

/// An outage is told once when it begins and once when it is over, not with every probe.
fn log_change(before: Standing, after: Standing) {
    match (before, after) {
        (Standing::Closed, Standing::Open { until }) => {
            warn!("Evolution failed repeatedly and is asked nothing until {until}; then one call tries");
        }
        (Standing::Open { .. } | Standing::Probing, Standing::Closed) => info!("Evolution answers again"),
        _ => {}
    }
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Bytes, Failure> {
    const TOO_LARGE: Failure = Failure::NotEvolution("its answer is far too large");
    if response.content_length().is_some_and(|announced| announced > max_bytes as u64) {
        return Err(TOO_LARGE);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer::failure)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(TOO_LARGE);
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

/// What a failure says of the server. A certificate is a matter of configuration, and a 500 is often about the one thing
/// that was asked (§6.5): these say nothing. Nobody there, or a proxy that says so, is true for every call.
fn says_of_server(failure: &Failure, is_counted: bool) -> Outcome {
    match failure {
        Failure::NoAnswer { how: NoAnswer::Tls, .. } | Failure::Down { status: 500 } => Outcome::Neither,
        Failure::NoAnswer { sent: false, .. } | Failure::Down { status: 502 | 503 } => Outcome::Outage,
        Failure::NoAnswer { .. } | Failure::Down { .. } if is_counted => Outcome::Outage,
        Failure::NoAnswer { .. } | Failure::Down { .. } | Failure::BreakerOpen { .. } => Outcome::Neither,
        _ => Outcome::Sound,
    }
}
