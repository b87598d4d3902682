//! What a client says: little, and held to little.

use std::time::Duration;

use actix_http::ws::Frame;
use actix_ws::{CloseCode, Item, Message};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Ended, MAX_FRAME_BYTES};
use crate::domain::close::Close;

/// Client frames of any kind in one second.
const MAX_FRAMES_PER_S: u32 = 20;

/// Judges one client's frames.
#[derive(Debug)]
pub(super) struct Heard {
    last: Instant,
    second_began: Instant,
    frames: u32,
    /// A message that comes in fragments, so far.
    fragments: BytesMut,
}

impl Heard {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, second_began: now, frames: 0, fragments: BytesMut::new() }
    }

    /// When the client last gave a sign of itself.
    pub(super) fn last(&self) -> Instant {
        self.last
    }

    /// What to answer, if anything.
    ///
    /// # Errors
    /// Why the socket ends: the client says so, or it said too much.
    pub(super) fn take(&mut self, frame: Frame, now: Instant) -> Result<Option<Message>, Ended> {
        self.last = now;
        if now.duration_since(self.second_began) >= Duration::from_secs(1) {
            (self.second_began, self.frames) = (now, 0);
        }
        self.frames += 1;
        if self.frames > MAX_FRAMES_PER_S {
            return Err(Ended::Closed(Close::POLICY));
        }
        match frame {
            Frame::Text(text) if str::from_utf8(&text).is_err() => Err(Ended::Closed(Close::POLICY)),
            Frame::Text(text) => Ok(answer(&text)),
            Frame::Continuation(item) => Ok(self.assemble(item)?.and_then(|whole| answer(&whole))),
            Frame::Ping(payload) => Ok(Some(Message::Pong(payload))),
            Frame::Close(said) => Err(Ended::Left(said.unwrap_or_else(|| CloseCode::Normal.into()))),
            Frame::Binary(_) | Frame::Pong(_) => Ok(None),
        }
    }

    fn assemble(&mut self, item: Item) -> Result<Option<Bytes>, Ended> {
        let (fragment, last) = match item {
            Item::FirstText(bytes) | Item::FirstBinary(bytes) => {
                self.fragments.clear();
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        if self.fragments.len() + fragment.len() > MAX_FRAME_BYTES {
            return Err(Ended::Closed(Close::POLICY));
        }
        self.fragments.extend_from_slice(&fragment);
        Ok(last.then(|| self.fragments.split().freeze()))
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
}

/// Only a ping is answered; anything else is ignored.
fn answer(text: &[u8]) -> Option<Message> {
    let said: Said = serde_json::from_slice(text).ok()?;
    (said.kind == "ping").then(|| Message::Text(r#"{"type":"pong"}"#.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Frame {
        Frame::Text(text.into())
    }

    #[test]
    fn a_ping_is_answered_and_other_texts_are_ignored() {
        let now = Instant::now();
        let mut heard = Heard::new(now);

        let pong = Some(Message::Text(r#"{"type":"pong"}"#.into()));
        assert_eq!(heard.take(text(r#"{"type":"ping"}"#), now).unwrap(), pong);
        assert_eq!(heard.take(Frame::Continuation(Item::FirstText(r#"{"type":"#.into())), now).unwrap(), None);
        assert_eq!(heard.take(Frame::Continuation(Item::Last(r#""ping"}"#.into())), now).unwrap(), pong);
        for ignored in ["hello", r#"{"type":"subscribe"}"#, "[]", ""] {
            assert_eq!(heard.take(text(ignored), now).unwrap(), None);
        }
    }

    #[test]
    fn a_text_that_is_none_ends_the_socket() {
        let now = Instant::now();
        let latin1 = Frame::Text(Bytes::from_static(b"ol\xE1"));

        assert_eq!(Heard::new(now).take(latin1, now).unwrap_err(), Ended::Closed(Close::POLICY));
    }

    #[test]
    fn the_twenty_first_frame_of_a_second_ends_the_socket() {
        let now = Instant::now();
        let mut heard = Heard::new(now);
        for _ in 0..20 {
            heard.take(text("x"), now).unwrap();
        }

        assert_eq!(heard.take(text("x"), now).unwrap_err(), Ended::Closed(Close::POLICY));
    }

    #[test]
    fn a_new_second_allows_twenty_more() {
        let now = Instant::now();
        let mut heard = Heard::new(now);
        for second in 0..3 {
            for _ in 0..20 {
                heard.take(text("x"), now + Duration::from_secs(second)).unwrap();
            }
        }
    }

    #[test]
    fn fragments_are_held_to_the_size_of_one_frame() {
        let now = Instant::now();
        let mut heard = Heard::new(now);
        let half = Bytes::from(vec![b'x'; MAX_FRAME_BYTES / 2 + 1]);
        heard.take(Frame::Continuation(Item::FirstText(half.clone())), now).unwrap();

        assert_eq!(
            heard.take(Frame::Continuation(Item::Continue(half)), now).unwrap_err(),
            Ended::Closed(Close::POLICY)
        );
    }
}
