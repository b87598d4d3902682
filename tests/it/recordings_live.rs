//! Each recorded webhook on its way through the whole server: posted as it was, kept, and pushed to its user.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::recorded::{self, Post};

#[actix_web::test]
async fn every_recorded_webhook_is_kept_less_its_secrets_and_reaches_its_user_once() {
    for name in recorded::all("webhooks") {
        let mut app = TestApp::start().await;
        let post = recorded::post(&name).emitted_at(app.clock.now());
        let user = app.owner_of(&post.instance).await;
        let mut socket = app.listen(&user).await;

        let answer = app.evolution_repeats(&user, &post).await;
        let again = app.evolution_repeats(&user, &post).await;
        let frames = socket.up_to(app.head_of(&user).await).await;

        assert_eq!((answer.status, answer.verdict()), (200, "stored"), "{name}: {}", answer.json);
        assert_eq!((again.verdict(), again.seq()), ("duplicate", answer.seq()), "{name}");
        assert_dense(&frames, socket.hello_seq());
        assert_eq!(frames[0]["seq"], answer.seq(), "{name}");
        assert_kept_less_secrets(&post, &row(&app, answer.seq()).await);
        insta::assert_json_snapshot!(name.replace('/', "__"), presentable(json!(frames)));
        socket.close().await;
        app.stop().await;
    }
}

fn assert_dense(frames: &[Value], after: i64) {
    for (frame, seq) in frames.iter().zip(after + 1..) {
        assert_eq!(frame["seq"], seq, "{frame}");
    }
}

/// The one webhook in the log, which has to be numbered `seq`.
async fn row(app: &TestApp, seq: i64) -> String {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, body FROM events WHERE event NOT LIKE 'zapgate.%'")
        .fetch_all(&app.database().await)
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [seq]);
    String::from_utf8(rows[0].1.clone()).unwrap()
}

/// Nothing but the secrets is missing, and no byte of the rest was changed.
fn assert_kept_less_secrets(post: &Post, kept: &str) {
    let mut bytes = post.body.bytes();
    assert!(kept.bytes().all(|own| bytes.any(|byte| byte == own)), "more than cut: {kept}");

    let mut expected = post.json();
    expected.as_object_mut().unwrap().remove("apikey");
    let (event, kind) = (expected["event"].clone(), expected["data"]["type"].clone());
    if event == "qrcode.updated" {
        let parts = expected["data"]["qrcode"].as_object_mut().unwrap();
        parts.retain(|name, _| !["base64", "code", "pairingCode"].contains(&name.as_str()));
    } else if event == "messages.edited" && kind != "MESSAGE_EDIT" && kind != "REVOKE" {
        expected["data"] = json!({"type": kind});
    }
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), expected);
}

/// Without what differs from run to run, and without the bulk of pictures.
fn presentable(mut frames: Value) -> Value {
    const TIMES: [&str; 2] = ["at", "expiresAt"];
    const LONG: usize = 160;
    match &mut frames {
        Value::String(text) if text.len() > LONG => {
            let head: String = text.chars().take(40).collect();
            Value::String(format!("{head}… ({} bytes)", text.len()))
        }
        Value::Array(list) => list.iter_mut().map(|value| presentable(value.take())).collect(),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let is_time = TIMES.contains(&name.as_str()) && value.is_string();
                *value = if is_time { json!("[time]") } else { presentable(value.take()) };
            }
            frames
        }
        _ => frames,
    }
}
