//! From a log row to the JSON text that sockets get (INTERFACE §4): a pure function, the only one. It never fails:
//! what a malformed webhook does not say is `null`.

mod data;
mod encoded;
mod kinds;
mod message;

use std::fmt::Write;

use memchr::memchr2;

use self::data::{Data, push_quoted};
pub use self::encoded::Frame;
pub use self::kinds::{goes_to_admin, goes_to_org, is_about_messages, is_qrcode, is_status};
use super::entry::Entry;
use super::event::EventName;
use super::instance::Qr;
use super::json::{Json, Object};
use super::time::Millis;
use super::webhook::protocol;

/// The part of a frame that is the same on every channel.
#[derive(Clone)]
pub struct Body {
    /// `message`, `status`, `qrcode`, …
    pub kind: String,
    /// The `data` member, encoded, on one line.
    pub data: String,
}

/// Never prints the data: it may be somebody's message.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("kind", &self.kind).field("data_bytes", &self.data.len()).finish()
    }
}

/// Renders `data`. `qr` is the code now in the instance's row; it is shown only if it is the one this entry announced
/// and still valid at `now`.
pub fn body(entry: &Entry, qr: Option<&Qr>, now: Millis) -> Body {
    let Body { kind, data } = as_written(entry, qr, now);
    Body { kind, data: on_one_line(data) }
}

/// Inside JSON texts line ends are always escaped: these stand between tokens.
fn on_one_line(data: String) -> String {
    match memchr2(b'\n', b'\r', data.as_bytes()) {
        Some(_) => data.replace(['\n', '\r'], " "),
        None => data,
    }
}

fn as_written(entry: &Entry, qr: Option<&Qr>, now: Millis) -> Body {
    let text = std::str::from_utf8(&entry.body).unwrap_or_default();
    if entry.event.is_gateways_own() {
        return Body { kind: kinds::kind_of(&entry.event, None).into_owned(), data: own_data(entry, text) };
    }
    let envelope = Object::parse(text).ok();
    let of = |name| envelope.as_ref().and_then(|envelope| envelope.get(name));
    let data = of("data");
    let kind = kinds::kind_of(&entry.event, data).into_owned();
    let data = if is_erased(envelope.as_ref()) {
        Data::of(&entry.instance).flag("erased", true).finish()
    } else {
        match kind.as_str() {
            "qrcode" => qrcode(entry, qr, now),
            "status" => status(entry),
            "message" => message::message(&entry.instance, data, of("sender")),
            "message.update" => message::update(&entry.instance, data),
            "message.edit" => message::edit(&entry.instance, data),
            "message.delete" => message::deletion(&entry.instance, data),
            "evolution.protocol" if is_about_messages(&entry.event) => protocol(entry, data),
            "presence" => presence(entry, data),
            "call" => call(entry, data),
            "history" => history(entry, data, of("isLatest"), of("progress")),
            _ => Data::of(&entry.instance).raw("data", data).finish(),
        }
    };
    Body { kind, data }
}

/// The whole frame for one channel, on one line (Server-Sent Events are made of lines).
pub fn encode(entry: &Entry, seq: i64, body: &Body) -> Frame {
    Frame::new(seq, body.data.len() + FRAME_AROUND_DATA, |text| {
        text.push_str("{\"type\":");
        push_quoted(text, &body.kind);
        // Writing to a string never fails.
        let _ = write!(text, ",\"seq\":{seq},\"at\":\"{}\",", entry.at);
        text.push_str(if entry.late { "\"late\":true,\"data\":" } else { "\"data\":" });
        text.push_str(&body.data);
        text.push('}');
    })
}

/// About what stands around a frame's `data`, in bytes.
const FRAME_AROUND_DATA: usize = 128;

/// An erased row stays as `{"type":"erased"}` (DESIGN "Storage"); a webhook always has an `event`.
fn is_erased(envelope: Option<&Object<'_>>) -> bool {
    envelope.is_some_and(|envelope| {
        envelope.get("event").is_none() && envelope.get("type").is_some_and(|kind| kind.raw() == "\"erased\"")
    })
}

