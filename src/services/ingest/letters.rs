//! Keeps what could not be processed, with the reason, for an operator to see and replay.

use sha2::{Digest, Sha256};
use tracing::warn;

use crate::adapters::store::Store;
use crate::adapters::store::aside::NewLetter;
use crate::domain::error::Error;
use crate::domain::ids::InstanceName;
use crate::domain::masking;
use crate::domain::time::Millis;

/// How much of an unusable body is kept.
pub const HEAD_BYTES: usize = 64 << 10;

/// Keeps the head of a body for `instance`, if that is known, that was refused because of `cause`. `size_bytes` is the whole body's size as far as known.
/// A letter that can't be kept is logged: the sender gets the answer to its own fault either way.
pub async fn keep(
    store: &Store,
    cause: &Error,
    path: &str,
    instance: Option<&InstanceName>,
    body: &[u8],
    size_bytes: usize,
    now: Millis,
) {
    let head = &body[..body.len().min(HEAD_BYTES)];
    let text = String::from_utf8_lossy(head);
    let letter = NewLetter {
        at: now,
        reason: cause.code(),
        detail: cause.to_string(),
        path: path.to_owned(),
        instance: instance.map(ToString::to_string),
        event: None,
        digest: Sha256::new().chain_update(cause.code()).chain_update(path).chain_update(head).finalize().into(),
        size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
        body: masking::mask(&text).into_owned(),
    };
    match store.keep_letter(&letter).await {
        Ok(true) => warn!(error.code = cause.code(), "a webhook went to the dead letters: {cause}"),
        Ok(false) => {}
        Err(e) => warn!("a dead letter could not be kept: {e}"),
    }
}
