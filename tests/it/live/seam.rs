//! No gap and no repeat, whatever the bus does.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use tokio::task::JoinSet;
use zapgate::adapters::bus::{Bus, Committed};
use zapgate::adapters::clock::Clock;
use zapgate::adapters::tasks::Tasks;
use zapgate::app::pumps;
use zapgate::domain::channel::{Epoch, Position};
use zapgate::domain::close::Close;
use zapgate::services::hub::HubConfig;

use super::rig::{Rig, next_seq, next_seqs, since, user};

/// What the way from the commit to the hub may do with a row.
#[derive(Clone, Copy, Debug)]
enum Step {
    Commit,
    /// The oldest row not yet published.
    Publish,
    /// The same row once more.
    Repeat,
    /// Only a hint comes through.
    Hint,
    /// Nothing comes through, and nobody notices until the next row does.
    Lose,
    /// Nothing comes through, but that is noticed.
    Lag,
    /// Another listener comes, this many frames behind the head.
    Join(i64),
    Pause,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Commit),
        6 => Just(Step::Publish),
        1 => Just(Step::Repeat),
        1 => Just(Step::Hint),
        1 => Just(Step::Lose),
        1 => Just(Step::Lag),
        3 => (0i64..12).prop_map(Step::Join),
        2 => Just(Step::Pause),
    ]
}

async fn run(steps: Vec<Step>) {
    let rig = Arc::new(Rig::start(HubConfig::default()).await);
    let total = 11 + i64::try_from(steps.iter().filter(|step| matches!(step, Step::Commit)).count()).unwrap();
    rig.commit_many("ana", 10).await;
    let (mut head, mut pending, mut last): (i64, Vec<Committed>, Option<Committed>) = (10, Vec::new(), None);
    let mut listeners = JoinSet::new();
    for step in steps.into_iter().chain([Step::Join(0), Step::Join(10)]) {
        match step {
            Step::Commit => {
                pending.push(rig.commit("ana", "{}").await);
                head += 1;
            }
            Step::Publish if !pending.is_empty() => {
                let committed = pending.remove(0);
                rig.publish(&committed);
                last = Some(committed);
            }
            Step::Hint if !pending.is_empty() => rig.hub.advance(&user("ana"), pending.remove(0).entry.seq),
            Step::Lose if !pending.is_empty() => {
                pending.remove(0);
            }
            Step::Lag => {
                pending.clear();
                rig.hub.resync();
            }
            Step::Repeat => last.iter().for_each(|committed| rig.publish(committed)),
            Step::Join(behind) => {
                let (rig, from) = (Arc::clone(&rig), (head - behind).max(0));
                listeners.spawn(async move {
                    let (hello, mut listener) = rig.listen("ana", Some(since(from))).await;
                    assert_eq!((&hello["recovered"], &hello["seq"]), (&true.into(), &from.into()));
                    for expected in from + 1..=total {
                        assert_eq!(next_seq(&mut listener).await, expected);
                    }
                });
            }
            Step::Pause => tokio::task::yield_now().await,
            Step::Publish | Step::Hint | Step::Lose => {}
        }
    }
    for committed in &pending {
        rig.publish(committed);
    }
    rig.commit_and_publish("ana", "{}").await;
    while let Some(done) = listeners.join_next().await {
        done.unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn every_listener_gets_every_frame_once_and_in_order(steps in prop::collection::vec(step(), 0..80)) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run(steps));
    }
}

