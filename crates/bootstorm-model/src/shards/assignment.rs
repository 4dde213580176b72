//! Assignment of a Job, as passed to its pods.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{MOST_SHARDS, obstacle};
use crate::record::{PhaseName, PhaseSettings};

/// Maximum number of phases that a Job runs.
const MOST_PHASES: usize = 16;

/// Work of the shards of a run: phases in order, or an observation
///
/// The plan itself is in the record of the run, from which the pods read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Prefix of the run.
    pub prefix: String,
    /// UUID of the run.
    pub run_id: String,
    /// Number of shards.
    pub shards: u32,
    /// The phases, in their order; none for an observation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Planned>,
    /// End of the observation; absent for phases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<Observing>,
}

/// End of an observation; by default its deletion
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observing {
    /// This long after it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// Once an outage was seen and no VM has been down for this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Duration>,
}

/// A phase to be run
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its name.
    pub name: PhaseName,
    /// Its settings.
    pub settings: PhaseSettings,
}

impl Assignment {
    /// Reads an assignment; fails with one sentence if the text is not one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let assignment: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        assignment.check()?;
        Ok(assignment)
    }

    /// Text form of the assignment.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn check(&self) -> Result<(), String> {
        if self.shards == 0 || self.shards > MOST_SHARDS {
            return Err(format!("{} shards are not between 1 and {MOST_SHARDS}", self.shards));
        }
        if let Some(observe) = self.observe {
            if !self.phases.is_empty() {
                return Err("an observation has no phases".to_owned());
            }
            return match observe.obstacle(self.shards) {
                None => Ok(()),
                Some(why) => Err(format!("the observation cannot be shared: {why}")),
            };
        }
        if self.phases.is_empty() || self.phases.len() > MOST_PHASES {
            return Err(format!("{} phases are not between 1 and {MOST_PHASES}", self.phases.len()));
        }
        for Planned { name, settings } in &self.phases {
            if settings.shards != Some(self.shards) {
                return Err(format!("{name} has another number of shards"));
            }
            if let Some(why) = obstacle(settings) {
                return Err(format!("{name} cannot be shared: {why}"));
            }
        }
        Ok(())
    }
}

impl Observing {
    /// Why so many shards cannot share it; `None` if they can.
    pub fn obstacle(self, shards: u32) -> Option<&'static str> {
        let needs_all = self.settled.is_some() && shards > 1;
        needs_all.then_some("--until refers to all VMs, and a shard knows only those of its share")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(shards: u32) -> Assignment {
        let settings = PhaseSettings { shards: Some(shards), ..PhaseSettings::default() };
        let phases = vec![Planned { name: PhaseName::CREATE, settings }];
        Assignment { prefix: "p".into(), run_id: "id".into(), shards, phases, observe: None }
    }

    #[test]
    fn an_assignment_round_trips() {
        let assignment = assignment(4);
        assert_eq!(Assignment::parse(&assignment.to_text()).unwrap(), assignment);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        assert!(Assignment::parse("{").is_err());
        assert!(Assignment::parse(&assignment(0).to_text()).is_err());
        assert!(Assignment::parse(&assignment(MOST_SHARDS + 1).to_text()).is_err());
        let none = Assignment { phases: Vec::new(), ..assignment(2) };
        assert!(Assignment::parse(&none.to_text()).is_err());
        let limits = Observing { after: None, settled: Some(Duration::from_secs(30)) };
        let observe = |shards| Assignment { observe: Some(limits), phases: Vec::new(), ..assignment(shards) };
        assert_eq!(Assignment::parse(&observe(1).to_text()), Ok(observe(1)));
        assert!(Assignment::parse(&observe(2).to_text()).unwrap_err().contains("--until"));
        let both = Assignment { observe: Some(Observing::default()), ..assignment(2) };
        assert!(Assignment::parse(&both.to_text()).unwrap_err().contains("no phases"));
        let other = Assignment { shards: 3, ..assignment(2) };
        assert!(Assignment::parse(&other.to_text()).unwrap_err().contains("another number"));
    }
}
