//! A user's webhooks as whole HTTP requests, ready to be sent but for what changes from one to the next.

use std::ops::Range;
use std::time::Instant;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::Value;

use crate::contestant::Contestant;
use crate::event::{Event, user_id};
use crate::recording::{EVERY_KIND, Recording, TEXT};

/// Length of the body of a text, in bytes.
const BODY_BYTES: usize = 2048;

/// One webhook of one user.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    /// Where its mark stands, if its frame will have one.
    mark: Option<Range<usize>>,
    date_time: Range<usize>,
    /// Length of the head.
    head: usize,
    user: usize,
}

impl Template {
    /// The text, made 2 KB long.
    fn text(contestant: Contestant, user: usize) -> anyhow::Result<Self> {
        let mut body = TEXT.body(&instance(user), &first_mark(user))?;
        let missing = BODY_BYTES.checked_sub(body.to_string().len()).context("the recorded body is too long")?;
        let words = body["data"]["message"]["conversation"].as_str().context("it is no text")?;
        body["data"]["message"]["conversation"] = Value::from(format!("{words}{}", "x".repeat(missing)));
        Self::new(contestant, user, &body)
    }

    fn recorded(contestant: Contestant, user: usize, recording: Recording) -> anyhow::Result<Self> {
        Self::new(contestant, user, &recording.body(&instance(user), &first_mark(user))?)
    }

    fn new(contestant: Contestant, user: usize, body: &Value) -> anyhow::Result<Self> {
        let date_time = body["date_time"].as_str().context("it has no time")?;
        let body = body.to_string();
        let head = contestant.webhook_head(user, body.len(), Timestamp::now())?;
        let bytes = format!("{head}{body}").into_bytes();
        let place = |text: &str| memchr::memmem::rfind(&bytes, text.as_bytes()).map(|at| at..at + text.len());
        let date_time = place(date_time).context("its time is written otherwise")?;
        let mark = place(&first_mark(user));
        Ok(Self { mark, date_time, head: head.len(), user, bytes })
    }

    /// Gives it the number, if it has a mark.
    fn number(&mut self, number: usize) {
        if let Some(mark) = self.mark.clone() {
            self.bytes[mark].copy_from_slice(Event { user: self.user, number }.mark().as_bytes());
        }
    }

    /// Lets it have happened, and be signed, at that time.
    fn renew(&mut self, contestant: Contestant, at: Timestamp) -> anyhow::Result<()> {
        let head = contestant.webhook_head(self.user, self.bytes.len() - self.head, at)?;
        ensure!(head.len() == self.head, "the proof has another length");
        self.bytes[..self.head].copy_from_slice(head.as_bytes());
        self.bytes[self.date_time.clone()].copy_from_slice(format!("{at:.3}").as_bytes());
        Ok(())
    }
}

fn instance(user: usize) -> String {
    format!("user_{}", user_id(user))
}

fn first_mark(user: usize) -> String {
    Event { user, number: 0 }.mark()
}

/// Which webhooks are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// Texts of 2 KB.
    Texts,
    /// Every kind in turn.
    Every,
}

/// The webhooks of one user, one after the other.
#[derive(Debug)]
pub struct Series {
    contestant: Contestant,
    templates: Vec<Template>,
    next: usize,
}

impl Series {
    pub fn new(contestant: Contestant, user: usize, kinds: Kinds) -> anyhow::Result<Self> {
        let recorded = |recording| Template::recorded(contestant, user, recording);
        let templates = match kinds {
            Kinds::Texts => vec![Template::text(contestant, user)?],
            Kinds::Every => EVERY_KIND.into_iter().map(recorded).collect::<anyhow::Result<_>>()?,
        };
        // Each user begins elsewhere, or all would get a code at once.
        let next = user % templates.len();
        Ok(Self { contestant, templates, next })
    }

    /// The next request. `number` is asked for its number when its frame will be recognised by it. Of several kinds each
    /// happens when it is due: what tells where a connection stands is ordered by that.
    pub fn next(&mut self, due: Instant, number: impl FnOnce() -> usize) -> anyhow::Result<&[u8]> {
        let kinds = self.templates.len();
        let template = &mut self.templates[self.next];
        self.next = (self.next + 1) % kinds;
        if kinds > 1 {
            template.renew(self.contestant, Timestamp::now() - jiff::SignedDuration::try_from(due.elapsed())?)?;
        }
        if template.mark.is_some() {
            template.number(number());
        }
        Ok(&template.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &[u8]) -> &[u8] {
        let at = memchr::memmem::find(request, b"\r\n\r\n").unwrap();
        &request[at + 4..]
    }

    #[test]
    fn a_text_is_2_kb_long_and_has_its_number() {
        let mut texts = Series::new(Contestant::Zapgate, 7, Kinds::Texts).unwrap();

        for number in [0, 123_456] {
            let request = texts.next(Instant::now(), || number).unwrap();
            assert_eq!(Event::in_frame(request), Some(Event { user: 7, number }));
            assert_eq!(body(request).len(), 2048);
        }
    }

    #[test]
    fn events_of_every_kind_differ_from_one_round_to_the_next() {
        let mut series = Series::new(Contestant::Zapgate, 3, Kinds::Every).unwrap();
        let mut numbers = 0..;
        let mut round = || -> Vec<Value> {
            let parsed =
                |_| serde_json::from_slice(body(series.next(Instant::now(), || numbers.next().unwrap()).unwrap()));
            (0..EVERY_KIND.len()).map(parsed).collect::<Result<_, _>>().unwrap()
        };

        let first = round();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = round();

        assert_eq!(first[0]["event"], "connection.update");
        for (one, other) in first.iter().zip(&second) {
            assert_eq!((&one["event"], &one["instance"]), (&other["event"], &Value::from("user_bench3")));
            assert!(one["date_time"].as_str().unwrap() < other["date_time"].as_str().unwrap());
        }
    }

    #[test]
    fn a_floor_is_sent_the_same_bodies() {
        let mut peers = Series::new(Contestant::Relay, 0, Kinds::Every).unwrap();
        assert!(body(peers.next(Instant::now(), || 0).unwrap()).starts_with(b"{\"event\":\"instance.create\""));
    }
}
