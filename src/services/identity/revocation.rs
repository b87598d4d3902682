//! Whose older credentials are refused. In memory, since every request asks; the store's copy is for restarts and
//! other nodes.

use dashmap::DashMap;
use tokio::sync::watch;

use crate::domain::caller::Caller;
use crate::domain::ids::UserId;
use crate::domain::time::Millis;

#[derive(Debug)]
pub(super) struct Revocations {
    /// Credentials issued up to this instant are refused. One entry per user ever revoked.
    up_to: DashMap<UserId, Millis>,
    /// Counts the changes, for those who hold a socket open.
    changes: watch::Sender<u64>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self { up_to: DashMap::new(), changes: watch::Sender::new(0) }
    }
}

impl Revocations {
    /// Takes over what is later than the known, and tells the listeners when anything was.
    pub(super) fn learn(&self, revoked: impl IntoIterator<Item = (UserId, Millis)>) {
        let mut changed = false;
        for (user, at) in revoked {
            let mut known = self.up_to.entry(user).or_insert(Millis(i64::MIN));
            if *known < at {
                *known = at;
                changed = true;
            }
        }
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    pub(super) fn covers(&self, caller: &Caller) -> bool {
        caller.user.as_ref().is_some_and(|user| self.of(user).is_some_and(|at| caller.issued_at <= at))
    }

    pub(super) fn of(&self, user: &UserId) -> Option<Millis> {
        self.up_to.get(user).map(|at| *at)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
