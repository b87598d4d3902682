//! The rules one by one, then the laws, then every recorded flow.

mod laws;
mod own;
mod recorded;

use super::*;

/// Where a story's clock begins.
const START: i64 = 1_795_262_400_000;

fn at(ms: i64) -> Millis {
    Millis(START + ms)
}

fn opened() -> Input {
    Input::Opened { phone_number: Some("5511900000001".into()), profile_name: Some("Loja Central".into()) }
}

fn qr(hash: &str) -> Input {
    Input::Qr { hash: hash.into() }
}

fn closed(code: u16) -> Input {
    Input::Closed { code: Some(code) }
}

/// Each input arrives the moment it is emitted.
fn after(story: &[(i64, Input)]) -> State {
    told(story).0
}

/// The same, with the notices on the way.
fn told(story: &[(i64, Input)]) -> (State, Vec<Notice>) {
    let mut notices = Vec::new();
    let state = story.iter().fold(State::default(), |state, (ms, input)| {
        let (next, actions) = step(&state, input, at(*ms), at(*ms));
        notices.extend(actions.into_iter().filter_map(|action| match action {
            Action::Notify(notice) => Some(notice),
            Action::WakeAt(_) | Action::Order(..) => None,
        }));
        next
    });
    (state, notices)
}

fn standing(state: &State, ms: i64) -> (Status, Option<String>) {
    let view = state.view(at(ms));
    (view.status, view.reason)
}

fn is(status: Status, reason: impl Into<Option<&'static str>>) -> (Status, Option<String>) {
    (status, reason.into().map(str::to_owned))
}

fn storm(from: i64) -> impl Iterator<Item = (i64, Input)> {
    (0..9).map(move |n| (from + n * 50, Input::Connecting))
}

#[test]
fn a_created_instance_has_no_phone_and_no_reason() {
    assert_eq!(standing(&State::default(), 0), is(Status::Disconnected, None));
    assert_eq!(standing(&after(&[(0, Input::Created)]), 1), is(Status::Disconnected, None));
}

#[test]
fn a_pairing_goes_from_connecting_by_code_and_finishing_to_connected() {
    use Status::{Connected, Connecting, Disconnected, Finishing, WaitingQr};

    let story =
        [(0, Input::Created), (26, Input::Connecting), (178, qr("a")), (7_000, Input::Connecting), (7_300, opened())];
    let statuses: Vec<_> = (1..=5).map(|n| after(&story[..n]).view(at(story[n - 1].0)).status).collect();

    let (state, notices) = told(&story);

    assert_eq!(statuses, [Disconnected, Connecting, WaitingQr, Finishing, Connected]);
    assert_eq!(notices, [Notice::Connected]);
    let view = state.view(at(7_300));
    assert!(view.is_connected);
    assert_eq!(
        (view.phone_number.as_deref(), view.profile_name.as_deref()),
        (Some("5511900000001"), Some("Loja Central"))
    );
}

#[test]
fn a_code_is_on_show_until_anything_newer_is_known() {
    let shown = |story: &[_]| after(story).shown_qr().map(|(hash, until)| (hash.to_owned(), until.since(at(0))));

    assert_eq!(shown(&[(0, qr("a"))]), Some(("a".into(), 45_000)));
    assert_eq!(shown(&[(0, qr("a")), (45_000, qr("b"))]), Some(("b".into(), 90_000)));
    for newer in [Input::Connecting, opened(), closed(401), Input::LoggedOut, Input::QrLimit, Input::Removed] {
        assert_eq!(shown(&[(0, qr("a")), (10, newer)]), None);
    }
}

#[test]
fn connecting_at_or_after_the_codes_expiry_waits_for_new_codes() {
    assert_eq!(standing(&after(&[(0, qr("a")), (44_999, Input::Connecting)]), 45_000), is(Status::Finishing, None));
    assert_eq!(standing(&after(&[(0, qr("a")), (45_000, Input::Connecting)]), 45_000), is(Status::WaitingQr, None));
}

#[test]
fn finishing_gives_up_after_two_minutes_and_says_when() {
    let (state, actions) = step(&after(&[(0, qr("a"))]), &Input::Connecting, at(1_000), at(1_000));

    assert_eq!(actions, [Action::WakeAt(at(121_000))]);
    assert_eq!(standing(&state, 120_999), is(Status::Finishing, None));
    assert_eq!(standing(&state, 121_000), is(Status::Disconnected, reason::PAIRING_TIMED_OUT));
}

