//! The simulated Evolution alone, for tests and benchmarks in other processes: `PORT` and `KEY` choose where it listens
//! and its global key, `VERSION` what it calls itself, `QUICK` (any value) makes WhatsApp answer at once, and `CODE_MS`
//! says how long a code lives. It prints its URL; `/simulator/…` on the same port controls it.

#![allow(clippy::print_stdout, reason = "an example that runs by itself")]

use std::error::Error;
use std::time::Duration;

use secrecy::SecretString;
use zapgate::adapters::tasks::Tasks;
use zapgate::app::{block_on, stop_signal};
use zapgate::simulator::{Latencies, Simulator, SimulatorConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = SimulatorConfig::default();
    if let Ok(port) = std::env::var("PORT") {
        config.port = port.parse()?;
    }
    if let Ok(key) = std::env::var("KEY") {
        config.key = SecretString::from(key);
    }
    if let Ok(version) = std::env::var("VERSION") {
        config.version = version;
    }
    if std::env::var_os("QUICK").is_some() {
        config.latencies = Latencies::quick();
    }
    if let Ok(ms) = std::env::var("CODE_MS") {
        config.latencies.code_period = Duration::from_millis(ms.parse()?);
    }
    block_on(async {
        let stop = stop_signal()?;
        let tasks = Tasks::default();
        let simulator = Simulator::start(config, &tasks).await?;
        println!("{}", simulator.url());
        stop.await;
        tasks.cancel();
        Ok(())
    })
}
