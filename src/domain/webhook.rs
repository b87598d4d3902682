//! A webhook from its bytes to what the gateway keeps and knows of it.

mod identity;
mod meaning;
pub mod protocol;
mod secrets;

use bytes::Bytes;
use serde_json::error::Category;

use super::error::Error;
use super::event::EventName;
use super::ids::InstanceName;
use super::json::{self, Json, Object};
use super::lifecycle::Input;
use super::time::Millis;

/// An authentic webhook, understood and freed of secrets.
#[derive(Clone)]
pub struct Webhook {
    pub instance: InstanceName,
    pub event: EventName,
    /// The received bytes less the secrets, and for a QR less the code.
    pub body: Bytes,
    pub identity: Identity,
    pub emission: Emission,
    /// What it means to the instance's life, if anything.
    pub input: Option<Input>,
    /// The code it shows, if it is a QR.
    pub qr: Option<ShownCode>,
}

/// Never prints the body or what it says: it may be somebody's message or number.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("instance", &self.instance)
            .field("event", &self.event)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// By what a re-delivery is recognised (DESIGN "Dedupe by meaning").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// First 16 bytes of a SHA-256 over what makes the event itself.
    pub key: [u8; 16],
    pub keep: Keep,
    /// Hash of `data`: a duplicate with another one is counted apart and shown.
    pub content: u64,
}

/// How long an identity is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As long as the log row.
    WithEntry,
    /// 48 hours.
    TwoDays,
}

/// What an event says of its own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emission {
    /// The proof's `iat`: true UTC, whole seconds.
    pub issued_at: Option<Millis>,
    /// `date_time`: milliseconds, but Evolution's local time labelled `Z`.
    pub date_time: Option<Millis>,
}

/// The secret part of a `qrcode.updated`.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownCode {
    pub hash: String,
    pub image: Option<String>,
    pub code: Option<String>,
    pub pairing_code: Option<String>,
}

/// Never prints the code: whoever reads it can take the account.
impl std::fmt::Debug for ShownCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownCode").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Reads a webhook. `expected` is the instance the path names, if it does; `issued_at` the proof's `iat`.
///
/// # Errors
/// [`Error::NotJson`], [`Error::NoEvent`], [`Error::NoInstance`], [`Error::BadInput`] for an impossible name, and
/// [`Error::InstanceMismatch`] when path and body disagree. None of them quotes the body.
pub fn parse(body: &Bytes, expected: Option<&InstanceName>, issued_at: Option<Millis>) -> Result<Webhook, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::NotJson("it is not UTF-8".into()))?;
    let envelope = Object::parse(text).map_err(|fault| not_json(&fault))?;
    let instance = instance(envelope.get("instance"), expected)?;
    let event = envelope.get("event").and_then(Json::text).and_then(|name| EventName::parse(&name));
    let event = event.ok_or(Error::NoEvent)?;
    let data = envelope.get("data");
    let date_time = envelope.get("date_time").and_then(Json::text).unwrap_or_default();

    let qr = meaning::shown_code(event.as_str(), data);
    Ok(Webhook {
        body: secrets::cut_out(body, text, &envelope, event.as_str())?,
        identity: identity::of(&instance, &event, &date_time, data),
        emission: Emission { issued_at, date_time: Millis::parse_rfc3339(&date_time) },
        input: meaning::of(event.as_str(), data, qr.as_ref()),
        qr,
        instance,
        event,
    })
}

/// The instance that a body names as far as it goes, be it broken or cut off, without keeping the rest: for a proof that
/// depends on it, so the body may be anybody's.
pub fn named_instance(body: &[u8]) -> Option<InstanceName> {
    let text = body.utf8_chunks().next()?.valid();
    instance(json::last_member(text, "instance"), None).ok()
}

/// The instance both path and body mean. The body's `member` names it as a string or as `{"instanceName":…}`.
fn instance(member: Option<Json<'_>>, expected: Option<&InstanceName>) -> Result<InstanceName, Error> {
    let member = member.filter(|member| !member.is_null());
    let named = member.and_then(|member| member.get("instanceName").or(Some(member)));
    let named = named.filter(|name| name.is_string() && name.raw() != "\"\"");
    match (named, expected) {
        (None, None) => Err(Error::NoInstance),
        (None, Some(expected)) => Ok(expected.clone()),
        (Some(name), Some(expected)) => {
            let same = name.text().is_some_and(|name| name == expected.as_str());
            if same { Ok(expected.clone()) } else { Err(Error::InstanceMismatch) }
        }
        (Some(name), None) => {
            let name = name.text().ok_or_else(|| Error::bad_input("instance", "is not Unicode"))?;
            InstanceName::parse(&name)
        }
    }
}

/// Says where, never what: `serde_json`'s own words may quote the body.
fn not_json(fault: &serde_json::Error) -> Error {
    let (line, column) = (fault.line(), fault.column());
    Error::NotJson(match fault.classify() {
        Category::Data => "it is not an object".into(),
        Category::Eof => "it ends too early".into(),
        Category::Syntax | Category::Io => format!("syntax error at line {line} column {column}"),
    })
}

#[cfg(test)]
mod tests;
