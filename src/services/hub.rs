//! Who on this node listens to what, and the fan-out: a committed row is rendered once and its bytes are shared by all
//! listeners of a channel. Knows neither the log nor sockets, and never waits for either: what a listener misses it
//! reads from the log (`services/live`).
//!
//! Locks are taken topic first, then queue; neither is held over an await.

pub mod census;
mod send_queue;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as Slot;

use self::census::Census;
pub use self::send_queue::Received;
use self::send_queue::SendQueue;
use crate::adapters::bus::Committed;
use crate::domain::channel::Channel;
use crate::domain::entry::Entry;
use crate::domain::frame::{self, Frame};
use crate::domain::ids::UserId;
use crate::domain::time::Millis;
use crate::sabotage::{self, Sabotage};

/// Live delivery's limits.
#[derive(Clone, Debug, clap::Args)]
pub struct HubConfig {
    /// Live connections (WebSocket and SSE together) one user may have on this node.
    #[arg(long = "ws-max-sockets-per-user", env = "WS_MAX_SOCKETS_PER_USER", default_value_t = 20)]
    pub max_sockets_per_user: usize,
    /// Events a client may be behind and still recover all of them; beyond, it starts anew.
    #[arg(long = "ws-recovery-max-events", env = "WS_RECOVERY_MAX_EVENTS", default_value_t = 100_000)]
    pub recovery_max_events: i64,
    /// Bytes queued for a slow reader before it is closed with 4008. 1 MiB unless set.
    #[arg(long = "hub-queue-bytes", env = "HUB_QUEUE_BYTES", default_value_t = 1 << 20)]
    pub queue_bytes: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { max_sockets_per_user: 20, recovery_max_events: 100_000, queue_bytes: 1 << 20 }
    }
}

/// This node's listeners. A clone is the same hub.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: HubConfig,
    /// Watched channels only: a topic goes with its last listener.
    topics: DashMap<Channel, Topic>,
    sockets: DashMap<UserId, usize>,
    next_listener: AtomicU64,
    census: Census,
}

#[derive(Debug, Default)]
struct Topic {
    /// The highest number heard of since the first listener came; 0 before any.
    last_seq: i64,
    listeners: HashMap<u64, Arc<SendQueue>>,
}

