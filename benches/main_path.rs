//! The steps between a webhook and its user's sockets, each alone: `cargo bench`. What the whole path costs, beside what
//! else could do it, is measured from outside (`bench`, `docs/PERFORMANCE.md`).

#![allow(clippy::unwrap_used, reason = "as in a test: what fails here is the bench")]

use std::hint::black_box;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use futures_util::future::join_all;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;
use zapgate::adapters::bus::{Bus, Committed};
use zapgate::adapters::clock::Clock;
use zapgate::adapters::store::Store;
use zapgate::adapters::store::batch::NewInstance;
use zapgate::adapters::tasks::Tasks;
use zapgate::domain::channel::Channel;
use zapgate::domain::entry::Entry;
use zapgate::domain::frame;
use zapgate::domain::ids::{InstanceName, UserId};
use zapgate::domain::lifecycle::{self, Input, State};
use zapgate::domain::time::Millis;
use zapgate::domain::webhook::{self, Webhook};
use zapgate::services::hub::{Hub, HubConfig, Subscription};
use zapgate::services::ingest::disk::DiskGauge;
use zapgate::services::ingest::proof::{Presented, ProofConfig, Proofs, WebhookAuth};
use zapgate::services::ingest::{Announcement, Ingest, IngestConfig};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const NOW: Millis = Millis(1_795_211_606_000);
const TEXT: &str = include_str!("../tests/data/evolution/webhooks/messages.upsert/text-conversation.json");
const QR: &str = include_str!("../tests/data/evolution/webhooks/qrcode.updated/by-events-jwt.json");

fn main() {
    divan::main();
}

fn user() -> UserId {
    UserId::named_by_admin("bench").unwrap()
}

fn instance() -> InstanceName {
    InstanceName::of_user(&user())
}

/// A recorded body, of this instance and with this id if it is a message.
fn body(recording: &str, id: usize) -> Bytes {
    let mut recording: Value = serde_json::from_str(recording).unwrap();
    let body = &mut recording["request"]["body"];
    body["instance"] = instance().as_str().into();
    if body["data"]["key"].is_object() {
        body["data"]["key"]["id"] = format!("3EB0{id:016X}").into();
    }
    body.to_string().into()
}

fn parsed(recording: &str, id: usize) -> Webhook {
    webhook::parse(&body(recording, id), None, Some(NOW)).unwrap()
}

/// Its dedupe key included.
#[divan::bench(args = ["text", "qr"])]
fn parse(bencher: Bencher, kind: &str) {
    let recording = if kind == "qr" { QR } else { TEXT };
    let (body, instance) = (body(recording, 1), instance());
    bencher.bench(|| webhook::parse(black_box(&body), Some(&instance), Some(NOW)));
}

#[divan::bench]
fn proof(bencher: Bencher) {
    let config =
        ProofConfig { webhook_secret: vec![], webhook_auth: WebhookAuth::Required, webhook_proof_max_age_s: 3600 };
    let proofs = Proofs::new(&config, vec![SecretString::from("a secret of some length")]);
    let key = proofs.key_for(&instance()).unwrap();
    let claims = json!({"iat": NOW.as_secs(), "exp": NOW.as_secs() + 600, "app": "evolution", "action": "webhook"});
    let key = EncodingKey::from_secret(key.expose_secret().as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    let instance = instance();
    bencher.bench(|| proofs.check(Presented::Jwt(black_box(&token)), Some(&instance), NOW).unwrap());
}

#[divan::bench]
fn step(bencher: Bencher) {
    let (state, _) = lifecycle::step(&State::default(), &Input::Created, NOW, NOW);
    bencher.bench(|| lifecycle::step(black_box(&state), &Input::Connecting, NOW, NOW));
}

fn committed(seq: i64) -> Committed {
    let webhook = parsed(TEXT, 1);
    let entry = Entry {
        id: seq,
        user: user(),
        seq,
        org: None,
        admin_seq: None,
        instance: webhook.instance,
        event: webhook.event,
        at: NOW,
        emitted_at: NOW,
        late: false,
        folded: 0,
        outcome: None,
        body: webhook.body,
    };
    Committed { entry, qr: None }
}

#[divan::bench]
fn encode(bencher: Bencher) {
    let entry = committed(1).entry;
    bencher.bench(|| frame::encode(black_box(&entry), 1, &frame::body(&entry, None, NOW)));
}

/// One event to so many listeners of a user, its frame made once.
#[divan::bench(args = [0, 1, 1000])]
fn publish(bencher: Bencher, listeners: usize) {
    let hub = Hub::new(HubConfig::default());
    let live: Vec<_> = (0..listeners).map(|_| hub.subscribe(Channel::User(user()))).collect();
    assert!(live.iter().all(|subscription| subscription.go_live(0)));
    let committed = committed(1);
    let reader = Runtime::new().unwrap();
    bencher.bench_local(|| {
        hub.publish(black_box(&committed), NOW);
        reader.block_on(join_all(live.iter().map(Subscription::next)))
    });
}

/// So many webhooks from the queue to the disk, in as many commits as it takes.
#[divan::bench(args = [1, 16, 256], sample_count = 50, sample_size = 1)]
fn commit(bencher: Bencher, webhooks: usize) {
    let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let (tasks, mut number) = (Tasks::default(), 0);
    let ingest = runtime.block_on(ingest(&folder.path().join("bench.db"), &tasks));
    bencher
        .counter(ItemsCount::new(webhooks))
        .with_inputs(|| {
            number += webhooks;
            (number..number + webhooks).map(|id| parsed(TEXT, id)).collect::<Vec<_>>()
        })
        .bench_local_values(|webhooks| {
            let all = join_all(webhooks.into_iter().map(|webhook| ingest.accept(webhook, NOW)));
            assert!(runtime.block_on(all).into_iter().all(|verdict| verdict.is_ok()));
        });
    tasks.cancel();
}

/// The way into a new database with one user's instance.
async fn ingest(database: &std::path::Path, tasks: &Tasks) -> Ingest {
    let config = IngestConfig {
        ingest_queue: 4096,
        ingest_queue_bytes: 128 << 20,
        webhook_max_bytes: 32 << 20,
        disk_floor_percent: 0,
        org_sees_messages: true,
    };
    let store = Store::open(database).await.unwrap();
    let disk = DiskGauge::open(store.clone(), 0).await;
    let ingest = Ingest::start(&config, store, Bus::default(), Clock::system(), disk, tasks).await.unwrap();
    let new = NewInstance { id: Uuid::nil(), name: instance(), user: user(), org: None, state: State::default() };
    ingest.announce(Announcement::Make(Box::new(new))).await.unwrap();
    ingest
}
