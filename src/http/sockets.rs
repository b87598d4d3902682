//! `GET /ws`: one task per WebSocket, which writes a listener's frames and reads what little a client says. Who the
//! caller is and which channel they may have is settled before the upgrade.

mod gauge;
mod heard;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, ProtocolError, Session};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::warn;

use self::gauge::FrameGauge;
use self::heard::Heard;
use super::listening::{Admitted, expiry};
use crate::adapters::tasks::Tasks;
use crate::domain::close::Close;
use crate::domain::error::Error;
use crate::sabotage::SocketCount;
use crate::services::live::{Listener, Live};

/// The subprotocol this version speaks.
pub const PROTOCOL: &str = "zapgate.v1";

/// Largest client frame, and largest message made of fragments, in bytes.
const MAX_FRAME_BYTES: usize = 4096;

/// How long a socket waits for what; the defaults are published (INTERFACE §4), tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two pings.
    pub ping: Duration,
    /// Without a sign of the client, before it is closed as silent.
    pub silence: Duration,
    /// For one frame to be taken by the connection, before it is given up.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { ping: Duration::from_secs(25), silence: Duration::from_mins(1), write: Duration::from_mins(1) }
    }
}

/// Upgrades a request to a WebSocket on `admitted`'s channel; the socket then runs as a task of its own. `revoked`
/// ends when the credentials are taken back.
///
/// # Errors
/// [`Error::BadInput`] when the request is not a WebSocket handshake.
pub async fn upgrade(
    req: &HttpRequest,
    payload: web::Payload,
    admitted: Admitted,
    revoked: impl Future<Output = ()> + 'static,
    live: Arc<Live>,
    (tasks, patience): (&Tasks, Patience),
) -> Result<HttpResponse, Error> {
    let payload = gauged(req, payload).await?;
    let (response, session, stream) = actix_ws::handle_with_protocols(req, payload, &[PROTOCOL])
        .map_err(|_| Error::bad_input("upgrade", "is not a WebSocket handshake of version 13"))?;
    let stream = stream.max_frame_size(MAX_FRAME_BYTES);
    tasks.spawn_local("socket", |stop| async move {
        let mut visit = live.hub().enter(&admitted.channel);
        let ended = tokio::select! {
            ended = converse(session.clone(), stream, admitted, &live, patience) => ended,
            () = revoked => Ended::Closed(Close::EXPIRED),
            () = stop.cancelled() => Ended::Closed(Close::GOING_AWAY),
        };
        if let Ended::Closed(close) = ended {
            visit.end(close);
        }
        drop(visit);
        if let Some(reason) = ended.reason() {
            // Whoever does not take even this is cut off.
            let _ = timeout(patience.write, session.close(Some(reason))).await;
        }
    });
    Ok(response)
}

/// The payload with its frames measured, so that none over the limit is collected.
async fn gauged(req: &HttpRequest, payload: web::Payload) -> Result<web::Payload, Error> {
    let mut gauge = FrameGauge::new(MAX_FRAME_BYTES as u64);
    let measured = payload.into_inner().map(move |chunk| {
        let chunk = chunk?;
        match gauge.pass(&chunk) {
            Ok(()) => Ok(chunk),
            Err(_) => Err(PayloadError::Io(io::Error::new(ErrorKind::InvalidData, "a frame is too large"))),
        }
    });
    let mut measured: dev::Payload = dev::Payload::Stream { payload: Box::pin(measured) };
    web::Payload::from_request(req, &mut measured).await.map_err(|_| Error::Internal("a payload that is always there"))
}

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    /// The client is gone.
    Gone,
    /// The client said goodbye, in these words, which are said back.
    Left(CloseReason),
    /// We end it.
    Closed(Close),
}

impl Ended {
    /// What to close with, if anybody still listens.
    fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Gone => None,
            Self::Left(said) => Some(said),
            Self::Closed(Close { code, reason }) => {
                Some(CloseReason { code: CloseCode::from(code), description: Some(reason.to_owned()) })
            }
        }
    }
}

/// Runs the socket until one side ends it.
async fn converse(
    session: Session,
    stream: MessageStream,
    admitted: Admitted,
    live: &Arc<Live>,
    patience: Patience,
) -> Ended {
    let _place = match &admitted.user {
        Some(user) => match live.hub().admit(user) {
            Some(place) => Some(place),
            None => return Ended::Closed(Close::TOO_MANY),
        },
        None => None,
    };
    // Boxed: what it needs is not kept for as long as the socket lives.
    let listener = match Box::pin(live.listen(admitted.channel, admitted.from.as_ref())).await {
        Ok(listener) => listener,
        Err(e) => {
            warn!(error = &e as &dyn std::error::Error, "a live channel could not be opened");
            return Ended::Closed(Close::GOING_AWAY);
        }
    };
    tokio::select! {
        ended = read(stream, session.clone(), patience) => ended,
        ended = write(session, listener, patience) => ended,
        () = expiry(admitted.expires_at, live.clock().now()) => Ended::Closed(Close::EXPIRED),
    }
}

async fn write(mut session: Session, mut listener: Listener, patience: Patience) -> Ended {
    let mut pings = interval_at(Instant::now() + patience.ping, patience.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = SocketCount::default();
    loop {
        let text = tokio::select! {
            frame = listener.next() => match frame {
                Ok(frame) => Some(count.renumber(frame.text)),
                Err(close) => return Ended::Closed(close),
            },
            _ = pings.tick() => None,
        };
        let overflowed = listener.overflowed();
        let message = text.map_or(Message::Ping(Bytes::new()), Message::Text);
        tokio::select! {
            sent = timeout(patience.write, session.send(message)) => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => return Ended::Gone,
                Err(_stuck) => return Ended::Closed(Close::SLOW),
            },
            () = overflowed => return Ended::Closed(Close::SLOW),
        }
    }
}

/// Whether the connection broke, which a closed laptop does and is nobody's fault.
fn is_hang_up(error: &ProtocolError) -> bool {
    let ProtocolError::Io(wrapped) = error else { return false };
    match wrapped.get_ref().and_then(|cause| cause.downcast_ref::<PayloadError>()) {
        Some(PayloadError::Io(cause)) => cause.kind() != ErrorKind::InvalidData,
        Some(PayloadError::Incomplete(_)) => true,
        _ => false,
    }
}

async fn read(mut stream: MessageStream, mut session: Session, patience: Patience) -> Ended {
    let mut heard = Heard::new(Instant::now());
    loop {
        let message = match timeout(patience.silence, stream.next()).await {
            Err(_silent) => return Ended::Closed(Close::SILENT),
            Ok(None) => return Ended::Gone,
            Ok(Some(Err(e))) if is_hang_up(&e) => return Ended::Gone,
            // Too large, or not the protocol: in either case not a client of ours.
            Ok(Some(Err(_))) => return Ended::Closed(Close::POLICY),
            Ok(Some(Ok(message))) => message,
        };
        let answer = match heard.take(message, Instant::now()) {
            Ok(None) => continue,
            Ok(Some(answer)) => answer,
            Err(ended) => return ended,
        };
        match timeout(patience.write, session.send(answer)).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Ended::Gone,
            Err(_stuck) => return Ended::Closed(Close::SLOW),
        }
    }
}
