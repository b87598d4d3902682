//! An orderly end: nothing accepted is lost, everybody is told, and the folder is free for the next process.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::answer;
use crate::judge::{Answer, assert_kept};
use crate::process::{Process, Site, delivery, large_message, message, pile_up, token, waiting};
use crate::socket::Socket;
use crate::traffic::Traffic;

/// `SHUTDOWN_GRACE_S` of these tests, and something for a busy machine.
const GRACE: Duration = Duration::from_secs(5 + 3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing_that_was_acknowledged() {
    let site = Site::new();
    let mut server = site.start().await;
    let traffic = Traffic::begin(&server).await;

    for _ in 0..3 {
        traffic.flows(30).await;
        let asked = Instant::now();
        server.terminate();
        assert_eq!(server.ended().await, Some(0));
        assert!(asked.elapsed() < GRACE, "it took {:?}", asked.elapsed());
        traffic.server_is_at(None);
        server = site.start().await;
        traffic.server_is_at(Some(&server.url));
    }
    traffic.flows(30).await;
    let history = traffic.settle(Duration::from_secs(20)).await;

    assert_kept(&history);
    assert!(history.acks.iter().any(|ack| matches!(ack.answer, Answer::Stored(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_told_that_the_server_goes_away() {
    let site = Site::new();
    let mut server = site.start().await;
    server.user("ana", None).await;
    let mut ana = Socket::open(&server.url, "", &token("ana", None)).await;

    server.terminate();

    assert_eq!(ana.closed().await, 1001);
    assert_eq!(server.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_wait_when_the_server_stops_are_stored_and_answered() {
    let site = Site::new();
    let mut server = site.start().await;
    server.user("ana", None).await;
    let database = site.database().await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let posted = pile_up(&server.http, &server.url, "ana").await;

    server.terminate();
    server.line("stopping").await.expect("it begins to stop");
    lock.rollback().await.unwrap();

    let count = posted.len();
    for answer in posted {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(server.ended().await, Some(0));
    assert_eq!(stored(&site).await, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_cannot_be_stored_any_more_are_answered_503_and_the_server_still_ends() {
    let site = Site::new();
    let mut server = site.start().await;
    server.user("ana", None).await;
    let database = site.database().await;
    let lock = database.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let mut posted = pile_up(&server.http, &server.url, "ana").await;
    for number in 0..10 {
        let request = delivery(&server.http, &server.url, "ana", &message("ana", &format!("A{number}")));
        posted.push(tokio::spawn(answer(request)));
    }
    all_wait(&server, 10).await;

    let asked = Instant::now();
    server.terminate();

    for answer in posted {
        assert_eq!(answer.await.unwrap().status, 503);
    }
    assert_eq!(server.ended().await, Some(0));
    assert!(asked.elapsed() < GRACE, "it took {:?}", asked.elapsed());
    lock.rollback().await.unwrap();
    assert_eq!(stored(&site).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_does_not_hold_up_the_end() {
    let site = Site::new();
    let mut server = site.start().await;
    server.user("ana", None).await;
    let stuck = Socket::open(&server.url, "", &token("ana", None)).await;
    // More than the buffers of both sides, of the connection and of the socket hold, so that no goodbye fits in.
    for number in 0..100 {
        let large = large_message("ana", &format!("A{number}"), 256 << 10);
        assert_eq!(server.evolution_posts("ana", &large).await.status, 200);
    }

    let asked = Instant::now();
    server.terminate();

    assert_eq!(server.ended().await, Some(0));
    assert!(asked.elapsed() < GRACE, "it took {:?}", asked.elapsed());
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_folder_is_refused_until_the_first_has_ended() {
    let site = Site::new();
    let mut first = site.start().await;

    let mut second = site.launch(&[]);
    let said = second.line("another zapgate uses").await.expect("it says why");
    assert_eq!(second.ended().await, Some(1));
    assert!(said.starts_with("zapgate: DATABASE_URL: "), "{said}");

    first.terminate();
    assert_eq!(first.ended().await, Some(0));
    let third = site.start().await;
    third.user("ana", None).await;
    assert_eq!(third.evolution_posts("ana", &message("ana", "A1")).await.status, 200);
}

/// Until so many webhooks wait behind those the writer holds.
async fn all_wait(server: &Process, count: i64) {
    while waiting(&server.http, &server.url).await < count {}
}

async fn stored(site: &Site) -> usize {
    let messages = "SELECT count(*) FROM events WHERE event = 'messages.upsert'";
    let count: i64 = sqlx::query_scalar(messages).fetch_one(&site.database().await).await.unwrap();
    usize::try_from(count).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_begins_anew_when_an_old_copy_of_the_database_was_put_back() {
    let site = Site::new();
    let database = site.path().join("zapgate.db");
    let mut server = site.start().await;
    server.user("ana", None).await;
    let epoch = Socket::open(&server.url, "", &token("ana", None)).await.epoch().to_owned();
    end(&mut server).await;
    let copy = std::fs::read(&database).unwrap();
    server = site.start().await;
    server.evolution_posts("ana", &message("ana", "A1")).await;
    let since = format!("since=1&epoch={epoch}");
    let after_a_restart = Socket::open(&server.url, &since, &token("ana", None)).await;
    end(&mut server).await;

    std::fs::write(&database, copy).unwrap();
    server = site.start().await;
    let put_back = Socket::open(&server.url, &since, &token("ana", None)).await;

    assert_eq!((after_a_restart.epoch(), &after_a_restart.hello["recovered"]), (epoch.as_str(), &true.into()));
    assert_ne!(put_back.epoch(), epoch);
    assert_eq!(put_back.hello["recovered"], false);
}

async fn end(server: &mut Process) {
    server.terminate();
    assert_eq!(server.ended().await, Some(0));
}
