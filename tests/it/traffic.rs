//! Load around a server that comes and goes: posters that re-send like Evolution until they are answered 200, and
//! listeners that come back with the last number they saw. What they did and saw is the judge's to read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::judge::{Answer, Channel, Frame, Hello, History, Listener, Sent, Trace};
use crate::process::{Process, delivery, large_message, message, token};
use crate::socket::Socket;

/// Two users of one organisation and one of another.
const USERS: [(&str, &str); 3] = [("ana", "acme"), ("bob", "acme"), ("rui", "zeta")];
/// Deliveries that Evolution has open at once for each user.
const POSTERS: usize = 3;
/// Before somebody who was turned away tries again, if the server has not moved meanwhile.
const RETRY: Duration = Duration::from_millis(20);
/// For one delivery, and for one connection to open.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Traffic {
    shared: Arc<Shared>,
    posters: Vec<JoinHandle<()>>,
    listeners: Vec<JoinHandle<Listener>>,
}

struct Shared {
    began: Instant,
    history: Mutex<History>,
    /// Where the server is, while it is.
    server: watch::Sender<Option<String>>,
    http: reqwest::Client,
    /// How many deliveries were answered 200.
    acknowledged: watch::Sender<usize>,
    ending: watch::Sender<bool>,
    goal: watch::Sender<Option<Goal>>,
}

/// Up to where each channel has to be heard, and until when at most.
struct Goal {
    heads: HashMap<Channel, i64>,
    until: Instant,
}

impl Traffic {
    /// Makes the users, connects the listeners and begins to post.
    pub async fn begin(server: &Process) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            history: Mutex::default(),
            server: watch::Sender::new(Some(server.url.clone())),
            http: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            acknowledged: watch::Sender::new(0),
            ending: watch::Sender::new(false),
            goal: watch::Sender::new(None),
        });
        for (user, org) in USERS {
            server.user(user, Some(org)).await;
            shared.history.lock().unwrap().tenant(user, Some(org));
        }
        let (greeted, mut waiting) = tokio::sync::mpsc::channel::<()>(1);
        let listen = |channel: Channel| tokio::spawn(Arc::clone(&shared).listen(channel, greeted.clone()));
        let mut listeners: Vec<_> = channels().into_iter().map(listen).collect();
        listeners.push(listen(Channel::User("ana".into())));
        drop(greeted);
        // Ends when every listener has let go of its end: when all were greeted.
        waiting.recv().await;
        let posters = USERS.iter().flat_map(|(user, _)| (0..POSTERS).map(move |poster| (*user, poster)));
        let posters = posters.map(|(user, poster)| tokio::spawn(Arc::clone(&shared).post(user, poster))).collect();
        Self { shared, posters, listeners }
    }

    /// The server is gone, or is somewhere else.
    pub fn server_is_at(&self, url: Option<&str>) {
        self.shared.server.send_replace(url.map(str::to_owned));
    }

    /// Waits until `more` further deliveries were answered 200.
    pub async fn flows(&self, more: usize) {
        let mut acknowledged = self.shared.acknowledged.subscribe();
        let goal = *acknowledged.borrow() + more;
        let flowing = acknowledged.wait_for(|count| *count >= goal);
        timeout(PATIENCE, flowing).await.expect("deliveries are answered").unwrap();
    }

    /// Lets every poster finish and every listener hear all there is, for at most `patience`; then what happened.
    pub async fn settle(self, patience: Duration) -> History {
        self.shared.ending.send_replace(true);
        for poster in self.posters {
            timeout(PATIENCE, poster).await.expect("all that was sent is answered").unwrap();
        }
        let mut heads = HashMap::new();
        let url = self.shared.server.borrow().clone().expect("the server is up at the end");
        for channel in channels() {
            let (query, bearer) = admission(&channel);
            let head = Socket::open(&url, query, &bearer).await.hello_seq();
            heads.insert(channel, head);
        }
        self.shared.goal.send_replace(Some(Goal { heads, until: Instant::now() + patience }));
        let mut history = std::mem::take(&mut *self.shared.history.lock().unwrap());
        for listener in self.listeners {
            history.heard(listener.await.unwrap());
        }
        history
    }
}

fn channels() -> Vec<Channel> {
    let users = USERS.iter().map(|(user, _)| Channel::User((*user).to_owned()));
    users.chain(["acme", "zeta"].map(|org| Channel::Org(org.to_owned()))).collect()
}

/// How a channel is asked for, and by whom.
fn admission(channel: &Channel) -> (&'static str, String) {
    match channel {
        Channel::User(user) => ("", token(user, None)),
        Channel::Org(org) => ("channel=org", token("member", Some(org))),
        Channel::Admin => unreachable!("nobody here listens to the admin channel"),
    }
}

