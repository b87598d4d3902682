//! The lives of the sample users: their SaaS connects them, somebody scans, people write, the network goes and comes, a
//! device is removed. Whoever acts on a phone by the demo's buttons takes that life over; talk goes on wherever a phone is
//! linked.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::demo::Demo;
use super::talk::{self, Person, Turn};
use super::{Message, Phone, Simulator};
use crate::domain::ids::{InstanceName, UserId};

/// A sample user, with the phone that it links.
#[derive(Clone, Copy, Debug)]
pub struct SampleUser {
    pub id: &'static str,
    /// The name of its WhatsApp profile.
    pub name: &'static str,
    /// Digits with country code.
    pub phone: &'static str,
}

pub const USERS: [SampleUser; 3] = [
    SampleUser { id: "padaria-aurora", name: "Padaria Aurora", phone: "5511900000001" },
    SampleUser { id: "clinica-vida", name: "Clínica Vida", phone: "5521900000002" },
    SampleUser { id: "loja-do-bairro", name: "Loja do Bairro", phone: "5531900000003" },
];

/// Seconds until the first scan and of the first talk, by the user's place: within ten seconds one is connected, one
/// finishes and one still shows its code.
const BEGINNINGS: [(u64, u64); 3] = [(3, 26), (7, 52), (42, 100)];
/// Seconds of the later ones. Shorter talks would bring four openings in five minutes, which is an unstable connection.
const LATER: (u64, u64) = (24, 130);
/// How long the network is away, and how long a removed device stays unlinked.
const DROP: Duration = Duration::from_secs(10);
const UNLINKED: Duration = Duration::from_secs(10);
/// How soon a newly linked phone is talked to.
const LOOK: Duration = Duration::from_secs(1);

/// The gateway as the sample users' SaaS sees it.
#[derive(Clone, Debug)]
pub struct Saas {
    pub base: Arc<str>,
    pub admin: SecretString,
    pub http: reqwest::Client,
}

impl Saas {
    /// Asks the gateway to connect a user, as when the owner presses the button.
    ///
    /// # Errors
    /// When the gateway doesn't answer 200.
    pub async fn connect(&self, user: &str) -> anyhow::Result<()> {
        self.http
            .post(format!("{}/api/whatsapp/connect", self.base))
            .bearer_auth(self.admin.expose_secret())
            .json(&json!({"userId": user, "organizationId": "demo"}))
            .send()
            .await?
            .error_for_status()
            .context("connecting a sample user")?;
        Ok(())
    }
}

/// The phone of an instance: a sample user's, or one invented for anybody else.
pub(super) fn phone_of(instance: &str) -> Phone {
    let sample = USERS.iter().find(|user| instance_of(user).as_ref().is_ok_and(|name| name.as_str() == instance));
    let number = instance.bytes().fold(0_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 10_000_000);
    sample.map_or_else(
        || Phone::new(&format!("55119{:08}", 10_000_000 + number), "Zapgate"),
        |user| Phone::new(user.phone, user.name),
    )
}

fn instance_of(user: &SampleUser) -> anyhow::Result<InstanceName> {
    Ok(InstanceName::of_user(&UserId::named_by_admin(user.id)?))
}

/// Lives all lives until `stop`.
pub async fn live(demo: Demo, saas: Saas, stop: CancellationToken) {
    let lives = USERS.iter().enumerate().map(|(place, user)| one(&demo, &saas, user, place));
    let everything =
        async { tokio::join!(futures_util::future::join_all(lives), talk_everywhere(&demo.simulator, &saas.http)) };
    stop.run_until_cancelled(everything).await;
}

/// One user's life, as long as nobody takes it over.
async fn one(demo: &Demo, saas: &Saas, user: &SampleUser, place: usize) {
    let Ok(instance) = instance_of(user) else { return };
    let name = instance.as_str();
    let (patience, first) = BEGINNINGS[place % BEGINNINGS.len()];
    let left_alone = || !demo.is_taken_over(name);
    scan(demo, name, patience).await;
    sleep(Duration::from_secs(first)).await;
    for round in place.. {
        // Whom its owner unlinked or removed on the page, the script leaves alone too.
        let is_linked = demo.simulator.linked(name).is_some();
        if left_alone() && is_linked && round % 2 == 0 {
            demo.simulator.drop_for(name, DROP);
        } else if left_alone() && is_linked {
            demo.simulator.remove_device(name);
            sleep(UNLINKED).await;
            if left_alone() {
                if let Err(fault) = saas.connect(user.id).await {
                    warn!("a sample user could not be connected: {fault:#}");
                }
                scan(demo, name, LATER.0).await;
            }
        }
        sleep(Duration::from_secs(LATER.1)).await;
    }
}

