//! The command line as a plan file that repeats it, and the schema of plan files.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::config::flags::may_be_bare;
use super::config::plan::{API_VERSION, COMMANDS, KIND, field};
use super::config::precedence::conflict;
use super::definition::built;
use bootstorm_model::plan::secrets::hide_url;

/// The fields of a plan, with the values of a command
#[derive(Debug, Clone, Default)]
pub struct PlanFields(Vec<Field>);

#[derive(Debug, Clone)]
struct Field {
    name: String,
    /// Description, one line.
    help: String,
    /// Hint for the value.
    hint: String,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Absent,
    Given(Value),
    /// Its value must not be written to a file.
    Withheld,
}

impl PlanFields {
    /// Fields of `run` or `setup`; `None` for other commands.
    pub fn of(matches: &ArgMatches) -> Option<Self> {
        let (name, matches) = matches.subcommand().filter(|(name, _)| COMMANDS.contains(name))?;
        let program = built();
        let command = program.find_subcommand(name)?;
        let is_given = |arg: &Arg| {
            matches
                .value_source(arg.get_id().as_str())
                .is_some_and(|source| source != ValueSource::DefaultValue)
        };
        let given: Vec<&Arg> = command.get_arguments().filter(|arg| is_given(arg)).collect();
        let read = |arg: &Arg| {
            let mut read = Field::of(field(command, arg)?, arg, matches);
            // A default is meaningless if a given flag excludes it.
            if !is_given(arg) && given.iter().any(|given| conflict(command, arg, given)) {
                read.state = State::Absent;
            }
            Some(read)
        };
        Some(Self(command.get_arguments().filter_map(read).collect()))
    }

    /// Stores a value that was decided meanwhile.
    pub fn set(&mut self, name: &str, value: &Value) {
        for field in self.0.iter_mut().filter(|field| field.name == name) {
            field.state = State::Given(value.clone());
        }
    }

    /// Fields whose values are passwords, or may be.
    pub fn withheld(&self) -> Vec<&str> {
        let is_withheld = |field: &&Field| matches!(field.state, State::Withheld);
        self.0.iter().filter(is_withheld).map(|field| field.name.as_str()).collect()
    }

    /// The plan as YAML, with a comment line for each field; fields without a value are commented out.
    pub fn yaml(&self) -> String {
        let mut text = format!(
            "# Repeat this run: kubectl bootstorm run -f FILE. A flag on the command line overrides its \
             field here.\n\
             apiVersion: {API_VERSION}\nkind: {KIND}\nspec:\n"
        );
        for Field { name, help, hint, state } in &self.0 {
            // Older readers take yes for a boolean.
            let name = scalar(&json!(name));
            text.push_str(&format!("  # {help}\n"));
            text.push_str(&match state {
                State::Absent => format!("  # {name}: {hint}\n"),
                State::Withheld => format!("  # {name}: left out here, since it may hold a password\n"),
                State::Given(Value::Array(items)) => {
                    let items: String = items.iter().map(|item| format!("  - {}\n", scalar(item))).collect();
                    format!("  {name}:\n{items}")
                }
                State::Given(value) => format!("  {name}: {}\n", scalar(value)),
            });
        }
        text
    }

    /// The plan as JSON.
    pub fn json(&self) -> Value {
        let given = |field: &Field| match &field.state {
            State::Given(value) => Some((field.name.clone(), value.clone())),
            _ => None,
        };
        let spec: Map<String, Value> = self.0.iter().filter_map(given).collect();
        json!({"apiVersion": API_VERSION, "kind": KIND, "spec": spec})
    }
}

impl Field {
    fn of(name: &str, arg: &Arg, matches: &ArgMatches) -> Self {
        let id = arg.get_id().as_str();
        let texts = || -> Vec<String> {
            let raw = matches.get_raw(id).into_iter().flatten();
            raw.map(|text| text.to_string_lossy().into_owned()).collect()
        };
        let state = match arg.get_action() {
            ArgAction::SetTrue => State::Given(json!(matches.get_flag(id))),
            ArgAction::Append => match texts() {
                none if none.is_empty() => State::Absent,
                some if some.iter().any(|text| is_secret(name, text)) => State::Withheld,
                some => State::Given(json!(some)),
            },
            _ => match texts().first() {
                None => State::Absent,
                Some(text) if is_secret(name, text) => State::Withheld,
                // A name may look like a number: 007 must not become 7.
                Some(text) => State::Given(match text.parse::<u64>() {
                    Ok(number) if number.to_string() == *text => json!(number),
                    _ => json!(text),
                }),
            },
        };
        Self { name: name.to_owned(), help: help(arg), hint: hint(arg), state }
    }
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

fn hint(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.first().map(ToString::to_string).unwrap_or_default();
    if matches!(arg.get_action(), ArgAction::Append) { format!("[{value}]") } else { value }
}

/// Whether a value may be a password: part of a URL, or for a placeholder named like one.
fn is_secret(name: &str, text: &str) -> bool {
    let sounds_secret = || {
        let key = text.split('=').next().unwrap_or_default().to_lowercase();
        ["pass", "secret", "token", "key", "credential"].iter().any(|word| key.contains(word))
    };
    match name {
        "source" => hide_url(text) != text,
        "set" | "param" => sounds_secret(),
        _ => false,
    }
}

/// A YAML scalar: plain if unambiguous, otherwise quoted.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/'));
    let words = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    if is_plain && !words.contains(&text.to_lowercase().as_str()) { text.clone() } else { value.to_string() }
}

