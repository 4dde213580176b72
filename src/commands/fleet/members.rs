//! Clusters of a fleet: contexts that match patterns, those of a fleet file, or those of the fleet's record.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::FromArgMatches;
use serde::Deserialize;
use serde_json::Value;

use super::FleetArgs;
use crate::commands::config;
use crate::commands::connection::ConnectionArgs;
use crate::commands::definition::{built, definition};
use crate::commands::session::Context;
use crate::commands::{Cli, Command};
use bootstorm_engine::cluster::Connection;
use bootstorm_model::failure::Failure;
use bootstorm_model::fleet::{FleetRecord, MOST_MEMBERS, Member, pattern};
use bootstorm_model::plan::yaml_fault;
use bootstorm_model::platform;

/// Maximum size of a fleet file in bytes
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Flags that concern the fleet instead of one cluster
const OF_THE_FLEET: [&str; 15] = [
    "contexts",
    "context",
    "fleet-file",
    "fleet-record",
    "if-member-fails",
    "member-timeout",
    "fail-if",
    "yes",
    "keep-record",
    "delete-foreign",
    "output",
    "no-headers",
    "color",
    "quiet",
    "verbose",
];

/// A cluster that takes part in a command
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// Name in the fleet.
    pub(super) name: String,
    /// Connection to it.
    pub(super) connection: ConnectionArgs,
    /// Flags of the command, with its own.
    pub(super) args: FleetArgs,
}

/// A fleet file
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FleetFile {
    members: Vec<Entry>,
}

/// A member, or several whose contexts match a pattern
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    context: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    flags: BTreeMap<String, Value>,
}

/// The clusters of a command.
///
/// Fails if none are named and the fleet has no record, if a pattern matches no context, or if a name is duplicated.
pub(super) fn choose(
    context: &Context,
    args: &FleetArgs,
    record: Option<&FleetRecord>,
) -> Result<Vec<Chosen>, Failure> {
    let chosen = match (&args.members.fleet_file, record) {
        (Some(path), _) => of_file(context, path)?,
        (None, _) if !args.members.contexts.is_empty() => of_patterns(context, args)?,
        (None, Some(record)) if !record.members.is_empty() => {
            record.members.iter().map(|member| of_record(context, args, member)).collect()
        }
        (None, _) => {
            return Err(Failure::usage("no clusters are named")
                .because(format!("and there is no fleet \"{}\" yet", args.prefix()))
                .hint("name contexts of the kubeconfig: --contexts 'site-*'")
                .hint("or a file with the clusters: --fleet-file FILE")
                .hint("another fleet: --ns-prefix NAME or --fleet-record FILE"));
        }
    };
    if chosen.len() > MOST_MEMBERS {
        return Err(Failure::usage(format!("a fleet has at most {MOST_MEMBERS} clusters")));
    }
    let twice = |(at, one): &(usize, &Chosen)| chosen[..*at].iter().any(|other| other.name == one.name);
    if let Some((_, one)) = chosen.iter().enumerate().find(twice) {
        return Err(Failure::usage(format!("the fleet has two clusters named \"{}\"", one.name))
            .hint("give each a name of its own in the fleet file"));
    }
    Ok(chosen.into_iter().map(|one| at_home(one, record)).collect())
}

/// The location of a run in the record takes precedence over a default, so that a report needs no flags.
fn at_home(mut chosen: Chosen, record: Option<&FleetRecord>) -> Chosen {
    let known = record.and_then(|record| record.member(&chosen.name));
    if let Some(known) = known.filter(|known| known.run_id.is_some()) {
        chosen.connection.namespace = chosen.connection.namespace.or_else(|| known.namespace.clone());
    }
    chosen
}

fn of_record(context: &Context, args: &FleetArgs, member: &Member) -> Chosen {
    let mut connection = context.connection.clone();
    connection.context = Some(member.context.clone());
    connection.kubeconfig = member.kubeconfig.clone().or(connection.kubeconfig);
    let mut args = args.clone();
    args.run.prefix.clone_from(&member.prefix);
    Chosen { name: member.name.clone(), connection, args }
}

fn of_patterns(context: &Context, args: &FleetArgs) -> Result<Vec<Chosen>, Failure> {
    let patterns: Vec<String> =
        args.members.contexts.iter().map(|pattern| pattern.trim().to_owned()).collect();
    let contexts = contexts(&context.connection)?;
    let named = pattern::select(&patterns, &contexts).map_err(|idle| no_context(&idle, &contexts))?;
    let chosen = named.into_iter().map(|name| {
        let connection = ConnectionArgs { context: Some(name.to_owned()), ..context.connection.clone() };
        Chosen { name: name.to_owned(), connection, args: args.clone() }
    });
    Ok(chosen.collect())
}

