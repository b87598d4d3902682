//! Imports point down only: app > http > services > adapters > domain. Everything else stands beside or above app.

use super::code::{line_of, mentions};
use super::{Finding, Source};

const FLOORS: [&str; 4] = ["domain", "adapters", "services", "http"];

/// Height of a root module; the crate's root and all that stands with `app` are at the top.
fn floor(module: &str) -> usize {
    FLOORS.iter().position(|name| *name == module).unwrap_or(FLOORS.len())
}

pub(super) fn check(source: &Source, code: &str) -> Vec<Finding> {
    let module = source.module();
    let Some(own) = module.first().copied() else { return Vec::new() };
    let upward = imports(code, module.len()).into_iter().filter(|import| is_upward(own, &import.path));
    upward
        .map(|import| {
            let used = import.path.join("::");
            let what = format!("`{own}` is below `{used}`; imports point down only. Pass a value, or move the code");
            Finding::new(source, line_of(code, import.at), what)
        })
        .collect()
}

/// Names below the top that are no module of the crate's root are the file's own affair.
fn is_upward(own: &str, path: &[String]) -> bool {
    const TOP: [&str; 6] = ["app", "cli", "config", "main", "simulator", "telemetry"];
    let Some(used) = path.first().map(String::as_str) else { return false };
    (FLOORS.contains(&used) || TOP.contains(&used)) && floor(used) > floor(own)
}

pub(super) struct Import {
    pub at: usize,
    /// From the crate's root, as far as it is written: `["services", "hub"]`.
    pub path: Vec<String>,
}

/// Every path that starts at the crate's root: `crate::a::b`, `crate::{a::b, c}`, and `super::super::a` from a module
/// this deep.
pub(super) fn imports(code: &str, depth: usize) -> Vec<Import> {
    let mut found = Vec::new();
    for at in mentions(code, "crate") {
        if let Some(rest) = code[at + "crate".len()..].trim_start().strip_prefix("::") {
            found.extend(leaves(rest).into_iter().map(|path| Import { at, path }));
        }
    }
    for at in mentions(code, "super").filter(|at| !code[..*at].trim_end().ends_with("::")) {
        let (ups, rest) = climb(&code[at..]);
        if ups >= depth {
            found.extend(leaves(rest).into_iter().map(|path| Import { at, path }));
        }
    }
    found
}

/// How many `super::` a path begins with, and what follows.
fn climb(mut path: &str) -> (usize, &str) {
    let mut ups = 0;
    while let Some(rest) = path.strip_prefix("super").and_then(|rest| rest.trim_start().strip_prefix("::")) {
        ups += 1;
        path = rest.trim_start();
    }
    (ups, path)
}

/// The first two names of each path in a use tree: `{a::b::C, d}` is `a::b` and `d`.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(inside) = tree.strip_prefix('{') {
        return group(inside).into_iter().flat_map(leaves).collect();
    }
    let name: String = tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return Vec::new();
    }
    let Some(rest) = tree[name.len()..].trim_start().strip_prefix("::") else { return vec![vec![name]] };
    let below = leaves(rest);
    if below.is_empty() {
        return vec![vec![name]];
    }
    below.into_iter().map(|path| std::iter::once(name.clone()).chain(path.into_iter().take(1)).collect()).collect()
}

/// The members of a `{…}` whose brace is already taken off.
fn group(inside: &str) -> Vec<&str> {
    let (mut members, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&inside[start..at]);
                return members;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members
}
