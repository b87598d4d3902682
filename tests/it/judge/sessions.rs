//! What one listener can see by itself: numbers rise by one, and a recovery is what it says.

use super::history::{History, Listener, Session};
use super::{Faults, Kind};

pub(super) fn check(history: &History, faults: &mut Faults) {
    epochs(history, faults);
    for (at, listener) in history.listeners.iter().enumerate() {
        for (nth, session) in listener.sessions.iter().enumerate() {
            let place = format!("{}, listener {at}, connection {nth}", listener.channel);
            greeting(&place, session, faults);
            numbers(&place, session, faults);
            events(&place, session, faults);
            steps_back(&place, listener, nth, faults);
        }
    }
}

/// An epoch may only change where the test itself changed the store; else it would hide any loss.
fn epochs(history: &History, faults: &mut Faults) {
    let seen = history.epochs();
    let allowed = if history.declared.is_empty() { seen.len() <= 1 } else { true };
    if !allowed {
        faults.add(Kind::SilentLoss, "all channels", format!("the epoch changed with no restore: {seen:?}"));
    }
    for epoch in seen.iter().filter(|epoch| !history.declared.is_empty() && !history.declared.contains(**epoch)) {
        faults.add(Kind::SilentLoss, "all channels", format!("an epoch nobody caused: {epoch}"));
    }
}

fn greeting(place: &str, session: &Session, faults: &mut Faults) {
    let hello = &session.hello;
    if !hello.recovered {
        return;
    }
    match &session.since {
        None => faults.add(Kind::SilentLoss, place, "recovered, though it asked for nothing"),
        Some(since) if since.seq != hello.seq => faults.add(
            Kind::SilentLoss,
            place,
            format!("recovered from {} when {} was asked for", hello.seq, since.seq),
        ),
        Some(since) if since.epoch != hello.epoch => faults.add(
            Kind::SilentLoss,
            place,
            format!("recovered in epoch {} a position of epoch {}", hello.epoch, since.epoch),
        ),
        Some(_) => {}
    }
}

fn numbers(place: &str, session: &Session, faults: &mut Faults) {
    let mut last = session.hello.seq;
    for frame in &session.frames {
        let seq = frame.seq;
        if seq == last {
            faults.add(Kind::Twice, place, format!("number {seq} came again"));
        } else if seq < last {
            faults.add(Kind::OutOfOrder, place, format!("number {seq} came after {last}"));
        } else if seq > last + 1 {
            faults.add(Kind::Lost, place, format!("numbers {} to {} are missing", last + 1, seq - 1));
        }
        last = last.max(seq);
    }
}

fn events(place: &str, session: &Session, faults: &mut Faults) {
    let mut seen = std::collections::HashMap::new();
    for frame in &session.frames {
        let Some(event) = &frame.event else { continue };
        if let Some(first) = seen.insert(event, frame.seq).filter(|first| *first != frame.seq) {
            faults.add(Kind::Twice, place, format!("event {event} as number {first} and as {}", frame.seq));
        }
    }
}

/// A head below what this listener already had, in the same epoch: the store forgot frames it had shown.
fn steps_back(place: &str, listener: &Listener, nth: usize, faults: &mut Faults) {
    let session = &listener.sessions[nth];
    if session.hello.recovered {
        return;
    }
    let before = listener.sessions[..nth].iter().filter(|earlier| earlier.hello.epoch == session.hello.epoch);
    if let Some(seen) = before.map(Session::last).max().filter(|seen| *seen > session.hello.seq) {
        faults.add(Kind::NotKept, place, format!("the head is {}, but {seen} was already shown", session.hello.seq));
    }
}
