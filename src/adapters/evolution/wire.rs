//! Evolution's JSON as it was seen, and what it means here. Unknown and missing members pass.

use secrecy::SecretString;
use serde_json::Value;

use crate::domain::evolution::{ConnectAnswer, Connection, Failure, Row};
use crate::domain::ids::InstanceName;

/// `{"instance":{"instanceName":…,"state":…}}`; without a state it is not in memory (§5.8).
pub(super) fn connection(answer: &Value) -> Result<Connection, Failure> {
    let instance = answer["instance"].as_object().ok_or(Failure::NotEvolution("it tells no state"))?;
    match instance.get("state") {
        None | Some(Value::Null) => Ok(Connection::Unloaded),
        Some(state) => state.as_str().and_then(state_named).ok_or(Failure::NotEvolution("it tells an unknown state")),
    }
}

pub(super) fn state_named(name: &str) -> Option<Connection> {
    match name {
        "open" => Some(Connection::Open),
        "connecting" => Some(Connection::Connecting),
        // `refused` is what the end of codes leaves behind (§5.4).
        "close" | "closed" | "refused" => Some(Connection::Close),
        _ => None,
    }
}

/// Its three shapes (§6.3).
pub(super) fn connect_answer(answer: &Value) -> Result<ConnectAnswer, Failure> {
    if answer["error"] == Value::Bool(true) {
        return Ok(ConnectAnswer::Failed);
    }
    if answer["instance"].is_object() {
        return Ok(match connection(answer)? {
            Connection::Open => ConnectAnswer::Open,
            // It is not in memory, so that nothing was begun (§5.8).
            Connection::Unloaded => ConnectAnswer::Failed,
            _ => ConnectAnswer::Pairing { has_code: false },
        });
    }
    if !answer.is_object() {
        return Err(Failure::NotEvolution("its answer to connect is none"));
    }
    let told = |name: &str| answer[name].as_str().is_some_and(|text| !text.is_empty());
    Ok(ConnectAnswer::Pairing { has_code: told("code") || told("pairingCode") })
}

/// An array of rows. One that this gateway could not address is left out; one without a name makes the list unreadable,
/// since an instance that is missing in it counts as gone.
pub(super) fn rows(answer: &Value) -> Result<Vec<Row>, Failure> {
    let items = answer.as_array().ok_or(Failure::NotEvolution("it lists no instances"))?;
    items.iter().filter_map(|item| row(item).transpose()).collect()
}

fn row(item: &Value) -> Result<Option<Row>, Failure> {
    // Before 2.0 each was wrapped, and its members had other names.
    let row = if item["instance"].is_object() { &item["instance"] } else { item };
    let text = |names: [&str; 2]| names.into_iter().find_map(|name| row[name].as_str());
    let name = text(["name", "instanceName"]).ok_or(Failure::NotEvolution("its list of instances is unreadable"))?;
    let Ok(name) = InstanceName::parse(name) else { return Ok(None) };
    Ok(Some(Row {
        name,
        status: text(["connectionStatus", "status"]).and_then(state_named).unwrap_or(Connection::Close),
        token: text(["token", "apikey"]).map(SecretString::from),
        phone_number: text(["ownerJid", "owner"]).and_then(phone_of).map(str::to_owned),
        profile_name: row["profileName"].as_str().map(str::to_owned),
    }))
}

/// `5511900000001:7@s.whatsapp.net` → `5511900000001`. A LID is no phone's number.
fn phone_of(jid: &str) -> Option<&str> {
    let user = jid.strip_suffix("@s.whatsapp.net")?;
    user.split(':').next().filter(|phone| !phone.is_empty())
}

/// An object without the members that are `null`: they are as good as missing.
pub(super) fn without_nulls(mut answer: Value) -> Value {
    if let Some(members) = answer.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    answer
}

/// Unix seconds: a number, digits, or a 64-bit number in two halves (§4.1).
pub(super) fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        Value::Object(halves) => {
            let half = |name: &str| halves.get(name).and_then(Value::as_i64);
            Some((half("high")? << 32) + half("low")?.rem_euclid(1 << 32))
        }
        other => other.as_i64(),
    }
}
