//! Ways to break an invariant on purpose, so that tests can prove they would notice. Without the feature `sabotage`
//! every question here is answered `false` at compile time, and [`SocketCount`] is nothing.

use crate::domain::frame::Frame;

/// An invariant to break, chosen by the variable `SABOTAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// `ack-before-commit`
    AckBeforeCommit,
    /// `no-dedupe`
    NoDedupe,
    /// `sequence-at-socket`
    SequenceAtSocket,
    /// `no-tenant-filter`
    NoTenantFilter,
}

/// Whether `what` is broken in this process.
#[cfg(not(feature = "sabotage"))]
#[inline]
pub const fn is(_what: Sabotage) -> bool {
    false
}

/// Whether `what` is broken in this process.
#[cfg(feature = "sabotage")]
pub fn is(what: Sabotage) -> bool {
    use std::sync::LazyLock;
    static CHOSEN: LazyLock<Option<Sabotage>> = LazyLock::new(|| match std::env::var("SABOTAGE").ok()?.as_str() {
        "ack-before-commit" => Some(Sabotage::AckBeforeCommit),
        "no-dedupe" => Some(Sabotage::NoDedupe),
        "sequence-at-socket" => Some(Sabotage::SequenceAtSocket),
        "no-tenant-filter" => Some(Sabotage::NoTenantFilter),
        _ => None,
    });
    *CHOSEN == Some(what)
}

/// One socket's own count of its frames, put in the place of the log's numbers: a fresh stream begins at 0, a recovered
/// one where it asked. Each socket by itself looks perfect.
#[derive(Debug, Default)]
pub struct SocketCount {
    #[cfg(feature = "sabotage")]
    last: i64,
}

impl SocketCount {
    #[cfg(not(feature = "sabotage"))]
    #[inline]
    pub fn renumber(&mut self, frame: Frame) -> Frame {
        frame
    }

    #[cfg(feature = "sabotage")]
    pub fn renumber(&mut self, frame: Frame) -> Frame {
        if !is(Sabotage::SequenceAtSocket) {
            return frame;
        }
        let Ok(mut json) = serde_json::from_str::<serde_json::Value>(frame.text()) else { return frame };
        self.last = match json["recovered"].as_bool() {
            Some(true) => json["seq"].as_i64().unwrap_or(0),
            Some(false) => 0,
            None => self.last + 1,
        };
        json["seq"] = self.last.into();
        let json = json.to_string();
        Frame::new(frame.seq, json.len(), |text| text.push_str(&json))
    }
}
