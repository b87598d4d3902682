//! What a batch needs to know, in as few questions as it takes.

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use sqlx::{FromRow, SqliteConnection};
use tracing::error;

use super::super::channels::head;
use super::super::instances::QrColumn;
use super::memory::{LogHead, Memory};
use super::{ChannelId, Key, Known, Lookups, Seen, ShownChange, Subject};
use crate::domain::error::{Cause, Error};
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::time::Millis;

/// Days that a 48-hour identity may lie back, today included.
const RECENT_DAYS: i64 = 3;

// `CROSS JOIN` keeps the order in which tables are named: SQLite knows nothing of how few a list names, and would begin
// with all users there are.

const SUBJECTS: &str = concat!(
    "SELECT i.session_id, i.instance_name, i.user_id, u.id AS channel, ",
    head!("u", "user_channel = u.id", "seq"),
    " AS head, i.organization_id, o.id AS org_channel, ",
    head!("o", "org_channel = o.id", "org_seq"),
    " AS org_head, i.state, i.qr, i.connected_at, i.wake_at \
     FROM json_each($1) n CROSS JOIN whatsapp_instances i ON i.instance_name = n.value \
     CROSS JOIN channels u ON u.kind = 'user' AND u.name = i.user_id \
     LEFT JOIN channels o ON o.kind = 'org' AND o.name = i.organization_id"
);
const LOG_HEAD: &str = concat!(
    "SELECT ",
    head!("c", "admin_seq IS NOT NULL", "admin_seq"),
    ", COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) FROM channels c WHERE kind = 'admin'"
);
const SEEN_WITH_ENTRY: &str =
    "SELECT d.key, d.seq, d.content FROM json_each($1) k CROSS JOIN dedupe_messages d ON d.key = unhex(k.value)";
const SEEN_RECENTLY: &str = "SELECT d.key, d.seq, d.content FROM json_each($2) y CROSS JOIN json_each($1) k \
     CROSS JOIN dedupe_recent d ON d.day = y.value AND d.key = unhex(k.value)";

/// Whether the identities of messages are looked up, however old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dedupe {
    /// Those stored lately are known. An older one collides with the table's key, and then nothing is committed.
    ByMemory,
    ByTable,
}

/// What this batch is about is moved out of the memory.
pub(super) async fn read(
    db: &mut SqliteConnection,
    lookups: &Lookups,
    memory: &mut Memory,
    dedupe: Dedupe,
) -> Result<Known, Error> {
    let log = match memory.log {
        Some(log) => log,
        None => *memory.log.insert(log_head(db).await?),
    };
    let mut subjects = HashMap::with_capacity(lookups.names.len());
    let mut unknown = Vec::new();
    for name in &lookups.names {
        match memory.subjects.remove_entry(name) {
            Some((name, subject)) => drop(subjects.insert(name, subject)),
            None => unknown.push(name),
        }
    }
    if !unknown.is_empty() {
        read_subjects(db, &unknown, &mut subjects, &mut memory.heads).await?;
    }
    let channels =
        subjects.values().flat_map(|subject| [Some(subject.channel), subject.org.as_ref().map(|(_, org)| *org)]);
    let heads = channels.flatten().filter_map(|channel| Some((channel, *memory.heads.get(&channel)?))).collect();
    let seen = read_seen(db, lookups, memory, dedupe).await?;
    Ok(Known { made: HashSet::new(), subjects, seen, heads, last_id: log.last_id, admin_head: log.admin_head })
}

fn failed(cause: sqlx::Error) -> Error {
    Error::store("looking up a batch", cause)
}

async fn log_head(db: &mut SqliteConnection) -> Result<LogHead, Error> {
    let (admin_head, last_id) = sqlx::query_as(LOG_HEAD).fetch_one(db).await.map_err(failed)?;
    Ok(LogHead { last_id, admin_head })
}

