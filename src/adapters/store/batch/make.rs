//! Making instances, with their channels, in the transaction that tells of them.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::NewInstance;
use crate::domain::ids::{InstanceName, OrgId};
use crate::domain::time::Millis;

/// Makes those that are not there, or were removed; an existing one joins the organisation that is named. Which were made.
pub(super) async fn instances(
    db: &mut SqliteConnection,
    wanted: &[NewInstance],
    now: Millis,
) -> Result<HashSet<InstanceName>, sqlx::Error> {
    let mut made = HashSet::new();
    for new in wanted {
        if insert(db, new, now).await? {
            made.insert(new.name.clone());
        } else if let Some(org) = &new.org {
            join(db, new, org).await?;
        }
        channel(db, "user", new.user.as_str()).await?;
        if let Some(org) = &new.org {
            channel(db, "org", org.as_str()).await?;
        }
    }
    Ok(made)
}

/// A name whose owner removed the instance is free for another one; what its former owner's row remembers is of no use
/// under another name.
const FREE: &str =
    "DELETE FROM whatsapp_instances WHERE instance_name = $1 AND user_id <> $2 AND removed_at IS NOT NULL";
/// Nothing where the user has an instance, or somebody else has the name.
const INSERT: &str = "INSERT INTO whatsapp_instances \
     (id, instance_name, user_id, organization_id, created_at, updated_at, state, status, status_reason) \
     VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (user_id) DO UPDATE SET \
     removed_at = NULL, id = excluded.id, organization_id = excluded.organization_id, created_at = excluded.created_at, \
     updated_at = excluded.updated_at, connected_at = NULL, auto_reconnect = 1, reconnect_attempts = 0, \
     last_reconnect_at = NULL, instance_name = excluded.instance_name, \
     state = CASE WHEN instance_name = excluded.instance_name THEN state ELSE excluded.state END \
     WHERE removed_at IS NOT NULL AND NOT EXISTS ( \
       SELECT 1 FROM whatsapp_instances o WHERE o.instance_name = excluded.instance_name AND o.user_id <> excluded.user_id) \
     ON CONFLICT (instance_name) DO NOTHING";

async fn insert(db: &mut SqliteConnection, new: &NewInstance, now: Millis) -> Result<bool, sqlx::Error> {
    let view = new.state.view(now);
    let state = serde_json::to_string(&new.state).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(FREE).bind(new.name.as_str()).bind(new.user.as_str()).execute(&mut *db).await?;
    let inserted = sqlx::query(INSERT)
        .bind(new.id.to_string())
        .bind(new.name.as_str())
        .bind(new.user.as_str())
        .bind(new.org.as_ref().map(OrgId::as_str))
        .bind(now.0)
        .bind(state)
        .bind(view.status.as_str())
        .bind(view.reason)
        .execute(db)
        .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn join(db: &mut SqliteConnection, new: &NewInstance, org: &OrgId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE whatsapp_instances SET organization_id = $1 \
               WHERE user_id = $2 AND instance_name = $3 AND organization_id IS NOT $1";
    sqlx::query(sql).bind(org.as_str()).bind(new.user.as_str()).bind(new.name.as_str()).execute(db).await.map(|_| ())
}

async fn channel(db: &mut SqliteConnection, kind: &str, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO channels (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(kind)
        .bind(name)
        .execute(db)
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::adapters::store::Store;
    use crate::adapters::store::batch::{Changes, Lookups};
    use crate::domain::ids::UserId;
    use crate::domain::lifecycle::State;

    async fn make(store: &Store, org: &str) -> i64 {
        let user = UserId::named_by_admin("ana").unwrap();
        let new = NewInstance {
            id: Uuid::from_u128(1),
            name: InstanceName::of_user(&user),
            user,
            org: Some(OrgId::named_by_admin(org).unwrap()),
            state: State::default(),
        };
        let rows_written = "SELECT total_changes()";
        let before: i64 = sqlx::query_scalar(rows_written).fetch_one(&store.write).await.unwrap();
        let lookups = Lookups { make: vec![new], ..Lookups::default() };
        store.commit_batch(&lookups, Millis(0), |_| Changes::default()).await.unwrap();
        let after: i64 = sqlx::query_scalar(rows_written).fetch_one(&store.write).await.unwrap();
        after - before
    }

    #[tokio::test]
    async fn an_instance_that_is_there_is_written_only_when_its_organisation_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("zapgate.db")).await.unwrap();
        make(&store, "acme").await;

        let written = (make(&store, "acme").await, make(&store, "other").await, make(&store, "other").await);

        // The change is of the row, and of a channel that was not there.
        assert_eq!(written, (0, 2, 0));
    }
}
