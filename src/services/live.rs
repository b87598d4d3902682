//! One listener's stream: `hello`, then what it missed, read from the log, then what is published, with no gap and no
//! repeat. Knows nothing of sockets; `http/sockets` and `http/sse` write what [`Listener::next`] gives.
//!
//! The sequence is proved where it leaves: a frame goes out only if its number follows the one before. A repeat is
//! skipped; a gap, whoever made it, is filled from the log.

mod hello;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tracing::warn;

use super::hub::{Hub, Received, Subscription};
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::adapters::store::channels::Opening;
use crate::adapters::store::events::PageSize;
use crate::domain::channel::{Channel, Epoch, Position};
use crate::domain::close::Close;
use crate::domain::entry::Entry;
use crate::domain::error::Error;
use crate::domain::frame::{self, Frame};
use crate::domain::instance::Qr;
use crate::domain::time::Millis;

/// Opens listeners.
#[derive(Debug)]
pub struct Live {
    hub: Hub,
    store: Store,
    clock: Clock,
    epoch: Epoch,
}

impl Live {
    pub fn new(hub: Hub, store: Store, clock: Clock, epoch: Epoch) -> Self {
        Self { hub, store, clock, epoch }
    }

    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Opens a stream of `channel`, after `from` if that can be recovered. Whether the caller may is decided before.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn listen(self: &Arc<Self>, channel: Channel, from: Option<&Position>) -> Result<Listener, Error> {
        // Subscribed before the log is read, so that nothing committed from here on can be missed by both.
        let subscription = self.hub.subscribe(channel);
        let opening = self.store.opening(subscription.channel()).await?;
        let recovered = from.map(|from| from.seq).filter(|_| self.can_recover(from, &opening));
        let sent = recovered.unwrap_or(opening.head);
        let hello = hello::frame(&self.epoch, sent, recovered.is_some(), &opening.snapshot, self.clock.now());
        Ok(Listener {
            live: Arc::clone(self),
            subscription,
            sent,
            waiting: VecDeque::new(),
            hello: Some(hello),
            phase: Phase::Reading { at_end: sent == opening.head },
            reading: None,
            vain_reads: 0,
        })
    }

    fn can_recover(&self, from: Option<&Position>, opening: &Opening) -> bool {
        from.is_some_and(|from| {
            from.epoch == self.epoch
                && (opening.kept_from - 1..=opening.head).contains(&from.seq)
                && opening.head - from.seq <= self.hub.config().recovery_max_events
        })
    }
}

/// What a listener holds of the log at a time: these, plus at most one row, which may carry a picture.
const PAGE: PageSize = PageSize { rows: 500, bytes: 1 << 20 };

/// Reads that may find nothing although the hub has heard of more, before the listener gives up.
const MAX_VAIN_READS: u32 = 40;
const VAIN_READ_PAUSE: Duration = Duration::from_millis(50);

/// One listener's stream of frames.
#[derive(Debug)]
pub struct Listener {
    live: Arc<Live>,
    subscription: Subscription,
    /// The number last handed out; the next frame's is one more.
    sent: i64,
    /// A page of the log, rendered.
    waiting: VecDeque<Frame>,
    hello: Option<Frame>,
    phase: Phase,
    reading: Option<Reading>,
    vain_reads: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// `at_end`: a read begun after subscribing (or after falling behind) has shown that nothing follows `waiting`.
    Reading {
        at_end: bool,
    },
    Live,
}

impl Listener {
    pub fn epoch(&self) -> &Epoch {
        self.live.epoch()
    }

