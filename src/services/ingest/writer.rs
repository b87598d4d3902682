//! The one writer: takes whatever is queued, commits it as one transaction, answers, publishes. No timer: latency is
//! one commit when idle, and batches grow with the load by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::plan::{self, Announcement, Arrival, Plan, Rules, Verdict};
use super::{Counts, Job};
use crate::adapters::bus::{Bus, Committed};
use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::adapters::store::batch::{Changes, Refusal};
use crate::domain::error::Error;

/// Jobs in one transaction.
const BATCH: usize = 256;

/// What the plan says of one webhook.
type Decided = Result<Verdict, Error>;

pub(super) struct Writer {
    pub(super) store: Store,
    pub(super) bus: Bus,
    pub(super) clock: Clock,
    pub(super) counts: Arc<Counts>,
    pub(super) newest: watch::Sender<i64>,
    pub(super) rules: Rules,
}

impl Writer {
    /// Runs until `stop`, then drains what was accepted before and ends.
    pub(super) async fn run(self, mut jobs: mpsc::Receiver<Job>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let taken = tokio::select! {
                biased;
                taken = jobs.recv_many(&mut batch, BATCH) => taken,
                () = stop.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.work(std::mem::take(&mut batch)).await;
        }
    }

    /// Commits all as one transaction; if that fails, each by itself, so that one that cannot be stored takes nobody
    /// with it. A database that cannot be written to at all is not asked again for each: everyone would wait for the
    /// sum of its time-outs.
    async fn work(&self, jobs: Vec<Job>) {
        match self.commit(&jobs).await {
            Ok(verdicts) => answer_all(jobs, verdicts),
            Err(Refusal::Failed(cause)) if jobs.len() > 1 => {
                warn!(batch.jobs = jobs.len(), "a batch failed and is tried one by one: {}", chain(&cause));
                self.work_one_by_one(jobs).await;
            }
            Err(refusal) => answer_failure(jobs, refusal),
        }
    }

    async fn work_one_by_one(&self, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            let alone = vec![job];
            match self.commit(&alone).await {
                Ok(verdicts) => answer_all(alone, verdicts),
                Err(refusal @ Refusal::Failed(_)) => answer_failure(alone, refusal),
                Err(refusal @ Refusal::Closed(_)) => {
                    answer_failure(alone.into_iter().chain(jobs).collect(), refusal);
                    return;
                }
            }
        }
    }

    async fn commit(&self, jobs: &[Job]) -> Result<Vec<Option<Decided>>, Refusal> {
        let now = self.clock.now();
        let wanted =
            plan::lookups(jobs.iter().filter_map(Job::arrival), jobs.iter().filter_map(Job::announcement), now);
        let mut verdicts = Vec::with_capacity(jobs.len());
        let changes = self
            .store
            .commit_batch(&wanted, now, |known| {
                verdicts.clear();
                let mut plan = Plan::new(&self.rules, known, now);
                for job in jobs {
                    verdicts.push(match job {
                        Job::Webhook { arrival, .. } => Some(plan.arrive(arrival)),
                        Job::Announce { announcement, .. } => {
                            plan.announce(announcement);
                            None
                        }
                    });
                }
                plan.finish()
            })
            .await
            .inspect_err(|_| {
                self.counts.failed_commits.fetch_add(1, Ordering::Relaxed);
            })?;
        self.counts.note(&verdicts);
        self.rules.quarantine.add(changes.quarantine_grew);
        self.publish(changes);
        Ok(verdicts)
    }

    fn publish(&self, changes: Changes) {
        let Some(last) = changes.appended.last().map(|row| row.entry.id) else { return };
        let committed: Arc<[Committed]> =
            changes.appended.into_iter().map(|row| Committed { entry: row.entry, qr: row.qr }).collect();
        self.bus.publish(committed);
        self.newest.send_replace(last);
    }
}

impl Job {
    fn arrival(&self) -> Option<&Arrival> {
        match self {
            Self::Webhook { arrival, .. } => Some(arrival),
            Self::Announce { .. } => None,
        }
    }

    fn announcement(&self) -> Option<&Announcement> {
        match self {
            Self::Webhook { .. } => None,
            Self::Announce { announcement, .. } => Some(announcement),
        }
    }
}

impl Counts {
    fn note(&self, verdicts: &[Option<Decided>]) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        for verdict in verdicts.iter().flatten().flatten() {
            let counter = match verdict {
                Verdict::Stored { .. } => &self.stored,
                Verdict::Duplicate { differs: true, .. } => &self.duplicates_differing,
                Verdict::Duplicate { differs: false, .. } => &self.duplicates,
                Verdict::Folded { .. } => &self.folded,
                Verdict::Quarantined => &self.quarantined,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whoever asked may have gone; the log has it all the same.
fn answer_all(jobs: Vec<Job>, verdicts: Vec<Option<Decided>>) {
    for (job, verdict) in jobs.into_iter().zip(verdicts) {
        match (job, verdict) {
            (Job::Webhook { answer, .. }, Some(verdict)) => drop(answer.send(verdict)),
            (Job::Announce { answer, .. }, _) => drop(answer.send(Ok(()))),
            (Job::Webhook { answer, .. }, None) => drop(answer.send(Err(Error::Internal("a job was not decided")))),
        }
    }
}

fn answer_failure(jobs: Vec<Job>, refusal: Refusal) {
    let (Refusal::Closed(cause) | Refusal::Failed(cause)) = refusal;
    let why = chain(&cause);
    error!(batch.jobs = jobs.len(), "a commit failed: {why}");
    for job in jobs {
        let cause = Error::store("committing", why.clone());
        match job {
            Job::Webhook { answer, .. } => drop(answer.send(Err(cause))),
            Job::Announce { answer, .. } => drop(answer.send(Err(cause))),
        }
    }
}

/// An error with all its causes, for the log.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
