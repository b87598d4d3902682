//! An instance's settings and its proxy (§6.4).

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Evolution;
use super::request::Request;
use super::wire::without_nulls;
use crate::domain::evolution::Failure;
use crate::domain::ids::InstanceName;

/// A proxy is tried before it is stored, through a site elsewhere (§6.4).
const PROXY_TEST: Duration = Duration::from_secs(30);

/// How an instance behaves. Most take effect at the next connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(clippy::struct_excessive_bools, reason = "they are Evolution's own switches, each for itself")]
pub struct InstanceSettings {
    pub reject_call: bool,
    /// What a rejected caller is sent; at most 100 characters.
    pub msg_call: String,
    pub groups_ignore: bool,
    pub always_online: bool,
    pub read_messages: bool,
    pub read_status: bool,
    pub sync_full_history: bool,
}

/// The proxy an instance connects through.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ProxySetting {
    pub enabled: bool,
    #[serde(default)]
    pub host: String,
    /// Digits.
    #[serde(default)]
    pub port: String,
    /// `http`, `https`, `socks5`.
    #[serde(default)]
    pub protocol: String,
    pub username: Option<SecretString>,
    pub password: Option<SecretString>,
}

impl Evolution {
    /// # Errors
    /// [`Failure`].
    pub async fn settings(&self, name: &InstanceName) -> Result<InstanceSettings, Failure> {
        let found = match self.ask(Request::get(["settings", "find", name.as_str()])).await? {
            // It was made before there were settings.
            Value::Null => return Ok(InstanceSettings::default()),
            found => without_nulls(found),
        };
        serde_json::from_value(found).map_err(|_| Failure::NotEvolution("its settings are unreadable"))
    }

    /// # Errors
    /// [`Failure`].
    pub async fn set_settings(&self, name: &InstanceName, wanted: &InstanceSettings) -> Result<(), Failure> {
        let body = serde_json::to_value(wanted).map_err(|_| Failure::Rejected("unwritable settings".to_owned()))?;
        self.ask(Request::post(["settings", "set", name.as_str()], body).harmless()).await.map(drop)
    }

    /// `None` when there never was one.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn proxy(&self, name: &InstanceName) -> Result<Option<ProxySetting>, Failure> {
        match self.ask(Request::get(["proxy", "find", name.as_str()])).await? {
            Value::Null => Ok(None),
            found => serde_json::from_value(without_nulls(found))
                .map(Some)
                .map_err(|_| Failure::NotEvolution("its proxy is unreadable")),
        }
    }

    /// Takes effect at the next connect.
    ///
    /// # Errors
    /// [`Failure::Rejected`] for one that Evolution could not use, and all others.
    pub async fn set_proxy(&self, name: &InstanceName, wanted: &ProxySetting) -> Result<(), Failure> {
        let ProxySetting { enabled, host, port, protocol, username, password } = wanted;
        let mut body = json!({ "enabled": enabled, "host": host, "port": port, "protocol": protocol });
        for (member, secret) in [("username", username), ("password", password)] {
            if let Some(secret) = secret {
                body[member] = json!(secret.expose_secret());
            }
        }
        let request = Request::post(["proxy", "set", name.as_str()], body).harmless().within(PROXY_TEST).uncounted();
        self.ask(request).await.map(drop)
    }
}
