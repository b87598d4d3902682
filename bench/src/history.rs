//! Databases that already have a history: zapgate makes the schema and the users, then rows as it writes them are put
//! into the file directly. The one place that knows its tables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use crate::contestant::{Contestant, DATABASE, Places};
use crate::stage::Stage;

/// A folder with a database of so many rows of the users' history, the caller's own. What was made in an earlier round is
/// copied.
pub async fn folder(contestant: Contestant, places: &Places, rows: u64, users: usize) -> anyhow::Result<TempDir> {
    let kept = places.histories.join(format!("{rows}.db"));
    if !kept.exists() {
        make(contestant, places, rows, users, &kept).await.context("making a history")?;
    }
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join(DATABASE);
    fs::copy(&kept, &copy)?;
    // Or it would be written back while latencies are measured.
    fs::File::open(&copy)?.sync_all()?;
    Ok(folder)
}

async fn make(contestant: Contestant, places: &Places, rows: u64, users: usize, kept: &PathBuf) -> anyhow::Result<()> {
    let stage = Stage::set(contestant, places, users).await?;
    stage.make_users(0..users).await?;
    let folder = stage.strike().await?;
    let database = folder.path().join(DATABASE);
    fill(&database, rows, users).await?;
    fs::rename(&database, kept).or_else(|_| fs::copy(&database, kept).map(|_| ()))?;
    Ok(())
}

/// Of each user as many messages of 200 bytes, in turn.
const EVENTS: &str = r#"
    WITH RECURSIVE
    owners AS MATERIALIZED (
        SELECT ROW_NUMBER() OVER (ORDER BY c.id) - 1 AS turn, c.id AS channel, c.head, i.instance_name, i.updated_at
        FROM whatsapp_instances i JOIN channels c ON c.kind = 'user' AND c.name = i.user_id
    ),
    numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $1)
    INSERT INTO events (id, user_channel, seq, instance_name, event, at, emitted_at, identity, body)
    SELECT COALESCE((SELECT MAX(id) FROM events), 0) + 1 + n, o.channel, o.head + 1 + n / $2,
        o.instance_name, 'messages.upsert', o.updated_at, o.updated_at, randomblob(16),
        CAST(format('{"event":"messages.upsert","instance":"%s","data":{"key":{"remoteJid":"5511999990001@s.whatsapp.net",'
            || '"fromMe":false,"id":"AC%030d"},"message":{"conversation":"Oi"},"messageType":"conversation"}}',
            o.instance_name, n) AS BLOB)
    FROM numbers JOIN owners o ON o.turn = n % $2"#;

/// Their identities, in no order, as those of a long life have come.
const IDENTITIES: &str = "INSERT INTO dedupe_messages (key, seq, content) \
    SELECT identity, seq, random() FROM events WHERE identity IS NOT NULL ORDER BY id";

const HEADS: &str = "UPDATE channels SET head = (SELECT MAX(seq) FROM events WHERE user_channel = channels.id) \
    WHERE kind = 'user' AND id IN (SELECT DISTINCT user_channel FROM events)";

async fn fill(database: &Path, rows: u64, users: usize) -> anyhow::Result<()> {
    let (rows, users) = (i64::try_from(rows)?, i64::try_from(users)?);
    // Whatever breaks off here is thrown away, so nothing of it needs to be safe before the end.
    let options = SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-2000000");
    let mut filling = options.connect().await?;
    sqlx::query("BEGIN").execute(&mut filling).await?;
    let inserted = sqlx::query(EVENTS).bind(rows).bind(users).execute(&mut filling).await?.rows_affected();
    ensure!(i64::try_from(inserted)? == rows, "{inserted} rows of {rows} were inserted: not all users are there");
    sqlx::query(IDENTITIES).execute(&mut filling).await?;
    sqlx::query(HEADS).execute(&mut filling).await?;
    sqlx::query("COMMIT").execute(&mut filling).await?;
    filling.close().await?;
    checkpointed(database).await
}

/// Leaves the file as zapgate leaves it.
async fn checkpointed(database: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(database).journal_mode(SqliteJournalMode::Wal);
    let mut connection: SqliteConnection = options.connect().await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
