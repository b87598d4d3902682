//! What a listener needs at its start: where the channel stands and what it shows.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::{Store, instances};
use crate::domain::channel::Channel;
use crate::domain::error::Error;
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

/// A channel's head and the lowest number kept. The head is what was written down when rows were dropped, or the last
/// row's number.
macro_rules! position {
    ($rows:literal, $seq:literal, $channel:literal) => {
        concat!(
            "SELECT head, COALESCE((SELECT MIN(",
            $seq,
            ") FROM events WHERE ",
            $rows,
            "), head + 1) FROM \
             (SELECT id, MAX(dropped_head, COALESCE((SELECT MAX(",
            $seq,
            ") FROM events WHERE ",
            $rows,
            "), 0)) AS head \
             FROM channels c WHERE kind = '",
            $channel,
            "' AND name = $1) c"
        )
    };
}

const POSITION_USER: &str = position!("user_channel = c.id", "seq", "user");
const POSITION_ORG: &str = position!("org_channel = c.id", "org_seq", "org");
const POSITION_ADMIN: &str = position!("admin_seq IS NOT NULL", "admin_seq", "admin");

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn opening(&self, channel: &Channel) -> Result<Opening, Error> {
        let mut tx = self.read.begin().await.map_err(|e| Error::store("opening a channel", e))?;
        let (sql, name) = match channel {
            Channel::User(user) => (POSITION_USER, user.as_str()),
            Channel::Org(org) => (POSITION_ORG, org.as_str()),
            Channel::Admin => (POSITION_ADMIN, ""),
        };
        let position: Option<(i64, i64)> = sqlx::query_as(sql)
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|e| Error::store("reading a channel's head", e))?;
        let (head, kept_from) = position.unwrap_or((0, 1));
        let snapshot = snapshot(&mut tx, channel).await?;
        Ok(Opening { head, kept_from, snapshot })
    }
}

async fn snapshot(db: &mut SqliteConnection, channel: &Channel) -> Result<Snapshot, Error> {
    Ok(match channel {
        Channel::User(user) => Snapshot::User(instances::of_user(db, user).await?.map(Box::new)),
        Channel::Org(org) => Snapshot::Org(instances::page(db, Some(org), 0, ORG_SNAPSHOT, false).await?),
        Channel::Admin => {
            let counts: Vec<(String, i64)> = sqlx::query_as(
                "SELECT status, COUNT(*) FROM whatsapp_instances WHERE removed_at IS NULL GROUP BY status",
            )
            .fetch_all(db)
            .await
            .map_err(|e| Error::store("counting instances", e))?;
            Snapshot::Admin(counts.into_iter().collect())
        }
    })
}
