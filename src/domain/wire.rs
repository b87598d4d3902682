//! The published JSON of an instance (INTERFACE §3), the same in `hello` and in the HTTP answers.

use serde_json::{Value, json};

use super::instance::Instance;
use super::time::Millis;

/// The `instance` object. The code to scan is shown only `with_qr` and while it is valid.
pub fn instance_json(instance: &Instance, now: Millis, with_qr: bool) -> Value {
    let view = instance.state.view(now);
    let qr = instance.qr.as_ref().filter(|qr| with_qr && qr.valid_at(now));
    let connected_since = instance.connected_at.filter(|_| view.is_connected);
    json!({
        "id": instance.id,
        "sessionId": instance.session_id,
        "instanceName": instance.name,
        "userId": instance.user,
        "organizationId": instance.org,
        "status": view.status,
        "statusReason": view.reason,
        "statusText": Value::Null,
        "isConnected": view.is_connected,
        "phoneNumber": view.phone_number,
        "profileName": view.profile_name,
        "deviceName": Value::Null,
        "qrCode": qr.and_then(|qr| qr.image.as_ref()),
        "qrExpiresAt": qr.map(|qr| qr.expires_at.to_string()),
        "pairingCode": qr.and_then(|qr| qr.pairing_code.as_ref()),
        "health": {
            "status": if view.is_connected { "healthy" } else { "disconnected" },
            "consecutiveFailures": 0,
            "uptimeS": connected_since.map_or(0, |since| now.since(since).max(0) / 1000),
            "lastCheckAt": Value::Null,
            "lastInboundAt": Value::Null,
            "issues": [],
        },
        "autoReconnect": true,
        "reconnectAttempts": 0,
        "lastReconnectAt": Value::Null,
        "nextReconnectAt": Value::Null,
        "proxyEnabled": false,
        "proxyUrl": Value::Null,
        "createdAt": instance.created_at.to_string(),
        "connectedAt": instance.connected_at.map(|at| at.to_string()),
        "updatedAt": instance.updated_at.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

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
            created_at: Millis(0),
            connected_at: None,
            updated_at: Millis(0),
        }
    }

    #[test]
    fn a_code_is_shown_only_to_its_owner_and_only_while_it_is_valid() {
        let shown = |now, with_qr| {
            let json = instance_json(&instance(), Millis(now), with_qr);
            (json["qrCode"].is_string(), json["pairingCode"].is_string(), json["qrExpiresAt"].is_string())
        };

        assert_eq!(shown(59_999, true), (true, true, true));
        assert_eq!(shown(60_000, true), (false, false, false));
        assert_eq!(shown(59_999, false), (false, false, false));
    }
}
