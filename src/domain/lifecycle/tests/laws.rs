//! What holds for all inputs.

use proptest::prelude::*;

use super::*;

fn any_input() -> impl Strategy<Value = Input> {
    let code = || proptest::option::of(prop_oneof![Just(401), Just(403), Just(428), Just(515), any::<u16>()]);
    let cause = proptest::option::of(prop_oneof![Just(Cause::DeviceRemoved), Just(Cause::LoggedOutByApi)]);
    let word = || proptest::option::of("[a-c]");
    prop_oneof![
        1 => Just(Input::Created),
        4 => Just(Input::Connecting),
        4 => (word(), word()).prop_map(|(phone_number, profile_name)| Input::Opened { phone_number, profile_name }),
        3 => "[a-c]".prop_map(|hash| Input::Qr { hash }),
        1 => Just(Input::QrLimit),
        1 => code().prop_map(|code| Input::Closed { code }),
        1 => (code(), cause).prop_map(|(code, cause)| Input::Ended { code, cause }),
        1 => Just(Input::LoggedOut),
        1 => Just(Input::Removed),
        1 => Just(Input::Tick),
    ]
}

/// Instants close enough for ties and storms, or far enough for every deadline.
fn any_story() -> impl Strategy<Value = Vec<(i64, Input)>> {
    let ms = prop_oneof![0_i64..30, 0_i64..30_000, 0_i64..600_000];
    proptest::collection::vec((ms, any_input()), 0..40)
}

/// All arrive at the end.
fn learnt(story: &[(i64, Input)], now: i64) -> State {
    story.iter().fold(State::default(), |state, (ms, input)| step(&state, input, at(*ms), at(now)).0)
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_end_in_the_same_state(
        (story, shuffled) in any_story().prop_flat_map(|story| (Just(story.clone()), Just(story).prop_shuffle())),
        repeats in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
        now in 0_i64..900_000,
    ) {
        let mut again = shuffled;
        let repeated: Vec<_> = repeats.iter().filter(|_| !story.is_empty()).map(|n| n.get(&story).clone()).collect();
        again.extend(repeated);

        prop_assert_eq!(learnt(&story, now), learnt(&again, now));
        prop_assert_eq!(learnt(&story, now).view(at(now)), learnt(&again, now).view(at(now)));
    }

    #[test]
    fn nothing_panics_and_no_wake_is_in_the_past(
        inputs in proptest::collection::vec((any_input(), extreme(), extreme()), 0..20), look in extreme(),
    ) {
        let mut state = State::default();
        for (input, emitted, now) in inputs {
            let (next, actions) = step(&state, &input, Millis(emitted), Millis(now));
            for action in actions {
                if let Action::WakeAt(wake) = action {
                    prop_assert!(wake > Millis(now));
                }
            }
            state = next;
        }
        let view = state.view(Millis(look));
        prop_assert!(!view.is_connected || matches!(view.status, Status::Connected | Status::Flapping));
    }

    #[test]
    fn a_connecting_from_before_the_newest_open_never_changes_how_things_stand(
        story in any_story(), before in 0_i64..10_000, now in 600_000_i64..900_000,
    ) {
        let mut state = learnt(&story, now);
        let open = 600_000;
        state = step(&state, &opened(), at(open), at(now)).0;

        let (late, _) = step(&state, &Input::Connecting, at(open - before), at(now));

        prop_assert_eq!(late.view(at(now)), state.view(at(now)));
    }

    #[test]
    fn no_code_is_on_show_once_an_open_ending_or_removal_is_newer(story in any_story(), extra in 0..4_usize) {
        let newest = [opened(), closed(401), Input::LoggedOut, Input::Removed][extra].clone();
        let mut state = learnt(&story, 600_000);

        state = step(&state, &newest, at(600_000), at(600_000)).0;

        prop_assert_eq!(state.shown_qr(), None);
    }

    #[test]
    fn between_two_wakes_nothing_changes_by_itself(story in any_story(), now in 0_i64..900_000, look in 0_i64..900_000) {
        let (state, actions) = step(&learnt(&story, now), &Input::Tick, at(now), at(now));
        let wake = actions.iter().find_map(|action| match action {
            Action::WakeAt(wake) => Some(*wake),
            Action::Notify(_) | Action::Order(..) => None,
        });
        let look = at(now + look);

        if wake.is_none_or(|wake| look < wake) {
            prop_assert_eq!(state.view(look), state.view(at(now)));
        }
    }

    #[test]
    fn a_state_of_any_story_survives_its_row(story in any_story()) {
        let state = learnt(&story, 600_000);

        let row = serde_json::to_string(&state).unwrap();

        prop_assert_eq!(serde_json::from_str::<State>(&row).unwrap(), state);
        prop_assert!(row.len() < 2_000);
    }
}

fn extreme() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -5_i64..5]
}
