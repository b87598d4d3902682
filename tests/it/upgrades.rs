//! Requests to upgrade, on the wire: what is no WebSocket is answered like any other request, and the connection ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::TestApp;

const SOON: Duration = Duration::from_secs(20);

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const HANDSHAKE: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Sends bytes and reads whatever comes until the server ends the connection.
async fn exchanged(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("an end in time").unwrap();
    String::from_utf8(all).unwrap()
}

fn request(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{headers}\r\n")
}

#[actix_web::test]
async fn what_is_no_websocket_is_answered_whole_and_the_connection_ends() {
    let app = TestApp::start().await;

    for (line, headers, status, said) in [
        ("GET /health", "", "200 OK", r#""status""#),
        ("GET /nowhere", "", "404 Not Found", "not_found"),
        ("GET /ws", HANDSHAKE, "401 Unauthorized", "credentials_missing"),
        ("POST /api/webhook/evolution", "Content-Type: application/json\r\n", "401 Unauthorized", "proof_missing"),
    ] {
        let answer = exchanged(&app, request(line, headers).as_bytes()).await;

        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{line}: {head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{line}: {head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{line}: {head} {body}");
        assert!(body.contains(said), "{line}: {body}");
    }
}

#[actix_web::test]
async fn the_answer_to_head_has_no_body() {
    let app = TestApp::start().await;

    let answer = exchanged(&app, request("HEAD /health", "").as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[actix_web::test]
async fn a_handshake_with_a_body_has_no_connection_to_hand_over_and_is_refused() {
    let app = TestApp::start().await;
    let token = app.token("ana", None);
    let headers = format!("{HANDSHAKE}Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n");

    let answer = exchanged(&app, format!("{}0\r\n\r\n", request("GET /ws", &headers)).as_bytes()).await;

    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("is not a WebSocket handshake"), "{answer}");
}

#[actix_web::test]
async fn what_a_client_sends_right_behind_its_handshake_is_heard() {
    let app = TestApp::start().await;
    let token = app.token("ana", None);
    let mut bytes = request("GET /ws", &format!("{HANDSHAKE}Authorization: Bearer {token}\r\n")).into_bytes();
    // Masked with zeros: a ping in words, and a goodbye.
    bytes.extend_from_slice(b"\x81\x8f\0\0\0\0{\"type\":\"ping\"}\x88\x82\0\0\0\0\x03\xe8");

    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut all = Vec::new();
    timeout(SOON, stream.read_to_end(&mut all)).await.expect("an end in time").unwrap();

    let (head, frames) = all.split_at(all.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4);
    assert!(head.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
    let said = String::from_utf8_lossy(frames);
    assert!(said.contains(r#"{"type":"pong"}"#), "{said}");
    assert!(frames.ends_with(b"\x88\x02\x03\xe8"), "the goodbye is said back: {frames:?}");
}
