//! One instance per user: making the row, finding it, and what its owner or an operator can ask of it.

mod adoption;
mod alerts;
mod asking;
mod unowned;

use std::sync::Arc;

use dashmap::DashMap;

pub use self::adoption::Released;
pub use self::unowned::Unowned;
use super::ingest::{Announcement, Ingest};
use super::supervisor::News;
use crate::adapters::clock::{self, Clock};
use crate::adapters::evolution::Evolution;
use crate::adapters::store::Store;
use crate::adapters::store::batch::NewInstance;
use crate::domain::command::Note;
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::instance::Instance;
use crate::domain::lifecycle::{Own, State, reason};
use crate::domain::time::Millis;
use crate::domain::words::Refusal;

/// The room of instances. Clones share one.
#[derive(Clone, Debug)]
pub struct Instances {
    store: Store,
    ingest: Ingest,
    clock: Clock,
    news: News,
    /// `None` while no Evolution is configured: rows are made, and nothing is asked for.
    evolution: Option<Evolution>,
    /// Users whose instance has a name of another form than `user_<id>`.
    adopted: Arc<DashMap<UserId, InstanceName>>,
    /// When a refusal was last told, per instance and reason.
    alerted: Arc<DashMap<(InstanceName, Refusal), Millis>>,
}

impl Instances {
    /// # Errors
    /// [`Error::Store`] when the table can't be read.
    pub async fn load(
        store: Store,
        ingest: Ingest,
        clock: Clock,
        news: News,
        evolution: Option<Evolution>,
    ) -> Result<Self, Error> {
        let adopted = DashMap::new();
        for (user, name) in store.adopted_names().await? {
            adopted.insert(user, name);
        }
        Ok(Self { store, ingest, clock, news, evolution, adopted: Arc::new(adopted), alerted: Arc::default() })
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
        let own = match self.evolution {
            Some(_) => Own::default(),
            // Nothing connects it yet; the first event of its own says more.
            None => Own::noting(Note::new(reason::EVOLUTION_NOT_CONFIGURED)),
        };
        let new = NewInstance {
            id: uuid::Builder::from_random_bytes(clock::random_bytes()).into_uuid(),
            name: name.clone(),
            user: user.clone(),
            org: org.cloned(),
            state: State { own, ..State::default() },
        };
        self.ingest.announce(Announcement::Make(Box::new(new))).await?;
        self.store.instance_of(user).await?.ok_or(Error::NotFound("instance"))
    }
}
