//! Flags that have an effect only together with another one.
//!
//! clap checks that, too, but not where the other flag conflicts with a third one that is present: then a flag would be
//! ignored in silence.

use clap::{ArgMatches, Command};

use super::config::Found;

/// A flag, and those of which it needs one.
const NEEDS: [(&str, &[&str]); 23] = [
    ("selector", &["adopt"]),
    ("adopt-namespace", &["adopt"]),
    ("all-namespaces", &["adopt"]),
    ("include-halted", &["adopt", "adopt-file"]),
    ("set", &["filename"]),
    ("param", &["filename"]),
    ("copy-from", &["filename"]),
    ("rest", &["repeat"]),
    ("warm-up", &["repeat"]),
    ("goal", &["find-max"]),
    ("max", &["find-max"]),
    ("min", &["find-max"]),
    ("budget", &["find-max"]),
    ("max-storms", &["find-max"]),
    ("shards", &["in-cluster"]),
    ("runner-image", &["in-cluster"]),
    ("service-account", &["in-cluster"]),
    ("nodes", &["sandbox"]),
    ("profile", &["sandbox"]),
    ("seed", &["sandbox"]),
    ("speed", &["sandbox"]),
    ("truth", &["sandbox"]),
    ("faults", &["sandbox"]),
];

/// What is wrong with typed flags, and what to do; `None` if nothing is.
///
/// Values from a configuration file, a variable or a plan are for many commands, so they may stay without effect.
pub(super) fn fault(program: &Command, matches: &ArgMatches, found: &[Found]) -> Option<String> {
    let (mut command, mut typed) = (program, matches);
    while let Some((name, below)) = typed.subcommand() {
        (command, typed) = (command.find_subcommand(name)?, below);
    }
    let is_given = |flag: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag));
        arg.is_some_and(|arg| {
            typed.value_source(arg.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine)
        })
    };
    let has = |flag: &str| command.get_arguments().any(|arg| arg.get_long() == Some(flag));
    let is_typed = |flag: &str| is_given(flag) && !found.iter().any(|found| found.flag == flag);
    let (flag, owners) = NEEDS.iter().find(|(flag, owners)| {
        owners.iter().any(|owner| has(owner)) && is_typed(flag) && !owners.iter().any(|owner| is_given(owner))
    })?;
    let owners: Vec<String> =
        owners.iter().filter(|owner| has(owner)).map(|owner| format!("--{owner}")).collect();
    Some(format!("--{flag} has an effect only with {}", owners.join(" or ")))
}
