//! What this gateway itself does and finds, beside what the webhooks tell.

use super::*;
use crate::domain::command::{Kind, Note};
use crate::domain::lifecycle::Act;

fn own(act: Act) -> Input {
    Input::Own(act)
}

fn began(kind: Kind) -> Input {
    own(Act::Began(kind))
}

fn ended(kind: Kind, code: Option<&str>) -> Input {
    own(Act::Ended(kind, code.map(Note::new)))
}

#[test]
fn what_was_asked_for_is_connecting_until_something_is_heard_and_says_why_it_failed() {
    let asked = after(&[(0, began(Kind::Connect))]);
    let failed = after(&[(0, began(Kind::Connect)), (10, ended(Kind::Connect, Some(reason::EVOLUTION_UNREACHABLE)))]);
    let heard = after(&[
        (0, began(Kind::Connect)),
        (10, ended(Kind::Connect, Some(reason::EVOLUTION_UNREACHABLE))),
        (20, Input::Connecting),
    ]);

    assert_eq!(standing(&asked, 5), (Status::Connecting, None));
    assert_eq!(standing(&failed, 15), (Status::Disconnected, Some("evolution_unreachable".into())));
    assert_eq!(standing(&heard, 25), (Status::Connecting, None));
}

#[test]
fn a_failed_try_says_nothing_twice_about_the_phone_that_was_unlinked() {
    let story = [
        (0, opened()),
        (10, closed(401)),
        (20, began(Kind::Connect)),
        (30, ended(Kind::Connect, Some(reason::NO_CODE))),
    ];
    let (state, notices) = told(&story);

    assert_eq!(standing(&state, 40), (Status::LoggedOut, Some("no_code".into())));
    assert_eq!(notices, [Notice::Connected, Notice::LoggedOut]);
}

#[test]
fn unlinking_by_the_owner_is_disconnected_by_owner_whatever_evolution_still_has_to_say_and_alarms_nobody() {
    let ending = [
        (100, began(Kind::Unlink)),
        (110, Input::Removed),
        (130, Input::Ended { code: Some(401), cause: Some(Cause::LoggedOutByApi) }),
        (140, Input::Created),
        (150, ended(Kind::Unlink, Some(reason::BY_OWNER))),
        (160, Input::LoggedOut),
    ];
    let mut story = vec![(0, opened())];
    story.extend(ending);
    let (state, notices) = told(&story);
    let pending = after(&story[..4]);

    assert_eq!(standing(&pending, 135), (Status::Disconnected, Some("unlinking".into())));
    assert_eq!(standing(&state, 170), (Status::Disconnected, Some("by_owner".into())));
    assert_eq!(notices, [Notice::Connected]);
}

#[test]
fn a_new_code_after_unlinking_is_a_new_beginning() {
    let state =
        after(&[(0, opened()), (10, closed(401)), (20, ended(Kind::Unlink, Some(reason::BY_OWNER))), (30, qr("a"))]);

    assert_eq!(standing(&state, 40), (Status::WaitingQr, None));
}

#[test]
fn scanning_without_effect_needs_a_pairing_and_is_over_when_the_connection_opens() {
    let stuck = [(0, Input::Connecting), (10, qr("a")), (20, own(Act::Scanned))];
    let (state, notices) = told(&stuck);
    let renewed = step(&state, &qr("b"), at(45_010), at(45_010)).0;
    let opened = step(&renewed, &opened(), at(50_000), at(50_000)).0;
    let idle = after(&[(0, own(Act::Scanned)), (10, Input::Connecting)]);

    assert_eq!(standing(&state, 30), (Status::ActionRequired, Some("passkey".into())));
    assert_eq!(notices, [Notice::ActionRequired]);
    assert_eq!(standing(&renewed, 45_020).0, Status::ActionRequired, "a new code is no help");
    assert_eq!(standing(&opened, 50_010), (Status::Connected, None));
    assert_eq!(standing(&idle, 20).0, Status::Connecting);
}

#[test]
fn what_a_read_found_counts_although_evolutions_clock_is_behind_ours() {
    let found = Act::FoundOpen { phone_number: Some("5511900000001".into()), profile_name: None };
    let open = step(&State::default(), &own(found.clone()), at(60_000), at(60_000)).0;
    // Evolution's clock is five seconds behind.
    let code_after_absence = [(0, opened()), (10, own(Act::FoundAbsent))];
    let gone = after(&code_after_absence);
    let again = step(&gone, &Input::Created, at(1), at(5_000)).0;
    let again = step(&again, &qr("a"), at(2), at(5_001)).0;

    assert!(open.view(at(60_001)).is_connected);
    assert_eq!(standing(&gone, 20), (Status::Disconnected, Some("removed".into())));
    assert_eq!(standing(&again, 5_002).0, Status::WaitingQr);
}

#[test]
fn finding_it_open_again_and_again_is_one_open_and_no_flapping() {
    let found = || own(Act::FoundOpen { phone_number: None, profile_name: None });
    let story: Vec<_> = std::iter::once((0, opened())).chain((1..9).map(|n| (n * 1000, found()))).collect();

    assert_eq!(standing(&after(&story), 9_000), (Status::Connected, None));
}

#[test]
fn a_fight_is_over_once_a_command_finds_it_open_and_told_again_only_if_it_begins_again() {
    let fight = |from: i64| (0..6).map(move |n| (from + n * 4_000, opened()));
    let found = || own(Act::FoundOpen { phone_number: None, profile_name: None });
    let reclaimed: Vec<_> = fight(0).chain([(25_000, found())]).collect();
    let again: Vec<_> = reclaimed.iter().cloned().chain(fight(30_000)).collect();

    let (state, notices) = told(&reclaimed);

    assert_eq!(standing(&after(&reclaimed[..6]), 24_999).0, Status::Conflict);
    assert_eq!(standing(&state, 25_000), is(Status::Connected, None));
    assert_eq!(notices, [Notice::Connected, Notice::Conflict, Notice::Reconnected]);
    assert_eq!(standing(&after(&again), 50_000).0, Status::Conflict);
}

#[test]
fn an_ending_told_after_the_phone_was_linked_again_asks_for_a_closer_look() {
    let story = [(0, opened()), (100, closed(401)), (200, qr("a")), (300, opened())];
    let state = after(&story);

    let late = step(&state, &Input::LoggedOut, at(101), at(400)).1;
    let punctual = step(&after(&story[..2]), &Input::LoggedOut, at(101), at(110)).1;

    let asks = |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::Order(Kind::Check, _)));
    assert!(asks(&late) && !asks(&punctual));
}

#[test]
fn a_wipe_is_awaited_for_half_a_minute_after_an_ending_that_was_not_told_to_its_end() {
    let ended = after(&[(0, opened()), (100_000, closed(401))]);
    let told = step(&ended, &Input::LoggedOut, at(100_010), at(100_020)).0;
    let deleted = after(&[(0, opened()), (100_000, own(Act::DeletedOpen))]);

    assert_eq!(ended.wipe_awaited(at(101_000)), Some(at(130_000)));
    assert_eq!(told.wipe_awaited(at(101_000)), None);
    assert_eq!(deleted.wipe_awaited(at(101_000)), Some(at(130_000)));
    assert_eq!(ended.wipe_awaited(at(100_000 + 36 * 60_000)), None, "nothing is re-sent for so long");
}
