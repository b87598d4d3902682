//! Evolution's JSON as it was seen, and what it means here. Unknown and missing members pass.

use secrecy::SecretString;
use serde::Deserialize;
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
        return match connection(answer)? {
            Connection::Open => Ok(ConnectAnswer::Open),
            _ => Ok(ConnectAnswer::Pairing { has_code: false }),
        };
    }
    if !answer.is_object() {
        return Err(Failure::NotEvolution("its answer to connect is none"));
    }
    let told = |name: &str| answer[name].as_str().is_some_and(|text| !text.is_empty());
    Ok(ConnectAnswer::Pairing { has_code: told("code") || told("pairingCode") })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowJson {
    name: String,
    connection_status: Option<String>,
    token: Option<SecretString>,
    owner_jid: Option<String>,
    profile_name: Option<String>,
}

/// An array of rows. One that this gateway could not address is left out.
pub(super) fn rows(answer: Value) -> Result<Vec<Row>, Failure> {
    let Value::Array(items) = answer else { return Err(Failure::NotEvolution("it lists no instances")) };
    let rows = items.into_iter().filter_map(|item| serde_json::from_value::<RowJson>(item).ok());
    Ok(rows.filter_map(row).collect())
}

fn row(json: RowJson) -> Option<Row> {
    let phone = json.owner_jid.as_deref().map(phone_of).filter(|phone| !phone.is_empty());
    Some(Row {
        name: InstanceName::parse(&json.name).ok()?,
        status: json.connection_status.as_deref().and_then(state_named).unwrap_or(Connection::Close),
        token: json.token,
        phone_number: phone.map(str::to_owned),
        profile_name: json.profile_name,
    })
}

/// `5511900000001:7@s.whatsapp.net` → `5511900000001`.
fn phone_of(jid: &str) -> &str {
    jid.split(['@', ':']).next().unwrap_or_default()
}
