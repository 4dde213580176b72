//! Pages for people: each begins with what it is for, lines are short, and the map of the code shows what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::links::prose;
use super::{repository, text};

/// Where the sources of each crate begin.
const SOURCES: [&str; 6] = [
    "src",
    "crates/bootstorm-engine/src",
    "crates/bootstorm-report/src",
    "crates/bootstorm-sandbox/src",
    "crates/bootstorm-model/src",
    "crates/bootstorm-prober/src",
];

/// The page that shows where everything is.
fn map() -> String {
    text("docs/architecture.md")
}

/// What stands between backticks, outside of blocks of code.
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
    assert_eq!(rows.len(), 15, "{rows:#?}");
    for row in rows {
        let named: Vec<String> = quoted(row).into_iter().filter(|word| is_path(word)).collect();
        assert!(!named.is_empty(), "no file in {row}");
        for path in named {
            assert_eq!(repository(&path).is_dir(), path.ends_with('/'), "{path} in {row}");
            assert!(repository(&path).exists(), "{path} in {row}");
        }
    }
}

/// The files that a path may mean which begins in the sources of some crate.
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
        if !is_path(path) && !path.ends_with(".rs") {
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
    // Expectations of tests, and the one folder that holds all of a small crate.
    rooms.retain(|room| !["snapshots", "program"].contains(&room.as_str()));
    assert_eq!(shown, rooms.iter().map(String::as_str).collect());
}
