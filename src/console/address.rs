//! Suggested commands: those for a run reach the same cluster and namespace as the command that suggests them.

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::OnceLock;

/// Connection flags as typed, each with the word that names it: a variable or a file also applies to the next command.
static TYPED: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();

/// The command line as typed, for a shell; `None` if it must not be shown or repeated.
static LINE: OnceLock<Option<String>> = OnceLock::new();

/// Flags that decide where a run is.
pub const FLAGS: [(&str, &str); 7] = [
    ("kubeconfig", "--kubeconfig"),
    ("context", "--context"),
    ("cluster", "--cluster"),
    ("server", "-s"),
    ("namespace", "-n"),
    ("impersonate", "--as"),
    ("fleet_record", FLEET_RECORD),
];

/// Where a fleet's record is: only for its own commands.
const FLEET_RECORD: &str = "--fleet-record";

/// The command line, up to the name of its run.
const COMMAND: &str = "kubectl bootstorm ";
const PREFIX: &str = " --ns-prefix ";
/// The command that lists runs, which needs no name of one.
const STATUS: &str = "status";
/// Begins the commands of a fleet, which has a name by default.
const FLEET: &str = "fleet ";
/// Commands of kubectl that are suggested; only with one of them it is a command and not a word.
const KUBECTL: [&str; 17] = [
    "annotate",
    "api-resources",
    "auth",
    "cluster-info",
    "create",
    "delete",
    "describe",
    "drain",
    "exec",
    "get",
    "label",
    "logs",
    "patch",
    "taint",
    "top",
    "uncordon",
    "wait",
];

/// Ends a suggested command that is to be repeated as it was typed.
const REPEATED: &str = " with the same flags";

/// Flags that begin a run anew instead of continuing it.
const ANEW: [&str; 1] = ["--fresh"];

/// Sets the flags that were typed, once.
pub fn set(typed: Vec<(&'static str, String)>) {
    let _ = TYPED.set(typed);
}

/// Sets the words that were typed after the name of the program, once. `is_secret` tells that they hold a secret.
pub fn set_line(words: &[OsString], is_secret: bool) {
    let words = words.iter().map(|word| word.to_str());
    let words: Option<Vec<&str>> = words.collect();
    let repeated = words.filter(|_| !is_secret).map(|words| {
        let words = words.into_iter().filter(|word| !ANEW.contains(word));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    });
    let _ = LINE.set(repeated);
}

/// The text, with the typed flags in each command for a run.
pub fn completed(text: &str) -> Cow<'_, str> {
    if let Some(Some(line)) = LINE.get()
        && let Some(repeated) = repeated(text, line)
    {
        return repeated.into();
    }
    match TYPED.get() {
        Some(typed) if !typed.is_empty() && text.contains("kubectl ") => {
            of_kubectl(&with(text, typed), typed).into()
        }
        _ => text.into(),
    }
}

/// A text whose only command is to be repeated, with the line that was typed; `None` if that is another command.
fn repeated(text: &str, line: &str) -> Option<String> {
    let (before, rest) = text.split_once(COMMAND)?;
    let (command, after) = rest.split_once(REPEATED)?;
    let words =
        |line: &str| line.split(' ').take_while(|word| !word.starts_with('-')).collect::<Vec<_>>().join(" ");
    (words(command) == words(line)).then(|| format!("{before}{COMMAND}{line}{after}"))
}

fn with(text: &str, typed: &[(&str, String)]) -> String {
    let mut parts = text.split(COMMAND);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str(COMMAND);
        let command = &part[..part.find(['\n', ';']).unwrap_or(part.len())];
        let place = command.find(PREFIX).map(|at| at + PREFIX.len());
        let end = place.map(|begin| {
            let rest = &command[begin..];
            begin + rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())
        });
        let is_status = command.split([' ', ')']).next() == Some(STATUS);
        let of_fleet = command.strip_prefix(FLEET).map(|rest| {
            let verb = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            FLEET.len() + verb
        });
        let Some(end) = end.or(is_status.then_some(STATUS.len())).or(of_fleet) else {
            whole.push_str(part);
            continue;
        };
        whole.push_str(&part[..end]);
        let everywhere = command.contains(" -A");
        let missing = |(flag, _): &&(&str, String)| {
            !(command.contains(&format!(" {flag} ")) || everywhere && *flag == "-n")
        };
        let applies = |(flag, _): &&(&str, String)| *flag != FLEET_RECORD || of_fleet.is_some();
        for (flag, value) in typed.iter().filter(missing).filter(applies) {
            whole.push_str(&format!(" {flag} {}", quoted(value)));
        }
        whole.push_str(&part[end..]);
    }
    whole
}

