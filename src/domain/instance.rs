//! The nouns of a WhatsApp connection as the outside sees them (INTERFACE §3 "Instances").

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{InstanceName, OrgId, UserId};
use super::time::Millis;

/// Where a connection stands. The names are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Disconnected,
    Connecting,
    WaitingQr,
    Finishing,
    ActionRequired,
    Connected,
    Reconnecting,
    Flapping,
    LoggedOut,
    Conflict,
    Restricted,
    Failed,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::WaitingQr => "waiting_qr",
            Self::Finishing => "finishing",
            Self::ActionRequired => "action_required",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Flapping => "flapping",
            Self::LoggedOut => "logged_out",
            Self::Conflict => "conflict",
            Self::Restricted => "restricted",
            Self::Failed => "failed",
        }
    }
}

/// What an instance looks like from outside at one moment: derived from its state, never stored by itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    pub status: Status,
    /// A stable code in `snake_case`; `None` when the status says it all.
    pub reason: Option<String>,
    pub is_connected: bool,
    /// Digits with country code.
    pub phone_number: Option<String>,
    pub profile_name: Option<String>,
}

/// Names no number and no person.
impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("status", &self.status)
            .field("reason", &self.reason)
            .field("is_connected", &self.is_connected)
            .field("phone_number", &self.phone_number.as_ref().map(|_| "…"))
            .field("profile_name", &self.profile_name.as_ref().map(|_| "…"))
            .finish()
    }
}

/// A pairing code on show: in the instance's row only, while valid, and never in the log (DESIGN "Log first").
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    /// Tells this code from the one before: the hash that the log row of its event keeps.
    pub hash: String,
    /// A `data:image/png;base64,…` URI, or `None` when the event had only the text.
    pub image: Option<String>,
    /// The text to render as a QR code.
    pub code: Option<String>,
    /// Eight characters to type on the phone instead of scanning.
    pub pairing_code: Option<String>,
    /// How many codes this pairing has shown, from 1.
    pub count: u32,
    pub expires_at: Millis,
}

impl Qr {
    pub fn valid_at(&self, now: Millis) -> bool {
        now < self.expires_at
    }
}

/// Never prints the code: whoever reads it can take the account.
impl std::fmt::Debug for Qr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qr")
            .field("hash", &self.hash)
            .field("count", &self.count)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// One user's WhatsApp connection: the row of `whatsapp_instances`.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: Uuid,
    pub session_id: i64,
    pub name: InstanceName,
    pub user: UserId,
    pub org: Option<OrgId>,
    pub state: super::lifecycle::State,
    /// The code on show, expired or not; whoever renders it asks [`Qr::valid_at`].
    pub qr: Option<Qr>,
    /// Whether the gateway may reconnect it by itself; the owner's or operator's choice.
    pub auto_reconnect: bool,
    pub reconnect_attempts: u32,
    pub last_reconnect_at: Option<Millis>,
    pub created_at: Millis,
    pub connected_at: Option<Millis>,
    pub updated_at: Millis,
}
