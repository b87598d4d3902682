//! What is asked again, how often and after which pauses. On these clocks a pause takes no time, and is kept count of.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use zapgate::adapters::clock::Clock;
use zapgate::adapters::evolution::{Content, Evolution, Message, NewConnection};
use zapgate::domain::evolution::{Failure, NoAnswer};

use super::recordings::webhook;
use super::server::{Reply, Server, client, name, nobody};

const SECOND: Duration = Duration::from_secs(1);

fn text() -> Message {
    Message::new("5511999990001", Content::Text("x".into()))
}

/// How often a read is asked until it ends, for how long it rests meanwhile, and how it ends.
async fn read(replies: impl IntoIterator<Item = Reply>) -> (usize, Duration, Result<(), Failure>) {
    let server = Server::saying(replies).await;
    let clock = Clock::skipping();
    let outcome = client(&server.url(), clock.clone(), |_| {}).connection(&name()).await;
    (server.times(), clock.ahead(), outcome.map(drop))
}

#[tokio::test]
async fn a_read_is_tried_three_times_with_one_and_two_seconds_between() {
    for status in [502, 503, 504] {
        let (times, rested, outcome) = read([Reply::of(status, "text/html", "<h1>no</h1>")]).await;

        assert_eq!((times, rested), (3, SECOND * 3));
        assert!(matches!(outcome, Err(Failure::Down { status: told }) if told == status));
    }
    let (times, rested, outcome) = read([Reply::Last(Vec::new())]).await;
    assert_eq!((times, rested), (3, SECOND * 3));
    assert!(matches!(outcome, Err(Failure::NoAnswer { how: NoAnswer::Broken, sent: true, .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_tried_again() {
    let server = Server::saying([Reply::Silence]).await;
    let clock = Clock::skipping();
    let evolution =
        client(&server.url(), clock.clone(), |config| config.longest_call = Some(Duration::from_millis(200)));

    let failed = evolution.connection(&name()).await;

    assert_eq!(clock.ahead(), SECOND * 3);
    assert!(matches!(failed, Err(Failure::NoAnswer { how: NoAnswer::TimedOut, .. })), "{failed:?}");
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_told_as_that() {
    // No connection can go to everybody, whatever network there is.
    let clock = Clock::skipping();
    let evolution = client("http://255.255.255.255", clock.clone(), |_| {});

    let failed = evolution.delete(&name()).await;

    assert_eq!(clock.ahead(), SECOND * 3);
    assert!(matches!(failed, Err(Failure::NoAnswer { how: NoAnswer::Unreachable, sent: false, .. })), "{failed:?}");
}

#[tokio::test]
async fn a_try_that_succeeds_is_the_last() {
    let (times, rested, outcome) = read([Reply::down(), Reply::open()]).await;

    assert_eq!((times, rested, outcome.is_ok()), (2, SECOND, true));
}

#[tokio::test]
async fn an_answer_that_would_be_the_same_again_is_not_asked_for_again() {
    for status in [301, 400, 401, 403, 404, 408, 413, 429, 500, 501, 505, 520] {
        let (times, rested, outcome) = read([Reply::json(status, r#"{"message":"x"}"#)]).await;

        assert_eq!((times, rested, outcome.is_err()), (1, Duration::ZERO, true), "{status}");
    }
    let licence = Reply::json(503, r#"{"code":"LICENSE_REQUIRED"}"#);
    assert_eq!(read([licence]).await.0, 1);
    assert_eq!(read([Reply::of(200, "text/html", "<h1>Sign in</h1>")]).await.0, 1);
}

#[tokio::test]
async fn waits_double_up_to_half_a_minute() {
    let server = Server::saying([Reply::down()]).await;
    let clock = Clock::skipping();
    let evolution = client(&server.url(), clock.clone(), |config| {
        config.retry_max_attempts = 8;
        config.breaker_failures = 1000;
    });

    evolution.connection(&name()).await.unwrap_err();

    assert_eq!(clock.ahead(), SECOND * (1 + 2 + 4 + 8 + 16 + 30 + 30));
}

/// Everything that changes something, by its name.
async fn change(evolution: &Evolution, what: &str) -> Result<(), Failure> {
    let (name, key) = (&name(), json!({"id": "3EB0"}));
    match what {
        "create" => {
            let token = Some(SecretString::from("TKN"));
            evolution.create(&NewConnection { name: name.clone(), webhook: webhook(), token }).await
        }
        "connect" => evolution.connect(name, None).await.map(drop),
        "restart" => evolution.restart(name).await.map(drop),
        "logout" => evolution.logout(name).await,
        "delete" => evolution.delete(name).await,
        "send" => evolution.send(name, &text()).await.map(drop),
        "react" => evolution.react(name, &key, "x").await.map(drop),
        "edit" => evolution.edit(name, "5511999990001", &key, "x").await.map(drop),
        "revoke" => evolution.revoke(name, &key).await.map(drop),
        other => evolution.send_presence(name, "5511999990001", other, Duration::ZERO).await,
    }
}

const CHANGES: [&str; 10] =
    ["create", "connect", "restart", "logout", "delete", "send", "react", "edit", "revoke", "composing"];

#[tokio::test]
async fn what_changes_something_is_never_asked_twice_once_it_left() {
    for what in CHANGES {
        for reply in [
            Reply::down(),
            Reply::Last(Vec::new()),
            Reply::Last(b"HTTP/1.1 201 X\r\ncontent-length: 9\r\n\r\n{".into()),
        ] {
            let server = Server::saying([reply]).await;

            let failed = change(&server.client(), what).await.unwrap_err();

            assert_eq!(server.times(), 1, "{what}");
            assert!(failed.may_have_worked(), "{what}: {failed:?}");
        }
    }
}

#[tokio::test]
async fn what_never_left_is_tried_again_whatever_it_is() {
    for what in CHANGES {
        let clock = Clock::skipping();
        let evolution = client(&nobody().await, clock.clone(), |_| {});

        let failed = change(&evolution, what).await.unwrap_err();

        assert_eq!(clock.ahead(), SECOND * 3, "{what}");
        assert!(matches!(failed, Failure::NoAnswer { how: NoAnswer::Refused, sent: false, .. }), "{failed:?}");
        assert!(!failed.may_have_worked());
    }
}

#[tokio::test]
async fn a_handshake_that_breaks_is_tried_again_and_one_that_fails_is_not() {
    let bad = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let cases = [(Vec::new(), NoAnswer::Broken, 3), (bad, NoAnswer::Tls, 1)];

    for (said, how, times) in cases {
        let server = Server::saying([Reply::Last(said)]).await;
        let evolution = client(&server.url().replace("http:", "https:"), Clock::skipping(), |_| {});

        let failed = evolution.delete(&name()).await.unwrap_err();

        assert_eq!(server.times(), times, "{failed:?}");
        assert!(matches!(failed, Failure::NoAnswer { how: told, sent: false, .. } if told == how), "{failed:?}");
    }
}

#[tokio::test]
async fn writing_the_same_again_is_harmless() {
    let server = Server::saying([Reply::down(), Reply::down(), Reply::json(201, "{}")]).await;

    server.client().set_webhook(&name(), &webhook()).await.unwrap();

    assert_eq!(server.times(), 3);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_message() {
    let sent = r#"{"key":{"id":"3EB0"},"messageTimestamp":1}"#;
    let Reply::Bytes(bytes) = Reply::json(201, sent) else { unreachable!() };
    // It closes without having said that it will.
    let server = Server::saying([Reply::Last(bytes)]).await;
    let evolution = server.client();

    for _ in 0..20 {
        evolution.send(&name(), &text()).await.unwrap();
    }

    let connections: Vec<_> = server.asked().into_iter().map(|one| one.connection).collect();
    assert_eq!(connections, (0..20).collect::<Vec<_>>());
}
