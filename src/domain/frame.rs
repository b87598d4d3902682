//! From a log row to the JSON text that sockets get (INTERFACE §4): a pure function, the only one.

use bytestring::ByteString;

use super::entry::Entry;
use super::instance::Qr;
use super::time::Millis;

/// The part of a frame that is the same on every channel.
#[derive(Clone, Debug)]
pub struct Body {
    /// `message`, `status`, `qrcode`, …
    pub kind: String,
    /// The `data` member, encoded.
    pub data: String,
}

/// Renders `data`. `qr` is the code now in the instance's row; it is shown only if it is the one this entry announced
/// and still valid at `now`.
pub fn body(entry: &Entry, qr: Option<&Qr>, now: Millis) -> Body {
    let _ = (entry, qr, now);
    Body { kind: String::new(), data: String::new() }
}

/// The whole frame for one channel.
pub fn text(entry: &Entry, seq: i64, body: &Body) -> ByteString {
    let _ = (entry, seq, body);
    ByteString::new()
}
