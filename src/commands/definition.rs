//! The definition of the command line for all uses beside parsing: help, completion, man pages, configuration.

use clap::{Command, CommandFactory};

use super::{Cli, help, program};

/// The command line of the program.
pub fn definition() -> Command {
    help::arranged(Cli::command().long_version(program::long()))
}

/// The definition with global flags in every subcommand, for code that inspects flags instead of parsing.
pub fn built() -> Command {
    let mut command = definition();
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(command: &Command) -> Vec<String> {
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        shown.map(|command| command.get_name().to_owned()).collect()
    }

    fn help(args: &[&str]) -> String {
        let short = args.contains(&"-h");
        let args = ["kubectl-bootstorm"].iter().chain(args);
        help::shown(definition(), short).try_get_matches_from(args).unwrap_err().to_string()
    }

    #[test]
    fn the_short_help_fits_one_screen_and_names_no_flag_of_other_commands() {
        for name in names(&definition()) {
            let text = help(&[&name, "-h"]);
            assert!(text.lines().count() <= 40, "{name}: {} lines\n{text}", text.lines().count());
            let offline = ["completion", "dashboard", "options", "sandbox"].contains(&name.as_str());
            for (flag, shown) in [("--kubeconfig", false), ("--as ", false), ("--context", !offline)] {
                let long = help(&[&name, "--help"]);
                let flags = long.split_once("\nUsage: ").unwrap().1.replace("such as --kubeconfig.", "");
                assert_eq!(flags.contains(flag), shown, "{name} {flag}\n{long}");
            }
        }
    }

    #[test]
    fn usage_says_how_it_is_typed() {
        for name in names(&definition()) {
            let text = help(&[&name, "-h"]);
            assert!(text.contains(&format!("Usage: kubectl bootstorm {name}")), "{text}");
        }
        assert!(help(&["-h"]).contains("Usage: kubectl bootstorm "), "{}", help(&["-h"]));
    }

    #[test]
    fn every_long_help_shows_examples_before_flags_and_the_short_one_none() {
        for name in names(&definition()).iter().map(String::as_str).chain([""]) {
            let words = |help: &'static str| [name, help].into_iter().filter(|word| !word.is_empty());
            let long = help(&words("--help").collect::<Vec<_>>());
            let examples =
                long.find("\nExamples:\n  # ").unwrap_or_else(|| panic!("{name} has no examples:\n{long}"));
            let usage = long.find("\nUsage: ").unwrap();
            assert!(examples < usage, "{name}:\n{long}");
            let short = help(&words("-h").collect::<Vec<_>>());
            assert!(!short.contains("Examples:") && short.len() < long.len(), "{name}:\n{short}");
        }
    }

    /// The commands of the examples in a text, each on one line, with single blanks.
    fn commands(text: &str) -> Vec<String> {
        let (_, examples) = text.split_once("Examples:\n").unwrap_or_default();
        let whole = examples.replace("\\\n", " ");
        let lines = whole.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect()
    }

    #[test]
    fn what_is_pasted_from_the_examples_is_the_whole_command() {
        let source = definition();
        let mut seen = 0;
        for width in [60, 72, 80, 100] {
            for name in names(&source).iter().map(String::as_str).chain([""]) {
                let below = source.find_subcommand(name).unwrap_or(&source);
                let written = commands(&below.get_after_long_help().unwrap().to_string());
                let args = ["kubectl-bootstorm", name, "--help"];
                let args = args.into_iter().filter(|word| !word.is_empty());
                let shown = help::shown_in(definition(), false, width);
                let shown = shown.try_get_matches_from(args).unwrap_err().to_string();
                assert_eq!(commands(&shown), written, "{name} in {width} columns:\n{shown}");
                let (examples, _) = shown.split_once("\nUsage: ").unwrap();
                // Only a single word of that width can be wider.
                let wide = |line: &&str| line.chars().count() > width && line.trim().contains(' ');
                assert_eq!(examples.lines().find(wide), None, "{name} in {width} columns");
                seen += written.len();
            }
        }
        assert!(seen > 100, "only {seen} commands were found");
    }

    #[test]
    fn a_typo_is_answered_with_what_was_meant() {
        assert!(help(&["strom"]).contains("'storm'"), "{}", help(&["strom"]));
        assert!(help(&["run", "--sandbx"]).contains("'--sandbox'"), "{}", help(&["run", "--sandbx"]));
        assert!(help(&["report", "-o", "jsno"]).contains("json"), "{}", help(&["report", "-o", "jsno"]));
    }

    #[test]
    fn the_version_names_the_target() {
        let long = help(&["--version"]);
        assert!(long.starts_with("kubectl-bootstorm ") && long.contains(env!("BOOTSTORM_TARGET")), "{long}");
        assert_eq!(help(&["-V"]).trim(), concat!("kubectl-bootstorm ", env!("CARGO_PKG_VERSION")));
    }
}
