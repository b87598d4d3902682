//! Time, size and address: what a server may do to us, and where the key may go.

use std::process::Command;
use std::time::Duration;

use zapgate::adapters::clock::Clock;
use zapgate::domain::evolution::{Blame, Failure, NoAnswer};

use super::server::{KEY, Reply, Server, client, name};

/// An answer that begins so and goes on with the second part for ever.
fn endless(head: &str, more: impl AsRef<[u8]>) -> Reply {
    Reply::Endless(head.as_bytes().to_vec(), more.as_ref().to_vec())
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

#[tokio::test]
async fn the_time_is_for_the_whole_answer_however_it_trickles() {
    let body = format!("{OK}content-type: application/json\r\ncontent-length: 1000000\r\n\r\n");
    let drips = [Reply::Drip(body.into()), Reply::Drip(format!("{OK}x: ").into()), Reply::Silence];

    for drip in drips {
        let server = Server::saying([drip]).await;
        let evolution = client(&server.url(), Clock::skipping(), |config| {
            config.retry_max_attempts = 1;
            config.longest_call = Some(Duration::from_millis(50));
        });

        let failed = evolution.connection(&name()).await;

        assert!(matches!(failed, Err(Failure::NoAnswer { how: NoAnswer::TimedOut, sent: true, .. })), "{failed:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let cases = [
        endless(&format!("{OK}transfer-encoding: chunked\r\n\r\n"), chunk),
        endless(&format!("{OK}connection: close\r\n\r\n"), " ".repeat(0x10000)),
        Reply::Drip(format!("{OK}content-length: 3000000\r\n\r\n").into()),
        endless(&format!("{OK}x: "), "y".repeat(0x10000)),
        endless(OK, "x: y\r\n".repeat(100)),
    ];

    for (nth, case) in cases.into_iter().enumerate() {
        let server = Server::saying([case]).await;

        let failed = server.client().connection(&name()).await;

        assert!(matches!(failed, Err(Failure::NotEvolution(_))), "{nth}: {failed:?}");
        assert_eq!(server.times(), 1, "{nth}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_no_outage() {
    for banner in ["SSH-2.0-OpenSSH_9.6\r\n", "\u{15}\u{3}\u{1}\0\u{2}", "HTTP/1.1 2000 X\r\n\r\n"] {
        let server = Server::saying([Reply::Last(banner.into())]).await;

        let failed = server.client().connection(&name()).await.unwrap_err();

        assert_eq!(failed.blame(), Blame::Configuration, "{failed:?}");
    }
}

#[tokio::test]
async fn an_answer_in_chunks_is_one_answer_and_a_compressed_one_is_none() {
    let whole = r#"{"instance":{"instanceName":"user_101","state":"open"}}"#;
    let chunks = whole.chars().map(|c| format!("1\r\n{c}\r\n")).collect::<Vec<_>>().concat();
    let chunked = Reply::Bytes(format!("{OK}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").into_bytes());
    let gzip =
        Reply::Bytes([OK.as_bytes(), b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00"].concat());
    let server = Server::saying([chunked, gzip]).await;
    let evolution = server.client();

    assert!(evolution.connection(&name()).await.is_ok());
    assert!(matches!(evolution.connection(&name()).await, Err(Failure::NotEvolution(_))));
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let elsewhere = Server::saying([Reply::open()]).await;

    for status in [301, 302, 303, 307, 308] {
        let head =
            format!("HTTP/1.1 {status} X\r\nlocation: {}/instance\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
        let server = Server::saying([Reply::Bytes(head.into_bytes())]).await;

        let read = server.client().connection(&name()).await;
        let written = server.client().delete(&name()).await;

        assert!(matches!(read, Err(Failure::Redirected)) && matches!(written, Err(Failure::Redirected)));
        assert_eq!(server.times(), 2);
    }
    assert_eq!(elsewhere.times(), 0, "the key went nowhere else");
}

/// In this variable a child process finds the address it is to ask.
const ADDRESS: &str = "ZAPGATE_TEST_EVOLUTION";

#[tokio::test]
async fn no_proxy_of_the_environment_gets_the_key() {
    if let Ok(address) = std::env::var(ADDRESS) {
        client(&address, Clock::system(), |_| {}).connection(&name()).await.unwrap();
        return;
    }
    let (evolution, proxy) = (Server::saying([Reply::open()]).await, Server::saying([Reply::open()]).await);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "evolution::transport::no_proxy_of_the_environment_gets_the_key"]);
    child.env(ADDRESS, evolution.url());
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        child.env(variable, proxy.url());
    }
    for variable in ["NO_PROXY", "no_proxy"] {
        child.env_remove(variable);
    }

    let done = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();

    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!((evolution.times(), proxy.times()), (1, 0));
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told_as_that() {
    // Longer than a name may be, so that no resolver is asked.
    let url = format!("http://{}.invalid", "a".repeat(64));
    let evolution = client(&url, Clock::skipping(), |_| {});

    let failed = evolution.connection(&name()).await.unwrap_err();

    assert!(matches!(failed, Failure::NoAnswer { how: NoAnswer::NameUnknown, sent: false, .. }), "{failed:?}");
    assert!(failed.advice().unwrap().contains("host name"));
}

#[test]
fn a_key_that_would_cross_the_open_network_in_clear_is_warned_of() {
    let warns = |url: &str| {
        let mut settings = crate::app::TestApp::settings(std::path::Path::new("nowhere"));
        settings.evolution.evolution_api_url = Some(url.parse().unwrap());
        settings.check().warnings.iter().any(|warning| warning.starts_with("EVOLUTION_API_URL: "))
    };

    assert!(warns("http://evolution.example.com") && warns("http://203.0.113.7:8080"));
    assert!(warns("http://internal.example.com") && warns("http://notlocal.com"));
    for near in ["evolution:8080", "10.0.0.3", "[::1]:8080", "evolution.flycast", "evolution.apps.svc.cluster.local"] {
        assert!(!warns(&format!("http://{near}")), "{near}");
    }
    assert!(!warns("https://evolution.example.com"));
}

#[tokio::test]
async fn no_failure_shows_the_key_or_the_address() {
    let servers = [Reply::Last(Vec::new()), Reply::down(), Reply::of(200, "text/html", "x")];

    for reply in servers {
        let server = Server::saying([reply]).await;
        let evolution = server.client();

        let failed = evolution.connection(&name()).await.unwrap_err();

        let shown = format!("{failed:?} {failed} {evolution:?}");
        assert!(!shown.contains(KEY) && !shown.contains("user_101"), "{shown}");
    }
}
