//! One row of the event log. A frame is a pure function of it (see [`super::frame`]).

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::event::EventName;
use super::ids::{InstanceName, OrgId, UserId};
use super::instance::View;
use super::time::Millis;

#[derive(Clone)]
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

/// Never prints the body: it may be somebody's message.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("seq", &self.seq)
            .field("org", &self.org)
            .field("admin_seq", &self.admin_seq)
            .field("instance", &self.instance)
            .field("event", &self.event)
            .field("at", &self.at)
            .field("emitted_at", &self.emitted_at)
            .field("late", &self.late)
            .field("folded", &self.folded)
            .field("outcome", &self.outcome)
            .field("body_bytes", &self.body.len())
            .finish()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instance::Status;

    #[test]
    fn a_rows_debug_names_no_message_no_number_and_no_person() {
        let user = UserId::from_subject("ana").unwrap();
        let view = View {
            status: Status::Connected,
            reason: None,
            is_connected: true,
            phone_number: Some("5511900000001".into()),
            profile_name: Some("Loja Central".into()),
        };
        let entry = Entry {
            id: 1,
            instance: InstanceName::of_user(&user),
            user,
            seq: 1,
            org: None,
            admin_seq: None,
            event: EventName::dotted("messages.upsert"),
            at: Millis(0),
            emitted_at: Millis(0),
            late: false,
            folded: 0,
            outcome: Some(Outcome { view, qr: None }),
            body: Bytes::from_static(b"Oi, bom dia"),
        };

        let shown = format!("{entry:?} {:?}", entry.clone());

        for secret in ["bom dia", "5511900000001", "Loja Central", "79, 105"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("body_bytes: 11") && shown.contains("Connected"), "{shown}");
    }
}
