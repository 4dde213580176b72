//! Who may import whom, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders without async, clock, input and output.
const PURE: [&str; 6] = ["plan", "probe", "record", "observe", "stats", "report"];

/// Longest file, not counting its tests.
const LONGEST: usize = 400;

struct Source {
    /// Path below `src/`, with forward slashes.
    path: String,
    /// Code lines before the file's tests, without comments, with their numbers.
    code: Vec<(usize, String)>,
    lines: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    paths.sort();
    let source = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let is_tests =
            path.ends_with("tests.rs") || path.contains("/tests/") || path.ends_with("fixtures.rs");
        let before_tests: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
        let is_code = |line: &str| !line.trim_start().starts_with("//");
        let code = before_tests
            .iter()
            .filter(|_| !is_tests)
            .zip(1..)
            .filter(|(line, _)| is_code(line))
            .map(|(line, number)| (number, (*line).to_owned()))
            .collect();
        Source { path, code, lines: if is_tests { 0 } else { before_tests.len() } }
    };
    paths.into_iter().map(source).collect()
}

/// Lines that contain one of `words` in files that `wanted` picks.
fn offenders(wanted: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| wanted(&source.path)) {
        for (number, line) in &source.code {
            if words.iter().any(|word| holds(line, word)) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

/// Whether a line holds a word; `.await` is one, and `.awaited` is none.
fn holds(line: &str, word: &str) -> bool {
    let ends = |at: usize| !line[at + word.len()..].starts_with(|next: char| next.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| word != ".await" || ends(at))
}

fn is_in(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(&format!("{folder}/")))
}

#[test]
fn only_cluster_imports_kube() {
    let found = offenders(
        |path| !path.starts_with("cluster/"),
        &["use kube::", " kube::", "(kube::", "k8s_openapi::"],
    );
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_console_touches_the_terminal() {
    let words = [
        "println!",
        "eprintln!",
        "print!(",
        "indicatif",
        "anstream",
        "io::stdout",
        "io::stderr",
        "terminal_size",
    ];
    assert_eq!(offenders(|path| !path.starts_with("console/"), &words), Vec::<String>::new());
}

#[test]
fn only_platform_asks_which_system_it_is() {
    let words = [
        "cfg(unix",
        "cfg(windows",
        "cfg(target_os",
        "cfg(not(unix",
        "cfg!(",
        "std::os::",
        "rustix",
        "rlimit",
        "tokio::signal",
    ];
    assert_eq!(offenders(|path| !is_in(path, &["platform"]), &words), Vec::<String>::new());
}

#[test]
fn pure_folders_neither_wait_nor_talk() {
    let words = [
        "tokio",
        "async fn",
        ".await",
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "ToSocketAddrs",
        "std::env",
        "crate::cluster",
        "crate::phases",
        "crate::console",
        "crate::commands",
        "crate::sandbox",
    ];
    assert_eq!(offenders(|path| is_in(path, &PURE), &words), Vec::<String>::new());
}

#[test]
fn dependencies_point_one_way() {
    let forbidden: [(&str, &[&str]); 7] = [
        ("probe", &["crate::observe", "crate::plan", "crate::record", "crate::stats", "crate::report"]),
        ("plan", &["crate::observe", "crate::record", "crate::stats", "crate::report"]),
        ("observe", &["crate::record", "crate::stats", "crate::report"]),
        ("record", &["crate::stats", "crate::report"]),
        ("stats", &["crate::record", "crate::report", "crate::plan"]),
        (
            "cluster",
            &["crate::phases", "crate::console", "crate::commands", "crate::report", "crate::sandbox"],
        ),
        ("phases", &["crate::console", "crate::commands", "crate::report", "crate::sandbox"]),
    ];
    for (folder, words) in forbidden {
        assert_eq!(offenders(|path| is_in(path, &[folder]), words), Vec::<String>::new(), "{folder}");
    }
}

#[test]
fn the_client_knows_nothing_of_the_sandbox() {
    let found = offenders(|path| !is_in(path, &["sandbox", "commands"]) && path != "lib.rs", &["sandbox::"]);
    assert_eq!(found, Vec::<String>::new());
    let words = ["crate::cluster", "crate::phases", "crate::record", "crate::report", "crate::console"];
    assert_eq!(offenders(|path| is_in(path, &["sandbox"]), &words), Vec::<String>::new());
}

#[test]
fn clap_ends_at_the_commands() {
    let allowed = |path: &str| is_in(path, &["commands"]) || path == "lib.rs" || path == "console/style.rs";
    assert_eq!(offenders(|path| !allowed(path), &["clap::"]), Vec::<String>::new());
}

#[test]
fn files_are_short_and_about_one_thing() {
    let sources = sources();
    let long: Vec<String> = sources
        .iter()
        .filter(|source| source.lines > LONGEST)
        .map(|source| format!("{}: {} lines", source.path, source.lines))
        .collect();
    assert_eq!(long, Vec::<String>::new());
    let mut lines: Vec<usize> =
        sources.iter().map(|source| source.lines).filter(|lines| *lines > 0).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    assert!(median < 120, "the median file has {median} lines");
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let mut paths = Vec::new();
    files(&root(), &mut paths);
    let silent: Vec<PathBuf> =
        paths.into_iter().filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!")).collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}
