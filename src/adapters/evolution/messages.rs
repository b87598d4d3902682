//! Messages: sending, marking, reading back (§6.5, §6.6). There is no idempotency key, so a send is never repeated here:
//! after one that [`Failure::may_have_worked`] look for it first.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Evolution;
use super::transport::Request;
use crate::domain::evolution::Failure;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;

/// A send over a silent connection hangs for a minute before Evolution gives it up.
const SEND: Duration = Duration::from_secs(75);
/// A page of messages out of a large table.
const SEARCH: Duration = Duration::from_secs(20);
/// Evolution tries a download twice, five seconds apart.
const DOWNLOAD: Duration = Duration::from_mins(1);

/// A message that Evolution took; no proof that it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// WhatsApp's id, by which all that follows is recognised.
    pub id: String,
    /// Unix seconds.
    pub timestamp: Option<i64>,
}

/// A file to send.
#[derive(Clone)]
pub struct Media {
    /// `image`, `video`, `audio` or `document`.
    pub kind: &'static str,
    /// Base64, without the head of a data URI.
    pub base64: String,
    pub mimetype: String,
    pub caption: Option<String>,
    pub file_name: Option<String>,
}

/// Shows no content.
impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media")
            .field("kind", &self.kind)
            .field("size_bytes", &self.base64.len())
            .finish_non_exhaustive()
    }
}

/// Which messages to read back. Newest first.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The chat, exactly as it is addressed.
    pub remote_jid: Option<String>,
    /// WhatsApp's id.
    pub id: Option<String>,
    /// From and to; Evolution takes the two only together.
    pub between: Option<(Millis, Millis)>,
    /// From 1.
    pub page: u32,
    pub page_size: u32,
}

/// A page of messages as Evolution's database has them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub total: i64,
    pub pages: i64,
    pub current_page: i64,
    #[serde(default)]
    pub records: Vec<Box<RawValue>>,
}

/// The file of a message that was received.
#[derive(Clone, Deserialize)]
pub struct SentMedia {
    pub mimetype: Option<String>,
    #[serde(rename = "fileName")]
    pub file_name: Option<String>,
    pub base64: String,
}

/// Shows no content.
impl std::fmt::Debug for SentMedia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentMedia").field("mimetype", &self.mimetype).finish_non_exhaustive()
    }
}

impl Evolution {
    /// Sends a text to digits, a `…@lid` or a `…@g.us`, in answer to `quoted`, a message's id.
    ///
    /// # Errors
    /// [`Failure::NotOnWhatsApp`], [`Failure::NotConnected`], [`Failure::ConnectionClosed`],
    /// [`Failure::NoSignalSession`] and all others.
    pub async fn send_text(
        &self,
        name: &InstanceName,
        to: &str,
        text: &str,
        quoted: Option<&str>,
    ) -> Result<Sent, Failure> {
        let mut body = json!({ "number": to, "text": text });
        if let Some(id) = quoted {
            body["quoted"] = json!({ "key": { "id": id } });
        }
        self.send("sendText", name, body).await
    }

    /// Sends a file.
    ///
    /// # Errors
    /// As [`Evolution::send_text`].
    pub async fn send_media(
        &self,
        name: &InstanceName,
        to: &str,
        media: &Media,
        quoted: Option<&str>,
    ) -> Result<Sent, Failure> {
        let mut body = json!({
            "number": to,
            "mediatype": media.kind,
            "mimetype": media.mimetype,
            "media": media.base64,
        });
        if let Some(caption) = &media.caption {
            body["caption"] = json!(caption);
        }
        if let Some(file_name) = &media.file_name {
            body["fileName"] = json!(file_name);
        }
        if let Some(id) = quoted {
            body["quoted"] = json!({ "key": { "id": id } });
        }
        self.send("sendMedia", name, body).await
    }

    /// Reacts to a message; an empty reaction takes it back.
    ///
    /// # Errors
    /// As [`Evolution::send_text`].
    pub async fn send_reaction(&self, name: &InstanceName, key: &Value, reaction: &str) -> Result<Sent, Failure> {
        self.send("sendReaction", name, json!({ "key": key, "reaction": reaction })).await
    }

    async fn send(&self, operation: &str, name: &InstanceName, body: Value) -> Result<Sent, Failure> {
        let request = Request::post(["message", operation, name.as_str()], body).within(SEND).uncounted().large();
        let answer = self.ask(request).await?;
        let id = answer["key"]["id"].as_str().ok_or(Failure::NotEvolution("its answer to a send has no id"))?;
        Ok(Sent { id: id.to_owned(), timestamp: answer["messageTimestamp"].as_i64() })
    }

    /// Marks messages as read, given by their keys `{id, fromMe, remoteJid}`.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn mark_read(&self, name: &InstanceName, keys: &[Value]) -> Result<(), Failure> {
        let body = json!({ "readMessages": keys });
        let request = Request::post(["chat", "markMessageAsRead", name.as_str()], body);
        self.ask(request.harmless().within(SEARCH).uncounted()).await.map(drop)
    }

    /// Shows `composing`, `recording` or `paused` in a chat, for so long.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn send_presence(
        &self,
        name: &InstanceName,
        to: &str,
        presence: &str,
        lasting: Duration,
    ) -> Result<(), Failure> {
        let body = json!({ "number": to, "presence": presence, "delay": lasting.as_millis() });
        let request = Request::post(["chat", "sendPresence", name.as_str()], body);
        // Evolution holds the request for as long as it shows.
        self.ask(request.within(SEARCH + lasting).uncounted()).await.map(drop)
    }

    /// Reads messages back from Evolution's database.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn find_messages(&self, name: &InstanceName, search: &Search) -> Result<Found, Failure> {
        let mut filter = json!({});
        if let Some(jid) = &search.remote_jid {
            filter["key"]["remoteJid"] = json!(jid);
        }
        if let Some(id) = &search.id {
            filter["key"]["id"] = json!(id);
        }
        if let Some((from, to)) = search.between {
            filter["messageTimestamp"] = json!({ "gte": from.to_string(), "lte": to.to_string() });
        }
        // `offset` is the page's size (§6.6).
        let body = json!({ "where": filter, "page": search.page.max(1), "offset": search.page_size.max(1) });
        let request = Request::post(["chat", "findMessages", name.as_str()], body).harmless().within(SEARCH).large();
        let answer = self.inner.transport.ask_bytes(&request).await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| Failure::NotEvolution("its messages are none"))?;
        Ok(page.messages)
    }

    /// The file of a message, by the message's id.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the message is not there or has no file, and all others.
    pub async fn media(&self, name: &InstanceName, id: &str) -> Result<SentMedia, Failure> {
        let body = json!({ "message": { "key": { "id": id } }, "convertToMp4": false });
        let request = Request::post(["chat", "getBase64FromMediaMessage", name.as_str()], body);
        let answer = self.ask(request.harmless().within(DOWNLOAD).large().uncounted()).await?;
        serde_json::from_value(answer).map_err(|_| Failure::NotEvolution("its file is unreadable"))
    }
}

#[derive(Deserialize)]
struct Page {
    messages: Found,
}
