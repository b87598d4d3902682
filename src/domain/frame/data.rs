//! Writing a frame's `data` member by member: values of the webhook are spliced in as they were written, so that no
//! text is harmed on the way.

use crate::domain::ids::InstanceName;
use crate::domain::json::Json;

/// A JSON object under construction; begins with `instanceName`.
pub(super) struct Data(String);

impl Data {
    pub(super) fn of(instance: &InstanceName) -> Self {
        let mut json = String::with_capacity(256);
        json.push_str("{\"instanceName\":");
        push_quoted(&mut json, instance.as_str());
        Self(json)
    }

    /// A value as it was written; `null` when there is none.
    pub(super) fn raw(mut self, name: &str, value: Option<Json<'_>>) -> Self {
        self.member(name, value.map_or("null", Json::raw));
        self
    }

    /// As [`Data::raw`], but only a string counts.
    pub(super) fn string(self, name: &str, value: Option<Json<'_>>) -> Self {
        self.raw(name, value.filter(|value| value.is_string()))
    }

    /// As [`Data::string`], but the member is left out when there is nothing to say.
    pub(super) fn string_if_any(self, name: &str, value: Option<Json<'_>>) -> Self {
        match value.filter(|value| value.is_string() && value.raw() != "\"\"") {
            Some(value) => self.raw(name, Some(value)),
            None => self,
        }
    }

    pub(super) fn text(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => {
                self.name(name);
                push_quoted(&mut self.0, value);
            }
            None => self.member(name, "null"),
        }
        self
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.member(name, if value { "true" } else { "false" });
        self
    }

    pub(super) fn number(mut self, name: &str, value: Option<u64>) -> Self {
        self.member(name, &value.map_or_else(|| "null".into(), |value| value.to_string()));
        self
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn member(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    fn name(&mut self, name: &str) {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
    }
}

/// Appends `text` as a JSON string.
pub(super) fn push_quoted(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        json.push_str(&serde_json::Value::from(text).to_string());
    } else {
        json.push('"');
        json.push_str(text);
        json.push('"');
    }
}
