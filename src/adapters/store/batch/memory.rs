//! What the last batch knew, so that the next need not ask for it. Only the process that holds the database writes to it,
//! and only by batches are instances changed; whatever else may, forgets what is known.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};

use super::{Changes, ChannelId, Key, NewInstance, Seen, ShownChange, Subject};
use crate::domain::ids::InstanceName;

/// Instances that are known at most; beyond it all are asked for anew.
const MOST: usize = 10_000;

/// Kept between batches.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) subjects: HashMap<InstanceName, Subject>,
    /// The last number given, of the channels of those.
    pub(super) heads: HashMap<ChannelId, i64>,
    pub(super) log: Option<LogHead>,
    seen: RecentlySeen,
}

/// The identities stored last: a message that is told twice is told twice within moments. In two generations, of which
/// the older goes when the younger is full.
#[derive(Debug, Default)]
struct RecentlySeen {
    young: HashMap<Key, Seen>,
    old: HashMap<Key, Seen>,
}

/// Identities of one generation.
const GENERATION: usize = 8192;

impl RecentlySeen {
    fn get(&self, key: &Key) -> Option<Seen> {
        self.young.get(key).or_else(|| self.old.get(key)).copied()
    }

    fn insert(&mut self, key: Key, seen: Seen) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, seen);
    }
}

/// Where the log stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogHead {
    pub(super) last_id: i64,
    pub(super) admin_head: i64,
}

impl Memory {
    /// Forgets instances that may have been made, or become somebody else's.
    pub(super) fn forget(&mut self, made: &[NewInstance]) {
        let is_made = |subject: &Subject| made.iter().any(|new| new.name == subject.name || new.user == subject.user);
        if !made.is_empty() {
            self.subjects.retain(|_, subject| !is_made(subject));
        }
    }

    /// Where this identity was stored, if lately.
    pub(super) fn seen(&self, key: &Key) -> Option<Seen> {
        self.seen.get(key)
    }

    /// What was committed is what is known.
    pub(super) fn learn(&mut self, changes: &mut Changes) {
        if let Some(log) = &mut self.log {
            log.last_id = changes.appended.last().map_or(log.last_id, |row| row.entry.id);
            log.admin_head = log.admin_head.max(changes.admin_head);
        }
        changes.remembered.iter().for_each(|row| self.seen.insert(row.key, row.seen));
        if self.subjects.len() > MOST {
            // This batch's too: of a channel that got no row the head is not among the changes.
            self.subjects.clear();
            self.heads.clear();
            return;
        }
        self.heads.extend(&changes.heads);
        for mut subject in mem::take(&mut changes.subjects).into_iter().filter(|subject| !subject.removed) {
            if subject.touched {
                (subject.touched, subject.shown_change) = (false, ShownChange::Keep);
            }
            self.subjects.insert(subject.name.clone(), subject);
        }
    }
}

/// The place where a memory is between two batches. A batch takes it and gives it back when all is committed: one that
/// fails, or is given up, leaves nothing known.
#[derive(Debug, Default)]
pub(in super::super) struct Memories(Mutex<Memory>);

