//! The published JSON of an instance (INTERFACE §3), the same in `hello` and in the HTTP answers.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::instance::{Instance, Status};
use super::time::Millis;
use super::words;

/// One WhatsApp connection as the outside sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceJson {
    pub id: Uuid,
    pub session_id: i64,
    #[schema(example = "user_ana")]
    pub instance_name: String,
    #[schema(example = "ana")]
    pub user_id: String,
    pub organization_id: Option<String>,
    pub status: Status,
    /// A stable code; absent when the status says it all.
    pub status_reason: Option<String>,
    /// A sentence for people.
    pub status_text: StatusTextJson,
    pub is_connected: bool,
    /// Digits with country code.
    #[schema(example = "5511900000001")]
    pub phone_number: Option<String>,
    pub profile_name: Option<String>,
    pub device_name: Option<String>,
    /// A `data:image/png` URI, only while it can be scanned and never for an organisation.
    #[schema(example = "data:image/png;base64,…")]
    pub qr_code: Option<String>,
    #[schema(example = "2026-11-21T07:40:54.621Z")]
    pub qr_expires_at: Option<String>,
    #[schema(example = "PPSA7ZQ5")]
    pub pairing_code: Option<String>,
    pub health: HealthJson,
    pub auto_reconnect: bool,
    pub reconnect_attempts: u32,
    pub last_reconnect_at: Option<String>,
    pub next_reconnect_at: Option<String>,
    pub proxy_enabled: bool,
    /// Credentials masked.
    pub proxy_url: Option<String>,
    #[schema(example = "2026-11-21T07:40:09.621Z")]
    pub created_at: String,
    pub connected_at: Option<String>,
    #[schema(example = "2026-11-21T07:40:09.621Z")]
    pub updated_at: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct StatusTextJson {
    pub pt: &'static str,
    pub en: &'static str,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthJson {
    /// `healthy`, `unhealthy`, `disconnected` or `error`.
    pub status: &'static str,
    pub consecutive_failures: u32,
    pub uptime_s: i64,
    pub last_check_at: Option<String>,
    pub last_inbound_at: Option<String>,
    pub issues: Vec<String>,
}

impl InstanceJson {
    /// The code to scan is shown only `with_qr` and while it is valid.
    pub fn of(instance: &Instance, now: Millis, with_qr: bool) -> Self {
        let view = instance.state.view(now);
        let text = words::status_text(&view);
        // Who is asked for a passkey is not helped by one more code.
        let with_qr = with_qr && view.status != Status::ActionRequired;
        let qr = instance.qr.as_ref().filter(|qr| with_qr && qr.valid_at(now));
        let issues = instance.state.own.note().and_then(|note| note.advice.clone());
        let connected_since = instance.connected_at.filter(|_| view.is_connected);
        Self {
            id: instance.id,
            session_id: instance.session_id,
            instance_name: instance.name.to_string(),
            user_id: instance.user.to_string(),
            organization_id: instance.org.as_ref().map(ToString::to_string),
            status: view.status,
            status_reason: view.reason,
            status_text: StatusTextJson { pt: text.pt, en: text.en },
            is_connected: view.is_connected,
            phone_number: view.phone_number,
            profile_name: view.profile_name,
            device_name: None,
            qr_code: qr.and_then(|qr| qr.image.clone()),
            qr_expires_at: qr.map(|qr| qr.expires_at.to_string()),
            pairing_code: qr.and_then(|qr| qr.pairing_code.clone()),
            health: HealthJson {
                status: if view.is_connected { "healthy" } else { "disconnected" },
                consecutive_failures: 0,
                uptime_s: connected_since.map_or(0, |since| now.since(since).max(0) / 1000),
                last_check_at: None,
                last_inbound_at: None,
                issues: issues.into_iter().collect(),
            },
            auto_reconnect: instance.auto_reconnect,
            reconnect_attempts: instance.reconnect_attempts,
            last_reconnect_at: instance.last_reconnect_at.map(|at| at.to_string()),
            next_reconnect_at: None,
            proxy_enabled: false,
            proxy_url: None,
            created_at: instance.created_at.to_string(),
            connected_at: instance.connected_at.map(|at| at.to_string()),
            updated_at: instance.updated_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{InstanceName, UserId};
    use crate::domain::instance::Qr;
    use crate::domain::lifecycle::State;

    fn instance() -> Instance {
        let user = UserId::from_subject("123").unwrap();
        Instance {
            id: Uuid::nil(),
            session_id: 1,
            name: InstanceName::of_user(&user),
            user,
            org: None,
            state: State::default(),
            qr: Some(Qr {
                hash: "h".into(),
                image: Some("data:image/png;base64,AA==".into()),
                code: None,
                pairing_code: Some("ABCD1234".into()),
                count: 1,
                expires_at: Millis(60_000),
            }),
            auto_reconnect: true,
            reconnect_attempts: 0,
            last_reconnect_at: None,
            created_at: Millis(0),
            connected_at: None,
            updated_at: Millis(0),
        }
    }

    #[test]
    fn a_code_is_shown_only_to_its_owner_and_only_while_it_is_valid() {
        let shown = |now, with_qr| {
            let json = InstanceJson::of(&instance(), Millis(now), with_qr);
            (json.qr_code.is_some(), json.pairing_code.is_some(), json.qr_expires_at.is_some())
        };

        assert_eq!(shown(59_999, true), (true, true, true));
        assert_eq!(shown(60_000, true), (false, false, false));
        assert_eq!(shown(59_999, false), (false, false, false));
    }
}
