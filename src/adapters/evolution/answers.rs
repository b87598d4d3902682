//! What an answer that is no success says: its error body comes in five forms (§6.1), and some in none.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::evolution::Failure;

/// Characters kept of Evolution's own words.
const MAX_WORDS: usize = 300;
/// More digits in a row are taken for a phone's number, of which nothing is repeated.
const MAX_DIGITS: usize = 6;

/// The body of a success.
pub(super) fn json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::NotEvolution("its answer is not JSON"))
}

/// Any other answer. `route` is named to people when the server does not know it.
pub(super) fn failure(status: u16, body: &[u8], route: &str) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = Said::of(&body);
    match status {
        300..=399 => Failure::Redirected,
        // Evolution 2.4 until it is activated (§9).
        _ if body["code"] == "LICENSE_REQUIRED" => Failure::LicenceRequired,
        500.. => Failure::Down { status },
        _ if !body.is_object() => Failure::NotEvolution("it answers with an error that is not Evolution's"),
        401 => Failure::KeyRefused,
        403 if said.has("already in use") => Failure::NameInUse,
        404 if said.begins("Cannot ") => Failure::NoSuchRoute(route.to_owned()),
        404 if said.names_no_instance() => Failure::NoSuchInstance,
        // Its own always say what was not found.
        404 if said.texts.is_empty() => Failure::NotEvolution("it does not know the route, and is not Evolution"),
        400 if said.is_not_on_whatsapp => Failure::NotOnWhatsApp,
        400 if said.has("is not connected") || said.has("(reading 'id')") => Failure::NotConnected,
        400 if said.has("Connection Closed") => Failure::ConnectionClosed,
        400 if said.has("No sessions") => Failure::NoSignalSession,
        _ if said.texts.is_empty() => Failure::Rejected(format!("status {status}")),
        _ => Failure::Rejected(shown(&said.texts.join("; "))),
    }
}

/// `response.message` in any of its forms, or `message` without the wrapper, or nothing.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<Cow<'a, str>>,
    /// `{jid, exists: false, number}` was among them.
    is_not_on_whatsapp: bool,
}

impl<'a> Said<'a> {
    fn of(body: &'a Value) -> Self {
        let mut said = Self::default();
        match &body["response"]["message"] {
            Value::Null => said.collect(&body["message"]),
            message => said.collect(message),
        }
        said
    }

    fn collect(&mut self, message: &'a Value) {
        match message {
            Value::Null => {}
            Value::String(text) => self.texts.push(Cow::Borrowed(text)),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            other => {
                self.is_not_on_whatsapp |= other["exists"] == Value::Bool(false);
                self.texts.push(Cow::Owned(other.to_string()));
            }
        }
    }

    fn has(&self, part: &str) -> bool {
        self.texts.iter().any(|text| text.contains(part))
    }

    fn begins(&self, with: &str) -> bool {
        self.texts.iter().any(|text| text.starts_with(with))
    }

    /// `The "x" instance does not exist`, `Instance "x" not found`. Any other program's "not found" would have us take
    /// an instance for gone.
    fn names_no_instance(&self) -> bool {
        self.texts.iter().any(|text| {
            text.starts_with("The \"") && text.ends_with("instance does not exist")
                || text.starts_with("Instance") && text.ends_with("not found")
        })
    }
}

/// For people: short, on one line, and without what looks like a number of somebody's.
fn shown(words: &str) -> String {
    let words: Vec<char> = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let runs = words.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit());
    let masked = runs.flat_map(|run| if run.len() > MAX_DIGITS { &['…'] } else { run });
    masked.take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_is_short_on_one_line_and_has_no_number(words in "[a-z0-9+ \\n()]{0,400}|[0-9]{0,400}|\\PC{0,400}") {
            let shown = shown(&words);

            let longest = shown.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            prop_assert!(longest <= Some(MAX_DIGITS) && shown.chars().count() <= MAX_WORDS);
            prop_assert!(!shown.contains(char::is_control));
        }

        #[test]
        fn no_answer_is_too_odd_to_be_read(status in 300_u16..600, body in "[{}\\[\\]\",:a-z0-9]{0,60}|\\PC{0,60}") {
            failure(status, body.as_bytes(), "instance/connect");
        }
    }
}
