//! The door to Evolution API: every call as a typed method. It builds each address itself, follows no redirect, bounds
//! time and size, repeats only what is harmless to repeat, and asks nothing of a server that failed too often.
//! Sections named here are of the contract with Evolution 2.3.x, recordings are in `tests/data/evolution/http`.

mod answers;
mod config;
mod messages;
mod metrics;
mod no_answer;
mod request;
mod sending;
mod settings;
mod transport;
mod webhook;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub use self::config::EvolutionConfig;
pub use self::messages::{Found, Number, Search, StoredMedia};
use self::request::Request;
pub use self::sending::{Contact, Content, Media, Message, Sent};
pub use self::settings::{InstanceSettings, ProxySetting};
use self::transport::Transport;
pub use self::webhook::WebhookSetting;
use crate::adapters::clock::Clock;
use crate::domain::breaker::Standing;
use crate::domain::error::Error;
use crate::domain::evolution::{ConnectAnswer, Connection, Failure, Row, Version};
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;

/// One Evolution server. Clones share its connections and its breaker.
#[derive(Clone, Debug)]
pub struct Evolution {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    transport: Transport,
    clock: Clock,
    version: Mutex<Option<(Millis, Version)>>,
}

/// A new instance at Evolution.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub name: InstanceName,
    pub webhook: WebhookSetting,
    /// The key it shall have; `None` lets Evolution make one.
    pub token: Option<SecretString>,
}

/// How long a read may take: some milliseconds when all is well, and a slow database behind it (§6.3).
const READ: Duration = Duration::from_secs(5);
/// `create` with `qrcode:false` takes milliseconds; §6.3 asks for fifteen seconds at the least.
const CREATE: Duration = Duration::from_secs(20);
/// `connect` from `close` takes two seconds by itself (§6.3).
const CONNECT: Duration = Duration::from_secs(10);
/// Logout is awaited from 2.3.7 on (§9); a delete answers at once.
const ENDING: Duration = Duration::from_secs(15);
/// A version is asked for once a day: `GET /` makes Evolution ask WhatsApp (§6.2).
const VERSION_FRESH_MS: i64 = 86_400_000;

impl Evolution {
    /// `None` when no server is configured.
    ///
    /// # Errors
    /// [`Error::Internal`] when no HTTP client can be made.
    pub fn new(config: &EvolutionConfig, clock: Clock) -> Result<Option<Self>, Error> {
        let Some(url) = config.evolution_api_url.clone() else { return Ok(None) };
        let key = config.evolution_api_key.clone().unwrap_or_default();
        let transport = Transport::new(url, key, config, clock.clone())?;
        Ok(Some(Self { inner: Arc::new(Inner { transport, clock, version: Mutex::default() }) }))
    }

    /// How the breaker stands.
    pub fn breaker(&self) -> Standing {
        self.inner.transport.standing()
    }

    /// How long nothing will be asked of it; zero when it may be asked.
    pub fn pause(&self) -> Duration {
        let Standing::Open { until } = self.breaker() else { return Duration::ZERO };
        Duration::from_millis(u64::try_from(until.since(self.inner.clock.now())).unwrap_or(0))
    }

