//! One listener's waiting frames, bounded in bytes. The hub pushes and never waits; the listener takes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::close::Close;
use crate::domain::frame::Frame;

/// What a listener finds when it asks its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Frame(Frame),
    /// Frames may be missing: read the log, then go live again.
    Behind,
    Closed(Close),
}

/// Counted for each waiting frame beside its bytes, so that empty frames are not free.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// What a waiting frame counts.
fn size(frame: &Frame) -> usize {
    frame.message().len() + FRAME_OVERHEAD_BYTES
}

#[derive(Debug)]
pub(super) struct SendQueue {
    limit_bytes: usize,
    state: Mutex<State>,
    /// For the one listener that waits in [`SendQueue::next`].
    ready: Notify,
    overflowed: CancellationToken,
}

#[derive(Debug)]
enum State {
    /// The listener reads the log. Nothing is queued, so a recovery of any length cannot overflow. `stale` says that
    /// the log must be read once more, whatever was read before.
    CatchingUp {
        stale: bool,
    },
    Live {
        frames: VecDeque<Frame>,
        bytes: usize,
    },
    Closed(Close),
}

impl SendQueue {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            state: Mutex::new(State::CatchingUp { stale: false }),
            ready: Notify::new(),
            overflowed: CancellationToken::new(),
        }
    }

    /// Queues a frame for a live listener. One that does not fit beside those that wait closes the queue: the reader
    /// is too slow. A frame alone always fits, so that one larger than the limit is delivered too.
    pub(super) fn push(&self, frame: &Frame) {
        let mut state = self.lock();
        let State::Live { frames, bytes } = &mut *state else { return };
        let size = size(frame);
        if !frames.is_empty() && bytes.saturating_add(size) > self.limit_bytes {
            *state = State::Closed(Close::SLOW);
            self.overflowed.cancel();
        } else {
            *bytes += size;
            frames.push_back(frame.clone());
        }
        drop(state);
        self.ready.notify_one();
    }

    /// Begins to queue, unless the log must be read once more. The caller holds the topic's lock.
    pub(super) fn go_live(&self) -> bool {
        let mut state = self.lock();
        match &mut *state {
            State::CatchingUp { stale: again @ true } => {
                *again = false;
                false
            }
            State::CatchingUp { stale: false } => {
                *state = State::Live { frames: VecDeque::new(), bytes: 0 };
                true
            }
            State::Live { .. } | State::Closed(_) => true,
        }
    }

    /// Sends the listener back to the log; what waits is there too.
    pub(super) fn fall_behind(&self) {
        let mut state = self.lock();
        match &mut *state {
            State::CatchingUp { stale } => *stale = true,
            State::Live { .. } => *state = State::CatchingUp { stale: false },
            State::Closed(_) => {}
        }
        drop(state);
        self.ready.notify_one();
    }

    /// The next frame of a live queue. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Received {
        loop {
            if let Some(received) = self.take() {
                return received;
            }
            self.ready.notified().await;
        }
    }

    fn take(&self) -> Option<Received> {
        match &mut *self.lock() {
            State::CatchingUp { .. } => Some(Received::Behind),
            State::Closed(close) => Some(Received::Closed(*close)),
            State::Live { frames, bytes } => {
                let frame = frames.pop_front()?;
                *bytes -= size(&frame);
                Some(Received::Frame(frame))
            }
        }
    }

    /// The frame numbered `seq`, if it is the one that waits longest.
    pub(super) fn waiting(&self, seq: i64) -> Option<Frame> {
        match &mut *self.lock() {
            State::Live { frames, bytes } => {
                let frame = frames.pop_front_if(|frame| frame.seq == seq)?;
                *bytes -= size(&frame);
                Some(frame)
            }
            State::CatchingUp { .. } | State::Closed(_) => None,
        }
    }

    /// Ends when the queue has overflowed, so that a writer stuck on its socket notices.
    pub(super) fn overflowed(&self) -> &CancellationToken {
        &self.overflowed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn queued_bytes(&self) -> usize {
        match &*self.lock() {
            State::Live { bytes, .. } => *bytes,
            State::CatchingUp { .. } | State::Closed(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn frame(seq: i64, bytes: usize) -> Frame {
        Frame::new(seq, bytes, |text| text.push_str(&"x".repeat(bytes)))
    }

    fn live(limit_bytes: usize) -> SendQueue {
        let queue = SendQueue::new(limit_bytes);
        assert!(queue.go_live());
        queue
    }

    #[test]
    fn nothing_is_queued_while_the_listener_reads_the_log() {
        let queue = SendQueue::new(200);

        (1..=1000).for_each(|seq| queue.push(&frame(seq, 100)));

        assert_eq!(queue.next().now_or_never(), Some(Received::Behind));
        assert!(!queue.overflowed().is_cancelled());
    }

    #[test]
    fn a_frame_larger_than_the_limit_passes_when_it_is_alone() {
        let queue = live(100);

        queue.push(&frame(1, 5000));

        assert_eq!(queue.next().now_or_never(), Some(Received::Frame(frame(1, 5000))));
    }

    #[test]
    fn a_reader_that_lets_its_queue_overflow_is_closed_as_slow() {
        let queue = live(200);

        (1..=3).for_each(|seq| queue.push(&frame(seq, 100)));

        assert_eq!(queue.next().now_or_never(), Some(Received::Closed(Close::SLOW)));
        assert!(queue.overflowed().is_cancelled());
    }

    #[test]
    fn a_listener_sent_back_while_reading_the_log_reads_it_once_more() {
        let queue = SendQueue::new(200);

        queue.fall_behind();

        assert!(!queue.go_live());
        assert!(queue.go_live());
    }

    proptest! {
        #[test]
        fn queued_bytes_never_exceed_the_limit(sizes in prop::collection::vec((0usize..400, any::<bool>()), 0..100)) {
            let queue = live(1000);
            for (seq, (size, take)) in (1..).zip(sizes) {
                queue.push(&frame(seq, size));
                if take {
                    queue.next().now_or_never();
                }
                prop_assert!(queue.queued_bytes() <= 1000);
            }
        }
    }
}