impl Memories {
    pub(super) fn take(&self) -> Memory {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn give_back(&self, memory: Memory) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    /// For whoever changes instances or drops identities without a batch, while holding the writing connection.
    pub(in super::super) fn forget(&self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;
    use std::pin::pin;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;
    use crate::adapters::store::Store;
    use crate::adapters::store::batch::{Appended, Known, Lookups, Remembered};
    use crate::domain::entry::Entry;
    use crate::domain::event::EventName;
    use crate::domain::ids::UserId;
    use crate::domain::lifecycle::State;
    use crate::domain::time::Millis;
    use crate::domain::webhook::Keep;

    const NOW: Millis = Millis(1_795_211_606_000);

    fn ana() -> UserId {
        UserId::named_by_admin("ana").unwrap()
    }

    async fn store_in(folder: &Path) -> Store {
        let store = Store::open(&folder.join("zapgate.db")).await.unwrap();
        let name = InstanceName::of_user(&ana());
        let new = NewInstance { id: Uuid::nil(), name, user: ana(), org: None, state: State::default() };
        let lookups = Lookups { make: vec![new], ..Lookups::default() };
        store.commit_batch(&lookups, NOW, |_| Changes::default()).await.unwrap();
        store
    }

    /// A message as a batch stores it, unless it was seen.
    fn decided(known: Known, key: Key) -> Changes {
        let subject = known.subjects.into_values().next().unwrap();
        if known.seen.contains_key(&key) {
            return Changes { subjects: vec![subject], ..Changes::default() };
        }
        let seq = known.heads[&subject.channel] + 1;
        let entry = Entry {
            id: known.last_id + 1,
            user: ana(),
            seq,
            org: None,
            admin_seq: None,
            instance: subject.name.clone(),
            event: EventName::dotted("messages.upsert"),
            at: NOW,
            emitted_at: NOW,
            late: false,
            folded: 0,
            outcome: None,
            body: Bytes::from_static(b"{}"),
        };
        Changes {
            appended: vec![Appended {
                entry,
                user_channel: subject.channel,
                org_channel: None,
                identity: Some(key),
                qr: None,
            }],
            remembered: vec![Remembered { key, keep: Keep::WithEntry, seen: Seen { seq, content: 7 } }],
            heads: HashMap::from([(subject.channel, seq)]),
            subjects: vec![subject],
            now: NOW,
            ..Changes::default()
        }
    }

    fn of_message(key: Key) -> Lookups {
        Lookups { names: vec![InstanceName::of_user(&ana())], with_entry: vec![key], ..Lookups::default() }
    }

    /// The number it got; `None` where it was seen before. And how often that had to be decided.
    async fn stored(store: &Store, key: Key) -> (Option<i64>, usize) {
        let asked = RefCell::new(0);
        let decide = |known| {
            *asked.borrow_mut() += 1;
            decided(known, key)
        };
        let changes = store.commit_batch(&of_message(key), NOW, decide).await.unwrap();
        (changes.appended.first().map(|row| row.entry.seq), asked.into_inner())
    }

    #[tokio::test]
    async fn a_message_is_recognised_at_once_while_it_is_remembered_and_by_the_table_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path()).await;

        assert_eq!(stored(&store, [1; 16]).await, (Some(1), 1));
        assert_eq!(stored(&store, [1; 16]).await, (None, 1));
        store.memory.forget();
        assert_eq!(stored(&store, [1; 16]).await, (None, 2));
        assert_eq!(stored(&store, [2; 16]).await, (Some(2), 1));
    }

    #[tokio::test]
    async fn nobody_is_known_without_the_head_of_their_channel_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path()).await;
        stored(&store, [1; 16]).await;
        let mut memory = store.memory.take();
        let ana = memory.subjects.values().next().unwrap().clone();
        let others = (0..=MOST).map(|number| InstanceName::parse(&format!("user_{number}")).unwrap());
        memory.subjects = others.map(|name| (name, ana.clone())).collect();

        memory.learn(&mut Changes { subjects: vec![ana.clone()], ..Changes::default() });

        assert!(memory.subjects.values().all(|subject| memory.heads.contains_key(&subject.channel)));
        assert!(memory.subjects.len() <= MOST);
        assert!(memory.seen(&[1; 16]).is_some());
    }

    #[tokio::test]
    async fn with_the_rows_their_identities_are_forgotten_and_the_sequence_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path()).await;
        stored(&store, [1; 16]).await;

        assert_eq!(store.drop_events_before(NOW + std::time::Duration::from_secs(1)).await.unwrap(), 1);

        assert_eq!(stored(&store, [1; 16]).await, (Some(2), 1));
    }

    #[tokio::test]
    async fn a_batch_that_is_given_up_halfway_leaves_nothing_and_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path()).await;
        for polls in 1..6 {
            let lookups = of_message([9; 16]);
            let mut batch = pin!(store.commit_batch(&lookups, NOW, |known| decided(known, [9; 16])));
            for _ in 0..polls {
                if batch.as_mut().now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }

        store.setting_or("a", "b").await.unwrap();

        let (seq, _) = stored(&store, [1; 16]).await;
        assert!(seq.is_some());
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM events").fetch_one(&store.read).await.unwrap();
        assert_eq!(Some(rows), seq, "what was given up is there whole or not at all");
    }

    #[test]
    fn of_identities_two_generations_are_remembered() {
        let (mut seen, at) = (RecentlySeen::default(), |seq| Seen { seq, content: 0 });
        let key = |number: usize| (number as u128).to_be_bytes();

        (0..=GENERATION * 3).zip(0..).for_each(|(number, seq)| seen.insert(key(number), at(seq)));

        assert_eq!(seen.get(&key(0)), None);
        assert_eq!(seen.get(&key(GENERATION * 2)), Some(at(2 * 8192)));
        assert_eq!(seen.young.len() + seen.old.len(), GENERATION + 1);
    }
}
