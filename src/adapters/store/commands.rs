//! The table of commands. They are written and ended by the ingest batches (`batch.rs`), in the transaction that changes
//! the instance; here they are claimed and looked up.

use std::time::Duration;

use sqlx::{FromRow, SqliteConnection};
use tracing::error;

use super::Store;
use super::batch::{NewCommand, Settled};
use crate::domain::command::{Kind, Note, Progress};
use crate::domain::error::Error;
use crate::domain::ids::{InstanceName, UserId};
use crate::domain::procedure::End;
use crate::domain::time::Millis;

/// A command in the hands of whoever carries it out.
#[derive(Clone)]
pub struct Claimed {
    pub id: i64,
    pub instance: InstanceName,
    pub user: UserId,
    pub kind: Kind,
    /// Digits with country code.
    pub number: Option<String>,
    pub asked_at: Millis,
    /// How often it was begun before.
    pub attempts: u32,
}

/// A command as operators see it: without its number.
#[derive(Clone, Debug, FromRow)]
pub struct Listed {
    pub kind: String,
    /// `pending`, `sent`, `confirmed` or `unconfirmed`.
    pub status: String,
    pub attempts: u32,
    pub asked_at: i64,
    pub due_at: i64,
    pub ended_at: Option<i64>,
    /// Why it did not come about, or not yet.
    pub outcome: Option<String>,
    pub advice: Option<String>,
}

/// Names no number.
impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed")
            .field("id", &self.id)
            .field("instance", &self.instance)
            .field("kind", &self.kind)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// One at a time per instance, in the order they were asked for. A check that is not due holds nobody up, and none comes
/// before what somebody waits for. What is due beyond `$3` was written by a clock that has been set back since.
const DUE: &str = "SELECT c.id, i.instance_name, i.user_id, c.kind, c.number, c.asked_at, c.attempts \
     FROM instance_commands c JOIN whatsapp_instances i ON i.session_id = c.session_id \
     WHERE c.status = 'pending' AND (c.due_at <= $1 OR c.due_at > $3) AND NOT EXISTS ( \
       SELECT 1 FROM instance_commands o WHERE o.session_id = c.session_id AND o.id <> c.id AND ( \
         o.status = 'sent' OR (o.status = 'pending' AND o.id < c.id AND (o.kind <> 'check' OR o.due_at <= $1)))) \
     ORDER BY c.kind = 'check', c.due_at, c.id LIMIT $2";
/// Nothing is put off for so long.
const BEYOND: Duration = Duration::from_mins(30);

