//! Measures zapgate beside what teams use instead and beside what the machine can do at best, in one run, round by round,
//! each server alone on the machine with the load. `bench/run` builds and starts it; `docs/PERFORMANCE.md` has the last
//! table.

mod contestant;
mod crowd;
mod environment;
mod event;
mod history;
mod ledger;
mod listener;
mod load;
mod pacer;
mod poster;
mod process;
mod recording;
mod report;
mod scenario;
mod sequence;
mod stage;
mod targets;
mod template;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::task::LocalSet;

use crate::contestant::{Contestant, Places};
use crate::environment::Environment;
use crate::report::{Report, write_into};
use crate::scenario::Scenario;

#[derive(Debug, Parser)]
#[command(about = "Measures zapgate beside its peers and floors")]
struct Args {
    /// How often everything is measured, interleaved.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds that a rate or a latency is measured.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Who; all by default.
    #[arg(long = "only", value_enum)]
    contestants: Vec<Contestant>,
    /// What, by the beginnings of its name; all by default. For example `rate` or `latency-500`.
    #[arg(long = "scenario")]
    scenarios: Vec<String>,
    /// Where the release binaries are.
    #[arg(long, default_value = "target/release")]
    binaries: PathBuf,
    /// Where the peers are, with their packages installed.
    #[arg(long, default_value = "bench/peers")]
    peers: PathBuf,
    /// A Postgres for the peers that want one.
    #[arg(long, requires = "postgres_pid")]
    postgres_url: Option<String>,
    /// The process id of that Postgres, whose work counts as the peer's.
    #[arg(long, requires = "postgres_url")]
    postgres_pid: Option<u32>,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The document whose table is replaced, if every run was whole.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// No run takes longer, whatever its server does.
const PATIENCE: Duration = Duration::from_mins(15);

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, measure(args))
}

async fn measure(args: Args) -> anyhow::Result<()> {
    let histories = tempfile::tempdir()?;
    let places = Places {
        binaries: args.binaries.canonicalize().context("--binaries")?,
        peers: args.peers.canonicalize().context("--peers")?,
        postgres: args.postgres_url.zip(args.postgres_pid),
        histories: histories.path().to_owned(),
    };
    let mut report = Report::new(Environment::of(&places, args.rounds, args.seconds));
    for round in 1..=args.rounds {
        for scenario in Scenario::all(args.seconds) {
            for contestant in scenario.contestants() {
                let wanted = args.contestants.is_empty() || args.contestants.contains(&contestant);
                let named = args.scenarios.is_empty() || args.scenarios.iter().any(|name| scenario.is_called(name));
                let possible = contestant != Contestant::SocketioPostgres || places.postgres.is_some();
                if !(wanted && named && possible) {
                    continue;
                }
                eprintln!("round {round}: {}: {}", scenario.key(), contestant.name());
                let outcome = match tokio::time::timeout(PATIENCE, scenario.run(contestant, &places)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(anyhow::anyhow!("it did not end within {PATIENCE:?}")),
                };
                if let Err(e) = &outcome {
                    eprintln!("    {e:#}");
                }
                report.add(&scenario, contestant, outcome);
            }
        }
    }
    let judged = report.judged();
    println!("{judged}");
    if let Some(path) = args.json {
        std::fs::write(&path, serde_json::to_vec_pretty(&judged)?).with_context(|| path.display().to_string())?;
    }
    anyhow::ensure!(report.is_sound(), "something was lost, doubled, out of order, or not measured");
    args.write.map_or(Ok(()), |document| write_into(&document, &judged))
}