async fn read_subjects(
    db: &mut SqliteConnection,
    names: &[&InstanceName],
    subjects: &mut HashMap<InstanceName, Subject>,
    heads: &mut HashMap<ChannelId, i64>,
) -> Result<(), Error> {
    let names = serde_json::to_string(names).map_err(|e| Error::store("naming a batch", e))?;
    let rows: Vec<SubjectRow> = sqlx::query_as(SUBJECTS).bind(names).fetch_all(db).await.map_err(failed)?;
    for row in rows {
        heads.insert(row.channel, row.head);
        heads.extend(row.org_channel.zip(row.org_head));
        let subject = Subject::try_from(row)?;
        subjects.insert(subject.name.clone(), subject);
    }
    Ok(())
}

async fn read_seen(
    db: &mut SqliteConnection,
    lookups: &Lookups,
    memory: &Memory,
    dedupe: Dedupe,
) -> Result<HashMap<Key, Seen>, Error> {
    let keys = lookups.with_entry.iter().chain(&lookups.recent);
    let mut seen: HashMap<Key, Seen> = keys.filter_map(|key| Some((*key, memory.seen(key)?))).collect();
    let unseen = |keys: &[Key]| keys.iter().copied().filter(|key| !seen.contains_key(key)).collect::<Vec<_>>();
    let (with_entry, recent) = (unseen(&lookups.with_entry), unseen(&lookups.recent));
    if dedupe == Dedupe::ByTable && !with_entry.is_empty() {
        let query = sqlx::query_as(SEEN_WITH_ENTRY).bind(hex_list(&with_entry));
        collect_seen(&mut seen, query.fetch_all(&mut *db).await.map_err(failed)?);
    }
    // The table's key has the day in it, so that one of yesterday does not collide.
    if !recent.is_empty() {
        let days: Vec<i64> = (0..RECENT_DAYS).map(|back| lookups.today - back).collect();
        let days = serde_json::to_string(&days).map_err(|e| Error::store("naming a batch", e))?;
        let query = sqlx::query_as(SEEN_RECENTLY).bind(hex_list(&recent)).bind(days);
        collect_seen(&mut seen, query.fetch_all(&mut *db).await.map_err(failed)?);
    }
    Ok(seen)
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
        let qr: Option<QrColumn> = row.qr.as_deref().and_then(|json| readable(json, &row.instance_name));
        let unreadable_qr = row.qr.is_some() && qr.is_none();
        Ok(Self {
            session_id: row.session_id,
            name: InstanceName::parse(&row.instance_name).map_err(|e| broken(e.into()))?,
            user: UserId::named_by_admin(&row.user_id).map_err(|e| broken(e.into()))?,
            channel: row.channel,
            org,
            state: readable(&row.state, &row.instance_name).unwrap_or_default(),
            connected_at: row.connected_at.map(Millis),
            shown: qr.map(|qr| qr.count()),
            shown_change: if unreadable_qr { ShownChange::Clear } else { ShownChange::Keep },
            wake_at: row.wake_at.map(Millis),
            touched: false,
            removed: false,
        })
    }
}

/// What can't be read, such as a newer version's, is begun anew: its facts are learnt again from the webhooks to come.
/// The whole batch, and every later one of this instance, would fail for it otherwise. The cause is not told: it may
/// quote the row.
fn readable<T: DeserializeOwned>(json: &str, instance: &str) -> Option<T> {
    serde_json::from_str(json)
        .inspect_err(|_| error!(instance.name = instance, "what is known of an instance can't be read: it begins anew"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::Store;

    #[tokio::test]
    async fn a_question_begins_with_what_it_names_and_goes_through_no_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        for sql in [SUBJECTS, SEEN_WITH_ENTRY, SEEN_RECENTLY] {
            let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(plan).bind("[]").bind("[]").fetch_all(&store.read).await.unwrap();
            let is_list = |step: &String| step.starts_with("SCAN") && step.contains("VIRTUAL TABLE");

            assert!(is_list(&steps[0].3), "{steps:?}");
            assert!(steps.iter().all(|(.., step)| is_list(step) || !step.starts_with("SCAN")), "{steps:?}");
        }
    }
}
