//! A server that runs, with users who have instances and sockets.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use crate::contestant::{Contestant, Places};
use crate::ledger::{Cursor, Ledger};
use crate::listener::{Greeted, Listener};
use crate::poster::Poster;
use crate::process::Process;

/// Sockets that are opened side by side.
pub const OPENED_AT_ONCE: usize = 64;
/// Connections by which instances are made.
const MADE_AT_ONCE: usize = 16;
/// How long the last events may take when the load has ended.
pub const SETTLES_IN: Duration = Duration::from_secs(30);

pub struct Stage {
    pub contestant: Contestant,
    pub process: Process,
    pub ledger: Rc<Ledger>,
    listeners: Vec<Listener>,
    folder: TempDir,
}

impl Stage {
    /// Starts the server for so many users.
    pub async fn set(contestant: Contestant, places: &Places, users: usize) -> anyhow::Result<Self> {
        Self::set_on(contestant, places, users, tempfile::tempdir()?).await
    }

    /// Starts the server on what is in that folder.
    pub async fn set_on(
        contestant: Contestant,
        places: &Places,
        users: usize,
        folder: TempDir,
    ) -> anyhow::Result<Self> {
        let helpers = places.postgres.iter().filter(|_| contestant == Contestant::SocketioPostgres);
        let helpers = helpers.map(|(_, pid)| *pid).collect();
        let command = contestant.command(places, folder.path())?;
        let log = folder.path().join("log");
        let process = Process::start(command, free_port()?, helpers, &log).await.with_context(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("{} did not start: {said}", contestant.name())
        })?;
        let ledger = Rc::new(Ledger::new(users)?);
        Ok(Self { contestant, process, ledger, listeners: Vec::new(), folder })
    }

    /// Makes the instances of these users, where that is needed.
    pub async fn make_users(&self, users: impl Iterator<Item = usize>) -> anyhow::Result<()> {
        let requests: Vec<String> = users.filter_map(|user| self.contestant.make_user(user)).collect();
        let share = requests.len().div_ceil(MADE_AT_ONCE).max(1);
        let making = requests.chunks(share).map(|share| async move {
            let mut poster = Poster::connect(self.process.port).await?;
            for request in share {
                poster.post(request.as_bytes()).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(making).await.context("making instances").map(|_| ())
    }

    /// Opens a socket for each of these users, several at once, and has them listen.
    pub async fn listen(&mut self, users: impl Iterator<Item = usize>) -> anyhow::Result<()> {
        let (contestant, port) = (self.contestant, self.process.port);
        let opened: Vec<(usize, Greeted)> = stream::iter(users)
            .map(|user| async move { anyhow::Ok((user, Greeted::open(contestant, port, user).await?)) })
            .buffer_unordered(OPENED_AT_ONCE)
            .try_collect()
            .await
            .context("opening sockets")?;
        self.listeners.extend(opened.into_iter().map(|(user, greeted)| {
            let cursor = Cursor::new(user, self.ledger.sent_to(user));
            greeted.listen(Rc::clone(&self.ledger), cursor)
        }));
        Ok(())
    }

    /// All that was sent has arrived exactly so.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.ledger.settle(SETTLES_IN).await
    }

    /// Ends it; nothing may have come twice since, and no socket may have broken. The folder with what the server left.
    pub async fn strike(self) -> anyhow::Result<TempDir> {
        self.settle().await?;
        for listener in self.listeners {
            listener.close().await?;
        }
        self.process.stop().await?;
        Ok(self.folder)
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