#[test]
fn connecting_after_open_stays_connected_for_ten_seconds_and_then_reconnects() {
    let (state, actions) = step(&after(&[(0, opened())]), &Input::Connecting, at(400_000), at(400_000));

    assert_eq!(actions, [Action::WakeAt(at(410_000))]);
    assert_eq!(standing(&state, 409_999), is(Status::Connected, reason::RECONNECTING_SILENTLY));
    assert!(state.view(at(409_999)).is_connected);
    assert_eq!(standing(&state, 410_000), is(Status::Reconnecting, reason::CONNECTION_LOST));
    assert_eq!(state.view(at(410_000)).phone_number.as_deref(), Some("5511900000001"));
}

#[test]
fn a_silent_reconnect_tells_nobody_and_a_long_one_says_that_it_is_back() {
    let short = told(&[(0, opened()), (1_000, Input::Connecting), (1_200, opened()), (2_000, Input::Tick)]);
    let long = told(&[(0, opened()), (1_000, Input::Connecting), (11_000, Input::Tick), (60_000, opened())]);

    assert_eq!(short.1, [Notice::Connected]);
    assert_eq!(long.1, [Notice::Connected, Notice::Reconnected]);
}

#[test]
fn a_tick_that_changes_the_status_shows_in_what_was_seen() {
    let before = after(&[(0, opened()), (1_000, Input::Connecting)]);

    let (after, _) = step(&before, &Input::Tick, at(11_000), at(11_000));

    assert_ne!(before.seen, after.seen);
    assert_eq!(after.seen.map(|seen| seen.status), Some(Status::Reconnecting));
}

#[test]
fn a_connecting_emitted_before_open_does_not_undo_it() {
    let late = after(&[(290, opened()), (0, Input::Connecting)]);
    let same_instant = after(&[(290, opened()), (290, Input::Connecting)]);

    assert_eq!(standing(&late, 300), is(Status::Connected, None));
    assert_eq!(standing(&same_instant, 300), is(Status::Connected, None));
}

#[test]
fn a_code_after_open_counts_only_if_the_connection_dropped_between() {
    let leftover = after(&[(0, opened()), (50, qr("a"))]);
    let then_dropped = after(&[(0, opened()), (50, qr("a")), (100, Input::Connecting)]);
    let new_pairing = after(&[(0, opened()), (100, closed(401)), (2_000, Input::Connecting), (2_500, qr("b"))]);

    assert_eq!(standing(&leftover, 60), is(Status::Connected, None));
    assert_eq!(leftover.shown_qr(), None);
    assert_eq!(standing(&then_dropped, 110), is(Status::Connected, reason::RECONNECTING_SILENTLY));
    assert_eq!(standing(&new_pairing, 2_600), is(Status::WaitingQr, None));
}

#[test]
fn nine_connecting_in_ten_seconds_mean_that_whatsapp_is_unreachable() {
    let eight: Vec<_> = storm(0).take(8).collect();
    let new: Vec<_> = storm(0).collect();
    let paired: Vec<_> = [(-5_000, opened())].into_iter().chain(storm(0)).collect();
    let broken_by_a_code: Vec<_> = storm(0).chain([(175, qr("a"))]).collect();

    assert_eq!(standing(&after(&eight), 500), is(Status::Connecting, None));
    assert_eq!(standing(&after(&new), 500), is(Status::Reconnecting, reason::WHATSAPP_UNREACHABLE));
    assert_eq!(standing(&after(&paired), 500), is(Status::Reconnecting, reason::WHATSAPP_UNREACHABLE));
    assert_eq!(standing(&after(&broken_by_a_code), 500), is(Status::Finishing, None));
}

#[test]
fn a_slow_reconnect_loop_is_reconnecting_however_many_connecting_came() {
    let story: Vec<_> = [(0, opened())].into_iter().chain((1..40).map(|n| (n * 3_000, Input::Connecting))).collect();

    assert_eq!(standing(&after(&story), 117_000), is(Status::Reconnecting, reason::CONNECTION_LOST));
}

