//! A browser's WebSocket, as far as a test needs it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longest a frame may take to come; a failing test waits this long, a passing one never.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub hello: Value,
}

impl Socket {
    /// Opens `/ws` with a bearer and reads `hello`.
    pub async fn open(url: &str, query: &str, bearer: &str) -> Self {
        let mut socket = Self::try_open(url, query, bearer).await.expect("the upgrade succeeds");
        socket.hello = socket.next().await;
        assert_eq!(socket.hello["type"], "hello", "{}", socket.hello);
        socket
    }

    /// Opens `/ws`; `hello` is left unread.
    pub async fn try_open(url: &str, query: &str, bearer: &str) -> Result<Self, tungstenite::Error> {
        let url = format!("{}/ws?{query}", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
        let (stream, _) = connect_async(request).await?;
        Ok(Self { stream, hello: Value::Null })
    }

    pub fn epoch(&self) -> &str {
        self.hello["epoch"].as_str().unwrap()
    }

    pub fn hello_seq(&self) -> i64 {
        self.hello["seq"].as_i64().unwrap()
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        serde_json::from_str(&self.next_text().await).unwrap()
    }

    /// The next frame as it came.
    pub async fn next_text(&mut self) -> String {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("a frame comes in time") {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("wanted a frame, got {other:?}"),
            }
        }
    }

    /// The next frame that is no notification and no `zapgate.status` of the gateway's own making.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// All frames up to the one numbered `seq`.
    pub async fn up_to(&mut self, seq: i64) -> Vec<Value> {
        let mut frames: Vec<Value> = Vec::new();
        while frames.last().is_none_or(|last| last["seq"].as_i64() < Some(seq)) {
            frames.push(self.next().await);
        }
        frames
    }

    /// Waits for the end and tells its close code; 1006 when it came without one.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("it is closed in time") {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return 1006,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame's text, however long it takes; or the code of the end, as [`Socket::closed`] tells it.
    pub async fn heard(&mut self) -> Result<String, u16> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Err(1006),
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }
}
