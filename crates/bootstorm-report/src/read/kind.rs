//! Kind of a document, and whether it is too new, determined before reading all of it.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error, IgnoredAny, MapAccess, Visitor};

use super::unreadable::{Unreadable, of_json_error};
use crate::{SCHEMA_VERSION, benchmark};
use bootstorm_model::record;

/// Kind of a document
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole run.
    Run,
    /// A report.
    Report,
}

/// Keys that identify the kind, each with the newest known version.
const KEYS: [(&str, Kind, u32); 2] =
    [("schema_version", Kind::Report, SCHEMA_VERSION), ("format", Kind::Run, record::FORMAT)];

/// The kind of a JSON document; reads it only as far as needed.
pub(super) fn of_json(bytes: &[u8]) -> Result<Kind, Unreadable> {
    let found = Cell::new(Found::Nothing);
    let read = serde_json::Deserializer::from_slice(bytes).deserialize_map(Peek(&found));
    match (found.get(), read) {
        (Found::Version(key, version), _) => known(key, version),
        (Found::Benchmark, _) => Err(Unreadable::Benchmark),
        (Found::Nothing, Err(error)) => Err(of_json_error(&error)),
        (Found::Nothing, Ok(())) => Err(Unreadable::Foreign),
    }
}

/// The kind of a YAML document, by a line that begins with one of the keys.
pub(super) fn of_yaml(text: &str) -> Result<Kind, Unreadable> {
    for line in text.lines() {
        for (index, (key, _, _)) in KEYS.iter().enumerate() {
            let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
            if let Some(value) = value {
                let version = value
                    .trim()
                    .parse()
                    .map_err(|_| Unreadable::damaged(&format!("{key} is not a number")))?;
                return known(index, version);
            }
        }
    }
    Err(Unreadable::Foreign)
}

fn known(key: usize, found: u64) -> Result<Kind, Unreadable> {
    let (what, kind, known) = KEYS[key];
    match found {
        0 => Err(Unreadable::damaged(&format!("{what} is 0"))),
        found if found > u64::from(known) => Err(Unreadable::Newer { what, found, known }),
        _ => Ok(kind),
    }
}

/// What identifies a document
#[derive(Debug, Clone, Copy)]
enum Found {
    Nothing,
    /// A key, and its version.
    Version(usize, u64),
    /// The version of the benchmark specification.
    Benchmark,
}

/// The value of a key
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u64),
    Word(String),
}

/// Looks for one of the keys, then gives up: the rest is not needed.
struct Peek<'a>(&'a Cell<Found>);

impl<'de> Visitor<'de> for Peek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match KEYS.iter().position(|(known, _, _)| *known == key) {
                Some(index) => {
                    self.0.set(match map.next_value()? {
                        Version::Number(version) => Found::Version(index, version),
                        Version::Word(word) if word == benchmark::SCHEMA => Found::Benchmark,
                        Version::Word(_) => return Err(A::Error::custom(format!("{key} is not a number"))),
                    });
                    return Err(A::Error::custom("found"));
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_wherever_it_stands() {
        assert_eq!(of_json(br#"{"schema_version":1,"#), Ok(Kind::Report));
        assert_eq!(of_json(br#"{"a":[{"format":9}],"format":1}"#), Ok(Kind::Run));
        assert_eq!(of_yaml("# by hand\n\nformat: 1\n"), Ok(Kind::Run));
        assert_eq!(of_json(br#"{"a":1}"#), Err(Unreadable::Foreign));
        assert_eq!(of_yaml("apiVersion: v1\n"), Err(Unreadable::Foreign));
    }

    #[test]
    fn newer_versions_are_named_and_impossible_ones_refused() {
        let newer = Unreadable::Newer { what: "schema_version", found: 7, known: SCHEMA_VERSION };
        assert_eq!(of_json(br#"{"schema_version":7}"#), Err(newer.clone()));
        assert_eq!(of_yaml("schema_version: 7\n"), Err(newer));
        for text in [r#"{"format":0}"#, r#"{"format":-1}"#, r#"{"format":"1"}"#, r#"{"format":1.5}"#] {
            assert!(matches!(of_json(text.as_bytes()), Err(Unreadable::Damaged(_))), "{text}");
        }
        assert_eq!(of_json(br#"{"schema_version":"v1alpha1","tool":{}}"#), Err(Unreadable::Benchmark));
        assert!(matches!(of_json(br#"{"a":"#), Err(Unreadable::CutOff(_))));
    }
}
