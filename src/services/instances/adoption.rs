//! Giving a user an instance that nobody owns yet, with the webhooks that were kept for it.

use bytes::Bytes;
use tracing::warn;

use super::Instances;
use crate::adapters::store::aside::QuarantineRow;
use crate::domain::command::Kind;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::time::Millis;
use crate::domain::webhook::{self, Keep};
use crate::services::ingest::Verdict;

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
    /// Gives an instance without a user to `user` and releases its quarantined webhooks, in the order they came.
    ///
    /// # Errors
    /// [`Error::BadInput`] when the user has another instance already, or the name is or was made for another user's;
    /// [`Error::NotFound`] when nobody knows an instance of that name; [`Error::EvolutionUnreachable`] and
    /// [`Error::EvolutionRefused`] when that can't be told; [`Error::Store`].
    pub async fn adopt(&self, name: &InstanceName, user: &UserId, org: Option<&OrgId>) -> Result<Released, Error> {
        let taken = || Error::bad_input("instance", "belongs to another user already");
        let owner = self.store.instance_named(name).await?.map(|instance| instance.user);
        if owner.is_some_and(|owner| owner != *user) {
            return Err(taken());
        }
        // Else that user could never connect, and their webhooks would be somebody else's.
        if name.user().is_some_and(|named| named != *user) {
            return Err(Error::bad_input("userId", "is not the user that this name is made of"));
        }
        if let Some(own) = self.store.instance_of(user).await?.filter(|own| own.name != *name) {
            return Err(Error::bad_input("userId", format!("has the instance `{}` already", own.name)));
        }
        if !self.is_anywhere(name).await? {
            return Err(Error::NotFound("instance"));
        }
        let own = match self.ensure_named(name, user, org).await {
            Ok(own) if own.name == *name => own,
            // Of two who want it at once, or two that one wants, the other was first.
            Ok(_) | Err(Error::NotFound(_)) => return Err(taken()),
            Err(fault) => return Err(fault),
        };
        self.adopted.retain(|owner, adopted| owner != user && adopted != name);
        if *name != InstanceName::of_user(user) {
            self.adopted.insert(user.clone(), name.clone());
        }
        let released = self.release(name).await;
        self.measure_quarantine().await;
        if self.evolution.is_some() {
            // How it stands there, and where it posts to.
            self.ask(&own, Kind::Check, None).await?;
        }
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
}
