//! A plan file: the flags of a run in a file that `setup` and `run` take with `-f`, like a VM manifest.
//!
//! Nothing here lists flags: a field is a long flag of one of the two commands, and its value is checked as if it had
//! been typed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

use super::file::{Entry, File};
use super::given::Given;
use super::{flags, is_typed};
use bootstorm_model::failure::Failure;

/// `apiVersion` of a plan.
pub(in crate::commands) const API_VERSION: &str = "bootstorm.dev/v1";
/// `kind` of a plan.
pub(in crate::commands) const KIND: &str = "Plan";
/// Commands that take a plan.
pub(in crate::commands) const COMMANDS: [&str; 2] = ["run", "setup"];
/// Key of the fields.
const SPEC: &str = "spec";
/// Maximum size of a plan in bytes.
const MOST_BYTES: u64 = 1_000_000;
/// Flags that concern one invocation instead of the plan.
const NOT_FIELDS: [&str; 1] = ["dry-run"];
/// Fields that name files, relative to the plan.
const FILES: [&str; 3] = ["filename", "ssh-key", "user-data"];

/// A plan named on the command line
#[derive(Debug, Clone)]
pub(super) struct PlanFile {
    file: File,
}

/// Name of a flag that is a field of a plan.
pub(in crate::commands) fn field<'a>(command: &Command, arg: &'a clap::Arg) -> Option<&'a str> {
    let is_field = |name: &&str| !arg.is_global_set() && !arg.is_hide_set() && !NOT_FIELDS.contains(name);
    flags::name(command, arg).filter(is_field)
}

impl PlanFile {
    /// The plan that a command line names; `None` if it names none, or a VM manifest.
    ///
    /// Fails if the plan is unusable.
    pub(super) fn find(
        program: &Command,
        command: &str,
        typed: &ArgMatches,
    ) -> Result<Option<Self>, Failure> {
        let named = || typed.try_get_one::<PathBuf>("filename").ok().flatten();
        let Some(path) = named().filter(|path| COMMANDS.contains(&command) && path.as_os_str() != "-") else {
            return Ok(None);
        };
        let is_typed = is_typed(typed, "filename");
        // An unreadable file is reported when it is read as a manifest.
        let is_small = std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= MOST_BYTES);
        let Some(text) = is_small.then(|| std::fs::read_to_string(path).ok()).flatten() else {
            return Ok(None);
        };
        if !is_typed || !is_plan(&text) {
            return Ok(None);
        }
        let file = File::parse(path, &text)?;
        let plan = Self { file };
        plan.check(program, command)?;
        Ok(Some(plan))
    }

    /// Path.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Fails at a field that no command knows, or that this command would have to ignore although it matters.
    fn check(&self, program: &Command, command: &str) -> Result<(), Failure> {
        let has = |name: &str, key: &str| {
            let found = program.find_subcommand(name);
            found.is_some_and(|it| it.get_arguments().any(|arg| field(it, arg) == Some(key)))
        };
        for entry in self.file.entries() {
            let (section, key) = (entry.command.as_deref(), entry.key.as_str());
            match (section, key, &entry.given) {
                (None, "apiVersion", Given::Text(text)) if text == API_VERSION => {}
                (None, "kind", Given::Text(text)) if text == KIND => {}
                (None, "apiVersion", _) => {
                    return Err(self.unusable(entry, &format!("this program reads {API_VERSION}")));
                }
                (Some(SPEC), key, _) if has(command, key) => {}
                // A setup ignores the storm's part of a plan; a run cannot ignore VMs to adopt.
                (Some(SPEC), key, _) if command == "setup" && has("run", key) => {}
                // A field that is off or empty requests nothing.
                (Some(SPEC), key, Given::Switch(false) | Given::Nothing) if has("setup", key) => {}
                (Some(SPEC), key, _) if has("setup", key) => {
                    let why =
                        format!("{key} is for setup: kubectl bootstorm setup -f {}", self.path().display());
                    return Err(self.unusable(entry, &why));
                }
                (_, key, _) => {
                    return Err(
                        self.unusable(entry, &format!("there is no field \"{}\"", key.escape_debug()))
                    );
                }
            }
        }
        Ok(())
    }

    fn unusable(&self, entry: &Entry, why: &str) -> Failure {
        Failure::usage(format!("the plan {} cannot be used", self.path().display()))
            .because(format!("line {}: {why}", entry.line))
            .hint("see all fields: kubectl bootstorm run --dry-run -o yaml")
    }

    /// Value of a flag, with the line. Files are relative to the plan.
    pub(super) fn entry(&self, key: &str) -> Option<(Given, u64)> {
        let entry =
            self.file.entries().find(|entry| entry.command.as_deref() == Some(SPEC) && entry.key == key)?;
        let given = match &entry.given {
            Given::Text(path) if FILES.contains(&key) && path != "-" => {
                let folder = self.path().parent().unwrap_or(Path::new(""));
                Given::Text(folder.join(path).to_string_lossy().into_owned())
            }
            given => given.clone(),
        };
        Some((given, entry.line))
    }

    /// The command line without the plan itself, so that the plan may name a manifest.
    pub(super) fn taken_from(&self, words: Vec<OsString>) -> Vec<OsString> {
        let name = self.path().to_string_lossy().into_owned();
        let mut rest = Vec::with_capacity(words.len());
        let mut words = words.into_iter().peekable();
        let mut found = false;
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let is_next = words.peek().is_some_and(|next| next.to_string_lossy() == name);
            let cluster = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            match cluster {
                _ if found => rest.push(word),
                _ if text == format!("--filename={name}") => found = true,
                _ if is_next && text == "--filename" => {
                    found = true;
                    words.next();
                }
                // Short flags may be combined, -qf plan.yaml, and the value may follow directly or after an equals
                // sign.
                Some(flags) if is_next && flags.ends_with('f') => {
                    found = true;
                    words.next();
                    rest.extend(others(flags.trim_end_matches('f')));
                }
                Some(flags) if flags.ends_with(&name) => {
                    let before = flags[..flags.len() - name.len()].trim_end_matches('=');
                    match before.strip_suffix('f') {
                        Some(before) => {
                            found = true;
                            rest.extend(others(before));
                        }
                        None => rest.push(word),
                    }
                }
                _ => rest.push(word),
            }
        }
        rest
    }
}

