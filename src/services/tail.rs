//! Every stored event of all tenants, in commit order, for operators: a page at a time, or waiting for the next one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::adapters::store::Store;
use crate::adapters::store::events::{PageSize, TailFilter};
use crate::domain::channel::Epoch;
use crate::domain::entry::Entry;
use crate::domain::error::Error;

/// Reads the tail.
#[derive(Clone, Debug)]
pub struct Tail {
    store: Store,
    epoch: Epoch,
    /// The id of the last committed row, sent by the writer after each commit; wakes those who wait.
    committed: watch::Receiver<i64>,
    /// Ends a wait early, so that a stopping server need not sit it out.
    stop: CancellationToken,
}

/// A page of the tail.
#[derive(Clone, Debug)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// All rows up to this id have been looked at: the next page begins after it.
    pub seen: i64,
    /// Nothing followed `seen` when it was read; only then is there something to wait for.
    pub at_end: bool,
}

/// Bytes of bodies on a page, plus at most one body more.
const PAGE_BYTES: i64 = 4 << 20;
/// How long one page may look for what its filter lets through. What was passed over is told by the cursor, so that the
/// next page goes on from there.
const SEARCH: Duration = Duration::from_secs(5);

impl Tail {
    pub fn new(store: Store, epoch: Epoch, committed: watch::Receiver<i64>, stop: CancellationToken) -> Self {
        Self { store, epoch, committed, stop }
    }

    /// At most `limit` rows after the row `after`; when there is none, waits for one up to `wait`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn read(&self, after: i64, filter: &TailFilter, limit: i64, wait: Duration) -> Result<Page, Error> {
        let deadline = Instant::now() + wait;
        let mut committed = self.committed.clone();
        let mut after = after;
        loop {
            committed.mark_unchanged();
            let page = self.page(after, filter, limit).await?;
            if !page.entries.is_empty() || wait.is_zero() || !page.at_end {
                return Ok(page);
            }
            after = page.seen;
            let woken = tokio::select! {
                changed = committed.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(deadline) => false,
                () = self.stop.cancelled() => false,
            };
            if !woken {
                return Ok(page);
            }
        }
    }

    async fn page(&self, after: i64, filter: &TailFilter, limit: i64) -> Result<Page, Error> {
        let until = Instant::now() + SEARCH;
        let mut page = Page { entries: Vec::new(), seen: after, at_end: false };
        let mut room = PageSize { rows: limit, bytes: PAGE_BYTES };
        while room.rows > 0 && room.bytes > 0 && !page.at_end && Instant::now() < until {
            let read = self.store.entries_after(page.seen, filter, room).await?;
            for entry in &read.entries {
                room.rows -= 1;
                room.bytes = room.bytes.saturating_sub_unsigned(entry.body.len() as u64);
            }
            page.entries.extend(read.entries);
            (page.seen, page.at_end) = (read.seen, read.at_end);
        }
        Ok(page)
    }

    /// The opaque form of a row's place.
    pub fn cursor(&self, id: i64) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{id}", self.epoch))
    }

    /// The row a cursor names.
    ///
    /// # Errors
    /// [`Error::BadInput`] when it is none, or of another epoch: whoever follows must begin anew.
    pub fn place(&self, cursor: &str) -> Result<i64, Error> {
        let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (epoch, id) = text
            .as_deref()
            .and_then(|text| text.rsplit_once(':'))
            .and_then(|(epoch, id)| Some((epoch, id.parse().ok()?)))
            .ok_or_else(|| Error::bad_input("after", "is not a cursor of this list"))?;
        if epoch == self.epoch.0 {
            Ok(id)
        } else {
            Err(Error::bad_input("after", "is of another epoch: the history changed, begin anew"))
        }
    }
}
