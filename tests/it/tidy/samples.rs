//! Each rule against a small sample that breaks it, and one that looks alike and does not.

use super::{MAX_LINES, Source, check};

/// What the rules say of one file.
fn findings(path: &str, text: &str) -> Vec<String> {
    check(&[Source::new(path, text)]).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn bad(path: &str, text: &str, says: &str) {
    let found = findings(path, text);
    assert!(found.iter().any(|finding| finding.contains(says)), "{path}: {text}\nfound {found:?}");
}

#[track_caller]
fn good(path: &str, text: &str) {
    let found = findings(path, text);
    assert!(found.is_empty(), "{path}: {text}\nfound {found:?}");
}

#[test]
fn an_upward_path_is_found_in_every_way_to_write_it() {
    for text in [
        "use crate::http::problem::Problem;",
        "use crate::{domain::ids::UserId, http::problem};",
        "use crate::{\n    domain::{ids, time},\n    services::{hub, ingest::Ingest},\n};",
        "fn f() -> crate::services::hub::Hub { todo() }",
        "use super::super::http::problem;",
        "use crate :: app;",
        "use crate::config::Settings;",
    ] {
        bad("src/adapters/bus.rs", text, "imports point down only");
    }
    bad("src/services/hub.rs", "mod x {\n use crate::http;\n}", "src/services/hub.rs:2:");
    bad("src/http/webhook.rs", "use crate::app::App;", "`http` is below `app::App`");
}

#[test]
fn downward_paths_prose_and_literals_are_fine() {
    good("src/http/webhook.rs", "use crate::{domain::ids, services::ingest::Ingest, adapters::clock};");
    good("src/app.rs", "use crate::{config::Settings, http, simulator};");
    good("src/cli/demo.rs", "use crate::{app::App, simulator};");
    good("src/domain/frame.rs", "use super::entry::Entry;\nmod tests { use super::*; }");
    good("src/domain/frame.rs", "//! As crate::http shows it.\n/* crate::app */ const A: &str = \"crate::http\";");
    good(
        "src/domain/frame.rs",
        "const A: &str = r#\"a \" crate::http\"#; const B: char = '\"'; fn f<'a>(_: &'a str) {}",
    );
    good("src/adapters/store.rs", "pub(in crate::adapters) struct Pool;");
}

#[test]
fn actix_is_named_on_the_surface_only() {
    bad("src/services/hub.rs", "use actix_web::web;", "actix lives in");
    bad("src/adapters/bus.rs", "fn f(_: actix_ws::Session) {}", "actix lives in");
    for path in
        ["src/http.rs", "src/http/api/tokens.rs", "src/app.rs", "src/simulator/server.rs", "src/adapters/tasks.rs"]
    {
        good(path, "use actix_web::web;");
    }
}

#[test]
fn the_domain_is_pure() {
    for word in ["tokio::sync::Mutex", "sqlx::Pool", "reqwest::Client", "std::fs::read", "std::time::Instant"] {
        bad("src/domain/event.rs", &format!("use {word};"), "the domain is pure");
    }
    bad("src/domain/event.rs", "pub async fn f() {}", "the domain is pure");
    good("src/domain/event.rs", "// tokio would be wrong here\nuse std::time::Duration;\nlet tokio_like = 1;");
}

#[test]
fn the_domains_own_tests_may_read_recordings() {
    let inline = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn f() { if x { std::fs::read(p) } }\n}\n";
    good("src/domain/event.rs", inline);
    good("src/domain/lifecycle/tests/recorded.rs", "use std::fs;");
    good("src/domain/event.rs", "#[cfg(test)]\nmod tests;");
    bad("src/domain/event.rs", &format!("{inline}use std::fs;"), "src/domain/event.rs:6:");
    bad("src/domain/event.rs", "#[cfg(test)]\nfn f() { std::fs::read(p) }", "the domain is pure");
    bad("src/domain/event.rs", "#[cfg(test)]\nmod tests { use crate::http; }", "imports point down only");
}

#[test]
fn chance_comes_from_the_clock() {
    bad("src/services/vault.rs", "let n: u8 = rand::random();", "chance comes from");
    good("src/adapters/clock.rs", "let n: u8 = rand::random();");
}

#[test]
fn services_may_know_each_other_but_not_in_a_circle() {
    let ingest = Source::new("src/services/ingest.rs", "use crate::services::instances::Instances;");
    let instances = Source::new("src/services/instances/row.rs", "use crate::services::{alerts::Alerts, vault};");
    assert!(check(&[ingest, instances]).is_empty());

    let circle = check(&[
        Source::new("src/services/ingest.rs", "use crate::services::instances::Instances;"),
        Source::new("src/services/instances/row.rs", "use super::super::alerts::Alerts;"),
        Source::new("src/services/alerts.rs", "use crate::services::ingest;"),
    ]);

    assert_eq!(circle.len(), 1);
    assert!(circle[0].what.contains("alerts → ingest → instances → alerts"), "{}", circle[0]);
}

#[test]
fn the_hub_knows_no_sibling() {
    bad("src/services/hub/send_queue.rs", "use crate::services::ingest::Ingest;", "the hub knows no sibling");
    good("src/services/hub/send_queue.rs", "use crate::services::hub::Subscription;\nuse super::Hub;");
}

#[test]
fn a_file_is_readable_in_one_sitting_and_named_after_what_it_owns() {
    bad("src/domain/event.rs", &"//\n".repeat(MAX_LINES + 1), "split it by noun");
    bad("src/http/mod.rs", "", "not `foo/mod.rs`");
    bad("src/services/helpers.rs", "", "says nothing");
    good("src/domain/event.rs", &"//\n".repeat(MAX_LINES));
}

#[test]
fn secrets_are_not_written_into_the_source() {
    let part = "a1B2c3D4e5F6g7H8";
    bad("src/app.rs", &format!("const K: &str = \"-----BEGIN {} KEY-----\";", "PRIVATE"), "a private key");
    bad("src/app.rs", &format!("const K: &str = \"eyJ{part}.{part}.{part}\";"), "a signed token");
    bad("src/app.rs", &format!("const K: &str = \"{}{}\";", "AKIA", "ABCDEFGHIJKLMNOP"), "a cloud access key");
    bad("src/app.rs", &format!("const K: &str = \"sk-{part}{part}\";"), "an API key");
    good("src/app.rs", "const K: &str = \"eyJ is how a token begins\"; // risk-free, task-list");
}

#[test]
fn nothing_is_put_off() {
    bad("src/app.rs", &format!("// {}: later", "TO\u{44}O"), "finish it");
}