#[tokio::test]
async fn a_frame_the_bus_lost_is_read_from_the_log() {
    let rig = Rig::start(HubConfig::default()).await;
    let (_, mut ana) = rig.listen("ana", None).await;
    assert!(ana.next().now_or_never().is_none(), "it is live");

    rig.commit_and_publish("ana", "{}").await;
    rig.commit("ana", "{}").await;
    rig.commit_and_publish("ana", "{}").await;

    assert_eq!(next_seqs(&mut ana, 3).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_a_lagging_pump_missed_is_read_from_the_log() {
    let rig = Rig::start(HubConfig::default()).await;
    let (_, mut ana) = rig.listen("ana", None).await;
    let (bus, tasks) = (Bus::default(), Tasks::default());
    let batches = bus.subscribe();
    let committed = rig.commit("ana", "{}").await;
    rig.commit("ana", "{}").await;
    (0..2000).for_each(|_| bus.publish(Arc::new([committed.clone()])));

    tasks.spawn("pump", |stop| pumps::bus_to_hub(batches, rig.hub.clone(), Clock::system(), stop));

    assert_eq!(next_seqs(&mut ana, 2).await, [1, 2]);
}

#[tokio::test]
async fn a_read_of_the_log_goes_on_although_whoever_waits_for_it_looks_away() {
    let rig = Rig::start(HubConfig::default()).await;
    rig.commit_many("ana", 3).await;
    let (_, mut ana) = rig.listen("ana", Some(since(0))).await;

    // As a socket does whenever its client says something.
    let glances = async {
        let mut heard = Vec::new();
        while heard.len() < 3 {
            match ana.next().now_or_never() {
                Some(frame) => heard.push(frame.unwrap().seq),
                None => tokio::task::yield_now().await,
            }
        }
        heard
    };

    assert_eq!(tokio::time::timeout(Duration::from_secs(10), glances).await, Ok(vec![1, 2, 3]));
}

#[tokio::test]
async fn a_recovery_longer_than_the_queue_is_not_closed_as_slow() {
    let rig = Rig::start(HubConfig { queue_bytes: 500, ..HubConfig::default() }).await;
    rig.commit_many("ana", 1200).await;
    let (_, mut ana) = rig.listen("ana", Some(since(0))).await;

    assert_eq!(next_seqs(&mut ana, 600).await, (1..=600).collect::<Vec<_>>());
    for _ in 0..100 {
        rig.commit_and_publish("ana", "{}").await;
    }

    assert_eq!(next_seqs(&mut ana, 700).await, (601..=1300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_listener_too_slow_is_closed_while_others_go_on_and_it_can_come_back() {
    let rig = Rig::start(HubConfig { queue_bytes: 500, ..HubConfig::default() }).await;
    let ((_, mut slow), (_, mut quick)) = (rig.listen("ana", None).await, rig.listen("ana", None).await);
    // Asking for a frame when there is none takes a listener live.
    assert!(slow.next().now_or_never().is_none());
    rig.commit_and_publish("ana", "{}").await;
    assert_eq!((next_seq(&mut slow).await, next_seq(&mut quick).await), (1, 1));

    for seq in 2..=50 {
        rig.commit_and_publish("ana", "{}").await;
        assert_eq!(next_seq(&mut quick).await, seq);
    }

    assert_eq!(slow.next().await.unwrap_err(), Close::SLOW);
    let (_, mut back) = rig.listen("ana", Some(since(1))).await;
    assert_eq!(next_seqs(&mut back, 49).await, (2..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_position_outside_the_kept_history_begins_anew_at_the_head() {
    let rig = Rig::start(HubConfig { recovery_max_events: 5, ..HubConfig::default() }).await;
    rig.commit_many("ana", 10).await;
    rig.forget_up_to(6).await;
    let of_another_epoch = Position { epoch: Epoch("e0".into()), seq: 8 };

    for (from, recovered) in [
        (None, false),
        (Some(of_another_epoch), false),
        (Some(since(-1)), false),
        (Some(since(4)), false),
        (Some(since(5)), false),
        (Some(since(6)), true),
        (Some(since(10)), true),
        (Some(since(11)), false),
    ] {
        let expected = if recovered { from.as_ref().unwrap().seq } else { 10 };
        let (hello, _) = rig.listen("ana", from.clone()).await;
        assert_eq!((&hello["recovered"], &hello["seq"]), (&recovered.into(), &expected.into()), "{from:?}");
    }
}

#[tokio::test]
async fn more_events_than_may_be_recovered_begin_anew() {
    let rig = Rig::start(HubConfig { recovery_max_events: 5, ..HubConfig::default() }).await;
    rig.commit_many("ana", 10).await;

    assert_eq!(rig.listen("ana", Some(since(4))).await.0["recovered"], false);
    assert_eq!(rig.listen("ana", Some(since(5))).await.0["recovered"], true);
}

#[tokio::test]
async fn a_recovery_that_retention_overtakes_is_told_so() {
    let rig = Rig::start(HubConfig::default()).await;
    rig.commit_many("ana", 5).await;
    let (_, mut ana) = rig.listen("ana", Some(since(0))).await;

    rig.forget_up_to(3).await;

    assert_eq!(ana.next().await.unwrap_err(), Close::SLOW);
    assert_eq!(rig.listen("ana", Some(since(0))).await.0["recovered"], false);
}

#[tokio::test]
async fn a_user_without_an_instance_is_greeted_all_the_same() {
    let rig = Rig::start(HubConfig::default()).await;

    let (hello, _) = rig.listen("nobody", None).await;

    let expected = serde_json::json!({
        "type": "hello", "epoch": "e1", "seq": 0, "recovered": false, "data": {"instance": null},
    });
    assert_eq!(hello, expected);
}
