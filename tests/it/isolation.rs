//! Tenants are walls: everybody posts at once, and each channel carries its own and nothing else, densely.

use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::TestApp;
use crate::judge::{self, Answer, Channel, Sent, Trace};
use crate::listeners::{Book, By, Ear, connecting, open, posts_emitted, presence, qr, text};

/// Users and their organisations.
const TENANTS: [(&str, Option<&str>); 5] =
    [("ana", Some("acme")), ("bob", Some("acme")), ("cida", Some("zeta")), ("davi", Some("zeta")), ("eva", None)];

/// What one user's instance sends, in order: a pairing, then texts with presence between.
fn story(user: &str) -> Vec<(String, Value, Trace)> {
    let pairing = [connecting(), qr(&format!("{user}first")), qr(&format!("{user}second")), open()];
    let life = (0..40).map(|nth| match nth % 8 {
        7 => (format!("{user}-presence-{nth}"), presence(nth), Trace::Unnamed),
        _ => (format!("{user}-{nth}"), text(&format!("{user}-{nth}")), Trace::Named),
    });
    let pairing = pairing.into_iter().enumerate();
    pairing.map(|(nth, body)| (format!("{user}-pairing-{nth}"), body, Trace::Unnamed)).chain(life).collect()
}

/// Posts a user's story; what was sent and what was answered, for the judge.
async fn tell(app: Arc<TestApp>, user: &'static str, began: Instant) -> Vec<(Sent, Answer, std::time::Duration)> {
    let mut told = Vec::new();
    for (event, body, trace) in story(user) {
        let sent = Sent { event, user: user.into(), trace, at: began.elapsed() };
        let answer = posts_emitted(&app, user, body, app.clock.now()).await;
        assert_eq!(answer.verdict(), "stored", "{}", answer.json);
        told.push((sent, Answer::Stored(answer.seq()), began.elapsed()));
    }
    told
}

/// Everybody's sockets, after everybody told their story at once.
async fn everybody_at_once() -> (Book, Vec<Ear>) {
    let app = Arc::new(TestApp::start().await);
    let mut book = Book::default();
    for (user, org) in TENANTS {
        book.user(&app, user, org).await;
    }
    let users = TENANTS.iter().map(|(user, _)| Channel::User((*user).into()));
    let orgs = ["acme", "zeta"].map(|org| Channel::Org(org.into()));
    let channels: Vec<Channel> = users.chain(orgs).chain([Channel::Admin]).collect();
    let began = book.began;
    let mut ears = join_all(channels.iter().map(|channel| Ear::open(&app, channel, None, By::Socket, began))).await;

    let stories = TENANTS.map(|(user, _)| actix_web::rt::spawn(tell(app.clone(), user, began)));
    for (sent, answer, at) in try_join_all(stories).await.unwrap().into_iter().flatten() {
        let event = sent.event.clone();
        book.history.sent(sent);
        book.history.answered(&event, answer, at);
    }
    for ear in &mut ears {
        let head = Ear::open(&app, &ear.record.channel, None, By::Socket, began).await.hello_seq();
        ear.up_to(head).await;
        book.heard(ear);
    }
    (book, ears)
}

fn kinds(ear: &Ear) -> Vec<String> {
    let kinds = ear.texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["type"].clone());
    kinds.map(|kind| kind.as_str().unwrap().to_owned()).collect()
}

fn count(ear: &Ear, kind: &str) -> usize {
    kinds(ear).iter().filter(|one| *one == kind).count()
}

#[actix_web::test]
async fn each_channel_carries_its_own_and_nothing_else_while_everybody_posts() {
    let (book, ears) = everybody_at_once().await;

    judge::assert_kept(&book.history);
    for ear in &ears {
        let (messages, presences, codes) = (count(ear, "message"), count(ear, "presence"), count(ear, "qrcode"));
        match &ear.record.channel {
            Channel::User(_) => assert_eq!((messages, presences, codes), (35, 5, 2)),
            Channel::Org(_) => assert_eq!((messages, presences, codes), (70, 0, 0)),
            Channel::Admin => {
                assert!(kinds(ear).iter().all(|kind| matches!(kind.as_str(), "status" | "notification")));
                assert_eq!(count(ear, "notification"), TENANTS.len(), "one `connected` each");
            }
        }
    }
}

#[actix_web::test]
async fn no_code_of_a_pairing_leaves_its_users_channel() {
    let (_, ears) = everybody_at_once().await;

    for ear in &ears {
        let shown = |user: &str| {
            let forms = ["image", "code", "pair"].map(|form| format!("{user}first{form}"));
            ear.texts.iter().filter(|text| forms.iter().any(|form| text.contains(form.as_str()))).count()
        };
        for (user, _) in TENANTS {
            let own = ear.record.channel == Channel::User(user.into());
            assert_eq!(shown(user), usize::from(own), "{user} on {}", ear.record.channel);
        }
    }
}

#[actix_web::test]
async fn a_hello_shows_its_own_tenants_only_and_an_organisation_no_code() {
    let app = TestApp::start().await;
    let mut book = Book::default();
    for (user, org) in TENANTS {
        book.user(&app, user, org).await;
    }
    book.other(&app, "ana", qr("secret")).await;

    let ana = app.listen("ana").await;
    let acme = app.listen_org("bob", "acme").await;
    let admin = app.listen_admin().await;

    assert_eq!(ana.hello["data"]["instance"]["qrCode"], "data:image/png;base64,secretimage");
    let names: Vec<&Value> =
        acme.hello["data"]["instances"].as_array().unwrap().iter().map(|instance| &instance["userId"]).collect();
    assert_eq!(names, ["ana", "bob"]);
    assert!(!acme.hello.to_string().contains("secret"));
    assert_eq!(admin.hello["data"], json!({"totals": {"disconnected": 4, "waiting_qr": 1}}));
}