    /// The next frame, `hello` first. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Why the stream ends: the reader was too slow, the log no longer has what comes next, or it can't be read.
    pub async fn next(&mut self) -> Result<Frame, Close> {
        if let Some(hello) = self.hello.take() {
            return Ok(hello);
        }
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                // Retention can overtake a slow recovery; the client learns it by `recovered:false` at its return.
                return if self.follows(&frame) { Ok(self.hand_out(frame)) } else { Err(Close::SLOW) };
            }
            match self.phase {
                Phase::Reading { at_end: true } if self.subscription.go_live(self.sent) => {
                    (self.phase, self.vain_reads) = (Phase::Live, 0);
                }
                Phase::Reading { .. } => self.read_on().await?,
                Phase::Live => match self.subscription.next().await {
                    Received::Frame(frame) if self.follows(&frame) => return Ok(self.hand_out(frame)),
                    Received::Frame(frame) if frame.seq <= self.sent => {}
                    Received::Frame(_) => self.subscription.fall_behind(),
                    Received::Behind => self.phase = Phase::Reading { at_end: false },
                    Received::Closed(close) => return Err(close),
                },
            }
        }
    }

    /// The frame that [`Listener::next`] would give without waiting, if it is one that follows: for a writer that takes
    /// several at once.
    pub fn waiting(&mut self) -> Option<Frame> {
        let follows = self.sent + 1;
        let frame = match self.phase {
            _ if self.hello.is_some() => None,
            Phase::Reading { .. } => self.waiting.pop_front_if(|frame| frame.seq == follows),
            Phase::Live => self.subscription.waiting(follows),
        };
        frame.map(|frame| self.hand_out(frame))
    }

    /// Waits until this listener is too slow, for a writer stuck on its socket.
    pub fn overflowed(&self) -> impl Future<Output = ()> + 'static {
        self.subscription.overflowed()
    }

    fn follows(&self, frame: &Frame) -> bool {
        frame.seq == self.sent + 1
    }

    fn hand_out(&mut self, frame: Frame) -> Frame {
        self.sent = frame.seq;
        frame
    }

    async fn read_on(&mut self) -> Result<(), Close> {
        let (live, channel) = (Arc::clone(&self.live), self.subscription.channel().clone());
        let page = live.page(channel, self.sent, self.vain_reads);
        let page = self.reading.get_or_insert_with(|| Reading(Box::pin(page))).await;
        self.reading = None;
        let Page { frames, at_end } = page.map_err(|e| {
            warn!(error = &e as &dyn std::error::Error, "a listener could not read its channel's log");
            Close::GOING_AWAY
        })?;
        self.vain_reads = if frames.is_empty() { self.vain_reads + 1 } else { 0 };
        (self.waiting, self.phase) = (frames, Phase::Reading { at_end });
        Ok(())
    }
}

/// A page of the log on its way to a listener. It is kept between two calls of [`Listener::next`], so that whoever drops
/// one does not lose the place among those who wait for the log. Boxed: a listener waits nearly always elsewhere, and need
/// not keep room for it.
struct Reading(BoxFuture<'static, Result<Page, Error>>);

struct Page {
    frames: VecDeque<Frame>,
    at_end: bool,
}

impl Future for Reading {
    type Output = Result<Page, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reading")
    }
}

impl Live {
    /// What follows `after` on `channel`, rendered. `vain_reads` have found nothing although there must be something.
    async fn page(self: Arc<Self>, channel: Channel, after: i64, vain_reads: u32) -> Result<Page, Error> {
        if vain_reads > MAX_VAIN_READS {
            return Err(Error::Internal("the log lacks rows that were announced"));
        }
        if vain_reads > 1 {
            tokio::time::sleep(VAIN_READ_PAUSE).await;
        }
        let read = self.store.entries_on(&channel, after, PAGE).await?;
        Ok(Page { frames: self.render(&channel, read.entries).await?, at_end: read.at_end })
    }

    async fn render(&self, channel: &Channel, entries: Vec<Entry>) -> Result<VecDeque<Frame>, Error> {
        let now = self.clock.now();
        let mut frames = VecDeque::with_capacity(entries.len());
        for entry in entries {
            let Some(seq) = entry.seq_on(channel) else { continue };
            let qr = self.code_on_show(&entry, now).await?;
            frames.push_back(frame::encode(&entry, seq, &frame::body(&entry, qr.as_ref(), now)));
        }
        Ok(frames)
    }

    /// The code a row announced, if it can still be valid: it is kept in the instance's row only.
    async fn code_on_show(&self, entry: &Entry, now: Millis) -> Result<Option<Qr>, Error> {
        let announced = entry.outcome.as_ref().and_then(|outcome| outcome.qr.as_ref());
        if announced.is_none_or(|mark| mark.expires_at <= now) {
            return Ok(None);
        }
        let instance = self.store.instance_named(&entry.instance).await?;
        Ok(instance.filter(|instance| instance.user == entry.user).and_then(|instance| instance.qr))
    }
}