/// The JSON schema of plan files.
pub fn schema() -> Value {
    let program = built();
    let mut fields = Map::new();
    for command in COMMANDS.iter().filter_map(|name| program.find_subcommand(name)) {
        for arg in command.get_arguments() {
            let Some(name) = field(command, arg) else { continue };
            fields.entry(name).or_insert_with(|| schema_of(arg));
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://bootstorm.dev/schemas/plan-1.json",
        "title": "kubectl bootstorm plan, version 1",
        "description": "The plan that `kubectl bootstorm run -f` and `setup -f` read, and that `run \
         --dry-run -o yaml` writes. A field is a long flag without its dashes.",
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "spec": {"type": "object", "properties": fields, "additionalProperties": false},
        },
        "required": ["apiVersion", "kind"],
        "additionalProperties": false,
    })
}

fn schema_of(arg: &Arg) -> Value {
    let possible: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let one = match (arg.get_action(), possible.is_empty()) {
        (ArgAction::SetTrue, _) => json!({"type": "boolean"}),
        (_, false) => json!({"enum": possible}),
        _ if may_be_bare(arg) => json!({"type": ["string", "number", "boolean"]}),
        _ => json!({"type": ["string", "number"]}),
    };
    let mut schema = match arg.get_action() {
        ArgAction::Append => json!({"type": "array", "items": one}),
        _ => one,
    };
    schema["description"] = json!(help(arg));
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::definition::definition;

    fn fields(args: &[&str]) -> PlanFields {
        let args = ["kubectl-bootstorm"].iter().chain(args);
        PlanFields::of(&definition().try_get_matches_from(args).unwrap()).unwrap()
    }

    #[test]
    fn what_was_typed_is_written_in_the_words_of_the_flags() {
        let typed = fields(&[
            "run",
            "--end",
            "50",
            "--single-node=7",
            "--node-name",
            "a",
            "--vm-name",
            "db-{i}",
            "--wave=5/10s",
        ]);
        let spec = typed.json()["spec"].clone();
        assert_eq!((&spec["end"], &spec["single-node"]), (&json!(50), &json!(7)));
        assert_eq!((&spec["node-name"], &spec["cleanup"]), (&json!(["a"]), &json!(false)));
        assert!(spec.get("dry-run").is_none() && spec.get("context").is_none() && spec.get("rate").is_none());
        let text = typed.yaml();
        for line in [
            "  end: 50\n",
            "  node-name:\n  - a\n",
            "  vm-name: \"db-{i}\"\n",
            "  wave: \"5/10s\"\n",
            "  # rate: N/s\n",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
        assert!(PlanFields::of(&definition().try_get_matches_from(["k", "status"]).unwrap()).is_none());
    }

    #[test]
    fn defaults_that_contradict_what_was_typed_are_left_out() {
        let spec = fields(&["run", "--vm-namespace", "team"]).json()["spec"].clone();
        assert_eq!(spec["vm-namespace"], "team");
        assert!(spec.get("vms-per-namespace").is_none() && spec.get("namespace-batch-size").is_none());
    }

    #[test]
    fn a_name_of_digits_stays_as_it_is() {
        let typed = fields(&["run", "--vm-name", "007", "--end", "12"]);
        assert_eq!(typed.json()["spec"]["vm-name"], "007");
        assert!(typed.yaml().contains("  vm-name: \"007\"\n  ") && typed.yaml().contains("  end: 12\n"));
    }

    #[test]
    fn passwords_are_left_out() {
        let url = "http:https://me:secret@example.org/disk";
        let with_url = fields(&["run", "--source", url]);
        assert_eq!(with_url.withheld(), ["source"]);
        let with_set = fields(&["setup", "-f", "vm.yaml", "--set", "PASSWORD=secret", "--set", "SIZE=3"]);
        assert_eq!(with_set.withheld(), ["set"]);
        for text in [with_url.yaml(), with_set.yaml(), with_set.json().to_string()] {
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn scalars_that_could_be_something_else_are_quoted() {
        let quoted = |text: &str| scalar(&json!(text));
        assert_eq!([quoted("auto"), quoted("a-b/c.d")], ["auto", "a-b/c.d"]);
        for text in ["true", "No", "10m", "12", "a: b", "", "-x", "~", "storm.running.p95>60s"] {
            assert!(quoted(text).starts_with('"'), "{text}");
        }
    }
}
