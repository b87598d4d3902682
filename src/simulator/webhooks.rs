//! The deliveries of webhooks: all at once, in no order, each tried again by itself (§1.3, §1.5). What Evolution waits
//! for goes on when its delivery has ended, well or not (§1.6).

pub(super) mod policy;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jsonwebtoken::{EncodingKey, Header};
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::policy::Policy;
use super::engine::Engine;
use super::record::Delivery;
use super::time::Busy;
use super::world::Post;
use crate::domain::time::Millis;

/// Deliveries under way at most. Evolution knows no limit; a test that gets here has lost its receiver.
pub(super) const AT_ONCE: usize = 100_000;

/// One webhook on its way.
pub(super) struct Outgoing {
    post: Post,
    headers: HeaderMap,
    /// Kept while a move of the clock must wait for it.
    busy: Busy,
    /// Cancelled when the process dies with it.
    life: CancellationToken,
    /// Before the first try, where deliveries are to be disordered.
    delay: Duration,
}

impl Outgoing {
    /// Headers and proof are made once and are the same in every try.
    pub(super) fn new(post: Post, busy: Busy, life: CancellationToken, delay: Duration) -> Self {
        let headers = headers(&post);
        Self { post, headers, busy, life, delay }
    }
}

/// Delivers what comes until `stop`.
pub(super) async fn run(engine: Arc<Engine>, mut queue: mpsc::Receiver<Outgoing>, stop: CancellationToken) {
    let client = Client::builder().no_proxy().build().unwrap_or_default();
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(outgoing) = queue.recv(), if under_way.len() < AT_ONCE => {
                let (engine, client) = (Arc::clone(&engine), client.clone());
                under_way.push(async move {
                    let life = outgoing.life.clone();
                    life.run_until_cancelled(deliver(&engine, &client, outgoing)).await;
                });
            }
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
        }
    }
}

async fn deliver(engine: &Engine, client: &Client, outgoing: Outgoing) {
    let Outgoing { post, headers, mut busy, delay, .. } = outgoing;
    let policy = engine.policy;
    if !delay.is_zero() {
        drop(busy);
        busy = engine.time.until(engine.time.now() + delay).await;
    }
    for attempt in 1..=policy.tries {
        let at = engine.time.now();
        let answered = attempt_once(engine, client, &post, &headers, &policy).await;
        let is_last = attempt == policy.tries || !Policy::is_tried_again(answered);
        engine.record.delivered(Delivery {
            at,
            emitted_at: post.at,
            instance: post.instance.clone(),
            event: post.event,
            data: post.data.clone(),
            url: post.url.clone(),
            attempt,
            answered,
            is_last,
        });
        if is_last {
            break;
        }
        let wait = policy.wait(attempt, engine.with(|world, _| world.dice.part()));
        let again = engine.time.until(engine.time.now() + wait);
        drop(busy);
        busy = again.await;
    }
    if let Some(then) = post.then {
        engine.with(|world, now| world.after(then, now));
    }
    drop(busy);
}

/// The receiver's status, after redirects; `None` where none came in time. A redirect of 301, 302 or 303 is followed as a
/// GET without body, one of 307 or 308 with it.
async fn attempt_once(
    engine: &Engine,
    client: &Client,
    post: &Post,
    headers: &HeaderMap,
    policy: &Policy,
) -> Option<u16> {
    let request = client.post(&post.url).headers(headers.clone()).body(post.body.clone());
    let exchange = async {
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        // An answer without end is no answer.
        response.bytes().await.ok()?;
        Some(status)
    };
    let end = engine.time.now() + policy.timeout;
    tokio::select! {
        answered = exchange => answered,
        _ = engine.time.until(end) => None,
    }
}

/// As recorded; `jwt_key` is no header but the key of a proof, which replaces a stored `Authorization` (§1.1).
fn headers(post: &Post) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain, */*"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut key = None;
    for (name, value) in &post.headers {
        if name == "jwt_key" {
            key = Some(value);
        } else if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(USER_AGENT, HeaderValue::from_static("axios/1.12.2"));
    if let Some(proof) = key.and_then(|key| HeaderValue::try_from(proof(key, post.at)?).ok()) {
        headers.insert(AUTHORIZATION, proof);
    }
    headers
}

/// The proof of an event: ten minutes valid, bound to nothing (§1.1).
fn proof(key: &str, at: Millis) -> Option<String> {
    let claims = json!({"iat": at.as_secs(), "exp": at.as_secs() + 600, "app": "evolution", "action": "webhook"});
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).ok()?;
    Some(format!("Bearer {token}"))
}
