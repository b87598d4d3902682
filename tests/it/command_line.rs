//! The program from the shell: what it refuses, in which words, and with which exit code.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::app::{ADMIN, JWT_SECRET, TestApp, WEBHOOK_SECRET, answer};

struct Shell(TempDir);

/// What a command said and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Shell {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// Runs `zapgate` in an empty folder with these variables alone.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zapgate"));
        let command = command.env_clear().current_dir(self.0.path()).args(arguments).envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }
}

#[test]
fn a_wrong_value_stops_the_start_with_one_line_that_names_it() {
    let shell = Shell::new();
    let short = "short-secret-xyz";

    for (variables, names) in [
        (&[("ADMIN_TOKEN", short)][..], &["ADMIN_TOKEN"][..]),
        (&[("JWT_SECRET", short)], &["JWT_SECRET"]),
        (&[("JWT_SECRET", JWT_SECRET), ("JWKS_URL", "https://id.example.com/keys")], &["JWKS_URL"]),
        (&[("JWKS_URL", "ftp://id.example.com/keys")], &["JWKS_URL"]),
        (&[("JWT_ORG_CLAIM", "user_metadata.org")], &["JWT_ORG_CLAIM"]),
        (&[("DATABASE_URL", "mysql://x")], &["DATABASE_URL"]),
        (&[("DATABASE_URL", "sqlite://")], &["DATABASE_URL"]),
        (&[("WEBHOOK_URL", "ftp://x.example")], &["WEBHOOK_URL"]),
        (&[("WEBHOOK_SECRET", "tiny-one")], &["WEBHOOK_SECRET"]),
        (&[("WEBHOOK_SECRET", JWT_SECRET), ("JWT_SECRET", JWT_SECRET)], &["WEBHOOK_SECRET"]),
        (&[("FRONTEND_URL", "https://app.example.com/path")], &["FRONTEND_URL"]),
        (&[("TRUSTED_PROXIES", "everyone")], &["TRUSTED_PROXIES"]),
        (&[("RATE_CALLER_PER_S", "0")], &["RATE_CALLER_PER_S"]),
        (&[("HOST", "0.0.0.0")], &["HOST"]),
        (
            &[("HOST", "::"), ("ADMIN_TOKEN", "short"), ("RATE_CALLER_PER_S", "0")],
            &["ADMIN_TOKEN", "RATE_CALLER_PER_S"],
        ),
    ] {
        let said = shell.run(&["serve"], variables);
        assert_eq!(said.code, 2, "{variables:?}: {}", said.err);
        let lines: Vec<&str> = said.err.lines().collect();
        assert_eq!(lines.len(), names.len(), "{variables:?}: {}", said.err);
        for (line, name) in lines.iter().zip(names) {
            assert!(line.starts_with(&format!("zapgate: {name}")) && line.len() > name.len() + 20, "{line}");
        }
        for secret in [short, JWT_SECRET, "tiny-one"] {
            assert!(!said.err.contains(secret), "{}", said.err);
        }
    }
}

#[test]
fn a_value_of_the_wrong_form_is_wrong_usage() {
    let shell = Shell::new();

    for (variables, name) in [
        (("PORT", "99999"), "port"),
        (("HOST", "somewhere"), "host"),
        (("WEBHOOK_AUTH", "maybe"), "webhook-auth"),
        (("EVENT_RETENTION_DAYS", "0"), "event-retention-days"),
        (("DISK_FLOOR_PERCENT", "101"), "disk-floor-percent"),
        (("SHUTDOWN_GRACE_S", "-1"), "shutdown-grace-s"),
    ] {
        let said = shell.run(&[], &[variables]);
        assert_eq!(said.code, 2, "{variables:?}: {}", said.err);
        assert!(said.err.contains(name), "{}", said.err);
    }
    for arguments in [
        &["--no-such-option"][..],
        &["serve", "--nothing"],
        &["dance"],
        &["token"],
        &["token", "--user", "a", "--ttl", "soon"],
    ] {
        assert_eq!(shell.run(arguments, &[]).code, 2, "{arguments:?}");
    }
}

#[test]
fn every_command_explains_itself_and_no_secret_shows() {
    let shell = Shell::new();
    let secrets = [("ADMIN_TOKEN", ADMIN), ("JWT_SECRET", JWT_SECRET), ("WEBHOOK_SECRET", WEBHOOK_SECRET)];

    for arguments in
        [&["--help"][..], &["serve", "--help"], &["demo", "--help"], &["token", "--help"], &["openapi", "--help"]]
    {
        let said = shell.run(arguments, &secrets);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        assert!(said.out.contains("Usage: zapgate"), "{}", said.out);
        for (_, secret) in secrets {
            assert!(!said.out.contains(secret), "{}", said.out);
        }
    }
    assert!(shell.run(&["--version"], &[]).out.starts_with("zapgate "));
}

#[test]
fn a_port_in_use_is_a_failure_that_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let said = Shell::new().run(&["serve"], &[("PORT", &port)]);

    assert_eq!(said.code, 1, "{}", said.err);
    let line = said.err.lines().last().unwrap();
    assert!(line.starts_with("zapgate: ") && line.contains(&port) && line.contains("taken"), "{}", said.err);
}

#[actix_web::test]
async fn the_server_accepts_a_token_from_the_shell() {
    let app = TestApp::start().await;
    let shell = Shell::new();
    let secret = ("JWT_SECRET", JWT_SECRET);

    let said = shell.run(&["token", "--user", "ana", "--org", "acme", "--scope", "connect", "--ttl", "5m"], &[secret]);
    let me = app.asks(said.out.trim(), "GET", "/api/me", Value::Null).await;
    let lacking = app.asks(said.out.trim(), "GET", "/api/dead-letters", Value::Null).await;
    let admin = shell.run(&["token", "--user", "ana", "--admin"], &[secret]);

    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.lines().count(), 1);
    assert_eq!(
        (&me.json["userId"], &me.json["organizationId"], &me.json["admin"]),
        (&"ana".into(), &"acme".into(), &false.into())
    );
    assert_eq!(lacking.status, 403);
    assert_eq!(admin.code, 2);
    assert!(admin.err.contains("JWT_ADMIN_ROLE"), "{}", admin.err);
}

#[actix_web::test]
async fn the_printed_document_is_the_served_one() {
    let app = TestApp::start().await;

    let said = Shell::new().run(&["openapi"], &[]);
    let served = answer(app.http.get(format!("{}/openapi.json", app.url))).await;

    assert_eq!(said.code, 0, "{}", said.err);
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(printed, served.json);
    assert_eq!(printed["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
}
