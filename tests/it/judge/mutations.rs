//! The judge on trial: correct histories are clean, and each kind of damage is found for what it is.

mod model;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;

use super::history::Session;
use super::{Answer, Channel, Frame, Hello, History, Kind, Sent, Since, Trace, assert_kept, judge};
use model::{Step, play, steps};

/// A kind of damage: what it is called, how it is done (false when there is nothing to do it to), what must be found.
struct Damage {
    name: &'static str,
    wreck: fn(&mut History, usize) -> bool,
    found: Kind,
}

const DAMAGES: [Damage; 19] = [
    Damage { name: "a frame dropped in the middle", wreck: drop_middle, found: Kind::Lost },
    Damage { name: "the last message dropped at a user's listener", wreck: drop_last_at_user, found: Kind::Lost },
    Damage { name: "a message left out of an org, renumbered", wreck: leave_out_at_org, found: Kind::Lost },
    Damage { name: "an ack for an event that was dropped at the end", wreck: ack_beyond, found: Kind::Lost },
    Damage { name: "a frame delivered again", wreck: repeat_frame, found: Kind::Twice },
    Damage { name: "an event again under the next number", wreck: repeat_event, found: Kind::Twice },
    Damage { name: "an event stored as two rows", wreck: store_twice, found: Kind::Twice },
    Damage { name: "two frames delivered in the wrong order", wreck: swap_delivery, found: Kind::OutOfOrder },
    Damage { name: "two events swapped for one listener", wreck: swap_contents, found: Kind::OutOfOrder },
    Damage { name: "a frame whose content changed on replay", wreck: change_content, found: Kind::OutOfOrder },
    Damage { name: "a frame renumbered upward", wreck: renumber, found: Kind::Lost },
    Damage { name: "a message on another user's channel", wreck: move_to_other_user, found: Kind::Foreign },
    Damage { name: "a message on another org's channel", wreck: move_to_other_org, found: Kind::Foreign },
    Damage { name: "a QR on an org's channel", wreck: qr_to_org, found: Kind::Foreign },
    Damage { name: "an ack whose number is another event", wreck: ack_other_number, found: Kind::NotKept },
    Damage { name: "a head below what was acknowledged", wreck: forget_at_restart, found: Kind::NotKept },
    Damage { name: "a recovery from elsewhere", wreck: recover_elsewhere, found: Kind::SilentLoss },
    Damage { name: "an epoch that changed quietly", wreck: change_epoch, found: Kind::SilentLoss },
    Damage { name: "a refused event delivered", wreck: deliver_refused, found: Kind::Unasked },
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_correct_history_is_clean(steps in steps()) {
        let faults = judge(&play(&steps));

        prop_assert!(faults.is_empty(), "{:?}", faults.iter().map(ToString::to_string).collect::<Vec<_>>());
    }

    #[test]
    fn each_kind_of_damage_is_found_for_what_it_is(steps in steps(), pick in any::<Index>()) {
        for damage in &DAMAGES {
            let mut history = play(&steps);
            prop_assert!((damage.wreck)(&mut history, pick.index(usize::MAX)), "nothing to do: {}", damage.name);

            let faults = judge(&history);

            let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
            prop_assert!(faults.iter().any(|fault| fault.kind == damage.found), "{}: {found:#?}", damage.name);
        }
    }
}

#[test]
fn a_hundred_thousand_frames_are_judged_in_seconds() {
    let rounds: Vec<Step> = (0..45_000).map(|n| Step::Message { user: n % 3, fate: 0 }).collect();
    let history = play(&rounds);
    let frames: usize = history.listeners.iter().flat_map(|l| &l.sessions).map(|s| s.frames.len()).sum();
    assert!(frames >= 100_000, "{frames} frames");

    let begun = Instant::now();
    assert_kept(&history);

    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
}

#[test]
fn an_event_acknowledged_before_another_was_sent_comes_first() {
    let at = Duration::from_millis;
    let mut history = History::default();
    history.tenant("ana", None);
    for (event, sent, seq) in [("first", 1, 2), ("second", 10, 1)] {
        history.sent(Sent { event: event.into(), user: "ana".into(), trace: Trace::Named, at: at(sent) });
        history.answered(event, Answer::Stored(seq), at(sent + 1));
    }
    history.listener(Channel::User("ana".into())).hello(
        Hello { epoch: "e".into(), seq: 2, recovered: false },
        None,
        at(20),
    );

    let faults = judge(&history);

    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].to_string(), "out of order: user:ana: first is number 2, after second, which was sent later");
}

#[test]
fn a_restore_that_the_test_declared_may_change_the_epoch_and_begin_elsewhere() {
    let at = Duration::from_millis;
    let mut history = History::default();
    history.tenant("ana", None);
    history.in_epoch("before");
    history.sent(Sent { event: "A".into(), user: "ana".into(), trace: Trace::Named, at: at(1) });
    history.answered("A", Answer::Stored(7), at(2));
    history.in_epoch("after");
    let ana = history.listener(Channel::User("ana".into()));
    ana.hello(Hello { epoch: "before".into(), seq: 7, recovered: false }, None, at(3));
    let since = Some(Since { epoch: "before".into(), seq: 7 });
    ana.hello(Hello { epoch: "after".into(), seq: 4, recovered: false }, since, at(9));

    assert_kept(&history);
}

