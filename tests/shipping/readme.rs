//! The commands in README and documentation are commands of this program.

use std::path::Path;

use bootstorm::commands::Cli;
use clap::Parser;

use super::links::pages;
use super::{repository, text};
use crate::support::Cluster;

/// The lines of all console blocks of a page; a trailing backslash continues a line.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
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

/// The arguments of one of our commands, without quotes and redirections.
fn args(line: &str) -> Option<Vec<String>> {
    let line = line.split(" > ").next().unwrap().split(" | ").next().unwrap();
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (character, _) => word.push(character),
        }
    }
    words.push(word);
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let begins = |start: &[&str]| words.len() > start.len() && words.iter().zip(start).all(|(a, b)| a == b);
    let starts: [&[&str]; 3] =
        [&["kubectl", "bootstorm"], &["cargo", "run", "--release", "--"], &["kubectl-bootstorm"]];
    starts.into_iter().find(|start| begins(start)).map(|start| words[start.len()..].to_vec())
}

#[test]
fn every_command_of_the_documentation_is_understood() {
    let mut checked = 0;
    for page in pages() {
        for line in commands(&page) {
            let Some(args) = args(&line) else { continue };
            let words = std::iter::once("kubectl-bootstorm".to_owned()).chain(args);
            match Cli::try_parse_from(words) {
                Err(error) if error.use_stderr() => panic!("{}: {line}: {error}", page.display()),
                _ => checked += 1,
            }
        }
    }
    assert!(checked >= 30, "only {checked} commands were found");
}

/// Runs a page's commands in order, as a reader would, on its own simulated cluster; returns the lines that were run,
/// and what each printed.
fn walk(page: &str) -> Vec<(String, String)> {
    let cluster = Cluster::instant();
    let mut ran = Vec::new();
    for line in commands(&repository(page)) {
        let Some(mut args) = args(&line) else { continue };
        // These run until they are stopped, or write next to the machine's plugin.
        if args[0] == "sandbox" || args[0] == "completion" {
            continue;
        }
        if args[0] == "cleanup" {
            // No one is there to be asked.
            args.push("--yes".to_owned());
        }
        if args.contains(&"--sandbox".to_owned()) && !args.contains(&"--speed".to_owned()) {
            args.extend(["--speed", "50"].map(str::to_owned));
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = cluster.program().env("BOOTSTORM_OUTPUT", "summary").run(&args);
        assert_eq!(done.code, 0, "{page}: {line}\n{}\n{}", done.stdout, done.stderr);
        ran.push((line, done.stdout));
    }
    assert!(ran.len() >= 8, "only {} commands of {page} were run", ran.len());
    ran
}

#[test]
fn the_commands_of_the_front_page_work_in_their_order_and_print_its_sample() {
    let ran = walk("README.md");
    let (_, printed) = ran.iter().find(|(line, _)| line.contains("--sandbox")).unwrap();
    let readme = text("README.md");
    let (_, sample) = readme.split_once("<!-- sample:begin -->\n```text\n").unwrap();
    let (sample, _) = sample.split_once("```\n<!-- sample:end -->").unwrap();
    assert_eq!(lacking(sample, printed), None, "{printed}");
}

#[test]
fn the_quick_start_is_one_screen_and_its_commands_work_in_their_order() {
    let page = text("docs/quick-start.md");
    assert!(page.lines().count() <= 40, "{} lines", page.lines().count());
    let ran = walk("docs/quick-start.md");
    let printed = |line: &str| ran.iter().find(|(ran, _)| ran.contains(line)).unwrap().1.as_str();
    assert!(printed("--sandbox").contains("Verdict: ") && printed("report -o guide").contains("Statistics:"));
    assert!(printed("-o html").starts_with("<!DOCTYPE html>"));
}

/// A line without its figures, which differ between runs.
fn words(line: &str) -> Vec<&str> {
    let is_text = |word: &str| !word.starts_with(|c: char| c.is_ascii_digit()) && word != "%";
    line.split_whitespace().filter(|word| is_text(word.trim_start_matches(['+', '-', '(']))).collect()
}

/// Whether a line depends on a run's times: the verdict and its reasons, the curve, names of VMs, doubts.
fn differs(line: &str) -> bool {
    let begins = ["Verdict: ", "No single bottleneck", "Bottleneck: ", "Times of ", "  boot-storm-test-"];
    line.contains('┤') || words(line).is_empty() || begins.iter().any(|start| line.starts_with(start))
}

/// The first line of a sample that is not printed after the previous ones, except for those that vary between runs.
fn lacking<'a>(sample: &'a str, printed: &str) -> Option<&'a str> {
    let mut rest = printed.lines().filter(|line| !differs(line));
    sample
        .lines()
        .filter(|line| !differs(line))
        .find(|line| rest.next().is_none_or(|printed| words(printed) != words(line)))
}

#[test]
fn a_sample_that_is_not_printed_is_noticed() {
    let printed = "Title\na   1.5s  -3 %\nVerdict: FAIR - so\n   ┤ x\nb 2.0s +94 %\n";
    assert_eq!(lacking("Title\na 9s +1 %\nVerdict: GOOD - it\nb 1s", printed), None);
    assert_eq!(lacking("Title\nb 1s", printed), Some("b 1s"), "a line was left out");
    assert_eq!(lacking("Title\na 9s reached", printed), Some("a 9s reached"));
    assert_eq!(lacking("a 1s\nTitle", printed), Some("a 1s"), "the order is another one");
}

#[test]
fn the_commands_that_set_everything_up_are_the_ones_ci_runs() {
    let readme = commands(&repository("README.md"));
    assert!(readme.contains(&"cargo run --release -- run --sandbox --end 20".to_owned()));
    assert!(readme.contains(&"cargo test --locked".to_owned()));
    assert!(text(".ci/run").contains("cargo test --locked"));
}

#[test]
fn quotes_and_redirections_are_the_shells() {
    assert_eq!(args("kubectl bootstorm report -o html > a.html").unwrap(), ["report", "-o", "html"]);
    assert_eq!(args("kubectl bootstorm storm --goal 'a b'").unwrap(), ["storm", "--goal", "a b"]);
    assert_eq!(args("kubectl get vm"), None);
}
