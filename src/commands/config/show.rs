//! `--show-config`: the value and origin of every flag.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use serde::Serialize;

use super::{Completed, flags};
use crate::commands::definition::built;
use crate::commands::presentation::{Output, PresentationArgs};
use bootstorm_model::failure::Failure;
use bootstorm_model::text::printable;
use bootstorm_report::document;

/// A flag, for display
#[derive(Debug, Serialize)]
struct Row {
    flag: String,
    value: Option<String>,
    source: Option<String>,
}

/// All flags, for display
#[derive(Debug, Serialize)]
struct Shown {
    command: Option<String>,
    file: Option<String>,
    file_exists: bool,
    flags: Vec<Row>,
}

/// Shows the values that a command would use.
pub fn show(
    matches: &ArgMatches,
    completed: &Completed,
    presentation: &PresentationArgs,
) -> Result<(), Failure> {
    let console = presentation.console();
    let program = built();
    let (name, matches) = matches.subcommand().map_or((None, matches), |(name, below)| (Some(name), below));
    let command = name.and_then(|name| program.find_subcommand(name)).unwrap_or(&program);
    let flags = rows(command, matches, completed);
    let (file, there) = completed
        .file
        .clone()
        .map_or((None, false), |(path, there)| (Some(path.display().to_string()), there));
    let unwritable = |error: bootstorm_report::Unwritable| {
        Failure::new("the configuration cannot be shown").because(error)
    };
    let shown = Shown { command: name.map(str::to_owned), file, file_exists: there, flags };
    let text = match presentation.output {
        Output::Json => document::json(&shown).map_err(unwritable)?,
        Output::Yaml => document::yaml(&shown).map_err(unwritable)?,
        _ => {
            if let Some(file) = &shown.file {
                console.say(&format!("configuration: {file}{}", if there { "" } else { " (missing)" }));
            }
            for variable in &completed.idle {
                console.say(&format!("{}: no command has a flag for it", printable(variable)));
            }
            table(&shown.flags, !presentation.no_headers)
        }
    };
    console.data(&text)
}

fn rows(command: &Command, matches: &ArgMatches, completed: &Completed) -> Vec<Row> {
    let shown = |arg: &&Arg| arg.get_long().is_some() && !arg.is_hide_set();
    let row = |arg: &Arg| {
        let name = flags::name(command, arg).or_else(|| arg.get_long().filter(|name| *name == "config"));
        let id = arg.get_id().as_str();
        // Asserted flags and help flags have nothing to show.
        let flag = name.or_else(|| matches.value_source(id).is_some().then(|| arg.get_long()).flatten())?;
        let raw = matches.get_raw(id).map(|values| {
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
        });
        let value = raw.or_else(|| matches.try_get_one::<bool>(id).ok().flatten().map(ToString::to_string));
        let found = completed.found.iter().find(|found| found.flag == flag);
        let source = match (matches.value_source(id), found) {
            (_, Some(found)) => Some(found.origin.to_string()),
            (Some(ValueSource::CommandLine), None) => Some("flag".to_owned()),
            (Some(_), None) => Some("default".to_owned()),
            (None, None) => None,
        };
        Some(Row { flag: flag.to_owned(), value, source })
    };
    command.get_arguments().filter(shown).filter_map(row).collect()
}

fn table(rows: &[Row], headers: bool) -> String {
    let unset = || "<unset>".to_owned();
    let mut lines: Vec<[String; 3]> = Vec::new();
    if headers {
        lines.push(["FLAG", "VALUE", "SOURCE"].map(str::to_owned));
    }
    lines.extend(rows.iter().map(|row| {
        let value = row.value.as_deref().map_or_else(unset, |value| printable(value).into_owned());
        [format!("--{}", row.flag), value, row.source.clone().unwrap_or_else(|| "-".to_owned())]
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (flag, value) = (width(0), width(1).min(60));
    lines.iter().map(|line| format!("{:flag$}   {:value$}   {}\n", line[0], line[1], line[2])).collect()
}
