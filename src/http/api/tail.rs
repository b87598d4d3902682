//! `GET /api/events`: every stored event of all tenants, for operators and the inspector (INTERFACE §3 "Operations").

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::adapters::store::events::TailFilter;
use crate::domain::caller::Caller;
use crate::domain::entry::{Entry, Outcome};
use crate::domain::error::Error;
use crate::services::tail::Tail;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 200;
const MAX_WAIT_S: u64 = 30;

#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TailQuery {
    /// Continue after this cursor: an item's, or the last answer's `nextCursor`. Without it, from the oldest kept event.
    pub after: Option<String>,
    /// Seconds to wait for an event when there is none yet; at most 30, default 0.
    #[serde(default)]
    pub wait: u64,
    /// Items of one page; 1 to 200, default 100.
    pub limit: Option<i64>,
    /// Only of the instance of this name.
    pub instance: Option<String>,
    /// Only this event, in its dotted form.
    pub event: Option<String>,
    /// Only of this user.
    pub user: Option<String>,
}

/// A page of the tail.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailPage {
    pub items: Vec<TailItem>,
    /// Always given: polling goes on from here, also after an empty page.
    pub next_cursor: String,
}

/// One stored event.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailItem {
    pub cursor: String,
    pub instance_name: String,
    pub user_id: String,
    pub organization_id: Option<String>,
    /// Its number on the user's channel.
    pub seq: i64,
    pub event: String,
    /// When it was stored.
    pub at: String,
    /// When it happened at Evolution.
    pub emitted_at: String,
    /// Read back after an outage, or released from quarantine.
    pub late: bool,
    /// Repeats of a storm folded into it.
    pub folded: i64,
    /// What the gateway decided, if it was for it to decide.
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Outcome>,
    /// The received JSON less the secrets; for the gateway's own events the frame's `data`.
    #[schema(value_type = Object)]
    pub body: Option<Box<RawValue>>,
}

/// Never prints the body: it may be somebody's message.
impl fmt::Debug for TailItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TailItem").field("cursor", &self.cursor).field("event", &self.event).finish_non_exhaustive()
    }
}

/// Answers `query` for `caller`.
///
/// # Errors
/// [`Error::AdminOnly`], [`Error::BadInput`], [`Error::Store`].
pub async fn read(caller: &Caller, query: &TailQuery, tail: &Tail) -> Result<TailPage, Error> {
    caller.require_admin()?;
    let after = query.after.as_deref().map_or(Ok(0), |cursor| tail.place(cursor))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::bad_input("limit", "is not between 1 and 200"));
    }
    if query.wait > MAX_WAIT_S {
        return Err(Error::bad_input("wait", "is more than 30 seconds"));
    }
    let filter = TailFilter { instance: query.instance.clone(), event: query.event.clone(), user: query.user.clone() };
    let page = tail.read(after, &filter, limit, Duration::from_secs(query.wait)).await?;
    let items = page.entries.iter().map(|entry| item(entry, tail)).collect();
    Ok(TailPage { items, next_cursor: tail.cursor(page.seen) })
}

fn item(entry: &Entry, tail: &Tail) -> TailItem {
    TailItem {
        cursor: tail.cursor(entry.id),
        instance_name: entry.instance.to_string(),
        user_id: entry.user.to_string(),
        organization_id: entry.org.as_ref().map(|(org, _)| org.to_string()),
        seq: entry.seq,
        event: entry.event.to_string(),
        at: entry.at.to_string(),
        emitted_at: entry.emitted_at.to_string(),
        late: entry.late,
        folded: entry.folded,
        outcome: entry.outcome.clone(),
        body: serde_json::from_slice(&entry.body).ok(),
    }
}
