//! Finding a profile by name or file, and applying it to its base.

use std::path::Path;

use serde_json::Value;
use thiserror::Error;

use super::Profile;
use crate::yaml;
use bootstorm_model::platform;

/// Maximum size of a profile in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Built-in profiles: name and overlay as YAML.
const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../profiles/default.yaml")),
    ("slow-storage", include_str!("../profiles/slow-storage.yaml")),
    ("slow-attach", include_str!("../profiles/slow-attach.yaml")),
    ("throttled-controller", include_str!("../profiles/throttled-controller.yaml")),
    ("few-workers", include_str!("../profiles/few-workers.yaml")),
    ("shared-disk", include_str!("../profiles/shared-disk.yaml")),
    ("slow-node", include_str!("../profiles/slow-node.yaml")),
    ("image-pulls", include_str!("../profiles/image-pulls.yaml")),
    ("late-network", include_str!("../profiles/late-network.yaml")),
    ("small-node", include_str!("../profiles/small-node.yaml")),
    ("instant", include_str!("../profiles/instant.yaml")),
];

/// Reason why a profile cannot be loaded
#[derive(Debug, Error)]
pub enum ProfileError {
    /// Neither a built-in name nor a file.
    #[error("no profile and no file is called \"{name}\", built-in profiles are: {}", names().join(", "))]
    Unknown {
        /// Requested name.
        name: String,
    },
    /// Unreadable file.
    #[error("failed to read profile \"{path}\"")]
    Unreadable {
        /// File.
        path: String,
        /// Error.
        source: std::io::Error,
    },
    /// Invalid text.
    #[error("profile \"{name}\" is not valid: {why}")]
    Invalid {
        /// Profile or file.
        name: String,
        /// Error, with position.
        why: String,
    },
}

/// The names of the built-in profiles.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// A built-in profile.
pub fn named(name: &str) -> Result<Profile, ProfileError> {
    let Some((_, yaml)) = BUILT_IN.iter().find(|(known, _)| *known == name) else {
        return Err(ProfileError::Unknown { name: name.to_owned() });
    };
    overlay(name, yaml, &Profile::default())
}

/// A built-in profile, or one from a YAML file if no built-in has this name.
pub fn load(name_or_file: &str) -> Result<Profile, ProfileError> {
    if names().contains(&name_or_file) {
        return named(name_or_file);
    }
    let path = Path::new(name_or_file);
    match platform::read_text(path, MOST_BYTES) {
        Ok(yaml) => parse(name_or_file, &yaml),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ProfileError::Unknown { name: name_or_file.to_owned() })
        }
        Err(source) => Err(ProfileError::Unreadable { path: name_or_file.to_owned(), source }),
    }
}

/// A profile from YAML text that contains only differences from its base.
pub fn parse(name: &str, yaml: &str) -> Result<Profile, ProfileError> {
    // Parsed separately first, because that error has line and column.
    let base = read::<Profile>(name, yaml)?.base;
    let base = named(base.as_deref().unwrap_or("default"))?;
    overlay(name, yaml, &base)
}

fn overlay(name: &str, yaml: &str, base: &Profile) -> Result<Profile, ProfileError> {
    let invalid = |why: String| ProfileError::Invalid { name: name.to_owned(), why };
    read::<Profile>(name, yaml)?;
    let mut merged = serde_json::to_value(base).map_err(|error| invalid(error.to_string()))?;
    merge(&mut merged, read::<Value>(name, yaml)?);
    let profile: Profile = serde_json::from_value(merged).map_err(|error| invalid(error.to_string()))?;
    check(&serde_json::to_value(&profile).unwrap_or_default(), &mut Vec::new()).map_err(invalid)?;
    Ok(profile)
}

fn read<T: serde::de::DeserializeOwned>(name: &str, yaml: &str) -> Result<T, ProfileError> {
    // One deserializer for all types: one for each would be a tenth of the program.
    let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| {
        let erased = &mut <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        erased_serde::deserialize(erased).map_err(serde::de::Error::custom)
    };
    serde_saphyr::with_deserializer_from_str(yaml, read)
        .map_err(|error| ProfileError::Invalid { name: name.to_owned(), why: yaml::fault(&error) })
}

fn merge(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                merge(below.entry(key).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// No figure of the model can be negative, except for a clock offset.
fn check(value: &Value, path: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                path.push(key.clone());
                check(field, path)?;
                path.pop();
            }
            Ok(())
        }
        Value::Number(_) if path.last().is_some_and(|last| last == "clockAhead") => Ok(()),
        Value::Number(number) if number.as_f64().is_some_and(|number| number < 0.0) => {
            Err(format!("{} must not be negative, found {number}", path.join(".")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_valid_and_says_what_it_shows() {
        for name in names() {
            let profile = named(name).expect("a valid profile");
            assert!(!profile.summary.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_file_gives_only_what_differs() {
        let profile = parse(
            "mine",
            "base: slow-storage\nvirtController: {qps: 7}\nmisbehave: {'*-7/*': never-boots}\n",
        )
        .expect("valid");
        assert!((profile.virt_controller.qps - 7.0).abs() < 1e-9);
        assert!((profile.virt_controller.burst - 400.0).abs() < 1e-9);
        let slow = named("slow-storage").expect("built in");
        assert_eq!(profile.storage, slow.storage);
        assert!(profile.misbehave.of("storm-7", "vm").is_some());
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = parse("mine", "virtController: {qqps: 7}").expect_err("a misspelt field").to_string();
        assert!(unknown.contains("qqps"), "{unknown}");
        let negative = parse("mine", "storage: {cache: -1}").expect_err("a negative figure").to_string();
        assert!(negative.contains("storage.cache"), "{negative}");
        let missing = load("no-such-profile").expect_err("no profile").to_string();
        assert!(missing.contains("throttled-controller"), "{missing}");
    }
}
