//! A server that runs, with users who have instances and sockets.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use tempfile::TempDir;

use crate::contestant::{Contestant, Places};
use crate::event::Template;
use crate::ledger::{Cursor, Ledger};
use crate::listener::{Greeted, Listener};
use crate::poster::Poster;
use crate::process::Process;

/// Sockets that are opened side by side.
const OPENED_AT_ONCE: usize = 64;
/// How long the last events may take when the load has ended.
pub const SETTLES_IN: Duration = Duration::from_secs(30);

pub struct Stage {
    pub contestant: Contestant,
    pub process: Process,
    pub ledger: Rc<Ledger>,
    listeners: Vec<Listener>,
    _folder: TempDir,
}

impl Stage {
    /// Starts the server for so many users.
    pub async fn set(contestant: Contestant, places: &Places, users: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let helpers = places.postgres.iter().filter(|_| contestant == Contestant::SocketioPostgres);
        let helpers = helpers.map(|(_, pid)| *pid).collect();
        let command = contestant.command(places, folder.path())?;
        let log = folder.path().join("log");
        let process = Process::start(command, free_port()?, helpers, &log).await.with_context(|| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("{} did not start: {said}", contestant.name())
        })?;
        let ledger = Rc::new(Ledger::new(users)?);
        Ok(Self { contestant, process, ledger, listeners: Vec::new(), _folder: folder })
    }

    /// Makes the instances of users 0 to `users`.
    pub async fn make_users(&self, users: usize) -> anyhow::Result<()> {
        let mut poster = self.poster().await?;
        for request in (0..users).filter_map(|user| self.contestant.make_user(user)) {
            poster.post(request.as_bytes()).await.context("making an instance")?;
        }
        Ok(())
    }

    pub async fn poster(&self) -> anyhow::Result<Poster> {
        Poster::connect(self.process.port).await
    }

    pub fn template(&self, user: usize) -> anyhow::Result<Template> {
        let mut failed = None;
        let template = Template::new(user, |length| {
            self.contestant.webhook_head(user, length).unwrap_or_else(|e| {
                failed = Some(e);
                String::new()
            })
        });
        failed.map_or(template, Err)
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

    /// All that was sent has arrived exactly so, and no socket broke.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.ledger.settle(SETTLES_IN).await
    }

    pub async fn strike(self) -> anyhow::Result<()> {
        for listener in self.listeners {
            listener.close().await?;
        }
        self.process.stop().await
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
