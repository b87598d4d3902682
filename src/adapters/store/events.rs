//! Reading the log.

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use crate::domain::channel::Channel;
use crate::domain::entry::Entry;
use crate::domain::error::{Cause, Error};
use crate::domain::event::EventName;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::time::Millis;

/// The columns of a whole row, with the names behind its channels.
macro_rules! entry_columns {
    () => {
        "SELECT e.id, u.name AS user_id, e.seq, o.name AS org_id, e.org_seq, e.admin_seq, e.instance_name, e.event, \
                e.at, e.emitted_at, e.late, e.folded, e.outcome, e.body \
         FROM events e JOIN channels u ON u.id = e.user_channel LEFT JOIN channels o ON o.id = e.org_channel "
    };
}

const ON_USER: &str = concat!(
    entry_columns!(),
    "WHERE e.user_channel = (SELECT id FROM channels WHERE kind = 'user' AND name = $1) AND e.seq > $2 \
     ORDER BY e.seq LIMIT $3"
);
const ON_ORG: &str = concat!(
    entry_columns!(),
    "WHERE e.org_channel = (SELECT id FROM channels WHERE kind = 'org' AND name = $1) AND e.org_seq > $2 \
     ORDER BY e.org_seq LIMIT $3"
);
const ON_ADMIN: &str = concat!(
    entry_columns!(),
    "WHERE $1 = '' AND e.admin_seq IS NOT NULL AND e.admin_seq > $2 ORDER BY e.admin_seq LIMIT $3"
);
const TAIL: &str = concat!(
    entry_columns!(),
    "WHERE e.id > $1 AND e.id <= $2 AND ($3 IS NULL OR e.instance_name = $3) AND ($4 IS NULL OR e.event = $4) \
     AND ($5 IS NULL OR u.name = $5) ORDER BY e.id LIMIT $6"
);
/// The last row of the next window: by rows, not by numbers, so that what retention dropped costs nothing.
const TAIL_WINDOW: &str = "SELECT MAX(id), COUNT(*) FROM (SELECT id FROM events WHERE id > $1 ORDER BY id LIMIT $2)";

/// Rows one read of the tail looks at, however few a filter lets through: no reader may pin the write-ahead log.
const WINDOW_ROWS: i64 = 1000;

/// What the tail of all events is narrowed to; `None` is everything.
#[derive(Clone, Debug, Default)]
pub struct TailFilter {
    pub instance: Option<String>,
    pub event: Option<String>,
    pub user: Option<String>,
}

impl TailFilter {
    /// Lets everything through.
    fn is_open(&self) -> bool {
        self.instance.is_none() && self.event.is_none() && self.user.is_none()
    }
}

/// What one read of the tail found.
#[derive(Clone, Debug)]
pub struct TailRead {
    pub entries: Vec<Entry>,
    /// All rows up to this id have been looked at.
    pub seen: i64,
    /// No row follows `seen`, as of this read.
    pub at_end: bool,
}

impl Store {
    /// Rows of `channel` after `after`, in order; at most `limit`, which callers keep at 500 or less so that no reader
    /// pins the write-ahead log.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entries_on(&self, channel: &Channel, after: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let (sql, name) = match channel {
            Channel::User(user) => (ON_USER, user.as_str()),
            Channel::Org(org) => (ON_ORG, org.as_str()),
            Channel::Admin => (ON_ADMIN, ""),
        };
        let rows: Vec<EntryRow> = sqlx::query_as(sql)
            .bind(name)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("reading a channel", e))?;
        rows.into_iter().map(Entry::try_from).collect()
    }

    /// Rows of all channels committed after `after`, in commit order: at most `limit`, and of a bounded stretch of the
    /// log, so that with a filter few or none may come although more follow.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entries_after(&self, after: i64, filter: &TailFilter, limit: i64) -> Result<TailRead, Error> {
        let failed = |e: sqlx::Error| Error::store("reading the tail", e);
        let window = if filter.is_open() { limit } else { WINDOW_ROWS };
        let (last, rows): (Option<i64>, i64) =
            sqlx::query_as(TAIL_WINDOW).bind(after).bind(window).fetch_one(&self.read).await.map_err(failed)?;
        let Some(last) = last else { return Ok(TailRead { entries: Vec::new(), seen: after, at_end: true }) };
        let found: Vec<EntryRow> = sqlx::query_as(TAIL)
            .bind(after)
            .bind(last)
            .bind(&filter.instance)
            .bind(&filter.event)
            .bind(&filter.user)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        let cut = i64::try_from(found.len()).is_ok_and(|found| found >= limit);
        let entries: Vec<Entry> = found.into_iter().map(Entry::try_from).collect::<Result<_, _>>()?;
        let seen = entries.last().filter(|_| cut).map_or(last, |entry| entry.id);
        Ok(TailRead { entries, seen, at_end: rows < window && seen == last })
    }

    /// The id of the newest row ever committed, also when retention has dropped it; 0 in a new store.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn last_entry_id(&self) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)")
            .fetch_one(&self.read)
            .await
            .map_err(|e| Error::store("reading the newest id", e))
    }
}

#[derive(FromRow)]
struct EntryRow {
    id: i64,
    user_id: String,
    seq: i64,
    org_id: Option<String>,
    org_seq: Option<i64>,
    admin_seq: Option<i64>,
    instance_name: String,
    event: String,
    at: i64,
    emitted_at: i64,
    late: bool,
    folded: i64,
    outcome: Option<String>,
    body: Vec<u8>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self, Error> {
        let broken = |e: Cause| Error::store("reading a log row", e);
        Ok(Self {
            id: row.id,
            user: UserId::named_by_admin(&row.user_id).map_err(|e| broken(e.into()))?,
            seq: row.seq,
            org: match row.org_id.zip(row.org_seq) {
                Some((org, seq)) => Some((OrgId::named_by_admin(&org).map_err(|e| broken(e.into()))?, seq)),
                None => None,
            },
            admin_seq: row.admin_seq,
            instance: InstanceName::parse(&row.instance_name).map_err(|e| broken(e.into()))?,
            event: EventName::dotted(&row.event),
            at: Millis(row.at),
            emitted_at: Millis(row.emitted_at),
            late: row.late,
            folded: row.folded,
            outcome: row.outcome.map(|json| serde_json::from_str(&json)).transpose().map_err(|e| broken(e.into()))?,
            body: Bytes::from(row.body),
        })
    }
}
