//! Every recorded flow, in order, backwards, shuffled and doubled.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use super::*;

const SHUFFLES: usize = 200;

type Story = Vec<(Millis, Input)>;

/// Of each recording, by instance: what its life events say, with their emission. `flows` hold what came, `delivery`
/// what was tried, repeats included.
fn recorded_stories() -> BTreeMap<(String, String), Story> {
    let mut stories = BTreeMap::<_, Story>::new();
    for (name, recording) in recordings("flows").chain(recordings("delivery")) {
        let flow = recording["events"].as_array().into_iter().flatten().map(|event| &event["request"]["body"]);
        let delivery = recording["attempts"].as_array().into_iter().flatten().map(|attempt| &attempt["body"]);
        for body in flow.chain(delivery) {
            let Some(input) = input_of(body) else { continue };
            let emitted = Millis::parse_rfc3339(body["date_time"].as_str().unwrap()).unwrap();
            let instance = body["instance"].as_str().unwrap().to_owned();
            stories.entry((name.clone(), instance)).or_default().push((emitted, input));
        }
    }
    stories
}

fn recordings(folder: &str) -> impl Iterator<Item = (String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution").join(folder);
    fs::read_dir(folder).unwrap().map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())
    })
}

/// Just enough reading for the recordings; the real one is `domain/webhook.rs`.
fn input_of(body: &Value) -> Option<Input> {
    let data = &body["data"];
    let text = |field: &str| data[field].as_str().map(str::to_owned);
    let code = |field: &str| data[field].as_u64().and_then(|code| u16::try_from(code).ok());
    Some(match (body["event"].as_str()?, data["state"].as_str()) {
        ("instance.create", _) => Input::Created,
        ("instance.delete" | "remove.instance", _) => Input::Removed,
        ("logout.instance", _) => Input::LoggedOut,
        ("connection.update", Some("connecting")) => Input::Connecting,
        ("connection.update", Some("close")) => Input::Closed { code: code("statusReason") },
        ("connection.update", Some("open")) => Input::Opened {
            phone_number: text("wuid").and_then(|jid| jid.split('@').next().map(str::to_owned)),
            profile_name: text("profileName"),
        },
        ("qrcode.updated", _) => Input::Qr { hash: data["qrcode"]["code"].as_str()?.to_owned() },
        ("status.instance", _) => {
            let details = text("disconnectionObject").unwrap_or_default();
            let cause = match details {
                of_phone if of_phone.contains("device_removed") => Some(Cause::DeviceRemoved),
                by_api if by_api.contains("Log out instance:") => Some(Cause::LoggedOutByApi),
                _ => None,
            };
            Input::Ended { code: code("disconnectionReasonCode"), cause }
        }
        _ => return None,
    })
}

fn play(story: &Story, now: Millis) -> (State, View) {
    let state = story.iter().fold(State::default(), |state, (at, input)| step(&state, input, *at, now).0);
    let view = state.view(now);
    (state, view)
}

fn end_of(story: &Story) -> Millis {
    story.iter().map(|(at, _)| *at).max().unwrap() + Duration::from_secs(1)
}

#[test]
fn every_recorded_flow_ends_the_same_backwards_shuffled_and_doubled() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let stories = recorded_stories();
    assert!(stories.len() >= 15, "only {} recorded lives were found", stories.len());

    for ((flow, instance), story) in stories {
        let now = end_of(&story);
        let in_order = play(&story, now);
        let backwards = story.iter().rev().cloned().collect();
        let doubled = story.iter().chain(&story).cloned().collect();

        assert_eq!(play(&backwards, now), in_order, "{flow} of {instance}, backwards");
        assert_eq!(play(&doubled, now), in_order, "{flow} of {instance}, doubled");
        let shuffled = Just(story).prop_shuffle();
        for _ in 0..SHUFFLES {
            let order = shuffled.new_tree(&mut runner).unwrap().current();
            assert_eq!(play(&order, now), in_order, "{flow} of {instance}: {order:?}");
        }
    }
}

#[test]
fn every_recorded_flow_ends_where_its_note_says() {
    let ends: BTreeMap<_, _> = recorded_stories()
        .into_iter()
        .map(|((flow, instance), story)| {
            let view = play(&story, end_of(&story)).1;
            let reason = view.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            (format!("{flow}, {instance}"), format!("{}{reason}", view.status.as_str()))
        })
        .collect();

    insta::assert_json_snapshot!(ends);
}
