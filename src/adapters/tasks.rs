//! The owner of every spawned loop: a name, a stop signal, a join. Nothing in the crate spawns elsewhere.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, error, error_span, warn};

/// Background work of one running app. Clones own the same work.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a loop until it ends by itself, which it should soon after `stop` is cancelled.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F, W>(&self, name: &'static str, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let work = told_if_it_panics(name, work(self.stop.clone())).instrument(error_span!("task", task.name = name));
        tokio::spawn(self.tracker.track_future(work));
    }

    /// Like [`Tasks::spawn`], on the current worker: for a socket's loop, whose stream cannot change threads.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn_local<F, W>(&self, name: &'static str, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + 'static,
    {
        let work = told_if_it_panics(name, work(self.stop.clone())).instrument(error_span!("task", task.name = name));
        actix_web::rt::spawn(self.tracker.track_future(work));
    }

    /// Cancelled when every loop is told to end: for work that is not a loop of ours but must end too, such as a
    /// response that streams.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every loop to end.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Waits until all have ended, at most `grace`.
    pub async fn join(&self, grace: Duration) {
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            warn!(tasks.left = self.tracker.len(), "{} background tasks did not end in time", self.tracker.len());
        }
    }
}

/// A loop that is gone does nothing, and says nothing: its end must be seen.
async fn told_if_it_panics(name: &'static str, work: impl Future<Output = ()>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        error!(task.name = name, "the task `{name}` panicked and no longer runs");
    }
}
