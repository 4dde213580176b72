//! The hidden `__complete`: answers in cobra's line protocol, which kubectl uses with its plugins.
//!
//! One candidate per line, with its description after a tab; the last line `:N` is the directive for the shell.

use std::ffi::OsString;

use tokio::runtime::Handle;

use super::live::{self, Asker};
use crate::commands::config::{self, Environment};
use crate::commands::definition::definition;
use bootstorm_model::text::printable;

/// No space after the candidate: it is to be continued.
const NO_SPACE: u8 = 2;
/// No files if there are no candidates.
const NO_FILES: u8 = 4;

/// Candidates for the last of these words, which do not include the program's name.
///
/// Errors are silent: the user is typing, not running a command.
pub fn answer(words: &[OsString], environment: &Environment, runtime: &Handle) -> String {
    let program = std::iter::once(OsString::from("kubectl-bootstorm"));
    let mut all: Vec<OsString> = program.chain(words.iter().cloned()).collect();
    if all.len() == 1 {
        all.push(OsString::new());
    }
    let last = all.len() - 1;
    let typed = all[last].to_string_lossy().into_owned();
    let before = all[..last].to_vec();
    let before = config::complete(before.clone(), environment).map_or(before, |completed| completed.words);
    let asker = Asker::new(&before, runtime.clone());
    let mut command = live::with_values(definition(), &asker);
    let here = std::env::current_dir().ok();
    let found = clap_complete::engine::complete(&mut command, all, last, here.as_deref()).unwrap_or_default();
    let candidates = found.iter().map(|candidate| {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        (candidate.get_value().to_string_lossy().into_owned(), help)
    });
    // As in kubectl, flags are offered once the user has begun to type one.
    let wanted = candidates.filter(|(value, _)| typed.starts_with('-') || !value.starts_with('-'));
    lines(&wanted.collect::<Vec<_>>())
}

fn lines(candidates: &[(String, String)]) -> String {
    let mut text = String::new();
    for (value, help) in candidates {
        // A name that has to be escaped cannot be completed.
        if printable(value) != value.as_str() {
            continue;
        }
        let help = help.lines().next().unwrap_or_default();
        let tab = if help.is_empty() { "" } else { "\t" };
        text.push_str(&format!("{value}{tab}{}\n", printable(help)));
    }
    let goes_on = !candidates.is_empty() && candidates.iter().all(|(value, _)| value.ends_with(['/', ':']));
    text.push_str(&format!(":{}\n", if goes_on { NO_SPACE | NO_FILES } else { NO_FILES }));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> String {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        answer(&words, &Environment::default(), runtime.handle())
    }

    #[test]
    fn commands_come_with_their_descriptions_and_without_flags() {
        let told = told(&[""]);
        assert!(told.contains("\nstorm\tStart all stopped VMs at once"), "{told}");
        assert!(told.ends_with("\n:4\n") && !told.contains("--"), "{told}");
    }

    #[test]
    fn flags_are_offered_to_those_who_type_one() {
        let told = told(&["run", "--sand"]);
        assert_eq!(told, "--sandbox\tRun on a simulated cluster instead of a real one\n:4\n");
    }

    #[test]
    fn values_follow_their_flag() {
        assert!(told(&["report", "-o", "ju"]).starts_with("junit\t"), "{}", told(&["report", "-o", "ju"]));
        assert!(told(&["report", "--output=ju"]).starts_with("--output=junit\t"));
        assert_eq!(told(&["run", "--source", "cont"]), "containerdisk:\n:6\n");
    }

    #[test]
    fn nothing_is_said_about_what_is_not_there() {
        assert_eq!(told(&["run", "--end", ""]), ":4\n");
    }

    #[test]
    fn hostile_names_are_not_offered() {
        let candidates = [("a\tb".to_owned(), String::new()), ("ok".to_owned(), "x\ny".to_owned())];
        assert_eq!(lines(&candidates), "ok\tx\n:4\n");
    }
}
