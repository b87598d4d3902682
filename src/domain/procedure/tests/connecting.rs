//! Connect, reconnect, check.

use super::*;
use crate::domain::instance::Status;

const CONFIRMED: End = End::Confirmed(None);

fn unconfirmed(end: &End) -> &str {
    let End::Unconfirmed(note) = end else { panic!("{end:?}") };
    &note.code
}

#[test]
fn a_new_user_is_created_once_and_connected_and_the_code_confirms_it() {
    let script = [found(Connection::Absent), done(Call::Create), pairing(false)];
    let mut run = Run::new(order(Kind::Connect), State::default(), script).hearing([
        (10, Input::Created),
        (2_000, Input::Connecting),
        (2_100, qr()),
    ]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.now, Millis(2_100), "the event is awaited, not the clock");
}

#[test]
fn an_instance_that_is_there_already_is_adopted_with_its_webhook_set_right() {
    let script = [
        found(Connection::Absent),
        (Call::Create, Err(Failure::NameInUse)),
        found(Connection::Close),
        found(Connection::Close),
        done(Call::Webhook),
        pairing(true),
    ];
    let mut run = Run::new(order(Kind::Connect), State::default(), script).hearing([(1_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
}

#[test]
fn a_create_whose_answer_was_lost_is_found_and_not_repeated() {
    let script = [
        found(Connection::Absent),
        lost(Call::Create),
        found(Connection::Absent),
        found(Connection::Close),
        pairing(true),
    ];
    let mut run = Run::new(order(Kind::Connect), State::default(), script).hearing([(9_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.called().iter().filter(|call| **call == Call::Create).count(), 1);
}

#[test]
fn a_lost_create_is_looked_for_twice_before_it_is_repeated() {
    let script = [
        found(Connection::Absent),
        lost(Call::Create),
        found(Connection::Absent),
        found(Connection::Absent),
        done(Call::Create),
        pairing(true),
    ];
    let mut run = Run::new(order(Kind::Connect), State::default(), script).hearing([(9_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
    let looks: Vec<i64> = run.calls[2..5].iter().map(|(_, at)| *at).collect();
    assert_eq!(looks, [2_000, 6_000, 6_000]);
}

#[test]
fn a_command_that_a_crash_cut_off_looks_twice_before_it_creates() {
    let script = [found(Connection::Absent), found(Connection::Absent), found(Connection::Close), pairing(true)];
    let resumed = Order { attempts: 1, ..order(Kind::Connect) };
    let mut run = Run::new(resumed, State::default(), script).hearing([(9_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
    assert!(!run.called().contains(&Call::Create));
}

#[test]
fn a_name_that_a_deletion_still_holds_is_asked_for_again_until_it_is_free() {
    let script = [
        found(Connection::Absent),
        (Call::Create, Err(Failure::NameInUse)),
        found(Connection::Absent),
        (Call::Create, Err(Failure::NameInUse)),
        found(Connection::Absent),
        done(Call::Create),
        pairing(true),
    ];
    let mut run = Run::new(order(Kind::Connect), State::default(), script).hearing([(2_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
}

#[test]
fn nothing_is_begun_on_an_instance_that_evolution_is_about_to_remove() {
    let removed = having_heard(&[(0, Input::Created), (10, Input::Removed)]);
    let script = [found(Connection::Close), found(Connection::Absent), done(Call::Create), pairing(true)];
    let mut run = Run::new(order(Kind::Connect), removed, script).hearing([(4_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
}

#[test]
fn a_loop_of_reconnects_is_left_alone_until_it_was_quiet_for_long_enough() {
    let linked = having_heard(&[(0, open()), (50_000, Input::Connecting)]);
    let script = [
        found(Connection::Close),
        done(Call::Webhook),
        found(Connection::Close),
        (Call::Connect, Ok(Reply::Connect(ConnectAnswer::Pairing { has_code: false }))),
    ];
    let asked = Order { asked_at: Millis(60_000), ..order(Kind::Reconnect) };
    let mut run = Run::new(asked, linked, script).hearing([(73_000, open())]);

    assert_eq!(run.end(), CONFIRMED);
    let connected_at = run.calls.last().unwrap().1;
    assert_eq!(connected_at, 70_000, "twenty seconds after the last `connecting`");
}

#[test]
fn a_loop_that_is_never_quiet_is_given_up_with_its_cause_and_never_called_into() {
    let linked = having_heard(&[(0, open()), (1, Input::Connecting)]);
    let looks = [found(Connection::Close), done(Call::Webhook)].into_iter();
    let script = looks.chain(std::iter::repeat_with(|| found(Connection::Close)).take(10));
    let storm = (1..100).map(|n| (n * 15_000, Input::Connecting));
    let mut run = Run::new(order(Kind::Reconnect), linked, script).hearing(storm);

    assert_eq!(unconfirmed(&run.end()), reason::WHATSAPP_UNREACHABLE);
    assert_eq!(run.now, Millis(140_000), "two minutes beyond the silence that is asked for");
}

#[test]
fn one_that_is_connecting_by_itself_is_watched_and_never_touched() {
    let linked = having_heard(&[(0, open()), (50_000, Input::Connecting)]);
    let asked = Order { asked_at: Millis(51_000), ..order(Kind::Reconnect) };
    let script = [found(Connection::Connecting), done(Call::Webhook)];
    let mut run = Run::new(asked, linked, script).hearing([(53_000, open())]);

    assert_eq!(run.end(), CONFIRMED);
}

#[test]
fn a_fought_over_session_counts_as_open_once_the_fight_was_quiet_for_ten_seconds() {
    let fight: Vec<_> = (0..6).map(|n| (n * 4_000, open())).collect();
    let script =
        [found(Connection::Open), done(Call::Webhook), found(Connection::Open), (Call::Row, Ok(Reply::Row(None)))];
    let asked = Order { asked_at: Millis(21_000), ..order(Kind::Reconnect) };
    let mut run = Run::new(asked, having_heard(&fight), script).hearing([(24_000, open())]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.told, [Act::FoundOpen { phone_number: None, profile_name: None }]);
    assert_eq!(run.calls.last().unwrap().1, 34_000);
}

#[test]
fn a_fight_that_goes_on_is_watched_for_a_while_and_never_joined() {
    let fight = |from: i64| (0..20).map(move |n| (from + n * 3_000, open()));
    let asked = Order { asked_at: Millis(60_000), ..order(Kind::Reconnect) };
    let script = [found(Connection::Connecting), done(Call::Webhook)];
    let mut run = Run::new(asked, having_heard(&fight(0).collect::<Vec<_>>()), script).hearing(fight(60_000));

    assert_eq!(unconfirmed(&run.end()), reason::UNCONFIRMED);
    assert_eq!(run.now, Millis(105_000));
}

#[test]
fn pairing_waits_for_the_wipe_of_an_ending_and_goes_on_as_soon_as_it_was_told() {
    let ended = having_heard(&[(0, open()), (100_000, Input::Closed { code: Some(401) })]);
    let asked = Order { asked_at: Millis(101_000), ..order(Kind::Connect) };
    let script = [found(Connection::Close), done(Call::Webhook), pairing(true)];
    let mut run = Run::new(asked, ended, script).hearing([(103_000, Input::LoggedOut), (106_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.told, [Act::AwaitingWipe]);
    assert_eq!(run.calls.last().unwrap().1, 103_000);
}

#[test]
fn pairing_goes_on_marked_when_the_wipe_is_not_told_within_half_a_minute() {
    let ended = having_heard(&[(0, open()), (100_000, Input::Closed { code: Some(403) })]);
    let asked = Order { asked_at: Millis(101_000), ..order(Kind::Connect) };
    let script = [found(Connection::Close), done(Call::Webhook), pairing(true)];
    let mut run = Run::new(asked, ended, script).hearing([(132_000, qr())]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.told, [Act::AwaitingWipe, Act::WentOnUnwiped]);
    assert_eq!(run.calls.last().unwrap().1, 130_000);
    assert!(run.state.own.unwiped_since(run.now).is_some());
}

#[test]
fn an_ending_dated_by_a_clock_that_runs_ahead_is_waited_for_half_a_minute_too() {
    let ended = having_heard(&[(0, open()), (700_000, Input::Closed { code: Some(401) })]);
    let asked = Order { asked_at: Millis(101_000), ..order(Kind::Connect) };
    let script = [found(Connection::Close), done(Call::Webhook), pairing(true), found(Connection::Connecting)];
    let mut run = Run::new(asked, ended, script);

    assert_eq!(unconfirmed(&run.end()), reason::WEBHOOK_SILENT);
    assert_eq!(run.told, [Act::AwaitingWipe, Act::WentOnUnwiped]);
    assert!(run.calls.contains(&(Call::Connect, 131_000)), "{:?}", run.calls);
}

#[test]
fn a_code_whose_webhook_does_not_come_says_so_after_ten_seconds() {
    let script = [found(Connection::Absent), done(Call::Create), pairing(true), found(Connection::Connecting)];
    let mut run = Run::new(order(Kind::Connect), State::default(), script);

    let end = run.end();

    assert_eq!((unconfirmed(&end), run.now), (reason::WEBHOOK_SILENT, Millis(10_000)));
}

#[test]
fn without_a_code_it_gives_up_after_three_quarters_of_a_minute_and_never_turns_for_ever() {
    let script = [found(Connection::Absent), done(Call::Create), pairing(false)].into_iter();
    let looks = (0..2).flat_map(|_| [found(Connection::Connecting), pairing(false)]);
    let mut run = Run::new(order(Kind::Connect), State::default(), script.chain(looks));

    let end = run.end_leaving_the_rest();

    assert_eq!(unconfirmed(&end), reason::NO_CODE);
    assert!(run.now <= Millis(60_000), "{}", run.now.0);
}

#[test]
fn a_number_while_a_code_is_under_way_begins_anew_since_evolution_would_not_listen() {
    let showing = having_heard(&[(0, Input::Created), (10, Input::Connecting), (20, qr())]);
    let by_number = Order { by_number: true, asked_at: Millis(1_000), ..order(Kind::Connect) };
    let script = [
        found(Connection::Connecting),
        done(Call::Webhook),
        row(Connection::Connecting),
        found(Connection::Connecting),
        done(Call::Delete),
        found(Connection::Absent),
        done(Call::Create),
        pairing(true),
    ];
    let mut run = Run::new(by_number, showing, script).hearing([
        (1_100, Input::Removed),
        (1_200, Input::Created),
        (3_000, Input::Qr { hash: "b".into() }),
    ]);

    assert_eq!(run.end(), CONFIRMED);
}

#[test]
fn what_is_open_at_evolution_is_open_here_even_if_no_webhook_said_so() {
    let script = [found(Connection::Open), done(Call::Webhook), row(Connection::Open)];
    let mut run = Run::new(order(Kind::Connect), State::default(), script);

    assert_eq!(run.end(), CONFIRMED);
    assert!(run.state.view(run.now).is_connected);
}

#[test]
fn an_outage_and_a_wrong_key_are_told_apart() {
    let run = |failure| {
        let mut run = Run::new(order(Kind::Connect), State::default(), [(Call::Connection, Err(failure))]);
        let End::Unconfirmed(note) = run.end() else { panic!("it is confirmed") };
        (note.code, note.advice.unwrap())
    };

    let (outage, _) = run(Failure::Down { status: 502 });
    let (key, advice) = run(Failure::KeyRefused);

    assert_eq!((outage.as_str(), key.as_str()), (reason::EVOLUTION_UNREACHABLE, reason::EVOLUTION_REFUSED));
    assert!(advice.contains("EVOLUTION_API_KEY"), "{advice}");
}

#[test]
fn a_session_wiped_underneath_is_believed_when_it_was_read_twice() {
    let connected = having_heard(&[(0, open())]);
    let look = || [found(Connection::Open), row(Connection::Close)];
    let script = [done(Call::Webhook)].into_iter().chain(look()).chain(look());
    let mut run = Run::new(order(Kind::Check), connected.clone(), script);
    let once = [done(Call::Webhook)].into_iter().chain(look()).chain([found(Connection::Open), row(Connection::Open)]);
    let mut sound = Run::new(order(Kind::Check), connected, once);

    assert_eq!((run.end(), sound.end()), (CONFIRMED, CONFIRMED));
    assert_eq!(run.told, [Act::FoundWiped]);
    let shown = |run: &Run| run.state.view(run.now).reason;
    assert_eq!((shown(&run).as_deref(), shown(&sound)), (Some(reason::SESSION_WIPED), None));
}

#[test]
fn a_check_goes_through_an_outage_and_ends_with_a_wrong_key() {
    let end = |failure| Run::new(order(Kind::Check), State::default(), [(Call::Webhook, Err(failure))]).end();

    assert!(matches!(end(Failure::Down { status: 503 }), End::Later(Millis(10_000), Some(_))));
    assert_eq!(unconfirmed(&end(Failure::KeyRefused)), reason::EVOLUTION_REFUSED);
}

#[test]
fn connecting_a_wiped_session_pairs_it_anew() {
    let mut wiped = having_heard(&[(0, open())]);
    wiped = lifecycle::step(&wiped, &Input::Own(Act::FoundWiped), Millis(10), Millis(10)).0;
    let script = [
        found(Connection::Open),
        done(Call::Webhook),
        row(Connection::Close),
        found(Connection::Open),
        done(Call::Delete),
        found(Connection::Absent),
        done(Call::Create),
        pairing(true),
    ];
    let asked = Order { asked_at: Millis(1_000), ..order(Kind::Connect) };
    let mut run = Run::new(asked, wiped, script).hearing([
        (1_050, Input::Removed),
        (1_100, Input::LoggedOut),
        (1_200, Input::Created),
        (4_000, qr()),
    ]);

    assert_eq!(run.end(), CONFIRMED);
    assert_eq!(run.state.view(run.now).status, Status::WaitingQr);
}

impl Run {
    /// As [`Run::end`]; how often it looks after the script is its own matter.
    fn end_leaving_the_rest(&mut self) -> End {
        self.script.extend((0..40).map(|_| found(Connection::Connecting)));
        let mut heard = Heard::Begun;
        loop {
            let sight = Sight { state: &self.state, now: self.now, quiet: QUIET };
            heard = match self.procedure.next(heard, &sight) {
                Next::Call(call) => self.answer(call),
                Next::Wait(until) => {
                    self.now = until;
                    Heard::Woken
                }
                Next::End(end) => return end,
                Next::Tell(act) => panic!("{act:?}"),
            };
        }
    }
}
