//! Which server, and how patient we are with it.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::domain::breaker;
use crate::domain::retry::Retry;

#[derive(Clone, Debug, clap::Args)]
pub struct EvolutionConfig {
    /// The Evolution API server, by its own base address. Unset: webhooks are taken in, and nothing is asked of Evolution.
    #[arg(long, env = "EVOLUTION_API_URL", value_parser = parse_url)]
    pub evolution_api_url: Option<Url>,
    /// Its global key: `AUTHENTICATION_API_KEY` there.
    #[arg(long, env = "EVOLUTION_API_KEY", hide_env_values = true)]
    pub evolution_api_key: Option<SecretString>,
    /// Tries of a call to Evolution that is harmless to repeat, the first included.
    #[arg(long, env = "RETRY_MAX_ATTEMPTS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub retry_max_attempts: u32,
    /// Milliseconds before the second try.
    #[arg(long, env = "RETRY_INITIAL_MS", default_value_t = 1000)]
    pub retry_initial_ms: u32,
    /// By how much each wait is longer than the one before.
    #[arg(long, env = "RETRY_FACTOR", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub retry_factor: u32,
    /// Longest wait between two tries, in milliseconds.
    #[arg(long, env = "RETRY_MAX_MS", default_value_t = 30_000)]
    pub retry_max_ms: u32,
    /// Failures of the server, within the window, after which it is not asked for a while.
    #[arg(long, env = "BREAKER_FAILURES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub breaker_failures: u32,
    /// That window, in milliseconds.
    #[arg(long, env = "BREAKER_WINDOW_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub breaker_window_ms: u32,
    /// How long it is not asked, in milliseconds.
    #[arg(long, env = "BREAKER_OPEN_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub breaker_open_ms: u32,
    /// No call takes longer than this, whatever its own limit: so that a test need not wait for one.
    #[arg(skip)]
    pub longest_call: Option<Duration>,
}

fn parse_url(raw: &str) -> Result<Url, String> {
    raw.parse().map_err(|_| String::from("must be an http or https URL, for example http://evolution:8080"))
}

const fn ms(count: u32) -> Duration {
    Duration::from_millis(count as u64)
}

impl EvolutionConfig {
    pub fn retry(&self) -> Retry {
        Retry {
            attempts: self.retry_max_attempts,
            initial: ms(self.retry_initial_ms),
            factor: self.retry_factor,
            longest: ms(self.retry_max_ms),
        }
    }

    pub fn breaker(&self) -> breaker::Rules {
        breaker::Rules {
            failures: usize::try_from(self.breaker_failures).unwrap_or(usize::MAX),
            window: ms(self.breaker_window_ms),
            open: ms(self.breaker_open_ms),
        }
    }

    /// What is wrong, a line each.
    pub fn validate(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let key = self.evolution_api_key.as_ref().map_or("", |key| key.expose_secret().trim());
        match &self.evolution_api_url {
            Some(url) => {
                let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
                if !matches!(url.scheme(), "http" | "https")
                    || url.host().is_none()
                    || !plain
                    || url.fragment().is_some()
                {
                    faults.push(String::from(
                        "EVOLUTION_API_URL: must be an http or https URL without user, query and fragment; \
                         example: http://evolution:8080",
                    ));
                }
                if key.is_empty() {
                    faults.push(String::from(
                        "EVOLUTION_API_KEY: must be set beside EVOLUTION_API_URL; it is Evolution's AUTHENTICATION_API_KEY",
                    ));
                }
            }
            None if !key.is_empty() => faults.push(String::from(
                "EVOLUTION_API_URL: must be set beside EVOLUTION_API_KEY; example: http://evolution:8080",
            )),
            None => {}
        }
        if key.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            faults.push(String::from("EVOLUTION_API_KEY: has characters that no HTTP header can carry"));
        }
        faults
    }
}
