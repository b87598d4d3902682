//! The first frame: where the stream begins and how things stand there (INTERFACE §4).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::adapters::store::channels::Snapshot;
use crate::domain::channel::Epoch;
use crate::domain::frame::Frame;
use crate::domain::time::Millis;
use crate::domain::wire::InstanceJson;

#[derive(Serialize)]
struct Hello<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    epoch: &'a str,
    seq: i64,
    recovered: bool,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    User { instance: Option<Box<InstanceJson>> },
    Org { instances: Vec<InstanceJson> },
    Admin { totals: &'a BTreeMap<String, i64> },
}

/// `seq` is the number that the next frame follows.
pub(super) fn frame(epoch: &Epoch, seq: i64, recovered: bool, snapshot: &Snapshot, now: Millis) -> Frame {
    let data = match snapshot {
        Snapshot::User(instance) => {
            Data::User { instance: instance.as_deref().map(|own| Box::new(InstanceJson::of(own, now, true))) }
        }
        Snapshot::Org(instances) => {
            Data::Org { instances: instances.iter().map(|one| InstanceJson::of(one, now, false)).collect() }
        }
        Snapshot::Admin(totals) => Data::Admin { totals },
    };
    let hello = Hello { kind: "hello", epoch: &epoch.0, seq, recovered, data };
    let json = serde_json::to_string(&hello).unwrap_or_default();
    Frame::new(seq, json.len(), |text| text.push_str(&json))
}
