//! A stand-in for Evolution that replays recorded webhooks over HTTP: three users who scan a code, connect, get messages,
//! lose the connection and come back, again and again. Used by `zapgate demo`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::recordings::Recording;
use super::script;
use crate::adapters::clock::{self, Clock};
use crate::adapters::tasks::Tasks;
use crate::domain::ids::InstanceName;

/// A sample user, with the phone that it links.
#[derive(Clone, Copy, Debug)]
pub struct SampleUser {
    pub id: &'static str,
    /// The name of its WhatsApp profile.
    pub name: &'static str,
    /// Digits with country code.
    pub phone: &'static str,
}

pub const USERS: [SampleUser; 3] = [
    SampleUser { id: "padaria-aurora", name: "Padaria Aurora", phone: "5511900000001" },
    SampleUser { id: "clinica-vida", name: "Clínica Vida", phone: "5521900000002" },
    SampleUser { id: "loja-do-bairro", name: "Loja do Bairro", phone: "5531900000003" },
];

/// One user's instance at the pretended Evolution.
#[derive(Clone, Debug)]
pub struct Sender {
    client: reqwest::Client,
    base: Arc<str>,
    user: &'static str,
    pub(super) name: &'static str,
    pub(super) phone: &'static str,
    pub(super) instance: InstanceName,
    key: SecretString,
    pub(super) clock: Clock,
}

impl Sender {
    /// A sender for the user's instance, which signs with `key` as Evolution does with its `jwt_key`.
    pub fn new(base: &str, user: SampleUser, instance: InstanceName, key: SecretString, clock: Clock) -> Self {
        let SampleUser { id, name, phone } = user;
        Self { client: reqwest::Client::new(), base: base.into(), user: id, name, phone, instance, key, clock }
    }

    /// Asks the gateway for the user's instance, as a SaaS would.
    ///
    /// # Errors
    /// When the gateway doesn't answer 200.
    pub async fn connect(&self, admin: &SecretString) -> anyhow::Result<()> {
        self.client
            .post(format!("{}/api/whatsapp/connect", self.base))
            .bearer_auth(admin.expose_secret())
            .json(&json!({"userId": self.user, "organizationId": "demo"}))
            .send()
            .await?
            .error_for_status()
            .context("connecting a sample user")?;
        Ok(())
    }

    /// Plays the user's life until `stop`. Each place has its own timing, so that different states are seen at once.
    pub async fn live(self, place: usize, stop: CancellationToken) {
        stop.run_until_cancelled(script::play(&self, place)).await;
    }

    /// Posts a recording as if it happened now; `change` may vary its `data`.
    pub(super) async fn post(&self, recording: Recording, change: impl FnOnce(&mut Value)) {
        let mut body = recording.body();
        body["instance"] = json!(self.instance);
        body["date_time"] = json!(self.clock.now().to_string());
        body["destination"] = json!(format!("{}/api/webhook/user/{}", self.base, self.user));
        change(&mut body["data"]);
        if let Err(e) = self.deliver(&body).await {
            warn!("a sample event could not be posted: {e:#}");
        }
    }

    async fn deliver(&self, body: &Value) -> anyhow::Result<()> {
        let issued_at = self.clock.now().as_secs();
        let claims = json!({"iat": issued_at, "exp": issued_at + 600, "app": "evolution", "action": "webhook"});
        let key = EncodingKey::from_secret(self.key.expose_secret().as_bytes());
        let proof = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
        self.client
            .post(format!("{}/api/webhook/user/{}", self.base, self.user))
            .bearer_auth(proof)
            .json(body)
            .timeout(Duration::from_secs(30))
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// A message id of WhatsApp's kind.
    pub(super) fn fresh_id() -> String {
        clock::random_bytes::<16>().iter().fold(String::with_capacity(32), |mut id, byte| {
            use std::fmt::Write;
            let _ = write!(id, "{byte:02X}");
            id
        })
    }
}

/// Makes the sample users and starts their lives as tasks.
///
/// # Errors
/// When the gateway doesn't take the users.
pub async fn start(senders: Vec<Sender>, admin: &SecretString, tasks: &Tasks) -> anyhow::Result<()> {
    for sender in &senders {
        sender.connect(admin).await?;
    }
    for (place, sender) in senders.into_iter().enumerate() {
        tasks.spawn("sample-user", |stop| sender.live(place, stop));
    }
    Ok(())
}
