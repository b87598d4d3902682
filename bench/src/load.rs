//! The load: connections that post the events of a user each, as fast as they are answered or at given times.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::contestant::{Contestant, Places};
use crate::ledger::{Collapsed, Ledger};
use crate::pacer;
use crate::poster::Poster;
use crate::stage::{SETTLES_IN, Stage};
use crate::template::{Kinds, Series};

/// A connection with the one user whose events it posts, so that they arrive in their order.
#[derive(Debug)]
pub struct Sender {
    poster: Poster,
    series: Series,
    user: usize,
    sockets: u64,
    ledger: Rc<Ledger>,
}

impl Sender {
    /// Posts to the server at that port what the user's so many sockets will get.
    pub async fn connect(
        (contestant, port): (Contestant, u16),
        user: usize,
        sockets: u64,
        kinds: Kinds,
        ledger: &Rc<Ledger>,
    ) -> anyhow::Result<Self> {
        let series = Series::new(contestant, user, kinds)?;
        Ok(Self { poster: Poster::connect(port).await?, series, user, sockets, ledger: Rc::clone(ledger) })
    }

    /// Sends one event that is due then, and waits until it is answered.
    pub async fn send(&mut self, due: Instant) -> anyhow::Result<()> {
        let (ledger, user, sockets) = (&self.ledger, self.user, self.sockets);
        let request = self.series.next(due, || ledger.expect(user, due, sockets))?;
        ledger.send();
        self.poster.post(request).await
    }

    /// One after the other. How many.
    pub async fn send_until(&mut self, end: Instant) -> anyhow::Result<u64> {
        let mut sent = 0;
        while Instant::now() < end {
            self.send(Instant::now()).await?;
            sent += 1;
        }
        Ok(sent)
    }
}

/// A server whose users each have a socket, where it has sockets, and a connection that posts.
pub async fn with_senders(
    contestant: Contestant,
    places: &Places,
    users: usize,
    kinds: Kinds,
) -> anyhow::Result<(Stage, Vec<Sender>)> {
    let mut stage = Stage::set(contestant, places, users).await?;
    stage.make_users(0..users).await?;
    let senders = senders(&mut stage, users, kinds).await?;
    Ok((stage, senders))
}

/// Gives each user a socket, where there are sockets, and a connection that posts.
pub async fn senders(stage: &mut Stage, users: usize, kinds: Kinds) -> anyhow::Result<Vec<Sender>> {
    if stage.contestant.relays() {
        stage.listen(0..users).await?;
    }
    let sockets = u64::from(stage.contestant.relays());
    let server = (stage.contestant, stage.process.port);
    let connecting = (0..users).map(|user| Sender::connect(server, user, sockets, kinds, &stage.ledger));
    try_join_all(connecting).await
}

/// An open loop: events fall due at fixed times, to the users in turn, whatever the server does.
#[derive(Debug)]
pub struct OpenLoop {
    queues: Vec<mpsc::UnboundedSender<Instant>>,
    sending: Vec<JoinHandle<anyhow::Result<()>>>,
    apart: Duration,
    ledger: Rc<Ledger>,
}

/// What came of one stretch of an open loop.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    pub events: u64,
    /// How many had not even been sent [`GRACE`] after the last one was due.
    pub unsent: u64,
}

/// How long after its end a stretch may still be sending without being called behind.
pub const GRACE: Duration = Duration::from_secs(1);

impl OpenLoop {
    pub fn new(senders: Vec<Sender>, per_second: u32, ledger: &Rc<Ledger>) -> Self {
        let (queues, sending) = senders.into_iter().map(queue).unzip();
        Self { queues, sending, apart: Duration::from_secs(1) / per_second, ledger: Rc::clone(ledger) }
    }

    /// Runs for so long; all has arrived when it returns.
    ///
    /// # Errors
    /// [`Collapsed`] when that takes longer than [`SETTLES_IN`].
    pub async fn run(&mut self, lasts: Duration) -> anyhow::Result<Paced> {
        self.run_until(std::future::pending(), lasts).await
    }

    /// As [`OpenLoop::run`], ended early by `end`.
    pub async fn run_until(&mut self, end: impl Future<Output = ()>, lasts: Duration) -> anyhow::Result<Paced> {
        let mut due = pacer::pace(usize::try_from(lasts.as_nanos() / self.apart.as_nanos())?, self.apart);
        let (before, mut events) = (self.ledger.sent(), 0);
        let mut users = self.queues.iter().cycle();
        tokio::pin!(end);
        loop {
            let next = tokio::select! {
                biased;
                () = &mut end => break,
                next = due.recv() => next,
            };
            let (Some(due), Some(queue)) = (next, users.next()) else { break };
            queue.send(due).ok().context("a connection failed")?;
            events += 1;
        }
        drop(due);
        let (goal, ended) = (before + events, Instant::now());
        let unsent = match self.ledger.all_sent(goal, GRACE).await {
            Ok(()) => 0,
            Err(behind) => behind.wanted - behind.done,
        };
        self.settle(goal, ended).await?;
        Ok(Paced { events, unsent })
    }

    async fn settle(&mut self, goal: u64, ended: Instant) -> anyhow::Result<()> {
        let all_sent = self.ledger.all_sent(goal, SETTLES_IN.saturating_sub(ended.elapsed())).await;
        let settled = match self.ledger.settle(SETTLES_IN.saturating_sub(ended.elapsed())).await {
            // What is wrong says more than what is late.
            Err(wrong) if !wrong.is::<Collapsed>() => Err(wrong),
            arrived => all_sent.map_err(anyhow::Error::from).and(arrived),
        };
        for task in self.sending.iter_mut().filter(|task| task.is_finished()) {
            // Nobody told it to end: it says why.
            task.await?.context("a connection failed")?;
        }
        settled
    }

    /// Ends it. Every answer was a success.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.queues);
        for task in self.sending {
            task.await?.context("a connection failed")?;
        }
        Ok(())
    }
}

/// Posts what it is told to, one after the other.
fn queue(mut sender: Sender) -> (mpsc::UnboundedSender<Instant>, JoinHandle<anyhow::Result<()>>) {
    let (queue, mut due) = mpsc::unbounded_channel();
    let task = tokio::task::spawn_local(async move {
        while let Some(due) = due.recv().await {
            sender.send(due).await?;
        }
        Ok(())
    });
    (queue, task)
}
