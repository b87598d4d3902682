//! The house rules that no compiler checks: which way imports point, what may be mentioned where, how long a file is.
//! Each finding says file, line, what is wrong and what to do instead.

mod code;
mod floors;
mod rooms;
mod samples;
mod words;

use std::fmt;
use std::fs;
use std::path::Path;

/// Split by noun above this many lines (ARCHITECTURE: a file is read in one sitting).
const MAX_LINES: usize = 600;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "helpers", "common", "manager"];

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = Source::all(root, "src");
    let tests = Source::all(root, "tests/it");
    assert!(!sources.is_empty(), "no sources found: the check would pass on nothing");

    let mut findings = check(&sources);
    findings.extend(tests.iter().flat_map(shape));

    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}

/// A file of the crate, as its path from the root with `/` and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Every Rust file below a folder, in order of path.
    fn all(root: &Path, folder: &str) -> Vec<Self> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder)).unwrap_or_else(|why| panic!("reading {folder}: {why}")) {
                let entry = entry.unwrap();
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path);
                } else if Path::new(&path).extension().is_some_and(|ending| ending == "rs") {
                    found.push(Self { text: fs::read_to_string(root.join(&path)).unwrap(), path });
                }
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }

    /// The module path below the crate: `src/http/api.rs` is `["http", "api"]`, `src/lib.rs` is empty.
    fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path).trim_end_matches(".rs");
        match inside {
            "lib" => Vec::new(),
            _ => inside.split('/').collect(),
        }
    }
}

struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// All rules, over the sources of the crate.
fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let code = code::bare(&source.text);
        findings.extend(shape(source));
        findings.extend(floors::check(source, &code));
        findings.extend(words::check(source, &code));
    }
    findings.extend(rooms::check(sources));
    findings
}

/// Rules about the file itself.
fn shape(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        findings.push(Finding::new(source, lines, format!("has {lines} lines; split it by noun below {MAX_LINES}")));
    }
    let name = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if name == "mod" {
        findings.push(Finding::new(source, 1, "name it `foo.rs` beside the folder `foo/`, not `foo/mod.rs`"));
    }
    if EMPTY_NAMES.contains(&name) {
        findings.push(Finding::new(source, 1, format!("`{name}` says nothing; name the file after what it owns")));
    }
    findings
}