impl Hub {
    pub fn new(config: HubConfig) -> Self {
        let shared = Shared {
            config,
            topics: DashMap::new(),
            sockets: DashMap::new(),
            next_listener: AtomicU64::new(0),
            census: Census::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    pub fn config(&self) -> &HubConfig {
        &self.shared.config
    }

    /// Hands a committed row to everybody who watches one of its channels. To be called in commit order.
    pub fn publish(&self, committed: &Committed, now: Millis) {
        let entry = &committed.entry;
        let watched = self.watched(entry);
        if watched.is_empty() {
            return;
        }
        let body = frame::body(entry, committed.qr.as_ref(), now);
        for (channel, seq) in watched {
            let frame = frame::encode(entry, seq, &body);
            if let Some(mut topic) = self.shared.topics.get_mut(&channel) {
                topic.publish(&frame);
            }
        }
    }

    /// Where a row is heard on this node, with its number there.
    fn watched(&self, entry: &Entry) -> Vec<(Channel, i64)> {
        let mut watched: Vec<_> =
            positions(entry).filter(|(channel, _)| self.shared.topics.contains_key(channel)).collect();
        if sabotage::is(Sabotage::NoTenantFilter) {
            let foreign = self.shared.topics.iter().filter(|topic| match topic.key() {
                Channel::User(user) => *user != entry.user,
                Channel::Org(_) | Channel::Admin => false,
            });
            watched.extend(foreign.map(|topic| (topic.key().clone(), topic.last_seq + 1)));
        }
        watched
    }

    /// A hint that `channel` has reached `seq`, without the frame: whoever is behind reads the log.
    pub fn advance(&self, channel: &Channel, seq: i64) {
        if let Some(mut topic) = self.shared.topics.get_mut(channel) {
            topic.advance(seq);
        }
    }

    /// Anything may have been missed: everybody reads the log.
    pub fn resync(&self) {
        for topic in &self.shared.topics {
            topic.listeners.values().for_each(|queue| queue.fall_behind());
        }
    }

    /// Starts to watch `channel`. Nothing is queued before [`Subscription::go_live`].
    pub fn subscribe(&self, channel: Channel) -> Subscription {
        let id = self.shared.next_listener.fetch_add(1, Ordering::Relaxed);
        let queue = Arc::new(SendQueue::new(self.shared.config.queue_bytes));
        self.shared.topics.entry(channel.clone()).or_default().listeners.insert(id, Arc::clone(&queue));
        Subscription { hub: self.clone(), channel, id, queue }
    }

    /// How many listen to `channel` on this node.
    pub fn listeners(&self, channel: &Channel) -> usize {
        self.shared.topics.get(channel).map_or(0, |topic| topic.listeners.len())
    }

    /// A place among the user's live connections; `None` when they have too many.
    pub fn admit(&self, user: &UserId) -> Option<Admission> {
        let mut count = self.shared.sockets.entry(user.clone()).or_insert(0);
        if *count >= self.shared.config.max_sockets_per_user {
            return None;
        }
        *count += 1;
        Some(Admission { hub: self.clone(), user: user.clone() })
    }
}

/// The channels a row is on, with its number on each.
fn positions(entry: &Entry) -> impl Iterator<Item = (Channel, i64)> {
    let user = (Channel::User(entry.user.clone()), entry.seq);
    let org = entry.org.as_ref().map(|(org, seq)| (Channel::Org(org.clone()), *seq));
    let admin = entry.admin_seq.map(|seq| (Channel::Admin, seq));
    [Some(user), org, admin].into_iter().flatten()
}

impl Topic {
    /// A frame that came after a gap is queued all the same: each listener compares with what it has sent, skips a
    /// repeat and reads the log for a gap.
    fn publish(&mut self, frame: &Frame) {
        self.last_seq = self.last_seq.max(frame.seq);
        self.listeners.values().for_each(|queue| queue.push(frame));
    }

    fn advance(&mut self, seq: i64) {
        if seq > self.last_seq {
            self.last_seq = seq;
            self.listeners.values().for_each(|queue| queue.fall_behind());
        }
    }
}

/// One listener's place at a channel; dropping it leaves.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    channel: Channel,
    id: u64,
    queue: Arc<SendQueue>,
}

impl Subscription {
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The seam between log and live: from now on frames are queued. Refused when something after `sent` has already
    /// gone by, or the log must be read once more: read on, then ask again.
    pub fn go_live(&self, sent: i64) -> bool {
        // The topic's lock keeps a frame from passing between the comparison and the first push.
        let Some(topic) = self.hub.shared.topics.get(&self.channel) else { return false };
        topic.last_seq <= sent && self.queue.go_live()
    }

    /// Drops what is queued and stops queueing: the log is read instead.
    pub fn fall_behind(&self) {
        self.queue.fall_behind();
    }

    /// What comes next once live. Dropping the future loses nothing.
    pub async fn next(&self) -> Received {
        self.queue.next().await
    }

    /// The frame numbered `seq`, if it is next and waits already.
    pub fn waiting(&self, seq: i64) -> Option<Frame> {
        self.queue.waiting(seq)
    }

    /// Waits until the queue overflows, for a writer that is stuck and can't ask [`Subscription::next`].
    pub fn overflowed(&self) -> impl Future<Output = ()> + 'static {
        self.queue.overflowed().clone().cancelled_owned()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Slot::Occupied(mut topic) = self.hub.shared.topics.entry(self.channel.clone()) {
            topic.get_mut().listeners.remove(&self.id);
            if topic.get().listeners.is_empty() {
                topic.remove();
            }
        }
    }
}

