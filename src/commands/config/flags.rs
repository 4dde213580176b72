//! Flags with defaults from elsewhere, and the command-line form of their values.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::given::Given;

/// Prefix of our variables.
pub(super) const PREFIX: &str = "BOOTSTORM_";

/// Flags that locate or show the configuration.
const ABOUT_CONFIGURATION: [&str; 2] = ["config", "show-config"];

/// Flags that name a file to be written once: a default would write it unexpectedly.
const TYPED_ONLY: [&str; 1] = ["write-kubeconfig"];

/// Variables with a short name, and their flags.
///
/// clap reads no variables itself: it would take an empty one as a value.
const SHORT: [(&str, &str); 1] = [("BOOTSTORM_LOG", "log-level")];

/// Flags that only assert the settings of an earlier command: a default would contradict older runs.
const ASSERTED: &str = "AssertedArgs";

/// Name of a flag that can have a default from elsewhere.
pub(in crate::commands) fn name<'a>(command: &Command, arg: &'a Arg) -> Option<&'a str> {
    let name = arg.get_long()?;
    let has_value = matches!(
        arg.get_action(),
        ArgAction::Set | ArgAction::Append | ArgAction::SetTrue | ArgAction::Count
    );
    let is_typed_only = ABOUT_CONFIGURATION.contains(&name) || TYPED_ONLY.contains(&name);
    (has_value && !is_typed_only && !is_asserted(command, arg)).then_some(name)
}

/// Whether a flag with a value may be typed without one.
pub(in crate::commands) fn may_be_bare(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|values| values.min_values() == 0)
}

/// Whether a flag takes true or false as its value.
fn is_boolean(arg: &Arg) -> bool {
    arg.get_possible_values().iter().any(|value| value.get_name() == "false")
}

fn is_asserted(command: &Command, arg: &Arg) -> bool {
    let mut groups = command.get_groups();
    groups.any(|group| group.get_id() == ASSERTED && group.get_args().any(|id| id == arg.get_id()))
}

/// Variables that set a flag; the first one wins.
pub(super) fn variables(name: &str) -> Vec<String> {
    let own = format!("{PREFIX}{}", name.to_uppercase().replace('-', "_"));
    let short = SHORT.into_iter().filter(|(_, flag)| *flag == name).map(|(short, _)| short.to_owned());
    std::iter::once(own).chain(short).collect()
}

/// Value from a variable. Several values of a repeatable flag are on separate lines.
pub(super) fn from_variable(arg: &Arg, text: &str) -> Result<Given, String> {
    match arg.get_action() {
        ArgAction::SetTrue => match text.to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Given::Switch(true)),
            "0" | "false" | "no" | "off" => Ok(Given::Switch(false)),
            _ => Err("it must be true or false".to_owned()),
        },
        ArgAction::Append => Ok(Given::List(text.lines().map(str::to_owned).collect())),
        _ => Ok(Given::Text(text.to_owned())),
    }
}

/// Command-line words for a value; none if a switch is off.
pub(super) fn words(arg: &Arg, name: &str, given: &Given) -> Result<Vec<OsString>, String> {
    let with = |value: &String| OsString::from(format!("--{name}={value}"));
    match (arg.get_action(), given) {
        (_, Given::Nothing) | (ArgAction::SetTrue, Given::Switch(false)) => Ok(Vec::new()),
        (ArgAction::SetTrue, Given::Switch(true)) => Ok(vec![format!("--{name}").into()]),
        (ArgAction::SetTrue, _) => Err("it must be true or false".to_owned()),
        (ArgAction::Count, Given::Text(text)) => match text.parse::<u8>() {
            Ok(times) if times <= 9 => Ok(vec![format!("--{name}").into(); usize::from(times)]),
            _ => Err("it must be a number from 0 to 9".to_owned()),
        },
        // Without a word, the default would apply, which may be true.
        (_, Given::Switch(false)) if is_boolean(arg) => Ok(vec![format!("--{name}=false").into()]),
        (_, Given::Switch(true)) if may_be_bare(arg) => Ok(vec![format!("--{name}").into()]),
        (_, Given::Switch(false)) if may_be_bare(arg) => Ok(Vec::new()),
        (_, Given::Switch(_)) => Err("true, false, yes, no, on and off need quotes here".to_owned()),
        (_, Given::Text(text)) => Ok(vec![with(text)]),
        (ArgAction::Append, Given::List(texts)) => Ok(texts.iter().map(with).collect()),
        (_, Given::List(_)) => Err("it takes one value, not a list".to_owned()),
    }
}
