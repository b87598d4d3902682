//! Carries out commands at Evolution: takes what is due, one per instance at a time, makes the calls that its procedure
//! decides upon, and stores how it ended. It contains no judgement of its own (`domain/procedure.rs`).

mod calls;
mod news;
mod room;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span, info, warn};

use self::calls::Calls;
pub use self::news::News;
use self::room::{Place, Room};
use super::ingest::proof::Proofs;
use super::ingest::{Announcement, Ingest};
use crate::adapters::bus::Committed;
use crate::adapters::clock::Clock;
use crate::adapters::evolution::{Evolution, WebhookSetting};
use crate::adapters::store::Store;
use crate::adapters::store::batch::Settled;
use crate::adapters::store::commands::Claimed;
use crate::domain::command::{Kind, Note};
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::lifecycle::{State, reason};
use crate::domain::procedure::{End, Heard, Next, Order, Procedure, Sight};
use crate::domain::time::Millis;

#[derive(Clone, Debug, clap::Args)]
pub struct SupervisorConfig {
    /// Milliseconds that Evolution must not have been heard connecting before this gateway acts: a call into its
    /// reconnect loop would start a second connection.
    #[arg(long, env = "RECONNECT_QUIET_MS", default_value_t = 20_000)]
    pub reconnect_quiet_ms: u32,
}

impl SupervisorConfig {
    pub fn quiet(&self) -> Duration {
        Duration::from_millis(u64::from(self.reconnect_quiet_ms))
    }
}

/// Where Evolution is told to post, and how it proves that it does.
#[derive(Clone, Debug)]
pub struct Registration {
    /// This gateway as Evolution reaches it, without a slash at its end.
    pub base: String,
    pub proofs: Arc<Proofs>,
}

impl Registration {
    fn webhook_of(&self, user: &UserId, instance: &InstanceName) -> WebhookSetting {
        let jwt_key = self.proofs.key_for(instance).unwrap_or_default();
        let path = match user.as_str() {
            // No URL has such a segment, escaped or not: their webhooks are known by the instance they name.
            "." | ".." => String::from("evolution"),
            user => format!("user/{user}"),
        };
        WebhookSetting::new(format!("{}/api/webhook/{path}", self.base), jwt_key)
    }
}

/// Between two looks for what is due, when nobody says that something is.
const EVERY: Duration = Duration::from_secs(1);
/// By how much a clock must go back to count as set back: corrections of milliseconds are everyday.
const SET_BACK_MS: i64 = 5_000;
/// Steps of one command; a procedure that takes more goes in circles.
const MOST_STEPS: u32 = 2_000;
/// After a command that could not be carried out to its end for a reason of ours.
const AFTER_FAULT: Duration = Duration::from_secs(10);

/// A command, and its place among those under way.
type Begun = (Claimed, Place);

/// The one loop that acts at Evolution.
#[derive(Debug)]
pub struct Supervisor {
    pub store: Store,
    pub ingest: Ingest,
    pub clock: Clock,
    pub evolution: Evolution,
    pub registration: Registration,
    pub quiet: Duration,
    pub news: News,
}

impl Supervisor {
    /// Runs until `stop`; what is under way then is begun again by the next run.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    /// Two loops side by side, so that commands under way go on while the next ones are looked for: one that waits for
    /// the store must not wait for the other to be done with it.
    async fn work(&self) {
        self.reopen().await;
        let (sender, claimed) = mpsc::channel(room::AT_ONCE);
        tokio::join!(self.claim_all(sender), self.carry_out_all(claimed));
    }

