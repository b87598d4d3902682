//! `GET /metrics`: the state of all instances in memory, in one cheap call (§6.2).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Evolution;
use super::request::Request;
use super::wire::state_named;
use crate::domain::evolution::{Connection, Failure};
use crate::domain::ids::InstanceName;

const READ: Duration = Duration::from_secs(5);
/// The line of one instance's state begins so.
const STATE: &str = "evolution_instance_state{";
/// How many there are; told even when there are none.
const TOTAL: &str = "evolution_instances_total";

impl Evolution {
    /// Every instance in memory; `None` when the server has metrics switched off, or does not show them to us.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn states(&self) -> Result<Option<BTreeMap<InstanceName, Connection>>, Failure> {
        match self.inner.transport.ask_bytes(&Request::get(["metrics"]).within(READ).large()).await {
            Ok(text) => Ok(states_in(&String::from_utf8_lossy(&text))),
            // Refusals are plain text (§6.2).
            Err(Failure::NoSuchRoute(_) | Failure::KeyRefused | Failure::Rejected(_) | Failure::NotEvolution(_)) => {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// `None` when the text is somebody else's: a list without an instance would say that it is gone.
fn states_in(text: &str) -> Option<BTreeMap<InstanceName, Connection>> {
    let is_evolutions = text.lines().any(|line| line.starts_with(TOTAL));
    is_evolutions.then(|| text.lines().filter_map(state_in).collect())
}

/// `evolution_instance_state{instance="a",integration="…",state="open"} 1`.
fn state_in(line: &str) -> Option<(InstanceName, Connection)> {
    let (labels, value) = line.strip_prefix(STATE)?.rsplit_once('}')?;
    if value.trim() != "1" {
        return None;
    }
    let (mut instance, mut state) = (None, None);
    for (name, value) in labels_in(labels) {
        match name {
            "instance" => instance = InstanceName::parse(&value).ok(),
            "state" => state = state_named(&value),
            _ => {}
        }
    }
    instance.zip(state)
}

/// Names and unescaped values of a line's labels.
fn labels_in(mut text: &str) -> Vec<(&str, String)> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next() {
                Some((at, '"')) => break at,
                Some((_, '\\')) => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c)) => value.push(c),
                    None => return labels,
                },
                Some((_, c)) => value.push(c),
                None => return labels,
            }
        };
        labels.push((name.trim_start_matches(','), value));
        text = &rest[end + 1..];
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped_and_only_the_state_that_holds_counts() {
        let text = "# TYPE evolution_instance_state gauge\nevolution_instances_total 2\n\
                    evolution_instance_state{instance=\"a \\\"b\\\", \\\\c\",integration=\"X\",state=\"open\"} 1\n\
                    evolution_instance_state{instance=\"b\",state=\"close\"} 0\n\
                    evolution_instance_up{instance=\"c\"} 1\nevolution_instance_state{instance=\"d";

        let states = states_in(text);

        let wanted = BTreeMap::from([(InstanceName::parse("a \"b\", \\c").unwrap(), Connection::Open)]);
        assert_eq!(states, Some(wanted));
        assert_eq!(states_in("evolution_instances_total 0\n"), Some(BTreeMap::new()));
        assert_eq!(states_in("<!doctype html>"), None);
    }
}
