//! Defaults for flags: from the configuration file, then from variables, then from a plan; a typed flag overrides all
//! of them.
//!
//! Nothing here lists flags. Each long flag of each command has a variable and a key because it is in the definition of
//! the command line; found values are appended to the typed words, so that they are checked like them.

mod file;
pub(super) mod flags;
mod given;
pub(super) mod plan;
pub(super) mod precedence;
mod show;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command};

use super::definition::{built, definition};
use bootstorm_model::failure::Failure;
use file::File;
use given::Given;
use plan::PlanFile;
pub use show::show;

/// Flags about the configuration itself
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// File with defaults for flags; default is bootstorm/config.yaml in the configuration folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show the value and origin of every flag, and exit
    #[arg(long, global = true)]
    pub show_config: bool,
}

/// The parts of the process's environment that affect flags
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Non-empty variables with the prefix `BOOTSTORM_`.
    pub variables: BTreeMap<String, String>,
    /// Folder for configuration files.
    pub folder: Option<PathBuf>,
}

impl Environment {
    /// Environment of this process.
    pub fn of_process() -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(flags::PREFIX))?;
            Some((name, value.to_string_lossy().into_owned())).filter(|(_, value)| !value.is_empty())
        };
        Self { variables: std::env::vars_os().filter_map(ours).collect(), folder: dirs::config_dir() }
    }

    /// Variables that set no flag of any command.
    fn idle(&self, program: &Command) -> Vec<String> {
        let sets = |command: &Command, variable: &str| {
            let mut named = command.get_arguments().filter_map(|arg| flags::name(command, arg));
            named.any(|name| flags::variables(name).iter().any(|own| own == variable))
        };
        let is_idle = |variable: &&String| {
            *variable != "BOOTSTORM_CONFIG"
                && !is_credential(variable)
                && !program.get_subcommands().any(|command| sets(command, variable))
        };
        self.variables.keys().filter(is_idle).cloned().collect()
    }

    /// The configuration file, and whether it must exist because it was named explicitly.
    fn file(&self, typed: Option<&Path>) -> Option<(PathBuf, bool)> {
        let named = typed.map(Path::to_path_buf);
        let named = named.or_else(|| self.variables.get("BOOTSTORM_CONFIG").map(PathBuf::from));
        match named {
            Some(path) => Some((path, true)),
            None => Some((self.folder.as_ref()?.join("bootstorm").join("config.yaml"), false)),
        }
    }
}

/// Origin of a value
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration file, at this line.
    File(PathBuf, u64),
    /// A variable of the environment.
    Variable(String),
    /// A plan, at this line.
    Plan(PathBuf, u64),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, line) | Self::Plan(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A flag that was not typed
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The long flag, without dashes.
    pub flag: String,
    /// Command-line words for it.
    words: Vec<OsString>,
    /// Origin.
    pub origin: Origin,
}

/// Whether a variable holds credentials of a service, for which there is no flag: command lines are visible to
/// everyone.
fn is_credential(variable: &str) -> bool {
    let what = ["BOOTSTORM_INDEX_", "BOOTSTORM_PROMETHEUS_", "BOOTSTORM_PUSH_"]
        .iter()
        .find_map(|begin| variable.strip_prefix(begin));
    matches!(what, Some("TOKEN" | "USERNAME" | "PASSWORD"))
}

/// A command line with all values found elsewhere
#[derive(Debug, Clone, Default)]
pub struct Completed {
    /// All words, the program's name first.
    pub words: Vec<OsString>,
    /// Values that were not typed.
    pub found: Vec<Found>,
    /// The file that was looked for, and whether it exists.
    pub file: Option<(PathBuf, bool)>,
    /// Variables with our prefix that set no flag of any command: misspelt, or unrelated.
    pub idle: Vec<String>,
}

