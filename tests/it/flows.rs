//! Recorded lives of instances: whatever order Evolution's webhooks come in, the instance stands at the same place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::app::{TestApp, instance_of};
use crate::recorded::{self, Post};

const SHUFFLES: usize = 4;

#[actix_web::test]
async fn every_recorded_flow_ends_the_same_in_any_order_doubled_and_all_at_once() {
    let app = TestApp::start().await;
    let mut ends = BTreeMap::new();
    for name in recorded::all("flows") {
        let flow = proven(&name, &app);

        let runs = play_all(&app, &name, &flow).await;
        let standings = standings(&app, &runs).await;

        for (n, standing) in standings.iter().enumerate() {
            let order = ORDERS.get(n).unwrap_or(&"shuffled");
            assert_eq!(standing, &standings[0], "{name}, {order}");
        }
        ends.insert(name, standings[0].clone());
    }
    insta::assert_json_snapshot!(ends);
}

#[actix_web::test]
async fn where_an_instance_stands_survives_a_restart() {
    let mut app = TestApp::start().await;
    let mut casts = Vec::new();
    for name in recorded::all("flows") {
        let flow = proven(&name, &app);
        casts.push(play_as(&app, &name, flow, false).await);
    }

    let before = standings(&app, &casts).await;
    app.restart().await;

    assert_eq!(standings(&app, &casts).await, before);
}

#[actix_web::test]
async fn a_flow_without_proofs_from_a_server_in_sao_paulo_ends_where_a_proven_one_does() {
    const BEHIND_UTC: Duration = Duration::from_hours(3);
    let app = TestApp::start().await;
    for name in recorded::all("flows") {
        let proven = proven(&name, &app);
        let plain = proven.iter().map(|post| {
            let local = post.emitted() - BEHIND_UTC;
            Post { is_signed: false, ..post.clone().emitted_at(local) }
        });
        let plain = plain.collect();

        let casts =
            [play_as(&app, &format!("{name}-proven"), proven, false).await, play_as(&app, &name, plain, false).await];

        let standings = standings(&app, &casts).await;
        assert_eq!(standings[0], standings[1], "{name}");
    }
}

/// The flow as if its last event came now, each with the proof of its second.
fn proven(name: &str, app: &TestApp) -> Vec<Post> {
    let posts = recorded::ending_at(recorded::flow(name), app.clock.now());
    posts.into_iter().map(|post| Post { is_signed: true, ..post }).collect()
}

const ORDERS: [&str; 4] = ["in order", "backwards", "doubled", "all at once"];

/// Recorded instance → the user who plays it in one run.
type Cast = BTreeMap<String, String>;

/// Plays the flow in every order, each with users of its own.
async fn play_all(app: &TestApp, name: &str, flow: &[Post]) -> Vec<Cast> {
    let backwards = flow.iter().rev().cloned().collect();
    let doubled = flow.iter().flat_map(|post| [post.clone(), post.clone()]).collect();
    let mut orders = vec![flow.to_vec(), backwards, doubled, flow.to_vec()];
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let shuffled = Just(flow.to_vec()).prop_shuffle();
    orders.extend((0..SHUFFLES).map(|_| shuffled.new_tree(&mut runner).unwrap().current()));

    let mut runs = Vec::new();
    for (n, order) in orders.into_iter().enumerate() {
        let at_once = ORDERS.get(n) == Some(&"all at once");
        runs.push(play_as(app, &format!("{name}-{n}"), order, at_once).await);
    }
    runs
}

/// Plays the posts with users named after the run.
async fn play_as(app: &TestApp, run: &str, posts: Vec<Post>, at_once: bool) -> Cast {
    let cast = cast(app, &run.replace('/', "."), &posts).await;
    let posts = posts.into_iter().map(|post| {
        let user = &cast[&post.instance];
        (user.clone(), post.of(&instance_of(user)))
    });
    play(app, posts.collect(), at_once).await;
    cast
}

async fn cast(app: &TestApp, run: &str, posts: &[Post]) -> Cast {
    let instances: BTreeSet<&String> = posts.iter().map(|post| &post.instance).collect();
    let mut cast = Cast::new();
    for instance in instances {
        let user = format!("{run}-{instance}");
        app.user(&user).await;
        cast.insert(instance.clone(), user);
    }
    cast
}

async fn play(app: &TestApp, posts: Vec<(String, Post)>, at_once: bool) {
    let answers = if at_once {
        join_all(posts.iter().map(|(user, post)| app.evolution_repeats(user, post))).await
    } else {
        let mut answers = Vec::new();
        for (user, post) in &posts {
            answers.push(app.evolution_repeats(user, post).await);
        }
        answers
    };
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.json);
    }
}

/// Of each run, where each recorded instance stands now.
async fn standings(app: &TestApp, runs: &[Cast]) -> Vec<BTreeMap<String, Value>> {
    let mut standings = Vec::new();
    for cast in runs {
        let mut standing = BTreeMap::new();
        for (instance, user) in cast {
            let read = app.instance(user).await;
            let members = ["status", "statusReason", "isConnected", "phoneNumber"];
            let members: serde_json::Map<_, _> =
                members.into_iter().map(|name| (name.to_owned(), read[name].clone())).collect();
            standing.insert(instance.clone(), json!(members));
        }
        standings.push(standing);
    }
    standings
}
