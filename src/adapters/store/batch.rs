//! One group commit: what the batch needs to know is read, a pure decision is taken, and all of it is written, in one
//! transaction that never leaves this file. Multi-row statements, since what costs is the number of calls.

use std::collections::HashMap;

use bytes::Bytes;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::instances::QrColumn;
use crate::domain::entry::Entry;
use crate::domain::error::{Cause, Error};
use crate::domain::event::EventName;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::instance::Qr;
use crate::domain::lifecycle::State;
use crate::domain::time::Millis;
use crate::domain::webhook::Keep;

/// The identity of an event: see [`crate::domain::webhook::Identity`].
pub type Key = [u8; 16];

/// What a batch wants to know before it decides.
#[derive(Debug, Default)]
pub struct Lookups {
    pub names: Vec<InstanceName>,
    /// Identities kept as long as their log row.
    pub with_entry: Vec<Key>,
    /// Identities kept 48 hours.
    pub recent: Vec<Key>,
    /// Days since the epoch, UTC.
    pub today: i64,
}

/// What the store knows of it.
#[derive(Debug, Default)]
pub struct Known {
    pub subjects: HashMap<InstanceName, Subject>,
    pub seen: HashMap<Key, Seen>,
    /// The last number given, by channel; several subjects can share an organisation's.
    pub heads: HashMap<ChannelId, i64>,
    pub last_id: i64,
    pub admin_head: i64,
}

/// A row of `channels`.
pub type ChannelId = i64;

/// Where an identity was stored first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub seq: i64,
    pub content: u64,
}

/// An instance as a batch changes it.
#[derive(Clone, Debug)]
pub struct Subject {
    pub session_id: i64,
    pub name: InstanceName,
    pub user: UserId,
    pub channel: ChannelId,
    pub org: Option<(OrgId, ChannelId)>,
    pub state: State,
    pub connected_at: Option<Millis>,
    /// The code in the row, without its picture.
    pub shown: Option<Qr>,
    /// What the batch does to the code in the row.
    pub shown_change: ShownChange,
    pub wake_at: Option<Millis>,
    /// The state, or what follows from it, changed.
    pub touched: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ShownChange {
    #[default]
    Keep,
    Clear,
    Show(Qr),
}

/// What the batch writes.
#[derive(Debug, Default)]
pub struct Changes {
    pub appended: Vec<Appended>,
    pub remembered: Vec<Remembered>,
    /// (user channel, seq): one more repeat folded into that row, as often as it stands here.
    pub folded: Vec<(i64, i64)>,
    pub quarantined: Vec<Quarantined>,
    /// Rows of the quarantine that the batch turned into log rows.
    pub released: Vec<i64>,
    pub subjects: Vec<Subject>,
    /// The heads that moved, with their new numbers.
    pub heads: HashMap<ChannelId, i64>,
    pub admin_head: i64,
    pub now: Millis,
}

/// A new log row.
#[derive(Clone, Debug)]
pub struct Appended {
    pub entry: Entry,
    pub user_channel: i64,
    pub org_channel: Option<i64>,
    /// The identity that goes when this row goes.
    pub identity: Option<Key>,
    /// The code it announced, for the sockets.
    pub qr: Option<Qr>,
}

#[derive(Clone, Copy, Debug)]
pub struct Remembered {
    pub key: Key,
    pub keep: Keep,
    pub seen: Seen,
}

/// An authentic webhook of an instance nobody owns.
#[derive(Clone, Debug)]
pub struct Quarantined {
    pub instance: InstanceName,
    pub identity: Key,
    pub event: EventName,
    pub at: Millis,
    pub issued_at: Option<Millis>,
    pub body: Bytes,
}

/// Days that a 48-hour identity may lie back, today included.
const RECENT_DAYS: i64 = 3;
/// Rows per statement, largest first: few distinct statements, so that each stays prepared.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// Why nothing of a batch was stored.
#[derive(Debug)]
pub enum Refusal {
    /// It could not even begin, for instance because another process has locked the database: nothing in the batch is
    /// at fault, and no part of it would fare better alone.
    NotBegun(Error),
    /// Something in it may be at fault.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(cause: Error) -> Self {
        Self::Failed(cause)
    }
}

