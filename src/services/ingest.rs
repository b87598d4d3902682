//! From an authentic webhook to a committed log row: a bounded queue, and behind it the one writer that commits
//! whatever waits in one transaction. The answer comes after the commit, never before.

pub mod disk;
pub mod letters;
pub mod plan;
pub mod proof;
pub mod retention;
pub mod wake;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tracing::error;

use self::disk::DiskGauge;
pub use self::plan::{Announcement, Arrival, Verdict};
use crate::adapters::bus::Bus;
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::adapters::store::aside::QuarantineSize;
use crate::adapters::store::batch::Quarantined;
use crate::adapters::tasks::Tasks;
use crate::domain::error::Error;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;
use crate::domain::webhook::Webhook;

/// Limits of the way in.
#[derive(Clone, Debug, clap::Args)]
pub struct IngestConfig {
    /// Webhooks that may wait for the writer; beyond it new ones get 503.
    #[arg(long, env = "INGEST_QUEUE", default_value_t = 4096)]
    pub ingest_queue: usize,
    /// Bytes of webhooks that may wait for the writer, and as many again that may still be arriving; beyond either new
    /// ones get 503. 128 MiB each unless set.
    #[arg(long, env = "INGEST_QUEUE_BYTES", default_value_t = 128 << 20)]
    pub ingest_queue_bytes: usize,
    /// Largest webhook body in bytes; larger ones get 413. 32 MiB unless set.
    #[arg(long, env = "WEBHOOK_MAX_BYTES", default_value_t = 33_554_432)]
    pub webhook_max_bytes: usize,
    /// Free disk space in percent below which webhooks get 503; 0 switches the floor off.
    #[arg(long, env = "DISK_FLOOR_PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub disk_floor_percent: u8,
    /// Whether messages go to the organisation's channel too; a change counts from then on.
    #[arg(long, env = "ORG_SEES_MESSAGES", default_value_t = true, action = clap::ArgAction::Set)]
    pub org_sees_messages: bool,
}

/// How long an ending that holds a wipe may wait for its commit before it is answered 422 (INTERFACE §3).
const ENDING_PATIENCE: Duration = Duration::from_secs(2);
/// How long any other webhook may: below Evolution's shortest default timeout of 30 s (CONTRACT §1.3).
const PATIENCE: Duration = Duration::from_secs(20);

/// The door for everything that becomes a log row. Clones share one writer.
#[derive(Clone, Debug)]
pub struct Ingest {
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    disk: DiskGauge,
    quarantine: QuarantineGauge,
    counts: Arc<Counts>,
    committed: watch::Receiver<i64>,
}

/// Rows and bytes the quarantine may hold before more are refused with 503.
const MAX_QUARANTINE_ROWS: i64 = 100_000;
const MAX_QUARANTINE_BYTES: i64 = 1 << 30;

/// Knows how full the quarantine is, so that no webhook has to count it: the writer adds what it put there, and now and
/// then, or when something was taken out, the store is asked. What is committed while it is asked may be missed until
/// the next time.
#[derive(Clone, Debug, Default)]
pub struct QuarantineGauge {
    rows: Arc<AtomicI64>,
    bytes: Arc<AtomicI64>,
}

impl QuarantineGauge {
    /// Whether it is at one of its limits, with what is about to be put there.
    fn is_full_with(&self, coming: &[Quarantined]) -> bool {
        let rows = self.rows.load(Ordering::Relaxed) + i64::try_from(coming.len()).unwrap_or(i64::MAX);
        let bytes = self.bytes.load(Ordering::Relaxed) + coming.iter().map(Quarantined::size).sum::<i64>();
        rows >= MAX_QUARANTINE_ROWS || bytes >= MAX_QUARANTINE_BYTES
    }

