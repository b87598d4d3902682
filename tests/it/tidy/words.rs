//! What may be mentioned where (unit tests may use what they need): actix on the surface only, nothing impure in the domain, chance in the clock, no
//! secrets and no unfinished business anywhere.

use super::code::{line_of, mentions, without_tests};
use super::{Finding, Source};

const ACTIX: [&str; 7] =
    ["actix", "actix_http", "actix_rt", "actix_web", "actix_ws", "tracing_actix_web", "utoipa_actix_web"];
/// What the domain does without: time, chance, files and sockets come in as values.
const IMPURE: [&str; 9] = ["async", "await", "reqwest", "sqlx", "tokio", "tokio_util", "Instant", "SystemTime", "rand"];
const STD_IMPURE: [&str; 4] = ["std::env", "std::fs", "std::net", "std::process"];
/// Words that put work off; written apart so that this file does not trip over them.
const PUT_OFF: [&str; 3] = ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}"];

pub(super) fn check(source: &Source, code: &str) -> Vec<Finding> {
    let module = source.module();
    let root = module.first().copied().unwrap_or_default();
    let mut findings = Vec::new();
    let code = if module.contains(&"tests") { String::new() } else { without_tests(code) };
    let mut forbid = |words: &[&str], why: &str| {
        for word in words {
            let found =
                mentions(&code, word).map(|at| Finding::new(source, line_of(&code, at), format!("`{word}`: {why}")));
            findings.extend(found);
        }
    };
    if !matches!(root, "http" | "app" | "simulator" | "main") && module != ["adapters", "tasks"] {
        forbid(&ACTIX, "actix lives in http, app, the simulator and adapters/tasks.rs");
    }
    if root == "domain" {
        forbid(&IMPURE, "the domain is pure; take the value as an argument");
        forbid(&STD_IMPURE, "the domain is pure; take the value as an argument");
    }
    if matches!(root, "services" | "http") || (root == "adapters" && module != ["adapters", "clock"]) {
        forbid(&["rand"], "chance comes from adapters/clock.rs, so that a test can replace it");
    }
    findings.extend(lines(source, put_off));
    findings.extend(lines(source, |line| {
        secret(line).map(|kind| format!("looks like {kind}; secrets come from the environment"))
    }));
    findings
}

fn lines(source: &Source, rule: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let numbered = source.text.lines().zip(1..);
    numbered.filter_map(|(line, number)| Some(Finding::new(source, number, rule(line)?))).collect()
}

fn put_off(line: &str) -> Option<String> {
    let word = PUT_OFF.iter().find(|word| mentions(line, word).next().is_some())?;
    Some(format!("{word}: finish it, or write an issue"))
}

/// The well-known shapes of keys and tokens. Shapes only: an invented password looks like any other word.
fn secret(line: &str) -> Option<&'static str> {
    let starts = [
        ("AKIA", 16, "a cloud access key"),
        ("ghp_", 30, "a code host's token"),
        ("github_pat_", 30, "a code host's token"),
        ("xoxb-", 20, "a chat token"),
        ("sk-", 32, "an API key"),
    ];
    if line.contains("PRIVATE KEY-----") {
        return Some("a private key");
    }
    if line.match_indices("eyJ").any(|(at, _)| is_jwt(&line[at..])) {
        return Some("a signed token");
    }
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    starts.into_iter().find_map(|(start, length, kind)| {
        let long =
            |(at, _): (usize, &str)| line[at + start.len()..].chars().take_while(|c| is_key(*c)).count() >= length;
        line.match_indices(start).any(long).then_some(kind)
    })
}

fn is_jwt(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let token: String = text.chars().take_while(|c| part(*c) || *c == '.').collect();
    let parts: Vec<&str> = token.split('.').collect();
    parts.len() >= 3 && parts[..3].iter().all(|part| part.len() >= 10)
}
