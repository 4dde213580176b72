//! Machines that misbehave on demand, by annotation, by profile, or by a table given by a test.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::value::Value;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Annotation on a virtual machine, or on its template, that names a misbehaviour.
pub const ANNOTATION: &str = "sandbox.bootstorm.dev/misbehave";
/// Annotation on a node or on the `KubeVirt` object: the component of it that is down.
pub const DOWN: &str = "sandbox.bootstorm.dev/down";

/// The component that stands for the whole node being down: it has no power.
pub const POWER: &str = "power";
/// Annotation of a pod that kills its containers whenever its value changes.
pub const KILL: &str = "sandbox.bootstorm.dev/kill";
/// Value of that annotation that kills them as for lack of memory.
pub const OUT_OF_MEMORY: &str = "out-of-memory";

/// A misbehaviour of a machine
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Misbehaviour {
    /// `never-schedules`: no node fits its pod.
    NeverSchedules,
    /// `bad-image`: its container disk cannot be pulled.
    BadImage,
    /// `never-boots`: the instance reaches Scheduled, but its guest is never started.
    NeverBoots,
    /// `crashes`: the guest dies before it runs, every time.
    Crashes,
    /// `crashes-once`: the guest dies before it runs, the first time.
    CrashesOnce,
    /// `refuses-to-stop`: the guest ignores the power button until its grace period ends.
    RefusesToStop,
    /// `never-stops`: the guest ignores the power button, and killing it does not help.
    NeverStops,
    /// `blocks-deletion`: a foreign finalizer holds the machine, or any other object with this annotation.
    BlocksDeletion,
    /// `never-attaches`: another node holds its volumes.
    NeverAttaches,
    /// `no-network`: the guest runs but never answers on the network, and has no agent.
    NoNetwork,
    /// `agent-before-dhcp`: the agent connects before the guest has an address, which is therefore reported late.
    AgentBeforeDhcp,
    /// `never-converges`: the guest writes its memory faster than a live migration copies it.
    NeverConverges,
    /// `slow=<factor>`: all of its own steps take this many times as long.
    Slow(f64),
}

/// A word that names no misbehaviour
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "unknown misbehaviour \"{0}\"; known: never-schedules, bad-image, never-boots, crashes, crashes-once, \
     refuses-to-stop, never-stops, blocks-deletion, never-attaches, no-network, agent-before-dhcp, \
     never-converges, slow=<factor>"
)]
pub struct UnknownMisbehaviour(String);

impl FromStr for Misbehaviour {
    type Err = UnknownMisbehaviour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.trim() {
            "never-schedules" => Self::NeverSchedules,
            "bad-image" => Self::BadImage,
            "never-boots" => Self::NeverBoots,
            "crashes" => Self::Crashes,
            "crashes-once" => Self::CrashesOnce,
            "refuses-to-stop" => Self::RefusesToStop,
            "never-stops" => Self::NeverStops,
            "blocks-deletion" => Self::BlocksDeletion,
            "never-attaches" => Self::NeverAttaches,
            "no-network" => Self::NoNetwork,
            "agent-before-dhcp" => Self::AgentBeforeDhcp,
            "never-converges" => Self::NeverConverges,
            other => {
                let factor = other.strip_prefix("slow=").and_then(|factor| factor.parse::<f64>().ok());
                match factor.filter(|factor| factor.is_finite() && *factor > 0.0) {
                    Some(factor) => Self::Slow(factor),
                    None => return Err(UnknownMisbehaviour(other.to_owned())),
                }
            }
        })
    }
}

impl std::fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NeverSchedules => f.write_str("never-schedules"),
            Self::BadImage => f.write_str("bad-image"),
            Self::NeverBoots => f.write_str("never-boots"),
            Self::Crashes => f.write_str("crashes"),
            Self::CrashesOnce => f.write_str("crashes-once"),
            Self::RefusesToStop => f.write_str("refuses-to-stop"),
            Self::NeverStops => f.write_str("never-stops"),
            Self::BlocksDeletion => f.write_str("blocks-deletion"),
            Self::NeverAttaches => f.write_str("never-attaches"),
            Self::NoNetwork => f.write_str("no-network"),
            Self::AgentBeforeDhcp => f.write_str("agent-before-dhcp"),
            Self::NeverConverges => f.write_str("never-converges"),
            Self::Slow(factor) => write!(f, "slow={factor}"),
        }
    }
}

impl Serialize for Misbehaviour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Misbehaviour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Misbehaving machines: patterns on `namespace/name`, where `*` matches any characters
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MisbehaviourTable(pub BTreeMap<String, Misbehaviour>);

impl MisbehaviourTable {
    /// A table without entries.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a pattern.
    #[must_use]
    pub fn with(mut self, pattern: &str, how: Misbehaviour) -> Self {
        self.0.insert(pattern.to_owned(), how);
        self
    }

    /// Misbehaviour of a machine according to the table.
    pub fn of(&self, namespace: &str, name: &str) -> Option<Misbehaviour> {
        if self.0.is_empty() {
            return None;
        }
        let full = format!("{namespace}/{name}");
        self.0.iter().find(|(pattern, _)| matches(pattern, &full)).map(|(_, how)| *how)
    }
}

/// Misbehaviour from the annotation on a machine, its template or its instance.
pub fn annotated(object: &Value) -> Option<Misbehaviour> {
    let own = &object["metadata"]["annotations"][ANNOTATION];
    let template = &object["spec"]["template"]["metadata"]["annotations"][ANNOTATION];
    own.as_str().or_else(|| template.as_str())?.parse().ok()
}

/// Whether `text` matches a pattern in which `*` matches any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_may_have_stars_anywhere() {
        for (pattern, text, fits) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("*-7/*", "storm-7/vm", true),
            ("*-7/*", "storm-17x/vm", false),
            ("*/vm-*1", "ns/vm-21", true),
            ("*", "anything", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn misbehaviours_are_written_as_they_are_read() {
        for word in [
            "never-schedules",
            "never-boots",
            "crashes-once",
            "refuses-to-stop",
            "blocks-deletion",
            "agent-before-dhcp",
            "slow=2.5",
        ] {
            assert_eq!(word.parse::<Misbehaviour>().expect("a known word").to_string(), word);
        }
        assert!("slow=-1".parse::<Misbehaviour>().is_err());
        let error = "naps".parse::<Misbehaviour>().expect_err("no such word");
        assert!(error.to_string().contains("naps") && error.to_string().contains("never-boots"));
    }

    #[test]
    fn a_template_may_carry_the_annotation() {
        let vm = crate::value::json!({"spec": {"template": {"metadata": {"annotations": {ANNOTATION: "crashes"}}}}});
        assert_eq!(annotated(&vm), Some(Misbehaviour::Crashes));
    }
}
