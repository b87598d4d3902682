//! What a webhook means to the life of its instance (CONTRACT §3).

use super::ShownCode;
use crate::domain::json::Json;
use crate::domain::lifecycle::{Cause, Input};
use sha2::{Digest, Sha256};

/// Evolution's answer when it stops making codes, in `data.statusCode` (CONTRACT §3.3).
const QR_LIMIT: i64 = 500;

pub(super) fn of(event: &str, data: Option<Json<'_>>, shown: Option<&ShownCode>) -> Option<Input> {
    match event {
        "instance.create" => Some(Input::Created),
        "connection.update" => connection(data?),
        "qrcode.updated" => match shown {
            Some(code) => Some(Input::Qr { hash: code.hash.clone() }),
            None if data?.get("statusCode")?.integer() == Some(QR_LIMIT) => Some(Input::QrLimit),
            None => None,
        },
        "status.instance" => ended(data?),
        "logout.instance" => Some(Input::LoggedOut),
        "remove.instance" | "instance.delete" => Some(Input::Removed),
        _ => None,
    }
}

/// `wuid` says that it was open when Evolution began to build the event; by the end `state` may say otherwise
/// (CONTRACT §3.1), apart from `refused`, which carries a `wuid` on purpose.
fn connection(data: Json<'_>) -> Option<Input> {
    let data = data.object()?;
    let state = data.get("state").or_else(|| data.get("status")).and_then(Json::text);
    let wuid = data.get("wuid").and_then(Json::filled_text);
    match state.as_deref() {
        Some("refused") => Some(Input::QrLimit),
        Some("open") => Some(opened(wuid.as_deref(), data.get("profileName"))),
        _ if wuid.is_some() => Some(opened(wuid.as_deref(), data.get("profileName"))),
        Some("connecting") => Some(Input::Connecting),
        Some("close") => Some(Input::Closed { code: code(data.get("statusReason")) }),
        _ => None,
    }
}

fn opened(wuid: Option<&str>, profile_name: Option<Json<'_>>) -> Input {
    let profile_name = profile_name.and_then(Json::filled_text).map(Into::into);
    Input::Opened { phone_number: wuid.and_then(phone_number), profile_name }
}

/// `5511900000001` of `5511900000001:7@s.whatsapp.net`; a LID is nobody's number.
fn phone_number(jid: &str) -> Option<String> {
    let (address, server) = jid.split_once('@').unwrap_or((jid, ""));
    let number = address.split(':').next().unwrap_or_default();
    let plausible = server != "lid" && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    plausible.then(|| number.to_owned())
}

fn ended(data: Json<'_>) -> Option<Input> {
    let data = data.object()?;
    let code = code(data.get("disconnectionReasonCode"));
    let closed = data.get("status").and_then(Json::text).is_some_and(|status| status == "closed");
    if !closed && code.is_none() {
        return None;
    }
    let object = data.get("disconnectionObject");
    let unpacked = object.and_then(Json::text);
    let object = unpacked.as_deref().map_or(object, Json::parse);
    Some(Input::Ended { code, cause: object.and_then(cause) })
}

/// Who ended it, from Baileys' error (CONTRACT §3.2 "How to tell the two 401s apart").
fn cause(object: Json<'_>) -> Option<Cause> {
    let error = object.get("error")?;
    let conflict = error
        .at(&["data", "content"])
        .and_then(|content| content.elements().first().copied())
        .and_then(|first| first.at(&["attrs", "type"])?.text());
    if conflict.is_some_and(|kind| kind == "device_removed") {
        return Some(Cause::DeviceRemoved);
    }
    let message = error.at(&["output", "payload", "message"])?.text()?;
    message.starts_with("Log out instance:").then_some(Cause::LoggedOutByApi)
}

fn code(value: Option<Json<'_>>) -> Option<u16> {
    value?.integer()?.try_into().ok()
}

/// The code a `qrcode.updated` shows: in an object, or as a bare data URI.
pub(super) fn shown_code(event: &str, data: Option<Json<'_>>) -> Option<ShownCode> {
    if event != "qrcode.updated" {
        return None;
    }
    let data = data?;
    let qrcode = if data.is_string() { data } else { data.get("qrcode").filter(|qr| !qr.is_null()).unwrap_or(data) };
    let part = |name| qrcode.get(name).and_then(Json::filled_text).map(String::from);
    let image = qrcode.filled_text().map(String::from).or_else(|| part("base64"));
    let (code, pairing_code) = (part("code"), part("pairingCode"));
    let main = code.as_ref().or(image.as_ref()).or(pairing_code.as_ref())?;
    let digest: [u8; 32] = Sha256::digest(main).into();
    let hash = u128::from_be_bytes(std::array::from_fn(|i| digest[i]));
    Some(ShownCode { hash: format!("{hash:032x}"), image, code, pairing_code })
}
