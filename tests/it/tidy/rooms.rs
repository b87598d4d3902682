//! Services know each other through public doors and never in a circle; the hub knows none of them.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{bare, line_of};
use super::floors::imports;
use super::{Finding, Source};

/// Fan-out is the bottom of the services: whoever needs it calls it, it calls nobody.
const LEAF: &str = "hub";

/// From a room to the rooms it uses, each with one place where it does.
type Doors<'a> = BTreeMap<&'a str, BTreeMap<String, (&'a Source, usize)>>;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let doors = doors(sources);
    let mut findings = Vec::new();
    for (used, (source, line)) in doors.get(LEAF).into_iter().flatten() {
        findings.push(Finding::new(source, *line, format!("the {LEAF} knows no sibling, and this uses `{used}`")));
    }
    let mut reported = BTreeSet::new();
    for room in doors.keys() {
        let Some(circle) = circle(&doors, room) else { continue };
        let members: BTreeSet<&str> = circle.iter().copied().collect();
        if reported.insert(members) {
            let (source, line) = doors[circle[0]][circle[1]];
            let what =
                format!("services in a circle: {}. Signal one way through a channel made in `app`", circle.join(" → "));
            findings.push(Finding::new(source, line, what));
        }
    }
    findings
}

fn doors(sources: &[Source]) -> Doors<'_> {
    let rooms: BTreeSet<&str> = sources.iter().filter_map(room).collect();
    let mut doors: Doors<'_> = BTreeMap::new();
    for source in sources {
        let module = source.module();
        let Some(room) = room(source) else { continue };
        let code = bare(&source.text);
        for import in imports(&code, module.len()) {
            let [floor, used] = &import.path[..] else { continue };
            let is_room = floor == "services" && used.chars().next().is_some_and(char::is_lowercase);
            if is_room && used != room && used != "self" {
                let place = (source, line_of(&code, import.at));
                doors.entry(room).or_default().entry(used.clone()).or_insert(place);
            }
        }
        for (used, at) in siblings(&code, module.len(), &rooms) {
            if used != room {
                doors.entry(room).or_default().entry(used).or_insert((source, line_of(&code, at)));
            }
        }
    }
    doors
}

fn room(source: &Source) -> Option<&str> {
    match source.module()[..] {
        ["services", room, ..] => Some(room),
        _ => None,
    }
}

/// Rooms reached as `super::other` from a room's own file, or with one `super` more from a file inside it.
fn siblings(code: &str, depth: usize, rooms: &BTreeSet<&str>) -> Vec<(String, usize)> {
    let found = imports(code, depth - 1).into_iter();
    let named = found.filter_map(|import| Some((import.path.into_iter().next()?, import.at)));
    named.filter(|(name, _)| rooms.contains(name.as_str())).collect()
}

/// A way from a room back to itself, if there is one.
fn circle<'a>(doors: &'a Doors<'_>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start]];
    while let Some(way) = ways.pop() {
        let here = way[way.len() - 1];
        for used in doors.get(here).into_iter().flat_map(BTreeMap::keys) {
            let longer: Vec<&str> = way.iter().copied().chain([used.as_str()]).collect();
            if used == start {
                return Some(longer);
            }
            if seen.insert(used.as_str()) {
                ways.push(longer);
            }
        }
    }
    None
}