/// The gateway's own entries carry their `data` ready.
fn own_data(entry: &Entry, text: &str) -> String {
    match Json::parse(text) {
        Some(json) if is_erased(json.object().as_ref()) => Data::of(&entry.instance).flag("erased", true).finish(),
        Some(json) if json.is_object() => json.raw().to_owned(),
        _ if entry.event.as_str() == EventName::STATUS => status(entry),
        _ => Data::of(&entry.instance).finish(),
    }
}

fn status(entry: &Entry) -> String {
    let view = entry.outcome.as_ref().map(|outcome| &outcome.view);
    Data::of(&entry.instance)
        .text("status", view.map(|view| view.status.as_str()))
        .flag("isConnected", view.is_some_and(|view| view.is_connected))
        .text("phoneNumber", view.and_then(|view| view.phone_number.as_deref()))
        .text("reason", view.and_then(|view| view.reason.as_deref()))
        .finish()
}

fn qrcode(entry: &Entry, qr: Option<&Qr>, now: Millis) -> String {
    let mark = entry.outcome.as_ref().and_then(|outcome| outcome.qr.as_ref());
    let shown = qr.filter(|qr| mark.is_some_and(|mark| mark.hash == qr.hash) && qr.valid_at(now));
    let expires_at = mark.map(|mark| mark.expires_at.to_string());
    let data = Data::of(&entry.instance)
        .text("qrCode", shown.and_then(|qr| qr.image.as_deref()))
        .text("pairingCode", shown.and_then(|qr| qr.pairing_code.as_deref()))
        .number("count", mark.map(|mark| mark.count.into()))
        .text("expiresAt", expires_at.as_deref())
        .text("status", entry.outcome.as_ref().map(|outcome| outcome.view.status.as_str()))
        .text("code", shown.and_then(|qr| qr.code.as_deref()));
    if shown.is_some() { data.finish() } else { data.flag("expired", true).finish() }
}

/// Of a message that may carry keys only its type is told.
fn protocol(entry: &Entry, data: Option<Json<'_>>) -> String {
    let message = data.and_then(protocol::secret_inside).or(data);
    let kind = message.and_then(|message| message.get("type"));
    Data::of(&entry.instance).raw("type", kind.filter(|kind| !kind.is_object() && !kind.is_array())).finish()
}

fn presence(entry: &Entry, data: Option<Json<'_>>) -> String {
    let of = |name| data.and_then(|data| data.get(name));
    Data::of(&entry.instance)
        .string("chatId", of("id"))
        .raw("presences", of("presences").filter(|presences| presences.is_object()))
        .finish()
}

fn call(entry: &Entry, data: Option<Json<'_>>) -> String {
    let data = data.and_then(Json::object);
    let of = |name| data.as_ref().and_then(|data| data.get(name));
    let is = |name| of(name).is_some_and(Json::is_true);
    Data::of(&entry.instance)
        .string("id", of("id"))
        .string("chatId", of("chatId").or_else(|| of("from")))
        .string("from", of("from"))
        .string("status", of("status"))
        .flag("isVideo", is("isVideo"))
        .flag("isGroup", is("isGroup"))
        .string("timestamp", of("date"))
        .finish()
}

/// One chunk of the history; from 2.3.7 on the envelope says how far it is (CONTRACT §9).
fn history(entry: &Entry, data: Option<Json<'_>>, is_latest: Option<Json<'_>>, progress: Option<Json<'_>>) -> String {
    let messages = data.filter(|data| data.is_array()).or_else(|| data?.get("messages"));
    let count = messages.map_or(0, |messages| messages.elements().len() as u64);
    let is_scalar = |value: &Json<'_>| !value.is_object() && !value.is_array();
    Data::of(&entry.instance)
        .number("count", Some(count))
        .raw("isLatest", is_latest.filter(is_scalar))
        .raw("progress", progress.filter(is_scalar))
        .finish()
}

#[cfg(test)]
mod tests;
