//! The numbers of zapgate's frames: each is one more than the one before, so that a frame that was lost or came twice
//! shows even where its event has no mark.

use anyhow::Context;
use serde::Deserialize;

/// What a client keeps to recover from: zapgate's `hello`, as far as that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    pub epoch: String,
    pub seq: u64,
    /// Whether everything after the position asked for follows.
    pub recovered: bool,
}

impl Position {
    pub fn of_hello(hello: &str) -> anyhow::Result<Self> {
        serde_json::from_str(hello).with_context(|| format!("no hello: {hello}"))
    }
}

/// How far one socket has come.
#[derive(Debug)]
pub struct Sequence {
    last: u64,
}

impl Sequence {
    /// The frames after that number.
    pub const fn after(seq: u64) -> Self {
        Self { last: seq }
    }

    /// Whether the frame is the next one, or has no number.
    pub fn continues(&mut self, frame: &[u8]) -> bool {
        let Some(seq) = number(frame) else { return true };
        let is_next = seq == self.last + 1;
        self.last = seq;
        is_next
    }
}

/// `seq` stands before all that others may have written.
fn number(frame: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"seq\":";
    let at = memchr::memmem::find(frame, NAME)? + NAME.len();
    let digits = frame[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_follows_the_one_before_and_the_first_follows_the_hello() {
        let hello = r#"{"type":"hello","epoch":"e","seq":4,"recovered":false,"data":{"instance":null}}"#;
        let mut sequence = Sequence::after(Position::of_hello(hello).unwrap().seq);
        let mut continues = |frame: &str| sequence.continues(frame.as_bytes());

        assert!(continues(r#"{"type":"message","seq":5,"at":"","data":{"text":"\"seq\":9"}}"#));
        assert!(continues(r#"{"type":"pong"}"#));
        assert!(continues(r#"{"type":"status","seq":6}"#));
        assert!(!continues(r#"{"type":"status","seq":6}"#));
        assert!(!continues(r#"{"type":"status","seq":8}"#));
        assert!(continues(r#"{"type":"status","seq":9}"#));
    }
}
