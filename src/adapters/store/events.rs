//! Reading the log.

use bytes::Bytes;
use sqlx::FromRow;
use tracing::error;

use super::Store;
use crate::domain::channel::Channel;
use crate::domain::entry::{Entry, Outcome};
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

/// The last place of the next page: as many rows as have all but the last one's bytes below the budget, so that one row
/// always comes, however large. `LENGTH` reads the row's header, not the blob; only what is in the page is fetched.
/// A bare parameter as limit would make SQLite prepare the statement anew whenever it is bound.
macro_rules! page_end {
    ($place:literal, $rows:expr, $limit:literal, $budget:literal) => {
        concat!(
            "(SELECT MAX(place) FROM (SELECT place, SUM(size) OVER (ORDER BY place) - size AS before FROM (SELECT ",
            $place,
            " AS place, LENGTH(e.body) AS size ",
            $rows,
            "ORDER BY ",
            $place,
            " LIMIT 0 + ",
            $limit,
            ")) WHERE before < ",
            $budget,
            ") ORDER BY ",
            $place
        )
    };
}

macro_rules! channel_page {
    ($place:literal, $rows:expr) => {
        concat!(
            entry_columns!(),
            $rows,
            "AND ",
            $place,
            " <= ",
            page_end!($place, concat!("FROM events e ", $rows), "$3", "$4")
        )
    };
}

macro_rules! tail_rows {
    () => {
        "WHERE e.id > $1 AND e.id <= $2 AND ($3 IS NULL OR e.instance_name = $3) AND ($4 IS NULL OR e.event = $4) \
         AND ($5 IS NULL OR u.name = $5) "
    };
}

const ON_USER: &str = channel_page!(
    "e.seq",
    "WHERE e.user_channel = (SELECT id FROM channels WHERE kind = 'user' AND name = $1) AND e.seq > $2 "
);
const ON_ORG: &str = channel_page!(
    "e.org_seq",
    "WHERE e.org_channel = (SELECT id FROM channels WHERE kind = 'org' AND name = $1) AND e.org_seq > $2 "
);
const ON_ADMIN: &str = channel_page!("e.admin_seq", "WHERE $1 = '' AND e.admin_seq IS NOT NULL AND e.admin_seq > $2 ");
const TAIL: &str = concat!(
    entry_columns!(),
    tail_rows!(),
    "AND e.id <= ",
    page_end!("e.id", concat!("FROM events e JOIN channels u ON u.id = e.user_channel ", tail_rows!()), "$6", "$7")
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

/// How much one read may fetch: so many rows, and so many bytes of bodies plus at most one body more.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// 500 or less, so that no reader pins the write-ahead log.
    pub rows: i64,
    pub bytes: i64,
}

/// What one read of a channel found.
#[derive(Clone, Debug)]
pub struct ChannelRead {
    pub entries: Vec<Entry>,
    /// No row follows the last one, as of this read.
    pub at_end: bool,
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
    /// The next rows of `channel` after `after`, in order; none only when none follows.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entries_on(&self, channel: &Channel, after: i64, size: PageSize) -> Result<ChannelRead, Error> {
        let (sql, name) = match channel {
            Channel::User(user) => (ON_USER, user.as_str()),
            Channel::Org(org) => (ON_ORG, org.as_str()),
            Channel::Admin => (ON_ADMIN, ""),
        };
        let rows: Vec<EntryRow> = sqlx::query_as(sql)
            .bind(name)
            .bind(after)
            .bind(size.rows)
            .bind(size.bytes)
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("reading a channel", e))?;
        // A page that is full in neither way was not cut.
        let is_below = |count: usize, limit| i64::try_from(count).is_ok_and(|count| count < limit);
        let at_end =
            is_below(rows.len(), size.rows) && is_below(rows.iter().map(|row| row.body.len()).sum(), size.bytes);
        Ok(ChannelRead { entries: rows.into_iter().map(Entry::try_from).collect::<Result<_, _>>()?, at_end })
    }

    /// Rows of all channels committed after `after`, in commit order: a page of a bounded stretch of the log, so that
    /// with a filter few or none may come although more follow.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn entries_after(&self, after: i64, filter: &TailFilter, size: PageSize) -> Result<TailRead, Error> {
        let failed = |e: sqlx::Error| Error::store("reading the tail", e);
        let window = if filter.is_open() { size.rows } else { WINDOW_ROWS };
        let (last, rows): (Option<i64>, i64) =
            sqlx::query_as(TAIL_WINDOW).bind(after).bind(window).fetch_one(&self.read).await.map_err(failed)?;
        let Some(last) = last else { return Ok(TailRead { entries: Vec::new(), seen: after, at_end: true }) };
        let found: Vec<EntryRow> = sqlx::query_as(TAIL)
            .bind(after)
            .bind(last)
            .bind(&filter.instance)
            .bind(&filter.event)
            .bind(&filter.user)
            .bind(size.rows)
            .bind(size.bytes)
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        let entries: Vec<Entry> = found.into_iter().map(Entry::try_from).collect::<Result<_, _>>()?;
        // Whether rows were left out behind the last one is not known, so only an empty page passes the whole window.
        let seen = entries.last().map_or(last, |entry| entry.id);
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
            outcome: row.outcome.and_then(|json| outcome(&json, &row.instance_name)),
            body: Bytes::from(row.body),
        })
    }
}

/// One unreadable decision, such as a newer version's, must not keep its channel from being read for good.
fn outcome(json: &str, instance: &str) -> Option<Outcome> {
    serde_json::from_str(json)
        .inspect_err(|_| error!(instance.name = instance, "the outcome of a log row can't be read and is left out"))
        .ok()
}
