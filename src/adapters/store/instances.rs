//! Reading the table of instances. The ingest batches (`batch.rs`) write it, whose decisions it holds; retention clears
//! expired codes from it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sqlx::{Executor, FromRow, Sqlite, SqliteConnection};
use tracing::error;
use uuid::Uuid;

use super::Store;
use crate::domain::error::{Cause, Error};
use crate::domain::ids::{InstanceName, OrgId, UserId};
use crate::domain::instance::{Instance, Qr};
use crate::domain::lifecycle::State;
use crate::domain::time::Millis;

macro_rules! instance_columns {
    () => {
        instance_columns!("qr_code")
    };
    ($picture:literal) => {
        concat!(
            "SELECT session_id, id, instance_name, user_id, organization_id, ",
            $picture,
            " AS qr_code, qr, state, auto_reconnect, reconnect_attempts, last_reconnect_at, created_at, connected_at, \
             updated_at FROM whatsapp_instances WHERE removed_at IS NULL AND "
        )
    };
}

const OF_USER: &str = concat!(instance_columns!(), "user_id = $1");
const NAMED: &str = concat!(instance_columns!(), "instance_name = $1");
const BY_ID: &str = concat!(instance_columns!(), "id = $1");
const BY_SESSION: &str = concat!(instance_columns!(), "session_id = $1");
/// Pictures are large: none is read for those who are not shown it.
const PAGE: &str = concat!(
    instance_columns!("CASE WHEN $4 THEN qr_code END"),
    "session_id > $1 AND ($2 IS NULL OR organization_id = $2) ORDER BY session_id LIMIT $3"
);

impl Store {
    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_of(&self, user: &UserId) -> Result<Option<Instance>, Error> {
        one(&self.read, OF_USER, user.as_str()).await
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_named(&self, name: &InstanceName) -> Result<Option<Instance>, Error> {
        one(&self.read, NAMED, name.as_str()).await
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_with_id(&self, id: Uuid) -> Result<Option<Instance>, Error> {
        one(&self.read, BY_ID, &id.to_string()).await
    }

    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_with_session(&self, session: i64) -> Result<Option<Instance>, Error> {
        let row: Option<InstanceRow> = sqlx::query_as(BY_SESSION)
            .bind(session)
            .fetch_optional(&self.read)
            .await
            .map_err(|e| Error::store("reading one instance", e))?;
        row.map(Instance::try_from).transpose()
    }

    /// Users whose instance has a name of another form than `user_<id>`, with that name.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn adopted_names(&self) -> Result<Vec<(UserId, InstanceName)>, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT user_id, instance_name FROM whatsapp_instances WHERE instance_name <> 'user_' || user_id",
        )
        .fetch_all(&self.read)
        .await
        .map_err(|e| Error::store("reading adopted names", e))?;
        let readable = rows.into_iter().filter_map(|(user, name)| {
            let parsed = UserId::named_by_admin(&user).and_then(|user| Ok((user, InstanceName::parse(&name)?)));
            parsed.inspect_err(|_| warn_of_broken(&name)).ok()
        });
        Ok(readable.collect())
    }

    /// What is known of an instance, removed or not.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn state_of(&self, name: &InstanceName) -> Result<Option<State>, Error> {
        let json: Option<String> = sqlx::query_scalar("SELECT state FROM whatsapp_instances WHERE instance_name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.read)
            .await
            .map_err(|e| Error::store("reading an instance's state", e))?;
        // What can't be read begins anew, here as in the batches.
        Ok(json.map(|json| serde_json::from_str(&json).unwrap_or_default()))
    }

    /// The names of all instances that have an owner.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn instance_names(&self) -> Result<HashSet<String>, Error> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT instance_name FROM whatsapp_instances WHERE removed_at IS NULL")
                .fetch_all(&self.read)
                .await
                .map_err(|e| Error::store("reading the instances' names", e))?;
        Ok(names.into_iter().collect())
    }

    /// Instances per status; of one organisation or of all.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn status_totals(&self, org: Option<&OrgId>) -> Result<BTreeMap<String, i64>, Error> {
        let mut db = self.read.acquire().await.map_err(|e| Error::store("counting instances", e))?;
        totals(&mut db, org).await
    }

    /// Switches the automatic reconnect of an instance. Whether there is such an instance.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn set_auto_reconnect(&self, id: Uuid, wanted: bool, now: Millis) -> Result<bool, Error> {
        let mut turn = self.turn().await?;
        let sql = "UPDATE whatsapp_instances SET auto_reconnect = $1, updated_at = MAX(updated_at, $2) \
                   WHERE id = $3 AND removed_at IS NULL";
        sqlx::query(sql)
            .bind(wanted)
            .bind(now.0)
            .bind(id.to_string())
            .execute(&mut *turn)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(|e| Error::store("changing an instance", e))
    }

    /// Instances that wanted to be woken by `now`, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn due_wakes(&self, now: Millis, limit: i64) -> Result<Vec<String>, Error> {
        sqlx::query_scalar("SELECT instance_name FROM whatsapp_instances WHERE wake_at <= $1 ORDER BY wake_at LIMIT $2")
            .bind(now.0)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .map_err(|e| Error::store("reading what is due", e))
    }

    /// Instances after the session id `after`, by session id; of one organisation or of all. A row that can't be read
    /// is left out. Without `pictures`, codes come without theirs.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn instances(
        &self,
        org: Option<&OrgId>,
        after: i64,
        limit: i64,
        pictures: bool,
    ) -> Result<Vec<Instance>, Error> {
        let mut db = self.read.acquire().await.map_err(|e| Error::store("listing instances", e))?;
        page(&mut db, org, after, limit, pictures).await
    }
}

