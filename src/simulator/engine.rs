//! Drives the world: gives it the time, carries out what it wants, wakes it when something is due. All doors to the world
//! lead through here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::faults::Faults;
use super::record::Record;
use super::time::Time;
use super::webhooks::Outgoing;
use super::webhooks::policy::Policy;
use super::world::{Post, World};
use crate::domain::time::Millis;

#[derive(Debug)]
pub(super) struct Engine {
    world: Mutex<World>,
    pub(super) time: Time,
    pub(super) policy: Policy,
    pub(super) key: SecretString,
    pub(super) client_name: String,
    pub(super) record: Record,
    pub(super) faults: Mutex<Faults>,
    pub(super) posting: Mutex<Posting>,
    queue: mpsc::Sender<Outgoing>,
    /// Something new may be due.
    due: Notify,
    /// Moves with every change of the world; whether its port is to refuse connections.
    pub(super) moved: watch::Sender<u64>,
    pub(super) is_shut: watch::Sender<bool>,
    /// Whether the port is listening.
    pub(super) is_listening: watch::Sender<bool>,
    /// The life of the current process: deliveries die with it.
    life: Mutex<CancellationToken>,
    pub(super) stop: CancellationToken,
}

/// How deliveries are spoilt on request.
#[derive(Debug, Default)]
pub(super) struct Posting {
    /// Each webhook is delivered twice (§1.5).
    pub(super) is_doubled: bool,
    /// Each waits for a while by chance before it is sent.
    pub(super) disorder: Duration,
    /// So many webhooks are lost, the next ones.
    pub(super) losses: u32,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub(super) fn new(
        world: World,
        time: Time,
        policy: Policy,
        (key, client_name): (SecretString, String),
        queue: mpsc::Sender<Outgoing>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            world: Mutex::new(world),
            time,
            policy,
            key,
            client_name,
            record: Record::new(),
            faults: Mutex::default(),
            posting: Mutex::default(),
            queue,
            due: Notify::new(),
            moved: watch::Sender::new(0),
            is_shut: watch::Sender::new(false),
            is_listening: watch::Sender::new(false),
            life: Mutex::default(),
            stop,
        }
    }

    /// Does something to the world, or looks at it, and carries out what follows.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut World, Millis) -> T) -> T {
        let now = self.time.now();
        let (outcome, posts, is_shut) = {
            let mut world = lock(&self.world);
            let outcome = act(&mut world, now);
            // What takes no time is not waited for.
            world.fire(now);
            (outcome, world.take_posts(), world.outage().is_some())
        };
        for post in posts {
            self.send_out(post);
        }
        self.is_shut.send_if_modified(|shut| std::mem::replace(shut, is_shut) != is_shut);
        self.moved.send_modify(|count| *count += 1);
        self.due.notify_one();
        outcome
    }

    /// Looks at the world without touching it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&lock(&self.world))
    }

    /// Waits until a look at the world finds something.
    pub(super) async fn until<T>(&self, find: impl Fn(&World) -> Option<T>) -> T {
        let mut moved = self.moved.subscribe();
        loop {
            moved.mark_unchanged();
            if let Some(found) = self.look(&find) {
                return found;
            }
            if moved.changed().await.is_err() {
                // Never: the sender is this engine's own.
                std::future::pending::<()>().await;
            }
        }
    }

    fn send_out(&self, post: Post) {
        let (is_lost, is_doubled, disorder) = {
            let mut posting = lock(&self.posting);
            let is_lost = posting.losses > 0;
            posting.losses = posting.losses.saturating_sub(1);
            (is_lost, posting.is_doubled, posting.disorder)
        };
        if is_lost {
            if let Some(then) = post.then {
                // As after a delivery that was given up.
                self.with(|world, now| world.after(then, now));
            }
            return;
        }
        let copies = if is_doubled { vec![Post { then: None, ..post.clone() }, post] } else { vec![post] };
        for post in copies {
            let delay = if disorder.is_zero() { disorder } else { disorder.mul_f64(lock(&self.world).dice.part()) };
            let outgoing = Outgoing::new(post, self.time.busy(), lock(&self.life).clone(), delay);
            if self.queue.try_send(outgoing).is_err() {
                warn!("a webhook of the simulated Evolution is lost: too many wait");
            }
        }
    }

    /// The process dies, with what it had not delivered.
    pub(super) fn die(&self, lasts: Option<Duration>) {
        let old = std::mem::take(&mut *lock(&self.life));
        old.cancel();
        self.with(|world, now| world.die(lasts, now));
    }

    /// Fires what is due, on real time, until `stop`.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let next = self.look(World::next_due);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.due.notified() => {}
                () = self.until_due(next) => self.fire(),
            }
        }
    }

    async fn until_due(&self, next: Option<Millis>) {
        match next {
            Some(at) => drop(self.time.until(at).await),
            None => std::future::pending().await,
        }
    }

    fn fire(&self) {
        self.with(World::fire);
    }

    /// Moves a manual clock, from one thing that is due to the next, each time until all that followed has come to rest.
    pub(super) async fn advance(&self, by: Duration) {
        let target = self.time.now() + by;
        loop {
            self.time.at_rest().await;
            let next = [self.look(World::next_due), self.time.next()].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= target) else { break };
            self.time.set(at);
            self.fire();
        }
        self.time.set(target);
        self.fire();
        self.time.at_rest().await;
    }
}