    fn add(&self, grew: QuarantineSize) {
        self.rows.fetch_add(grew.rows, Ordering::Relaxed);
        self.bytes.fetch_add(grew.bytes, Ordering::Relaxed);
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn read(&self, store: &Store) -> Result<(), Error> {
        let size = store.quarantine_size().await?;
        self.rows.store(size.rows, Ordering::Relaxed);
        self.bytes.store(size.bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// What became of webhooks since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub stored: AtomicU64,
    pub duplicates: AtomicU64,
    /// Duplicates whose `data` was not that of the first.
    pub duplicates_differing: AtomicU64,
    pub folded: AtomicU64,
    pub quarantined: AtomicU64,
    pub refused: AtomicU64,
    pub commits: AtomicU64,
    pub failed_commits: AtomicU64,
}

/// Work for the writer.
enum Job {
    Webhook {
        arrival: Box<Arrival>,
        answer: oneshot::Sender<Result<Verdict, Error>>,
        _room: tokio::sync::OwnedSemaphorePermit,
    },
    Announce {
        announcement: Announcement,
        answer: oneshot::Sender<Result<(), Error>>,
    },
}

impl Ingest {
    /// Starts the writer as a task of `tasks`.
    ///
    /// # Errors
    /// [`Error::Store`] when the log can't be read.
    pub async fn start(
        config: &IngestConfig,
        store: Store,
        bus: Bus,
        clock: Clock,
        disk: DiskGauge,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let (queue, jobs) = mpsc::channel(config.ingest_queue.max(1));
        let (newest, committed) = watch::channel(store.last_entry_id().await?);
        let counts = Arc::new(Counts::default());
        let quarantine = QuarantineGauge::default();
        quarantine.read(&store).await?;
        let rules = plan::Rules { org_sees_messages: config.org_sees_messages, quarantine: quarantine.clone() };
        let writer = writer::Writer { store, bus, clock, counts: Arc::clone(&counts), newest, rules };
        tasks
            .spawn_thread("writer", |stop| writer.run(jobs, stop))
            .map_err(|e| Error::store("starting the writer", e))?;
        let room = Arc::new(Semaphore::new(units(config.ingest_queue_bytes) as usize));
        Ok(Self { queue, room, disk, quarantine, counts, committed })
    }

    /// Stores a webhook; returns once it is on disk.
    ///
    /// # Errors
    /// [`Error::Overloaded`], [`Error::DiskNearlyFull`], [`Error::Stopping`], [`Error::Store`]; for the two events that
    /// hold a wipe always [`Error::EndingNotStored`] instead.
    pub fn accept(&self, webhook: Webhook, received: Millis) -> impl Future<Output = Result<Verdict, Error>> {
        // Boxed at once: it goes through several hands.
        self.accept_arrival(Box::new(Arrival { webhook, received, late: false, released: None }))
    }

    /// Stores a webhook that was kept aside: marked late, changing no instance state.
    ///
    /// # Errors
    /// As [`Ingest::accept`].
    pub async fn accept_late(
        &self,
        webhook: Webhook,
        received: Millis,
        released: Option<i64>,
    ) -> Result<Verdict, Error> {
        self.accept_arrival(Box::new(Arrival { webhook, received, late: true, released })).await
    }

    async fn accept_arrival(&self, arrival: Box<Arrival>) -> Result<Verdict, Error> {
        let holds_a_wipe = arrival.webhook.event.holds_a_wipe() && !arrival.late;
        let patience = if holds_a_wipe { ENDING_PATIENCE } else { PATIENCE };
        let outcome = match tokio::time::timeout(patience, self.commit(arrival)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Overloaded),
        };
        match outcome {
            Err(cause) if holds_a_wipe => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                error!(error.code = cause.code(), "an ending could not be stored and was answered 422: {cause}");
                Err(Error::EndingNotStored)
            }
            Err(cause) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                Err(cause)
            }
            Ok(verdict) => Ok(verdict),
        }
    }

    async fn commit(&self, arrival: Box<Arrival>) -> Result<Verdict, Error> {
        if self.disk.is_low() {
            return Err(Error::DiskNearlyFull);
        }
        let size = units(arrival.webhook.body.len());
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(size) else { return Err(Error::Overloaded) };
        let (answer, verdict) = oneshot::channel();
        let job = Job::Webhook { arrival, answer, _room: room };
        self.queue.try_send(job).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        })?;
        if crate::sabotage::is(crate::sabotage::Sabotage::AckBeforeCommit) {
            return Ok(Verdict::Stored { seq: 0 });
        }
        verdict.await.map_err(|_| Error::Stopping)?
    }

    /// Appends what the gateway itself has to say to a user's channel.
    ///
    /// # Errors
    /// [`Error::Overloaded`], [`Error::Stopping`], [`Error::Store`].
    pub async fn announce(&self, announcement: Announcement) -> Result<(), Error> {
        let (answer, done) = oneshot::channel();
        self.queue.try_send(Job::Announce { announcement, answer }).map_err(|_| Error::Overloaded)?;
        done.await.map_err(|_| Error::Stopping)?
    }

    /// Feeds the passing of time to an instance that asked to be woken.
    ///
    /// # Errors
    /// As [`Ingest::announce`].
    pub async fn wake(&self, instance: InstanceName) -> Result<(), Error> {
        self.announce(Announcement::Wake { instance }).await
    }

    /// The id of the newest committed row, for long polls.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.committed.clone()
    }

    pub fn quarantine(&self) -> &QuarantineGauge {
        &self.quarantine
    }

    pub fn disk_is_low(&self) -> bool {
        self.disk.is_low()
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Webhooks waiting now.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// Bytes in the semaphore's units of 1 KiB, at least one.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX)
}
