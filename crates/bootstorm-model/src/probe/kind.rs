//! Probe kinds, and the probing part of a plan.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One kind of probe
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// It answers an ICMP echo request from inside the cluster.
    Ping,
    /// It accepts a TCP connection on this port, from inside the cluster.
    Tcp(u16),
    /// Its guest agent is connected; needs no prober.
    Agent,
}

impl Probe {
    /// Whether a prober pod has to try it.
    pub fn needs_prober(self) -> bool {
        self != Self::Agent
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("ping"),
            Self::Tcp(port) => write!(f, "tcp:{port}"),
            Self::Agent => f.write_str("agent"),
        }
    }
}

impl FromStr for Probe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "ping" => Ok(Self::Ping),
            None if text == "agent" => Ok(Self::Agent),
            Some(("tcp", port)) => match port.parse() {
                Ok(port) if port > 0 => Ok(Self::Tcp(port)),
                _ => Err(format!("`{port}` is not a port")),
            },
            _ => Err(format!("`{text}` is not a probe; there are ping, tcp:PORT, agent and none")),
        }
    }
}

impl Serialize for Probe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A taint that prober pods tolerate
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toleration {
    /// Key of the taint.
    pub key: String,
    /// Its value; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Its effect; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

impl FromStr for Toleration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (taint, effect) = match text.split_once(':') {
            Some((taint, effect)) => (taint, Some(effect)),
            None => (text, None),
        };
        let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if taint.is_empty() || effect.is_some_and(|effect| !known.contains(&effect)) {
            return Err(format!(
                "write it like KEY, KEY=VALUE or KEY=VALUE:EFFECT; effects are {}",
                known.join(", ")
            ));
        }
        let (key, value) = match taint.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (taint, None),
        };
        Ok(Self { key: key.to_owned(), value, effect: effect.map(str::to_owned) })
    }
}

/// How a run finds out whether guests are reachable
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePlan {
    /// The probes; the first named one decides `reachable`. Empty means that nothing is probed.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Image of the prober pods.
    #[serde(default)]
    pub image: String,
    /// Prober pods to be made.
    #[serde(default)]
    pub probers: usize,
    /// Taints that the prober pods tolerate, as `KEY`, `KEY=VALUE` or `KEY=VALUE:EFFECT`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The user's pod to probe from, as namespace and name, instead of the run's own pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<(String, String)>,
}

impl ProbePlan {
    /// The probe that decides `reachable`.
    pub fn deciding(&self) -> Option<Probe> {
        self.probes.first().copied()
    }

    /// Whether any probe needs a prober pod.
    pub fn needs_prober(&self) -> bool {
        self.probes.iter().any(|probe| probe.needs_prober())
    }
}

impl fmt::Display for ProbePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.probes.is_empty() {
            return f.write_str("none");
        }
        let words: Vec<String> = self.probes.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(","))?;
        match &self.pod {
            Some((namespace, name)) if self.needs_prober() => write!(f, " from pod {namespace}/{name}"),
            None if self.needs_prober() => {
                let pods = if self.probers == 1 { "pod" } else { "pods" };
                write!(f, " from {} {pods} of {}", self.probers, self.image)
            }
            _ => Ok(()),
        }
    }
}

/// Reads a list of probes: `ping,tcp:22,agent`, or `none`.
///
/// Fails with a sentence that names the part that is not understood.
pub fn parse_probes(text: &str) -> Result<Vec<Probe>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut probes = Vec::new();
    for part in text.split(',') {
        let probe = part.trim().parse()?;
        if probes.contains(&probe) {
            return Err(format!("`{probe}` is named twice"));
        }
        probes.push(probe);
    }
    Ok(probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations() {
        let whole: Toleration = "a/b=c:NoExecute".parse().unwrap();
        let parts = (whole.key.as_str(), whole.value.as_deref(), whole.effect.as_deref());
        assert_eq!(parts, ("a/b", Some("c"), Some("NoExecute")));
        assert_eq!("a".parse::<Toleration>().unwrap().value, None);
        assert!("".parse::<Toleration>().is_err() && "a:Never".parse::<Toleration>().is_err());
    }

    #[test]
    fn lists_of_probes() {
        assert_eq!(parse_probes("none"), Ok(vec![]));
        assert_eq!(parse_probes("ping,tcp:22, agent"), Ok(vec![Probe::Ping, Probe::Tcp(22), Probe::Agent]));
        for (wrong, word) in [
            ("", "``"),
            ("pong", "pong"),
            ("tcp", "tcp:PORT"),
            ("tcp:0", "not a port"),
            ("ping,ping", "twice"),
        ] {
            assert!(parse_probes(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }
}