    /// The server's version, at most a day old.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn version(&self) -> Result<Version, Failure> {
        let now = self.inner.clock.now();
        let known = *self.inner.version.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, version)) = known.filter(|(at, _)| now.since(*at) < VERSION_FRESH_MS) {
            return Ok(version);
        }
        // It fails while Evolution can't reach WhatsApp: no matter of the server's health.
        let answer = self.ask(Request::get([""]).within(READ).uncounted()).await?;
        let text = answer["version"].as_str().ok_or(Failure::NotEvolution("it tells no version"))?;
        let version = Version::parse(text).ok_or(Failure::NotEvolution("its version is unreadable"))?;
        *self.inner.version.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, version));
        Ok(version)
    }

    /// Whether the key is the server's global one.
    ///
    /// # Errors
    /// [`Failure::KeyRefused`] and all others.
    pub async fn verify_key(&self) -> Result<(), Failure> {
        self.ask(Request::post(["verify-creds"], json!({})).harmless().within(READ)).await.map(drop)
    }

    /// Makes an instance, without starting it. The webhook goes in here: only here can all its events be had (§2).
    ///
    /// # Errors
    /// [`Failure::NameInUse`] and all others. After one that [`Failure::may_have_worked`] look before repeating: a
    /// second create of a name removes the first one's instance (§6.3).
    pub async fn create(&self, wanted: &NewConnection) -> Result<(), Failure> {
        let mut body = json!({
            "instanceName": wanted.name.as_str(),
            "integration": "WHATSAPP-BAILEYS",
            "qrcode": false,
            "webhook": wanted.webhook.for_create(),
        });
        if let Some(token) = &wanted.token {
            body["token"] = json!(token.expose_secret());
        }
        let answer = self.ask(Request::post(["instance", "create"], body).within(CREATE)).await?;
        let made = answer["instance"]["instanceName"].is_string();
        if made { Ok(()) } else { Err(Failure::NotEvolution("its answer to create names no instance")) }
    }

    /// Starts the connection; with a number, for a code to type instead of one to scan.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn connect(&self, name: &InstanceName, number: Option<&str>) -> Result<ConnectAnswer, Failure> {
        let request = Request::get(["instance", "connect", name.as_str()]).within(CONNECT).once();
        let request = match number {
            Some(number) => request.query("number", number),
            None => request,
        };
        wire::connect_answer(&self.ask(request).await?)
    }

    /// What the server's memory says.
    ///
    /// # Errors
    /// [`Failure`]; an instance that is not there is [`Connection::Absent`].
    pub async fn connection(&self, name: &InstanceName) -> Result<Connection, Failure> {
        match self.ask(Request::get(["instance", "connectionState", name.as_str()]).within(READ)).await {
            Ok(answer) => wire::connection(&answer),
            Err(Failure::NoSuchInstance) => Ok(Connection::Absent),
            Err(failure) => Err(failure),
        }
    }

    /// What the server's database says; may be stale. Expensive (§6.3): not for polling.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn row(&self, name: &InstanceName) -> Result<Option<Row>, Failure> {
        let request = Request::get(["instance", "fetchInstances"]).query("instanceName", name.as_str());
        match self.ask(request.within(READ * 2)).await {
            Ok(answer) => Ok(wire::rows(&answer)?.into_iter().find(|row| row.name == *name)),
            Err(Failure::NoSuchInstance) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All rows. Expensive.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn rows(&self) -> Result<Vec<Row>, Failure> {
        wire::rows(&self.ask(Request::get(["instance", "fetchInstances"]).within(READ * 6).large()).await?)
    }

    /// Closes the socket and opens it again. `false` when nothing was done: it was `close` (§5.7).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn restart(&self, name: &InstanceName) -> Result<bool, Failure> {
        let request = Request::post(["instance", "restart", name.as_str()], json!({})).within(CONNECT);
        match wire::connect_answer(&self.ask(request).await?)? {
            ConnectAnswer::Failed => Ok(false),
            ConnectAnswer::Open | ConnectAnswer::Pairing { .. } => Ok(true),
        }
    }

    /// Unlinks the phone. Below 2.3.7 it kills the instance's incoming messages (§5.5): see [`Version::SAFE_LOGOUT`].
    ///
    /// # Errors
    /// [`Failure::NotConnected`] and all others.
    pub async fn logout(&self, name: &InstanceName) -> Result<(), Failure> {
        self.ask(Request::delete(["instance", "logout", name.as_str()]).within(ENDING)).await.map(drop)
    }

    /// Has the instance deleted, which happens behind the answer (§5.11).
    ///
    /// # Errors
    /// [`Failure::NoSuchInstance`] and all others.
    pub async fn delete(&self, name: &InstanceName) -> Result<(), Failure> {
        self.ask(Request::delete(["instance", "delete", name.as_str()]).within(ENDING)).await.map(drop)
    }

    /// Where an instance posts to; `None` when that was never set.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn webhook(&self, name: &InstanceName) -> Result<Option<WebhookSetting>, Failure> {
        let answer = self.ask(Request::get(["webhook", "find", name.as_str()]).within(READ)).await?;
        WebhookSetting::found(&answer)
    }

    /// Changes where an instance posts to, at once. It takes away `GROUPS_UPDATE`, which only `create` can subscribe.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn set_webhook(&self, name: &InstanceName, wanted: &WebhookSetting) -> Result<(), Failure> {
        let body = json!({ "webhook": wanted.for_set() });
        self.ask(Request::post(["webhook", "set", name.as_str()], body).harmless().within(READ)).await.map(drop)
    }

    async fn ask(&self, request: Request) -> Result<Value, Failure> {
        self.inner.transport.ask(&request).await
    }
}
