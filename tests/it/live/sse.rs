//! `GET /events`.

use std::time::Duration;

use tokio::time::timeout;
use zapgate::http::sockets::Patience;
use zapgate::services::hub::HubConfig;

use super::rig::{Served, user};

struct Events {
    response: reqwest::Response,
    buffer: String,
}

async fn open(server: &Served, headers: &[(&'static str, &str)]) -> Events {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = headers.iter().fold(reqwest::Client::new().get(server.url("/events")), |request, (name, value)| {
        request.header(*name, *value)
    });
    Events { response: request.send().await.unwrap(), buffer: String::new() }
}

impl Events {
    /// The next event's text; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.buffer = rest;
                return Some(event);
            }
            let chunk =
                timeout(Duration::from_secs(20), self.response.chunk()).await.expect("a chunk in time").unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next_id(&mut self) -> String {
        let event = self.next().await.unwrap();
        event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
    }
}

#[tokio::test]
async fn events_go_on_after_the_last_id() {
    let server = Served::default().await;
    server.rig.commit_many("ana", 4).await;

    let mut ana = open(&server, &[("x-user", "ana"), ("Last-Event-ID", "e1:2")]).await;
    assert_eq!(ana.response.headers()["content-type"], "text/event-stream");
    assert_eq!(
        (ana.next_id().await, ana.next_id().await, ana.next_id().await),
        ("e1:2".into(), "e1:3".into(), "e1:4".into())
    );
    server.rig.commit_and_publish("ana", "{}").await;

    assert_eq!(ana.next_id().await, "e1:5");
}

#[tokio::test]
async fn a_stream_ends_with_its_credentials_and_counts_among_the_sockets() {
    let config = HubConfig { max_sockets_per_user: 1, ..HubConfig::default() };
    let server = Served::start(config, Patience::default()).await;
    let mut ana = open(&server, &[("x-user", "ana")]).await;
    assert_eq!(ana.next_id().await, "e1:0");
    assert_eq!(open(&server, &[("x-user", "ana")]).await.response.status(), 429);

    server.revoke.send_replace(true);

    assert_eq!(ana.next().await, None);
}

#[tokio::test]
async fn a_reader_that_vanishes_frees_its_place_at_once() {
    let server = Served::default().await;
    let mut ana = open(&server, &[("x-user", "ana")]).await;
    assert_eq!(ana.next_id().await, "e1:0");

    drop(ana);

    let freed = async {
        while server.rig.hub.listeners(&user("ana")) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), freed).await.expect("well before the next ping");
}