impl Store {
    /// Takes due commands, at most `limit`; each is the caller's until it is settled.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn claim_commands(&self, now: Millis, limit: i64) -> Result<Vec<Claimed>, Error> {
        let failed = |e: sqlx::Error| Error::store("claiming commands", e);
        let due: Vec<CommandRow> = sqlx::query_as(DUE)
            .bind(now.0)
            .bind(limit)
            .bind((now + BEYOND).0)
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = due.iter().map(|row| row.id).collect();
        let ids = serde_json::to_string(&ids).map_err(|e| Error::store("naming commands", e))?;
        let mut turn = self.turn().await?;
        sqlx::query(
            "UPDATE instance_commands SET status = 'sent', attempts = attempts + 1 \
             WHERE id IN (SELECT value FROM json_each($1)) AND status = 'pending'",
        )
        .bind(ids)
        .execute(&mut *turn)
        .await
        .map_err(failed)?;
        Ok(due.into_iter().filter_map(CommandRow::readable).collect())
    }

    /// Opens again what another run of this program had claimed: nobody else carries it out.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn reopen_commands(&self) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        sqlx::query("UPDATE instance_commands SET status = 'pending' WHERE status = 'sent'")
            .execute(&mut *turn)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| Error::store("opening commands again", e))
    }

    /// How the command of this kind stands that was asked for with this number, or the newest one: another number may
    /// have taken its place, and when a command ends its number goes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn progress(&self, session: i64, kind: Kind, number: Option<&str>) -> Result<Option<Progress>, Error> {
        let sql = "SELECT status, outcome, advice FROM instance_commands WHERE session_id = $1 AND kind = $2 \
                   ORDER BY status IN ('pending', 'sent') AND number IS $3 DESC, id DESC LIMIT 1";
        let row: Option<(String, Option<String>, Option<String>)> = sqlx::query_as(sql)
            .bind(session)
            .bind(kind.as_str())
            .bind(number)
            .fetch_optional(&self.read)
            .await
            .map_err(|e| Error::store("reading a command", e))?;
        Ok(row.map(|(status, outcome, advice)| match status.as_str() {
            "confirmed" => Progress::Confirmed,
            "unconfirmed" => Progress::Unconfirmed(Note { code: outcome.unwrap_or_default(), advice }),
            _ => Progress::Open,
        }))
    }

    /// The newest commands of an instance, at most `limit`; those that have not ended come first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn commands_of(&self, session: i64, limit: i64) -> Result<Vec<Listed>, Error> {
        let sql = "SELECT kind, status, attempts, asked_at, due_at, ended_at, outcome, advice FROM instance_commands \
                   WHERE session_id = $1 ORDER BY ended_at IS NOT NULL, id DESC LIMIT $2";
        sqlx::query_as(sql)
            .bind(session)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("reading commands", e))
    }

    /// How many commands wait, and how many are under way.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn open_commands(&self) -> Result<(i64, i64), Error> {
        let sql = "SELECT COUNT(*) FILTER (WHERE status = 'pending'), COUNT(*) FILTER (WHERE status = 'sent') \
                   FROM instance_commands WHERE status IN ('pending', 'sent')";
        sqlx::query_as(sql).fetch_one(&self.read).await.map_err(|e| Error::store("counting commands", e))
    }

    /// Drops commands that ended before `before`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_commands_before(&self, before: Millis) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        sqlx::query("DELETE FROM instance_commands WHERE ended_at < $1")
            .bind(before.0)
            .execute(&mut *turn)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| Error::store("dropping old commands", e))
    }

    /// Drops instances that were removed before `before`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_removed_before(&self, before: Millis) -> Result<u64, Error> {
        let mut turn = self.turn().await?;
        self.memory.forget();
        sqlx::query("DELETE FROM whatsapp_instances WHERE removed_at < $1")
            .bind(before.0)
            .execute(&mut *turn)
            .await
            .map(|done| done.rows_affected())
            .map_err(|e| Error::store("dropping removed instances", e))
    }
}

/// One that waits takes the newest number, so that an instance has a bounded number of commands, however often and with
/// however many numbers somebody asks. It stays the same row: whether it was begun before decides how it goes on.
const RENUMBER: &str = "UPDATE instance_commands SET number = $3 WHERE id = ( \
       SELECT MAX(id) FROM instance_commands WHERE session_id = $1 AND kind = $2 AND status = 'pending') \
     AND NOT EXISTS ( \
       SELECT 1 FROM instance_commands WHERE session_id = $1 AND kind = $2 AND number IS $3 \
       AND status IN ('pending', 'sent'))";

/// What was put off is due as soon as somebody wants it anew.
const INSERT: &str = "INSERT INTO instance_commands (session_id, kind, number, due_at, asked_at) \
     VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (session_id, kind, COALESCE(number, '')) WHERE status IN ('pending', 'sent') \
     DO UPDATE SET due_at = MIN(due_at, excluded.due_at)";

/// Commands kept of each kind and instance once they ended; the oldest give way.
const KEPT: i64 = 100;

const FORGET: &str = "DELETE FROM instance_commands WHERE ended_at IS NOT NULL AND id IN ( \
       SELECT o.id FROM instance_commands c JOIN instance_commands o ON o.session_id = c.session_id AND o.kind = c.kind \
       WHERE c.id = $1 ORDER BY o.id DESC LIMIT -1 OFFSET $2)";

