//! All settings of a server: flags and environment, checked as a whole before anything opens. Each part's own settings
//! stand beside the part; here they are put together.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;
use url::{Host, Url};

use crate::adapters::evolution::EvolutionConfig;
use crate::http::door::DoorConfig;
use crate::http::limits::LimitsConfig;
use crate::services::hub::HubConfig;
use crate::services::identity::IdentityConfig;
use crate::services::ingest::IngestConfig;
use crate::services::ingest::proof::{ProofConfig, WebhookAuth};
use crate::services::ingest::retention::RetentionConfig;
use crate::services::supervisor::SupervisorConfig;

/// Everything `zapgate serve` can be told. Every option is also an environment variable.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct Settings {
    #[command(flatten)]
    pub listen: ListenConfig,
    /// Where the data is: `sqlite://path/to/file.db`. Made and migrated at the start.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://zapgate.db")]
    pub database_url: String,
    /// This gateway's base URL as Evolution reaches it. Unset: `http://HOST:PORT`.
    #[arg(long, env = "WEBHOOK_URL", value_parser = parse_url)]
    pub webhook_url: Option<Url>,
    /// Seconds that a stopping server gives its sockets and its queue.
    #[arg(long, env = "SHUTDOWN_GRACE_S", default_value_t = 10)]
    pub shutdown_grace_s: u32,
    #[command(flatten, next_help_heading = "Who may call")]
    pub identity: IdentityConfig,
    #[command(flatten, next_help_heading = "Who may call")]
    pub door: DoorConfig,
    #[command(flatten, next_help_heading = "Who may call")]
    pub limits: LimitsConfig,
    #[command(flatten, next_help_heading = "Webhooks")]
    pub proof: ProofConfig,
    #[command(flatten, next_help_heading = "Webhooks")]
    pub ingest: IngestConfig,
    #[command(flatten, next_help_heading = "Evolution API")]
    pub evolution: EvolutionConfig,
    #[command(flatten, next_help_heading = "Evolution API")]
    pub supervisor: SupervisorConfig,
    #[command(flatten, next_help_heading = "Event log")]
    pub retention: RetentionConfig,
    #[command(flatten, next_help_heading = "Live")]
    pub hub: HubConfig,
}

/// Where the server listens.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenConfig {
    /// Address to listen on; `::` or `0.0.0.0` for all.
    #[arg(long, env = "HOST", default_value = "127.0.0.1", value_parser = parse_host)]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,
}

impl ListenConfig {
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// Takes the address.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn bind(&self) -> Result<TcpListener, String> {
        let Self { host, port } = self;
        TcpListener::bind(self.address()).map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => {
                format!("PORT: {port} is taken by another program; choose another, or --port 0 for a free one")
            }
            ErrorKind::AddrNotAvailable => {
                format!("HOST: {host} is no address of this machine; example: HOST=127.0.0.1")
            }
            ErrorKind::PermissionDenied => format!("PORT: {port} may not be taken by this user; example: PORT=8080"),
            _ => format!("HOST, PORT: can't listen on {}: {cause}", self.address()),
        })
    }
}

fn parse_host(raw: &str) -> Result<IpAddr, String> {
    match raw.trim_matches(['[', ']']) {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        raw => raw.parse().map_err(|_| String::from("must be an IP address, for example 127.0.0.1 or ::")),
    }
}

fn parse_url(raw: &str) -> Result<Url, String> {
    raw.parse().map_err(|_| String::from("must be an http or https URL, for example https://zapgate.example.com"))
}

/// A wildcard means loopback when one wants to connect to it.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        other => other,
    }
}

/// What is wrong with the settings, and what is merely risky.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Each one line: the variable, what is wrong, an example. The server does not start.
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