impl Shared {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// One of Evolution's deliveries after the other. Every fifth event is delivered twice, as if its answer had been
    /// lost; every seventh is large.
    async fn post(self: Arc<Self>, user: &'static str, poster: usize) {
        for number in 0.. {
            if *self.ending.borrow() {
                return;
            }
            let event = format!("{user}-{poster}-{number}");
            let body = if number % 7 == 6 { large_message(user, &event, 30_000) } else { message(user, &event) };
            let sent = Sent { event: event.clone(), user: user.to_owned(), trace: Trace::Named, at: self.now() };
            self.history.lock().unwrap().sent(sent);
            for _ in 0..if number % 5 == 4 { 2 } else { 1 } {
                self.deliver(user, &event, &body).await;
            }
        }
    }

    /// Sends an event until it is answered 200.
    async fn deliver(&self, user: &str, event: &str, body: &Value) {
        let mut server = self.server.subscribe();
        loop {
            let url = server.borrow_and_update().clone();
            if let Some(url) = url {
                let answer = self.attempt(&url, user, body).await;
                self.history.lock().unwrap().answered(event, answer, self.now());
                if answer.own_seq().is_some() {
                    self.acknowledged.send_modify(|count| *count += 1);
                    return;
                }
            }
            let _ = timeout(RETRY, server.changed()).await;
        }
    }

    async fn attempt(&self, url: &str, user: &str, body: &Value) -> Answer {
        let Ok(response) = delivery(&self.http, url, user, body).send().await else { return Answer::Nothing };
        let status = response.status().as_u16();
        let Ok(json) = response.json::<Value>().await else { return Answer::Nothing };
        match (status, json["status"].as_str(), json["seq"].as_i64()) {
            (200, Some("stored"), Some(seq)) => Answer::Stored(seq),
            (200, Some("duplicate"), Some(seq)) => Answer::Duplicate(seq),
            (503, ..) => Answer::Failed,
            _ => panic!("a message is stored or put off, but the answer was {status} {json}"),
        }
    }

    /// Keeps a connection to a channel, until the goal is reached or its time is over.
    async fn listen(self: Arc<Self>, channel: Channel, greeted: tokio::sync::mpsc::Sender<()>) -> Listener {
        let (mut server, mut goal) = (self.server.subscribe(), self.goal.subscribe());
        let (mut heard, mut greeted) = (Listener::new(channel), Some(greeted));
        loop {
            let url = server.borrow_and_update().clone();
            let socket = match url {
                Some(url) => self.connect(&url, &mut heard).await,
                None => None,
            };
            if let Some(mut socket) = socket {
                greeted.take();
                loop {
                    if self.is_enough(&heard) {
                        heard.settled(self.now());
                        return heard;
                    }
                    tokio::select! {
                        text = socket.heard() => match text {
                            Ok(text) => heard.frame(Frame::read(&text).expect("a frame")),
                            Err(_closed) => break,
                        },
                        _ = goal.changed() => {}
                        () = self.out_of_time() => {}
                    }
                }
            }
            let _ = timeout(RETRY, server.changed()).await;
        }
    }

    /// Opens a connection that recovers from where the last one ended, and notes its `hello`.
    async fn connect(&self, url: &str, heard: &mut Listener) -> Option<Socket> {
        let (query, bearer) = admission(&heard.channel);
        let since = heard.position();
        let query = match &since {
            Some(since) => format!("{query}&since={}&epoch={}", since.seq, since.epoch),
            None => query.to_owned(),
        };
        let asked_at = self.now();
        let mut socket = timeout(PATIENCE, Socket::try_open(url, &query, &bearer)).await.ok()?.ok()?;
        let text = timeout(PATIENCE, socket.heard()).await.ok()?.ok()?;
        let hello: Value = serde_json::from_str(&text).unwrap();
        let hello = Hello {
            epoch: hello["epoch"].as_str().expect("hello has an epoch").to_owned(),
            seq: hello["seq"].as_i64().expect("hello has a number"),
            recovered: hello["recovered"] == true,
        };
        heard.hello_between(hello, since, asked_at, self.now());
        Some(socket)
    }

    fn is_enough(&self, heard: &Listener) -> bool {
        let goal = self.goal.borrow();
        let Some(Goal { heads, until }) = &*goal else { return false };
        let last = heard.position().map_or(0, |position| position.seq);
        last >= heads[&heard.channel] || Instant::now() >= *until
    }

    /// Ends with the time that the goal gives, if there is one.
    async fn out_of_time(&self) {
        let until = self.goal.borrow().as_ref().map(|goal| goal.until);
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}
