//! A pretended Evolution API in this process: its REST surface on a port of its own, the phones that link to it, and the
//! webhooks it posts, as version 2.3.6 was recorded, faults included. Demo, tests and benchmarks run against it; nothing of
//! the gateway knows it, and it knows nothing of the gateway but the URL of a webhook.
//!
//! `world` is all state and pure; `engine` gives it the time and carries out what it wants; `server` is the door for REST
//! calls, `webhooks` delivers, `faults` and `record` are for tests, `control` offers the same handle over HTTP.

mod answers;
mod checks;
mod config;
mod control;
pub mod demo;
mod dice;
mod engine;
mod faults;
pub mod lives;
mod phones;
mod qr;
mod record;
mod recordings;
mod server;
mod talk;
mod time;
mod webhooks;
mod world;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::mpsc;

pub use self::config::{Latencies, SimulatorConfig, Tempo};
use self::engine::{Engine, lock};
pub use self::faults::{Ask, Fault};
pub use self::phones::{Message, Phone};
pub use self::record::{Call, Delivery};
use self::server::Door;
use self::time::Time;
pub use self::webhooks::policy::Policy;
pub use self::world::Outage;
use self::world::World;
use crate::adapters::tasks::Tasks;
use crate::adapters::{clock, tls};
use crate::domain::time::Millis;

/// A running simulator. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Simulator {
    engine: Arc<Engine>,
    url: Arc<str>,
}

impl Simulator {
    /// Takes a port on loopback and serves until `tasks` are told to stop.
    ///
    /// # Errors
    /// When the port can't be taken.
    pub async fn start(config: SimulatorConfig, tasks: &Tasks) -> io::Result<Self> {
        tls::install();
        let door = Door::take(config.port)?;
        let url: Arc<str> = format!("http://{}", door.address).into();
        let seed = config.seed.unwrap_or_else(|| u64::from_be_bytes(clock::random_bytes::<8>()));
        let mut world = World::new(&config.version, &config.latencies, config.code_limit, seed);
        world.server_url = url.as_ref().to_owned();
        let (is_real, time) = match config.tempo {
            Tempo::Real => (true, Time::Real(config.clock)),
            Tempo::Manual => (false, Time::manual(config.clock.now())),
        };
        let (sender, queue) = mpsc::channel(webhooks::AT_ONCE);
        let names = (config.key, config.client_name);
        let engine = Arc::new(Engine::new(world, time, config.policy, names, sender, tasks.stopping()));
        let served = Arc::clone(&engine);
        tasks.spawn("simulator-port", |stop| server::run(served, door, (config.workers, config.has_control), stop));
        tasks.spawn("simulator-webhooks", |stop| webhooks::run(Arc::clone(&engine), queue, stop));
        if is_real {
            tasks.spawn("simulator-time", |stop| Arc::clone(&engine).run(stop));
        }
        let simulator = Self { engine, url };
        simulator.until_listening(true).await;
        Ok(simulator)
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The global key.
    pub fn key(&self) -> &SecretString {
        &self.engine.key
    }

    // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

    pub fn now(&self) -> Millis {
        self.engine.time.now()
    }

    /// Moves a manual clock, from one thing that is due to the next: whatever is tried, renewed or retried meanwhile
    /// happens at its own moment, and has come to rest when this returns. A receiver that keeps its answer back is not
    /// waited for. Does nothing on real time.
    pub async fn advance(&self, by: Duration) {
        if matches!(self.engine.time, Time::Manual(_)) {
            self.engine.advance(by).await;
        }
    }

    // ── the server's side ──────────────────────────────────────────────────────────────────────────────────────────

    /// Its port refuses connections, for so long or until [`Simulator::up`]; connections to WhatsApp and webhooks go on.
    /// Returns when it does.
    pub async fn down(&self, lasts: Option<Duration>) {
        self.engine.with(|world, now| world.shut(lasts, now));
        self.until_shut().await;
    }

    /// Its process dies, with every connection, code and undelivered webhook in it; when it is up again everything that
    /// has a row connects (CONTRACT §5.8).
    pub async fn die(&self, lasts: Option<Duration>) {
        self.engine.with(|world, now| world.die(lasts, now));
        self.until_shut().await;
    }

    /// Ends an outage. Returns when it listens.
    pub async fn up(&self) {
        self.engine.with(World::open_door);
        self.until_listening(true).await;
    }

    /// Whether its port refuses connections; and until when, where that is fixed.
    pub fn outage(&self) -> Option<Outage> {
        self.engine.look(World::outage)
    }

    /// Until the port is closed, or the outage over before that.
    async fn until_shut(&self) {
        tokio::select! {
            () = self.until_listening(false) => {}
            () = self.engine.until(|world| world.outage().is_none().then_some(())) => {}
        }
    }

    async fn until_listening(&self, wanted: bool) {
        let mut listening = self.engine.is_listening.subscribe();
        // An error means that the simulator is gone, and nobody waits for it then.
        let _ = listening.wait_for(|listening| *listening == wanted).await;
    }

    /// Calls of a kind meet a fault: the next `times`, or all, until `lasts` is over.
    pub fn fail(&self, ask: Ask, fault: Fault, times: Option<u32>, lasts: Option<Duration>) {
        let now = self.now();
        lock(&self.engine.faults).add(ask, fault, times, lasts, now);
    }

    /// No more faults of calls and deliveries.
    pub fn heal(&self) {
        lock(&self.engine.faults).clear();
        *lock(&self.engine.posting) = engine::Posting::default();
    }

    /// Each webhook is delivered twice from now on, or once again.
    pub fn double_webhooks(&self, is_doubled: bool) {
        lock(&self.engine.posting).is_doubled = is_doubled;
    }

    /// Each webhook waits by chance up to this long before it is sent.
    pub fn disorder_webhooks(&self, up_to: Duration) {
        lock(&self.engine.posting).disorder = up_to;
    }

    /// The next so many webhooks are not delivered at all.
    pub fn lose_webhooks(&self, count: u32) {
        lock(&self.engine.posting).losses = count;
    }

    /// Behaves as another version from now on: `2.3.6`, `2.3.7`, `2.4.0`.
    pub fn set_version(&self, version: &str) {
        self.engine.with(|world, _| world.set_version(version));
    }

    /// A number that is not on WhatsApp.
    pub fn forget_number(&self, number: &str) {
        self.engine.with(|world, _| world.unknown_numbers.insert(number.to_owned()));
    }

    // ── the record ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// Every REST call, in the order they came.
    pub fn calls(&self) -> Vec<Call> {
        self.engine.record.calls()
    }

    /// Every try to deliver a webhook, in the order they ended.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.engine.record.deliveries()
    }

    /// Forgets both.
    pub fn clear_record(&self) {
        self.engine.record.clear();
    }

    /// Waits until so many calls of this method and path (its beginning) have come, answered or not; gives all that did.
    pub async fn called(&self, method: &str, path: &str, times: usize) -> Vec<Call> {
        self.engine.record.until_called(times, |call| call.method == method && call.path.starts_with(path)).await
    }

    /// Waits until so many tries to deliver fit, and gives all that do.
    pub async fn delivered(&self, times: usize, fits: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.engine.record.until_delivered(times, fits).await
    }
}
