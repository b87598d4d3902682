//! What we build upon: permissive licences only, from one registry only. The same list is in `deny.toml`, for
//! `cargo deny`, which also knows advisories; this check needs nothing but cargo and always runs.

mod licence;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that let anyone use zapgate under its own. A new one is a decision, not a formality.
const ALLOWED: [&str; 11] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// The index that the lock file names for packages of the public registry.
const REGISTRY: &str = "registry+https://github.com/rust-lang/";

#[test]
fn every_dependency_is_permissive_and_comes_from_the_registry() {
    let packages = packages();
    assert!(packages.len() > 100, "only {} packages: the check would pass on nothing", packages.len());

    let faults: Vec<String> = packages.iter().filter_map(fault).collect();

    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn cargo_deny_is_told_the_same_list() {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();

    let told: BTreeSet<&str> = list(&text, "allow = [").into_iter().collect();

    assert_eq!(told, BTreeSet::from(ALLOWED));
}

#[test]
fn a_strange_source_or_licence_is_a_fault() {
    let package = |licence: Value, source: Value| {
        fault(&serde_json::json!({ "name": "x", "version": "1.0.0", "license": licence, "source": source }))
    };
    let index = format!("{REGISTRY}index");

    assert_eq!(package("MIT OR GPL-3.0".into(), index.as_str().into()), None);
    assert!(package("GPL-3.0".into(), index.as_str().into()).unwrap().contains("GPL-3.0"));
    assert!(package(Value::Null, index.as_str().into()).unwrap().contains("no licence"));
    assert!(package("MIT".into(), "git+https://example.com/x".into()).unwrap().contains("git+https"));
    assert!(package("MIT".into(), Value::Null).unwrap().contains("a local path"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All packages of the lock file, as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn fault(package: &Value) -> Option<String> {
    let name = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
    if name.starts_with("zapgate ") {
        return None;
    }
    let source = package["source"].as_str().unwrap_or("a local path");
    if !source.starts_with(REGISTRY) {
        return Some(format!("{name} comes from {source}; only the registry is allowed"));
    }
    let Some(expression) = package["license"].as_str() else {
        return Some(format!("{name} states no licence"));
    };
    match licence::allowed(expression, &ALLOWED) {
        Ok(true) => None,
        Ok(false) => Some(format!("{name} is under {expression}, which is not on the list")),
        Err(why) => Some(format!("{name}: the licence {expression:?} can't be read: {why}")),
    }
}

/// The quoted words of the first list that begins so.
fn list<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
    let inside = text.split_once(begins).and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
    inside.split('"').skip(1).step_by(2).collect()
}
