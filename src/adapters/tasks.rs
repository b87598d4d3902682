//! The owner of every spawned loop: a name, a stop signal, a join. Nothing in the crate spawns elsewhere.

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
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
    lost: Arc<OnceLock<&'static str>>,
}

impl Tasks {
    /// Runs a loop until it ends by itself, which it should soon after `stop` is cancelled and never before.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F, W>(&self, name: &'static str, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        tokio::spawn(self.tracker.track_future(self.watched(name, work(self.stop.clone()))));
    }

    /// Like [`Tasks::spawn`], on a thread of its own: for a loop that everything else waits for, so that it waits for
    /// nothing else.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn_thread<F, W>(&self, name: &'static str, work: W) -> io::Result<()>
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        // Without sockets: it is then woken without a detour through the system's poll.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let watched = self.tracker.track_future(self.watched(name, work(self.stop.clone())));
        std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(watched)).map(|_| ())
    }

    /// The loop, and a word about it when it ends before its time.
    fn watched<F: Future<Output = ()>>(&self, name: &'static str, work: F) -> impl Future<Output = ()> + use<F> {
        let (stop, lost) = (self.stop.clone(), Arc::clone(&self.lost));
        let watched = async move {
            told_if_it_panics(name, work).await;
            if !stop.is_cancelled() {
                error!(task.name = name, "the task `{name}` ended before its time");
                // The first one is named; nobody asks for the others.
                let _ = lost.set(name);
            }
        };
        watched.instrument(error_span!("task", task.name = name))
    }

    /// Like [`Tasks::spawn`], on the current worker and without a span: for a socket's loop, of which there are many and
    /// each wakes often.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn_local<F, W>(&self, name: &'static str, work: W)
    where
        W: FnOnce(CancellationToken) -> F,
        F: Future<Output = ()> + 'static,
    {
        let work = told_if_it_panics(name, work(self.stop.clone()));
        actix_web::rt::spawn(self.tracker.track_future(work));
    }

    /// Cancelled when every loop is told to end: for work that is not a loop of ours but must end too, such as a
    /// response that streams.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The first loop that ended although nobody told it to: the server is no longer whole.
    pub fn lost(&self) -> Option<&'static str> {
        self.lost.get().copied()
    }

    /// Tells every loop to end.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Waits until all have ended, at most `grace`. Whether they have.
    pub async fn join(&self, grace: Duration) -> bool {
        self.tracker.close();
        let ended = tokio::time::timeout(grace, self.tracker.wait()).await.is_ok();
        if !ended {
            warn!(tasks.left = self.tracker.len(), "{} background tasks did not end in time", self.tracker.len());
        }
        ended
    }
}

/// A loop that is gone does nothing, and says nothing: its end must be seen.
async fn told_if_it_panics(name: &'static str, work: impl Future<Output = ()>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        error!(task.name = name, "the task `{name}` panicked and no longer runs");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_ends_by_itself_is_missed_and_one_that_was_told_to_is_not() {
        let (faulty, sound) = (Tasks::default(), Tasks::default());
        faulty.spawn("faulty", |_| async { panic!("on purpose") });
        sound.spawn("sound", |stop| async move { stop.cancelled().await });

        faulty.tracker.close();
        faulty.tracker.wait().await;
        sound.cancel();
        sound.join(Duration::from_secs(5)).await;

        assert_eq!((faulty.lost(), sound.lost()), (Some("faulty"), None));
    }
}
