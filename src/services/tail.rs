//! Every stored event of all tenants, in commit order, for operators: a page at a time, or waiting for the next one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::adapters::store::Store;
use crate::adapters::store::events::TailFilter;
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
}

/// Rows of one read; a page is made of several while it is small, so that rows with pictures do not add up.
const READ_ROWS: i64 = 25;
const PAGE_BYTES: usize = 4 << 20;

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
            if !page.entries.is_empty() || wait.is_zero() {
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
        // Read before the rows: everything up to it will have been looked at when they end early.
        let head = self.store.last_entry_id().await?;
        let (mut entries, mut seen, mut bytes) = (Vec::new(), after, 0);
        loop {
            let room = limit - i64::try_from(entries.len()).unwrap_or(limit);
            if room <= 0 || bytes > PAGE_BYTES {
                return Ok(Page { entries, seen });
            }
            let asked = room.min(READ_ROWS);
            let read = self.store.entries_after(seen, filter, asked).await?;
            let ended = i64::try_from(read.len()).is_ok_and(|rows| rows < asked);
            seen = read.last().map_or(seen, |entry| entry.id);
            bytes += read.iter().map(|entry| entry.body.len()).sum::<usize>();
            entries.extend(read);
            if ended {
                return Ok(Page { entries, seen: seen.max(head) });
            }
        }
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
