//! What happens to a sample user, in order, for ever.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::recordings::Recording;
use super::replay::Sender;
use super::talk::{self, Person, Turn};

/// Seconds until the first scan and of the first talk, by the user's place: within ten seconds one is connected, one
/// finishes and one still shows its code.
const BEGINNINGS: [(u64, u64); 3] = [(3, 26), (7, 52), (42, 100)];
/// Seconds of the later ones. Shorter talks would bring four openings in five minutes, which is an unstable connection.
const LATER: (u64, u64) = (24, 130);
/// Evolution makes a new code this long after the one before (CONTRACT §5.2).
const NEXT_CODE_S: u64 = 44;

pub(super) async fn play(user: &Sender, place: usize) {
    let (patience, first) = BEGINNINGS[place % BEGINNINGS.len()];
    let mut talk = Talk::new(user, place);
    user.post(Recording::InstanceCreate, |data| data["instanceName"] = json!(user.instance)).await;
    scan(user, place, patience).await;
    talk.go_on(first).await;
    for round in place.. {
        if round % 2 == 0 {
            drop_for_a_moment(user).await;
        } else {
            remove_device(user).await;
            scan(user, round, LATER.0).await;
        }
        talk.go_on(LATER.1).await;
    }
}

/// Codes until somebody scans, which takes `patience` seconds, then the connection opens.
async fn scan(user: &Sender, round: usize, patience: u64) {
    state(user, Recording::Connecting).await;
    let mut left = patience;
    for code in [Recording::Qr1, Recording::Qr2].into_iter().cycle().skip(round % 2) {
        // Codes must differ each time, or a later round would only repeat them.
        let text = format!("2@{}", Sender::fresh_id());
        user.post(code, |data| {
            data["qrcode"]["instance"] = json!(user.instance);
            data["qrcode"]["code"] = json!(text);
        })
        .await;
        pause_ms(left.min(NEXT_CODE_S) * 1000).await;
        if left <= NEXT_CODE_S {
            break;
        }
        left -= NEXT_CODE_S;
    }
    state(user, Recording::Connecting).await;
    pause_ms(4000).await;
    open(user).await;
}

async fn open(user: &Sender) {
    user.post(Recording::Open, |data| {
        data["instance"] = json!(user.instance);
        data["wuid"] = json!(format!("{}@s.whatsapp.net", user.phone));
        data["profileName"] = json!(user.name);
    })
    .await;
}

async fn state(user: &Sender, recording: Recording) {
    user.post(recording, |data| data["instance"] = json!(user.instance)).await;
}

/// The network goes and comes: a storm of `connecting`, then `open`; Evolution says nothing else (CONTRACT §5.10).
async fn drop_for_a_moment(user: &Sender) {
    for _ in 0..40 {
        state(user, Recording::Connecting).await;
        pause_ms(250).await;
    }
    open(user).await;
}

async fn remove_device(user: &Sender) {
    state(user, Recording::Close401).await;
    pause_ms(10_000).await;
}

/// A user's conversations, which go on where they were after each interruption.
struct Talk<'a> {
    user: &'a Sender,
    turns: std::iter::Cycle<std::slice::Iter<'static, Turn>>,
    /// The message that each person said last, and the answer that each got last.
    said: HashMap<&'static str, String>,
    answered: HashMap<&'static str, String>,
}

impl<'a> Talk<'a> {
    fn new(user: &'a Sender, place: usize) -> Self {
        Self { user, turns: talk::of(place).iter().cycle(), said: HashMap::new(), answered: HashMap::new() }
    }

    /// Turns for about so many seconds.
    async fn go_on(&mut self, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end
            && let Some(turn) = self.turns.next()
        {
            self.take(*turn).await;
            pause_ms(1900).await;
        }
    }

