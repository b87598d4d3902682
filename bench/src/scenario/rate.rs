//! How many webhooks are accepted.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::{Figure, WARM_UP, figure};
use crate::contestant::{Contestant, Places};
use crate::load::with_senders;
use crate::template::Kinds;

pub(super) async fn rate(
    contestant: Contestant,
    places: &Places,
    users: usize,
    lasts: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let (stage, mut senders) = with_senders(contestant, places, users, Kinds::Texts).await?;
    let warm = Instant::now() + WARM_UP;
    try_join_all(senders.iter_mut().map(|sender| sender.send_until(warm))).await?;
    stage.settle().await?;

    let (before, begun) = (stage.process.usage()?, Instant::now());
    let accepted: u64 =
        try_join_all(senders.iter_mut().map(|sender| sender.send_until(begun + lasts))).await?.into_iter().sum();
    let took = begun.elapsed();
    stage.settle().await?;
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);

    stage.strike().await?;
    Ok(vec![
        figure("accepted/s", accepted as f64 / took.as_secs_f64()),
        figure("CPU µs per webhook", cpu.as_secs_f64() * 1e6 / accepted as f64),
    ])
}
