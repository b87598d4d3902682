//! The documents say what is true: their variables are those of the source, what they name exists, their links lead
//! somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const READMES: [&str; 2] = ["README.md", "README.pt-BR.md"];
const FRAMES: &str = "docs/FRAMES.md";
const ALL: [&str; 9] = [
    "README.md",
    "README.pt-BR.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/EVOLUTION.md",
    "docs/STATUS.md",
    FRAMES,
];
/// Of a folder, where a path may begin that needs no other sign to be one.
const ROOTS: [&str; 6] = ["src/", "tests/", "migrations/", "static/", "scripts/", "docs/"];

#[test]
fn the_readmes_tables_list_exactly_the_variables_that_exist() {
    let real = variables_in_source();
    assert!(real.len() > 20, "too few variables found in src: {real:?}");

    for readme in READMES {
        assert_eq!(variables_in_table(&read(readme)), real, "{readme}'s table (left) and src (right) differ");
    }
}

#[test]
fn both_readmes_have_the_same_commands_and_sections() {
    let [english, portuguese] = READMES.map(read);

    assert_eq!(count(&english, "## "), count(&portuguese, "## "), "sections");
    assert_eq!(shell_lines(&english), shell_lines(&portuguese));
}

#[test]
fn every_default_in_the_readmes_is_the_real_one() {
    let real = defaults_of_help();

    for readme in READMES {
        for (name, default) in &real {
            let row = format!("| `{name}` | `{default}`");
            assert!(read(readme).contains(&row), "{readme} does not say that {name} is {default} unless set");
        }
    }
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let missing: Vec<String> = ALL
        .iter()
        .flat_map(|document| paths_in(&read(document)).into_iter().map(move |path| format!("{document}: {path}")))
        .filter(|named| !named.split_once(": ").is_some_and(|(_, path)| root().join(path).exists()))
        .collect();

    assert!(missing.is_empty(), "named, but not there: {missing:#?}");
}

#[test]
fn every_function_that_the_documents_name_exists() {
    let source: String = sources().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let missing: Vec<String> = ALL
        .iter()
        .flat_map(|document| functions_in(&read(document)))
        .filter(|name| !source.contains(&format!("fn {name}(")) && !source.contains(&format!("fn {name}<")))
        .collect();

    assert!(missing.is_empty(), "no such functions: {missing:?}");
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let broken: Vec<String> = ALL
        .iter()
        .flat_map(|document| links_in(&read(document)).into_iter().map(move |link| format!("{document}: {link}")))
        .filter(|named| {
            !named.split_once(": ").is_some_and(|(from, to)| root().join(from).with_file_name(to).is_file())
        })
        .collect();

    assert!(broken.is_empty(), "links to nothing: {broken:#?}");
}

#[test]
fn every_frame_type_has_its_example_or_is_reserved() {
    let types = frame_types_in_source();
    assert!(types.len() > 15, "too few types found in src: {types:?}");

    let page = read(FRAMES);
    let is_told = |kind: &&String| {
        // Of a family any member will do.
        let end = if kind.ends_with('.') { "" } else { "\"" };
        page.contains(&format!("{{\"type\":\"{kind}{end}")) || page.contains(&format!("| `{kind}` | – | reserved"))
    };
    let missing: Vec<_> = types.iter().filter(|kind| !is_told(kind)).collect();
    assert!(missing.is_empty(), "{FRAMES} gives no example of {missing:?}");
}

#[test]
fn the_table_of_notifications_lists_exactly_the_codes_that_exist() {
    let real = notification_codes_in_source();
    assert!(real.len() > 5, "too few codes found in src: {real:?}");

    let page = read(FRAMES);
    let section = after_each(&page, "## Notifications", '#').join("");
    let listed: BTreeSet<String> =
        after_each(&section, "\n| `", '`').into_iter().filter(|cell| cell != "code").collect();
    assert_eq!(listed, real, "{FRAMES}'s table (left) and src (right) differ");
}

#[test]
fn the_readers_of_documents_see_what_is_there() {
    let text = "| `HOST` | x |\n[a](B.md#c) [d](https://e) `src/f.rs` `Gee::haw()` `POST /src/` ![i](docs/j.png)";

    assert_eq!(variables_in_table(text), BTreeSet::from(["HOST".to_owned()]));
    assert_eq!(links_in(text), ["B.md", "docs/j.png"]);
    assert_eq!(paths_in(text), ["src/f.rs"]);
    assert_eq!(functions_in(text), ["haw"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|why| panic!("reading {document}: {why}"))
}

fn sources() -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Every `env = "NAME"` of an option.
fn variables_in_source() -> BTreeSet<String> {
    let texts = sources().into_iter().map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| after_each(&text, "env = \"", '"')).collect()
}

/// The first cells of rows that hold a name in capitals.
fn variables_in_table(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(cell, _)| cell);
    let is_name = |cell: &&str| cell.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    cells.filter(is_name).map(str::to_owned).collect()
}

/// What the program itself says: the name and the default of every option that has both.
fn defaults_of_help() -> Vec<(String, String)> {
    use clap::CommandFactory;
    let command = zapgate::cli::Cli::command();
    let known = command.get_arguments().filter_map(|arg| {
        let default = arg.get_default_values().first()?.to_str()?.to_owned();
        Some((arg.get_env()?.to_str()?.to_owned(), default))
    });
    known.collect()
}

/// What the table of types gives; of a family, which ends in a dot, how its members begin.
fn frame_types_in_source() -> BTreeSet<String> {
    let table = read("src/domain/frame/kinds.rs");
    let found = ["=> \"", ".\", \""].into_iter().flat_map(|start| after_each(&table, start, '"'));
    found.chain(["hello", "pong", "evolution."].map(str::to_owned)).collect()
}

/// The code stands after the level, or is named.
fn notification_codes_in_source() -> BTreeSet<String> {
    let words = read("src/domain/words.rs");
    let starts = ["(\"info\", \"", "(\"warning\", \"", "(\"critical\", \"", " code: \""];
    starts.iter().flat_map(|start| after_each(&words, start, '"')).collect()
}

fn in_backticks(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn paths_in(text: &str) -> Vec<String> {
    let quoted = in_backticks(text).into_iter();
    quoted.filter(|word| ROOTS.iter().any(|root| word.starts_with(root)) && !word.contains(['<', '…', ' '])).collect()
}

/// `Type::name()` and `name()`.
fn functions_in(text: &str) -> Vec<String> {
    let calls = in_backticks(text).into_iter().filter_map(|word| Some(word.strip_suffix("()")?.to_owned()));
    calls.map(|call| call.rsplit("::").next().unwrap_or_default().to_owned()).collect()
}

/// Where relative links and images lead, without the place in the page.
fn links_in(text: &str) -> Vec<String> {
    let targets = after_each(text, "](", ')').into_iter();
    let relative = targets.filter(|to| !to.contains("://") && !to.starts_with('#'));
    relative.map(|to| to.split('#').next().unwrap_or_default().to_owned()).collect()
}

fn after_each(text: &str, start: &str, end: char) -> Vec<String> {
    text.split(start).skip(1).filter_map(|rest| rest.split_once(end)).map(|(found, _)| found.to_owned()).collect()
}

fn count(text: &str, start: &str) -> usize {
    text.lines().filter(|line| line.starts_with(start)).count()
}

/// The lines of shell blocks, without the comments, which are translated.
fn shell_lines(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            inside = kind == "sh";
        } else if inside {
            found.push(line.split("    # ").next().unwrap_or_default().trim_end().to_owned());
        }
    }
    found
}
