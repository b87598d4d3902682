//! A gateway without faults, in memory: plays random steps and writes down what the outside would have seen.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Answer, Channel, Frame, Hello, History, Listener, Sent, Trace};

pub const EPOCH: &str = "e1";

/// Three users: ana and bob of one organisation, rui of another.
const USERS: [(&str, &str); 3] = [("ana", "acme"), ("bob", "acme"), ("rui", "zeta")];

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A message of one user; `fate` decides how its attempts went.
    Message {
        user: usize,
        fate: u8,
    },
    Qr {
        user: usize,
    },
    /// A webhook whose frame names no event, beside one of the gateway's own.
    Status {
        user: usize,
    },
    Leave {
        listener: usize,
    },
    Resume {
        listener: usize,
    },
    StartOver {
        listener: usize,
    },
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS.len();
    let listener = 0..7_usize;
    let step = prop_oneof![
        6 => (user.clone(), any::<u8>()).prop_map(|(user, fate)| Step::Message { user, fate }),
        1 => user.clone().prop_map(|user| Step::Qr { user }),
        1 => user.prop_map(|user| Step::Status { user }),
        1 => listener.clone().prop_map(|listener| Step::Leave { listener }),
        2 => listener.clone().prop_map(|listener| Step::Resume { listener }),
        1 => listener.prop_map(|listener| Step::StartOver { listener }),
    ];
    prop::collection::vec(step, 0..120)
}

/// Plays a prelude in which everything happens once, then the steps, then lets every listener catch up.
pub fn play(steps: &[Step]) -> History {
    let mut gateway = Gateway::new();
    let everyone = || 0..USERS.len();
    let messages = || everyone().flat_map(|user| [Step::Message { user, fate: 0 }; 3]);
    let prelude = messages().chain(everyone().map(|user| Step::Qr { user }));
    let finale = (0..7)
        .map(|listener| Step::Leave { listener })
        .chain(everyone().map(|user| Step::Status { user }))
        .chain(messages())
        .chain((0..7).map(|listener| Step::Resume { listener }))
        .chain(messages());
    for step in prelude.chain(steps.iter().copied()).chain(finale) {
        gateway.take(step);
    }
    gateway.finish()
}

struct Gateway {
    history: History,
    logs: HashMap<Channel, Vec<Frame>>,
    listeners: Vec<(Listener, bool)>,
    ticks: u64,
    events: u64,
}

impl Gateway {
    fn new() -> Self {
        let mut history = History::default();
        for (user, org) in USERS {
            history.tenant(user, Some(org));
        }
        let [ana, bob, rui] = USERS.map(|(user, _)| Channel::User(user.into()));
        let [acme, zeta] = ["acme", "zeta"].map(|org| Channel::Org(org.into()));
        let channels = [ana.clone(), ana, bob, rui, acme, zeta, Channel::Admin];
        let listeners = channels.map(|channel| (Listener::new(channel), false)).into();
        let mut gateway = Self { history, logs: HashMap::new(), listeners, ticks: 0, events: 0 };
        for listener in 0..gateway.listeners.len() {
            gateway.connect(listener, false);
        }
        gateway
    }

    fn now(&mut self) -> Duration {
        self.ticks += 1;
        Duration::from_millis(self.ticks)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Message { user, fate } => self.message(USERS[user], fate),
            Step::Qr { user } => self.unnamed(USERS[user], "qrcode"),
            Step::Status { user } => {
                self.unnamed(USERS[user], "status");
                self.append(USERS[user], "notification", None);
            }
            Step::Leave { listener } => self.listeners[listener].1 = false,
            Step::Resume { listener } => self.connect(listener, true),
            Step::StartOver { listener } => {
                self.listeners[listener].1 = false;
                self.connect(listener, false);
            }
        }
    }

    /// Stored at once, or after a failure; refused, or kept aside; or stored with the answer lost, then re-sent.
    fn message(&mut self, (user, org): (&str, &str), fate: u8) {
        let event = self.send(user, Trace::Named);
        match fate % 8 {
            1 => return self.answer(&event, Answer::Refused),
            5 => return self.answer(&event, Answer::Quarantined),
            2 => self.answer(&event, Answer::Failed),
            _ => {}
        }
        let seq = self.append((user, org), "message", Some(event.clone()));
        if fate % 8 == 3 {
            self.answer(&event, Answer::Nothing);
            return self.answer(&event, Answer::Duplicate(seq));
        }
        self.answer(&event, Answer::Stored(seq));
        if fate % 8 == 4 {
            self.answer(&event, Answer::Duplicate(seq));
        }
    }

    /// A webhook whose frame names no event, and a repeat of it that is folded into its row.
    fn unnamed(&mut self, (user, org): (&str, &str), kind: &'static str) {
        let event = self.send(user, Trace::Unnamed);
        let seq = self.append((user, org), kind, None);
        self.answer(&event, Answer::Stored(seq));
        let repeat = self.send(user, Trace::Unnamed);
        self.answer(&repeat, Answer::Folded(seq));
    }

    fn send(&mut self, user: &str, trace: Trace) -> String {
        self.events += 1;
        let event = format!("E{}", self.events);
        let at = self.now();
        self.history.sent(Sent { event: event.clone(), user: user.into(), trace, at });
        event
    }

    fn answer(&mut self, event: &str, answer: Answer) {
        let at = self.now();
        self.history.answered(event, answer, at);
    }

    fn append(&mut self, (user, org): (&str, &str), kind: &str, event: Option<String>) -> i64 {
        let mut hasher = DefaultHasher::new();
        (kind, user, &event, self.ticks).hash(&mut hasher);
        let shows_code = kind == "qrcode";
        let frame =
            Frame { seq: 0, kind: kind.into(), event, user: Some(user.into()), shows_code, print: hasher.finish() };
        if kind != "qrcode" {
            self.publish(&Channel::Org(org.into()), frame.clone());
        }
        if matches!(kind, "status" | "notification") {
            self.publish(&Channel::Admin, frame.clone());
        }
        self.publish(&Channel::User(user.into()), frame)
    }

    fn publish(&mut self, channel: &Channel, frame: Frame) -> i64 {
        let log = self.logs.entry(channel.clone()).or_default();
        let seq = i64::try_from(log.len()).unwrap() + 1;
        let frame = Frame { seq, ..frame };
        log.push(frame.clone());
        let connected = self.listeners.iter_mut().filter(|(listener, on)| *on && listener.channel == *channel);
        for (listener, _) in connected {
            listener.frame(frame.clone());
        }
        seq
    }

    fn connect(&mut self, at: usize, resume: bool) {
        let (asked, greeted) = (self.now(), self.now());
        let (listener, connected) = &mut self.listeners[at];
        if std::mem::replace(connected, true) {
            return;
        }
        let log = self.logs.get(&listener.channel).map_or(&[][..], Vec::as_slice);
        let since = listener.position().filter(|_| resume);
        let recovered = since.is_some();
        let seq = since.as_ref().map_or(i64::try_from(log.len()).unwrap(), |since| since.seq);
        listener.hello_between(Hello { epoch: EPOCH.into(), seq, recovered }, since, asked, greeted);
        for frame in log.iter().filter(|frame| frame.seq > seq) {
            listener.frame(frame.clone());
        }
    }

    fn finish(mut self) -> History {
        let at = self.now();
        for (mut listener, _) in self.listeners {
            listener.settled(at);
            self.history.heard(listener);
        }
        self.history
    }
}
