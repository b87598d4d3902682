//! Who waits for something about an instance to be stored, and for commands to be ordered.

use std::sync::Arc;

use dashmap::{DashMap, DashSet};
use tokio::sync::{Notify, watch};

use crate::domain::ids::InstanceName;

/// Clones share one registry. It holds an entry only while somebody follows.
#[derive(Clone, Debug, Default)]
pub struct News {
    followed: Arc<DashMap<InstanceName, watch::Sender<()>>>,
    ordered: Arc<Notify>,
    /// Instances to look at as soon as the store takes a command again.
    unchecked: Arc<DashSet<InstanceName>>,
}

/// Instances remembered for a look.
const CHECKS_KEPT: usize = 10_000;

impl News {
    /// From now on, a change of the receiver is something stored about the instance.
    pub fn follow(&self, instance: &InstanceName) -> watch::Receiver<()> {
        self.followed.entry(instance.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    pub fn tell(&self, instance: &InstanceName) {
        let is_followed = self.followed.get(instance).map(|sender| sender.send(()).is_ok());
        if is_followed == Some(false) {
            self.followed.remove_if(instance, |_, sender| sender.receiver_count() == 0);
        }
    }

    /// Something was missed: everybody looks.
    pub fn tell_all(&self) {
        self.followed.retain(|_, sender| sender.send(()).is_ok());
    }

    /// A command was written.
    pub fn order(&self) {
        self.ordered.notify_one();
    }

    /// How this instance stands must be read from Evolution: what it told could not be stored.
    pub fn check(&self, instance: &InstanceName) {
        if self.unchecked.len() < CHECKS_KEPT {
            self.unchecked.insert(instance.clone());
        }
    }

    /// One that must be looked at.
    pub(super) fn take_check(&self) -> Option<InstanceName> {
        let any = self.unchecked.iter().next().map(|name| name.clone())?;
        self.unchecked.remove(&any)
    }

    /// Until a command is written.
    pub(super) async fn ordered(&self) {
        self.ordered.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> InstanceName {
        InstanceName::parse(raw).unwrap()
    }

    #[test]
    fn a_follower_hears_of_its_instance_only_and_leaves_nothing_behind() {
        let news = News::default();
        let (ana, bob) = (news.follow(&name("user_ana")), news.follow(&name("user_bob")));

        news.tell(&name("user_ana"));
        assert_eq!((ana.has_changed().unwrap(), bob.has_changed().unwrap()), (true, false));

        drop((ana, bob));
        news.tell(&name("user_ana"));
        news.tell_all();
        assert!(news.followed.is_empty());
    }
}