pub(super) async fn order(db: &mut SqliteConnection, wanted: &[NewCommand], now: Millis) -> Result<(), sqlx::Error> {
    for command in wanted {
        sqlx::query(RENUMBER)
            .bind(command.session_id)
            .bind(command.kind.as_str())
            .bind(command.number.as_deref())
            .execute(&mut *db)
            .await?;
        sqlx::query(INSERT)
            .bind(command.session_id)
            .bind(command.kind.as_str())
            .bind(command.number.as_deref())
            .bind(command.due_at.0)
            .bind(now.0)
            .execute(&mut *db)
            .await?;
        if command.kind != Kind::Check {
            hurry(db, command).await?;
        }
    }
    Ok(())
}

/// Somebody waits: what was put off after a failure, and is in the way, is tried at once.
async fn hurry(db: &mut SqliteConnection, command: &NewCommand) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE instance_commands SET due_at = MIN(due_at, $1) \
         WHERE session_id = $2 AND status = 'pending' AND kind <> 'check'",
    )
    .bind(command.due_at.0)
    .bind(command.session_id)
    .execute(db)
    .await
    .map(|_| ())
}

pub(super) async fn settle(db: &mut SqliteConnection, settled: &[Settled], now: Millis) -> Result<(), sqlx::Error> {
    for Settled { command, end } in settled {
        let (status, due_at, note) = match end {
            End::Confirmed(note) => ("confirmed", None, note.as_ref()),
            End::Removed => ("confirmed", None, None),
            End::Unconfirmed(note) => ("unconfirmed", None, Some(note)),
            End::Later(due, note) => ("pending", Some(due.0), note.as_ref()),
        };
        sqlx::query(
            "UPDATE instance_commands SET status = $1, outcome = $2, advice = $3, due_at = COALESCE($4, due_at), \
             ended_at = CASE WHEN $4 IS NULL THEN $5 END, number = CASE WHEN $4 IS NULL THEN NULL ELSE number END \
             WHERE id = $6",
        )
        .bind(status)
        .bind(note.map(|note| note.code.as_str()))
        .bind(note.and_then(|note| note.advice.as_deref()))
        .bind(due_at)
        .bind(now.0)
        .bind(command)
        .execute(&mut *db)
        .await?;
        if due_at.is_none() {
            sqlx::query(FORGET).bind(command).bind(KEPT).execute(&mut *db).await?;
        }
    }
    Ok(())
}

#[derive(FromRow)]
struct CommandRow {
    id: i64,
    instance_name: String,
    user_id: String,
    kind: String,
    number: Option<String>,
    asked_at: i64,
    attempts: u32,
}

