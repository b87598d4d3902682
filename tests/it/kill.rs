//! What was answered 200 is there after the process was killed, once and in order.

use std::time::Duration;

use crate::judge::{Answer, assert_kept};
use crate::process::Site;
use crate::traffic::Traffic;

const ROUNDS: u64 = 50;
/// Chooses the moments; another number, other moments.
const SEED: u64 = 0x5eed_0f2a_9a7e;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_fifty_kills_once_and_in_order() {
    let site = Site::new();
    let mut server = site.start().await;
    let traffic = Traffic::begin(&server).await;

    for round in 0..ROUNDS {
        // Not a wait for something: the moment itself is what is tried.
        tokio::time::sleep(moment(round)).await;
        server.kill();
        traffic.server_is_at(None);
        if round % 5 == 4 {
            // It may also be killed while it starts.
            let starting = site.launch(&[]);
            tokio::time::sleep(moment(ROUNDS + round)).await;
            starting.kill();
        }
        server = site.start().await;
        traffic.server_is_at(Some(&server.url));
    }
    traffic.flows(10).await;
    let history = traffic.settle(Duration::from_secs(20)).await;

    assert_kept(&history);
    assert!(history.sent.len() > 500, "the load was too thin to show anything: {} events", history.sent.len());
    let cut_off = history.acks.iter().filter(|ack| ack.answer == Answer::Nothing).count();
    assert!(cut_off > 50, "the kills hit hardly any delivery: {cut_off}");
}

/// Between 5 and 150 ms, by a round's number (`SplitMix64`).
fn moment(round: u64) -> Duration {
    let mut z = SEED.wrapping_add((round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis(5 + (z ^ (z >> 31)) % 146)
}
