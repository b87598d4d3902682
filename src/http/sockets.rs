//! `GET /ws`: one task per WebSocket, which writes a listener's frames and reads what little a client says. Who the
//! caller is and which channel they may have is settled before the upgrade.

mod connection;
mod gauge;
mod heard;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Message};
use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::warn;

use self::connection::{Broken, Incoming, Outgoing, part};
use self::heard::Heard;
use super::listening::{Admitted, expiry};
use super::server::Handover;
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
pub fn upgrade(
    req: &HttpRequest,
    payload: web::Payload,
    admitted: Admitted,
    revoked: impl Future<Output = ()> + 'static,
    live: Arc<Live>,
    (tasks, patience): (&Tasks, Patience),
) -> Result<HttpResponse, Error> {
    let refusal = || Error::bad_input("upgrade", "is not a WebSocket handshake of version 13");
    let handover = Handover::of(req).ok_or_else(refusal)?;
    // Only the answer: its session would go through the HTTP machinery, which the connection leaves.
    let (response, ..) = actix_ws::handle_with_protocols(req, payload, &[PROTOCOL]).map_err(|_| refusal())?;
    let tasks = tasks.clone();
    handover.to(move |stream, early| {
        tasks.spawn_local("socket", |stop| async move {
            let (mut visit, mut out) = (live.hub().enter(&admitted.channel), Outgoing::default());
            let ended = tokio::select! {
                ended = converse((&stream, early), &mut out, admitted, &live, patience) => ended,
                () = revoked => Ended::Closed(Close::EXPIRED),
                () = stop.cancelled() => Ended::Closed(Close::GOING_AWAY),
            };
            if let Ended::Closed(close) = ended {
                visit.end(close);
            }
            drop(visit);
            if let Some(reason) = ended.reason() {
                // Whoever does not take even this is cut off.
                let _ = timeout(patience.write, part(stream, out, reason)).await;
            }
        });
    });
    Ok(response)
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

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::HungUp => Self::Gone,
            Broken::Violation => Self::Closed(Close::POLICY),
        }
    }
}

/// Runs the socket until one side ends it. What the client had not taken by then stays in `out`.
async fn converse(
    (stream, early): (&TcpStream, BytesMut),
    out: &mut Outgoing,
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
    let incoming = match Incoming::new(stream, &early) {
        Ok(incoming) => incoming,
        Err(broken) => return broken.into(),
    };
    drop(early);
    tokio::select! {
        Err(ended) = exchange(stream, incoming, out, listener, patience) => ended,
        () = expiry(admitted.expires_at, live.clock().now()) => Ended::Closed(Close::EXPIRED),
    }
}

/// Moves frames both ways.
async fn exchange(
    stream: &TcpStream,
    mut incoming: Incoming<'_>,
    out: &mut Outgoing,
    mut listener: Listener,
    patience: Patience,
) -> Result<Infallible, Ended> {
    let now = Instant::now();
    let (mut heard, mut count, mut ping_at) = (Heard::new(now), SocketCount::default(), now + patience.ping);
    let mut alarm = pin!(sleep_until(ping_at.min(now + patience.silence)));
    loop {
        let outward = async {
            match out.waits_since() {
                None => fill(out, &mut listener, &mut count).await,
                Some(since) => flush(out, stream, &listener, since + patience.write).await,
            }
        };
        tokio::select! {
            biased;
            moved = outward => moved?,
            frame = incoming.next() => if let Some(answer) = heard.take(frame?, Instant::now())? {
                out.push_control(answer);
            },
            () = alarm.as_mut() => {
                let now = Instant::now();
                let silent_at = heard.last() + patience.silence;
                if now >= silent_at {
                    return Err(Ended::Closed(Close::SILENT));
                }
                if now >= ping_at {
                    out.push_control(Message::Ping(Bytes::new()));
                    ping_at = now + patience.ping;
                }
                alarm.as_mut().reset(ping_at.min(silent_at));
            }
        }
    }
}

/// Waits for the next frame, and takes those that wait behind it too.
async fn fill(out: &mut Outgoing, listener: &mut Listener, count: &mut SocketCount) -> Result<(), Ended> {
    let mut next = Some(listener.next().await.map_err(Ended::Closed)?);
    while let Some(frame) = next {
        out.push(count.renumber(frame).message().clone());
        next = if out.is_enough() { None } else { listener.waiting() };
    }
    Ok(())
}

/// Writes what waits, unless the client takes too long over it.
async fn flush(out: &mut Outgoing, stream: &TcpStream, listener: &Listener, by: Instant) -> Result<(), Ended> {
    let overflowed = listener.overflowed();
    tokio::select! {
        biased;
        written = timeout_at(by, out.write_to(stream)) => match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_closed)) => Err(Ended::Gone),
            Err(_stuck) => Err(Ended::Closed(Close::SLOW)),
        },
        () = overflowed => Err(Ended::Closed(Close::SLOW)),
    }
}
