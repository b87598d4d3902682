//! What is measured. Each scenario starts a server anew, so that none pays for another's history.

mod latency;
mod rate;
mod sockets;
mod storm;

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::contestant::{Contestant, Places};
use crate::template::Kinds;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// As many webhooks as are accepted over so many connections.
    Rate { connections: usize, lasts: Duration },
    /// So many webhooks per second for 200 users, whatever the server does: how long until a socket has each.
    Latency { per_second: u32, lasts: Duration },
    /// The same with every kind of event in turn.
    Mixed { per_second: u32, lasts: Duration },
    /// The same as [`Scenario::Latency`] with so many rows of history.
    Growth { rows: u64, lasts: Duration },
    /// One event to so many sockets: how long until the last has it.
    FanOut { sockets: usize },
    /// So many sockets of as many users, that nothing happens to.
    Idle { sockets: usize },
    /// Sockets opened per second.
    Connects { sockets: usize },
    /// So many sockets of as many users come back at once and recover what they missed, while others' events go on.
    Storm { sockets: usize, lasts: Duration },
}

/// One figure of one run.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
}

const fn figure(name: &'static str, value: f64) -> Figure {
    Figure { name, value }
}

/// Users whose events go on at a given rate.
const USERS: usize = 200;
/// Before anything is measured: caches fill, compilers of peers compile.
const WARM_UP: Duration = Duration::from_secs(2);

impl Scenario {
    pub fn all(seconds: u64) -> Vec<Self> {
        let lasts = Duration::from_secs(seconds);
        let rates = [64, 512].map(|connections| Self::Rate { connections, lasts });
        let latencies = [500, 2000, 5000].map(|per_second| Self::Latency { per_second, lasts });
        let fan_outs = [1000, 2000, 5000].map(|sockets| Self::FanOut { sockets });
        let growths = [10_000, 1_000_000, 10_000_000].map(|rows| Self::Growth { rows, lasts });
        let others = [
            Self::Mixed { per_second: 500, lasts },
            Self::Idle { sockets: 10_000 },
            Self::Connects { sockets: 3000 },
            Self::Storm { sockets: 5000, lasts },
        ];
        [&rates[..], &latencies[..], &fan_outs[..], &others[..], &growths[..]].concat()
    }

    /// Its name in the table and on the command line.
    pub fn key(&self) -> String {
        match self {
            Self::Rate { connections, .. } => format!("rate-{connections}"),
            Self::Latency { per_second, .. } => format!("latency-{per_second}"),
            Self::Mixed { per_second, .. } => format!("mixed-{per_second}"),
            Self::Growth { rows: rows @ 1_000_000.., .. } => format!("growth-{}M", rows / 1_000_000),
            Self::Growth { rows, .. } => format!("growth-{}k", rows / 1000),
            Self::FanOut { sockets } => format!("fan-out-{sockets}"),
            Self::Idle { sockets } => format!("idle-{sockets}"),
            Self::Connects { sockets } => format!("connects-{sockets}"),
            Self::Storm { sockets, .. } => format!("storm-{sockets}"),
        }
    }

    /// Whether `name` is its name or the beginning of it: `latency` or `latency-500`, which is not `latency-5000`.
    pub fn is_called(&self, name: &str) -> bool {
        self.key().strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    pub fn contestants(&self) -> Vec<Contestant> {
        use Contestant::{Bare, Bun, Durable, Fastify, Relay, Socketio, SocketioPostgres, Zapgate};
        match self {
            Self::Rate { .. } => vec![Zapgate, Socketio, SocketioPostgres, Fastify, Bun, Bare, Relay, Durable],
            Self::Latency { .. } | Self::Mixed { .. } => {
                vec![Zapgate, Socketio, SocketioPostgres, Fastify, Bun, Relay, Durable]
            }
            Self::FanOut { .. } | Self::Idle { .. } | Self::Connects { .. } => {
                vec![Zapgate, Socketio, Fastify, Bun, Relay]
            }
            // The others keep no history.
            Self::Growth { .. } | Self::Storm { .. } => vec![Zapgate],
        }
    }

    /// # Errors
    /// [`crate::ledger::Collapsed`] when more was asked of the server than it can do; all others are faults.
    pub async fn run(&self, contestant: Contestant, places: &Places) -> anyhow::Result<Vec<Figure>> {
        match *self {
            Self::Rate { connections, lasts } => rate::rate(contestant, places, connections, lasts).await,
            Self::Latency { per_second, lasts } => {
                latency::latency(contestant, places, (per_second, lasts), Kinds::Texts).await
            }
            Self::Mixed { per_second, lasts } => {
                latency::latency(contestant, places, (per_second, lasts), Kinds::Every).await
            }
            Self::Growth { rows, lasts } => latency::growth(contestant, places, rows, lasts).await,
            Self::FanOut { sockets } => sockets::fan_out(contestant, places, sockets).await,
            Self::Idle { sockets } => sockets::idle(contestant, places, sockets).await,
            Self::Connects { sockets } => sockets::connects(contestant, places, sockets).await,
            Self::Storm { sockets, lasts } => storm::storm(contestant, places, sockets, lasts).await,
        }
    }
}

/// Milliseconds that this share of them took at the most.
fn at(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_called_by_its_name_or_by_its_kind() {
        let named = |name| Scenario::all(1).iter().filter(|scenario| scenario.is_called(name)).count();

        assert_eq!(
            ["latency", "latency-500", "growth", "growth-1M", "fan-out", "fan", "lat"].map(named),
            [3, 1, 3, 1, 3, 3, 0]
        );
    }
}
