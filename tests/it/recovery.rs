//! A client that comes back, from anywhere, while things go on: the seam between the log and what is live.

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use crate::app::TestApp;
use crate::judge::{self, Channel, Listener, Since};
use crate::listeners::{Book, By, Ear, connecting, open, presence, qr};

/// Frames of the history at least.
const EVENTS: i64 = 500;
/// Clients that come back at once.
const TOGETHER: usize = 16;

/// A server with a history, all of which was heard live.
struct Scene {
    app: TestApp,
    book: Book,
    epoch: String,
    channel: Channel,
    /// Each frame of the channel as it came live; `live[0]` has number 1.
    live: Vec<String>,
    /// Hears what is posted from now on.
    ear: Ear,
}

impl Scene {
    async fn start(channel: Channel, events: i64) -> Self {
        let app = TestApp::start_with(|settings| settings.hub.max_sockets_per_user = 1000).await;
        let mut book = Book::default();
        book.history.tenant("ana", Some("acme"));
        book.history.tenant("bob", Some("acme"));
        let mut ear = Ear::open(&app, &channel, None, By::Socket, book.began).await;
        let epoch = ear.hello["epoch"].as_str().unwrap().to_owned();
        for user in ["ana", "bob"] {
            book.user(&app, user, Some("acme")).await;
        }
        book.other(&app, "ana", connecting()).await;
        book.other(&app, "ana", qr("first")).await;
        book.other(&app, "ana", qr("second")).await;
        book.other(&app, "ana", open()).await;
        for nth in 0..events {
            match (&channel, nth % 10) {
                (Channel::User(_), 9) => book.other(&app, "ana", presence(nth)).await,
                (Channel::Org(_), 5..) => book.text(&app, "bob").await,
                _ => book.text(&app, "ana").await,
            };
        }
        let head = head(&app, &channel).await;
        ear.up_to(head).await;
        let live = ear.texts.clone();
        Self { app, book, epoch, channel, live, ear }
    }

    fn head(&self) -> i64 {
        i64::try_from(self.live.len()).unwrap()
    }

    fn since(&self, seq: i64) -> Since {
        Since { epoch: self.epoch.clone(), seq }
    }

    /// From every position, many at once, each while two more events come.
    async fn recover_everywhere(&mut self, by: By) {
        let positions: Vec<i64> = (0..=self.head()).collect();
        for group in positions.chunks(TOGETHER) {
            let target = self.head() + 2;
            let (app, channel, began) = (&self.app, &self.channel, self.book.began);
            let sinces: Vec<Since> = group.iter().map(|seq| self.since(*seq)).collect();
            let clients = join_all(sinces.into_iter().map(async |since| {
                let mut ear = Ear::open(app, channel, Some(since), by, began).await;
                ear.up_to(target).await;
                ear
            }));
            let book = &mut self.book;
            let (ears, ()) = join(clients, async {
                book.text(app, "ana").await;
                book.text(app, "ana").await;
            })
            .await;
            self.ear.up_to(target).await;
            self.live.clone_from(&self.ear.texts);
            for ear in ears {
                self.check(&ear);
            }
        }
        self.book.heard(&self.ear);
        judge::assert_kept(&self.book.history);
    }

    fn check(&mut self, ear: &Ear) {
        let since = ear.record.sessions[0].since.clone().unwrap();
        assert!(ear.recovered() && ear.hello_seq() == since.seq, "since {}: {}", since.seq, ear.hello);
        let missed = &self.live[usize::try_from(since.seq).unwrap()..];
        assert_eq!(ear.texts.len(), missed.len(), "since {}", since.seq);
        for (replayed, live) in ear.texts.iter().zip(missed) {
            if live.starts_with(r#"{"type":"qrcode""#) {
                continue;
            }
            assert_eq!(replayed, live, "since {}", since.seq);
        }
        self.book.heard(ear);
    }
}

/// A listener of its own reads the channel's head.
async fn head(app: &TestApp, channel: &Channel) -> i64 {
    Ear::open(app, channel, None, By::Socket, Book::default().began).await.hello_seq()
}

fn ana() -> Channel {
    Channel::User("ana".into())
}

#[actix_web::test]
async fn a_socket_comes_back_from_every_position_while_more_arrives() {
    Scene::start(ana(), EVENTS).await.recover_everywhere(By::Socket).await;
}

#[actix_web::test]
async fn an_event_stream_comes_back_by_its_last_event_id_from_every_position_while_more_arrives() {
    Scene::start(ana(), EVENTS).await.recover_everywhere(By::LastEventId).await;
}

#[actix_web::test]
async fn an_event_stream_comes_back_by_its_query_from_every_position_while_more_arrives() {
    Scene::start(ana(), 100).await.recover_everywhere(By::EventsQuery).await;
}

/// Events of a burst, and clients that come and go in it.
const BURST: i64 = 200;
const RESTLESS: usize = 12;

