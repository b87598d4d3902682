//! What happens to a sample user, in order, for ever.

use std::time::Duration;

use serde_json::json;

use super::Sender;
use super::recordings::Recording;

/// Incoming and own messages, in the order they come.
const MESSAGES: [Recording; 11] = [
    Recording::Text,
    Recording::Emoji,
    Recording::Image,
    Recording::Quoted,
    Recording::Group,
    Recording::Audio,
    Recording::FromMe,
    Recording::Location,
    Recording::Poll,
    Recording::Document,
    Recording::Reaction,
];

pub(super) async fn play(user: &Sender, start: usize) {
    // The first user connects at once, the others show their codes for a while.
    let patience = [4, 25, 55].get(start).copied().unwrap_or(10);
    let mut round = start;
    create(user).await;
    scan(user, if round == start { patience } else { 20 }).await;
    loop {
        messages(user, round).await;
        if round % 3 == 2 {
            remove_device(user).await;
            scan(user, 30).await;
        } else {
            drop_for_a_moment(user, 2 + round % 5).await;
        }
        round += 1;
    }
}

async fn create(user: &Sender) {
    user.post(Recording::InstanceCreate, |data| data["instanceName"] = json!(user.instance)).await;
}

/// Codes until somebody scans, which takes `patience_s`, then the connection opens.
async fn scan(user: &Sender, patience_s: u64) {
    state(user, Recording::Connecting).await;
    let mut left = patience_s;
    for code in [Recording::Qr1, Recording::Qr2].into_iter().cycle() {
        // Codes must differ each time, or a later round would only repeat them.
        let text = format!("2@{}", Sender::fresh_id());
        user.post(code, |data| {
            data["qrcode"]["instance"] = json!(user.instance);
            data["qrcode"]["code"] = json!(text);
        })
        .await;
        pause(left.min(44)).await;
        if left <= 44 {
            break;
        }
        left -= 44;
        pause(1).await;
    }
    state(user, Recording::Connecting).await;
    pause(3).await;
    open(user).await;
}

async fn open(user: &Sender) {
    user.post(Recording::Open, |data| {
        data["instance"] = json!(user.instance);
        data["wuid"] = json!(format!("{}@s.whatsapp.net", user.phone));
        data["profileName"] = json!(user.user);
    })
    .await;
}

async fn state(user: &Sender, recording: Recording) {
    user.post(recording, |data| data["instance"] = json!(user.instance)).await;
}

async fn messages(user: &Sender, round: usize) {
    for (n, recording) in MESSAGES.into_iter().cycle().skip(round * 5).take(14).enumerate() {
        user.post(Recording::Composing, |_| {}).await;
        pause(1 + (n as u64 + round as u64) % 3).await;
        let id = Sender::fresh_id();
        let now = user.clock.now().as_secs();
        user.post(recording, |data| {
            data["key"]["id"] = json!(id);
            data["messageTimestamp"] = json!(now);
        })
        .await;
        if n % 4 == 1 {
            pause(2).await;
            answer(user).await;
        }
        if n % 7 == 6 && recording == Recording::Text {
            pause(2).await;
            user.post(Recording::Edit, |data| {
                data["key"]["id"] = json!(id);
                data["timestampMs"] = json!(user.clock.now().0.to_string());
            })
            .await;
        }
        pause(2).await;
    }
}

/// A message sent through the API, delivered and read.
async fn answer(user: &Sender) {
    let id = Sender::fresh_id();
    let now = user.clock.now().as_secs();
    user.post(Recording::Sent, |data| {
        data["key"]["id"] = json!(id);
        data["messageTimestamp"] = json!(now);
    })
    .await;
    for receipt in [Recording::Delivered, Recording::Read] {
        pause(1).await;
        user.post(receipt, |data| data["keyId"] = json!(id)).await;
    }
}

/// The network goes and comes: a storm of `connecting`, then `open`; Evolution says nothing else (CONTRACT §5.10).
async fn drop_for_a_moment(user: &Sender, seconds: usize) {
    for _ in 0..seconds * 4 {
        state(user, Recording::Connecting).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    open(user).await;
}

async fn remove_device(user: &Sender) {
    state(user, Recording::Close401).await;
    pause(12).await;
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
