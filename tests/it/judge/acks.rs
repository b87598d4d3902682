//! What was promised by an acknowledgement, against the log and against every listener that had to see it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::history::{Ack, Answer, Channel, History, Listener, Session, Trace};
use super::log::{Log, name};
use super::{Faults, Kind};

pub(super) fn check(history: &History, log: &Log<'_>, faults: &mut Faults) {
    let kept = Kept::collect(history, faults);
    kept.in_the_log(history, log, faults);
    kept.in_real_time(history, faults);
    for (at, listener) in history.listeners.iter().enumerate() {
        match &listener.channel {
            Channel::User(user) => kept.at_user(user, at, listener, faults),
            Channel::Org(org) => at_org(history, org, at, listener, faults),
            Channel::Admin => {}
        }
    }
}

/// Numbers promised to events: per user and epoch, in order of number.
struct Kept<'a> {
    by_user: HashMap<(&'a str, &'a str), BTreeMap<i64, &'a Ack>>,
}

impl<'a> Kept<'a> {
    fn collect(history: &'a History, faults: &mut Faults) -> Self {
        let only = only_epoch(history);
        let mut numbers: HashMap<(&str, &str), i64> = HashMap::new();
        let mut by_user: HashMap<(&str, &str), BTreeMap<i64, &Ack>> = HashMap::new();
        let mut folded: HashSet<&str> = HashSet::new();
        for ack in &history.acks {
            if matches!(ack.answer, Answer::Folded(_)) {
                folded.insert(&ack.event);
            }
            let (Some(seq), Some(epoch)) = (ack.answer.own_seq(), ack.epoch.as_deref().or(only)) else { continue };
            let Some(sent) = history.sent.get(&ack.event) else { continue };
            let place = Channel::User(sent.user.clone());
            let event = ack.event.as_str();
            if folded.contains(event) && matches!(ack.answer, Answer::Stored(_)) {
                faults.add(Kind::Twice, &place, format!("event {event} was folded, then stored as {seq}"));
            }
            if let Some(other) = numbers.insert((event, epoch), seq).filter(|other| *other != seq) {
                faults.add(Kind::Twice, &place, format!("event {event} was acknowledged as {other} and as {seq}"));
            }
            let taken = by_user.entry((&sent.user, epoch)).or_default().entry(seq).or_insert(ack);
            if taken.event != ack.event {
                let detail = format!("number {seq} was promised to {} and to {event}", taken.event);
                faults.add(Kind::NotKept, &place, detail);
            }
        }
        Self { by_user }
    }

    fn in_the_log(&self, history: &History, log: &Log<'_>, faults: &mut Faults) {
        for (&(user, epoch), promised) in &self.by_user {
            let channel = Channel::User(user.to_owned());
            for (&seq, ack) in promised {
                let place = (&channel, epoch);
                if let Some(other) = log.number_of(place, &ack.event).filter(|other| *other != seq) {
                    let detail = format!("{} was acknowledged as {seq} and is {other}", ack.event);
                    faults.add(Kind::NotKept, &channel, detail);
                }
                let Some(frame) = log.at(place, seq) else { continue };
                let named = history.sent[&ack.event].trace != Trace::Unnamed;
                let as_promised = match &frame.event {
                    Some(event) => *event == ack.event,
                    None => !named,
                };
                if !as_promised {
                    let detail = format!("number {seq} was {} when acknowledged and is {}", ack.event, name(frame));
                    faults.add(Kind::NotKept, &channel, detail);
                }
            }
        }
    }

    /// An event acknowledged before another was first sent has the lower number.
    fn in_real_time(&self, history: &History, faults: &mut Faults) {
        for (&(user, _), promised) in &self.by_user {
            let mut newest: Option<(Duration, &str)> = None;
            for (seq, ack) in promised {
                let sent_at = history.sent[&ack.event].at;
                if let Some((_, later)) = newest.filter(|(later_sent, _)| ack.at < *later_sent) {
                    let detail = format!("{} is number {seq}, after {later}, which was sent later", ack.event);
                    faults.add(Kind::OutOfOrder, Channel::User(user.to_owned()), detail);
                }
                newest = newest.max(Some((sent_at, &ack.event)));
            }
        }
    }

    fn at_user(&self, user: &str, at: usize, listener: &Listener, faults: &mut Faults) {
        for (nth, session) in listener.sessions.iter().enumerate() {
            let epoch = session.hello.epoch.as_str();
            let Some(promised) = self.by_user.get(&(user, epoch)) else { continue };
            let place = format!("{}, listener {at}, connection {nth}", listener.channel);
            forgotten(&place, session, promised, faults);
            let Some(settled_at) = session.settled_at else { continue };
            for (seq, ack) in promised.range(session.last() + 1..).filter(|(_, ack)| ack.at <= settled_at) {
                faults.add(Kind::Lost, &place, format!("event {} (number {seq}) never came", ack.event));
            }
        }
    }
}

/// A head below a number that was acknowledged before the listener even asked.
fn forgotten(place: &str, session: &Session, promised: &BTreeMap<i64, &Ack>, faults: &mut Faults) {
    if session.hello.recovered {
        return;
    }
    let beyond = promised.range(session.hello.seq + 1..);
    for (seq, ack) in beyond.filter(|(_, ack)| ack.at < session.asked_at) {
        let detail = format!("the head is {}, but {} was acknowledged as {seq} before", session.hello.seq, ack.event);
        faults.add(Kind::NotKept, place, detail);
    }
}

/// The epoch of acks that were given none.
fn only_epoch(history: &History) -> Option<&str> {
    let mut seen = history.epochs().into_iter();
    seen.next().filter(|_| seen.next().is_none())
}

/// Acks do not carry the org's numbers, so an org's listener is held to time: what was sent after its unbroken
/// coverage began and acknowledged before it settled has to be there.
fn at_org(history: &History, org: &str, at: usize, listener: &Listener, faults: &mut Faults) {
    for cover in coverages(listener) {
        let Some(settled_at) = cover.settled_at else { continue };
        for ack in &history.acks {
            let Some(sent) = history.sent.get(&ack.event) else { continue };
            let due = ack.answer.own_seq().is_some()
                && sent.trace == Trace::Named
                && history.org_of(&sent.user) == Some(org)
                && sent.at > cover.since
                && ack.at <= settled_at;
            if due && !cover.events.contains(ack.event.as_str()) {
                let place = format!("{}, listener {at}", listener.channel);
                faults.add(Kind::Lost, place, format!("event {} never came", ack.event));
            }
        }
    }
}

/// Connections of one listener that continue each other.
struct Coverage<'a> {
    since: Duration,
    last: i64,
    settled_at: Option<Duration>,
    events: HashSet<&'a str>,
}

fn coverages(listener: &Listener) -> Vec<Coverage<'_>> {
    let mut all: Vec<Coverage<'_>> = Vec::new();
    for session in &listener.sessions {
        let continues = session.hello.recovered && all.last().is_some_and(|cover| session.hello.seq <= cover.last);
        if !continues {
            all.push(Coverage { since: session.greeted_at, last: 0, settled_at: None, events: HashSet::new() });
        }
        let Some(cover) = all.last_mut() else { continue };
        cover.last = cover.last.max(session.last());
        cover.settled_at = session.settled_at;
        cover.events.extend(session.frames.iter().filter_map(|frame| frame.event.as_deref()));
    }
    all
}