impl Store {
    /// Commits one batch. Nothing of it is stored when this fails.
    ///
    /// # Errors
    /// [`Refusal`], always of [`Error::Store`].
    pub async fn commit_batch(
        &self,
        lookups: &Lookups,
        decide: impl FnOnce(Known) -> Changes,
    ) -> Result<Changes, Refusal> {
        let failed = |e: sqlx::Error| Error::store("committing a batch", e);
        let begun = self.write.begin_with("BEGIN IMMEDIATE").await;
        let mut tx = begun.map_err(|e| Refusal::NotBegun(Error::store("beginning a batch", e)))?;
        let known = known(&mut tx, lookups).await?;
        let changes = decide(known);
        write(&mut tx, &changes, lookups.today).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(changes)
    }

    /// Makes the user's instance row, in `state`, and channels, or finds them; the row joins `org` if one is given.
    /// True when it was made now.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn ensure_instance(
        &self,
        name: &InstanceName,
        user: &UserId,
        org: Option<&OrgId>,
        fresh_id: Uuid,
        state: &State,
        now: Millis,
    ) -> Result<bool, Error> {
        let view = state.view(now);
        let state = serde_json::to_string(state).map_err(|e| Error::store("writing an instance's state", e))?;
        let failed = |e: sqlx::Error| Error::store("making an instance", e);
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let made = sqlx::query(
            "INSERT INTO whatsapp_instances \
             (id, instance_name, user_id, organization_id, created_at, updated_at, state, status, status_reason) \
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (user_id) DO NOTHING",
        )
        .bind(fresh_id.to_string())
        .bind(name.as_str())
        .bind(user.as_str())
        .bind(org.map(OrgId::as_str))
        .bind(now.0)
        .bind(state)
        .bind(view.status.as_str())
        .bind(view.reason)
        .execute(&mut *tx)
        .await
        .map_err(failed)?
        .rows_affected()
            == 1;
        if !made && let Some(org) = org {
            sqlx::query("UPDATE whatsapp_instances SET organization_id = $1 WHERE user_id = $2")
                .bind(org.as_str())
                .bind(user.as_str())
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        for (kind, name) in [("user", Some(user.as_str())), ("org", org.map(OrgId::as_str))] {
            sqlx::query("INSERT INTO channels (kind, name) SELECT $1, $2 WHERE $2 IS NOT NULL ON CONFLICT DO NOTHING")
                .bind(kind)
                .bind(name)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        tx.commit().await.map_err(failed)?;
        Ok(made)
    }
}

const SUBJECTS: &str = "SELECT i.session_id, i.instance_name, i.user_id, u.id AS channel, u.head, i.organization_id, \
     o.id AS org_channel, o.head AS org_head, i.state, i.qr, i.connected_at, i.wake_at \
     FROM json_each($1) n JOIN whatsapp_instances i ON i.instance_name = n.value \
     JOIN channels u ON u.kind = 'user' AND u.name = i.user_id \
     LEFT JOIN channels o ON o.kind = 'org' AND o.name = i.organization_id";
const HEADS: &str = "SELECT (SELECT head FROM channels WHERE kind = 'admin'), \
     COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)";
const SEEN_WITH_ENTRY: &str =
    "SELECT d.key, d.seq, d.content FROM json_each($1) k JOIN dedupe_messages d ON d.key = unhex(k.value)";
const SEEN_RECENTLY: &str = "SELECT d.key, d.seq, d.content FROM json_each($2) y CROSS JOIN json_each($1) k \
     JOIN dedupe_recent d ON d.day = y.value AND d.key = unhex(k.value)";

async fn known(db: &mut SqliteConnection, lookups: &Lookups) -> Result<Known, Error> {
    let failed = |e: sqlx::Error| Error::store("looking up a batch", e);
    let (admin_head, last_id): (i64, i64) = sqlx::query_as(HEADS).fetch_one(&mut *db).await.map_err(failed)?;
    let names = serde_json::to_string(&lookups.names).map_err(|e| Error::store("naming a batch", e))?;
    let rows: Vec<SubjectRow> = sqlx::query_as(SUBJECTS).bind(names).fetch_all(&mut *db).await.map_err(failed)?;
    let mut subjects = HashMap::with_capacity(rows.len());
    let mut heads = HashMap::with_capacity(rows.len() + 1);
    for row in rows {
        heads.insert(row.channel, row.head);
        heads.extend(row.org_channel.zip(row.org_head));
        let subject = Subject::try_from(row)?;
        subjects.insert(subject.name.clone(), subject);
    }
    let mut seen = HashMap::new();
    if !lookups.with_entry.is_empty() {
        let query = sqlx::query_as(SEEN_WITH_ENTRY).bind(hex_list(&lookups.with_entry));
        collect_seen(&mut seen, query.fetch_all(&mut *db).await.map_err(failed)?);
    }
    if !lookups.recent.is_empty() {
        let days: Vec<i64> = (0..RECENT_DAYS).map(|back| lookups.today - back).collect();
        let days = serde_json::to_string(&days).map_err(|e| Error::store("naming a batch", e))?;
        let query = sqlx::query_as(SEEN_RECENTLY).bind(hex_list(&lookups.recent)).bind(days);
        collect_seen(&mut seen, query.fetch_all(&mut *db).await.map_err(failed)?);
    }
    Ok(Known { subjects, seen, heads, last_id, admin_head })
}

fn collect_seen(seen: &mut HashMap<Key, Seen>, rows: Vec<(Vec<u8>, i64, i64)>) {
    for (key, seq, content) in rows {
        if let Ok(key) = Key::try_from(key) {
            seen.insert(key, Seen { seq, content: content.cast_unsigned() });
        }
    }
}

/// Keys as a JSON list of hex strings, since JSON has no bytes.
fn hex_list(keys: &[Key]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + keys.len() * 35);
    text.push('[');
    for (i, key) in keys.iter().enumerate() {
        text.push_str(if i == 0 { "\"" } else { ",\"" });
        for byte in key {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.push('"');
    }
    text.push(']');
    text
}

async fn write(db: &mut SqliteConnection, changes: &Changes, today: i64) -> Result<(), sqlx::Error> {
    append(db, &changes.appended).await?;
    remember(db, &changes.remembered, today).await?;
    fold(db, &changes.folded).await?;
    quarantine(db, &changes.quarantined).await?;
    release(db, &changes.released).await?;
    advance(db, changes).await?;
    for subject in changes.subjects.iter().filter(|subject| subject.touched) {
        save_subject(db, subject, changes.now).await?;
    }
    Ok(())
}

/// Cuts `rows` into pieces whose sizes are of [`CHUNKS`].
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

async fn append(db: &mut SqliteConnection, rows: &[Appended]) -> Result<(), sqlx::Error> {
    for piece in chunks(rows) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO events (id, user_channel, seq, org_channel, org_seq, admin_seq, instance_name, event, at, \
             emitted_at, late, folded, identity, outcome, body) ",
        );
        query.push_values(piece, |mut values, row| {
            let entry = &row.entry;
            let outcome = entry.outcome.as_ref().map(|outcome| serde_json::to_string(outcome).unwrap_or_default());
            values
                .push_bind(entry.id)
                .push_bind(row.user_channel)
                .push_bind(entry.seq)
                .push_bind(row.org_channel)
                .push_bind(entry.org.as_ref().map(|(_, seq)| *seq))
                .push_bind(entry.admin_seq)
                .push_bind(entry.instance.as_str())
                .push_bind(entry.event.as_str())
                .push_bind(entry.at.0)
                .push_bind(entry.emitted_at.0)
                .push_bind(entry.late)
                .push_bind(entry.folded)
                .push_bind(row.identity.as_ref().map(<[u8; 16]>::as_slice))
                .push_bind(outcome)
                .push_bind(entry.body.as_ref());
        });
        query.build().execute(&mut *db).await?;
    }
    Ok(())
}

