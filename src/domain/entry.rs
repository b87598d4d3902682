//! One row of the event log. A frame is a pure function of it (see [`super::frame`]).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::event::EventName;
use super::ids::{InstanceName, OrgId, UserId};
use super::instance::View;
use super::time::Millis;

#[derive(Clone, Debug)]
pub struct Entry {
    /// Commit order in the whole store.
    pub id: i64,
    pub user: UserId,
    /// Position on the user's channel.
    pub seq: i64,
    /// Position on the organisation's channel, when the instance has one and the event may go there.
    pub org: Option<(OrgId, i64)>,
    /// Position on the admin channel, for status, health and notifications.
    pub admin_seq: Option<i64>,
    pub instance: InstanceName,
    pub event: EventName,
    /// When it was stored.
    pub at: Millis,
    /// When it happened at Evolution, in true UTC as far as that can be known.
    pub emitted_at: Millis,
    /// Read back after an outage, or released from quarantine: it changed no instance state.
    pub late: bool,
    /// How many repeats of a storm were folded into this row.
    pub folded: i64,
    /// What the gateway decided when it stored the row; absent for events that decide nothing.
    pub outcome: Option<Outcome>,
    /// For a webhook the received bytes less the secrets; for the gateway's own events the frame's `data`.
    pub body: Bytes,
}

/// The decision kept beside a webhook, so that its frame never depends on today's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    #[serde(flatten)]
    pub view: View,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qr: Option<QrMark>,
}

/// What the log keeps of a QR code: enough to find the image while it is valid, nothing that could be scanned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QrMark {
    pub hash: String,
    pub count: u32,
    pub expires_at: Millis,
}

impl Entry {
    /// This row's number on `channel`; `None` when it is not on it.
    pub fn seq_on(&self, channel: &super::channel::Channel) -> Option<i64> {
        use super::channel::Channel;
        match channel {
            Channel::User(user) => (*user == self.user).then_some(self.seq),
            Channel::Org(org) => self.org.as_ref().filter(|(own, _)| own == org).map(|(_, seq)| *seq),
            Channel::Admin => self.admin_seq,
        }
    }
}
