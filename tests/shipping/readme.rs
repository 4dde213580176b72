//! The commands that README and documentation show are commands of this program.

use std::path::Path;

use bootstorm::commands::Cli;
use clap::Parser;

/// The lines of all console blocks of a page.
fn commands(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside && !line.trim_start().starts_with('#') => found.push(line.trim().to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_of_the_documentation_is_understood() {
    let mut checked = 0;
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/sandbox.md",
        "docs/measurements.md",
        "docs/sources.md",
        "docs/pages.md",
    ] {
        for line in commands(page) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let args = match words.as_slice() {
                ["kubectl", "bootstorm", args @ ..] => args,
                ["cargo", "run", "--release", "--", args @ ..] => args,
                _ => continue,
            };
            let args: Vec<&str> = ["kubectl-bootstorm"].iter().chain(args).copied().collect();
            if let Err(error) = Cli::try_parse_from(&args) {
                panic!("{page}: {line}: {error}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} commands were found");
}

#[test]
fn the_commands_that_set_everything_up_are_the_ones_ci_runs() {
    let readme = commands("README.md");
    assert!(readme.contains(&"cargo run --release -- run --sandbox --end 20".to_owned()));
    assert!(readme.contains(&"cargo test --locked".to_owned()));
    let ci = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    assert!(ci.contains("cargo test --locked"));
}
