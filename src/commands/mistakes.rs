//! What a wrong command line is answered with, where clap alone would not help.

use std::error::Error as _;
use std::ffi::OsString;
use std::num::{ParseFloatError, ParseIntError};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags that other tools have and this one has not, each with what serves instead. Those of the guide's Python tool come
/// first; docs/guide.md has the same table.
const FOREIGN: &[(&str, &str)] = &[
    ("--boot-storm", "run measures a storm by default; without one: run --no-storm"),
    ("--poll-interval", "leave it out: changes are watched, not polled"),
    ("--ping-interval", "leave it out: guests are probed all the time"),
    (
        "--ssh-pod",
        "to probe from a pod of yours: --probe-pod NAMESPACE/NAME; without it, the run makes its own",
    ),
    (
        "--ssh-pod-ns",
        "to probe from a pod of yours: --probe-pod NAMESPACE/NAME; without it, the run makes its own",
    ),
    ("--vm-template", "name the manifest with -f FILE"),
    ("--secret-yaml", "put what the Secret holds into --user-data FILE, or create the Secret beforehand"),
    ("--num-disks", "leave it out: disks are counted in the manifest"),
    (
        "--skip-vm-creation",
        "to measure existing VMs: setup --adopt; a storm of an existing run needs no flag",
    ),
    ("--skip-namespace-creation", "to use a namespace that exists: --vm-namespace NAME"),
    ("--cleanup-on-failure", "run --cleanup cleans up whatever the outcome"),
    ("--dry-run-cleanup", "write it as cleanup --dry-run"),
    ("--vms", "VMs are numbered: --end N is N VMs"),
    ("--vm-count", "VMs are numbered: --end N is N VMs"),
    ("--count", "VMs are numbered: --end N is N VMs"),
    ("--replicas", "VMs are numbered: --end N is N VMs"),
    ("--iterations", "VMs are numbered: --end N is N VMs; for more storms: --repeat N"),
    ("--node", "name the node with --node-name NAME"),
    ("--nodes-selector", "choose nodes by label with --node-selector KEY=VALUE"),
    ("--image", "name the disk's image with --source containerdisk:IMAGE or --source http:URL"),
    ("--container-disk-image", "name the disk's image with --source containerdisk:IMAGE"),
    ("--datasource", "name it as --source datasource:NAMESPACE/NAME"),
    ("--pvc", "name it as --source pvc:NAMESPACE/NAME"),
    ("--output-format", "the format is -o FORMAT"),
    ("--format", "the format is -o FORMAT"),
    ("--json", "the format is -o json"),
    ("--qps", "limit the rate of a storm with --rate N/s, and requests in flight with --concurrency N"),
    ("--burst", "limit requests in flight with --concurrency N"),
    ("--wait", "leave it out: every command waits for its VMs; --timeout limits it"),
];

/// The error with a sentence that helps; `words` is the command line.
pub(super) fn explained(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (arg, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let Some(tip) = foreign(&arg).or_else(|| stray(&arg, words)) else { return error };
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
            error
        }
        ErrorKind::MissingRequiredArgument if words.get(1).is_some_and(|word| word == "completion") => {
            let tip =
                "for kubectl bootstorm TAB in every shell: kubectl bootstorm completion kubectl --install";
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
            error
        }
        ErrorKind::ValueValidation => {
            let Some(wanted) = error.source().and_then(|source| wanted(source, &value)) else { return error };
            clap::Error::raw(error.kind(), format!("invalid value '{value}' for '{arg}': {wanted}\n"))
        }
        _ => error,
    }
}

/// What serves instead of another tool's flag.
fn foreign(arg: &str) -> Option<String> {
    let flag = arg.split_once('=').map_or(arg, |(flag, _)| flag);
    FOREIGN.iter().find(|(known, _)| *known == flag).map(|(_, tip)| (*tip).to_owned())
}

/// A word that is no flag's value, behind a flag whose value is another's.
fn stray(arg: &str, words: &[OsString]) -> Option<String> {
    let place = words.iter().position(|word| word == arg)?;
    let before = words.get(place.checked_sub(1)?)?.to_str()?;
    match before {
        "--single-node" => Some(format!("to name the node: --single-node --node-name {arg}")),
        "--dry-run" => Some(format!("write the value behind an equals sign: --dry-run={arg}")),
        _ => None,
    }
}

/// What a number should have looked like.
fn wanted(source: &(dyn std::error::Error + 'static), value: &str) -> Option<&'static str> {
    if source.is::<ParseFloatError>() {
        return Some("it must be a number");
    }
    source.is::<ParseIntError>().then(|| {
        let digits = value.trim_start_matches('+');
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            "it is too large"
        } else {
            "it must be a whole number"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::definition::{built, definition};

    fn answer(line: &str) -> String {
        let words: Vec<OsString> =
            ["kubectl-bootstorm"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        explained(definition().try_get_matches_from(&words).unwrap_err(), &words).to_string()
    }

    fn is_known(flag: &str) -> bool {
        let program = built();
        let long = flag.trim_start_matches("--");
        program.get_subcommands().flat_map(clap::Command::get_arguments).any(|arg| {
            arg.get_long_and_visible_aliases().is_some_and(|all| all.contains(&long))
                || arg.get_all_aliases().is_some_and(|all| all.contains(&long))
        })
    }

    #[test]
    fn every_flag_of_the_guides_tool_is_taken_or_answered() {
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md")).unwrap();
        let (_, table) = guide.split_once("| Python tool | this tool |").unwrap();
        let mut seen = 0;
        for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let first = row.split('|').nth(1).unwrap();
            for flag in first.split('`').filter(|word| word.starts_with("--")) {
                seen += 1;
                if is_known(flag) {
                    assert!(foreign(flag).is_none(), "{flag} is a flag of ours");
                    continue;
                }
                let told = answer(&format!("run {flag}"));
                assert!(told.contains("tip: ") && !told.contains("similar"), "{flag}: {told}");
            }
        }
        assert!(seen >= 25, "{seen}");
    }

    #[test]
    fn tips_name_flags_that_exist() {
        for (flag, tip) in FOREIGN {
            assert!(!is_known(flag), "{flag}");
            for word in tip.split([' ', ';', ':', ',']).filter(|word| word.starts_with("--")) {
                assert!(is_known(word), "{flag}: {word}");
            }
        }
    }

    #[test]
    fn a_node_that_is_named_without_its_flag_is_understood() {
        assert!(answer("run --single-node node-1").contains("--single-node --node-name node-1"));
        assert!(
            answer("run --single-node=node-1").contains("--node-name"),
            "{}",
            answer("run --single-node=node-1")
        );
    }

    #[test]
    fn a_completion_of_nothing_is_answered_with_the_command_that_most_want() {
        assert!(answer("completion").contains("tip: ") && answer("completion").contains("kubectl --install"));
        assert!(!answer("compare").contains("--install"), "{}", answer("compare"));
    }

    #[test]
    fn numbers_are_asked_for_in_words() {
        assert!(answer("run --end x").contains("it must be a whole number"), "{}", answer("run --end x"));
        assert!(answer("run --end -- -1").contains("unexpected"), "{}", answer("run --end -- -1"));
        assert!(answer("run --end 99999999999999999999999").contains("it is too large"));
        for line in
            ["run --seed x", "run --speed x", "run --concurrency x", "run --nodes x", "storm --max 1.5"]
        {
            let told = answer(line);
            assert!(!told.contains("digit") && !told.contains("literal"), "{told}");
        }
    }
}