/// Completes a command line with values from the file and the environment.
///
/// Fails if the file cannot be read, or has a key that no command knows. A command line that asks for help, or that is
/// wrong, is left to the parser.
pub fn complete(words: Vec<OsString>, environment: &Environment) -> Result<Completed, Failure> {
    let program = built();
    let parse = |words: &[OsString]| definition().ignore_errors(true).try_get_matches_from(words);
    let (mut words, Ok(mut all)) = (words.clone(), parse(&words)) else {
        return Ok(Completed { words, ..Completed::default() });
    };
    let plan = match all.subcommand() {
        Some((name, typed)) => PlanFile::find(&program, name, typed)?,
        None => None,
    };
    if let Some(plan) = &plan {
        words = plan.taken_from(words);
        let Ok(again) = parse(&words) else { return Ok(Completed { words, ..Completed::default() }) };
        all = again;
    }
    let (name, typed) = all.subcommand().map_or((None, &all), |(name, below)| (Some(name), below));
    let place = environment.file(typed.get_one::<PathBuf>("config").map(PathBuf::as_path));
    let (file, place) = match place {
        None => (File::default(), None),
        Some((path, needed)) => {
            let file = File::read(&path, needed)?;
            let there = file.is_some();
            (file.unwrap_or_default(), Some((path, there)))
        }
    };
    file.check(&program)?;
    let command = name.and_then(|name| program.find_subcommand(name)).unwrap_or(&program);
    let sources = precedence::Sources { plan: plan.as_ref(), environment, file: &file };
    let found = precedence::find(command, typed, &sources)?;
    let idle = environment.idle(&program);
    Ok(Completed { words: joined(words, &found), found, file: place, idle })
}

/// Inserts found words after typed ones, but before `--`.
fn joined(mut words: Vec<OsString>, found: &[Found]) -> Vec<OsString> {
    let end = words.iter().position(|word| word == OsStr::new("--")).unwrap_or(words.len());
    let tail = words.split_off(end);
    words.extend(found.iter().flat_map(|found| found.words.clone()));
    words.extend(tail);
    words
}

/// Command-line words for a flag of a command with a value from a file.
///
/// Fails with a sentence if the command has no such flag, or if the flag does not take such a value.
pub(super) fn words_of(
    command: &Command,
    flag: &str,
    value: &serde_json::Value,
) -> Result<Vec<OsString>, String> {
    let of_name = |arg: &&clap::Arg| flags::name(command, arg) == Some(flag);
    let arg = command.get_arguments().find(of_name).ok_or_else(|| format!("there is no flag --{flag}"))?;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(switch) => Ok(switch.to_string()),
        _ => Err(format!("--{flag} takes a text, a number, true or false, or a list of them")),
    };
    let given = match value {
        serde_json::Value::Null => Given::Nothing,
        serde_json::Value::Bool(switch) => Given::Switch(*switch),
        serde_json::Value::Array(values) => Given::List(values.iter().map(text).collect::<Result<_, _>>()?),
        value => Given::Text(text(value)?),
    };
    flags::words(arg, flag, &given).map_err(|fault| format!("--{flag}: {fault}"))
}

/// Whether the user typed the value of this argument.
fn is_typed(typed: &ArgMatches, id: &str) -> bool {
    typed.value_source(id) == Some(clap::parser::ValueSource::CommandLine)
}

/// Origin of each flag that a message mentions and that was not typed.
pub fn explanations(message: &str, found: &[Found]) -> Vec<String> {
    let mentions = |flag: &str| {
        let flag = format!("--{flag}");
        message.match_indices(&flag).any(|(at, _)| {
            let next = message[at + flag.len()..].chars().next();
            next.is_none_or(|next| !next.is_ascii_alphanumeric() && next != '-')
        })
    };
    let mentioned = found.iter().filter(|found| mentions(&found.flag));
    mentioned.map(|found| format!("--{} was set by {}", found.flag, found.origin)).collect()
}

#[cfg(test)]
mod tests;
