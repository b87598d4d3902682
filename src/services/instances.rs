//! One instance per user: making the row, finding it, adopting names of another form, releasing their quarantine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tracing::warn;

use super::ingest::{Announcement, Ingest, Verdict};
use crate::adapters::clock;
use crate::adapters::store::Store;
use crate::adapters::store::aside::QuarantineRow;
use crate::adapters::store::batch::NewInstance;
use crate::domain::command::Note;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::instance::Instance;
use crate::domain::lifecycle::{Own, State, reason};
use crate::domain::time::Millis;
use crate::domain::webhook::{self, Keep};
use crate::domain::words::{self, Refusal};

/// The room of instances. Clones share one.
#[derive(Clone, Debug)]
pub struct Instances {
    store: Store,
    ingest: Ingest,
    /// Users whose instance has a name of another form than `user_<id>`.
    adopted: Arc<DashMap<UserId, InstanceName>>,
    /// When a refusal was last told, per instance and reason.
    alerted: Arc<DashMap<(InstanceName, Refusal), Millis>>,
}

/// Between two alerts about refused webhooks of one instance (INTERFACE §3).
const ALERT_EVERY_MS: i64 = 600_000;
/// How long a refusal waits for its alert; it stays in the queue beyond that.
const ALERT_PATIENCE: Duration = Duration::from_secs(5);
/// The same for an ending: the store has just failed it, and Evolution is waiting.
const ENDING_ALERT_PATIENCE: Duration = Duration::from_millis(200);
/// Instances whose last alert is remembered.
const ALERTS_KEPT: usize = 10_000;
/// Quarantined webhooks read at once: few, since each may be as large as a webhook can be.
const RELEASE_PAGE: i64 = 4;

/// What came of releasing an instance's quarantine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    pub stored: u64,
    pub duplicates: u64,
    /// Rows this version could not read; they stay in the quarantine.
    pub unreadable: u64,
}

impl Instances {
    /// # Errors
    /// [`Error::Store`] when the table can't be read.
    pub async fn load(store: Store, ingest: Ingest) -> Result<Self, Error> {
        let adopted = DashMap::new();
        for (user, name) in store.adopted_names().await? {
            adopted.insert(user, name);
        }
        Ok(Self { store, ingest, adopted: Arc::new(adopted), alerted: Arc::default() })
    }

    /// The name of a user's instance, whether it exists or not; no I/O, since every webhook asks.
    pub fn name_of(&self, user: &UserId) -> InstanceName {
        self.adopted.get(user).map_or_else(|| InstanceName::of_user(user), |name| name.clone())
    }

    /// The user's one instance, made if it is not there yet. Safe to call many times at once.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Overloaded`].
    pub async fn ensure(&self, user: &UserId, org: Option<&OrgId>) -> Result<Instance, Error> {
        self.ensure_named(&self.name_of(user), user, org).await
    }

    async fn ensure_named(&self, name: &InstanceName, user: &UserId, org: Option<&OrgId>) -> Result<Instance, Error> {
        let new = NewInstance {
            id: uuid::Builder::from_random_bytes(clock::random_bytes()).into_uuid(),
            name: name.clone(),
            user: user.clone(),
            org: org.cloned(),
            // Nothing connects it yet; the first event of its own says more.
            state: State { own: Own::noting(Note::new(reason::EVOLUTION_NOT_CONFIGURED)), ..State::default() },
        };
        self.ingest.announce(Announcement::Make(Box::new(new))).await?;
        self.store.instance_of(user).await?.ok_or(Error::NotFound("instance"))
    }

    /// Gives an instance without a user to `user` and releases its quarantined webhooks, in the order they came.
    ///
    /// # Errors
    /// [`Error::BadInput`] when the user has another instance already, or the name is or was made for another user's;
    /// [`Error::Store`].
    pub async fn adopt(&self, name: &InstanceName, user: &UserId, org: Option<&OrgId>) -> Result<Released, Error> {
        let owner = self.store.instance_named(name).await?.map(|instance| instance.user);
        if owner.is_some_and(|owner| owner != *user) {
            return Err(Error::bad_input("instance", "belongs to another user already"));
        }
        // Else that user could never connect, and their webhooks would be somebody else's.
        if name.user().is_some_and(|named| named != *user) {
            return Err(Error::bad_input("userId", "is not the user that this name is made of"));
        }
        let own = self.ensure_named(name, user, org).await?;
        if own.name != *name {
            return Err(Error::bad_input("userId", format!("has the instance `{}` already", own.name)));
        }
        if *name != InstanceName::of_user(user) {
            self.adopted.insert(user.clone(), name.clone());
        }
        let released = self.release(name).await;
        self.measure_quarantine().await;
        released
    }

    /// Drops the quarantined webhooks of `name`. How many went.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_quarantined(&self, name: &InstanceName) -> Result<u64, Error> {
        let dropped = self.store.drop_quarantined(name).await?;
        self.measure_quarantine().await;
        Ok(dropped)
    }

    /// Strangers are taken in again as soon as there is room.
    async fn measure_quarantine(&self) {
        if let Err(e) = self.ingest.quarantine().read(&self.store).await {
            warn!("the quarantine could not be measured and will be within a minute: {e}");
        }
    }

    async fn release(&self, name: &InstanceName) -> Result<Released, Error> {
        let mut released = Released::default();
        let mut after = 0;
        loop {
            let rows = self.store.quarantined(name, after, RELEASE_PAGE).await?;
            let Some(last) = rows.last() else { return Ok(released) };
            after = last.id;
            for row in rows {
                match self.release_one(name, row).await? {
                    Some(Verdict::Duplicate { .. }) => released.duplicates += 1,
                    Some(_) => released.stored += 1,
                    None => released.unreadable += 1,
                }
            }
        }
    }

    async fn release_one(&self, name: &InstanceName, row: QuarantineRow) -> Result<Option<Verdict>, Error> {
        let body = Bytes::from(row.body);
        let Ok(mut webhook) = webhook::parse(&body, Some(name), row.issued_at.map(Millis)) else { return Ok(None) };
        // The identity was taken before the secrets were, and counts.
        if let Ok(key) = row.identity.try_into() {
            webhook.identity.key = key;
        }
        if webhook.qr.is_some() {
            webhook.identity.keep = Keep::TwoDays;
        }
        self.ingest.accept_late(webhook, Millis(row.at), Some(row.id)).await.map(Some)
    }

    /// Tells the operator and the owner, once in ten minutes, instance and reason, that webhooks are being refused:
    /// Evolution will not send them again, but for one that is too large. An alert that could not be stored in time
    /// counts as not told.
    pub async fn alert_refusal(&self, instance: Option<&InstanceName>, cause: &Error, now: Millis) {
        let Some(name) = instance else { return };
        let key = (name.clone(), Refusal::from(cause));
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
