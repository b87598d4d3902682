//! What many sockets cost: to open, to have, to send one event to.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use super::{Figure, at, figure};
use crate::contestant::{Contestant, Places};
use crate::listener::Greeted;
use crate::load::Sender;
use crate::stage::{OPENED_AT_ONCE, Stage};
use crate::template::Kinds;

/// Events of one fan-out run.
const FANNED_OUT: usize = 40;
/// How long idle sockets are watched.
const IDLE: Duration = Duration::from_secs(10);

pub(super) async fn fan_out(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set(contestant, places, 1).await?;
    stage.make_users(0..1).await?;
    stage.listen(std::iter::repeat_n(0, sockets)).await?;
    let server = (contestant, stage.process.port);
    let mut sender = Sender::connect(server, 0, sockets as u64, Kinds::Texts, &stage.ledger).await?;
    let mut to_the_last = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let before = stage.process.usage()?;
    for number in 0..FANNED_OUT + 5 {
        let begun = Instant::now();
        sender.send(begun).await?;
        stage.settle().await?;
        // The first few warm up.
        if number >= 5 {
            to_the_last.saturating_record(u64::try_from(begun.elapsed().as_micros())?);
        }
    }
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    stage.strike().await?;
    let delivered = sockets * (FANNED_OUT + 5);
    Ok(vec![
        figure("to the last, p50 ms", at(&to_the_last, 0.5)),
        figure("to the last, p99 ms", at(&to_the_last, 0.99)),
        figure("CPU s per million deliveries", cpu.as_secs_f64() * 1e6 / delivered as f64),
    ])
}

pub(super) async fn idle(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set(contestant, places, sockets).await?;
    // Code and pools are there before sockets are counted.
    stage.listen(0..OPENED_AT_ONCE).await?;
    let before = stage.process.usage()?;
    stage.listen(OPENED_AT_ONCE..sockets).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let opened = stage.process.usage()?;
    tokio::time::sleep(IDLE).await;
    let after = stage.process.usage()?;
    stage.strike().await?;
    let kilobytes = opened.rss_bytes.saturating_sub(before.rss_bytes) as f64 / 1000.0;
    let cpu = after.cpu.saturating_sub(opened.cpu);
    Ok(vec![
        figure("RSS kB per socket", kilobytes / (sockets - OPENED_AT_ONCE) as f64),
        figure("CPU %", cpu.as_secs_f64() * 100.0 / IDLE.as_secs_f64()),
    ])
}

pub(super) async fn connects(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(contestant, places, sockets).await?;
    let port = stage.process.port;
    let mut users = 0..sockets;
    let (before, begun) = (stage.process.usage()?, Instant::now());
    let mut open = Vec::with_capacity(sockets);
    loop {
        let some: Vec<usize> = users.by_ref().take(OPENED_AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        open.extend(try_join_all(some.into_iter().map(|user| Greeted::open(contestant, port, user))).await?);
    }
    let took = begun.elapsed();
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    drop(open);
    stage.strike().await?;
    Ok(vec![
        figure("sockets/s", sockets as f64 / took.as_secs_f64()),
        figure("CPU µs per socket", cpu.as_secs_f64() * 1e6 / sockets as f64),
    ])
}
