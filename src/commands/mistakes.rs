//! Hints for wrong command lines where clap alone would not help.

use std::error::Error as _;
use std::ffi::OsString;
use std::num::{ParseFloatError, ParseIntError};

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags of other tools that this one does not have, each with its replacement. Those of the guide's Python tool come
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
    ("--job-iterations", "VMs are numbered: --end N is N VMs; for more storms: --repeat N"),
    (
        "--max-iterations",
        "to search for the largest storm that meets a goal: storm --find-max --goal 'reachable.p95<120s'",
    ),
    ("--iteration-vms", "to start some VMs at a time: --wave N/ready"),
    ("--initial-vms", "to search for the largest storm that meets a goal: storm --find-max --min N"),
    (
        "--increment",
        "to start some VMs at a time: --wave N/ready; for the largest storm that meets a goal: storm --find-max",
    ),
    ("--vms-per-node", "--end N is N VMs on all nodes; on one node: --single-node"),
    (
        "--namespaced-iterations",
        "leave it out: every VM has a namespace of its own; --vms-per-namespace N puts more into one",
    ),
    ("--iterations-per-namespace", "VMs of a namespace: --vms-per-namespace N"),
    ("--job-iteration-delay", "pace the storm with --wave N/10s or --rate N/s"),
    ("--job-pause", "pause between storms with --repeat N --rest DURATION"),
    ("--vm-latency", "leave it out: every VM is timed, from its request to its answer on the network"),
    ("--vmi-latency", "leave it out: every VM is timed, from its request to its answer on the network"),
    (
        "--vmi-ready-threshold",
        "as a limit for each VM: --timeout; as a condition of success: --fail-if 'storm.running.max>60s'",
    ),
    (
        "--vmi-running-threshold",
        "as a limit for each VM: --timeout; as a condition of success: --fail-if 'storm.running.max>60s'",
    ),
    ("--vm-image", "name the disk's image with --source containerdisk:IMAGE or --source http:URL"),
    ("--vm-cpu", "cores of each VM: --cpu N"),
    ("--vm-cpus", "cores of each VM: --cpu N"),
    ("--vm-memory", "memory of each VM: --memory SIZE"),
    ("--use-snapshot", "to clone from a snapshot: --source snapshot:NAMESPACE/NAME"),
    ("--data-volume-count", "disks are those of the manifest: -f FILE"),
    ("--ssh-key-path", "put your public key into the VMs with --ssh-key FILE"),
    ("--uuid", "a run is named by --ns-prefix NAME"),
    ("--gc", "the run stays until it is deleted with cleanup, or at once with run --cleanup"),
    ("--cleanup-only", "use the command cleanup"),
    ("--local-indexing", "save the results as files: --save-results --results-folder FOLDER"),
    ("--metrics-directory", "save the results as files: --save-results --results-folder FOLDER"),
    ("--metrics-endpoint", "cluster metrics: --prometheus SERVER; metrics of the run itself: -o openmetrics"),
    ("--metrics-profile", "metrics of the run itself: -o openmetrics or --output-file prometheus=FILE"),
    (
        "--es-server",
        "send the results to OpenSearch or Elasticsearch with --index URL; credentials come from the environment",
    ),
    ("--es-index", "name the index with --index-name NAME, and its server with --index URL"),
    ("--user-metadata", "label the saved results with --storage-driver LABEL"),
    ("--alerting", "thresholds are given with --fail-if, for example --fail-if 'storm.reachable.p95>90s'"),
    ("--check-health", "leave it out: a preflight runs first; --skip-preflight omits it"),
    (
        "--skip-tls-verify",
        "--insecure-skip-tls-verify, which sends your credentials to any server that answers",
    ),
    ("--kube-context", "name the context with --context NAME"),
    ("--churn-cycles", "stop and start the VMs again with --repeat N"),
    ("-c", "a configuration of kube-burner is not read: --end N for its iterations, -f FILE for its VM"),
    ("--wait", "leave it out: every command waits for its VMs; --timeout limits it"),
];

