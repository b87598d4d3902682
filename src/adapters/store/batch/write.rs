//! Writing what a batch decided.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::super::aside::QuarantineSize;
use super::super::commands;
use super::super::instances::QrColumn;
use super::script::Script;
use super::{Appended, Changes, Quarantined, Remembered, ShownChange, Subject};
use crate::domain::time::Millis;
use crate::domain::webhook::Keep;

/// Rows of each table in one call: few distinct texts, so that they stay prepared.
const ROWS: usize = 32;

const EVENTS: &str = "id, user_channel, seq, org_channel, org_seq, admin_seq, instance_name, event, at, emitted_at, late, \
                      folded, identity, outcome, body";
const DEDUPE_MESSAGES: &str = "key, seq, content";
const DEDUPE_RECENT: &str = "key, seq, content, day";

/// Writes all of it and commits. What the quarantine grew by. `script` has what is to be done before.
pub(super) async fn all(
    db: &mut SqliteConnection,
    mut script: Script,
    changes: &Changes,
    today: i64,
) -> Result<QuarantineSize, sqlx::Error> {
    let (with_entry, recent): (Vec<&Remembered>, Vec<&Remembered>) =
        changes.remembered.iter().partition(|row| row.keep == Keep::WithEntry);
    let (mut with_entry, mut appended) = (with_entry.chunks(ROWS), changes.appended.chunks(ROWS).peekable());
    while let Some(rows) = appended.next() {
        append(&mut script, rows);
        remember(&mut script, with_entry.next().unwrap_or_default());
        if appended.peek().is_some() {
            script.run(db).await?;
        }
    }
    with_entry.for_each(|rows| remember(&mut script, rows));
    recent.chunks(ROWS).for_each(|rows| remember_recent(&mut script, rows, today));
    fold(&mut script, &changes.folded);
    for subject in changes.subjects.iter().filter(|subject| subject.touched) {
        save_subject(&mut script, subject, changes.now)?;
    }
    let grew = if changes.is_of_webhooks_alone() {
        QuarantineSize::default()
    } else {
        script.run(db).await?;
        the_rest(db, changes).await?
    };
    script.add("COMMIT").run(db).await?;
    Ok(grew)
}

impl Changes {
    fn is_of_webhooks_alone(&self) -> bool {
        let nothing_aside = self.quarantined.is_empty() && self.released.is_empty();
        let no_commands = self.ordered.is_empty() && self.settled.is_empty();
        nothing_aside && no_commands && !self.subjects.iter().any(|subject| subject.removed)
    }
}

/// What is seldom to be written, statement by statement. What the quarantine grew by.
async fn the_rest(db: &mut SqliteConnection, changes: &Changes) -> Result<QuarantineSize, sqlx::Error> {
    let grew = quarantine(db, &changes.quarantined).await?;
    release(db, &changes.released).await?;
    commands::order(db, &changes.ordered, changes.now).await?;
    commands::settle(db, &changes.settled, changes.now).await?;
    for subject in changes.subjects.iter().filter(|subject| subject.removed) {
        remove(db, subject, changes.now).await?;
    }
    Ok(grew)
}

fn append(script: &mut Script, rows: &[Appended]) {
    script.insert("events", EVENTS, rows.len());
    for Appended { entry, user_channel, org_channel, identity, .. } in rows {
        let outcome = entry.outcome.as_ref().map(|outcome| serde_json::to_string(outcome).unwrap_or_default());
        script
            .bind(entry.id)
            .bind(user_channel)
            .bind(entry.seq)
            .bind(org_channel)
            .bind(entry.org.as_ref().map(|(_, seq)| *seq))
            .bind(entry.admin_seq)
            .bind(entry.instance.as_str())
            .bind(entry.event.as_str())
            .bind(entry.at.0)
            .bind(entry.emitted_at.0)
            .bind(entry.late)
            .bind(entry.folded)
            .bind(identity.as_ref().map(<[u8; 16]>::as_slice))
            .bind(outcome)
            .bind(entry.body.as_ref());
    }
}

fn remember(script: &mut Script, rows: &[&Remembered]) {
    if !rows.is_empty() {
        script.insert("dedupe_messages", DEDUPE_MESSAGES, rows.len());
        for row in rows {
            bind_identity(script, row);
        }
    }
}

fn remember_recent(script: &mut Script, rows: &[&Remembered], today: i64) {
    script.insert("dedupe_recent", DEDUPE_RECENT, rows.len());
    for row in rows {
        bind_identity(script, row);
        script.bind(today);
    }
}

fn bind_identity(script: &mut Script, row: &Remembered) {
    script.bind(row.key.as_slice()).bind(row.seen.seq).bind(row.seen.content.cast_signed());
}

fn fold(script: &mut Script, rows: &[(i64, i64)]) {
    let mut counts: HashMap<(i64, i64), i64> = HashMap::new();
    for row in rows {
        *counts.entry(*row).or_default() += 1;
    }
    for ((channel, seq), times) in counts {
        script.add("UPDATE events SET folded = folded + ? WHERE user_channel = ? AND seq = ?");
        script.bind(times).bind(channel).bind(seq);
    }
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

fn save_subject(script: &mut Script, subject: &Subject, now: Millis) -> Result<(), sqlx::Error> {
    let view = subject.state.view(now);
    let state = serde_json::to_string(&subject.state).map_err(|e| sqlx::Error::Encode(e.into()))?;
    script
        .add(
            "UPDATE whatsapp_instances SET status = ?, status_reason = ?, is_connected = ?, phone_number = ?, \
             connected_at = ?, state = ?, wake_at = ?, updated_at = MAX(updated_at, ?) WHERE session_id = ?",
        )
        .bind(view.status.as_str())
        .bind(view.reason)
        .bind(view.is_connected)
        .bind(view.phone_number)
        .bind(subject.connected_at.map(|at| at.0))
        .bind(state)
        .bind(subject.wake_at.map(|at| at.0))
        .bind(now.0)
        .bind(subject.session_id);
    let (image, column) = match &subject.shown_change {
        ShownChange::Keep => return Ok(()),
        ShownChange::Clear => (None, None),
        ShownChange::Show(qr) => (qr.image.as_deref(), Some(QrColumn::of(qr))),
    };
    let column = column.map(|qr| serde_json::to_string(&qr)).transpose().map_err(|e| sqlx::Error::Encode(e.into()))?;
    script
        .add("UPDATE whatsapp_instances SET qr_code = ?, qr = ? WHERE session_id = ?")
        .bind(image)
        .bind(column)
        .bind(subject.session_id);
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