/// The text, with the typed flags that choose a cluster in each command of kubectl. Their namespaces are their own.
fn of_kubectl(text: &str, typed: &[(&str, String)]) -> String {
    let flags: String = typed
        .iter()
        .filter(|(flag, _)| !["-n", FLEET_RECORD].contains(flag))
        .map(|(flag, value)| format!("{flag} {} ", quoted(value)))
        .collect();
    let mut parts = text.split("kubectl ");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole.push_str("kubectl ");
        let verb = part.split([' ', '\n', ';', ',']).next().unwrap_or_default();
        if KUBECTL.contains(&verb) {
            whole.push_str(&flags);
        }
        whole.push_str(part);
    }
    whole
}

/// A word for a shell.
fn quoted(value: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        value.into()
    } else {
        format!("'{}'", value.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_to_be_repeated_is_shown_as_typed() {
        let hint = "to continue: kubectl bootstorm run --ns-prefix cc with the same flags";
        let line = "run --ns-prefix cc --end 2 -f 'my vm.yaml'";
        assert_eq!(
            repeated(hint, line).unwrap(),
            "to continue: kubectl bootstorm run --ns-prefix cc --end 2 -f 'my vm.yaml'"
        );
        assert_eq!(repeated(hint, "setup --ns-prefix cc"), None, "another command");
        let fleet = "to continue: kubectl bootstorm fleet storm with the same flags";
        assert!(repeated(fleet, "fleet storm --contexts 'a*'").unwrap().ends_with("--contexts 'a*'"));
        assert_eq!(repeated("kubectl bootstorm report --ns-prefix a", line), None);
    }

    #[test]
    fn commands_of_a_fleet_name_its_record_and_others_do_not() {
        let typed = [("--fleet-record", "/tmp/f.json".to_owned()), ("--as", "jane".to_owned())];
        assert_eq!(
            with("see: kubectl bootstorm fleet status", &typed),
            "see: kubectl bootstorm fleet status --fleet-record /tmp/f.json --as jane"
        );
        assert_eq!(
            with("kubectl bootstorm fleet report -o wide --ns-prefix a", &typed),
            "kubectl bootstorm fleet report -o wide --ns-prefix a --fleet-record /tmp/f.json --as jane"
        );
        assert_eq!(
            with("kubectl bootstorm report --ns-prefix a", &typed),
            "kubectl bootstorm report --ns-prefix a --as jane"
        );
        assert_eq!(of_kubectl("kubectl auth can-i --list", &typed), "kubectl --as jane auth can-i --list");
    }

    #[test]
    fn commands_for_a_run_get_what_was_typed_and_nothing_twice() {
        let typed = [("--context", "prod east".to_owned()), ("-n", "team".to_owned())];
        let cases = [
            (
                "next: kubectl bootstorm create --ns-prefix a-1\n",
                "next: kubectl bootstorm create --ns-prefix a-1 --context 'prod east' -n team\n",
            ),
            (
                "do: kubectl bootstorm setup --ns-prefix a with the same flags; or not",
                "do: kubectl bootstorm setup --ns-prefix a --context 'prod east' -n team with the same flags; or not",
            ),
            (
                "kubectl bootstorm report --ns-prefix a -n there -o wide",
                "kubectl bootstorm report --ns-prefix a --context 'prod east' -n there -o wide",
            ),
            (
                "try: kubectl bootstorm run --sandbox --end 20",
                "try: kubectl bootstorm run --sandbox --end 20",
            ),
            ("it's --ns-prefix that counts", "it's --ns-prefix that counts"),
            (
                "list them: kubectl bootstorm status -A",
                "list them: kubectl bootstorm status --context 'prod east' -A",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(with(text, &typed), expected);
        }
        assert_eq!(
            of_kubectl("see why: kubectl get pods -A; kubectl bootstorm status, as kubectl does", &typed),
            "see why: kubectl --context 'prod east' get pods -A; kubectl bootstorm status, as kubectl does"
        );
        let both =
            with("kubectl bootstorm stop --ns-prefix a\nkubectl bootstorm storm --ns-prefix a", &typed[1..]);
        assert_eq!(both.matches(" -n team").count(), 2);
    }
}
