//! The judge notices: the same load against a build that breaks one promise on purpose has to be found guilty of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::judge::{Fault, Kind, judge};
use crate::process::Site;
use crate::traffic::Traffic;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_commit_is_found_to_lose_events() {
    let Some(faults) = faults_of("ack-before-commit").await else { return };

    assert_found(&faults, Kind::Lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_forgets_what_it_has_seen_is_found_to_repeat_events() {
    let Some(faults) = faults_of("no-dedupe").await else { return };

    assert_found(&faults, Kind::Twice);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_given_by_each_socket_are_found_to_differ() {
    let Some(faults) = faults_of("sequence-at-socket").await else { return };

    assert_found(&faults, Kind::NotKept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_wall_between_tenants_is_found_to_show_foreign_events() {
    let Some(faults) = faults_of("no-tenant-filter").await else { return };

    assert_found(&faults, Kind::Foreign);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_build_without_sabotage_keeps_every_promise() {
    let Some(faults) = faults_of("none").await else { return };

    assert_eq!(faults, []);
}

fn assert_found(faults: &[Fault], kind: Kind) {
    let found = faults.iter().any(|fault| fault.kind == kind);
    assert!(found, "nothing was found {kind:?}, but {:?}", faults.iter().take(10).collect::<Vec<_>>());
}

/// What the judge has to say of a short load with one kill; `None` when there is no build to sabotage.
async fn faults_of(mode: &str) -> Option<Vec<Fault>> {
    let site = Site::of(&program()?).with("SABOTAGE", mode);
    let server = site.start().await;
    let traffic = Traffic::begin(&server).await;

    traffic.flows(60).await;
    server.kill();
    traffic.server_is_at(None);
    let server = site.start().await;
    traffic.server_is_at(Some(&server.url));
    traffic.flows(60).await;

    Some(judge(&traffic.settle(Duration::from_secs(3)).await))
}

/// The build with the feature `sabotage`. Without one these tests show nothing, which is a failure where it counts.
fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ZAPGATE_SABOTAGE_BIN") {
        return Some(path.into());
    }
    let how = "ZAPGATE_SABOTAGE_BIN is not set: run `scripts/test sabotage`, which builds with `--features sabotage`";
    assert!(std::env::var_os("CI").is_none(), "{how}");
    eprintln!("skipped: {how}");
    None
}
