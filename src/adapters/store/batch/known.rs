//! What a batch needs to know, in as few questions as it takes.

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use sqlx::{FromRow, SqliteConnection};
use tracing::error;

use super::super::instances::QrColumn;
use super::{Key, Known, Lookups, Seen, ShownChange, Subject};
use crate::domain::error::{Cause, Error};
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::time::Millis;

/// Days that a 48-hour identity may lie back, today included.
const RECENT_DAYS: i64 = 3;

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

pub(super) async fn read(db: &mut SqliteConnection, lookups: &Lookups) -> Result<Known, Error> {
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
    Ok(Known { made: HashSet::new(), subjects, seen, heads, last_id, admin_head })
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
            shown: qr.map(|qr| qr.with_image(None)),
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
