//! What must not be kept of a webhook, cut out of its bytes; all other bytes stay as they came (INTERFACE §3 "Removed
//! before anything is stored").

use std::ops::Range;

use bytes::Bytes;

use super::protocol::{self, Protocol};
use crate::domain::error::Error;
use crate::domain::json::{Json, Member, Object};
use crate::domain::masking::CODE_BEGINNINGS;

/// Evolution's tokens in the envelope: the instance's, and in the error hook the global one (CONTRACT §1.2).
const TOKENS: [&str; 2] = ["apikey", "api_key"];
/// The parts of a QR code that can be scanned or typed, and what holds them.
const CODE_PARTS: [&str; 4] = ["base64", "code", "pairingCode", "qrcode"];
/// All that is kept of a QR's `data`: no code hides in a form that nobody thought of.
const HARMLESS: [&str; 4] = ["instance", "message", "statusCode", "count"];

/// A piece of the body to be replaced.
type Cut = (Range<usize>, &'static str);

/// `body` without its secrets. `text` is the body, `envelope` was read from it.
///
/// # Errors
/// [`Error::Internal`] rather than a body from which something could not be cut.
pub(super) fn cut_out(body: &Bytes, text: &str, envelope: &Object<'_>, event: &str) -> Result<Bytes, Error> {
    let mut cuts = Cuts { text, list: Vec::new() };
    let is_qr = event.starts_with("qrcode.");
    cuts.members(envelope, |member| {
        let is_called = |name: &&str| member.is_called(name);
        TOKENS.iter().any(is_called) || (is_qr && CODE_PARTS.iter().any(is_called))
    });
    for data in envelope.all("data") {
        match event {
            _ if is_qr => cuts.codes(data),
            "messages.edited" | "send.message.update" => cuts.bare_protocol(event, data),
            _ => cuts.protocol_inside(data),
        }
    }
    cuts.applied(body)
}

struct Cuts<'a> {
    text: &'a str,
    list: Vec<Cut>,
}

impl Cuts<'_> {
    /// Cuts the members that `unwanted` picks.
    fn members<'o>(&mut self, object: &Object<'o>, unwanted: impl Fn(&Member<'o>) -> bool) {
        let spans = object.spans_without(self.text, unwanted);
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
        self.members(&members, |member| !member.is_called("type") || !is_scalar(member.value()));
    }

    fn bare_protocol(&mut self, event: &str, data: Json<'_>) {
        let messages = if data.is_array() { data.elements() } else { vec![data] };
        for message in messages {
            if !message.is_object() || Protocol::of_event(event, message) == Some(Protocol::Secret) {
                self.all_but_type(message);
            } else {
                self.protocol_inside(message);
            }
        }
    }

    fn protocol_inside(&mut self, data: Json<'_>) {
        for message in protocol::secrets_in(data) {
            self.all_but_type(message);
        }
    }

    fn codes(&mut self, data: Json<'_>) {
        let Some(data) = data.object() else { return self.whole(data) };
        self.members(&data, |member| !member.is_called("qrcode") && !is_harmless(member));
        for qrcode in data.all("qrcode") {
            match qrcode.object() {
                Some(parts) => self.members(&parts, |member| !is_harmless(member)),
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

/// Whether a member of a QR's `data` may be kept: by its name, and if it is no code by mistake.
fn is_harmless(member: &Member<'_>) -> bool {
    let value = member.value();
    let is_code =
        || value.text().is_none_or(|text| CODE_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)));
    HARMLESS.iter().any(|name| member.is_called(name)) && is_scalar(value) && !(value.is_string() && is_code())
}

fn is_scalar(value: Json<'_>) -> bool {
    !value.is_object() && !value.is_array()
}
