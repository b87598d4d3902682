//! One group commit: what the batch needs to know is read, a pure decision is taken, and all of it is written, in one
//! transaction that never leaves this room. Multi-row statements, since what costs is the number of calls.

mod known;
mod make;
mod memory;
mod script;
mod write;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use sqlx::SqliteConnection;
use uuid::Uuid;

use self::known::Dedupe;
pub(super) use self::memory::Memories;
use self::memory::Memory;
use self::script::Script;
use super::Store;
use super::aside::QuarantineSize;
use super::transaction::rollback;
use crate::domain::command::Kind;
use crate::domain::entry::Entry;
use crate::domain::error::Error;
use crate::domain::event::EventName;
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::instance::Qr;
use crate::domain::lifecycle::State;
use crate::domain::procedure::End;
use crate::domain::time::Millis;
use crate::domain::webhook::Keep;

/// The identity of an event: see [`crate::domain::webhook::Identity`].
pub type Key = [u8; 16];

/// What a batch wants to be there and to know before it decides.
#[derive(Debug, Default)]
pub struct Lookups {
    /// Instances that must exist.
    pub make: Vec<NewInstance>,
    pub names: Vec<InstanceName>,
    /// Identities kept as long as their log row.
    pub with_entry: Vec<Key>,
    /// Identities kept 48 hours.
    pub recent: Vec<Key>,
    /// Days since the epoch, UTC.
    pub today: i64,
}

/// An instance to make, unless its user has one.
#[derive(Clone, Debug)]
pub struct NewInstance {
    pub id: Uuid,
    pub name: InstanceName,
    pub user: UserId,
    /// The organisation it joins; `None` leaves it where it is.
    pub org: Option<OrgId>,
    pub state: State,
}

/// What the store knows of it.
#[derive(Debug, Default)]
pub struct Known {
    /// Those of the instances to make that were not there.
    pub made: HashSet<InstanceName>,
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
    /// The count of the code in the row.
    pub shown: Option<u32>,
    /// What the batch does to the code in the row.
    pub shown_change: ShownChange,
    pub wake_at: Option<Millis>,
    /// The state, or what follows from it, changed.
    pub touched: bool,
    /// It is gone at Evolution, and goes here too.
    pub removed: bool,
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
    /// What the quarantine grew by: less than `quarantined` where it had something already. Known after the commit.
    pub quarantine_grew: QuarantineSize,
    /// Rows of the quarantine that the batch turned into log rows.
    pub released: Vec<i64>,
    pub subjects: Vec<Subject>,
    pub ordered: Vec<NewCommand>,
    pub settled: Vec<Settled>,
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

/// A command to write, unless the same one is open already.
#[derive(Clone)]
pub struct NewCommand {
    pub session_id: i64,
    pub kind: Kind,
    /// Digits with country code.
    pub number: Option<String>,
    pub due_at: Millis,
}

/// Names no number.
impl std::fmt::Debug for NewCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCommand")
            .field("session_id", &self.session_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What became of a command.
#[derive(Clone, Debug)]
pub struct Settled {
    pub command: i64,
    pub end: End,
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

impl Quarantined {
    /// Bytes of its body.
    pub fn size(&self) -> i64 {
        i64::try_from(self.body.len()).unwrap_or(i64::MAX)
    }
}

/// Why nothing of a batch was stored.
#[derive(Debug)]
pub enum Refusal {
    /// The database takes nothing now: another process has locked it, or the disk is full or fails. Nothing in the
    /// batch is at fault, and no part of it would fare better alone.
    Closed(Error),
    /// Something in it may be at fault.
    Failed(Error),
}

impl Refusal {
    fn of(cause: sqlx::Error) -> Self {
        // SQLITE_BUSY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN; extended codes have them in their lowest byte.
        let code = cause.as_database_error().and_then(|e| e.code()?.parse::<i32>().ok());
        let closed = code.is_some_and(|code| matches!(code & 0xff, 5 | 10 | 13 | 14));
        let error = Error::store("committing a batch", cause);
        if closed { Self::Closed(error) } else { Self::Failed(error) }
    }
}

/// Why a batch could not be written.
enum Fault {
    /// An identity is in the table that was not looked up there.
    SeenBefore,
    Refused(Refusal),
}

impl From<sqlx::Error> for Fault {
    fn from(cause: sqlx::Error) -> Self {
        Self::Refused(Refusal::of(cause))
    }
}

impl Store {
    /// Commits one batch. Nothing of it is stored when this fails. `decide` is asked again when it turns out that more
    /// has to be known; what it decided before is then void.
    ///
    /// # Errors
    /// [`Refusal`], always of [`Error::Store`].
    pub async fn commit_batch(
        &self,
        lookups: &Lookups,
        now: Millis,
        mut decide: impl FnMut(Known) -> Changes,
    ) -> Result<Changes, Refusal> {
        match self.try_batch(lookups, now, Dedupe::ByMemory, &mut decide).await {
            Err(Fault::SeenBefore) => {}
            Err(Fault::Refused(refusal)) => return Err(refusal),
            Ok(changes) => return Ok(changes),
        }
        self.try_batch(lookups, now, Dedupe::ByTable, &mut decide).await.map_err(|fault| match fault {
            Fault::Refused(refusal) => refusal,
            Fault::SeenBefore => Refusal::Failed(Error::Internal("an identity is there and can't be found")),
        })
    }

    async fn try_batch(
        &self,
        lookups: &Lookups,
        now: Millis,
        dedupe: Dedupe,
        decide: &mut impl FnMut(Known) -> Changes,
    ) -> Result<Changes, Fault> {
        let closed = |e| Fault::Refused(Refusal::Closed(Error::store("taking the writing connection", e)));
        // Held until the memory is given back, so that nobody writes in between what it does not know.
        let mut connection = self.write.acquire().await.map_err(closed)?;
        let mut memory = self.memory.take();
        let open = self.transaction.open();
        let written = write_batch(&mut connection, lookups, now, dedupe, &mut memory, decide).await;
        let mut changes = match written {
            Ok(changes) => changes,
            Err(fault) => {
                rollback(&mut connection).await;
                open.close();
                return Err(fault);
            }
        };
        open.close();
        memory.learn(&mut changes);
        self.memory.give_back(memory);
        self.written.notify_one();
        Ok(changes)
    }
}

async fn write_batch(
    db: &mut SqliteConnection,
    lookups: &Lookups,
    now: Millis,
    dedupe: Dedupe,
    memory: &mut Memory,
    decide: &mut impl FnMut(Known) -> Changes,
) -> Result<Changes, Fault> {
    let mut script = Script::default();
    script.add("BEGIN IMMEDIATE");
    let mut made = HashSet::new();
    if !lookups.make.is_empty() {
        script.run(db).await?;
        memory.forget(&lookups.make);
        made = make::instances(db, &lookups.make, now).await?;
    }
    let known = known::read(db, lookups, memory, dedupe).await.map_err(|e| Fault::Refused(Refusal::Failed(e)))?;
    let mut changes = decide(Known { made, ..known });
    let written = write::all(db, script, &changes, lookups.today).await;
    changes.quarantine_grew = written.map_err(|e| match e.as_database_error() {
        Some(fault) if fault.is_unique_violation() && dedupe == Dedupe::ByMemory => Fault::SeenBefore,
        _ => e.into(),
    })?;
    Ok(changes)
}