/// A place among a user's live connections; dropping it frees the place.
#[derive(Debug)]
pub struct Admission {
    hub: Hub,
    user: UserId,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Slot::Occupied(mut count) = self.hub.shared.sockets.entry(self.user.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::event::EventName;
    use crate::domain::ids::{InstanceName, OrgId};

    fn user(name: &str) -> UserId {
        UserId::from_subject(name).unwrap()
    }

    fn row(owner: &str, seq: i64, org: Option<(&str, i64)>) -> Committed {
        let entry = Entry {
            id: seq,
            user: user(owner),
            seq,
            org: org.map(|(org, seq)| (OrgId::from_claim(org).unwrap(), seq)),
            admin_seq: None,
            instance: InstanceName::of_user(&user(owner)),
            event: EventName::dotted(EventName::NOTIFICATION),
            at: Millis(0),
            emitted_at: Millis(0),
            late: false,
            folded: 0,
            outcome: None,
            body: Bytes::from_static(b"{}"),
        };
        Committed { entry, qr: None }
    }

    fn hub() -> Hub {
        Hub::new(HubConfig { max_sockets_per_user: 2, ..HubConfig::default() })
    }

    fn live(hub: &Hub, channel: Channel) -> Subscription {
        let subscription = hub.subscribe(channel);
        assert!(subscription.go_live(i64::MAX));
        subscription
    }

    fn next_seq(subscription: &Subscription) -> Option<i64> {
        match subscription.next().now_or_never() {
            Some(Received::Frame(frame)) => Some(frame.seq),
            _ => None,
        }
    }

    #[test]
    fn a_users_frame_reaches_all_their_listeners_and_nobody_elses() {
        let hub = hub();
        let (ana, too, bob) = (
            live(&hub, Channel::User(user("ana"))),
            live(&hub, Channel::User(user("ana"))),
            live(&hub, Channel::User(user("bob"))),
        );

        hub.publish(&row("ana", 7, None), Millis(0));

        assert_eq!((next_seq(&ana), next_seq(&too), next_seq(&bob)), (Some(7), Some(7), None));
    }

    #[test]
    fn a_row_that_is_not_for_the_organisation_never_reaches_its_channel() {
        let hub = hub();
        let acme = live(&hub, Channel::Org(OrgId::from_claim("acme").unwrap()));

        hub.publish(&row("ana", 1, None), Millis(0));
        hub.publish(&row("ana", 2, Some(("acme", 1))), Millis(0));

        assert_eq!((next_seq(&acme), next_seq(&acme)), (Some(1), None));
    }

    #[test]
    fn a_listener_cannot_go_live_past_a_frame_it_has_not_read() {
        let hub = hub();
        let ana = hub.subscribe(Channel::User(user("ana")));

        hub.publish(&row("ana", 5, None), Millis(0));

        assert!(!ana.go_live(4));
        assert!(ana.go_live(5));
    }

    #[test]
    fn a_hint_without_its_frame_sends_live_listeners_to_the_log() {
        let hub = hub();
        let ana = live(&hub, Channel::User(user("ana")));

        hub.advance(&Channel::User(user("ana")), 3);

        assert_eq!(ana.next().now_or_never(), Some(Received::Behind));
        assert!(!ana.go_live(2));
        assert!(ana.go_live(3));
    }

    #[test]
    fn a_resync_sends_everybody_to_the_log_once_more() {
        let hub = hub();
        let (ana, bob) = (live(&hub, Channel::User(user("ana"))), hub.subscribe(Channel::User(user("bob"))));

        hub.resync();

        assert_eq!(ana.next().now_or_never(), Some(Received::Behind));
        assert!(!bob.go_live(0));
    }

    #[test]
    fn a_topic_and_a_users_places_are_freed_with_the_last_of_them() {
        let hub = hub();
        let (one, two) = (hub.subscribe(Channel::Admin), hub.subscribe(Channel::Admin));
        let places = (hub.admit(&user("ana")).unwrap(), hub.admit(&user("ana")).unwrap());
        assert!(hub.admit(&user("ana")).is_none());
        assert!(hub.admit(&user("bob")).is_some());

        drop((one, places.0));
        assert_eq!(hub.listeners(&Channel::Admin), 1);
        assert!(hub.admit(&user("ana")).is_some());
        drop((two, places.1));

        assert!(hub.shared.topics.is_empty() && hub.shared.sockets.is_empty());
    }
}
