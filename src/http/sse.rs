//! `GET /events`: the same stream as `/ws`, as Server-Sent Events for clients that only read. The body is pulled, so a
//! slow reader holds the log's reading back, not the server.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::listening::{Admitted, expiry};
use crate::domain::channel::{Epoch, Position};
use crate::domain::close::Close;
use crate::domain::error::Error;
use crate::domain::frame::Frame;
use crate::services::hub::Admission;
use crate::services::hub::census::Visit;
use crate::services::live::{Listener, Live};

/// Between two comments that keep the connection open.
const PING_EVERY: Duration = Duration::from_secs(25);
/// What a user with too many live connections is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Streams `admitted`'s channel. A `Last-Event-ID` goes before the query's position. The stream ends when the
/// credentials do (`revoked`, or their expiry), at `stop`, or when the reader is too slow: the client comes back by
/// itself with the id it saw last.
///
/// # Errors
/// [`Error::TooManyRequests`] when the user has too many live connections; [`Error::Store`].
pub async fn stream(
    req: &HttpRequest,
    admitted: Admitted,
    revoked: impl Future<Output = ()> + 'static,
    live: Arc<Live>,
    stop: CancellationToken,
) -> Result<HttpResponse, Error> {
    let place = match &admitted.user {
        Some(user) => Some(live.hub().admit(user).ok_or(Error::TooManyRequests { retry_after: RETRY_AFTER })?),
        None => None,
    };
    let from = last_event_id(req).or(admitted.from);
    let visit = live.hub().enter(&admitted.channel);
    let listener = live.listen(admitted.channel, from.as_ref()).await?;
    let expired = expiry(admitted.expires_at, live.clock().now());
    let ended = Box::pin(async move {
        tokio::select! {
            () = revoked => Close::EXPIRED,
            () = expired => Close::EXPIRED,
            () = stop.cancelled() => Close::GOING_AWAY,
        }
    });
    let events = stream::unfold(Reader { listener, ended, visit, _place: place }, next_event);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // A proxy that buffers would hold the events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events))
}

struct Reader {
    listener: Listener,
    ended: LocalBoxFuture<'static, Close>,
    visit: Visit,
    _place: Option<Admission>,
}

async fn next_event(mut reader: Reader) -> Option<(Result<Bytes, Error>, Reader)> {
    let next = tokio::select! {
        next = timeout(PING_EVERY, reader.listener.next()) => next,
        close = &mut reader.ended => Ok(Err(close)),
    };
    let event = match next {
        Ok(Ok(frame)) => event(reader.listener.epoch(), &frame),
        Ok(Err(close)) => {
            reader.visit.end(close);
            return None;
        }
        Err(_quiet) => Bytes::from_static(b":\n\n"),
    };
    Some((Ok(event), reader))
}

/// One event. A frame is one line.
fn event(epoch: &Epoch, frame: &Frame) -> Bytes {
    format!("id: {epoch}:{}\ndata: {}\n\n", frame.seq, frame.text()).into()
}

/// `<epoch>:<seq>`; anything else was not ours and means no position.
fn last_event_id(req: &HttpRequest) -> Option<Position> {
    let id = req.headers().get("Last-Event-ID")?.to_str().ok()?;
    let (epoch, seq) = id.rsplit_once(':')?;
    Some(Position { epoch: Epoch(epoch.to_owned()), seq: seq.parse().ok()? })
}