#[test]
fn four_opens_in_five_minutes_are_flapping_until_five_minutes_are_stable() {
    let story: Vec<_> = (0..4).map(|n| (n * 60_000, opened())).collect();
    let (state, _) = told(&story);
    let (_, actions) = step(&state, &Input::Tick, at(180_000), at(180_000));

    assert_eq!(standing(&after(&story[..3]), 180_000), is(Status::Connected, None));
    assert_eq!(standing(&state, 180_000), is(Status::Flapping, None));
    assert!(state.view(at(180_000)).is_connected);
    assert_eq!(actions, [Action::WakeAt(at(480_000))]);
    assert_eq!(standing(&state, 480_000), is(Status::Connected, None));
}

#[test]
fn six_opens_in_a_minute_are_a_fight_that_is_told_once_and_calms_down() {
    let fight = (0..12).flat_map(|n| [(n * 4_000, Input::Connecting), (n * 4_000 + 150, opened())]);
    let calm = [(105_000, Input::Tick), (345_000, Input::Tick)];
    let story: Vec<_> = fight.chain(calm).collect();

    let (state, notices) = told(&story);

    let fighting = after(&story[..24]);
    assert_eq!(standing(&fighting, 44_200), is(Status::Conflict, reason::OPENED_ELSEWHERE));
    assert!(!fighting.view(at(44_200)).is_connected);
    assert_eq!(standing(&after(&story[..23]), 44_100), is(Status::Conflict, reason::OPENED_ELSEWHERE));
    assert_eq!(standing(&state, 105_000), is(Status::Flapping, None));
    assert_eq!(standing(&state, 345_000), is(Status::Connected, None));
    assert_eq!(notices, [Notice::Connected, Notice::Conflict, Notice::Reconnected]);
}

#[test]
fn each_ending_code_leads_where_the_table_says() {
    for (code, cause, expected) in [
        (Some(401), Some(Cause::DeviceRemoved), is(Status::LoggedOut, reason::DEVICE_REMOVED)),
        (Some(401), Some(Cause::LoggedOutByApi), is(Status::LoggedOut, reason::LOGGED_OUT_AT_EVOLUTION)),
        (Some(401), None, is(Status::LoggedOut, None)),
        (Some(402), None, is(Status::Restricted, reason::TEMPORARY_BAN)),
        (Some(403), None, is(Status::Restricted, reason::ACCOUNT_BLOCKED)),
        (Some(405), None, is(Status::Failed, reason::UPGRADE_EVOLUTION)),
        (Some(406), None, is(Status::Restricted, reason::ACCOUNT_BANNED)),
        (Some(408), None, is(Status::Reconnecting, reason::TIMED_OUT)),
        (Some(411), None, is(Status::Reconnecting, reason::SIGN_IN_AGAIN)),
        (Some(428), None, is(Status::Reconnecting, reason::CONNECTION_CLOSED)),
        (Some(440), None, is(Status::Conflict, reason::OPENED_ELSEWHERE)),
        (Some(500), None, is(Status::Reconnecting, reason::SESSION_ERROR)),
        (Some(503), None, is(Status::Reconnecting, reason::WHATSAPP_UNAVAILABLE)),
        (Some(515), None, is(Status::Reconnecting, reason::RESTART_REQUIRED)),
        (Some(599), None, is(Status::Reconnecting, reason::CONNECTION_LOST)),
        (None, None, is(Status::Reconnecting, reason::CONNECTION_LOST)),
    ] {
        let state = after(&[(0, opened()), (1_000, Input::Ended { code, cause })]);

        assert_eq!(standing(&state, 1_001), expected, "code {code:?}");
        assert!(!state.view(at(1_001)).is_connected);
        assert_eq!(state.view(at(1_001)).phone_number.as_deref(), Some("5511900000001"));
    }
}

#[test]
fn the_three_webhooks_of_an_ending_say_the_same_in_any_order() {
    let status = || (0, Input::Ended { code: Some(401), cause: Some(Cause::DeviceRemoved) });
    let (logout, close) = (|| (5, Input::LoggedOut), || (5, closed(401)));
    for story in [[status(), logout(), close()], [close(), logout(), status()], [logout(), status(), close()]] {
        let (state, notices) = told(&[&[(-9_000, opened())][..], &story].concat());

        assert_eq!(standing(&state, 10), is(Status::LoggedOut, reason::DEVICE_REMOVED));
        assert_eq!(notices, [Notice::Connected, Notice::LoggedOut]);
    }
}

