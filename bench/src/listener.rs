//! Sockets of users: opened in the server's dialect, and every event that comes put into the ledger.

use std::rc::Rc;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::contestant::{Contestant, Dialect};
use crate::event::Event;
use crate::ledger::{Cursor, Ledger};
use crate::sequence::{Position, Sequence};

/// Small, since there are thousands of them in one process.
const READ_BUFFER: usize = 4096;

/// A socket that listens until it is closed.
#[derive(Debug)]
pub struct Listener {
    task: JoinHandle<anyhow::Result<()>>,
}

/// A socket that was greeted, before it listens.
#[derive(Debug)]
pub struct Greeted {
    socket: WebSocketStream<TcpStream>,
    dialect: Dialect,
    /// Where its frames begin, if they are numbered.
    pub position: Option<Position>,
}

impl Greeted {
    /// Opens a socket of the user and waits for its greeting.
    pub async fn open(contestant: Contestant, port: u16, user: usize) -> anyhow::Result<Self> {
        Self::open_after(contestant, port, user, None).await
    }

    /// Opens a socket that recovers what came after that position.
    pub async fn open_after(
        contestant: Contestant,
        port: u16,
        user: usize,
        from: Option<&Position>,
    ) -> anyhow::Result<Self> {
        let request = contestant.upgrade(port, user, from)?;
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let (mut socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        let dialect = contestant.dialect();
        let greeting = next_text(&mut socket).await?;
        if dialect == Dialect::SocketIo {
            socket.send(Message::text("40")).await?;
            next_text(&mut socket).await?;
        }
        let position = (dialect == Dialect::Zapgate).then(|| Position::of_hello(&greeting)).transpose()?;
        Ok(Self { socket, dialect, position })
    }

    /// Puts what comes into the ledger, from the cursor on.
    pub fn listen(self, ledger: Rc<Ledger>, cursor: Cursor) -> Listener {
        Listener { task: tokio::task::spawn_local(listen(self, ledger, cursor)) }
    }
}

impl Listener {
    /// Ends it, or says why it had ended.
    pub async fn close(self) -> anyhow::Result<()> {
        if self.task.is_finished() {
            self.task.await?.context("a socket broke")?;
            bail!("the server closed a socket");
        }
        self.task.abort();
        Ok(())
    }
}

async fn next_text(socket: &mut WebSocketStream<TcpStream>) -> anyhow::Result<String> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            return Ok(text.to_string());
        }
    }
    bail!("closed before it said anything")
}

async fn listen(mut greeted: Greeted, ledger: Rc<Ledger>, mut cursor: Cursor) -> anyhow::Result<()> {
    let mut sequence = greeted.position.as_ref().map(|position| Sequence::after(position.seq));
    while let Some(message) = greeted.socket.next().await {
        match message? {
            // Engine.IO's ping.
            Message::Text(text) if greeted.dialect == Dialect::SocketIo && text.as_str() == "2" => {
                greeted.socket.send(Message::text("3")).await?;
            }
            Message::Text(text) => {
                if sequence.as_mut().is_some_and(|sequence| !sequence.continues(text.as_bytes())) {
                    ledger.break_sequence();
                }
                if let Some(event) = Event::in_frame(text.as_bytes()) {
                    ledger.receive(&mut cursor, event);
                }
            }
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}
