//! `GET /api/events`.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zapgate::domain::caller::Caller;
use zapgate::domain::channel::Epoch;
use zapgate::domain::time::Millis;
use zapgate::http::api::tail::{TailPage, TailQuery, read};
use zapgate::services::hub::HubConfig;
use zapgate::services::tail::Tail;

use super::rig::Rig;

struct Reader {
    rig: Rig,
    tail: Tail,
    committed: watch::Sender<i64>,
}

fn caller(admin: bool) -> Caller {
    Caller { admin, user: None, org: None, scopes: None, session: None, issued_at: Millis(0), expires_at: None }
}

impl Reader {
    async fn start() -> Self {
        let rig = Rig::start(HubConfig::default()).await;
        let (committed, watched) = watch::channel(0);
        let tail = Tail::new(rig.store.clone(), Epoch("e1".into()), watched, CancellationToken::new());
        Self { rig, tail, committed }
    }

    async fn read(&self, query: TailQuery) -> TailPage {
        read(&caller(true), &query, &self.tail).await.unwrap()
    }
}

fn after(page: &TailPage) -> TailQuery {
    TailQuery { after: Some(page.next_cursor.clone()), ..TailQuery::default() }
}

fn shown(page: &TailPage) -> Vec<(&str, i64)> {
    page.items.iter().map(|item| (item.user_id.as_str(), item.seq)).collect()
}

#[tokio::test]
async fn all_tenants_events_come_in_commit_order_page_by_page() {
    let tail = Reader::start().await;
    for owner in ["ana", "bob", "ana"] {
        tail.rig.commit(owner, r#"{"a":1}"#).await;
    }

    let first = tail.read(TailQuery { limit: Some(2), ..TailQuery::default() }).await;
    let second = tail.read(after(&first)).await;
    let third = tail.read(after(&second)).await;

    assert_eq!(shown(&first), [("ana", 1), ("bob", 1)]);
    assert_eq!(first.items[0].body.as_ref().unwrap().get(), r#"{"a":1}"#);
    assert_eq!(shown(&second), [("ana", 2)]);
    assert_eq!((shown(&third), &third.next_cursor), (vec![], &second.next_cursor));
}

#[tokio::test]
async fn a_filter_narrows_the_list_and_its_cursor_passes_over_the_rest() {
    let tail = Reader::start().await;
    for owner in ["ana", "bob", "ana", "bob"] {
        tail.rig.commit(owner, "{}").await;
    }

    let page = tail.read(TailQuery { user: Some("ana".into()), ..TailQuery::default() }).await;

    assert_eq!(shown(&page), [("ana", 1), ("ana", 2)]);
    assert_eq!(shown(&tail.read(after(&page)).await), []);
}

#[tokio::test]
async fn a_reader_that_waits_is_woken_by_the_next_commit() {
    let tail = Reader::start().await;
    tail.rig.commit("ana", "{}").await;
    let begin = tail.read(TailQuery::default()).await;

    let waiting = TailQuery { wait: 30, ..after(&begin) };
    let (page, ()) = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::join!(tail.read(waiting), async {
            let committed = tail.rig.commit("bob", "{}").await;
            tail.committed.send_replace(committed.entry.id);
        })
    })
    .await
    .unwrap();

    assert_eq!(shown(&page), [("bob", 1)]);
}

#[tokio::test]
async fn only_operators_read_it_and_wrong_questions_are_refused() {
    let tail = Reader::start().await;
    let elsewhere =
        Tail::new(tail.rig.store.clone(), Epoch("e0".into()), tail.committed.subscribe(), CancellationToken::new());
    let refused = async |admin, query| read(&caller(admin), &query, &tail.tail).await.unwrap_err().code();

    assert_eq!(refused(false, TailQuery::default()).await, "admin_only");
    assert_eq!(refused(true, TailQuery { wait: 31, ..TailQuery::default() }).await, "bad_input");
    assert_eq!(refused(true, TailQuery { limit: Some(0), ..TailQuery::default() }).await, "bad_input");
    for cursor in ["", "x", &elsewhere.cursor(1)] {
        let query = TailQuery { after: Some(cursor.into()), ..TailQuery::default() };
        assert_eq!(refused(true, query).await, "bad_input", "{cursor:?}");
    }
}
