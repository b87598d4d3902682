//! One breaker per server: what opens it, what it lets through, and what closes it again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use zapgate::adapters::clock::Clock;
use zapgate::adapters::evolution::{Content, Evolution, Message};
use zapgate::domain::breaker::Standing;
use zapgate::domain::evolution::{Failure, NoAnswer};

use super::server::{Reply, Server, client, name, nobody};

const OPEN: Duration = Duration::from_secs(30);

/// A client that tries once, so that calls can be counted.
fn trying_once(url: &str, clock: &Clock) -> Evolution {
    client(url, clock.clone(), |config| config.retry_max_attempts = 1)
}

/// A server that failed five times, its client, and the clock.
async fn opened() -> (Server, Evolution, Clock) {
    let server = Server::saying([Reply::down()]).await;
    let clock = Clock::system();
    let evolution = trying_once(&server.url(), &clock);
    for _ in 0..5 {
        let failed = evolution.connection(&name()).await;
        assert!(matches!(failed, Err(Failure::Down { status: 503 })), "{failed:?}");
    }
    assert!(matches!(evolution.breaker(), Standing::Open { .. }));
    (server, evolution, clock)
}

fn is_refused<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::BreakerOpen { .. }))
}

async fn send(evolution: &Evolution) -> Result<(), Failure> {
    evolution.send(&name(), &Message::new("5511999990001", Content::Text("x".into()))).await.map(drop)
}

#[tokio::test]
async fn after_five_failures_no_request_leaves_until_the_time_is_up() {
    let (server, evolution, clock) = opened().await;

    let refused = evolution.connection(&name()).await;
    let sent = send(&evolution).await;
    clock.advance(OPEN / 2);
    let still = evolution.connection(&name()).await;

    assert!(is_refused(&refused) && is_refused(&sent) && is_refused(&still));
    assert_eq!(server.times(), 5);
    assert!(evolution.pause() > Duration::ZERO && evolution.pause() <= OPEN / 2);
}

#[tokio::test]
async fn one_of_fifty_callers_probes_and_the_answer_lets_all_through() {
    let (server, evolution, clock) = opened().await;
    let permit = Arc::new(Semaphore::new(0));
    let Reply::Bytes(open) = Reply::open() else { unreachable!() };
    server.says([Reply::Held(Arc::clone(&permit), open), Reply::open()]);
    clock.advance(OPEN);
    let name = &name();

    let everybody = join_all((0..50).map(|_| evolution.connection(name)));
    let release = async {
        server.until(6).await;
        permit.add_permits(1);
    };
    let (outcomes, ()) = tokio::join!(everybody, release);
    evolution.connection(name).await.unwrap();

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_refused(outcome)).count(), 49);
    assert_eq!((server.times(), evolution.breaker()), (7, Standing::Closed));
}

#[tokio::test]
async fn a_probe_that_fails_opens_it_for_another_while() {
    let (server, evolution, clock) = opened().await;

    for probes in 1..=3 {
        clock.advance(OPEN);
        let failed = evolution.connection(&name()).await;
        let refused = evolution.connection(&name()).await;

        assert!(matches!(failed, Err(Failure::Down { .. })) && is_refused(&refused));
        assert_eq!(server.times(), 5 + probes);
    }
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_makes_way_for_the_next() {
    let (server, evolution, clock) = opened().await;
    server.says([Reply::Silence, Reply::open()]);
    clock.advance(OPEN);

    let name = name();
    tokio::select! {
        _ = evolution.connection(&name) => unreachable!("nothing is answered"),
        () = server.until(6) => {}
    }
    let next = evolution.connection(&name).await;

    assert!(next.is_ok(), "{next:?}");
    assert_eq!(evolution.breaker(), Standing::Closed);
}

#[tokio::test]
async fn a_send_that_hangs_is_no_proof_of_an_outage_and_keeps_nobody_out() {
    let server = Server::saying([Reply::down()]).await;
    let clock = Clock::system();
    let evolution = client(&server.url(), clock.clone(), |config| {
        config.retry_max_attempts = 1;
        config.longest_call = Some(Duration::from_secs(1));
    });
    for _ in 0..5 {
        send(&evolution).await.unwrap_err();
    }
    server.says([Reply::Silence, Reply::Silence, Reply::open()]);
    clock.advance(OPEN);

    for _ in 0..2 {
        let hung = send(&evolution).await;
        assert!(matches!(hung, Err(Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, .. })), "{hung:?}");
    }
    evolution.connection(&name()).await.unwrap();

    assert_eq!(evolution.breaker(), Standing::Closed);
}

#[tokio::test]
async fn sends_that_hang_never_open_it() {
    let server = Server::saying([Reply::Silence]).await;
    let evolution = client(&server.url(), Clock::system(), |config| {
        config.longest_call = Some(Duration::from_millis(10));
    });

    for _ in 0..6 {
        send(&evolution).await.unwrap_err();
    }

    assert_eq!(evolution.breaker(), Standing::Closed);
}

#[tokio::test]
async fn sends_to_nobody_open_it() {
    let evolution = trying_once(&nobody().await, &Clock::system());

    for _ in 0..5 {
        assert!(matches!(send(&evolution).await, Err(Failure::NoAnswer { sent: false, .. })));
    }

    assert!(is_refused(&send(&evolution).await));
}

#[tokio::test]
async fn refusals_and_a_500_do_not_open_it_and_an_answer_forgets_what_was() {
    let server = Server::saying([Reply::down()]).await;
    let evolution = trying_once(&server.url(), &Clock::system());
    let ask = async |reply: Reply, times: usize| {
        server.says([reply]);
        for _ in 0..times {
            let _ = evolution.connection(&name()).await;
        }
    };

    ask(Reply::json(500, r#"{"message":"x"}"#), 10).await;
    ask(Reply::json(401, "{}"), 10).await;
    ask(Reply::down(), 4).await;
    ask(Reply::open(), 1).await;
    ask(Reply::down(), 4).await;

    assert_eq!(evolution.breaker(), Standing::Closed);
}

#[tokio::test]
async fn a_certificate_that_is_not_acceptable_is_told_each_time() {
    let server = Server::saying([Reply::open()]).await;
    let url = server.url().replace("http:", "https:");
    let evolution = trying_once(&url, &Clock::system());

    for _ in 0..6 {
        let failed = evolution.connection(&name()).await;
        assert!(matches!(failed, Err(Failure::NoAnswer { how: NoAnswer::Tls, sent: false, .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn each_try_counts_and_the_one_that_opens_it_keeps_its_own_reason() {
    let server = Server::saying([Reply::down()]).await;
    let evolution = client(&server.url(), Clock::skipping(), |config| config.breaker_failures = 5);

    let first = evolution.connection(&name()).await;
    let second = evolution.connection(&name()).await;
    let third = evolution.connection(&name()).await;

    assert!(matches!(first, Err(Failure::Down { status: 503 })));
    assert!(matches!(second, Err(Failure::Down { status: 503 })), "{second:?}");
    assert!(is_refused(&third));
    assert_eq!(server.times(), 5);
}
