//! The webhooks that are sent: a recorded one, made 2 KB long, with an id by which its frame is recognised.

use std::ops::Range;

use anyhow::Context;
use serde_json::Value;

/// What Evolution posted when a text arrived (Evolution 2.3.6).
const RECORDED: &str = include_str!("../../tests/data/evolution/webhooks/messages.upsert/text-conversation.json");
/// Length of a body, in bytes.
pub const BODY_BYTES: usize = 2048;
/// Begins every id, and nothing else in a frame.
const MARK: &[u8] = b"ZB";
const USER_DIGITS: usize = 5;
const NUMBER_DIGITS: usize = 9;
const ID_BYTES: usize = MARK.len() + USER_DIGITS + NUMBER_DIGITS;

/// One event of one user; numbers of a user rise by one from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub user: usize,
    pub number: usize,
}

impl Event {
    fn id(self) -> String {
        format!("{}{:0USER_DIGITS$}{:0NUMBER_DIGITS$}", "ZB", self.user, self.number)
    }

    /// The event that a frame is about; `None` for hellos, pings and the like.
    pub fn in_frame(frame: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(frame, MARK)? + MARK.len();
        let user = digits(frame.get(at..at + USER_DIGITS)?)?;
        let number = digits(frame.get(at + USER_DIGITS..at + USER_DIGITS + NUMBER_DIGITS)?)?;
        Some(Self { user, number })
    }
}

fn digits(text: &[u8]) -> Option<usize> {
    text.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0')))
}

pub fn user_id(user: usize) -> String {
    format!("bench{user}")
}

/// A user's webhook, ready to be sent: only its id changes.
#[derive(Debug)]
pub struct Template {
    bytes: Vec<u8>,
    id: Range<usize>,
    user: usize,
}

impl Template {
    /// An HTTP request whose head is made by `head` from the length of its body.
    pub fn new(user: usize, head: impl FnOnce(usize) -> String) -> anyhow::Result<Self> {
        let recorded: Value = serde_json::from_str(RECORDED)?;
        let mut body = recorded["request"]["body"].clone();
        body["instance"] = Value::from(format!("user_{}", user_id(user)));
        let id = Event { user, number: 0 }.id();
        body["data"]["key"]["id"] = Value::from(id.as_str());
        let missing = BODY_BYTES.checked_sub(body.to_string().len()).context("the recorded body is too long")?;
        let words = body["data"]["message"]["conversation"].as_str().context("it is no text")?;
        body["data"]["message"]["conversation"] = Value::from(format!("{words}{}", "x".repeat(missing)));
        let body = body.to_string();
        let bytes = format!("{}{body}", head(body.len())).into_bytes();
        let at = memchr::memmem::find(&bytes, id.as_bytes()).context("it has no id")?;
        Ok(Self { bytes, id: at..at + ID_BYTES, user })
    }

    /// The whole request.
    pub fn numbered(&mut self, number: usize) -> &[u8] {
        self.bytes[self.id.clone()].copy_from_slice(Event { user: self.user, number }.id().as_bytes());
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_again_in_whatever_carries_its_id() {
        let mut template = Template::new(7, |length| format!("{length}\r\n\r\n")).unwrap();

        let request = template.numbered(123_456).to_vec();

        assert!(request.starts_with(b"2048\r\n\r\n") && request.len() == 2048 + 8);
        assert_eq!(Event::in_frame(&request), Some(Event { user: 7, number: 123_456 }));
        assert_eq!(Event::in_frame(b"{\"type\":\"hello\"}"), None);
    }
}