#[test]
fn a_frame_is_read_from_the_text_a_socket_gets() {
    let live = r#"{"type":"qrcode","seq":42,"at":"t","data":{"instanceName":"user_123","qrCode":"data:","count":1}}"#;
    let replayed = r#"{"type":"qrcode","seq":42,"at":"t","data":{"instanceName":"user_123","qrCode":null,"expired":true,"count":1}}"#;
    let message = r#"{"type":"message","seq":44,"at":"t","data":{"instanceName":"loja","id":"3EB0"}}"#;

    let (live, replayed) = (Frame::read(live).unwrap(), Frame::read(replayed).unwrap());

    assert_eq!((live.seq, live.user.as_deref(), live.shows_code), (42, Some("123"), true));
    assert_eq!((live.print, replayed.shows_code), (replayed.print, false));
    assert_eq!(Frame::read(message).unwrap().event.as_deref(), Some("3EB0"));
    assert_eq!(Frame::read(r#"{"type":"hello","epoch":"e","seq":41,"recovered":false}"#), None);
    assert_eq!(Frame::read(r#"{"type":"pong"}"#), None);
}

/// One of the connections with at least `frames` frames, on a channel that `on` accepts.
fn connection(history: &mut History, pick: usize, frames: usize, on: fn(&Channel) -> bool) -> Option<&mut Session> {
    let listeners = history.listeners.iter_mut().filter(|listener| on(&listener.channel));
    let mut fit: Vec<_> = listeners.flat_map(|l| &mut l.sessions).filter(|s| s.frames.len() >= frames).collect();
    let index = pick.checked_rem(fit.len())?;
    Some(fit.swap_remove(index))
}

fn any_channel(_: &Channel) -> bool {
    true
}

fn a_user(channel: &Channel) -> bool {
    matches!(channel, Channel::User(_))
}

fn an_org(channel: &Channel) -> bool {
    matches!(channel, Channel::Org(_))
}

/// The newest connection of one of ana's two listeners; both heard its last frames (see `model`).
fn shared(history: &mut History, pick: usize) -> Option<&mut Session> {
    history.listeners[pick % 2].sessions.last_mut().filter(|session| session.frames.len() >= 6)
}

fn drop_middle(history: &mut History, pick: usize) -> bool {
    let Some(session) = connection(history, pick, 3, any_channel) else { return false };
    let at = pick % (session.frames.len() - 1);
    session.frames.remove(at);
    true
}

fn drop_last_at_user(history: &mut History, pick: usize) -> bool {
    let mut listeners: Vec<_> = history.listeners.iter_mut().filter(|listener| a_user(&listener.channel)).collect();
    let index = pick % listeners.len();
    let Some(session) = listeners[index].sessions.last_mut() else { return false };
    session.frames.pop().is_some()
}

fn leave_out_at_org(history: &mut History, pick: usize) -> bool {
    let listeners = history.listeners.iter_mut().filter(|listener| an_org(&listener.channel));
    let last: Vec<_> = listeners.filter_map(|l| l.sessions.last_mut()).filter(|s| s.hello.recovered).collect();
    let Some(session) = last.into_iter().next() else { return false };
    let named: Vec<usize> = (0..session.frames.len()).filter(|at| session.frames[*at].event.is_some()).collect();
    let Some(index) = pick.checked_rem(named.len()) else { return false };
    session.frames.remove(named[index]);
    for frame in &mut session.frames[named[index]..] {
        frame.seq -= 1;
    }
    true
}

fn ack_beyond(history: &mut History, _: usize) -> bool {
    let at = history.acks.last().map_or(Duration::ZERO, |ack| ack.at);
    history.sent(Sent { event: "never".into(), user: "ana".into(), trace: Trace::Named, at });
    history.answered("never", Answer::Stored(1_000_000), at);
    true
}

fn repeat_frame(history: &mut History, pick: usize) -> bool {
    let Some(session) = connection(history, pick, 1, any_channel) else { return false };
    let at = pick % session.frames.len();
    session.frames.insert(at, session.frames[at].clone());
    true
}

fn repeat_event(history: &mut History, pick: usize) -> bool {
    let mut users: Vec<_> = history.listeners.iter_mut().filter(|listener| a_user(&listener.channel)).collect();
    let index = pick % users.len();
    let Some(session) = users[index].sessions.last_mut() else { return false };
    let Some(at) = session.frames.iter().position(|frame| frame.event.is_some()) else { return false };
    let again = session.frames[at].clone();
    session.frames.insert(at, again);
    for frame in &mut session.frames[at + 1..] {
        frame.seq += 1;
    }
    true
}

fn store_twice(history: &mut History, pick: usize) -> bool {
    let stored: Vec<_> = history.acks.iter().filter(|ack| matches!(ack.answer, Answer::Stored(_))).cloned().collect();
    let ack = &stored[pick % stored.len()];
    history.answered(&ack.event, Answer::Stored(ack.answer.own_seq().unwrap_or(0) + 1), ack.at);
    true
}

fn swap_delivery(history: &mut History, pick: usize) -> bool {
    let Some(session) = connection(history, pick, 2, any_channel) else { return false };
    let at = pick % (session.frames.len() - 1);
    session.frames.swap(at, at + 1);
    true
}

fn swap_contents(history: &mut History, pick: usize) -> bool {
    let Some(session) = shared(history, pick) else { return false };
    let at = session.frames.len() - 2 - pick % 3;
    session.frames.swap(at, at + 1);
    session.frames[at].seq -= 1;
    session.frames[at + 1].seq += 1;
    true
}

fn change_content(history: &mut History, pick: usize) -> bool {
    let Some(session) = shared(history, pick) else { return false };
    let at = session.frames.len() - 1 - pick % 3;
    session.frames[at].print ^= 1;
    true
}

fn renumber(history: &mut History, pick: usize) -> bool {
    let Some(session) = connection(history, pick, 1, any_channel) else { return false };
    let at = pick % session.frames.len();
    session.frames[at].seq += 1;
    true
}

fn move_to_other_user(history: &mut History, pick: usize) -> bool {
    let Some(frame) = a_named_frame(history, &Channel::User("ana".into()), pick) else { return false };
    replace_contents(history, pick, |channel| *channel == Channel::User("rui".into()), &frame)
}

fn move_to_other_org(history: &mut History, pick: usize) -> bool {
    let Some(frame) = a_named_frame(history, &Channel::User("rui".into()), pick) else { return false };
    replace_contents(history, pick, |channel| *channel == Channel::Org("acme".into()), &frame)
}

fn qr_to_org(history: &mut History, pick: usize) -> bool {
    let qr = history.listeners.iter().flat_map(|l| &l.sessions).flat_map(|s| &s.frames).find(|f| f.kind == "qrcode");
    let Some(qr) = qr.cloned() else { return false };
    replace_contents(history, pick, an_org, &qr)
}

fn a_named_frame(history: &History, channel: &Channel, pick: usize) -> Option<Frame> {
    let listeners = history.listeners.iter().filter(|listener| listener.channel == *channel);
    let frames = listeners.flat_map(|l| &l.sessions).flat_map(|s| &s.frames);
    let named: Vec<_> = frames.filter(|frame| frame.event.is_some()).collect();
    Some(named[pick.checked_rem(named.len())?].clone())
}

fn replace_contents(history: &mut History, pick: usize, on: fn(&Channel) -> bool, with: &Frame) -> bool {
    let Some(session) = connection(history, pick, 1, on) else { return false };
    let at = pick % session.frames.len();
    session.frames[at] = Frame { seq: session.frames[at].seq, ..with.clone() };
    true
}

/// Only of events in the prelude, which everyone heard: of what nobody heard, an ack is the only witness.
fn ack_other_number(history: &mut History, pick: usize) -> bool {
    let stored: Vec<usize> = (0..history.acks.len())
        .filter(|at| matches!(history.acks[*at].answer, Answer::Stored(2..=3)))
        .filter(|at| history.sent[&history.acks[*at].event].trace == Trace::Named)
        .collect();
    let at = stored[pick % stored.len()];
    let seq = history.acks[at].answer.own_seq().unwrap_or(0);
    history.acks[at].answer = Answer::Stored(seq - 1);
    true
}

fn forget_at_restart(history: &mut History, _: usize) -> bool {
    let at = history.acks.last().map_or(Duration::ZERO, |ack| ack.at) + Duration::from_secs(1);
    let epoch = model::EPOCH.to_owned();
    history.listener(Channel::User("ana".into())).hello(Hello { epoch, seq: 0, recovered: false }, None, at);
    true
}

fn recover_elsewhere(history: &mut History, pick: usize) -> bool {
    let sessions = history.listeners.iter_mut().flat_map(|l| &mut l.sessions);
    let mut recovered: Vec<_> = sessions.filter(|session| session.hello.recovered).collect();
    let Some(index) = pick.checked_rem(recovered.len()) else { return false };
    recovered[index].hello.seq += 1;
    true
}

fn change_epoch(history: &mut History, pick: usize) -> bool {
    let Some(session) = connection(history, pick, 0, any_channel) else { return false };
    session.hello = Hello { epoch: "another".into(), recovered: false, ..session.hello.clone() };
    true
}

fn deliver_refused(history: &mut History, pick: usize) -> bool {
    let Some(frame) = a_named_frame(history, &Channel::User("ana".into()), pick) else { return false };
    for ack in history.acks.iter_mut().filter(|ack| frame.event.as_ref() == Some(&ack.event)) {
        ack.answer = Answer::Refused;
    }
    true
}