/// The short flags combined with `-f`.
fn others(flags: &str) -> Option<OsString> {
    (!flags.is_empty()).then(|| format!("-{flags}").into())
}

/// Whether a text is meant as a plan, valid or not.
fn is_plan(text: &str) -> bool {
    let says = |line: &str| {
        let value = line.trim().trim_matches([',', '{', ' ']).replace(['"', '\''], "");
        value.split_once(':').is_some_and(|(key, value)| key.trim() == "kind" && value.trim() == KIND)
    };
    text.lines().any(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(words: &[&str], plan: &str) -> Vec<String> {
        let plan = PlanFile { file: File { path: plan.into(), entries: Vec::new() } };
        let left = plan.taken_from(words.iter().map(OsString::from).collect());
        left.into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_name_of_the_plan_is_taken_out_however_it_was_written() {
        for words in [
            &["run", "-f", "p.yaml", "-q"][..],
            &["run", "-fp.yaml", "-q"],
            &["run", "-f=p.yaml", "-q"],
            &["run", "--filename", "p.yaml", "-q"],
            &["run", "--filename=p.yaml", "-q"],
            &["run", "-qf", "p.yaml"],
            &["run", "-qfp.yaml"],
        ] {
            assert_eq!(without(words, "p.yaml"), ["run", "-q"], "{words:?}");
        }
        let twice = ["run", "--log-file", "p.yaml", "-f", "p.yaml"];
        assert_eq!(without(&twice, "p.yaml"), ["run", "--log-file", "p.yaml"]);
    }

    #[test]
    fn a_plan_is_known_by_its_kind() {
        assert!(
            is_plan("apiVersion: bootstorm.dev/v1\nkind: Plan\n") && is_plan("{\n\"kind\": \"Plan\",\n}")
        );
        assert!(!is_plan("kind: VirtualMachine\nspec: {}\n") && !is_plan("# kind: Planned\n"));
    }
}
