//! What people do on their phones, and what others send them: the side of the handle that is WhatsApp's.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::Simulator;
use super::world::{Incoming, State};

/// A phone, or a person who has one.
#[derive(Clone, Deserialize)]
pub struct Phone {
    /// Digits with country code.
    pub number: String,
    /// The name of its WhatsApp profile.
    pub name: String,
    /// Whether the profile has a picture.
    #[serde(default = "yes")]
    pub has_picture: bool,
}

const fn yes() -> bool {
    true
}

/// Names nobody.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

impl Phone {
    pub fn new(number: &str, name: &str) -> Self {
        Self { number: number.to_owned(), name: name.to_owned(), has_picture: true }
    }

    /// Its address at WhatsApp.
    pub fn jid(&self) -> String {
        format!("{}@s.whatsapp.net", self.number)
    }

    /// Its other address (CONTRACT §4.3).
    pub fn lid(&self) -> String {
        format!("77{}@lid", self.number)
    }

    pub(super) fn picture(&self) -> Option<String> {
        let number = &self.number;
        self.has_picture
            .then(|| format!("https://pps.whatsapp.net/v/t61.24694-24/sim_{number}_n.jpg?ccb=11-4&oh=sim&oe=66000000"))
    }
}

/// What somebody sends to a linked account.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    Text(String),
    /// Written in the group that everybody is in.
    GroupText(String),
    /// Written by the account's owner on the phone, to that person.
    Own(String),
    /// Media with their caption, from recorded shapes.
    Image(String),
    Audio,
    Document(String),
    Location(String),
    Poll(String),
    /// An emoji on the message of this id.
    Reaction {
        of: String,
        emoji: String,
    },
    Edit {
        of: String,
        text: String,
    },
    /// Deleted for everyone.
    Revoke {
        of: String,
    },
    Composing,
    Call,
}

/// Shows no words.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(…)")
    }
}

/// All by the instance's name; false where there is no such instance, or nothing that it could happen to.
impl Simulator {
    /// Scans the code that is shown now.
    pub fn scan(&self, name: &str, phone: Phone) -> bool {
        self.engine.with(|world, now| world.scan(name, phone, now))
    }

    /// Types the code to pair by number. False when it is not the current one.
    pub fn type_code(&self, name: &str, code: &str, phone: Phone) -> bool {
        self.engine.with(|world, now| world.type_code(name, code, phone, now))
    }

    /// Waits until a code is shown that can be scanned; its text, and the code to type when pairing by number.
    pub async fn code_shown(&self, name: &str) -> (String, Option<String>) {
        self.engine
            .until(|world| {
                let code = world.instance(name)?.memory.as_ref()?.code.clone()?;
                world.is_scannable(name).then_some((code.text, code.pairing))
            })
            .await
    }

    /// Waits for a code and scans it.
    pub async fn scan_when_shown(&self, name: &str, phone: Phone) {
        loop {
            self.code_shown(name).await;
            if self.scan(name, phone.clone()) {
                return;
            }
        }
    }

    /// Somebody sends something; it arrives when the account is connected. The message's id, or `None` where no phone is
    /// linked.
    pub fn message(&self, name: &str, from: &Phone, message: Message) -> Option<String> {
        self.engine.with(|world, now| {
            let is_own = false;
            let id = world.dice.message_id(is_own);
            let incoming = Incoming { id: id.clone(), from: from.clone(), content: message };
            world.incoming(name, incoming, now).then_some(id)
        })
    }

    /// The owner removes the device on the phone: 401.
    pub fn remove_device(&self, name: &str) -> bool {
        self.end(name, 401)
    }

    /// WhatsApp ends the connection for good: 401, 402, 403, 406.
    pub fn end(&self, name: &str, code: u16) -> bool {
        self.engine.with(|world, now| world.end(name, code, now))
    }

    /// The connection ends without a word and comes back at once: 408, 428, 440, 503, 515.
    pub fn end_silently(&self, name: &str, code: u16) -> bool {
        self.engine.with(|world, now| world.end_silently(name, code, now))
    }

    /// WhatsApp can't be reached for so long: a storm of `connecting`, then `open` (CONTRACT §5.9).
    pub fn drop_for(&self, name: &str, lasts: Duration) -> bool {
        self.engine.with(|world, now| world.cut(name, lasts, now))
    }

    /// WhatsApp says nothing for so long, without closing.
    pub fn mute_for(&self, name: &str, lasts: Duration) -> bool {
        self.engine.with(|world, now| world.mute(name, lasts, now))
    }

    /// Another server uses the same session for so long: 440 after every opening.
    pub fn conflict_for(&self, name: &str, lasts: Duration) -> bool {
        self.engine.with(|world, now| world.rival(name, lasts, now))
    }

    /// Ends what [`Simulator::drop_for`], [`Simulator::mute_for`] and [`Simulator::conflict_for`] began.
    pub fn mend(&self, name: &str) {
        self.engine.with(|world, _| world.mend(name));
    }

    /// WhatsApp refuses the next message that is sent: 201, and `ERROR` after it.
    pub fn refuse_next_send(&self, name: &str) -> bool {
        self.engine.with(|world, _| world.refuse_next(name))
    }

    /// The session is wiped from the database under the open connection, as a late wipe does (CONTRACT §1.6).
    pub fn wipe_session(&self, name: &str) {
        self.engine.with(|world, _| world.wipe(name));
    }

    /// Whether Evolution has an instance of this name.
    pub fn has_instance(&self, name: &str) -> bool {
        self.engine.look(|world| world.instance(name).is_some())
    }

    /// The names of all instances.
    pub fn instances(&self) -> Vec<String> {
        self.engine.look(|world| world.instances().map(|instance| instance.name.clone()).collect())
    }

    /// The number of the phone that is linked, by what WhatsApp knows.
    pub fn linked(&self, name: &str) -> Option<String> {
        self.engine.look(|world| world.linked(name).map(|phone| phone.number.clone()))
    }

    /// `open`, `connecting` or `close`, as memory has it; `None` where there is no such instance in memory.
    pub fn state(&self, name: &str) -> Option<&'static str> {
        self.engine.look(|world| Some(world.instance(name)?.memory.as_ref()?.state.as_str()))
    }

    /// Waits until the instance is in this state.
    pub async fn until_state(&self, name: &str, wanted: &str) {
        let state = |world: &super::World| world.instance(name)?.memory.as_ref().map(|memory| memory.state);
        self.engine.until(|world| state(world).filter(|state: &State| state.as_str() == wanted)).await;
    }
}