/// Commands of other tools, each with its replacement.
const FOREIGN_COMMANDS: &[(&str, &str)] = &[
    ("init", "the whole test is run; preview it with run --dry-run"),
    ("virt-density", "create N VMs and time each: run --end N --no-storm"),
    ("virt-ephemeral-restart", "start VMs again in waves: run --end N --wave 10/ready"),
    (
        "virt-capacity-benchmark",
        "find the largest storm that meets a goal: storm --find-max --goal 'reachable.p95<120s'",
    ),
    (
        "virt-parallel",
        "find the largest storm that meets a goal: storm --find-max --goal 'reachable.p95<120s'",
    ),
    ("kubevirt-density", "create N VMs and time each: run --end N --no-storm"),
    ("destroy", "delete what a run created: cleanup --ns-prefix NAME"),
    ("delete", "delete what a run created: cleanup --ns-prefix NAME"),
    ("measure", "to measure existing VMs: setup --adopt, then stop and storm"),
    ("index", "send results to OpenSearch or Elasticsearch with report --index URL"),
    ("import", "read saved results with report --from FILE"),
    ("check-alerts", "judge a run with report --fail-if 'storm.reachable.p95>90s'"),
    ("health-check", "preview everything: run --dry-run"),
    ("cluster-health", "preview everything: run --dry-run"),
    ("list", "list all runs: status -A"),
    ("get", "list all runs: status -A"),
    ("start", "start all stopped VMs at once: storm"),
];

/// Replacement for a configuration of kube-burner.
const KUBE_BURNER: &str = "this is a configuration of kube-burner; name the VM of its objectTemplate with -f FILE, the \
    number of VMs (jobIterations times replicas) with --end N, and qps with --rate N/s";

/// Replacement for another tool's file.
pub(super) fn foreign_file(text: &str) -> Option<&'static str> {
    text.lines().any(|line| line.starts_with("jobs:")).then_some(KUBE_BURNER)
}

/// Recoveries that are observed, not caused.
const OBSERVED: [&str; 5] = ["node-loss", "power-cut", "power-loss", "outage", "observed"];

/// The error with a helpful sentence; `words` is the command line of the program.
pub(super) fn explained(mut error: clap::Error, words: &[OsString], program: &Command) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (arg, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let tip =
                foreign(&arg).or_else(|| stray(&arg, words)).or_else(|| of_one_cluster(&arg, words, program));
            let Some(tip) = tip else { return error };
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
            error
        }
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            let Some((_, tip)) = FOREIGN_COMMANDS.iter().find(|(known, _)| *known == word) else {
                return error;
            };
            error.remove(ContextKind::SuggestedSubcommand);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(*tip)]));
            error
        }
        ErrorKind::MissingRequiredArgument if words.get(1).is_some_and(|word| word == "completion") => {
            let tip =
                "for kubectl bootstorm TAB in every shell: kubectl bootstorm completion kubectl --install";
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
            error
        }
        // Node outages are not caused by this tool, only observed.
        ErrorKind::InvalidValue if arg.starts_with("--kind") && OBSERVED.contains(&value.as_str()) => {
            let tip = "this tool powers off no node; to measure an outage caused elsewhere: kubectl \
                bootstorm observe";
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
            error
        }
        ErrorKind::ValueValidation => {
            let Some(wanted) = error.source().and_then(|source| wanted(source, &value)) else { return error };
            clap::Error::raw(error.kind(), format!("invalid value '{value}' for '{arg}': {wanted}"))
        }
        _ => error,
    }
}

/// Replacement for another tool's flag.
fn foreign(arg: &str) -> Option<String> {
    let flag = arg.split_once('=').map_or(arg, |(flag, _)| flag);
    FOREIGN.iter().find(|(known, _)| *known == flag).map(|(_, tip)| (*tip).to_owned())
}

/// Explains a flag that `fleet` lacks and the same command of a single cluster has.
fn of_one_cluster(arg: &str, words: &[OsString], program: &Command) -> Option<String> {
    let word = |place: usize| words.get(place).and_then(|word| word.to_str());
    let action = word(2).filter(|_| word(1) == Some("fleet"))?;
    let flag = arg.split_once('=').map_or(arg, |(flag, _)| flag).strip_prefix("--")?;
    let has = program.find_subcommand(action)?.get_arguments().any(|arg| arg.get_long() == Some(flag));
    has.then(|| {
        format!("it is a flag of single clusters: kubectl bootstorm {action} --{flag} --context NAME")
    })
}

