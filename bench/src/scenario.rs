//! What is measured. Each scenario starts a server anew, so that none pays for another's history.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

use crate::contestant::{Contestant, Places};
use crate::event::Template;
use crate::ledger::Ledger;
use crate::listener::Greeted;
use crate::pacer;
use crate::poster::Poster;
use crate::stage::{SETTLES_IN, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// As many webhooks as are accepted over so many connections.
    Rate { connections: usize, lasts: Duration },
    /// So many webhooks per second for 200 users, whatever the server does: how long until a socket has each.
    Latency { per_second: u32, lasts: Duration },
    /// One event to so many sockets: how long until the last has it.
    FanOut { sockets: usize },
    /// So many sockets of as many users, that nothing happens to.
    Idle { sockets: usize },
    /// Sockets opened per second.
    Connects { sockets: usize },
}

/// One figure of one run.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
}

const fn figure(name: &'static str, value: f64) -> Figure {
    Figure { name, value }
}

/// Users of the latency scenario.
const USERS: usize = 200;
/// Before anything is measured: caches fill, compilers of peers compile.
const WARM_UP: Duration = Duration::from_secs(2);
/// Events of one fan-out run.
const FANNED_OUT: usize = 40;
/// How long idle sockets are watched.
const IDLE: Duration = Duration::from_secs(10);

impl Scenario {
    pub fn all(seconds: u64) -> Vec<Self> {
        let lasts = Duration::from_secs(seconds);
        let rates = [64, 512].map(|connections| Self::Rate { connections, lasts });
        let latencies = [500, 2000, 5000].map(|per_second| Self::Latency { per_second, lasts });
        let fan_outs = [1000, 2000, 5000].map(|sockets| Self::FanOut { sockets });
        let others = [Self::Idle { sockets: 10_000 }, Self::Connects { sockets: 3000 }];
        [&rates[..], &latencies[..], &fan_outs[..], &others[..]].concat()
    }

    /// Its name in the table and on the command line.
    pub fn key(&self) -> String {
        match self {
            Self::Rate { connections, .. } => format!("rate-{connections}"),
            Self::Latency { per_second, .. } => format!("latency-{per_second}"),
            Self::FanOut { sockets } => format!("fan-out-{sockets}"),
            Self::Idle { sockets } => format!("idle-{sockets}"),
            Self::Connects { sockets } => format!("connects-{sockets}"),
        }
    }

    pub fn contestants(&self) -> Vec<Contestant> {
        use Contestant::{Bare, Bun, Durable, Fastify, Relay, Socketio, SocketioPostgres, Zapgate};
        match self {
            Self::Rate { .. } => vec![Zapgate, Socketio, SocketioPostgres, Fastify, Bun, Bare, Relay, Durable],
            Self::Latency { .. } => vec![Zapgate, Socketio, SocketioPostgres, Fastify, Bun, Relay, Durable],
            Self::FanOut { .. } | Self::Idle { .. } | Self::Connects { .. } => {
                vec![Zapgate, Socketio, Fastify, Bun, Relay]
            }
        }
    }

    pub async fn run(&self, contestant: Contestant, places: &Places) -> anyhow::Result<Vec<Figure>> {
        match *self {
            Self::Rate { connections, lasts } => rate(contestant, places, connections, lasts).await,
            Self::Latency { per_second, lasts } => latency(contestant, places, per_second, lasts).await,
            Self::FanOut { sockets } => fan_out(contestant, places, sockets).await,
            Self::Idle { sockets } => idle(contestant, places, sockets).await,
            Self::Connects { sockets } => connects(contestant, places, sockets).await,
        }
    }
}

/// A connection with the one user whose events it posts, so that they arrive in their order.
struct Sender {
    poster: Poster,
    template: Template,
    user: usize,
    sockets: u64,
    ledger: Rc<Ledger>,
}

impl Sender {
    async fn of(stage: &Stage, user: usize, sockets: u64) -> anyhow::Result<Self> {
        let (poster, template) = (stage.poster().await?, stage.template(user)?);
        Ok(Self { poster, template, user, sockets, ledger: Rc::clone(&stage.ledger) })
    }

    async fn send(&mut self, due: Instant) -> anyhow::Result<()> {
        let number = self.ledger.send(self.user, due, self.sockets);
        self.poster.post(self.template.numbered(number)).await
    }

    async fn send_until(&mut self, end: Instant) -> anyhow::Result<u64> {
        let mut sent = 0;
        while Instant::now() < end {
            self.send(Instant::now()).await?;
            sent += 1;
        }
        Ok(sent)
    }
}

/// A server whose users each have a socket, where it has sockets, and a connection that posts.
async fn with_senders(contestant: Contestant, places: &Places, users: usize) -> anyhow::Result<(Stage, Vec<Sender>)> {
    let mut stage = Stage::set(contestant, places, users).await?;
    stage.make_users(users).await?;
    if contestant.relays() {
        stage.listen(0..users).await?;
    }
    let sockets = u64::from(contestant.relays());
    let senders = try_join_all((0..users).map(|user| Sender::of(&stage, user, sockets))).await?;
    Ok((stage, senders))
}