async fn remember(db: &mut SqliteConnection, rows: &[Remembered], today: i64) -> Result<(), sqlx::Error> {
    let (with_entry, recent): (Vec<&Remembered>, Vec<&Remembered>) =
        rows.iter().partition(|row| row.keep == Keep::WithEntry);
    for piece in chunks(&with_entry) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO dedupe_messages (key, seq, content) ");
        query.push_values(piece, |mut values, row: &&Remembered| {
            values.push_bind(row.key.as_slice()).push_bind(row.seen.seq).push_bind(row.seen.content.cast_signed());
        });
        query.build().execute(&mut *db).await?;
    }
    for piece in chunks(&recent) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO dedupe_recent (day, key, seq, content) ");
        query.push_values(piece, |mut values, row| {
            values
                .push_bind(today)
                .push_bind(row.key.as_slice())
                .push_bind(row.seen.seq)
                .push_bind(row.seen.content.cast_signed());
        });
        query.build().execute(&mut *db).await?;
    }
    Ok(())
}

async fn fold(db: &mut SqliteConnection, rows: &[(i64, i64)]) -> Result<(), sqlx::Error> {
    let mut counts: HashMap<(i64, i64), i64> = HashMap::new();
    for row in rows {
        *counts.entry(*row).or_default() += 1;
    }
    for ((channel, seq), times) in counts {
        sqlx::query("UPDATE events SET folded = folded + $1 WHERE user_channel = $2 AND seq = $3")
            .bind(times)
            .bind(channel)
            .bind(seq)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn quarantine(db: &mut SqliteConnection, rows: &[Quarantined]) -> Result<(), sqlx::Error> {
    for row in rows {
        sqlx::query(
            "INSERT INTO quarantine (instance_name, identity, event, at, issued_at, body) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(row.instance.as_str())
        .bind(row.identity.as_slice())
        .bind(row.event.as_str())
        .bind(row.at.0)
        .bind(row.issued_at.map(|at| at.0))
        .bind(row.body.as_ref())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn release(db: &mut SqliteConnection, ids: &[i64]) -> Result<(), sqlx::Error> {
    for id in ids {
        sqlx::query("DELETE FROM quarantine WHERE id = $1").bind(id).execute(&mut *db).await?;
    }
    Ok(())
}

/// Moves the heads of all channels that got rows, in one statement.
async fn advance(db: &mut SqliteConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    let heads: Vec<(&ChannelId, &i64)> = changes.heads.iter().collect();
    let heads = serde_json::to_string(&heads).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "UPDATE channels SET head = v.head \
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS head FROM json_each($1)) v WHERE channels.id = v.id",
    )
    .bind(heads)
    .execute(&mut *db)
    .await?;
    if changes.appended.iter().any(|row| row.entry.admin_seq.is_some()) {
        sqlx::query("UPDATE channels SET head = $1 WHERE kind = 'admin'")
            .bind(changes.admin_head)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn save_subject(db: &mut SqliteConnection, subject: &Subject, now: Millis) -> Result<(), sqlx::Error> {
    let view = subject.state.view(now);
    let state = serde_json::to_string(&subject.state).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "UPDATE whatsapp_instances SET status = $1, status_reason = $2, is_connected = $3, phone_number = $4, \
         connected_at = $5, state = $6, wake_at = $7, updated_at = MAX(updated_at, $8) WHERE session_id = $9",
    )
    .bind(view.status.as_str())
    .bind(view.reason.as_deref())
    .bind(view.is_connected)
    .bind(view.phone_number.as_deref())
    .bind(subject.connected_at.map(|at| at.0))
    .bind(state)
    .bind(subject.wake_at.map(|at| at.0))
    .bind(now.0)
    .bind(subject.session_id)
    .execute(&mut *db)
    .await?;
    let (image, column) = match &subject.shown_change {
        ShownChange::Keep => return Ok(()),
        ShownChange::Clear => (None, None),
        ShownChange::Show(qr) => (qr.image.as_deref(), Some(QrColumn::of(qr))),
    };
    let column = column.map(|qr| serde_json::to_string(&qr)).transpose().map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query("UPDATE whatsapp_instances SET qr_code = $1, qr = $2 WHERE session_id = $3")
        .bind(image)
        .bind(column)
        .bind(subject.session_id)
        .execute(&mut *db)
        .await?;
    Ok(())
}

#[derive(FromRow)]
struct SubjectRow {
    session_id: i64,
    instance_name: String,
    user_id: String,
    channel: i64,
    head: i64,
    organization_id: Option<String>,
    org_channel: Option<i64>,
    org_head: Option<i64>,
    state: String,
    qr: Option<String>,
    connected_at: Option<i64>,
    wake_at: Option<i64>,
}

impl TryFrom<SubjectRow> for Subject {
    type Error = Error;

    fn try_from(row: SubjectRow) -> Result<Self, Error> {
        let broken = |e: Cause| Error::store("reading an instance's row", e);
        let org = match row.organization_id.zip(row.org_channel) {
            Some((org, channel)) => Some((OrgId::named_by_admin(&org).map_err(|e| broken(e.into()))?, channel)),
            None => None,
        };
        let qr: Option<QrColumn> =
            row.qr.map(|json| serde_json::from_str(&json)).transpose().map_err(|e| broken(e.into()))?;
        Ok(Self {
            session_id: row.session_id,
            name: InstanceName::parse(&row.instance_name).map_err(|e| broken(e.into()))?,
            user: UserId::named_by_admin(&row.user_id).map_err(|e| broken(e.into()))?,
            channel: row.channel,
            org,
            state: serde_json::from_str(&row.state).map_err(|e| broken(e.into()))?,
            connected_at: row.connected_at.map(Millis),
            shown: qr.map(|qr| qr.with_image(None)),
            shown_change: ShownChange::Keep,
            wake_at: row.wake_at.map(Millis),
            touched: false,
        })
    }
}
