//! How a simulator is set up: version, key, time, and how long the pretended WhatsApp takes for what.

use std::time::Duration;

use secrecy::SecretString;

use super::webhooks::policy::Policy;
use crate::adapters::clock::Clock;

/// What drives its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tempo {
    /// Real time, read from the configuration's clock.
    Real,
    /// Only `Simulator::advance`.
    Manual,
}

#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// On loopback; 0 takes a free one.
    pub port: u16,
    /// The global key (`AUTHENTICATION_API_KEY`).
    pub key: SecretString,
    pub version: String,
    pub client_name: String,
    pub tempo: Tempo,
    /// What real time is, and where manual time begins.
    pub clock: Clock,
    pub latencies: Latencies,
    pub policy: Policy,
    /// Codes until it gives up (`QRCODE_LIMIT`).
    pub code_limit: u32,
    /// For ids, jitter and codes; by chance when not given.
    pub seed: Option<u64>,
    /// Threads of its server.
    pub workers: usize,
}

impl Default for SimulatorConfig {
    /// Version 2.3.6 on real time, as slow as WhatsApp is.
    fn default() -> Self {
        Self {
            port: 0,
            key: SecretString::from("simulated-evolution-key"),
            version: "2.3.6".to_owned(),
            client_name: "evolution_sim".to_owned(),
            tempo: Tempo::Real,
            clock: Clock::system(),
            latencies: Latencies::default(),
            policy: Policy::default(),
            code_limit: 30,
            seed: None,
            workers: 1,
        }
    }
}

impl SimulatorConfig {
    /// For tests: WhatsApp answers at once, and what it says by the clock (renewals, retries) keeps its periods.
    pub fn quick() -> Self {
        Self { latencies: Latencies::quick(), ..Self::default() }
    }

    /// As [`SimulatorConfig::quick`], on a clock that only a test moves; REST calls are answered without a move.
    pub fn manual() -> Self {
        let zero = Duration::ZERO;
        let latencies = Latencies { create: zero, create_with_code: zero, connect: zero, ..Latencies::quick() };
        Self { tempo: Tempo::Manual, latencies, ..Self::default() }
    }
}

/// How long things take. By default as on a real account, roughly; Evolution's own sleeps exactly.
#[derive(Clone, Copy, Debug)]
pub struct Latencies {
    /// From create's guard to the row.
    pub create: Duration,
    /// The fixed sleep of a create with `qrcode: true`.
    pub create_with_code: Duration,
    /// The fixed sleep of a connect from `close`.
    pub connect: Duration,
    /// From a socket to WhatsApp's first word.
    pub greeting: Duration,
    /// From the greeting to `open`.
    pub login: Duration,
    /// From the scan to the next socket.
    pub scan: Duration,
    /// From the reference to a code to type.
    pub pairing_code: Duration,
    /// The life of a code (`qrTimeout`).
    pub code_period: Duration,
    /// From one `connecting` of a storm to the next, and the pause after fifteen.
    pub storm: Duration,
    pub storm_pause: Duration,
    /// Before a reconnect from version 2.4 on.
    pub calm_reconnect: Duration,
    /// From an opening to being replaced by another one.
    pub war: Duration,
    /// Until the keep-alive notices that WhatsApp is silent.
    pub silence_noticed: Duration,
    /// From the delivery of `remove.instance` to the end of the row.
    pub removal: Duration,
    /// From a send to its delivery, and from that to its being read.
    pub delivered: Duration,
    pub read: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            create: ms(15),
            create_with_code: ms(5000),
            connect: ms(2000),
            greeting: ms(400),
            login: ms(800),
            scan: ms(1000),
            pairing_code: ms(1000),
            code_period: ms(45_000),
            storm: ms(120),
            storm_pause: ms(5000),
            calm_reconnect: ms(3000),
            war: ms(100),
            silence_noticed: ms(57_000),
            removal: ms(50),
            delivered: ms(700),
            read: ms(1500),
        }
    }
}

impl Latencies {
    /// Everything that only costs time is short; what a test must see apart stays apart.
    pub fn quick() -> Self {
        let ms = Duration::from_millis;
        Self {
            create: ms(2),
            create_with_code: ms(40),
            connect: ms(20),
            greeting: ms(5),
            login: ms(5),
            scan: ms(5),
            pairing_code: ms(5),
            storm: ms(10),
            storm_pause: ms(50),
            calm_reconnect: ms(20),
            war: ms(10),
            silence_noticed: ms(100),
            removal: ms(5),
            delivered: ms(5),
            read: ms(10),
            ..Self::default()
        }
    }
}
