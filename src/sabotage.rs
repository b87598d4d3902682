//! Ways to break an invariant on purpose, so that tests can prove they would notice. Without the feature `sabotage`
//! every question here is answered `false` at compile time.

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