/// Scans the code when it has been shown for so many seconds, unless somebody else does.
async fn scan(demo: &Demo, name: &str, patience: u64) {
    demo.simulator.code_shown(name).await;
    sleep(Duration::from_secs(patience)).await;
    if !demo.is_taken_over(name) {
        demo.simulator.scan(name, phone_of(name));
    }
}

/// Talk for every phone that is linked, also those of later instances.
async fn talk_everywhere(simulator: &Simulator, http: &reqwest::Client) {
    let mut talking = BTreeSet::new();
    let mut talks = FuturesUnordered::new();
    loop {
        for name in simulator.instances() {
            if simulator.state(&name) == Some("open") && talking.insert(name.clone()) {
                let place = USERS
                    .iter()
                    .position(|user| instance_of(user).is_ok_and(|instance| instance.as_str() == name))
                    .unwrap_or(talking.len());
                talks.push(Talk::new(simulator, http.clone(), name, place).go_on());
            }
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            Some(name) = talks.next(), if !talks.is_empty() => {
                talking.remove(&name);
            }
        }
    }
}

/// A user's conversations, which go on where they were after each interruption.
struct Talk<'a> {
    simulator: &'a Simulator,
    http: reqwest::Client,
    instance: String,
    turns: std::iter::Cycle<std::slice::Iter<'static, Turn>>,
    /// The message that each person said last, and the answer that each got last.
    said: HashMap<&'static str, String>,
    answered: HashMap<&'static str, String>,
}

impl<'a> Talk<'a> {
    fn new(simulator: &'a Simulator, http: reqwest::Client, instance: String, place: usize) -> Self {
        Self {
            simulator,
            http,
            instance,
            turns: talk::of(place).iter().cycle(),
            said: HashMap::new(),
            answered: HashMap::new(),
        }
    }

    /// Turns as long as there is an instance; its name.
    async fn go_on(mut self) -> String {
        let begun = Instant::now();
        while self.simulator.has_instance(&self.instance) {
            if self.simulator.state(&self.instance) == Some("open")
                && let Some(turn) = self.turns.next()
            {
                self.take(*turn).await;
            }
            // The first words come soon, so that one sees that it works.
            let pause = if begun.elapsed() < Duration::from_secs(5) { 600 } else { 1900 };
            sleep(Duration::from_millis(pause)).await;
        }
        self.instance
    }

    async fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Says(who, text) => {
                self.comes(who, Message::Composing);
                sleep(Duration::from_millis(700 + 25 * text.chars().count() as u64)).await;
                if let Some(id) = self.comes(who, Message::Text(text.to_owned())) {
                    self.said.insert(who.phone, id);
                }
            }
            Turn::InGroup(who, text) => drop(self.comes(who, Message::GroupText(text.to_owned()))),
            Turn::Sends(who, message) => drop(self.comes(who, message())),
            Turn::Corrects(who, text) => {
                if let Some(of) = self.said.get(who.phone).cloned() {
                    self.comes(who, Message::Edit { of, text: text.to_owned() });
                }
            }
            Turn::Reacts(who, emoji) => {
                if let Some(of) = self.answered.get(who.phone).cloned() {
                    self.comes(who, Message::Reaction { of, emoji: emoji.to_owned() });
                }
            }
            Turn::Answers(who, text) => {
                if let Some(id) = self.answer(who, text).await {
                    self.answered.insert(who.phone, id);
                }
            }
            Turn::OnPhone(who, text) => drop(self.comes(who, Message::Own(text.to_owned()))),
        }
    }

    fn comes(&self, who: Person, message: Message) -> Option<String> {
        self.simulator.message(&self.instance, &Phone::new(who.phone, who.name), message)
    }

    /// What the user sends through Evolution's API; the message's id, where it went out.
    fn answer(&self, who: Person, text: &str) -> impl Future<Output = Option<String>> + use<> {
        let url = format!("{}/message/sendText/{}", self.simulator.url(), self.instance);
        let request = self.http.post(url).header("apikey", self.simulator.key().expose_secret());
        let request = request.json(&json!({"number": who.phone, "text": text})).timeout(Duration::from_secs(10));
        async move {
            let answer: Value = request.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
            Some(answer["key"]["id"].as_str()?.to_owned())
        }
    }
}
