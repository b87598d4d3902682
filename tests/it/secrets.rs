//! No secret of any recording stays: not in the files of the database, not in frames, not in the log, not in what is
//! kept aside. A code to scan is in its instance's row while it can be scanned, and nowhere once it expired.

mod program;

use std::collections::BTreeSet;
use std::time::Duration;

use memchr::memmem;
use serde_json::{Value, json};
use zapgate::adapters::store::Store;
use zapgate::services::ingest::retention::{self, RetentionConfig};

use self::program::Program;
use crate::app::{ADMIN, JWT_SECRET, TestApp, WEBHOOK_SECRET};
use crate::recorded::{self, Post};

/// Every recorded request, as if the last of each recording came now.
fn all_posts(app: &TestApp) -> Vec<Post> {
    let mut posts = Vec::new();
    for name in recorded::all("webhooks") {
        posts.push(recorded::post(&name).emitted_at(app.clock.now()));
    }
    for name in recorded::all("flows") {
        posts.extend(recorded::ending_at(recorded::flow(&name), app.clock.now()));
    }
    for name in recorded::all("delivery") {
        let tries: Vec<Post> = recorded::tries(&name).into_iter().map(|attempt| attempt.post).collect();
        if !tries.is_empty() {
            posts.extend(recorded::ending_at(tries, app.clock.now()));
        }
    }
    posts
}

/// Gives every recorded instance its owner; the owners.
async fn owners_of(app: &TestApp, posts: &[Post]) -> BTreeSet<String> {
    let instances: BTreeSet<&str> = posts.iter().map(|post| post.instance.as_str()).collect();
    let mut owners = BTreeSet::new();
    for instance in instances {
        owners.insert(app.owner_of(instance).await);
    }
    owners
}

fn owner(post: &Post) -> &str {
    post.instance.strip_prefix("user_").unwrap_or(&post.instance)
}

/// Posts each to its owner, then, as if nobody owned it, to the quarantine, then cut short, to the dead letters.
async fn post_all(app: &TestApp, posts: &[Post]) {
    for post in posts {
        let stored = app.evolution_repeats(owner(post), post).await;
        let unowned = Post { is_signed: false, is_global: true, ..post.clone().of("nobodys") };
        let aside = app.evolution_repeats("", &unowned).await;
        let cut = Post { body: post.body[..post.body.len() - 2].to_owned(), is_signed: false, ..post.clone() };
        let letter = app.evolution_repeats(owner(post), &cut).await;

        assert_eq!((stored.status, aside.verdict(), letter.status), (200, "quarantined", 400), "{}", stored.json);
    }
}

/// Evolution's tokens and the keys of protocol messages.
fn tokens_and_keys(posts: &[Post]) -> BTreeSet<String> {
    const KEYS: [&str; 5] = ["keyData", "mediaKey", "directPath", "fileSha256", "fileEncSha256"];
    let mut found = BTreeSet::new();
    for json in posts.iter().map(Post::json) {
        strings(&json["apikey"], &mut found);
        let kind = json["data"]["type"].as_str().unwrap_or_default();
        if json["event"] == "messages.edited" && !["MESSAGE_EDIT", "REVOKE"].contains(&kind) {
            for name in KEYS {
                members(&json["data"], name, &mut found);
            }
        }
    }
    assert!(found.len() > 50, "only {} tokens and keys were found", found.len());
    found
}

/// Pieces of every code to scan: long enough to be nothing else, short enough to fit on one page of a file.
fn codes(posts: &[Post]) -> BTreeSet<String> {
    let mut whole = BTreeSet::new();
    for json in posts.iter().map(Post::json).filter(|json| json["event"] == "qrcode.updated") {
        members(&json["data"], "base64", &mut whole);
        members(&json["data"], "code", &mut whole);
    }
    assert!(whole.len() > 10, "only {} codes were found", whole.len());
    let pieces = |text: &String| [2, 4, 6].map(|eighths| text[text.len() * eighths / 8..][..48].to_owned());
    whole.iter().flat_map(pieces).collect()
}

fn members(value: &Value, wanted: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| members(value, wanted, into)),
        Value::Object(map) => {
            for (name, value) in map {
                if name == wanted { strings(value, into) } else { members(value, wanted, into) }
            }
        }
        _ => {}
    }
}

fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Object(map) => map.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

fn found<'a>(needles: &'a BTreeSet<String>, haystack: &[u8]) -> Vec<&'a String> {
    needles.iter().filter(|needle| memmem::find(haystack, needle.as_bytes()).is_some()).collect()
}

/// All files of the database, one after another.
fn files(app: &TestApp) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(app.folder()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    bytes
}

/// Every value of every column of every table.
async fn contents(app: &TestApp) -> Vec<u8> {
    let database = app.database().await;
    let mut bytes = Vec::new();
    let tables = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    for (table, column) in sqlx::query_as::<_, (String, String)>(tables).fetch_all(&database).await.unwrap() {
        let values = format!("SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
        let values: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(values)).fetch_all(&database).await.unwrap();
        bytes.extend(values.concat());
    }
    database.close().await;
    bytes
}