    async fn claim_all(&self, sender: mpsc::Sender<Begun>) {
        let room = Room::default();
        loop {
            self.order_checks().await;
            for claimed in self.claim(room.left()).await {
                let place = room.place().await;
                if sender.send((claimed, place)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.news.ordered() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn carry_out_all(&self, mut claimed: mpsc::Receiver<Begun>) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some((claimed, place)) = claimed.recv() => running.push(async move {
                    self.carry_out(claimed, place).await;
                    // What waited for its instance, or for its place, may begin.
                    self.news.order();
                }),
                Some(()) = running.next(), if !running.is_empty() => {}
                else => return,
            }
        }
    }

    /// Commands that nobody asked for over HTTP.
    async fn order_checks(&self) {
        while let Some(instance) = self.news.take_check() {
            let order = Announcement::Order { instance: instance.clone(), kind: Kind::Check, number: None };
            if self.ingest.announce(order).await.is_err() {
                self.news.check(&instance);
                return;
            }
        }
    }

    /// Nothing is claimed before: what the last run left would hold up its instances for ever.
    async fn reopen(&self) {
        loop {
            match self.store.reopen_commands().await {
                Ok(0) => return,
                Ok(left) => return info!(commands = left, "{left} commands of the last run are begun again"),
                Err(e) => warn!("commands of the last run could not be opened again and will be: {e}"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn claim(&self, room: usize) -> Vec<Claimed> {
        if room == 0 {
            return Vec::new();
        }
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        self.store.claim_commands(self.clock.now(), room).await.unwrap_or_else(|e| {
            warn!("due commands could not be read and are looked for again: {e}");
            Vec::new()
        })
    }

    /// One command from its beginning to its end, whatever happens.
    async fn carry_out(&self, claimed: Claimed, place: Place) {
        let (instance, kind) = (claimed.instance.clone(), claimed.kind);
        let span = debug_span!("command", instance.name = %instance, command.kind = kind.as_str());
        async {
            let end = self.proceed(&claimed, place).await.unwrap_or_else(|e| {
                warn!(instance.name = %instance, "`{}` of `{instance}` is put off: {e}", kind.as_str());
                End::Later(self.clock.now() + AFTER_FAULT, None)
            });
            log(&instance, &claimed, &end);
            self.settle(&claimed, end).await;
        }
        .instrument(span)
        .await;
    }

    /// Steps through the procedure. `Err` is a fault of our own store.
    async fn proceed(&self, claimed: &Claimed, mut place: Place) -> Result<End, Error> {
        let mut follower = self.news.follow(&claimed.instance);
        let webhook = self.registration.webhook_of(&claimed.user, &claimed.instance);
        let mut calls = Calls::new(&self.evolution, claimed, webhook);
        let mut procedure = Procedure::of(Order {
            kind: claimed.kind,
            by_number: claimed.number.is_some(),
            asked_at: claimed.asked_at,
            attempts: claimed.attempts,
        });
        let mut heard = Heard::Begun;
        for _ in 0..MOST_STEPS {
            follower.mark_unchanged();
            let state = self.state_of(&claimed.instance).await?;
            let sight = Sight { state: &state, now: self.clock.now(), quiet: self.quiet };
            heard = match procedure.next(heard, &sight) {
                Next::Call(call) => Heard::Reply(calls.make(call).await),
                Next::Tell(act) => {
                    let instance = claimed.instance.clone();
                    self.ingest.announce(Announcement::Tell { instance, act }).await?;
                    Heard::Told
                }
                Next::Wait(until) => {
                    place.leave();
                    self.news.order();
                    if !self.wait(until, &mut follower).await {
                        return Ok(End::Later(self.clock.now(), None));
                    }
                    // Before it decides, which must be on what is true when it calls.
                    place.take_again().await;
                    Heard::Woken
                }
                Next::End(end) => return Ok(end),
            };
        }
        Ok(End::Unconfirmed(Note::new(reason::UNCONFIRMED)))
    }

    async fn state_of(&self, instance: &InstanceName) -> Result<State, Error> {
        self.store.state_of(instance).await.map(Option::unwrap_or_default)
    }

    /// Until then, or until something about the instance is stored. `false` when the clock was set back meanwhile: every
    /// deadline of the command is too far away now, so that it is to be begun again.
    async fn wait(&self, until: Millis, follower: &mut watch::Receiver<()>) -> bool {
        let whole = until.since(self.clock.now());
        loop {
            let left = until.since(self.clock.now());
            if left > whole.saturating_add(SET_BACK_MS) {
                return false;
            }
            let Ok(left @ 1..) = u64::try_from(left) else { return true };
            tokio::select! {
                // An error is a registry that is gone: the time still counts.
                Ok(()) = follower.changed() => return true,
                () = tokio::time::sleep(Duration::from_millis(left).min(EVERY)) => {}
            }
        }
    }

    /// Stores how it ended. A store that can't now may later, and nobody else may take the command meanwhile.
    async fn settle(&self, claimed: &Claimed, end: End) {
        let settled = Settled { command: claimed.id, end };
        loop {
            let (instance, kind) = (claimed.instance.clone(), claimed.kind);
            match self.ingest.announce(Announcement::Settle { instance, kind, settled: settled.clone() }).await {
                Ok(()) => break,
                Err(e) => warn!("how a command ended could not be stored and is tried again: {e}"),
            }
            tokio::time::sleep(EVERY).await;
        }
        self.news.tell(&claimed.instance);
    }
}

fn log(instance: &InstanceName, claimed: &Claimed, end: &End) {
    let (kind, attempt) = (claimed.kind.as_str(), claimed.attempts + 1);
    match end {
        End::Confirmed(_) | End::Removed => {
            info!(instance.name = %instance, attempt, "`{kind}` of `{instance}` is confirmed");
        }
        End::Unconfirmed(note) => {
            let advice = note.advice.as_deref().unwrap_or("");
            let code = note.code.as_str();
            warn!(instance.name = %instance, attempt, reason = code, "`{kind}` of `{instance}` is not confirmed: {code} {advice}");
        }
        End::Later(due, None) => {
            info!(instance.name = %instance, attempt, "`{kind}` of `{instance}` goes on at {due}");
        }
        End::Later(due, Some(note)) => {
            let advice = note.advice.as_deref().unwrap_or("");
            let code = note.code.as_str();
            warn!(instance.name = %instance, attempt, reason = code, "`{kind}` of `{instance}` is tried again at {due}: {code} {advice}");
        }
    }
}

/// Tells what was committed to whoever waits for it, until `stop`.
pub async fn tell_news(mut batches: Receiver<Arc<[Committed]>>, news: News, stop: CancellationToken) {
    loop {
        let batch = tokio::select! {
            batch = batches.recv() => batch,
            () = stop.cancelled() => return,
        };
        match batch {
            Ok(batch) => batch.iter().for_each(|committed| news.tell(&committed.entry.instance)),
            Err(RecvError::Lagged(_)) => news.tell_all(),
            Err(RecvError::Closed) => return,
        }
    }
}
