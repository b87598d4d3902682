//! How many live connections this node has, and how those that ended did: what an operator sees of live delivery.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, info, warn};

use super::Hub;
use crate::domain::channel::Channel;
use crate::domain::close::Close;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Census {
    opened: AtomicU64,
    /// Ended by the client, or with its connection.
    left: AtomicU64,
    /// Ended by us, as in [`ENDINGS`].
    closed: [AtomicU64; ENDINGS.len()],
}

/// Why we end a connection, and what a person calls it.
const ENDINGS: [(Close, &str); 7] = [
    (Close::GOING_AWAY, "going away"),
    (Close::POLICY, "sent too much"),
    (Close::EXPIRED, "expired"),
    (Close::NOT_ALLOWED, "not allowed"),
    (Close::SLOW, "too slow"),
    (Close::TOO_MANY, "too many"),
    (Close::SILENT, "silent"),
];

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub opened: u64,
    pub left: u64,
    closed: [u64; ENDINGS.len()],
}

impl Counts {
    /// How many ended for this reason.
    pub fn closed(&self, close: Close) -> u64 {
        ENDINGS.iter().zip(self.closed).find(|((ending, _), _)| *ending == close).map_or(0, |(_, count)| count)
    }

    /// Open now.
    pub fn open(&self) -> u64 {
        self.opened.saturating_sub(self.left + self.closed.iter().sum::<u64>())
    }

    /// What happened since `before`; `None` when nothing did.
    fn words_since(&self, before: &Self) -> Option<String> {
        let named =
            ENDINGS.iter().zip(self.closed.iter().zip(before.closed)).map(|((_, name), (now, was))| (*name, now - was));
        let all = [("opened", self.opened - before.opened), ("left", self.left - before.left)].into_iter().chain(named);
        let words: Vec<String> =
            all.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

impl Hub {
    /// A connection begins.
    pub fn enter(&self, channel: &Channel) -> Visit {
        self.shared.census.opened.fetch_add(1, Ordering::Relaxed);
        Visit { hub: self.clone(), channel: channel.clone(), ended: None }
    }

    /// What the census says now.
    pub fn census(&self) -> Counts {
        let census = &self.shared.census;
        // Endings first: a connection that begins and ends in between must not be counted as ended only.
        let closed = census.closed.each_ref().map(|count| count.load(Ordering::Relaxed));
        let left = census.left.load(Ordering::Relaxed);
        Counts { opened: census.opened.load(Ordering::Relaxed), left, closed }
    }

    /// Says in one line what happened since `before`, if anything did, and where things stand now. A person should look
    /// when readers were cut off or turned away.
    pub fn tell_census(&self, before: &Counts) -> Counts {
        let now = self.census();
        let Some(words) = now.words_since(before) else { return now };
        let (open, channels) = (now.open(), self.shared.topics.len());
        let troubled = [Close::SLOW, Close::POLICY, Close::TOO_MANY].iter().any(|c| now.closed(*c) > before.closed(*c));
        if troubled {
            warn!(
                sockets.open = open,
                channels, "live: {open} connections on {channels} channels; since the last line {words}"
            );
        } else {
            info!(
                sockets.open = open,
                channels, "live: {open} connections on {channels} channels; since the last line {words}"
            );
        }
        now
    }
}

/// One connection while it lasts; dropping it counts its end.
#[derive(Debug)]
pub struct Visit {
    hub: Hub,
    channel: Channel,
    ended: Option<Close>,
}

impl Visit {
    /// We end it, for this reason.
    pub fn end(&mut self, close: Close) {
        self.ended = Some(close);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let census = &self.hub.shared.census;
        let nth = self.ended.and_then(|close| ENDINGS.iter().position(|(ending, _)| *ending == close));
        nth.map_or(&census.left, |nth| &census.closed[nth]).fetch_add(1, Ordering::Relaxed);
        let (channel, open) = (&self.channel, self.hub.census().open());
        let here = self.hub.listeners(channel);
        match self.ended {
            Some(close @ (Close::SLOW | Close::POLICY | Close::TOO_MANY)) => {
                info!(%channel, close.code, sockets.open = open, sockets.channel = here,
                    "a connection to `{channel}` was closed: {}", close.reason);
            }
            Some(close) => {
                debug!(%channel, close.code, sockets.open = open, sockets.channel = here,
                    "a connection to `{channel}` was closed: {}", close.reason);
            }
            None => debug!(%channel, sockets.open = open, sockets.channel = here, "a connection to `{channel}` ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HubConfig;
    use super::*;

    #[test]
    fn every_end_is_counted_under_its_reason_and_what_is_open_is_the_rest() {
        let hub = Hub::new(HubConfig::default());
        let mut visits: Vec<Visit> = (0..4).map(|_| hub.enter(&Channel::Admin)).collect();

        visits.pop().unwrap().end(Close::SLOW);
        visits.pop().unwrap().end(Close::EXPIRED);
        drop(visits.pop());

        let now = hub.census();
        assert_eq!((now.opened, now.left, now.open()), (4, 1, 1));
        assert_eq!((now.closed(Close::SLOW), now.closed(Close::EXPIRED), now.closed(Close::SILENT)), (1, 1, 0));
        let words = now.words_since(&Counts::default());
        assert_eq!(words.as_deref(), Some("4 opened, 1 left, 1 expired, 1 too slow"));
        assert_eq!(now.words_since(&now), None);
    }

    #[test]
    fn each_close_code_of_ours_has_its_count() {
        let hub = Hub::new(HubConfig::default());
        for (nth, (close, _)) in ENDINGS.iter().enumerate() {
            hub.enter(&Channel::Admin).end(*close);
            assert_eq!((hub.census().closed(*close), hub.census().left), (1, 0), "{nth}");
        }
    }
}
