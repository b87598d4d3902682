//! Users who all leave and all come back at once. They live on a thread of their own, so that what reading their frames
//! costs the load is no latency of anybody else's.

use std::ops::Range;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::contestant::Contestant;
use crate::ledger::{Cursor, Ledger};
use crate::listener::{Greeted, Listener};
use crate::load::Sender;
use crate::sequence::Position;
use crate::stage::OPENED_AT_ONCE;
use crate::template::Kinds;

/// Events that each of them misses.
pub const MISSED: usize = 50;
/// How long a recovery may take.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A crowd, from outside its thread.
#[derive(Debug)]
pub struct Crowd {
    called: oneshot::Sender<()>,
    is_back: oneshot::Receiver<Duration>,
    released: oneshot::Sender<()>,
    thread: thread::JoinHandle<anyhow::Result<()>>,
}

/// The other ends of its channels.
struct Signals {
    away: oneshot::Sender<()>,
    call: oneshot::Receiver<()>,
    back: oneshot::Sender<Duration>,
    release: oneshot::Receiver<()>,
}

impl Crowd {
    /// These users have opened a socket each, closed it, and missed [`MISSED`] events when it returns.
    pub async fn away(server: (Contestant, u16), users: Range<usize>) -> anyhow::Result<Self> {
        let ((away, is_away), (called, call)) = (oneshot::channel(), oneshot::channel());
        let ((back, is_back), (released, release)) = (oneshot::channel(), oneshot::channel());
        let signals = Signals { away, call, back, release };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, live(server, users, signals))
        });
        match is_away.await {
            Ok(()) => Ok(Self { called, is_back, released, thread }),
            Err(_) => Err(ended(thread)),
        }
    }

    /// Calls all of them back; what is returned ends when each has all it missed, with how long that took.
    pub async fn return_at_once(self) -> anyhow::Result<(Duration, Present)> {
        let Self { called, is_back, released, thread } = self;
        // Whether it is still there shows in what comes back.
        let _ = called.send(());
        match is_back.await {
            Ok(took) => Ok((took, Present { released, thread })),
            Err(_) => Err(ended(thread)),
        }
    }
}

/// A crowd that is back and listens.
#[derive(Debug)]
pub struct Present {
    released: oneshot::Sender<()>,
    thread: thread::JoinHandle<anyhow::Result<()>>,
}

impl Present {
    /// Ends it; no socket may have broken.
    pub fn leave(self) -> anyhow::Result<()> {
        let _ = self.released.send(());
        self.thread.join().map_err(|_| anyhow::anyhow!("the crowd's thread panicked"))?
    }
}

fn ended(thread: thread::JoinHandle<anyhow::Result<()>>) -> anyhow::Error {
    match thread.join() {
        Ok(Err(e)) => e.context("the crowd"),
        _ => anyhow::anyhow!("the crowd's thread ended"),
    }
}

async fn live(server: (Contestant, u16), users: Range<usize>, signals: Signals) -> anyhow::Result<()> {
    let Signals { away, call, back, release } = signals;
    let ledger = Rc::new(Ledger::new(users.end)?);
    let positions = leave(server, users.clone()).await?;
    miss(server, users, &ledger).await?;
    let _ = away.send(());
    if call.await.is_err() {
        return Ok(());
    }
    let begun = Instant::now();
    let returning = positions.iter().map(|(user, position)| recover(server, *user, position, &ledger));
    let listeners = try_join_all(returning).await?;
    ledger.settle(PATIENCE.saturating_sub(begun.elapsed())).await?;
    let _ = back.send(begun.elapsed());
    let _ = release.await;
    ledger.settle(Duration::ZERO).await?;
    for listener in listeners {
        listener.close().await?;
    }
    Ok(())
}

/// Where each was when they left.
async fn leave((contestant, port): (Contestant, u16), users: Range<usize>) -> anyhow::Result<Vec<(usize, Position)>> {
    let visits = stream::iter(users).map(|user| async move {
        let socket = Greeted::open(contestant, port, user).await?;
        anyhow::Ok((user, socket.position.context("its frames have no numbers")?))
    });
    visits.buffer_unordered(OPENED_AT_ONCE).try_collect().await.context("opening sockets")
}

async fn miss(server: (Contestant, u16), users: Range<usize>, ledger: &Rc<Ledger>) -> anyhow::Result<()> {
    let missing = stream::iter(users).map(|user| async move {
        let mut sender = Sender::connect(server, user, 1, Kinds::Texts, ledger).await?;
        for _ in 0..MISSED {
            sender.send(Instant::now()).await?;
        }
        anyhow::Ok(())
    });
    missing.buffer_unordered(OPENED_AT_ONCE).try_collect().await.context("posting what is missed")
}

async fn recover(
    (contestant, port): (Contestant, u16),
    user: usize,
    from: &Position,
    ledger: &Rc<Ledger>,
) -> anyhow::Result<Listener> {
    let cursor = Cursor::new(user, 0);
    let socket = Greeted::open_after(contestant, port, user, Some(from)).await.context("coming back")?;
    let to = socket.position.as_ref();
    ensure!(to.is_some_and(|to| to.recovered && to.seq == from.seq), "nothing is recovered: {to:?} after {from:?}");
    Ok(socket.listen(Rc::clone(ledger), cursor))
}