/// Explains a stray word after a flag of another tool that takes a value.
fn stray(arg: &str, words: &[OsString]) -> Option<String> {
    let place = words.iter().position(|word| word == arg)?;
    let before = words.get(place.checked_sub(1)?)?.to_str()?;
    match before {
        "--single-node" => Some(format!("to name the node: --single-node --node-name {arg}")),
        "--dry-run" => Some(format!("write the value behind an equals sign: --dry-run={arg}")),
        before if is_expanded(before, arg) => {
            let stem = arg.trim_end_matches(|c: char| c.is_ascii_digit());
            Some(format!("the shell has expanded braces; put them in quotes: '{stem}{{1..N}}'"))
        }
        _ => None,
    }
}

/// Whether a word follows another one that differs only in the number at its end.
fn is_expanded(before: &str, word: &str) -> bool {
    let stem = |word: &str| word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    before[..stem(before)] == word[..stem(word)]
        && stem(word) > 0
        && stem(word) < word.len()
        && before != word
}

/// Expected form of a number.
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
        explained(definition().try_get_matches_from(&words).unwrap_err(), &words, &definition()).to_string()
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
        let flags = FOREIGN.iter().filter(|(flag, _)| *flag != "-c");
        assert!(flags.clone().all(|(flag, _)| !is_known(flag)));
        assert!(
            flags.clone().all(|(flag, _)| FOREIGN.iter().filter(|(other, _)| other == flag).count() == 1)
        );
        for (flag, tip) in FOREIGN.iter().chain(FOREIGN_COMMANDS) {
            for word in tip.split([' ', ';', ':', ',']).filter(|word| word.starts_with("--")) {
                assert!(is_known(word), "{flag}: {word}");
            }
        }
    }

    #[test]
    fn commands_and_flags_of_kube_burner_are_answered_with_those_that_serve() {
        let program = built();
        for (command, tip) in FOREIGN_COMMANDS {
            assert!(program.find_subcommand(command).is_none(), "{command}");
            let told = answer(command);
            assert!(told.contains(tip) && !told.contains("similar"), "{command}: {told}");
        }
        for line in ["run --vmi-ready-threshold 1m", "run --uuid x", "run -c kubevirt.yml", "run --gc=false"]
        {
            assert!(answer(line).contains("tip: ") && !answer(line).contains("similar"), "{}", answer(line));
        }
        assert!(
            foreign_file("global:\n  gc: true\njobs:\n- name: a\n")
                .is_some_and(|tip| tip.contains("--end N"))
        );
        assert!(foreign_file("spec:\n  jobs: 1\n").is_none());
        assert!(answer("staus").contains("similar subcommand"), "{}", answer("staus"));
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
    fn a_flag_that_a_fleet_lacks_leads_to_single_clusters() {
        let told = answer("fleet run --dry-run");
        assert!(told.contains("kubectl bootstorm run --dry-run --context NAME"), "{told}");
        assert!(!answer("fleet run --none").contains("--context"), "{}", answer("fleet run --none"));
        assert!(!answer("fleet report --dry-run").contains("--context"));
    }

    #[test]
    fn braces_that_the_shell_has_expanded_are_recognised() {
        let told = answer("run --source pvc:gold/g-1 pvc:gold/g-2 pvc:gold/g-3");
        assert!(told.contains("put them in quotes: 'pvc:gold/g-{1..N}'"), "{told}");
        assert!(!answer("run --source pvc:gold/g-1 other").contains("quotes"));
    }

    #[test]
    fn a_recovery_that_others_cause_leads_to_the_command_that_observes_it() {
        assert!(answer("storm --kind node-loss").contains("kubectl bootstorm observe"));
        assert!(!answer("storm --kind other").contains("observe"), "{}", answer("storm --kind other"));
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
