//! How long an event takes from when it was due until a socket has it.

use std::time::{Duration, Instant};

use super::{Figure, USERS, WARM_UP, at, figure};
use crate::contestant::{Contestant, Places};
use crate::history;
use crate::load::{OpenLoop, Sender, senders, with_senders};
use crate::stage::Stage;
use crate::template::Kinds;

/// The rate at which growth is measured.
const GROWTH_PER_SECOND: u32 = 500;

pub(super) async fn latency(
    contestant: Contestant,
    places: &Places,
    pace: (u32, Duration),
    kinds: Kinds,
) -> anyhow::Result<Vec<Figure>> {
    let (stage, senders) = with_senders(contestant, places, USERS, kinds).await?;
    measure(stage, senders, pace).await
}

/// With so many rows in the log.
pub(super) async fn growth(
    contestant: Contestant,
    places: &Places,
    rows: u64,
    lasts: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let folder = history::folder(contestant, places, rows, USERS).await?;
    let begun = Instant::now();
    let mut stage = Stage::set_on(contestant, places, USERS, folder).await?;
    let started = begun.elapsed();
    let senders = senders(&mut stage, USERS, Kinds::Texts).await?;
    let mut figures = measure(stage, senders, (GROWTH_PER_SECOND, lasts)).await?;
    figures.push(figure("s until it answers after its start", started.as_secs_f64()));
    Ok(figures)
}

async fn measure(
    stage: Stage,
    senders: Vec<Sender>,
    (per_second, lasts): (u32, Duration),
) -> anyhow::Result<Vec<Figure>> {
    let mut open_loop = OpenLoop::new(senders, per_second, &stage.ledger);
    open_loop.run(WARM_UP).await?;
    stage.ledger.take_latencies();

    let before = stage.process.usage()?;
    let paced = open_loop.run(lasts).await?;
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    let latencies = stage.ledger.take_latencies();

    open_loop.close().await?;
    stage.strike().await?;
    Ok(vec![
        figure("p50 ms", at(&latencies, 0.5)),
        figure("p99 ms", at(&latencies, 0.99)),
        figure("p99.9 ms", at(&latencies, 0.999)),
        figure("unsent a second after the end", paced.unsent as f64),
        figure("CPU µs per webhook", cpu.as_secs_f64() * 1e6 / paced.events as f64),
    ])
}
