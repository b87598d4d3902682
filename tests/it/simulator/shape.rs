//! What two pieces of JSON have in common when their values are left out: keys and types.

use std::collections::BTreeSet;

use serde_json::Value;

/// The shape as text. Bytes, which come as objects of numbers, are one type; a list is the set of its members' shapes.
pub fn of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(list) => {
            let members: BTreeSet<String> = list.iter().map(of).collect();
            format!("[{}]", members.into_iter().collect::<Vec<_>>().join(" | "))
        }
        Value::Object(fields) if fields.contains_key("0") => "bytes".into(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", of(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
