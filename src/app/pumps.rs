//! Wiring loops: what floor carries to which.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::adapters::bus::Committed;
use crate::adapters::clock::Clock;
use crate::services::hub::Hub;

/// Carries committed batches from the bus to the hub until `stop`. What the bus dropped because this loop lagged is in
/// the log: everybody reads it there.
pub async fn bus_to_hub(mut batches: Receiver<Arc<[Committed]>>, hub: Hub, clock: Clock, stop: CancellationToken) {
    loop {
        let batch = tokio::select! {
            batch = batches.recv() => batch,
            () = stop.cancelled() => return,
        };
        match batch {
            Ok(batch) => batch.iter().for_each(|committed| hub.publish(committed, clock.now())),
            Err(RecvError::Lagged(batches)) => {
                warn!(batches, "the hub's pump lagged by {batches} batches: listeners read the log");
                hub.resync();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Between two lines about live connections.
const CENSUS: Duration = Duration::from_mins(1);

/// Tells the log how live delivery fares until `stop`, and at the end once more.
pub async fn census_to_log(hub: Hub, stop: CancellationToken) {
    let mut told = hub.census();
    while stop.run_until_cancelled(tokio::time::sleep(CENSUS)).await.is_some() {
        told = hub.tell_census(&told);
    }
    hub.tell_census(&told);
}