/// What a user who was away is sent.
async fn replayed(app: &TestApp, user: &str) -> String {
    let away = app.listen(user).await;
    let head = away.hello_seq();
    let mut back = app.listen_since(user, 0, away.epoch()).await;
    let mut text = back.hello.to_string();
    back.up_to(head).await.iter().for_each(|frame| text.push_str(&frame.to_string()));
    away.close().await;
    back.close().await;
    text
}

#[actix_web::test]
async fn tokens_keys_and_expired_codes_are_nowhere_in_the_database_and_its_frames() {
    let mut app = TestApp::start().await;
    let posts = all_posts(&app);
    let users = owners_of(&app, &posts).await;
    let (secrets, codes) = (tokens_and_keys(&posts), codes(&posts));

    post_all(&app, &posts).await;
    let valid = contents(&app).await;
    app.clock.advance(Duration::from_mins(2));
    sweep(&app).await;

    assert!(!found(&codes, &valid).is_empty(), "a code is in its instance's row while it can be scanned");
    assert!(!found(&[String::from("Oi, vocês abrem no sábado?")].into(), &files(&app)).is_empty());
    for (place, bytes) in [("tables", contents(&app).await), ("files", files(&app))] {
        assert_eq!(found(&secrets, &bytes), Vec::<&String>::new(), "in the {place}");
        assert_eq!(found(&codes, &bytes), Vec::<&String>::new(), "in the {place}");
    }
    for user in &users {
        let frames = replayed(&app, user).await;
        assert_eq!(found(&secrets, frames.as_bytes()), Vec::<&String>::new(), "to {user}");
        assert_eq!(found(&codes, frames.as_bytes()), Vec::<&String>::new(), "to {user}");
    }
    app.stop().await;
    assert_eq!(found(&codes, &files(&app)), Vec::<&String>::new(), "in the files of a stopped server");
}

#[actix_web::test]
async fn a_code_without_a_picture_is_gone_as_well_once_it_expired() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let code = json!({"code": "2@only-a-text", "pairingCode": "WZYEH1YY", "base64": null});
    let body = json!({"event": "qrcode.updated", "data": {"qrcode": code}, "date_time": app.clock.now().to_string()});
    let codes = ["2@only-a-text", "WZYEH1YY"].map(String::from).into();

    app.evolution_posts("ana", body).await;
    sweep(&app).await;
    let valid = contents(&app).await;
    app.clock.advance(Duration::from_secs(46));
    sweep(&app).await;

    assert_eq!(found(&codes, &valid).len(), 2);
    assert_eq!(found(&codes, &contents(&app).await), Vec::<&String>::new());
    assert_eq!(found(&codes, &files(&app)), Vec::<&String>::new());
}

#[actix_web::test]
async fn a_code_in_a_body_that_was_cut_short_is_not_kept_with_the_dead_letter() {
    let app = TestApp::start().await;
    app.user("ana").await;
    let picture = format!("data:image/png;base64,{}", "QRQR".repeat(40));
    let codes = [picture[..48].to_owned()].into();
    let holders = [
        json!({"qrcode": picture}),
        json!({"qrcode": {"base64": picture}}),
        json!({"base64": picture}),
        json!(picture),
        json!([picture]),
    ];
    for data in holders {
        let body = json!({"event": "qrcode.updated", "instance": "user_ana", "data": data}).to_string();

        for cut in [body.len() - 1, body.find("QRQR").unwrap() + 100] {
            let letter = app.evolution_posts_bytes("ana", body.as_bytes()[..cut].to_vec()).await;
            assert_eq!(letter.status, 400, "{}", letter.json);
        }
    }

    let letters = app.as_admin("GET", "/api/dead-letters", Value::Null).await.json;
    assert_eq!(letters["items"].as_array().unwrap().len(), 10);
    assert_eq!(found(&codes, letters.to_string().as_bytes()), Vec::<&String>::new());
    assert_eq!(found(&codes, &files(&app)), Vec::<&String>::new());
}

/// What the server itself does once a minute.
async fn sweep(app: &TestApp) {
    let store = Store::open(&app.folder().join("zapgate.db")).await.unwrap();
    let config = RetentionConfig { event_retention_days: 30, event_retention_bytes: 0 };
    retention::sweep(&store, &app.clock, &config).await.unwrap();
    store.close().await;
}

#[actix_web::test]
async fn the_log_of_the_program_tells_no_secret_no_text_and_no_number_even_when_it_tells_all() {
    let program = Program::start("trace");
    let app = TestApp::at(&program.url);
    let posts = all_posts(&app);
    let users = owners_of(&app, &posts).await;

    post_all(&app, &posts).await;
    for user in &users {
        replayed(&app, user).await;
    }
    let log = program.stop();

    assert!(log.contains("went to the dead letters") && log.contains("\"level\":\"TRACE\""), "it tells little");
    let mut needles = tokens_and_keys(&posts);
    needles.extend(codes(&posts));
    needles.extend(["Oi, vocês abrem no sábado?", "5511999990001", "5511900000001"].map(String::from));
    needles.extend([ADMIN, JWT_SECRET, WEBHOOK_SECRET].map(String::from));
    // What every token begins with, proofs among them.
    needles.extend(app.token("ana", None).split('.').next().map(String::from));
    assert_eq!(found(&needles, log.as_bytes()), Vec::<&String>::new());
}
