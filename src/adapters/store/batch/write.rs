//! Writing what a batch decided.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::aside::QuarantineSize;
use super::super::commands;
use super::super::instances::QrColumn;
use super::{Appended, Changes, ChannelId, Quarantined, Remembered, ShownChange, Subject};
use crate::domain::time::Millis;
use crate::domain::webhook::Keep;

/// Rows per statement, largest first: few distinct statements, so that each stays prepared.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// Writes all of it. What the quarantine grew by.
pub(super) async fn all(
    db: &mut SqliteConnection,
    changes: &Changes,
    today: i64,
) -> Result<QuarantineSize, sqlx::Error> {
    append(db, &changes.appended).await?;
    remember(db, &changes.remembered, today).await?;
    fold(db, &changes.folded).await?;
    let grew = quarantine(db, &changes.quarantined).await?;
    release(db, &changes.released).await?;
    advance(db, changes).await?;
    for subject in changes.subjects.iter().filter(|subject| subject.touched) {
        save_subject(db, subject, changes.now).await?;
    }
    commands::order(db, &changes.ordered, changes.now).await?;
    commands::settle(db, &changes.settled, changes.now).await?;
    for subject in changes.subjects.iter().filter(|subject| subject.removed) {
        remove(db, subject, changes.now).await?;
    }
    Ok(grew)
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

async fn quarantine(db: &mut SqliteConnection, rows: &[Quarantined]) -> Result<QuarantineSize, sqlx::Error> {
    let mut grew = QuarantineSize::default();
    for row in rows {
        let inserted = sqlx::query(
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
        if inserted.rows_affected() == 1 {
            grew.rows += 1;
            grew.bytes += row.size();
        }
    }
    Ok(grew)
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

/// Puts the row away, unless somebody has asked for the instance again in the meantime.
async fn remove(db: &mut SqliteConnection, subject: &Subject, now: Millis) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE whatsapp_instances SET removed_at = $1, qr_code = NULL, qr = NULL WHERE session_id = $2 AND NOT EXISTS \
         (SELECT 1 FROM instance_commands c WHERE c.session_id = $2 AND c.status IN ('pending', 'sent') \
         AND c.kind IN ('connect', 'reconnect'))",
    )
    .bind(now.0)
    .bind(subject.session_id)
    .execute(db)
    .await
    .map(|_| ())
}