    async fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Says(who, text) => {
                self.typing(who, text).await;
                let id = self.come(Recording::Text, who, |data| data["message"]["conversation"] = json!(text)).await;
                self.said.insert(who.phone, id);
            }
            Turn::InGroup(who, text) => self.in_group(who, text).await,
            Turn::Sends(who, recording, words) => {
                self.come(recording, who, |data| caption(recording, data, words)).await;
            }
            Turn::Corrects(who, text) => self.correct(who, text).await,
            Turn::Reacts(who, emoji) => self.react(who, emoji).await,
            Turn::Answers(who, text) => self.answer(Recording::Sent, who, text).await,
            Turn::OnPhone(who, text) => self.answer(Recording::FromMe, who, text).await,
        }
    }

    /// A message of this person to the user; its id.
    async fn come(&self, recording: Recording, who: Person, change: impl FnOnce(&mut Value)) -> String {
        let id = Sender::fresh_id();
        self.user
            .post(recording, |data| {
                data["key"]["id"] = json!(id);
                data["key"]["remoteJid"] = json!(jid(who));
                data["key"]["remoteJidAlt"] = json!(lid(who));
                data["pushName"] = json!(who.name);
                data["messageTimestamp"] = json!(self.user.clock.now().as_secs());
                change(data);
            })
            .await;
        id
    }

    async fn in_group(&self, who: Person, text: &str) {
        self.user
            .post(Recording::Group, |data| {
                data["key"]["id"] = json!(Sender::fresh_id());
                data["key"]["participant"] = json!(lid(who));
                data["key"]["participantAlt"] = json!(jid(who));
                data["pushName"] = json!(who.name);
                data["message"]["conversation"] = json!(text);
                data["messageTimestamp"] = json!(self.user.clock.now().as_secs());
            })
            .await;
    }

    async fn correct(&self, who: Person, text: &str) {
        let Some(id) = self.said.get(who.phone) else { return };
        self.user
            .post(Recording::Edit, |data| {
                data["key"]["id"] = json!(id);
                data["key"]["remoteJid"] = json!(jid(who));
                data["editedMessage"]["conversation"] = json!(text);
                data["timestampMs"] = json!(self.user.clock.now().0.to_string());
            })
            .await;
    }

    async fn react(&self, who: Person, emoji: &str) {
        let Some(id) = self.answered.get(who.phone) else { return };
        self.come(Recording::Reaction, who, |data| {
            let to = json!({"remoteJid": jid(who), "fromMe": true, "id": id, "participant": ""});
            data["message"]["reactionMessage"]["key"] = to;
            data["message"]["reactionMessage"]["text"] = json!(emoji);
        })
        .await;
    }

    /// What the user sends, and how far it gets.
    async fn answer(&mut self, recording: Recording, who: Person, text: &str) {
        let id = Sender::fresh_id();
        self.user
            .post(recording, |data| {
                data["key"]["id"] = json!(id);
                data["key"]["remoteJid"] = json!(jid(who));
                data["message"]["conversation"] = json!(text);
                data["messageTimestamp"] = json!(self.user.clock.now().as_secs());
            })
            .await;
        for receipt in [Recording::Delivered, Recording::Read] {
            pause_ms(1100).await;
            self.user
                .post(receipt, |data| {
                    data["keyId"] = json!(id);
                    data["remoteJid"] = json!(jid(who));
                })
                .await;
        }
        self.answered.insert(who.phone, id);
    }

    /// For as long as a quick thumb takes.
    async fn typing(&self, who: Person, text: &str) {
        self.user
            .post(Recording::Composing, |data| {
                data["id"] = json!(jid(who));
                data["presences"] = json!({ jid(who): {"lastKnownPresence": "composing"} });
            })
            .await;
        pause_ms(700 + 25 * text.chars().count() as u64).await;
    }
}

/// Where each kind of message has its words.
fn caption(recording: Recording, data: &mut Value, words: &str) {
    let (content, field) = match recording {
        Recording::Image => ("imageMessage", "caption"),
        Recording::Document => ("documentMessage", "caption"),
        Recording::Location => ("locationMessage", "name"),
        Recording::Poll => ("pollCreationMessageV3", "name"),
        _ => return,
    };
    data["message"][content][field] = json!(words);
}

fn jid(who: Person) -> String {
    format!("{}@s.whatsapp.net", who.phone)
}

fn lid(who: Person) -> String {
    format!("77{}@lid", who.phone)
}

async fn pause_ms(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}
