//! Telling people that webhooks are being refused: Evolution does not send again what was.

use std::time::Duration;

use tracing::warn;

use super::Instances;
use crate::domain::error::Error;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;
use crate::domain::words::{self, Refusal};
use crate::services::ingest::Announcement;

/// Between two alerts about refused webhooks of one instance (INTERFACE §3).
const ALERT_EVERY_MS: i64 = 600_000;
/// How long a refusal waits for its alert; it stays in the queue beyond that.
const ALERT_PATIENCE: Duration = Duration::from_secs(5);
/// The same for an ending: the store has just failed it, and Evolution is waiting.
const ENDING_ALERT_PATIENCE: Duration = Duration::from_millis(200);
/// Instances whose last alert is remembered.
const ALERTS_KEPT: usize = 10_000;

impl Instances {
    /// Tells the operator and the owner, once in ten minutes, instance and reason, that webhooks are being refused:
    /// Evolution will not send them again, but for one that is too large. An alert that could not be stored in time
    /// counts as not told.
    pub async fn alert_refusal(&self, instance: Option<&InstanceName>, cause: &Error, now: Millis) {
        let Some(name) = instance else { return };
        let key = (name.clone(), Refusal::from(cause));
        if key.1 == Refusal::Ending {
            // It will not come again: what it said is read from Evolution instead.
            self.news.check(name);
        }
        let patience = if key.1 == Refusal::Ending { ENDING_ALERT_PATIENCE } else { ALERT_PATIENCE };
        let told = tokio::time::timeout(patience, self.tell_refusal(&key, cause, now)).await;
        if let Err(e) = told.unwrap_or(Err(Error::Overloaded)) {
            self.alerted.remove(&key);
            warn!("an alert could not be stored: {e}");
        }
    }

    async fn tell_refusal(&self, key: &(InstanceName, Refusal), cause: &Error, now: Millis) -> Result<(), Error> {
        let (name, why) = key;
        let recent = |last: &Millis| now.since(*last) < ALERT_EVERY_MS;
        if self.alerted.get(key).is_some_and(|last| recent(&last)) {
            return Ok(());
        }
        if self.store.instance_named(name).await?.is_none() {
            return Ok(());
        }
        if self.alerted.len() >= ALERTS_KEPT {
            self.alerted.retain(|_, last| recent(last));
        }
        // Of many that come at once, the one that finds the place free tells it.
        if self.alerted.insert(key.clone(), now).is_some_and(|last| recent(&last)) {
            return Ok(());
        }
        warn!(instance.name = %name, error.code = cause.code(), "webhooks of `{name}` are being refused: {cause}");
        let notice = words::refusal(*why).frame_data(name);
        let data = String::from_utf8_lossy(&notice).into_owned();
        self.ingest.announce(Announcement::Notification { instance: name.clone(), data }).await
    }
}
