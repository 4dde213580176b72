//! Which of several values of a flag counts.

use clap::{Arg, ArgMatches, Command};

use super::file::{File, Given};
use super::{Environment, Found, Origin, flags, is_typed};
use crate::failure::Failure;

/// What is found for the flags of a command that were not typed.
///
/// What contradicts something of higher precedence gives way: who types `--cpu` does not want the instance type of the
/// configuration.
pub(super) fn find(
    command: &Command,
    typed: &ArgMatches,
    file: &File,
    environment: &Environment,
) -> Result<Vec<Found>, Failure> {
    let mut found: Vec<(&Arg, Found)> = Vec::new();
    for arg in command.get_arguments() {
        let Some(name) = flags::name(command, arg).filter(|_| !is_typed(typed, arg.get_id().as_str())) else {
            continue;
        };
        let Some((given, origin)) = one(command, arg, name, file, environment)? else { continue };
        let words = flags::words(arg, name, &given).map_err(|fault| wrong(name, &origin, &fault))?;
        if !words.is_empty() {
            found.push((arg, Found { flag: name.to_owned(), words, origin }));
        }
    }
    let typed: Vec<&Arg> =
        command.get_arguments().filter(|arg| is_typed(typed, arg.get_id().as_str())).collect();
    let gives_way = |(arg, this): &(&Arg, Found)| {
        let stronger = found.iter().filter(|(_, other)| outranks(&other.origin, &this.origin));
        let mut stronger = stronger.map(|(arg, _)| *arg).chain(typed.iter().copied());
        stronger.any(|other| conflict(command, arg, other))
    };
    Ok(found.iter().filter(|one| !gives_way(one)).map(|(_, found)| found.clone()).collect())
}

/// What is found for one flag: by a variable, else in the file.
fn one(
    command: &Command,
    arg: &Arg,
    name: &str,
    file: &File,
    environment: &Environment,
) -> Result<Option<(Given, Origin)>, Failure> {
    for variable in flags::variables(arg, name) {
        if let Some(text) = environment.variables.get(&variable) {
            let origin = Origin::Variable(variable);
            let given = flags::from_variable(arg, text).map_err(|fault| wrong(name, &origin, &fault))?;
            return Ok(Some((given, origin)));
        }
    }
    let entry = file.entry(command.get_name(), name);
    Ok(entry.map(|entry| (entry.given.clone(), Origin::File(file.path.clone(), entry.line))))
}

fn wrong(name: &str, origin: &Origin, fault: &str) -> Failure {
    Failure::usage(format!("the value of --{name} in {origin} is not usable")).because(fault)
}

fn outranks(one: &Origin, other: &Origin) -> bool {
    matches!((one, other), (Origin::Variable(_), Origin::File(..)))
}

fn conflict(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|found| found.get_id() == other.get_id())
    };
    names(one, other) || names(other, one)
}
