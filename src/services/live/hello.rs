//! The first frame: where the stream begins and how things stand there (INTERFACE §4).

use bytestring::ByteString;
use serde_json::{Value, json};

use crate::adapters::store::channels::Snapshot;
use crate::domain::channel::Epoch;
use crate::domain::time::Millis;
use crate::domain::wire::InstanceJson;

/// `seq` is the number that the next frame follows.
pub(super) fn text(epoch: &Epoch, seq: i64, recovered: bool, snapshot: &Snapshot, now: Millis) -> ByteString {
    let data = data(snapshot, now);
    json!({"type": "hello", "epoch": epoch.0, "seq": seq, "recovered": recovered, "data": data}).to_string().into()
}

fn data(snapshot: &Snapshot, now: Millis) -> Value {
    match snapshot {
        Snapshot::User(instance) => json!({"instance": instance.as_ref().map(|i| InstanceJson::of(i, now, true))}),
        Snapshot::Org(instances) => {
            json!({"instances": instances.iter().map(|i| InstanceJson::of(i, now, false)).collect::<Vec<_>>()})
        }
        Snapshot::Admin(totals) => json!({"totals": totals}),
    }
}
