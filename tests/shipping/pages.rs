//! Pages for people: each starts with its purpose, lines are short, and the code map is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::links::{pages, prose};
use super::{repository, text};

/// Source roots of the crates.
const SOURCES: [&str; 6] = [
    "src",
    "crates/bootstorm-engine/src",
    "crates/bootstorm-report/src",
    "crates/bootstorm-sandbox/src",
    "crates/bootstorm-model/src",
    "crates/bootstorm-prober/src",
];

/// The maximum width of a line.
const WIDEST: usize = 120;

/// Whether a line may exceed the limit: table rows, link definitions, images, and words that cannot be split.
fn may_be_long(line: &str) -> bool {
    let line = line.trim_start();
    let is_definition = line.starts_with('[') && line.contains("]: ");
    line.starts_with('|') || is_definition || line.starts_with("![") || !line.contains(' ')
}

/// A page's lines that are too long.
fn long_lines(page: &str) -> Vec<&str> {
    let lines = prose(page).into_iter();
    lines.filter(|line| line.chars().count() > WIDEST && !may_be_long(line)).collect()
}

/// Whether a page starts with its title and a paragraph that states its purpose.
fn says_what_it_is_for(page: &str) -> bool {
    let mut blocks = page.split("\n\n");
    let title = blocks.next().unwrap_or_default();
    let first = blocks.next().unwrap_or_default().trim_start();
    let is_text =
        first.starts_with(|c: char| c.is_alphabetic() || "*`".contains(c)) && first.contains(['.', '?']);
    title.starts_with("# ") && !title.contains('\n') && is_text
}

#[test]
fn every_page_is_narrow_and_begins_with_what_it_is_for() {
    let pages = pages();
    assert!(pages.len() >= 15, "{pages:?}");
    let template = repository(".github/pull_request_template.md");
    for page in pages.iter().chain([&template]) {
        let text = fs::read_to_string(page).unwrap();
        assert_eq!(long_lines(&text), [""; 0], "{}: more than {WIDEST} columns", page.display());
        // A template is filled in, and has no title.
        assert!(
            page == &template || says_what_it_is_for(&text),
            "{} begins with something else",
            page.display()
        );
    }
    let readme = text("README.md");
    assert!(readme.lines().count() <= 150, "the front page has {} lines", readme.lines().count());
}

#[test]
fn long_lines_and_pages_without_a_purpose_are_noticed() {
    let long = "a ".repeat(61);
    let page = format!("# Title\n\n{long}\n```\n{long}\n```\n| {long}\n[a]: {long}\n{}\n", "x".repeat(121));
    assert_eq!(long_lines(&page), [long.as_str()]);
    assert!(says_what_it_is_for("# Title\n\nThis page is for something.\n"));
    assert!(!says_what_it_is_for("# Title\n\n## Section\n\nText.\n"));
    assert!(!says_what_it_is_for("# Title\n\n| a | b |\n|---|---|\n"));
    assert!(!says_what_it_is_for("Text.\n\nText.\n"));
}

#[test]
fn every_change_has_one_line_of_the_changelog() {
    let changelog = text("CHANGELOG.md");
    let (_, unreleased) = changelog.split_once("\n## [Unreleased]\n").unwrap();
    let mut seen = BTreeSet::new();
    for line in unreleased.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(line.starts_with("- ") || line.starts_with('['), "an entry is one line: {line}");
        assert!(seen.insert(line), "twice: {line}");
    }
    let groups: Vec<&str> = unreleased.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let groups_once: BTreeSet<&str> = groups.iter().copied().take(3).collect();
    assert_eq!(groups_once, BTreeSet::from(["Added", "Changed", "Fixed"]), "{groups:?}");
}

/// The code map.
fn map() -> String {
    text("docs/architecture.md")
}

/// Text between backticks, outside code blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose = prose(text).join("\n");
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn is_path(word: &str) -> bool {
    let known = [".rs", ".sh", ".md", ".json", ".yaml", "/"].iter().any(|end| word.ends_with(end));
    word.contains('/') && known && !word.contains([' ', '<', '*', ':'])
}

#[test]
fn what_the_table_of_changes_names_is_there() {
    let map = map();
    let (_, section) = map.split_once("\n## Where do I change X\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 28, "{rows:#?}");
    for row in rows {
        let named: Vec<String> = quoted(row).into_iter().filter(|word| is_path(word)).collect();
        assert!(!named.is_empty(), "no file in {row}");
        for path in named {
            assert_eq!(repository(&path).is_dir(), path.ends_with('/'), "{path} in {row}");
            assert!(repository(&path).exists(), "{path} in {row}");
        }
    }
}

/// The files that a path relative to some crate's sources may refer to.
fn candidates(path: &str) -> Vec<PathBuf> {
    let tests = ["", "crates/bootstorm-engine"];
    SOURCES
        .iter()
        .chain(&tests)
        .map(|folder| repository(folder).join(path))
        .filter(|path| path.exists())
        .collect()
}

#[test]
fn the_storm_walks_through_functions_that_there_are() {
    let mut functions = 0;
    for word in quoted(&map()) {
        let (path, function) = word.split_once("::").map_or((word.as_str(), None), |(p, f)| (p, Some(f)));
        if !is_path(path) && Path::new(path).extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let files = candidates(path);
        assert!(!files.is_empty(), "there is no {path}");
        let Some(function) = function else { continue };
        functions += 1;
        let defines = |file: &PathBuf| {
            let text = fs::read_to_string(file).unwrap();
            text.contains(&format!("fn {function}(")) || text.contains(&format!("fn {function}<"))
        };
        assert!(files.iter().any(defines), "no function {function} in {path}");
    }
    assert!(functions >= 20, "only {functions} functions were found");
}

#[test]
fn one_storm_is_told_in_less_than_sixty_lines() {
    let map = map();
    let (_, walk) = map.split_once("\n## One storm").unwrap();
    let lines = walk.split("\n## ").next().unwrap().lines().count();
    assert!(lines < 60, "{lines} lines");
}

#[test]
fn the_picture_shows_every_room() {
    let map = map();
    let picture = map.split("```").nth(1).unwrap();
    let shown: BTreeSet<&str> =
        picture.split_whitespace().filter_map(|word| word.strip_suffix('/')).collect();
    let mut rooms = BTreeSet::new();
    for sources in SOURCES {
        let crate_name = Path::new(sources).parent().unwrap().file_name();
        let crate_name = crate_name.map_or("kubectl-bootstorm".into(), |name| name.to_string_lossy());
        assert!(picture.contains(&*crate_name), "{crate_name} is not in the picture");
        for entry in fs::read_dir(repository(sources)).unwrap().flatten().filter(|e| e.path().is_dir()) {
            rooms.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    // Snapshots of tests, and the only folder with all of a small crate.
    rooms.retain(|room| !["snapshots", "program"].contains(&room.as_str()));
    assert_eq!(shown, rooms.iter().map(String::as_str).collect());
}