fn of_file(context: &Context, path: &Path) -> Result<Vec<Chosen>, Failure> {
    let unusable = |why: String| {
        Failure::usage(format!("the fleet file {} cannot be used", path.display())).because(why)
    };
    let text = platform::read_text(path, MOST_BYTES).map_err(|error| unusable(error.to_string()))?;
    let file: FleetFile = serde_saphyr::from_str(&text).map_err(|error| {
        unusable(yaml_fault::describe(&error, &text))
            .hint("write it like this: members: [{context: site-a}, {context: site-b, flags: {end: 50}}]")
    })?;
    let mut chosen = Vec::new();
    for entry in &file.members {
        let fault = |why: String| unusable(format!("{}: {why}", entry.context));
        let own = words(&entry.flags).map_err(fault)?;
        let (connection, args) = parsed(&context.parsed, own).map_err(fault)?;
        let connection = from_folder(connection, path, entry);
        let contexts = contexts(&connection)?;
        let patterns = [entry.context.clone()];
        let named = pattern::select(&patterns, &contexts).map_err(|idle| no_context(&idle, &contexts))?;
        if named.len() > 1 && entry.name.is_some() {
            return Err(fault("it matches several contexts, which cannot share one name".to_owned()));
        }
        for name in named {
            let connection = ConnectionArgs { context: Some(name.to_owned()), ..connection.clone() };
            let name = entry.name.clone().unwrap_or_else(|| name.to_owned());
            chosen.push(Chosen { name, connection, args: args.clone() });
        }
    }
    if chosen.is_empty() {
        return Err(unusable("it names no clusters".to_owned()));
    }
    Ok(chosen)
}

/// A kubeconfig in a fleet file is relative to that file.
fn from_folder(mut connection: ConnectionArgs, path: &Path, entry: &Entry) -> ConnectionArgs {
    if entry.flags.contains_key("kubeconfig") {
        let folder = path.parent().unwrap_or(Path::new(""));
        connection.kubeconfig = connection.kubeconfig.map(|own: PathBuf| folder.join(own));
    }
    connection
}

/// A member's own flags as words of a command line.
fn words(flags: &BTreeMap<String, Value>) -> Result<Vec<OsString>, String> {
    let program = built();
    let command = program.find_subcommand("fleet").ok_or("there is no command fleet")?;
    let mut words = Vec::new();
    for (flag, value) in flags {
        if OF_THE_FLEET.contains(&flag.as_str()) {
            return Err(format!("--{flag} applies to the whole fleet"));
        }
        words.extend(config::words_of(command, flag, value)?);
    }
    Ok(words)
}

/// The command line with a member's own flags, which override typed ones; checked like any other.
fn parsed(typed: &[OsString], own: Vec<OsString>) -> Result<(ConnectionArgs, FleetArgs), String> {
    let end = typed.iter().position(|word| word == OsStr::new("--")).unwrap_or(typed.len());
    let words = typed[..end].iter().cloned().chain(own).chain(typed[end..].iter().cloned());
    let first = |error: clap::Error| {
        let text = error.render().to_string();
        text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    };
    let matches = definition().args_override_self(true).try_get_matches_from(words).map_err(first)?;
    let cli = Cli::from_arg_matches(&matches).map_err(first)?;
    match cli.command {
        Command::Fleet(args) => Ok((cli.connection, *args)),
        _ => Err("it is not the command line of a fleet".to_owned()),
    }
}

fn contexts(connection: &ConnectionArgs) -> Result<Vec<String>, Failure> {
    Connection::from(connection).contexts()
}

fn no_context(pattern: &str, contexts: &[String]) -> Failure {
    let listed = if contexts.is_empty() { "none".to_owned() } else { contexts.join(", ") };
    Failure::usage(format!("no context of the kubeconfig matches \"{pattern}\""))
        .hint(format!("contexts in it: {listed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Vec<OsString> {
        ["kubectl-bootstorm", "fleet"].iter().chain(words).map(Into::into).collect()
    }

    #[test]
    fn a_members_own_flags_win_and_are_checked() {
        let own = BTreeMap::from([
            ("end".to_owned(), Value::from(7)),
            ("namespace".to_owned(), Value::from("perf")),
            ("skip-preflight".to_owned(), Value::from(true)),
        ]);
        let line = typed(&["run", "--end", "100", "--contexts", "a,b", "-n", "other"]);
        let (connection, args) = parsed(&line, words(&own).unwrap()).unwrap();
        assert_eq!((args.plan.end, args.preflight.skip_preflight), (7, true));
        assert_eq!(connection.namespace.as_deref(), Some("perf"));
        assert_eq!(args.members.contexts, ["a", "b"]);
        let refused = |flag: &str, value: Value| {
            let own = BTreeMap::from([(flag.to_owned(), value)]);
            words(&own).and_then(|own| parsed(&typed(&["run"]), own).map(drop)).unwrap_err()
        };
        assert_eq!(refused("ends", Value::from(7)), "there is no flag --ends");
        assert_eq!(refused("fail-if", Value::from("failed>1")), "--fail-if applies to the whole fleet");
        assert!(
            refused("end", Value::from("many")).contains("many"),
            "{}",
            refused("end", Value::from("many"))
        );
    }
}
