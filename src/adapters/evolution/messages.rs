//! Messages that are there: marking, reading back (§6.6), and who can be written to.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Evolution;
use super::request::Request;
use crate::domain::evolution::Failure;
use crate::domain::ids::InstanceName;
use crate::domain::time::Millis;

/// A page of messages out of a large table.
const SEARCH: Duration = Duration::from_secs(20);
/// Evolution tries a download twice, five seconds apart.
const DOWNLOAD: Duration = Duration::from_mins(1);

/// Which messages to read back. Newest first.
#[derive(Clone, Default)]
pub struct Search {
    /// The chat, exactly as it is addressed.
    pub remote_jid: Option<String>,
    /// WhatsApp's id.
    pub id: Option<String>,
    /// From and to; Evolution takes the two only together.
    pub between: Option<(Millis, Millis)>,
    /// From 1.
    pub page: u32,
    /// 0 for Evolution's own.
    pub page_size: u32,
}

/// Shows nobody's address.
impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("page", &self.page).field("page_size", &self.page_size).finish_non_exhaustive()
    }
}

/// A page of messages as Evolution's database has them.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub total: i64,
    pub pages: i64,
    pub current_page: i64,
    #[serde(default)]
    pub records: Vec<Box<RawValue>>,
}

/// Shows no message.
impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { total, pages, current_page, records } = self;
        write!(f, "Found({} of {total}, page {current_page} of {pages})", records.len())
    }
}

/// Whether a number is on WhatsApp.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Number {
    /// As it was asked for.
    pub number: String,
    pub exists: bool,
    /// The address it has; WhatsApp may know it by another number than was asked for (§4.3).
    pub jid: String,
}

/// Shows no number.
impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Number").field("exists", &self.exists).finish_non_exhaustive()
    }
}

/// The file of a message that was received.
#[derive(Clone, Deserialize)]
pub struct StoredMedia {
    pub mimetype: Option<String>,
    #[serde(rename = "fileName")]
    pub file_name: Option<String>,
    pub base64: String,
}

/// Shows no content.
impl std::fmt::Debug for StoredMedia {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredMedia").field("mimetype", &self.mimetype).finish_non_exhaustive()
    }
}

impl Evolution {
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
        // `offset` is the page's size, 50 by default (§6.6).
        let page_size = if search.page_size == 0 { 50 } else { search.page_size };
        let body = json!({ "where": filter, "page": search.page.max(1), "offset": page_size });
        let request = Request::post(["chat", "findMessages", name.as_str()], body).harmless().within(SEARCH).large();
        let answer = self.inner.transport.ask_bytes(&request).await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| Failure::NotEvolution("its messages are none"))?;
        Ok(page.messages)
    }

    /// Which of these numbers are on WhatsApp; an instance that is not connected can't tell.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn numbers(&self, name: &InstanceName, numbers: &[&str]) -> Result<Vec<Number>, Failure> {
        let request = Request::post(["chat", "whatsappNumbers", name.as_str()], json!({ "numbers": numbers }));
        let answer = self.ask(request.harmless().within(SEARCH).uncounted()).await?;
        serde_json::from_value(answer).map_err(|_| Failure::NotEvolution("what it says of numbers is unreadable"))
    }

    /// The file of a message, by the message's id.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the message is not there or has no file, and all others.
    pub async fn media(&self, name: &InstanceName, id: &str) -> Result<StoredMedia, Failure> {
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