/// Instances per status; of one organisation or of all.
pub(super) async fn totals(db: &mut SqliteConnection, org: Option<&OrgId>) -> Result<BTreeMap<String, i64>, Error> {
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT status, COUNT(*) FROM whatsapp_instances \
         WHERE removed_at IS NULL AND ($1 IS NULL OR organization_id = $1) GROUP BY status",
    )
    .bind(org.map(OrgId::as_str))
    .fetch_all(db)
    .await
    .map_err(|e| Error::store("counting instances", e))?;
    Ok(counts.into_iter().collect())
}

pub(super) async fn one<'c>(
    db: impl Executor<'c, Database = Sqlite>,
    sql: &'static str,
    key: &str,
) -> Result<Option<Instance>, Error> {
    let row: Option<InstanceRow> =
        sqlx::query_as(sql).bind(key).fetch_optional(db).await.map_err(|e| Error::store("reading one instance", e))?;
    row.map(Instance::try_from).transpose()
}

pub(super) async fn of_user<'c>(
    db: impl Executor<'c, Database = Sqlite>,
    user: &UserId,
) -> Result<Option<Instance>, Error> {
    one(db, OF_USER, user.as_str()).await
}

/// See [`Store::instances`]. Fewer than `limit` only when no more follow, however many were left out.
pub(super) async fn page(
    db: &mut SqliteConnection,
    org: Option<&OrgId>,
    after: i64,
    limit: i64,
    pictures: bool,
) -> Result<Vec<Instance>, Error> {
    let mut after = after;
    let mut room = limit;
    let mut found = Vec::new();
    while room > 0 {
        let rows: Vec<InstanceRow> = sqlx::query_as(PAGE)
            .bind(after)
            .bind(org.map(OrgId::as_str))
            .bind(room)
            .bind(pictures)
            .fetch_all(&mut *db)
            .await
            .map_err(|e| Error::store("listing instances", e))?;
        let Some(last) = rows.last() else { break };
        after = last.session_id;
        for row in rows {
            let name = row.instance_name.clone();
            match Instance::try_from(row) {
                Ok(instance) => {
                    found.push(instance);
                    room -= 1;
                }
                Err(_) => warn_of_broken(&name),
            }
        }
    }
    Ok(found)
}

/// The cause is not told: it may quote the row.
fn warn_of_broken(name: &str) {
    error!(instance.name = name, "an instance's row can't be read and is left out of a list");
}

/// The column `qr`: all of a code but its picture, which is large and seldom needed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QrColumn {
    hash: String,
    code: Option<String>,
    pairing_code: Option<String>,
    count: u32,
    expires_at: Millis,
}

impl QrColumn {
    pub(super) fn of(qr: &Qr) -> Self {
        Self {
            hash: qr.hash.clone(),
            code: qr.code.clone(),
            pairing_code: qr.pairing_code.clone(),
            count: qr.count,
            expires_at: qr.expires_at,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn with_image(self, image: Option<String>) -> Qr {
        Qr {
            hash: self.hash,
            image,
            code: self.code,
            pairing_code: self.pairing_code,
            count: self.count,
            expires_at: self.expires_at,
        }
    }
}

#[derive(FromRow)]
struct InstanceRow {
    session_id: i64,
    id: String,
    instance_name: String,
    user_id: String,
    organization_id: Option<String>,
    qr_code: Option<String>,
    qr: Option<String>,
    state: String,
    auto_reconnect: bool,
    reconnect_attempts: u32,
    last_reconnect_at: Option<i64>,
    created_at: i64,
    connected_at: Option<i64>,
    updated_at: i64,
}

impl TryFrom<InstanceRow> for Instance {
    type Error = Error;

    fn try_from(row: InstanceRow) -> Result<Self, Error> {
        let broken = |e: Cause| Error::store("reading an instance's row", e);
        let qr: Option<QrColumn> =
            row.qr.map(|json| serde_json::from_str(&json)).transpose().map_err(|e| broken(e.into()))?;
        Ok(Self {
            id: row.id.parse::<Uuid>().map_err(|e| broken(e.into()))?,
            session_id: row.session_id,
            name: InstanceName::parse(&row.instance_name).map_err(|e| broken(e.into()))?,
            user: UserId::named_by_admin(&row.user_id).map_err(|e| broken(e.into()))?,
            org: row.organization_id.map(|o| OrgId::named_by_admin(&o)).transpose().map_err(|e| broken(e.into()))?,
            state: serde_json::from_str(&row.state).map_err(|e| broken(e.into()))?,
            qr: qr.map(|qr| qr.with_image(row.qr_code)),
            auto_reconnect: row.auto_reconnect,
            reconnect_attempts: row.reconnect_attempts,
            last_reconnect_at: row.last_reconnect_at.map(Millis),
            created_at: Millis(row.created_at),
            connected_at: row.connected_at.map(Millis),
            updated_at: Millis(row.updated_at),
        })
    }
}
