//! Making instances, with their channels, in the transaction that tells of them.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::NewInstance;
use crate::domain::ids::{InstanceName, OrgId};
use crate::domain::time::Millis;

/// Makes those that are not there; an existing one joins the organisation that is named. Which were made.
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

async fn insert(db: &mut SqliteConnection, new: &NewInstance, now: Millis) -> Result<bool, sqlx::Error> {
    let view = new.state.view(now);
    let state = serde_json::to_string(&new.state).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let inserted = sqlx::query(
        "INSERT INTO whatsapp_instances \
         (id, instance_name, user_id, organization_id, created_at, updated_at, state, status, status_reason) \
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (user_id) DO NOTHING",
    )
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
    sqlx::query("UPDATE whatsapp_instances SET organization_id = $1 WHERE user_id = $2")
        .bind(org.as_str())
        .bind(new.user.as_str())
        .execute(db)
        .await
        .map(|_| ())
}

async fn channel(db: &mut SqliteConnection, kind: &str, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO channels (kind, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(kind)
        .bind(name)
        .execute(db)
        .await
        .map(|_| ())
}
