//! Precedence of several values of a flag.

use clap::{Arg, ArgMatches, Command};

use super::file::File;
use super::given::Given;
use super::plan::{PlanFile, field};
use super::{Environment, Found, Origin, flags, is_typed};
use bootstorm_model::failure::Failure;

/// Sources of values that were not typed
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// Named plan.
    pub(super) plan: Option<&'a PlanFile>,
    /// Environment.
    pub(super) environment: &'a Environment,
    /// Configuration file.
    pub(super) file: &'a File,
}

/// Values found for flags of a command that were not typed.
///
/// Values that contradict a source of higher precedence are dropped: typing `--cpu` overrides the instance type of the
/// configuration.
pub(super) fn find(
    command: &Command,
    typed: &ArgMatches,
    sources: &Sources<'_>,
) -> Result<Vec<Found>, Failure> {
    let mut found: Vec<(&Arg, Found)> = Vec::new();
    for arg in command.get_arguments() {
        let Some(name) = flags::name(command, arg).filter(|_| !is_typed(typed, arg.get_id().as_str())) else {
            continue;
        };
        let Some((given, origin)) = one(command, arg, name, sources)? else { continue };
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

/// Value found for one flag: in the plan, else in a variable, else in the file.
fn one(
    command: &Command,
    arg: &Arg,
    name: &str,
    sources: &Sources<'_>,
) -> Result<Option<(Given, Origin)>, Failure> {
    let Sources { plan, environment, file } = sources;
    if let Some(plan) = plan.filter(|_| field(command, arg).is_some())
        && let Some((given, line)) = plan.entry(name)
    {
        return Ok(Some((given, Origin::Plan(plan.path().to_owned(), line))));
    }
    for variable in flags::variables(name) {
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
    let rank = |origin: &Origin| match origin {
        Origin::File(..) => 0,
        Origin::Variable(_) => 1,
        Origin::Plan(..) => 2,
    };
    rank(one) > rank(other)
}

/// Whether two arguments exclude each other.
pub(in crate::commands) fn conflict(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names = |one: &Arg, other: &Arg| {
        command.get_arg_conflicts_with(one).iter().any(|found| found.get_id() == other.get_id())
    };
    names(one, other) || names(other, one)
}
