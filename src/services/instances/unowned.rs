//! Instances without a user: known at Evolution, or by the webhooks that are kept of them. They are offered for adoption
//! and never removed (`zapgate migrate`).

use std::collections::BTreeMap;

use super::Instances;
use crate::domain::error::Error;
use crate::domain::evolution::{Blame, Connection, Failure};
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::time::Millis;

/// An instance that nobody owns here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unowned {
    pub name: InstanceName,
    /// Whose it is by its name, `user_<id>`.
    pub user: Option<UserId>,
    /// How Evolution's database has it; `None` when Evolution has it not.
    pub at_evolution: Option<Connection>,
    /// Webhooks kept of it.
    pub quarantined: i64,
}

/// Groups of the quarantine read at once.
const PAGE: i64 = 200;

impl Instances {
    /// All of them, by name.
    ///
    /// # Errors
    /// [`Error::EvolutionUnreachable`], [`Error::EvolutionRefused`], [`Error::Store`].
    pub async fn unowned(&self) -> Result<Vec<Unowned>, Error> {
        let mut found: BTreeMap<String, Unowned> = BTreeMap::new();
        if let Some(evolution) = &self.evolution {
            for row in evolution.rows().await.map_err(|failure| of_failure(&failure, self.clock.now()))? {
                let entry = found.entry(row.name.to_string()).or_insert_with(|| Unowned::named(row.name));
                entry.at_evolution = Some(row.status);
            }
        }
        let mut after = String::new();
        loop {
            let groups = self.store.quarantine_groups(&after, PAGE).await?;
            let Some(last) = groups.last() else { break };
            after.clone_from(&last.instance_name);
            for group in groups {
                let Ok(name) = InstanceName::parse(&group.instance_name) else { continue };
                found.entry(group.instance_name).or_insert_with(|| Unowned::named(name)).quarantined = group.count;
            }
        }
        let owned = self.store.instance_names().await?;
        Ok(found.into_values().filter(|unowned| !owned.contains(unowned.name.as_str())).collect())
    }

    /// Whether there is anything of that name that a user could be given: an instance, or webhooks of one. Else a slip of
    /// the pen would bind a user to a name for good.
    pub(super) async fn is_anywhere(&self, name: &InstanceName) -> Result<bool, Error> {
        if self.store.instance_named(name).await?.is_some() || !self.store.quarantined(name, 0, 1).await?.is_empty() {
            return Ok(true);
        }
        // Without Evolution nobody can tell, and its webhooks may come later.
        let Some(evolution) = &self.evolution else { return Ok(true) };
        let found = evolution.connection(name).await.map_err(|failure| of_failure(&failure, self.clock.now()))?;
        Ok(found != Connection::Absent)
    }
}

impl Unowned {
    fn named(name: InstanceName) -> Self {
        Self { user: name.user(), name, at_evolution: None, quarantined: 0 }
    }
}

fn of_failure(failure: &Failure, now: Millis) -> Error {
    let advice = failure.advice().unwrap_or_else(|| format!("{failure}."));
    match failure.blame() {
        Blame::Outage => Error::EvolutionUnreachable { advice, retry_after: failure.retry_after(now) },
        Blame::Configuration | Blame::Request => Error::EvolutionRefused(advice),
    }
}
