//! `zapgate openapi`.

use super::{Failure, say};

pub(super) fn run() -> Result<(), Failure> {
    say(&crate::http::openapi_document(None)?);
    Ok(())
}
