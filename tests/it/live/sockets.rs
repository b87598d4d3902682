//! `GET /ws`.

use std::time::Duration;

use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use zapgate::domain::close::Close;
use zapgate::http::sockets::Patience;
use zapgate::services::hub::HubConfig;

use super::rig::{Served, user};

#[tokio::test]
async fn a_socket_gets_its_users_frames_and_nobody_elses() {
    let server = Served::default().await;
    let (mut ana, mut bob) = (server.socket("ana").await, server.socket("bob").await);

    server.rig.commit_and_publish("bob", "{}").await;
    server.rig.commit_and_publish("ana", r#"{"to":"ana"}"#).await;
    server.rig.commit_and_publish("bob", "{}").await;

    assert_eq!(ana.next_json().await["data"]["to"], "ana");
    assert_eq!(bob.next_seqs(2).await, [1, 2]);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_then_what_happens() {
    let server = Served::default().await;
    server.rig.commit_many("ana", 5).await;

    let mut ana = server.connect("/ws?since=2&epoch=e1", &[("x-user", "ana")]).await.unwrap();
    let hello = ana.next_json().await;
    assert_eq!(ana.next_seqs(3).await, [3, 4, 5]);
    server.rig.commit_and_publish("ana", "{}").await;

    assert_eq!((&hello["recovered"], &hello["seq"]), (&true.into(), &2.into()));
    assert_eq!(ana.next_seqs(1).await, [6]);
}

#[tokio::test]
async fn the_protocol_is_selected_and_a_ping_is_answered() {
    let server = Served::default().await;
    let headers = [("x-user", "ana"), ("sec-websocket-protocol", "zapgate.v1, bearer.abc")];

    let mut ana = server.connect("/ws", &headers).await.unwrap();
    ana.send(Message::text("hello")).await;
    ana.send(Message::text(r#"{"type":"ping"}"#)).await;

    assert_eq!(ana.protocol.as_deref(), Some("zapgate.v1"));
    assert_eq!(ana.next_json().await["type"], "hello");
    assert_eq!(ana.next_json().await, serde_json::json!({"type": "pong"}));
}

#[tokio::test]
async fn what_may_not_be_heard_is_refused_before_the_upgrade() {
    let server = Served::default().await;

    for (path, expected) in [
        ("/ws?channel=admin", 403),
        ("/ws?userId=bob", 403),
        ("/ws?channel=org&organizationId=other", 403),
        ("/ws?channel=all", 400),
        ("/ws?since=x&epoch=e1", 400),
    ] {
        let Err(WsError::Http(response)) = server.connect(path, &[("x-user", "ana"), ("x-org", "acme")]).await else {
            panic!("{path} was upgraded")
        };
        assert_eq!(response.status(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_user_with_too_many_sockets_is_told_so_and_another_is_not() {
    let config = HubConfig { max_sockets_per_user: 2, ..HubConfig::default() };
    let server = Served::start(config, Patience::default()).await;
    let (_one, _two) = (server.socket("ana").await, server.socket("ana").await);

    let mut third = server.connect("/ws", &[("x-user", "ana")]).await.unwrap();

    assert_eq!(third.close_code().await, 4009);
    server.socket("bob").await;
}

#[tokio::test]
async fn a_frame_over_four_kib_or_a_flood_closes_the_socket() {
    let server = Served::default().await;
    let (mut large, mut many, mut fine) =
        (server.socket("ana").await, server.socket("ana").await, server.socket("ana").await);

    large.send(Message::text("x".repeat(4097))).await;
    for _ in 0..50 {
        many.try_send(Message::text("x")).await;
    }
    fine.send(Message::text("x".repeat(4096))).await;
    fine.send(Message::text(r#"{"type":"ping"}"#)).await;

    assert_eq!((large.close_code().await, many.close_code().await), (1008, 1008));
    assert_eq!(fine.next_json().await["type"], "pong");
}

#[tokio::test]
async fn a_silent_socket_is_closed_and_one_that_answers_pings_is_not() {
    let silence = Duration::from_millis(400);
    let deaf = Served::start(HubConfig::default(), Patience { silence, ..Patience::default() }).await;
    let ping = Duration::from_millis(50);
    let pinged = Served::start(HubConfig::default(), Patience { silence, ping, ..Patience::default() }).await;
    let (mut silent, mut ana) = (deaf.socket("ana").await, pinged.socket("ana").await);

    // Reading answers pings; by the time the silent one is closed, the other was heard many times.
    let (code, seqs) = tokio::join!(silent.close_code(), async {
        tokio::join!(ana.next_seqs(1), async {
            tokio::time::sleep(2 * silence).await;
            pinged.rig.commit_and_publish("ana", "{}").await;
        })
        .0
    });

    assert_eq!((code, seqs), (4010, vec![1]));
}

#[tokio::test]
async fn credentials_that_end_and_a_server_that_stops_end_the_socket() {
    let server = Served::default().await;
    let mut expiring = server.connect("/ws", &[("x-user", "ana"), ("x-ends-in-ms", "100")]).await.unwrap();
    assert_eq!(expiring.close_code().await, 4001);

    let mut revoked = server.socket("ana").await;
    server.revoke.send_replace(true);
    assert_eq!(revoked.close_code().await, 4001);

    server.revoke.send_replace(false);
    let mut stopped = server.socket("ana").await;
    server.tasks.cancel();
    assert_eq!(stopped.close_code().await, 1001);
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_closed_as_slow_while_others_go_on() {
    let server = Served::start(HubConfig { queue_bytes: 1 << 20, ..HubConfig::default() }, Patience::default()).await;
    let (mut slow, mut quick) = (server.socket("ana").await, server.socket("ana").await);
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(200_000));

    for seq in 1..=150 {
        server.rig.commit_and_publish("ana", &large).await;
        assert_eq!(quick.next_seqs(1).await, [seq]);
    }

    let (last, code) = slow.read_to_close().await;
    assert_eq!(code, 4008);
    let path = format!("/ws?since={}&epoch=e1", last.unwrap());
    let mut back = server.connect(&path, &[("x-user", "ana")]).await.unwrap();
    assert_eq!(back.next_json().await["recovered"], true);
    assert_eq!(back.next_seqs(1).await, [last.unwrap() + 1]);
}

#[tokio::test]
async fn a_client_that_leaves_or_vanishes_frees_its_place_at_once() {
    let config = HubConfig { max_sockets_per_user: 2, ..HubConfig::default() };
    let server = Served::start(config, Patience::default()).await;
    let (mut leaving, vanishing) = (server.socket("ana").await, server.socket("ana").await);
    assert_eq!(server.rig.hub.listeners(&user("ana")), 2);

    leaving.send(Message::Close(None)).await;
    leaving.close_code().await;
    drop(vanishing);
    server.tasks.join(Duration::from_secs(10)).await;

    assert_eq!(server.rig.hub.listeners(&user("ana")), 0);
    assert_eq!(server.rig.hub.census().closed(Close::POLICY), 0, "a connection that broke sent nothing too much");
    server.socket("ana").await;
}
