//! The one sequence of each channel, put together from all its listeners, and what may stand in it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::history::{Answer, Channel, Frame, History};
use super::{Faults, Kind};

/// A channel within an epoch: only there do numbers mean anything.
pub(super) type Place<'a> = (&'a Channel, &'a str);

pub(super) struct Log<'a> {
    frames: HashMap<(Place<'a>, i64), &'a Frame>,
    /// Where each named event stands; the last place seen, if there are several.
    numbers: HashMap<(Place<'a>, &'a str), i64>,
}

impl<'a> Log<'a> {
    /// Listeners that contradict each other about a number are faulted here.
    pub(super) fn merge(history: &'a History, faults: &mut Faults) -> Self {
        let mut frames: HashMap<(Place<'a>, i64), &'a Frame> = HashMap::new();
        for listener in &history.listeners {
            for session in &listener.sessions {
                let place = (&listener.channel, session.hello.epoch.as_str());
                for frame in &session.frames {
                    match frames.entry((place, frame.seq)) {
                        Entry::Vacant(free) => {
                            free.insert(frame);
                        }
                        Entry::Occupied(taken) => same(place, taken.get(), frame, faults),
                    }
                }
            }
        }
        let named = frames.iter().filter_map(|((place, seq), frame)| Some(((*place, frame.event.as_deref()?), *seq)));
        let numbers = named.collect();
        Self { frames, numbers }
    }

    /// The number an event has on a channel.
    pub(super) fn number_of(&self, place: Place<'a>, event: &'a str) -> Option<i64> {
        self.numbers.get(&(place, event)).copied()
    }

    pub(super) fn at(&self, place: Place<'a>, seq: i64) -> Option<&'a Frame> {
        self.frames.get(&(place, seq)).copied()
    }

    pub(super) fn check(&self, history: &History, faults: &mut Faults) {
        let refused = refused(history);
        let mut where_is: HashMap<(Place<'_>, &str), i64> = HashMap::new();
        for (&((channel, epoch), seq), frame) in &self.frames {
            belongs(history, channel, frame, faults);
            let Some(event) = frame.event.as_deref() else { continue };
            if let Some(other) = where_is.insert(((channel, epoch), event), seq) {
                let (first, second) = (other.min(seq), other.max(seq));
                faults.add(Kind::Twice, channel, format!("event {event} as number {first} and as {second}"));
            }
            match refused.get(event) {
                _ if !history.sent.contains_key(event) => {
                    faults.add(Kind::Unasked, channel, format!("event {event} (number {seq}) was never sent"));
                }
                Some(true) => {
                    faults.add(Kind::Unasked, channel, format!("event {event} (number {seq}) had been refused"));
                }
                _ => {}
            }
        }
    }
}

fn same(place: Place<'_>, one: &Frame, other: &Frame, faults: &mut Faults) {
    let equal = one.kind == other.kind && one.event == other.event && one.print == other.print;
    if !equal {
        let detail = format!("number {} is {} for one listener and {} for another", one.seq, name(one), name(other));
        faults.add(Kind::OutOfOrder, place.0, detail);
    }
}

pub(super) fn name(frame: &Frame) -> String {
    match &frame.event {
        Some(event) => format!("{} {event}", frame.kind),
        None => format!("a {} that names no event", frame.kind),
    }
}

/// For each answered event whether every answer refused it.
fn refused(history: &History) -> HashMap<&str, bool> {
    let mut all = HashMap::new();
    for ack in &history.acks {
        *all.entry(ack.event.as_str()).or_insert(true) &= ack.answer == Answer::Refused;
    }
    all
}

/// Tenants are walls: whose frame it is, by what it says and by what was sent; and what a channel may carry at all.
fn belongs(history: &History, channel: &Channel, frame: &Frame, faults: &mut Faults) {
    let sender = frame.event.as_deref().and_then(|event| history.sent.get(event)).map(|sent| sent.user.as_str());
    let owners = [sender, frame.user.as_deref()].into_iter().flatten();
    let fault = match channel {
        Channel::User(user) => owners.into_iter().find(|owner| owner != user).map(|owner| format!("of user {owner}")),
        Channel::Org(_) if matches!(frame.kind.as_str(), "qrcode" | "presence") => Some("private to its user".into()),
        Channel::Org(_) if frame.shows_code => Some("shows a code".into()),
        Channel::Org(org) => owners
            .into_iter()
            .find(|owner| history.org_of(owner) != Some(org))
            .map(|owner| format!("of user {owner}, who is not of this organisation")),
        Channel::Admin => (!matches!(frame.kind.as_str(), "status" | "health" | "notification"))
            .then(|| "only status, health and notification may be here".into()),
    };
    if let Some(why) = fault {
        faults.add(Kind::Foreign, channel, format!("number {} is {}: {why}", frame.seq, name(frame)));
    }
}
