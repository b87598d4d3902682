//! How much of the log is in memory at a time: pages are cut by bytes, and nothing is lost at the cuts.

use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zapgate::adapters::store::events::{PageSize, TailFilter};
use zapgate::domain::channel::{Channel, Epoch};
use zapgate::domain::ids::OrgId;
use zapgate::services::hub::HubConfig;
use zapgate::services::tail::{Page, Tail};

use super::rig::{Rig, Row, next_json, since, user};

const KIB: usize = 1024;
/// The bodies of the log, in KiB: large and small ones, and one above every budget.
const SIZES: [usize; 12] = [1, 700, 700, 1, 1, 6000, 1, 1024, 1, 900, 200, 1];
const ROWS: i64 = 12;

async fn rig() -> Rig {
    let rig = Rig::start(HubConfig::default()).await;
    for size in SIZES {
        let body = json!({"text": "x".repeat(size * KIB - 11)}).to_string();
        let row = Row { org: Some("acme"), event: "zapgate.notification", outcome: None, body: &body };
        rig.commit_row("ana", row).await;
    }
    rig
}

/// The sizes of the bodies on each page of `channel`, in KiB.
async fn pages(rig: &Rig, channel: &Channel, size: PageSize) -> Vec<Vec<usize>> {
    let (mut pages, mut after) = (Vec::new(), 0);
    loop {
        let entries = rig.store.entries_on(channel, after, size).await.unwrap().entries;
        let Some(last) = entries.last() else { return pages };
        after = last.seq_on(channel).unwrap();
        pages.push(entries.iter().map(|entry| entry.body.len() / KIB).collect());
    }
}

#[tokio::test]
async fn a_page_ends_with_the_row_that_fills_its_budget() {
    let rig = rig().await;
    let expected: [&[usize]; 4] = [&[1, 700, 700], &[1, 1, 6000], &[1, 1024], &[1, 900, 200]];

    for channel in [user("ana"), Channel::Org(OrgId::from_claim("acme").unwrap())] {
        let cut = pages(&rig, &channel, PageSize { rows: 500, bytes: 1 << 20 }).await;
        assert_eq!(cut[..4], expected, "{channel:?}");
        assert_eq!(cut.concat(), SIZES, "each row once and in order");
    }
}

#[tokio::test]
async fn a_page_has_as_many_rows_as_allowed_and_never_none() {
    let rig = rig().await;

    let by_rows = pages(&rig, &user("ana"), PageSize { rows: 5, bytes: 1 << 30 }).await;
    let by_bytes = pages(&rig, &user("ana"), PageSize { rows: 5, bytes: 1 }).await;

    assert_eq!(by_rows.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
    assert_eq!(by_bytes.len(), SIZES.len());
}

#[tokio::test]
async fn a_recovery_over_large_rows_is_complete_in_order_and_goes_on_live() {
    let rig = rig().await;

    for from in 0..=ROWS {
        let (hello, mut ana) = rig.listen("ana", Some(since(from))).await;
        assert_eq!(hello["recovered"], true);
        for seq in from + 1..=ROWS {
            let frame = next_json(&mut ana).await;
            let expected = SIZES[usize::try_from(seq).unwrap() - 1] * KIB - 11;
            assert_eq!((frame["seq"].as_i64(), frame["data"]["text"].as_str().unwrap().len()), (Some(seq), expected));
        }
    }
    let (_, mut ana) = rig.listen("ana", Some(since(0))).await;
    rig.commit_and_publish("ana", "{}").await;
    for seq in 1..=ROWS + 1 {
        assert_eq!(next_json(&mut ana).await["seq"], seq);
    }
    rig.commit_and_publish("ana", "{}").await;
    assert_eq!(next_json(&mut ana).await["seq"], ROWS + 2);
}

#[tokio::test]
async fn a_page_of_the_tail_holds_its_budget_and_one_row_more_and_nothing_is_lost() {
    const BUDGET: usize = 4096;
    let rig = rig().await;
    let (_committed, watched) = watch::channel(0);
    let tail = Tail::new(rig.store.clone(), Epoch("e1".into()), watched, CancellationToken::new());
    let of_ana = TailFilter { user: Some("ana".into()), ..TailFilter::default() };

    for filter in [TailFilter::default(), of_ana] {
        let (mut sizes, mut after) = (Vec::new(), 0);
        loop {
            let Page { entries, seen, .. } = tail.read(after, &filter, 200, std::time::Duration::ZERO).await.unwrap();
            let page: Vec<usize> = entries.iter().map(|entry| entry.body.len() / KIB).collect();
            let Some((_, but_the_last)) = page.split_last() else { break };
            assert!(but_the_last.iter().sum::<usize>() < BUDGET, "{page:?}");
            (after, sizes) = (seen, [sizes, page].concat());
        }
        assert_eq!(sizes, SIZES, "{filter:?}");
    }
}