/// CONTRACT §5.6: 403 ends like 401, and `logout.instance` may come before what says which of them it was.
#[test]
fn a_ban_is_never_told_as_unlinked_in_whatever_order_it_comes() {
    let status = || (0, Input::Ended { code: Some(403), cause: None });
    let (logout, close) = (|| (6, Input::LoggedOut), || (6, closed(403)));
    for story in [[status(), logout(), close()], [logout(), status(), close()], [logout(), close(), status()]] {
        let (state, notices) = told(&[&[(-9_000, opened())][..], &story].concat());

        assert_eq!(standing(&state, 10), is(Status::Restricted, reason::ACCOUNT_BLOCKED));
        assert_eq!(notices, [Notice::Connected, Notice::Restricted]);
    }
}

#[test]
fn an_ending_that_nothing_explains_is_told_as_unlinked_after_half_a_minute() {
    let story = [(-9_000, opened()), (0, Input::LoggedOut)];
    let waking = step(&after(&story[..1]), &Input::LoggedOut, at(0), at(0)).1;
    let late = step(&after(&story[..1]), &Input::LoggedOut, at(0), at(30_000)).1;

    let (state, notices) = told(&[&story[..], &[(30_000, Input::Tick), (60_000, Input::Tick)]].concat());

    assert_eq!(waking, [Action::WakeAt(at(30_000))]);
    assert_eq!(late, [Action::Notify(Notice::LoggedOut)]);
    assert_eq!(standing(&after(&story), 10), is(Status::LoggedOut, None), "what it shows does not wait");
    assert_eq!(standing(&state, 60_000), is(Status::LoggedOut, None));
    assert_eq!(notices, [Notice::Connected, Notice::LoggedOut]);
}

#[test]
fn a_wait_for_a_reason_tells_no_return_that_did_not_happen() {
    let dropped = [(0, opened()), (50_000, closed(428)), (200_000, Input::LoggedOut), (200_010, closed(401))];

    assert_eq!(told(&dropped).1, [Notice::Connected, Notice::LoggedOut]);
}

#[test]
fn an_ending_does_not_inherit_the_code_of_an_earlier_one() {
    let before_the_new_login = after(&[(0, closed(403)), (20_000, opened()), (30_000, Input::Closed { code: None })]);
    let long_before = after(&[(0, closed(403)), (60_001, Input::Closed { code: None })]);

    assert_eq!(standing(&before_the_new_login, 30_000), is(Status::Reconnecting, reason::CONNECTION_LOST));
    assert_eq!(standing(&long_before, 60_001), is(Status::Reconnecting, reason::CONNECTION_LOST));
}

#[test]
fn a_wiped_session_is_logged_out_even_if_its_code_would_mend_itself() {
    assert_eq!(standing(&after(&[(0, opened()), (9, Input::LoggedOut)]), 9), is(Status::LoggedOut, None));
    let late_version = after(&[(0, opened()), (9, closed(408)), (9, Input::LoggedOut)]);
    assert_eq!(standing(&late_version, 9), is(Status::LoggedOut, reason::TIMED_OUT));
}

#[test]
fn connecting_after_a_recoverable_ending_keeps_its_reason_and_after_a_final_one_pairs_anew() {
    let dropped = after(&[(0, opened()), (10, closed(428)), (20, Input::Connecting)]);
    let outdated = after(&[(0, opened()), (10, closed(405)), (20, Input::Connecting)]);
    let unlinked = after(&[(0, opened()), (10, closed(401)), (20, Input::Connecting)]);

    assert_eq!(standing(&dropped, 20), is(Status::Reconnecting, reason::CONNECTION_CLOSED));
    assert_eq!(standing(&outdated, 20), is(Status::Failed, reason::UPGRADE_EVOLUTION));
    assert_eq!(standing(&unlinked, 20), is(Status::Connecting, None));
}

#[test]
fn a_restart_between_scan_and_open_is_never_an_error() {
    let closed_515 = after(&[(0, qr("a")), (5_000, closed(515))]);
    let again = after(&[(0, qr("a")), (5_000, closed(515)), (5_100, Input::Connecting)]);

    assert_eq!(standing(&closed_515, 5_000), is(Status::Finishing, None));
    assert_eq!(standing(&again, 5_100), is(Status::Finishing, None));
}

