//! The body of a webhook from the wire: how much of it is kept, how long it may take, and what it takes of the memory
//! that all bodies share.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::error::Error;

/// What every body may take without asking for room. Most webhooks are smaller, above all the two that hold a wipe and
/// must not be told 503 (INTERFACE §3): large bodies never stand in their way.
const FREE_BYTES: usize = 64 << 10;
/// Largest body whose sender is known only once it is read.
const UNPROVEN_BYTES: usize = 1 << 20;
/// Bytes of such bodies that may be in memory at once, whoever sends them.
const UNPROVEN_ROOM: usize = 16 << 20;
/// How long such a body may take.
const UNPROVEN_PATIENCE: Duration = Duration::from_secs(5);
/// How long an authentic one may take: twice Evolution's default timeout (CONTRACT §1.3).
const PATIENCE: Duration = Duration::from_mins(1);

/// What a kind of sender is allowed. Clones share the room.
#[derive(Clone, Debug)]
pub struct Allowance {
    max_bytes: usize,
    patience: Duration,
    room: Arc<Semaphore>,
}

/// A body as far as it was kept.
pub struct Body {
    pub bytes: Bytes,
    /// How long it was on the wire.
    pub size: usize,
    limit_bytes: usize,
    /// Its place among the bodies in memory, given back when the webhook is answered.
    _room: Option<OwnedSemaphorePermit>,
}

impl Allowance {
    /// For senders that have proven who they are.
    pub fn proven(max_bytes: usize, room_bytes: usize) -> Self {
        Self::new(max_bytes, PATIENCE, room_bytes)
    }

    /// For senders that may be anybody.
    pub fn unproven(max_bytes: usize) -> Self {
        Self::new(max_bytes.min(UNPROVEN_BYTES), UNPROVEN_PATIENCE, UNPROVEN_ROOM)
    }

    fn new(max_bytes: usize, patience: Duration, room_bytes: usize) -> Self {
        let room = room_bytes.max(max_bytes).min(Semaphore::MAX_PERMITS);
        Self { max_bytes, patience, room: Arc::new(Semaphore::new(room)) }
    }

    /// Reads a body to its end, and keeps what is allowed.
    ///
    /// # Errors
    /// [`Error::BodyTimeout`] when it comes too slowly or is cut short, [`Error::Overloaded`] when there is no room.
    pub async fn read(&self, payload: Payload) -> Result<Body, Error> {
        tokio::time::timeout(self.patience, self.read_all(payload)).await.map_err(|_| Error::BodyTimeout)?
    }

    /// Of a body that is too large the rest is read and thrown away, within reason, so that the sender sees the answer.
    async fn read_all(&self, mut payload: Payload) -> Result<Body, Error> {
        let (mut kept, mut size, mut held) = (BytesMut::new(), 0usize, None::<OwnedSemaphorePermit>);
        while let Some(piece) = payload.next().await {
            // Whatever cut it short, the sender can send it whole.
            let piece = piece.map_err(|_| Error::BodyTimeout)?;
            size += piece.len();
            if size > self.max_bytes.saturating_mul(2) {
                break;
            }
            let fitting = &piece[..piece.len().min(self.max_bytes - kept.len())];
            let charged = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let due = (kept.len() + fitting.len()).saturating_sub(FREE_BYTES).saturating_sub(charged);
            if due > 0 {
                let more = self.take(due)?;
                match &mut held {
                    Some(held) => held.merge(more),
                    None => held = Some(more),
                }
            }
            kept.extend_from_slice(fitting);
        }
        Ok(Body { bytes: kept.freeze(), size, limit_bytes: self.max_bytes, _room: held })
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let permits = u32::try_from(bytes).map_err(|_| Error::Overloaded)?;
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| Error::Overloaded)
    }
}

impl Body {
    /// # Errors
    /// [`Error::TooLarge`] when not all of it could be kept.
    pub fn whole(&self) -> Result<&Bytes, Error> {
        if self.size > self.limit_bytes {
            return Err(Error::TooLarge { limit_bytes: self.limit_bytes });
        }
        Ok(&self.bytes)
    }
}
