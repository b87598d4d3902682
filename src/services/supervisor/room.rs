//! How many commands are carried out side by side: few call Evolution at once, and many may wait for something to happen
//! there, which takes no room from the others.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Commands that may call Evolution at once.
pub(super) const AT_ONCE: usize = 32;
/// Commands begun and not ended, waiting ones included.
const UNDER_WAY: usize = 1_000;

#[derive(Debug)]
pub(super) struct Room {
    active: Arc<Semaphore>,
    begun: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self { active: Arc::new(Semaphore::new(AT_ONCE)), begun: Arc::new(Semaphore::new(UNDER_WAY)) }
    }
}

impl Room {
    /// How many more may begin now. None while one that waited wants to go on: what is begun comes first.
    pub(super) fn left(&self) -> usize {
        self.active.available_permits().min(self.begun.available_permits())
    }

    pub(super) async fn place(&self) -> Place {
        let begun = permit(&self.begun).await;
        Place { room: Arc::clone(&self.active), active: permit(&self.active).await, _begun: begun }
    }
}

/// Of one command, from its beginning to its end.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Semaphore>,
    /// `None` while it waits.
    active: Option<OwnedSemaphorePermit>,
    _begun: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// It waits, and calls nobody.
    pub(super) fn leave(&mut self) {
        self.active = None;
    }

    pub(super) async fn take_again(&mut self) {
        self.active = permit(&self.room).await;
    }
}

/// `None` never: the semaphores are not closed.
async fn permit(room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(room).acquire_owned().await.ok()
}
