//! What must not be kept of a webhook, cut out of its bytes; all other bytes stay as they came (INTERFACE §3 "Removed
//! before anything is stored").

use std::ops::Range;

use bytes::Bytes;

use super::protocol::{self, Protocol};
use crate::domain::error::Error;
use crate::domain::json::{Json, Object};

/// Evolution's tokens in the envelope: the instance's, and in the error hook the global one (CONTRACT §1.2).
const TOKENS: [&str; 2] = ["apikey", "api_key"];
/// The parts of a QR code that can be scanned or typed.
const CODE_PARTS: [&str; 3] = ["base64", "code", "pairingCode"];

/// A piece of the body to be replaced.
type Cut = (Range<usize>, &'static str);

/// `body` without its secrets. `text` is the body, `envelope` was read from it.
///
/// # Errors
/// [`Error::Internal`] rather than a body from which something could not be cut.
pub(super) fn cut_out(body: &Bytes, text: &str, envelope: &Object<'_>, event: &str) -> Result<Bytes, Error> {
    let mut cuts = Cuts { text, list: Vec::new() };
    cuts.members(envelope, |name| TOKENS.contains(&name));
    for data in envelope.all("data") {
        match event {
            "messages.edited" | "send.message.update" => cuts.bare_protocol(event, data),
            "messages.upsert" | "send.message" | "messages.set" | "messages.update" => cuts.protocol_inside(data),
            "qrcode.updated" => cuts.codes(data),
            _ => {}
        }
    }
    cuts.applied(body)
}

struct Cuts<'a> {
    text: &'a str,
    list: Vec<Cut>,
}

impl Cuts<'_> {
    /// Cuts the members whose names `unwanted` picks.
    fn members(&mut self, object: &Object<'_>, unwanted: impl Fn(&str) -> bool) {
        let spans = object.spans_without(self.text, |member| member.name().is_some_and(|name| unwanted(&name)));
        self.list.extend(spans.into_iter().map(|span| (span, "")));
    }

    fn whole(&mut self, value: Json<'_>) {
        if !value.is_null() {
            self.list.push((value.span_in(self.text), "null"));
        }
    }

    /// Of a message with keys only the type stays.
    fn all_but_type(&mut self, message: Json<'_>) {
        let Some(members) = message.object() else { return self.whole(message) };
        let spans = members.spans_without(self.text, |member| {
            let value = member.value();
            !member.is_called("type") || value.is_object() || value.is_array()
        });
        self.list.extend(spans.into_iter().map(|span| (span, "")));
    }

    fn bare_protocol(&mut self, event: &str, data: Json<'_>) {
        for message in one_or_many(data) {
            if !message.is_object() || Protocol::of_event(event, message) == Some(Protocol::Secret) {
                self.all_but_type(message);
            }
        }
    }

    fn protocol_inside(&mut self, data: Json<'_>) {
        for entry in one_or_many(data).into_iter().filter_map(Json::object) {
            for message in protocol::inside(&entry) {
                if Protocol::of_message(message) == Protocol::Secret {
                    self.all_but_type(message);
                }
            }
        }
    }

    fn codes(&mut self, data: Json<'_>) {
        let Some(data) = data.object() else { return self.whole(data) };
        self.members(&data, |name| CODE_PARTS.contains(&name));
        for qrcode in data.all("qrcode") {
            match qrcode.object() {
                Some(parts) => self.members(&parts, |name| CODE_PARTS.contains(&name)),
                None => self.whole(qrcode),
            }
        }
    }

    fn applied(mut self, body: &Bytes) -> Result<Bytes, Error> {
        if self.list.is_empty() {
            return Ok(body.clone());
        }
        self.list.sort_unstable_by_key(|(span, _)| span.start);
        let mut kept = String::with_capacity(self.text.len());
        let mut from = 0;
        for (span, instead) in &self.list {
            kept.push_str(self.text.get(from..span.start).ok_or(MISPLACED)?);
            kept.push_str(instead);
            from = span.end;
        }
        kept.push_str(self.text.get(from..).ok_or(MISPLACED)?);
        Ok(kept.into())
    }
}

const MISPLACED: Error = Error::Internal("a secret could not be cut out of a webhook");

fn one_or_many(data: Json<'_>) -> Vec<Json<'_>> {
    if data.is_array() { data.elements() } else { vec![data] }
}
