//! What an answer that is no success says: its error body comes in five forms (§6.1), and some in none.

use serde_json::Value;

use crate::domain::evolution::Failure;

/// Characters kept of Evolution's own words.
const MAX_WORDS: usize = 300;
/// Digits in a row that are taken for a phone number, and not repeated.
const MAX_DIGITS: usize = 6;

/// The body of a success.
pub(super) fn json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::NotEvolution("its answer is not JSON"))
}

/// Any other answer. `route` is named to people when the server does not know it.
pub(super) fn failure(status: u16, body: &[u8], route: &str) -> Failure {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let words = json.as_ref().map(words).unwrap_or_default();
    let has = |part: &str| words.contains(part);
    match status {
        300..=399 => Failure::Redirected,
        401 => Failure::KeyRefused,
        503 if is_unlicensed(json.as_ref()) => Failure::LicenceRequired,
        500.. => Failure::Down { status },
        _ if json.is_none() => Failure::NotEvolution("it answers with an error that is not Evolution's"),
        403 if has("already in use") => Failure::NameInUse,
        404 if has("Cannot ") => Failure::NoSuchRoute(route.to_owned()),
        404 if has("does not exist") || has("not found") => Failure::NoSuchInstance,
        400 if has("\"exists\":false") => Failure::NotOnWhatsApp,
        400 if has("is not connected") || has("undefined (reading 'id')") => Failure::NotConnected,
        400 if has("Connection Closed") => Failure::ConnectionClosed,
        400 if has("No sessions") => Failure::NoSignalSession,
        _ if words.is_empty() => Failure::Rejected(format!("status {status}")),
        _ => Failure::Rejected(shown(&words)),
    }
}

/// Evolution 2.4 until it is activated (§9).
fn is_unlicensed(body: Option<&Value>) -> bool {
    body.is_some_and(|body| body["code"] == "LICENSE_REQUIRED")
}

/// `response.message` in any of its forms, or `message` without the wrapper, or nothing.
fn words(body: &Value) -> String {
    let message = match &body["response"]["message"] {
        Value::Null => &body["message"],
        message => message,
    };
    let mut words = Vec::new();
    collect(message, &mut words);
    words.join("; ")
}

fn collect(message: &Value, words: &mut Vec<String>) {
    match message {
        Value::Null => {}
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        other => words.push(other.to_string()),
    }
}

/// For people: short, on one line, and without what looks like a number of somebody's.
fn shown(words: &str) -> String {
    let mut shown = String::new();
    let mut digits = 0;
    for c in words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS) {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        match digits {
            0..=MAX_DIGITS => shown.push(c),
            _ if !shown.ends_with('…') => shown.push('…'),
            _ => {}
        }
    }
    shown
}