#[actix_web::test]
async fn clients_that_come_and_go_at_the_head_of_a_burst_miss_nothing() {
    let app = TestApp::start().await;
    let mut book = Book::default();
    book.user(&app, "ana", None).await;
    let began = book.began;
    let target = head(&app, &ana()).await + BURST;

    let listeners = join_all((0..RESTLESS).map(|nth| come_and_go(&app, By::ALL[nth % 3], target, began)));
    let (listeners, ()) = join(listeners, async {
        for _ in 0..BURST {
            book.text(&app, "ana").await;
        }
    })
    .await;

    for listener in listeners {
        assert!(listener.sessions.len() > 20, "it came and went");
        book.history.heard(listener);
    }
    judge::assert_kept(&book.history);
}

/// Reads two frames, leaves, and comes back for what it missed, until it has the one numbered `target`.
async fn come_and_go(app: &TestApp, by: By, target: i64, began: Instant) -> Listener {
    let mut record = Listener::new(ana());
    loop {
        let mut ear = Ear::open(app, &ana(), record.position(), by, began).await;
        ear.read_to((ear.last() + 2).min(target)).await;
        let last = ear.last();
        record.sessions.append(&mut ear.record.sessions);
        if last >= target {
            record.settled(began.elapsed());
            return record;
        }
    }
}

#[actix_web::test]
async fn an_organisations_channel_is_recovered_from_every_position_while_more_arrives() {
    Scene::start(Channel::Org("acme".into()), 200).await.recover_everywhere(By::Socket).await;
}

#[actix_web::test]
async fn a_history_is_recovered_across_a_restart_byte_by_byte() {
    let mut scene = Scene::start(ana(), 40).await;
    scene.ear = {
        scene.app.restart().await;
        let mut ear = Ear::open(&scene.app, &ana(), Some(scene.since(0)), By::Socket, scene.book.began).await;
        ear.up_to(scene.head()).await;
        scene.check(&ear);
        ear
    };

    scene.recover_everywhere(By::Socket).await;
}

#[actix_web::test]
async fn the_operators_channel_is_recovered_from_every_position() {
    let app = TestApp::start().await;
    let mut book = Book::default();
    let mut live = Ear::open(&app, &Channel::Admin, None, By::Socket, book.began).await;
    for user in 0..40 {
        book.user(&app, &format!("user{user}"), None).await;
    }
    let epoch = live.hello["epoch"].as_str().unwrap().to_owned();
    let head = head(&app, &Channel::Admin).await;
    assert!(head >= 40);
    live.up_to(head).await;

    for seq in 0..=head {
        let mut back =
            Ear::open(&app, &Channel::Admin, Some(Since { epoch: epoch.clone(), seq }), By::Socket, book.began).await;
        back.up_to(head).await;
        assert!(back.recovered() && back.hello_seq() == seq);
        assert_eq!(back.texts, live.texts[usize::try_from(seq).unwrap()..]);
        book.heard(&back);
    }
    book.heard(&live);
    judge::assert_kept(&book.history);
}

#[actix_web::test]
async fn what_cannot_be_recovered_begins_anew_with_the_snapshot() {
    let scene = Scene::start(ana(), 20).await;
    scene.forget(5).await;
    let head = scene.head();

    let elsewhere = Since { epoch: "another".into(), seq: head };
    let impossible = [scene.since(head + 1), scene.since(-1), scene.since(i64::MAX), scene.since(i64::MIN), elsewhere];
    // Five rows are gone: number 6 is the first that is kept, so 5 is the earliest position.
    let overtaken = (0..5).map(|seq| scene.since(seq));
    for since in overtaken.chain(impossible) {
        for by in By::ALL {
            let ear = Ear::open(&scene.app, &ana(), Some(since.clone()), by, scene.book.began).await;
            assert!(!ear.recovered() && ear.hello_seq() == head, "{since:?} by {by:?}: {}", ear.hello);
            assert_eq!(ear.hello["data"]["instance"]["status"], "connected");
        }
    }
    let earliest = Ear::open(&scene.app, &ana(), Some(scene.since(5)), By::Socket, scene.book.began).await;
    assert!(earliest.recovered());
}

#[actix_web::test]
async fn whoever_is_further_behind_than_allowed_begins_anew() {
    let app = TestApp::start_with(|settings| settings.hub.recovery_max_events = 5).await;
    let mut book = Book::default();
    book.user(&app, "ana", None).await;
    for _ in 0..10 {
        book.text(&app, "ana").await;
    }
    let head = head(&app, &ana()).await;
    let epoch = app.listen("ana").await.epoch().to_owned();

    for (behind, recovered) in [(6, false), (5, true)] {
        let since = Since { epoch: epoch.clone(), seq: head - behind };
        let ear = Ear::open(&app, &ana(), Some(since), By::Socket, book.began).await;
        assert_eq!(ear.recovered(), recovered, "{behind} behind: {}", ear.hello);
    }
}

impl Scene {
    /// Drops the oldest rows of the user's channel, as retention does.
    async fn forget(&self, up_to: i64) {
        let database = self.app.database().await;
        sqlx::query(
            "DELETE FROM events WHERE seq <= $1 AND user_channel = \
             (SELECT id FROM channels WHERE kind = 'user' AND name = 'ana')",
        )
        .bind(up_to)
        .execute(&database)
        .await
        .unwrap();
    }
}
