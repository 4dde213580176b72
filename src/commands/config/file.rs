//! The configuration file: flags and their values, for all commands or for one.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Command;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::flags;
use super::given::Given;
use crate::commands::mistakes::foreign_file;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::yaml_fault;
use bootstorm_model::platform;

/// A value, or the keys of one command
#[derive(Debug, Clone)]
enum Value {
    Given(Given),
    Section(Keys),
}

/// The keys of a mapping, in the order of the file
#[derive(Debug, Clone, Default)]
struct Keys(Vec<(Spanned<String>, Value)>);

/// One entry of the file
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Command; `None` means every command that has the flag.
    pub(super) command: Option<String>,
    /// Flag, without dashes.
    pub(super) key: String,
    /// Value.
    pub(super) given: Given,
    /// Line number.
    pub(super) line: u64,
}

/// Maximum size of a configuration file in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// A configuration file
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// Path.
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
}

impl File {
    /// Reads a file; it may be missing unless `needed`.
    pub(super) fn read(path: &Path, needed: bool) -> Result<Option<Self>, Failure> {
        match platform::read_text(path, MOST_BYTES) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound && !needed => Ok(None),
            Err(error) => {
                Err(Failure::usage(format!("the configuration {} cannot be read", path.display()))
                    .because(error))
            }
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let keys: Option<Keys> = serde_saphyr::from_str(text).map_err(|error| {
            Failure::usage(format!("{} cannot be used", path.display()))
                .because(yaml_fault::describe(&error, text))
                .hint(foreign_file(text).unwrap_or(
                    "write one flag a line, like `concurrency: 500`, or below the name of a command",
                ))
        })?;
        let entry = |command: Option<&str>, key: &Spanned<String>, given: Given| Entry {
            command: command.map(str::to_owned),
            key: key.value.clone(),
            given,
            line: key.referenced.line(),
        };
        let mut entries = Vec::new();
        for (key, value) in keys.unwrap_or_default().0 {
            match value {
                Value::Given(given) => entries.push(entry(None, &key, given)),
                Value::Section(below) => {
                    for (flag, value) in below.0 {
                        let Value::Given(given) = value else {
                            return Err(unknown(
                                path,
                                flag.referenced.line(),
                                "a section cannot contain sections",
                                &flag.value,
                            ));
                        };
                        entries.push(entry(Some(&key.value), &flag, given));
                    }
                }
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// All entries, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Fails at a key that is not a flag of the command, or of any command.
    pub(super) fn check(&self, program: &Command) -> Result<(), Failure> {
        let has = |command: &Command, key: &str| {
            command.get_arguments().any(|arg| flags::name(command, arg) == Some(key))
        };
        for entry in &self.entries {
            let (known, what) = match &entry.command {
                None => (
                    program.get_subcommands().any(|command| has(command, &entry.key)),
                    "no command has a flag".to_owned(),
                ),
                Some(name) => match program.find_subcommand(name) {
                    None => (false, format!("there is no command \"{name}\" for flag")),
                    Some(command) => (has(command, &entry.key), format!("{name} has no flag")),
                },
            };
            if !known {
                return Err(unknown(&self.path, entry.line, &what, &entry.key));
            }
        }
        Ok(())
    }

    /// Entry of a flag: for this command if there is one, else for all.
    pub(super) fn entry(&self, command: &str, key: &str) -> Option<&Entry> {
        let says =
            |entry: &&Entry, wanted: Option<&str>| entry.key == key && entry.command.as_deref() == wanted;
        let for_it = self.entries.iter().find(|entry| says(entry, Some(command)));
        for_it.or_else(|| self.entries.iter().find(|entry| says(entry, None)))
    }
}

fn unknown(path: &Path, line: u64, what: &str, key: &str) -> Failure {
    let shown = key.escape_debug();
    Failure::usage(format!("the configuration {} has an unknown key", path.display()))
        .because(format!("line {line}: {what} \"{shown}\""))
        .hint("a key is a long flag without its dashes, see: kubectl bootstorm COMMAND --help")
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("flags and their values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    keys.push(pair);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list of values, or the flags of a command")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Given(Given::Nothing))
    }

    fn visit_bool<E>(self, on: bool) -> Result<Value, E> {
        Ok(Value::Given(Given::Switch(on)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Given(Given::Text(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Given(Given::Text(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Given(Given::Text(number.to_string())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Given(Given::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(value) = list.next_element()? {
            match value {
                Value::Given(Given::Text(text)) => texts.push(text),
                _ => return Err(serde::de::Error::custom("a list holds texts and numbers only")),
            }
        }
        Ok(Value::Given(Given::List(texts)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Keys::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Value::Section)
    }
}