impl Settings {
    /// Looks at everything at once, so that an operator mends all in one go. Never shows a secret.
    pub fn check(&self) -> Findings {
        let mut found = Findings { faults: self.identity.validate(), warnings: Vec::new() };
        found.faults.extend(self.door.validate());
        found.faults.extend(self.limits.validate());
        found.faults.extend(self.evolution.validate());
        if self.listen.host.is_unspecified() && self.evolution.evolution_api_url.is_some() && self.webhook_url.is_none()
        {
            found.faults.push(format!(
                "WEBHOOK_URL: must say how Evolution reaches this gateway, since HOST is `{}`; \
                 example: https://zapgate.example.com",
                self.listen.host
            ));
        }
        if let Err(fault) = self.database_path() {
            found.faults.push(fault);
        }
        if !self.listen.host.is_loopback() && !self.identity.has_credentials() {
            found.faults.push(format!(
                "HOST: `{}` is reachable from outside, so ADMIN_TOKEN, JWT_SECRET or JWKS_URL must be set; \
                 example: ADMIN_TOKEN=$(openssl rand -hex 32)",
                self.listen.host
            ));
        }
        found.faults.extend(self.webhook_secret_faults());
        match &self.webhook_url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                found.faults.push(String::from(
                    "WEBHOOK_URL: must be an http or https URL; example: https://zapgate.example.com",
                ));
            }
            Some(url) if url.scheme() == "http" && !is_near(url) => {
                found
                    .warnings
                    .push(String::from("WEBHOOK_URL: webhooks and their proofs cross the network in clear; use https"));
            }
            _ => {}
        }
        if let Some(url) = &self.evolution.evolution_api_url
            && url.scheme() == "http"
            && !is_near(url)
        {
            found.warnings.push(String::from(
                "EVOLUTION_API_URL: Evolution's key and everybody's messages cross the network in clear; use https",
            ));
        }
        if self.proof.webhook_auth == WebhookAuth::None {
            found
                .warnings
                .push(String::from("WEBHOOK_AUTH=none: anybody who can reach the webhook routes can post events"));
        }
        found
    }

    fn webhook_secret_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let secrets = self.proof.webhook_secret.iter().map(ExposeSecret::expose_secret);
        if secrets.clone().any(|secret| secret.trim().is_empty()) {
            faults.push(String::from(
                "WEBHOOK_SECRET: one of its values is empty; example: WEBHOOK_SECRET=$(openssl rand -hex 32)",
            ));
        }
        if secrets.clone().any(|secret| !secret.is_empty() && secret.len() < 16) {
            faults.push(String::from("WEBHOOK_SECRET: a value is shorter than 16 characters; example: WEBHOOK_SECRET=$(openssl rand -hex 32)"));
        }
        if let Some(jwt_secret) = self.identity.jwt_secret.as_ref()
            && secrets.clone().any(|secret| secret == jwt_secret.expose_secret())
        {
            faults.push(String::from(
                "WEBHOOK_SECRET: must not equal JWT_SECRET, or Evolution could sign users' tokens; use two secrets",
            ));
        }
        faults
    }

    /// The file behind `DATABASE_URL`.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn database_path(&self) -> Result<PathBuf, String> {
        let rest = self.database_url.strip_prefix("sqlite://").or_else(|| self.database_url.strip_prefix("sqlite:"));
        let path = rest.map(|rest| rest.split('?').next().unwrap_or(rest));
        match path {
            Some(path) if !path.is_empty() && path != ":memory:" => Ok(PathBuf::from(path)),
            Some(_) => Err(String::from("DATABASE_URL: names no file; example: sqlite://zapgate.db")),
            None => Err(String::from("DATABASE_URL: this version knows sqlite:// only; example: sqlite://zapgate.db")),
        }
    }

    /// Where a client on this machine finds the server that listens on `bound`.
    pub fn local_url(&self, bound: SocketAddr) -> String {
        format!("http://{}", SocketAddr::new(reachable(bound.ip()), bound.port()))
    }

    /// This gateway as Evolution reaches it, when it listens on `bound`.
    pub fn webhook_base(&self, bound: SocketAddr) -> String {
        self.webhook_url.as_ref().map_or_else(|| self.local_url(bound), ToString::to_string)
    }

    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.shutdown_grace_s))
    }
}

/// Endings of names that no public DNS has: those of clouds' and clusters' own networks, and of a house's.
const NEAR: [&str; 7] = [".localhost", ".internal", ".flycast", ".svc", ".local", ".lan", ".home.arpa"];

/// Loopback, private or a name without a dot (a container's): not the open network.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Some(Host::Domain(name)) => !name.contains('.') || NEAR.iter().any(|ending| name.ends_with(ending)),
        None => false,
    }
}
