//! Tests of precedence.

use std::ffi::OsString;
use std::path::Path;

use super::*;

fn environment(variables: &[(&str, &str)], file: Option<&Path>) -> Environment {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut environment = Environment { variables: variables.collect(), folder: None };
    if let Some(file) = file {
        environment.variables.insert("BOOTSTORM_CONFIG".into(), file.to_string_lossy().into_owned());
    }
    environment
}

fn with_file(text: &str, variables: &[(&str, &str)], typed: &[&str]) -> Result<Vec<String>, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let words = ["kubectl-bootstorm"].iter().chain(typed).map(OsString::from).collect();
    let completed = complete(words, &environment(variables, Some(&path)))?;
    Ok(completed.words[typed.len() + 1..].iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let text = "end: 5\n";
    assert_eq!(with_file(text, &[], &["run"]).unwrap(), ["--end=5"]);
    assert_eq!(with_file(text, &[("BOOTSTORM_END", "7")], &["run"]).unwrap(), ["--end=7"]);
    assert_eq!(with_file(text, &[("BOOTSTORM_END", "7")], &["run", "--end", "9"]).unwrap(), [""; 0]);
}

#[test]
fn a_section_is_for_one_command() {
    let text = "concurrency: 100\nstorm:\n  concurrency: 500\n";
    assert_eq!(with_file(text, &[], &["storm"]).unwrap(), ["--concurrency=500"]);
    assert_eq!(with_file(text, &[], &["create"]).unwrap(), ["--concurrency=100"]);
    assert_eq!(with_file(text, &[], &["sandbox"]).unwrap(), [""; 0]);
}

#[test]
fn switches_lists_and_counts_become_words() {
    let text =
        "no-headers: true\nquiet: false\nverbose: 2\nfail-if:\n  - storm.running.p95>60s\n  - failed>0\n";
    let words = with_file(text, &[], &["report"]).unwrap();
    assert_eq!(
        words.iter().map(String::as_str).filter(|word| !word.contains("fail-if")).collect::<Vec<_>>(),
        ["--no-headers", "--verbose", "--verbose"]
    );
    assert_eq!(words.iter().filter(|word| word.starts_with("--fail-if=")).count(), 2, "{words:?}");
    let words = with_file("", &[("BOOTSTORM_FAIL_IF", "a>1\nb>2"), ("BOOTSTORM_QUIET", "no")], &["report"]);
    assert_eq!(words.unwrap(), ["--fail-if=a>1", "--fail-if=b>2"]);
}

#[test]
fn what_is_on_by_default_can_be_switched_off() {
    for (text, word) in [
        ("explain: false\n", "--explain=false"),
        ("explain: true\n", "--explain"),
        ("storm:\n  explain: no\n", "--explain=false"),
    ] {
        assert_eq!(with_file(text, &[], &["storm"]).unwrap(), [word], "{text}");
    }
    assert_eq!(with_file("", &[("BOOTSTORM_EXPLAIN", "false")], &["storm"]).unwrap(), ["--explain=false"]);
}

#[test]
fn what_contradicts_something_stronger_gives_way() {
    let text = "instancetype: u1.small\n";
    assert_eq!(with_file(text, &[], &["setup", "--cpu", "2"]).unwrap(), [""; 0]);
    assert_eq!(with_file(text, &[("BOOTSTORM_CPU", "4")], &["setup"]).unwrap(), ["--cpu=4"]);
    assert_eq!(with_file(text, &[], &["setup"]).unwrap(), ["--instancetype=u1.small"]);
    // The reverse direction: here the other flag declares the conflict.
    assert_eq!(with_file("filename: vm.yaml\n", &[], &["setup", "--source", "blank"]).unwrap(), [""; 0]);
}

#[test]
fn what_follows_two_dashes_stays_behind() {
    let words = vec!["kubectl-bootstorm".into(), "compare".into(), "--".into(), "a".into()];
    let completed = complete(words, &environment(&[("BOOTSTORM_QUIET", "1")], None)).unwrap();
    assert_eq!(completed.words, ["kubectl-bootstorm", "compare", "--quiet", "--", "a"]);
}

#[test]
fn an_unknown_key_is_told_with_its_line() {
    let wrong = |text: &str| with_file(text, &[], &["run"]).unwrap_err().to_string();
    assert!(wrong("end: 3\nnodez: 3\n").contains("line 2: no command has a flag \"nodez\""));
    assert!(wrong("storm:\n  concurrency: 1\n  end: 5\n").contains("line 3: storm has no flag \"end\""));
    assert!(wrong("strom:\n  concurrency: 1\n").contains("line 2: there is no command \"strom\""));
    assert!(wrong("a: {b: {c: 1}}\n").contains("line 1: a section cannot contain sections"));
    assert!(wrong("show-config: true\n").contains("no command has a flag"));
    assert!(wrong("end: 3\nend: 4\n").contains("line 2"));
    assert!(wrong("- end\n").contains("line 1"));
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_its_place() {
    let wrong = |text: &str| with_file(text, &[], &["run"]).unwrap_err().to_string();
    assert!(wrong("quiet: soon\n").contains("config.yaml:1 is not usable: it must be true or false"));
    assert!(wrong("end: [1, 2]\n").contains("not a list"));
    assert!(wrong("log-level: off\n").contains("need quotes"));
    let variable = complete(
        vec!["kubectl-bootstorm".into(), "run".into()],
        &environment(&[("BOOTSTORM_QUIET", "soon")], None),
    );
    assert!(variable.unwrap_err().to_string().contains("BOOTSTORM_QUIET"));
}

#[test]
fn asserted_flags_take_no_defaults() {
    // It would contradict every run that was set up with other numbers.
    assert_eq!(with_file("end: 5\nstart: 2\n", &[], &["storm"]).unwrap(), [""; 0]);
}

#[test]
fn the_file_may_be_missing_unless_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = || vec!["kubectl-bootstorm".into(), "run".into()];
    let quiet = Environment { folder: Some(folder.path().to_owned()), ..Environment::default() };
    let completed = complete(words(), &quiet).unwrap();
    assert_eq!(completed.file, Some((folder.path().join("bootstorm").join("config.yaml"), false)));
    let named = environment(&[], Some(&folder.path().join("nothing")));
    assert!(complete(words(), &named).unwrap_err().to_string().contains("cannot be read"));
    let empty = environment(&[], Some(&folder.path().join("empty")));
    std::fs::write(folder.path().join("empty"), "# nothing yet\n").unwrap();
    assert_eq!(complete(words(), &empty).unwrap().words.len(), 2);
}

#[test]
fn every_flag_has_a_variable_of_its_own() {
    for command in built().get_subcommands() {
        let mut seen = std::collections::BTreeSet::new();
        for arg in command.get_arguments() {
            let Some(name) = flags::name(command, arg) else { continue };
            for variable in flags::variables(name) {
                let plain =
                    variable.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
                assert!(plain && variable.starts_with(flags::PREFIX), "{variable}");
                assert!(seen.insert(variable.clone()), "{}: {variable} twice", command.get_name());
            }
            // Querying conflicts must be possible for each argument.
            let _ = command.get_arg_conflicts_with(arg);
        }
    }
}

#[test]
fn a_message_is_explained_by_the_flags_it_mentions() {
    let found = Found { flag: "end".into(), words: vec![], origin: Origin::Variable("BOOTSTORM_END".into()) };
    let told = explanations("invalid value 'x' for '--end <N>'", std::slice::from_ref(&found));
    assert_eq!(told, ["--end was set by BOOTSTORM_END"]);
    assert!(explanations("--endless", &[found]).is_empty());
}
