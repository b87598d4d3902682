//! What others feel when thousands come back at once.

use std::time::Duration;

use super::{Figure, USERS, WARM_UP, at, figure};
use crate::contestant::{Contestant, Places};
use crate::crowd::{Crowd, PATIENCE};
use crate::load::{OpenLoop, senders};
use crate::stage::Stage;
use crate::template::Kinds;

/// Others' events.
const PER_SECOND: u32 = 500;

pub(super) async fn storm(
    contestant: Contestant,
    places: &Places,
    sockets: usize,
    lasts: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set(contestant, places, USERS).await?;
    stage.make_users(0..USERS + sockets).await?;
    let crowd = Crowd::away((contestant, stage.process.port), USERS..USERS + sockets).await?;
    let senders = senders(&mut stage, USERS, Kinds::Texts).await?;
    let mut open_loop = OpenLoop::new(senders, PER_SECOND, &stage.ledger);
    open_loop.run(WARM_UP).await?;
    stage.ledger.take_latencies();

    open_loop.run(lasts).await?;
    let calm = at(&stage.ledger.take_latencies(), 0.99);

    let before = stage.process.usage()?;
    let mut back = None;
    let returning = async { back = Some(crowd.return_at_once().await) };
    // Only what falls due while they recover: calm seconds after it would water it down.
    open_loop.run_until(returning, PATIENCE).await?;
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    let stormy = at(&stage.ledger.take_latencies(), 0.99);
    let (took, crowd) = back.unwrap_or_else(|| Err(anyhow::anyhow!("they did not come back")))?;

    open_loop.close().await?;
    crowd.leave()?;
    stage.strike().await?;
    Ok(vec![
        figure("s until all have recovered", took.as_secs_f64()),
        figure("others' p99 ms, calm", calm),
        figure("others' p99 ms, in the storm", stormy),
        figure("others' p99, storm against calm", stormy / calm),
        figure("CPU s in the storm", cpu.as_secs_f64()),
    ])
}
