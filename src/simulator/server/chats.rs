//! `/message/…` and `/chat/…` (§6.5, §6.6).

use std::time::Duration;

use serde_json::{Value, json};

use super::Asked;
use crate::domain::time::Millis;
use crate::simulator::answers::{self, Reply};
use crate::simulator::checks;
use crate::simulator::recordings::Recording;
use crate::simulator::world::Sent;

/// How long a send hangs when WhatsApp is silent (§5.9).
const HANGS: Duration = Duration::from_mins(1);

pub(super) async fn send(asked: &Asked<'_>, kind: &str, name: &str) -> Reply {
    let now = asked.engine.time.now();
    let (number, kind, message) = match content(&asked.body, kind, now) {
        Ok(content) => content,
        Err(refused) => return refused,
    };
    match asked.engine.with(|world, now| world.send(name, &number, kind, &message, now)) {
        Sent::Answered(reply) => reply,
        Sent::Hangs(reply) => {
            drop(asked.engine.time.until(now + HANGS).await);
            reply
        }
    }
}

/// To whom, of what kind, and the message itself.
fn content(body: &Value, kind: &str, now: Millis) -> Result<(String, &'static str, Value), Reply> {
    let require = |fields: &[&str]| checks::required(body, fields).map_or(Ok(()), Err);
    match kind {
        "sendText" => {
            require(&["number", "text"])?;
            Ok((checks::recipient(body)?, "conversation", json!({"conversation": body["text"]})))
        }
        "sendMedia" => {
            require(&["number", "mediatype"])?;
            Ok((checks::recipient(body)?, media_kind(&body["mediatype"]), media(body)?))
        }
        "sendWhatsAppAudio" => {
            require(&["number", "audio"])?;
            let audio = Recording::Audio.data()["message"].clone();
            Ok((checks::recipient(body)?, "audioMessage", audio))
        }
        "sendPoll" => {
            require(&["number", "name", "selectableCount", "values"])?;
            let options: Vec<Value> =
                body["values"].as_array().into_iter().flatten().map(|option| json!({"optionName": option})).collect();
            let secret: serde_json::Map<String, Value> = (0..32).map(|at| (at.to_string(), json!(at))).collect();
            let message = json!({
                "messageContextInfo": {"messageSecret": secret, "contextInfo": answers::context(now)},
                "pollCreationMessageV3": {
                    "name": body["name"], "selectableOptionsCount": body["selectableCount"], "options": options,
                },
            });
            Ok((checks::recipient(body)?, "pollCreationMessageV3", message))
        }
        "sendReaction" => {
            require(&["key", "reaction"])?;
            let to = body["key"]["remoteJid"].as_str().unwrap_or_default().to_owned();
            let message = json!({"reactionMessage": {
                "key": body["key"], "text": body["reaction"], "senderTimestampMs": now.0,
            }});
            Ok((to, "reactionMessage", message))
        }
        "sendLocation" => {
            require(&["number", "latitude", "longitude"])?;
            let message = json!({"locationMessage": {
                "degreesLatitude": body["latitude"], "degreesLongitude": body["longitude"], "name": body["name"],
                "address": body["address"],
            }});
            Ok((checks::recipient(body)?, "locationMessage", message))
        }
        other => Err(answers::no_route("POST", &format!("/message/{other}"))),
    }
}

fn media_kind(kind: &Value) -> &'static str {
    match kind.as_str() {
        Some("video") => "videoMessage",
        Some("audio") => "audioMessage",
        Some("document") => "documentMessage",
        _ => "imageMessage",
    }
}

/// Of the recorded shape, with what was given. From a URL nothing is fetched: one of this machine is refused as if nobody
/// listened there.
fn media(body: &Value) -> Result<Value, Reply> {
    let source = body["media"].as_str().unwrap_or_default();
    if let Ok(url) = source.parse::<url::Url>()
        && matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
    {
        let port = url.port_or_known_default().unwrap_or(80);
        let text = format!("Error: connect ECONNREFUSED 127.0.0.1:{port}");
        return Err(answers::error(500, "Internal Server Error", json!([text])));
    }
    let kind = media_kind(&body["mediatype"]);
    let mut message = Recording::SentImage.data()["message"].clone();
    let mut inner = message["imageMessage"].take();
    for (field, given) in [("caption", "caption"), ("mimetype", "mimetype"), ("fileName", "fileName")] {
        if body[given].is_string() && (field != "fileName" || kind == "documentMessage") {
            inner[field] = body[given].clone();
        }
    }
    Ok(json!({kind: inner, "base64": source}))
}

pub(super) fn ask(asked: &Asked<'_>, what: &str, name: &str) -> Reply {
    let (engine, body) = (asked.engine, &asked.body);
    match what {
        "findMessages" => Reply::new(200, engine.look(|world| world.find_messages(name, body))),
        "findChats" => Reply::new(200, engine.look(|world| world.find_people(name, body, true))),
        "findContacts" => Reply::new(200, engine.look(|world| world.find_people(name, body, false))),
        "whatsappNumbers" => {
            let numbers: Vec<String> =
                body["numbers"].as_array().into_iter().flatten().filter_map(|n| Some(n.as_str()?.to_owned())).collect();
            Reply::new(200, engine.look(|world| world.numbers(&numbers)))
        }
        "updateMessage" => {
            let text = body["text"].as_str().unwrap_or_default();
            engine.with(|world, now| world.edit_sent(name, &body["key"], text, now))
        }
        "deleteMessageForEveryone" => engine.with(|world, now| world.revoke_sent(name, body, now)),
        "markMessageAsRead" => Reply::new(201, json!({"message": "Read messages", "read": "success"})),
        "sendPresence" => Reply::new(201, json!({"presence": body["presence"]})),
        "getBase64FromMediaMessage" => media_file(asked, name),
        other => answers::no_route("POST", &format!("/chat/{other}/{name}")),
    }
}

/// A tiny file in the place of the one that was sent (§6.6).
fn media_file(asked: &Asked<'_>, name: &str) -> Reply {
    let id = &asked.body["message"]["key"]["id"];
    let kind = asked.engine.look(|world| {
        let mut messages = world.instance(name)?.messages.iter().rev();
        messages.find(|record| record["key"]["id"] == *id).map(|record| record["messageType"].clone())
    });
    let kind = kind.as_ref().map(|kind| kind.as_str().unwrap_or_default().to_owned());
    match kind.as_deref() {
        None => answers::bad_request(json!(["Message not found"])),
        Some("imageMessage" | "videoMessage" | "audioMessage" | "documentMessage" | "stickerMessage") => {
            let file = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
            let mime = if kind.as_deref() == Some("imageMessage") { "image/gif" } else { "application/octet-stream" };
            let size = json!({"fileLength": 42, "height": 1, "width": 1});
            Reply::new(
                201,
                json!({
                    "mediaType": kind, "fileName": "file", "caption": null, "size": size, "mimetype": mime,
                    "base64": file, "buffer": null,
                }),
            )
        }
        Some(_) => answers::bad_request(json!(["The message is not of the media type"])),
    }
}
