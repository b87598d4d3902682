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
        SELECT ROW_NUMBER() OVER (ORDER BY c.id) - 1 AS turn, c.id AS channel, i.instance_name, i.updated_at,
            COALESCE((SELECT MAX(seq) FROM events WHERE user_channel = c.id), 0) AS head
        FROM whatsapp_instances i JOIN channels c ON c.kind = 'user' AND c.name = i.user_id
    ),
    numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $1)
    INSERT INTO events (id, user_channel, seq, instance_name, event, at, emitted_at, identity, body)
    SELECT COALESCE((SELECT MAX(id) FROM events), 0) + 1 + n, o.channel, o.head + 1 + n / $2,
        o.instance_name, 'messages.upsert', o.updated_at, o.updated_at, randomblob(16),
        CAST(format('{"event":"messages.upsert","instance":"%s","data":{"key":{"remoteJid":"5511999990001@s.whatsapp.net",'
            || '"fromMe":false,"id":"AC%030d"},"message":{"conversation":"Oi"}}}',
            o.instance_name, n) AS BLOB)
    FROM numbers JOIN owners o ON o.turn = n % $2"#;

/// Their identities, in no order, as those of a long life have come.
const IDENTITIES: &str = "INSERT INTO dedupe_messages (key, seq, content) \
    SELECT identity, seq, random() FROM events WHERE identity IS NOT NULL ORDER BY id";

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

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;

    /// A database as zapgate makes it, with two users.
    async fn made(database: &Path) {
        let mut connection =
            SqliteConnectOptions::new().filename(database).create_if_missing(true).connect().await.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
        let mut migrations: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        migrations.sort();
        for migration in migrations {
            let sql = fs::read_to_string(migration).unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        for user in ["a", "b"] {
            let sql = format!(
                "INSERT INTO channels (kind, name) VALUES ('user', '{user}');
                 INSERT INTO whatsapp_instances (id, instance_name, user_id, created_at, updated_at)
                 VALUES ('{user}', 'user_{user}', '{user}', 5, 5);
                 INSERT INTO events (user_channel, seq, instance_name, event, at, emitted_at, body)
                 SELECT id, 1, 'user_{user}', 'zapgate.status', 5, 5, '{{}}' FROM channels WHERE name = '{user}'"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_history_is_as_dense_as_one_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join(DATABASE);
        made(&database).await;

        fill(&database, 11, 2).await.unwrap();

        let mut connection = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
        let heads = "SELECT c.name, MAX(e.seq), COUNT(*), MAX(e.seq) - MIN(e.seq) + 1, COUNT(DISTINCT e.instance_name) \
             FROM channels c JOIN events e ON e.user_channel = c.id GROUP BY c.id ORDER BY c.name";
        let heads: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(heads).fetch_all(&mut connection).await.unwrap();
        assert_eq!(heads, [("a".into(), 7, 7, 7, 1), ("b".into(), 6, 6, 6, 1)]);
        let remembered = "SELECT COUNT(*) FROM dedupe_messages d \
             JOIN events e ON e.identity = d.key AND e.seq = d.seq AND LENGTH(d.key) = 16";
        assert_eq!(sqlx::query_scalar::<_, i64>(remembered).fetch_one(&mut connection).await.unwrap(), 11);
        let next = "SELECT seq FROM sqlite_sequence WHERE name = 'events'";
        assert_eq!(sqlx::query_scalar::<_, i64>(next).fetch_one(&mut connection).await.unwrap(), 13);
        let body: Vec<u8> = sqlx::query_scalar("SELECT body FROM events ORDER BY id DESC LIMIT 1")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!((190..210).contains(&body.len()), "{}", body.len());
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["instance"], "user_a");
    }
}