impl CommandRow {
    /// `None` for one that this version can't read: it stays claimed, and holds up only its own instance.
    fn readable(self) -> Option<Claimed> {
        let kind = Kind::parse(&self.kind);
        let named = InstanceName::parse(&self.instance_name).ok().zip(UserId::named_by_admin(&self.user_id).ok());
        let Some((kind, (instance, user))) = kind.zip(named) else {
            error!(command.id = self.id, "a command can't be read and is left alone");
            return None;
        };
        Some(Claimed {
            id: self.id,
            instance,
            user,
            kind,
            number: self.number,
            asked_at: Millis(self.asked_at),
            attempts: self.attempts,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::adapters::store::batch::{Changes, Lookups, NewInstance};
    use crate::domain::lifecycle::State;

    const NOW: Millis = Millis(1_000_000);

    /// A store with one instance, whose session is 1.
    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        let user = UserId::named_by_admin("ana").unwrap();
        let name = InstanceName::of_user(&user);
        let new = NewInstance { id: Uuid::from_u128(1), name, user, org: None, state: State::default() };
        let lookups = Lookups { make: vec![new], ..Lookups::default() };
        store.commit_batch(&lookups, NOW, |_| Changes::default()).await.unwrap();
        (folder, store)
    }

    async fn asked(store: &Store, kind: Kind, number: Option<&str>, due_at: Millis) {
        let wanted = [NewCommand { session_id: 1, kind, number: number.map(str::to_owned), due_at }];
        order(&mut store.turn().await.unwrap(), &wanted, NOW).await.unwrap();
    }

    async fn claimed(store: &Store, now: Millis) -> Vec<Kind> {
        store.claim_commands(now, 32).await.unwrap().into_iter().map(|claimed| claimed.kind).collect()
    }

    async fn open(store: &Store) -> Vec<(String, Option<String>)> {
        let sql = "SELECT status, number FROM instance_commands WHERE ended_at IS NULL ORDER BY id";
        sqlx::query_as(sql).fetch_all(&store.read).await.unwrap()
    }

    #[tokio::test]
    async fn of_the_numbers_asked_for_while_one_is_under_way_the_newest_waits() {
        let (_folder, store) = store().await;
        asked(&store, Kind::Connect, Some("1"), NOW).await;
        let under_way = store.claim_commands(NOW, 9).await.unwrap();

        for number in [Some("2"), None, Some("3"), Some("1")] {
            asked(&store, Kind::Connect, number, NOW).await;
        }
        let replaced = store.progress(1, Kind::Connect, Some("2")).await.unwrap();

        let row = |status: &str, number: &str| (status.to_owned(), Some(number.to_owned()));
        assert_eq!(under_way.len(), 1);
        assert_eq!(open(&store).await, [row("sent", "1"), row("pending", "3")]);
        assert_eq!(replaced, Some(Progress::Open), "who asked for another number shares its fate");
    }

    #[tokio::test]
    async fn what_an_earlier_run_left_behind_stays_two_however_many_numbers_follow() {
        let (_folder, store) = store().await;
        asked(&store, Kind::Connect, Some("1"), NOW).await;
        store.claim_commands(NOW, 9).await.unwrap();
        asked(&store, Kind::Connect, Some("2"), NOW).await;
        store.reopen_commands().await.unwrap();

        for number in ["3", "4", "1", "5"] {
            asked(&store, Kind::Connect, Some(number), NOW).await;
        }

        let left: Vec<Option<String>> = open(&store).await.into_iter().map(|(_, number)| number).collect();
        assert_eq!(left, [Some("1".to_owned()), Some("5".to_owned())]);
    }

    #[tokio::test]
    async fn a_look_that_is_due_in_half_an_hour_is_taken_sooner_when_there_is_a_new_reason_for_one() {
        let (_folder, store) = store().await;
        asked(&store, Kind::Check, None, NOW + Duration::from_mins(25)).await;
        asked(&store, Kind::Check, None, NOW + Duration::from_secs(2)).await;

        assert_eq!(claimed(&store, NOW + Duration::from_millis(1_999)).await, []);
        assert_eq!(claimed(&store, NOW + Duration::from_secs(2)).await, [Kind::Check]);
    }

    #[tokio::test]
    async fn what_is_in_the_way_of_a_new_command_is_tried_at_once() {
        let (_folder, store) = store().await;
        asked(&store, Kind::Remove, None, NOW + Duration::from_mins(5)).await;
        asked(&store, Kind::Connect, None, NOW).await;

        assert_eq!(claimed(&store, NOW).await, [Kind::Remove], "in their order");
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_an_hour_holds_no_command_up_for_an_hour() {
        let (_folder, store) = store().await;
        asked(&store, Kind::Unlink, None, NOW + Duration::from_secs(10)).await;

        assert_eq!(claimed(&store, NOW).await, []);
        assert_eq!(claimed(&store, NOW - Duration::from_hours(1)).await, [Kind::Unlink]);
    }

    #[tokio::test]
    async fn of_what_ended_the_newest_are_kept() {
        let (_folder, store) = store().await;
        for _ in 0..KEPT + 20 {
            asked(&store, Kind::Reconnect, None, NOW).await;
            let [claimed] = &store.claim_commands(NOW, 9).await.unwrap()[..] else { panic!("one is due") };
            let ended = [Settled { command: claimed.id, end: End::Confirmed(None) }];
            settle(&mut store.turn().await.unwrap(), &ended, NOW).await.unwrap();
        }

        let sql = "SELECT COUNT(*), MAX(id) FROM instance_commands";
        let kept: (i64, i64) = sqlx::query_as(sql).fetch_one(&store.read).await.unwrap();

        assert_eq!(kept, (KEPT, KEPT + 20));
    }
}
