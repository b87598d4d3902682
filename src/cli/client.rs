//! A running server as the commands that need one see it: at `HOST:PORT`, with the first `ADMIN_TOKEN`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Failure;
use crate::config::Settings;

/// Longest that one request may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The server, and who asks it.
pub(super) struct Server {
    http: Client,
    base: String,
    token: SecretString,
}

impl Server {
    /// # Errors
    /// [`Failure::Usage`] without a token.
    pub(super) fn of(settings: &Settings) -> Result<Self, Failure> {
        let token = settings.identity.admin_tokens().next().map(str::to_owned);
        let token = token.ok_or_else(|| {
            let fault =
                "ADMIN_TOKEN: is not set, and the running server is asked with it; give this command the server's own";
            Failure::Usage(vec![fault.to_owned()])
        })?;
        crate::adapters::tls::install();
        // It is asked itself, and nobody in between: what goes out is an operator's token.
        let http = Client::builder().timeout(TIMEOUT).no_proxy().redirect(Policy::none());
        let http = http.build().context("making an HTTP client")?;
        Ok(Self { http, base: settings.local_url(settings.listen.address()), token: SecretString::from(token) })
    }

    /// # Errors
    /// When the server can't be reached, or answers with a problem, whose detail is the error's text.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    /// # Errors
    /// As [`Server::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.token.expose_secret());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.with_context(|| {
            format!("no zapgate answers at {}; start it, or set HOST and PORT as the server has them", self.base)
        })?;
        let status = response.status();
        let text = response.text().await.context("reading the server's answer")?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(json);
        }
        let detail = json["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        Err(anyhow!(detail))
    }
}