async fn rate(contestant: Contestant, places: &Places, users: usize, lasts: Duration) -> anyhow::Result<Vec<Figure>> {
    let (stage, mut senders) = with_senders(contestant, places, users).await?;
    let warm = Instant::now() + WARM_UP;
    try_join_all(senders.iter_mut().map(|sender| sender.send_until(warm))).await?;
    stage.settle().await?;

    let (before, begun) = (stage.process.usage()?, Instant::now());
    let accepted: u64 =
        try_join_all(senders.iter_mut().map(|sender| sender.send_until(begun + lasts))).await?.into_iter().sum();
    let took = begun.elapsed();
    stage.settle().await?;
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);

    stage.strike().await?;
    Ok(vec![
        figure("accepted/s", accepted as f64 / took.as_secs_f64()),
        figure("CPU µs per webhook", cpu.as_secs_f64() * 1e6 / accepted as f64),
    ])
}

async fn latency(
    contestant: Contestant,
    places: &Places,
    per_second: u32,
    lasts: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let (stage, senders) = with_senders(contestant, places, USERS).await?;
    let (queues, mut sending): (Vec<_>, Vec<_>) = senders.into_iter().map(queue).unzip();
    let apart = Duration::from_secs(1) / per_second;
    paced(&stage, &queues, apart, WARM_UP).await?;
    stage.ledger.take_latencies();

    let before = stage.process.usage()?;
    let sent = paced(&stage, &queues, apart, lasts).await?;
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    let latencies = stage.ledger.take_latencies();

    drop(queues);
    for task in sending.drain(..) {
        task.await?.context("a connection failed")?;
    }
    stage.strike().await?;
    Ok(vec![
        figure("p50 ms", at(&latencies, 0.5)),
        figure("p99 ms", at(&latencies, 0.99)),
        figure("p99.9 ms", at(&latencies, 0.999)),
        figure("CPU µs per webhook", cpu.as_secs_f64() * 1e6 / sent as f64),
    ])
}

/// Posts what it is told to, one after the other.
fn queue(mut sender: Sender) -> (mpsc::UnboundedSender<Instant>, tokio::task::JoinHandle<anyhow::Result<()>>) {
    let (queue, mut due) = mpsc::unbounded_channel();
    let task = tokio::task::spawn_local(async move {
        while let Some(due) = due.recv().await {
            sender.send(due).await?;
        }
        Ok(())
    });
    (queue, task)
}

/// Events at their times, to the users in turn; all have arrived when it returns.
async fn paced(
    stage: &Stage,
    queues: &[mpsc::UnboundedSender<Instant>],
    apart: Duration,
    lasts: Duration,
) -> anyhow::Result<usize> {
    let events = usize::try_from(lasts.as_nanos() / apart.as_nanos())?;
    let goal = stage.ledger.arrived() + events as u64;
    let mut due = pacer::pace(events, apart);
    let mut users = queues.iter().cycle();
    while let Some(due) = due.recv().await {
        if let Some(queue) = users.next() {
            queue.send(due).ok().context("a connection failed")?;
        }
    }
    stage.ledger.reach(goal, SETTLES_IN).await?;
    stage.settle().await?;
    Ok(events)
}

fn at(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e3
}

async fn fan_out(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set(contestant, places, 1).await?;
    stage.make_users(1).await?;
    stage.listen(std::iter::repeat_n(0, sockets)).await?;
    let mut sender = Sender::of(&stage, 0, sockets as u64).await?;
    let mut to_the_last = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let before = stage.process.usage()?;
    for number in 0..FANNED_OUT + 5 {
        let begun = Instant::now();
        sender.send(begun).await?;
        stage.settle().await?;
        // The first few warm up.
        if number >= 5 {
            to_the_last.saturating_record(u64::try_from(begun.elapsed().as_micros())?);
        }
    }
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    stage.strike().await?;
    let delivered = sockets * (FANNED_OUT + 5);
    Ok(vec![
        figure("to the last, p50 ms", at(&to_the_last, 0.5)),
        figure("to the last, p99 ms", at(&to_the_last, 0.99)),
        figure("CPU s per million deliveries", cpu.as_secs_f64() * 1e6 / delivered as f64),
    ])
}

async fn idle(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let mut stage = Stage::set(contestant, places, sockets).await?;
    // Code and pools are there before sockets are counted.
    stage.listen(0..64).await?;
    let before = stage.process.usage()?;
    stage.listen(64..sockets).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let opened = stage.process.usage()?;
    tokio::time::sleep(IDLE).await;
    let after = stage.process.usage()?;
    stage.strike().await?;
    let kib = opened.rss_bytes.saturating_sub(before.rss_bytes) as f64 / 1024.0;
    let cpu = after.cpu.saturating_sub(opened.cpu);
    Ok(vec![
        figure("RSS KiB per socket", kib / (sockets - 64) as f64),
        figure("CPU %", cpu.as_secs_f64() * 100.0 / IDLE.as_secs_f64()),
    ])
}

async fn connects(contestant: Contestant, places: &Places, sockets: usize) -> anyhow::Result<Vec<Figure>> {
    let stage = Stage::set(contestant, places, sockets).await?;
    let port = stage.process.port;
    let mut users = 0..sockets;
    let (before, begun) = (stage.process.usage()?, Instant::now());
    let mut open = Vec::with_capacity(sockets);
    loop {
        let some: Vec<usize> = users.by_ref().take(64).collect();
        if some.is_empty() {
            break;
        }
        open.extend(try_join_all(some.into_iter().map(|user| Greeted::open(contestant, port, user))).await?);
    }
    let took = begun.elapsed();
    let cpu = stage.process.usage()?.cpu.saturating_sub(before.cpu);
    drop(open);
    stage.strike().await?;
    Ok(vec![
        figure("sockets/s", sockets as f64 / took.as_secs_f64()),
        figure("CPU µs per socket", cpu.as_secs_f64() * 1e6 / sockets as f64),
    ])
}
