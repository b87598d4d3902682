//! `/webhook/…`, `/settings/…`, `/proxy/…` (§6.4).

use serde_json::{Map, Value, json};

use super::Asked;
use super::route::Part;
use crate::domain::time::Millis;
use crate::simulator::answers::{self, Reply};
use crate::simulator::checks::{self, SETTINGS};
use crate::simulator::world::World;

pub(super) fn find(asked: &Asked<'_>, part: Part, name: &str) -> Reply {
    let found = asked.engine.look(|world| {
        let instance = world.instance(name)?;
        Some(match part {
            Part::Webhook => instance.webhook.as_ref().map(|webhook| answers::webhook(webhook, &instance.id)),
            Part::Settings => Some(json!(instance.setting.values)),
            Part::Proxy => instance.proxy.clone(),
        })
    });
    found.map_or_else(|| answers::no_instance(name), |found| Reply::new(200, found.unwrap_or_default()))
}

pub(super) fn set(asked: &Asked<'_>, part: Part, name: &str) -> Reply {
    let refused = match part {
        Part::Webhook => checks::webhook(&asked.body),
        Part::Settings => checks::required(&asked.body, &SETTINGS),
        Part::Proxy => checks::required(&asked.body, &["enabled", "host", "port", "protocol"]),
    };
    if let Some(refused) = refused {
        return refused;
    }
    asked.engine.with(|world, now| match part {
        Part::Webhook => set_webhook(world, &asked.body["webhook"], name, now),
        Part::Settings => set_settings(world, &asked.body, name, now),
        Part::Proxy => set_proxy(world, &asked.body, name, now),
    })
}

fn set_webhook(world: &mut World, wanted: &Value, name: &str, now: Millis) -> Reply {
    let set = world.set_webhook(name, wanted, now);
    let id = world.instance(name).map(|instance| instance.id.clone()).unwrap_or_default();
    set.map_or_else(|| answers::no_instance(name), |webhook| Reply::new(201, answers::webhook(&webhook, &id)))
}

fn set_settings(world: &mut World, wanted: &Value, name: &str, now: Millis) -> Reply {
    let Some(instance) = world.instance_mut(name) else { return answers::no_instance(name) };
    let mut given = Map::new();
    for key in SETTINGS.into_iter().chain(["msgCall", "wavoipToken"]) {
        if let Some(value) = wanted.get(key) {
            given.insert(key.to_owned(), value.clone());
            instance.setting.values.insert(key.to_owned(), value.clone());
        }
    }
    instance.setting.updated_at = now;
    Reply::new(201, json!({"settings": {"instanceName": name, "settings": given}}))
}

/// A proxy that is switched on is tried, and none is reachable from here; one that is switched off is blanked.
fn set_proxy(world: &mut World, wanted: &Value, name: &str, now: Millis) -> Reply {
    if wanted["enabled"] == json!(true) && wanted["host"] != json!("proxy.test") {
        return answers::bad_request(json!(["Invalid proxy"]));
    }
    let row_id = world.dice.row_id();
    let Some(instance) = world.instance_mut(name) else { return answers::no_instance(name) };
    let is_on = wanted["enabled"] == json!(true);
    let text = |field: &str| if is_on { wanted[field].as_str().unwrap_or_default().to_owned() } else { String::new() };
    let shown = json!({
        "enabled": is_on, "host": text("host"), "port": text("port"), "protocol": text("protocol"),
        "username": text("username"), "password": text("password"),
    });
    let mut row = shown.clone();
    row["id"] = json!(row_id);
    row["createdAt"] = json!(now.to_string());
    row["updatedAt"] = json!(now.to_string());
    row["instanceId"] = json!(instance.id);
    instance.proxy = Some(row);
    Reply::new(201, json!({"proxy": {"instanceName": name, "proxy": shown}}))
}
