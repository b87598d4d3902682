//! Sending, editing and revoking (§6.5). There is no idempotency key, so nothing here is ever repeated once it left:
//! after a failure that [`Failure::may_have_worked`] look for the message first.

use std::time::Duration;

use serde_json::{Value, json};

use super::Evolution;
use super::request::Request;
use super::wire::seconds;
use crate::domain::evolution::Failure;
use crate::domain::ids::InstanceName;

/// A send over a silent connection hangs for a minute before Evolution gives it up.
const SEND: Duration = Duration::from_secs(75);

/// A message that Evolution took; no proof that it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// WhatsApp's id, by which all that follows is recognised.
    pub id: String,
    /// Unix seconds.
    pub timestamp: Option<i64>,
}

/// A message to send.
#[derive(Clone)]
pub struct Message {
    /// Digits with country code, a `…@s.whatsapp.net`, a `…@lid` or a `…@g.us`.
    pub to: String,
    pub content: Content,
    /// The id of the message it answers.
    pub quoted: Option<String>,
    /// How long to show that somebody is writing. Evolution holds the request for as long.
    pub delay: Duration,
}

impl Message {
    pub fn new(to: impl Into<String>, content: Content) -> Self {
        Self { to: to.into(), content, quoted: None, delay: Duration::ZERO }
    }
}

/// Shows neither whom it is for nor what it says.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("content", &self.content).finish_non_exhaustive()
    }
}

/// What a message says. Files are base64, without the head of a data URI.
#[derive(Clone)]
pub enum Content {
    Text(String),
    Media(Media),
    /// A voice note, of any sound file: Evolution converts it.
    Voice(String),
    Sticker(String),
    /// The round video.
    VideoNote(String),
    Location {
        latitude: f64,
        longitude: f64,
        name: String,
        address: String,
    },
    /// At least one.
    Contacts(Vec<Contact>),
    /// Two to ten options.
    Poll {
        question: String,
        options: Vec<String>,
        /// How many may be chosen; 0 for any number.
        selectable: u8,
    },
}

/// A file to send.
#[derive(Clone)]
pub struct Media {
    /// `image`, `video`, `audio` or `document`.
    pub kind: &'static str,
    pub base64: String,
    pub mimetype: String,
    pub caption: Option<String>,
    pub file_name: Option<String>,
}

/// A person on a card.
#[derive(Clone)]
pub struct Contact {
    pub full_name: String,
    /// At least ten characters.
    pub phone_number: String,
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

/// Shows nobody.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact").finish_non_exhaustive()
    }
}

/// Shows what kind it is, and no content.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.operation())
    }
}

impl Content {
    const fn operation(&self) -> &'static str {
        match self {
            Self::Text(_) => "sendText",
            Self::Media(_) => "sendMedia",
            Self::Voice(_) => "sendWhatsAppAudio",
            Self::Sticker(_) => "sendSticker",
            Self::VideoNote(_) => "sendPtv",
            Self::Location { .. } => "sendLocation",
            Self::Contacts(_) => "sendContact",
            Self::Poll { .. } => "sendPoll",
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Text(text) => json!({ "text": text }),
            Self::Media(media) => media.body(),
            Self::Voice(base64) => json!({ "audio": base64 }),
            Self::Sticker(base64) => json!({ "sticker": base64 }),
            Self::VideoNote(base64) => json!({ "video": base64 }),
            Self::Location { latitude, longitude, name, address } => {
                json!({ "latitude": latitude, "longitude": longitude, "name": name, "address": address })
            }
            Self::Contacts(contacts) => {
                let card = |one: &Contact| json!({ "fullName": one.full_name, "phoneNumber": one.phone_number });
                json!({ "contact": contacts.iter().map(card).collect::<Vec<_>>() })
            }
            Self::Poll { question, options, selectable } => {
                json!({ "name": question, "selectableCount": selectable, "values": options })
            }
        }
    }
}

impl Media {
    fn body(&self) -> Value {
        let mut body = json!({ "mediatype": self.kind, "mimetype": self.mimetype, "media": self.base64 });
        for (member, text) in [("caption", &self.caption), ("fileName", &self.file_name)] {
            if let Some(text) = text {
                body[member] = json!(text);
            }
        }
        body
    }
}

impl Evolution {
    /// Sends a message.
    ///
    /// # Errors
    /// [`Failure::NotOnWhatsApp`], [`Failure::NotConnected`], [`Failure::ConnectionClosed`],
    /// [`Failure::NoSignalSession`] and all others.
    pub async fn send(&self, name: &InstanceName, message: &Message) -> Result<Sent, Failure> {
        let mut body = message.content.body();
        body["number"] = json!(message.to);
        if let Some(id) = &message.quoted {
            body["quoted"] = json!({ "key": { "id": id } });
        }
        if !message.delay.is_zero() {
            body["delay"] = json!(u64::try_from(message.delay.as_millis()).unwrap_or(u64::MAX));
        }
        let request = Request::post(["message", message.content.operation(), name.as_str()], body);
        self.sent(request.within(SEND + message.delay)).await
    }

    /// Reacts to the message with this key `{id, fromMe, remoteJid}`; an empty reaction takes it back.
    ///
    /// # Errors
    /// As [`Evolution::send`].
    pub async fn react(&self, name: &InstanceName, key: &Value, reaction: &str) -> Result<Sent, Failure> {
        let body = json!({ "key": key, "reaction": reaction });
        self.sent(Request::post(["message", "sendReaction", name.as_str()], body).within(SEND)).await
    }

    /// Changes the text of an own message, by its key. What is answered is the change, with an id of its own.
    ///
    /// # Errors
    /// As [`Evolution::send`].
    pub async fn edit(&self, name: &InstanceName, to: &str, key: &Value, text: &str) -> Result<Sent, Failure> {
        let body = json!({ "number": to, "key": key, "text": text });
        self.sent(Request::post(["chat", "updateMessage", name.as_str()], body).within(SEND)).await
    }

    /// Takes a message back for everyone, by its key `{id, fromMe, remoteJid, participant?}`. What is answered is the
    /// revocation, with an id of its own.
    ///
    /// # Errors
    /// As [`Evolution::send`].
    pub async fn revoke(&self, name: &InstanceName, key: &Value) -> Result<Sent, Failure> {
        let request = Request::delete(["chat", "deleteMessageForEveryone", name.as_str()]).body(key.clone());
        self.sent(request.within(SEND)).await
    }

    async fn sent(&self, request: Request) -> Result<Sent, Failure> {
        let answer = self.ask(request.uncounted().large()).await?;
        let id = answer["key"]["id"].as_str().ok_or(Failure::NotEvolution("its answer to a send has no id"))?;
        Ok(Sent { id: id.to_owned(), timestamp: seconds(&answer["messageTimestamp"]) })
    }
}