#[test]
fn the_end_of_codes_is_told_and_a_new_start_forgets_it() {
    let (state, notices) = told(&[(0, qr("a")), (45_000, Input::QrLimit), (45_000, Input::QrLimit)]);
    let again = after(&[(0, qr("a")), (9_000, Input::QrLimit), (10_000, Input::Connecting)]);

    assert_eq!(standing(&state, 45_000), is(Status::Disconnected, reason::QR_LIMIT));
    assert_eq!(notices, [Notice::QrLimit]);
    assert_eq!(standing(&again, 10_000), is(Status::Connecting, None));
}

#[test]
fn what_a_removed_instance_still_emits_leaves_it_removed() {
    let state = after(&[(0, opened()), (1_000, Input::Removed), (1_020, closed(401)), (1_021, Input::LoggedOut)]);

    let view = state.view(at(1_100));
    assert_eq!(standing(&state, 1_100), is(Status::Disconnected, reason::REMOVED));
    assert_eq!((view.phone_number, view.profile_name), (None, None));
}

#[test]
fn a_removal_at_the_instant_of_the_last_sign_of_life_removes() {
    assert_eq!(standing(&after(&[(0, opened()), (0, Input::Removed)]), 0), is(Status::Disconnected, reason::REMOVED));
    assert_eq!(
        standing(&after(&[(0, Input::Created), (0, Input::Removed)]), 0),
        is(Status::Disconnected, reason::REMOVED)
    );
}

#[test]
fn a_name_created_again_starts_without_the_past_of_the_old_one() {
    let old = [(0, opened()), (100, opened()), (200, opened()), (1_000, Input::Removed), (1_020, closed(401))];
    let created = after(&[&old[..], &[(1_075, Input::Created)]].concat());
    let paired = after(&[&old[..], &[(1_075, Input::Created), (9_000, opened())]].concat());

    assert_eq!(standing(&created, 1_075), is(Status::Disconnected, None));
    assert_eq!(created.view(at(1_075)).phone_number, None);
    assert_eq!(standing(&paired, 9_000), is(Status::Connected, None));
}

#[test]
fn a_restriction_is_told_once() {
    let (_, notices) = told(&[(0, opened()), (10, closed(403)), (11, closed(403)), (12, Input::LoggedOut)]);

    assert_eq!(notices, [Notice::Connected, Notice::Restricted]);
}

#[test]
fn a_linked_phone_that_suddenly_needs_a_code_is_told_as_unlinked_once() {
    let wiped = [(0, opened()), (25_000, Input::Connecting), (25_100, qr("a"))];
    let carousel = [(70_100, qr("b")), (71_000, Input::Connecting), (72_000, qr("c")), (73_000, opened())];

    let (_, notices) = told(&[&wiped[..], &carousel].concat());

    assert_eq!(notices, [Notice::Connected, Notice::LoggedOut, Notice::Connected]);
}

#[test]
fn a_code_after_an_outage_of_a_never_linked_instance_unlinks_nobody() {
    let story: Vec<_> = storm(0).chain([(20_000, qr("a")), (30_000, Input::Connecting), (31_000, opened())]).collect();

    assert_eq!(told(&story).1, [Notice::Connected]);
}

#[test]
fn the_first_open_is_connected_and_not_back_even_after_an_outage() {
    let story: Vec<_> = storm(0).chain([(20_000, opened())]).collect();

    assert_eq!(told(&story).1, [Notice::Connected]);
}

#[test]
fn a_row_written_by_an_older_version_loads() {
    let state: State = serde_json::from_str("{}").unwrap();

    assert_eq!(state, State::default());
}

#[test]
fn a_row_of_a_newer_version_loads_without_the_status_it_showed() {
    let newer = r#"{"seen":{"status":"parked","reason":null},"own":{"note":{"code":"h"}}}"#;
    let known = r#"{"seen":{"status":"connected","reason":null},"own":{"note":{"code":"h"}}}"#;

    let [newer, known] = [newer, known].map(|json| serde_json::from_str::<State>(json).unwrap());

    assert_eq!((newer.seen, newer.own.note().map(|note| note.code.as_str())), (None, Some("h")));
    assert_eq!(known.seen.map(|seen| seen.status), Some(Status::Connected));
}

#[test]
fn the_state_survives_its_row_and_its_debug_form_shows_no_number() {
    let state = after(&[(0, Input::Created), (5, Input::Connecting), (9, qr("a")), (20, opened()), (30, closed(401))]);

    let read: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();

    assert_eq!(read, state);
    assert!(!format!("{state:?}").contains("5511900000001"));
}
