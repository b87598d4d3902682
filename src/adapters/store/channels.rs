//! What a listener needs at its start: where the channel stands and what it shows.

use std::collections::BTreeMap;

use sqlx::Row;

use super::Store;
use super::instances::{self, instance_columns};
use crate::domain::channel::Channel;
use crate::domain::error::Error;
use crate::domain::ids::UserId;
use crate::domain::instance::Instance;

/// A channel at one moment, read in one transaction.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The last number given; 0 when there is none.
    pub head: i64,
    /// The lowest number still kept; `head + 1` when none is.
    pub kept_from: i64,
    pub snapshot: Snapshot,
}

/// What `hello` shows.
#[derive(Clone, Debug)]
pub enum Snapshot {
    User(Option<Box<Instance>>),
    /// At most 500, by session id, without the pictures of their codes.
    Org(Vec<Instance>),
    /// Instances per status.
    Admin(BTreeMap<String, i64>),
}

/// Instances shown in an organisation's `hello` (INTERFACE §4); the rest is read by `GET /api/instances`.
const ORG_SNAPSHOT: i64 = 500;

/// The last number given on `$channel`, a row of `channels`: what was written down when rows were dropped, or the number
/// of the last of its `$rows`.
macro_rules! head {
    ($channel:literal, $rows:literal, $seq:literal) => {
        concat!("MAX(", $channel, ".dropped_head, COALESCE((SELECT MAX(", $seq, ") FROM events WHERE ", $rows, "), 0))")
    };
}
pub(super) use head;

/// A channel's head and the lowest number kept.
macro_rules! position {
    ($rows:literal, $seq:literal, $channel:literal) => {
        concat!(
            "SELECT head, COALESCE((SELECT MIN(",
            $seq,
            ") FROM events WHERE ",
            $rows,
            "), head + 1) AS kept_from FROM (SELECT id, ",
            head!("c", $rows, $seq),
            " AS head FROM channels c WHERE kind = '",
            $channel,
            "' AND name = $1) c"
        )
    };
}

/// All of a user's opening at once: thousands of them may come back in one moment.
const USER: &str = concat!(
    "SELECT p.head, p.kept_from, i.* FROM (",
    position!("user_channel = c.id", "seq", "user"),
    ") p LEFT JOIN (",
    instance_columns!(),
    "user_id = $1) i"
);
const POSITION_ORG: &str = position!("org_channel = c.id", "org_seq", "org");
const POSITION_ADMIN: &str = position!("admin_seq IS NOT NULL", "admin_seq", "admin");

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn opening(&self, channel: &Channel) -> Result<Opening, Error> {
        let (position, name) = match channel {
            Channel::User(user) => return self.opening_of_user(user).await,
            Channel::Org(org) => (POSITION_ORG, org.as_str()),
            Channel::Admin => (POSITION_ADMIN, ""),
        };
        let mut tx = self.read.begin().await.map_err(|e| Error::store("opening a channel", e))?;
        let position: Option<(i64, i64)> =
            sqlx::query_as(position).bind(name).fetch_optional(&mut *tx).await.map_err(unread)?;
        let (head, kept_from) = position.unwrap_or(NOTHING_YET);
        let snapshot = match channel {
            Channel::Org(org) => Snapshot::Org(instances::page(&mut tx, Some(org), 0, ORG_SNAPSHOT, false).await?),
            Channel::User(_) | Channel::Admin => Snapshot::Admin(instances::totals(&mut tx, None).await?),
        };
        Ok(Opening { head, kept_from, snapshot })
    }

    async fn opening_of_user(&self, user: &UserId) -> Result<Opening, Error> {
        let row = sqlx::query(USER).bind(user.as_str()).fetch_optional(&self.read).await.map_err(unread)?;
        let Some(row) = row else {
            let (head, kept_from) = NOTHING_YET;
            return Ok(Opening { head, kept_from, snapshot: Snapshot::User(None) });
        };
        let instance = instances::in_row(&row)?;
        Ok(Opening {
            head: row.try_get("head").map_err(unread)?,
            kept_from: row.try_get("kept_from").map_err(unread)?,
            snapshot: Snapshot::User(instance.map(Box::new)),
        })
    }
}

/// The position on a channel that nobody has said anything on.
const NOTHING_YET: (i64, i64) = (0, 1);

fn unread(cause: sqlx::Error) -> Error {
    Error::store("reading a channel's head", cause)
}
