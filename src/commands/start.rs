//! From the command line to a command, or to an early exit.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};

use super::config::{self, Completed, Environment, Found};
use super::definition::definition;
use super::plan_file::PlanFields;
use super::{Cli, generate, help, mistakes, needs};
use crate::console::{ColorChoice, Console, address};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;

/// What to start
#[derive(Debug)]
pub enum Start {
    /// A command.
    Command(Box<Cli>),
    /// Completions for the last of these words.
    Complete(Vec<OsString>),
    /// Nothing: everything was printed already.
    Done(Exit),
}

/// Reads a command line; the name of the program comes first.
pub fn start(words: Vec<OsString>, environment: &Environment) -> Start {
    // Two hidden words: one is called by kubectl, the other generates the files shipped with the program.
    match words.get(1).and_then(|word| word.to_str()) {
        Some("__complete") => return Start::Complete(words[2..].to_vec()),
        Some("__generate") => return done(generate::command(&words[2..])),
        _ => {}
    }
    let completed = match config::complete(words, environment) {
        Ok(completed) => completed,
        Err(failure) => return done(Err(failure)),
    };
    match read(&completed) {
        Ok(start) => start,
        Err(error) => {
            // Help and version also arrive here; a closed pipe is not an error.
            let _ = error.print();
            if !error.use_stderr() {
                return Start::Done(Exit::Good);
            }
            for line in config::explanations(&error.to_string(), &completed.found) {
                console().say(&format!("  note: {line}"));
            }
            Start::Done(Exit::Usage)
        }
    }
}

fn read(completed: &Completed) -> Result<Start, clap::Error> {
    let asks_briefly = completed.words.iter().any(|word| word == "-h");
    let mut definition = help::shown(definition(), asks_briefly);
    // Without a command, global flags may still be present.
    let only_shows = completed.words.iter().any(|word| word == "--show-config");
    if only_shows {
        definition = definition.subcommand_required(false);
    }
    let matches = definition.clone().try_get_matches_from(&completed.words);
    let matches = matches.map_err(|error| {
        mistakes::explained(error, &completed.words, &definition)
            .format(named(&mut definition, &completed.words))
    })?;
    if only_shows {
        return super::shown(&matches, completed).map(done).map_err(|error| error.format(&mut definition));
    }
    if let Some(fault) = needs::fault(&definition, &matches, &completed.found) {
        let command = named(&mut definition, &completed.words);
        return Err(command.error(clap::error::ErrorKind::MissingRequiredArgument, fault));
    }
    address::set(typed(&matches, &completed.found));
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let is_secret = loggable(&completed.words).contains("***");
    address::set_line(&words, is_secret);
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut definition))?;
    cli.found.clone_from(&completed.found);
    cli.parsed.clone_from(&completed.words);
    cli.words = loggable(&completed.words);
    cli.plan = PlanFields::of(&matches);
    Ok(Start::Command(Box::new(cli)))
}

/// The subcommand that a command line names, whose usage belongs to an error.
fn named<'a>(definition: &'a mut clap::Command, words: &[OsString]) -> &'a mut clap::Command {
    definition.build();
    let mut command = definition;
    for word in words.iter().skip(1) {
        if command.find_subcommand(word).is_none() {
            continue;
        }
        command = command.find_subcommand_mut(word).expect("it was found");
    }
    command
}

/// Connection flags that were typed, with their values.
fn typed(matches: &ArgMatches, found: &[Found]) -> Vec<(&'static str, String)> {
    let mut below = matches;
    while let Some((_, more)) = below.subcommand() {
        below = more;
    }
    let value = |(id, flag): (&str, &'static str)| {
        // Not every command has every flag.
        let is_typed = below.try_contains_id(id).is_ok()
            && below.value_source(id) == Some(ValueSource::CommandLine)
            && !found.iter().any(|found| found.flag == id);
        if !is_typed {
            return None;
        }
        let value = below.get_raw(id)?.next()?;
        Some((flag, value.to_string_lossy().into_owned()))
    };
    address::FLAGS.into_iter().filter_map(value).collect()
}

/// Flags whose values may hold a password after a name.
const SECRET: &[&str] = &["--set", "--before", "--after"];

/// A command line without potential secrets: values of placeholders, commands of hooks, and passwords and queries in
/// addresses.
fn loggable(words: &[OsString]) -> String {
    let mut line: Vec<String> = Vec::new();
    let mut hides = false;
    for word in words.iter().skip(1).map(|word| word.to_string_lossy()) {
        let flag =
            SECRET.iter().find(|flag| word.strip_prefix(**flag).is_some_and(|rest| rest.starts_with('=')));
        let shown = match flag {
            _ if hides => without_value(&word),
            Some(flag) => format!("{flag}={}", without_value(&word[flag.len() + 1..])),
            None => without_password(&word),
        };
        hides = SECRET.iter().any(|flag| word == *flag);
        line.push(shown);
    }
    line.join(" ")
}

/// `NAME=VALUE` without the value.
fn without_value(set: &str) -> String {
    set.split_once('=').map_or_else(|| "***".to_owned(), |(name, _)| format!("{name}=***"))
}

/// An address without the part before its host.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    // The query may contain a signature.
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?***"));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}{query}"),
        None => format!("{scheme}://{authority}{path}{query}"),
    }
}

fn done(outcome: Result<(), Failure>) -> Start {
    Start::Done(match outcome {
        Ok(()) => Exit::Good,
        Err(failure) => {
            console().fail(&failure);
            failure.exit
        }
    })
}

fn console() -> Console {
    Console::new(ColorChoice::Auto, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_command_line_holds_no_secret() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let told = loggable(&words(
            "kubectl-bootstorm run --set PW=hunter2 --set=KEY=a=b -s https://u:p@h:6443/x --end 3",
        ));
        assert_eq!(told, "run --set PW=*** --set=KEY=*** -s https://***@h:6443/x --end 3");
        assert_eq!(
            loggable(&words("k run --set hunter2 -f http://h/a@b?sig=c")),
            "run --set *** -f http://h/a@b?***"
        );
        let hooks = ["k", "storm", "--before", "storm=login -p x", "--after=storm=curl -u a:b h"];
        let told = loggable(&hooks.map(OsString::from));
        assert_eq!(told, "storm --before storm=*** --after=storm=***");
    }
}
