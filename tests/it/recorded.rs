//! The recordings of a real Evolution API in `tests/data/evolution`, as a test reads them.

use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolution")
}

/// A recording by its path below the folder, without `.json`: `flows/qr-scan-to-open`.
pub fn file(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The body of a recorded webhook: `messages.upsert/text-conversation`.
pub fn webhook(name: &str) -> Value {
    file(&format!("webhooks/{name}"))["request"]["body"].clone()
}

/// The names of all recordings of a kind (`webhooks`, `flows`, `delivery`), sorted.
pub fn all(kind: &str) -> Vec<String> {
    let mut names = Vec::new();
    collect(&folder().join(kind), &mut names);
    names.sort();
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let base = self::folder();
            let name = path.with_extension("").strip_prefix(base).unwrap().display().to_string();
            names.push(name);
        }
    }
}
