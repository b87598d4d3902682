//! `/instance/…` (§6.3).

use std::time::Duration;

use serde_json::{Value, json};

use super::Asked;
use crate::simulator::answers::{self, Reply};
use crate::simulator::checks;
use crate::simulator::world::{Created, Instance, Pairing};

pub(super) async fn create(asked: &Asked<'_>) -> Reply {
    if let Some(refused) = checks::create(&asked.body) {
        return refused;
    }
    let made = asked.engine.with(|world, now| world.create(asked.body.clone(), now)).await;
    match made {
        Ok(Created::Refused(reply)) => reply,
        Ok(Created::Made { mut body, coded }) => {
            if let Some(name) = coded {
                // A fixed sleep of Evolution's, in which the first code comes (§5.1).
                pause(asked, asked.engine.look(|world| world.latencies.create_with_code)).await;
                body["qrcode"] = asked.engine.look(|world| world.code_answer(&name));
            }
            Reply::new(201, body)
        }
        // The process died over it.
        Err(_) => answers::error(500, "Internal Server Error", json!(["Internal server error"])),
    }
}

pub(super) async fn connect(asked: &Asked<'_>, name: &str) -> Reply {
    let number = asked.query("number").map(str::to_owned);
    match asked.engine.with(|world, now| world.connect(name, number, now)) {
        Pairing::Now(reply) => reply,
        Pairing::Later => {
            pause(asked, asked.engine.look(|world| world.latencies.connect)).await;
            Reply::new(200, asked.engine.look(|world| world.code_answer(name)))
        }
    }
}

async fn pause(asked: &Asked<'_>, wait: Duration) {
    drop(asked.engine.time.until(asked.engine.time.now() + wait).await);
}

pub(super) fn state(asked: &Asked<'_>, name: &str) -> Reply {
    asked.engine.look(|world| match world.instance(name) {
        None => answers::no_instance(name),
        Some(instance) => answers::connection(name, instance.memory.as_ref().map(|memory| memory.state)),
    })
}

/// Newest first. An instance's token sees its own rows only.
pub(super) fn rows(asked: &Asked<'_>) -> Reply {
    let (name, id, number) = (asked.query("instanceName"), asked.query("instanceId"), asked.query("number"));
    let fits = |instance: &&Instance| {
        (asked.has_global_key() || instance.token == asked.key)
            && name.is_none_or(|name| name == instance.name)
            && id.is_none_or(|id| id == instance.id)
            && number.is_none_or(|number| instance.row.owner.as_deref().is_some_and(|owner| owner.starts_with(number)))
    };
    let rows: Vec<Value> = asked.engine.look(|world| {
        let mut found: Vec<&Instance> = world.instances().filter(fits).collect();
        found.sort_by_key(|instance| std::cmp::Reverse(instance.row.created_at));
        found.into_iter().map(|instance| answers::row(instance, &asked.engine.client_name)).collect()
    });
    match name.or(id) {
        Some(wanted) if rows.is_empty() => answers::not_found(wanted),
        _ => Reply::new(200, Value::Array(rows)),
    }
}
