//! Keeps the log within its age and size, and the remembered identities within theirs, beside ingest and never in its
//! way: one small batch, then a breath.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::QuarantineGauge;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::error::Error;

#[derive(Clone, Debug, clap::Args)]
pub struct RetentionConfig {
    /// Days that the event log is kept.
    #[arg(long, env = "EVENT_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub event_retention_days: u32,
    /// Bytes the database may use before the oldest events go, whichever comes first. 20 GiB unless set; 0 means
    /// no limit. Rows younger than 24 hours are never dropped for size.
    #[arg(long, env = "EVENT_RETENTION_BYTES", default_value_t = 20 << 30)]
    pub event_retention_bytes: u64,
}

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);
/// Between two batches, so that webhooks get the writing connection in between.
const BREATH: Duration = Duration::from_millis(20);
/// Younger rows are never dropped for size (INTERFACE §1).
const UNTOUCHABLE: Duration = Duration::from_hours(24);
/// Commands that ended are kept this long, for whoever asks what became of them.
const COMMANDS_KEPT: Duration = Duration::from_hours(7 * 24);
/// A removed instance's row takes in what Evolution may still re-send of it (CONTRACT §1.3).
const REMOVED_KEPT: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Drops what is old until `stop`.
pub async fn run(
    store: Store,
    clock: Clock,
    config: RetentionConfig,
    quarantine: QuarantineGauge,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(e) = quarantine.read(&store).await {
            warn!("the quarantine could not be measured: {e}");
        }
        match stop.run_until_cancelled(sweep(&store, &clock, &config)).await {
            Some(Ok(0)) | None => {}
            Some(Ok(dropped)) => info!(events.dropped = dropped, "{dropped} old events were dropped from the log"),
            Some(Err(e)) => warn!("old events could not be dropped: {e}"),
        }
    }
}

/// One look: drops all that is due. How many log rows went.
///
/// # Errors
/// [`Error::Store`].
pub async fn sweep(store: &Store, clock: &Clock, config: &RetentionConfig) -> Result<u64, Error> {
    let swept = drop_due(store, clock, config).await;
    // Whatever came of it: what was cleared must not be read in the log, and what was dropped not fill the disk.
    store.empty_wal().await?;
    swept
}

async fn drop_due(store: &Store, clock: &Clock, config: &RetentionConfig) -> Result<u64, Error> {
    let now = clock.now();
    store.clear_expired_codes(now).await?;
    store.drop_expired_secrets(now).await?;
    let today = now.0.div_euclid(86_400_000);
    while store.drop_recent_before(today - 2).await? > 0 {
        tokio::time::sleep(BREATH).await;
    }
    store.drop_commands_before(now - COMMANDS_KEPT).await?;
    store.drop_removed_before(now - REMOVED_KEPT).await?;
    let mut dropped = 0;
    let too_old = now - DAY * config.event_retention_days;
    while let went @ 1.. = store.drop_events_before(too_old).await? {
        dropped += went;
        tokio::time::sleep(BREATH).await;
    }
    let limit = i64::try_from(config.event_retention_bytes).unwrap_or(i64::MAX);
    while limit > 0 && store.bytes_in_use().await? > limit {
        let went = store.drop_events_before(now - UNTOUCHABLE).await?;
        if went == 0 {
            break;
        }
        dropped += went;
        tokio::time::sleep(BREATH).await;
    }
    Ok(dropped)
}
