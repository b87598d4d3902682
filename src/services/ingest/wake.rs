//! Time as an input: feeds a tick to the instances whose state wants one by now.

use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Ingest;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::domain::error::Error;
use crate::domain::ids::InstanceName;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Instances woken at once.
const AT_ONCE: i64 = 200;

/// Wakes instances whose state changes by time alone, until `stop`.
pub async fn run(store: Store, clock: Clock, ingest: Ingest, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(e) = once(&store, &clock, &ingest).await {
            warn!("due instances could not be read: {e}");
        }
    }
}

/// One look: wakes what is due, all at once, so that a whole drop is a few commits. How many were due.
///
/// # Errors
/// [`Error::Store`] when what is due can't be read; one that can't be woken is logged, and due again at the next look.
pub async fn once(store: &Store, clock: &Clock, ingest: &Ingest) -> Result<usize, Error> {
    let due = store.due_wakes(clock.now(), AT_ONCE).await?;
    let names = due.iter().filter_map(|name| InstanceName::parse(name).ok());
    let woken = join_all(names.map(|name| ingest.wake(name))).await;
    let failed = woken.iter().filter_map(|woken| woken.as_ref().err());
    if let Some(first) = failed.clone().next() {
        let failed = failed.count();
        warn!(instances.failed = failed, "{failed} instances could not be woken and are tried again: {first}");
    }
    Ok(due.len())
}
