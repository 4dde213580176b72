//! Disks of a VM that is stuck: the state of each that is not ready.

use kube::api::GetParams;
use serde::Deserialize;

use super::call::{built, on, path};
use super::metadata::Condition;
use super::{Cluster, ClusterError, Kind};

/// A disk, as a VM names it
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disk {
    /// Filled by CDI.
    DataVolume(String),
    /// Made by the user.
    Claim(String),
}

/// A `DataVolume` or a claim, with only the used fields decoded
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Filled {
    status: State,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct State {
    phase: String,
    progress: String,
    conditions: Vec<Condition>,
}

impl Cluster {
    /// State of a disk in one line; `None` if it is ready.
    ///
    /// Reports a missing permission as a finding, since this is only needed for an explanation.
    pub async fn state_of(&self, namespace: &str, disk: &Disk) -> Option<String> {
        let (group, plural, kind, name) = match disk {
            Disk::DataVolume(name) => ("cdi.kubevirt.io/v1beta1", "datavolumes", "DataVolume", name),
            Disk::Claim(name) => ("v1", "persistentvolumeclaims", "PVC", name),
        };
        let told = match self.filled(&path(group, Some(namespace), plural), name).await {
            Ok(found) => found.told()?,
            Err(error) if error.kind == Kind::NotFound => "does not exist".to_owned(),
            Err(error) => format!("its state is unknown: {}", error.message),
        };
        Some(format!("{kind} {name}: {told}"))
    }

    async fn filled(&self, collection: &str, name: &str) -> Result<Filled, ClusterError> {
        let doing = "read the state of a disk";
        self.ask(doing, &built(doing, on(collection).get(name, &GetParams::default()))?).await
    }
}

impl Filled {
    fn told(&self) -> Option<String> {
        let State { phase, progress, conditions } = &self.status;
        if matches!(phase.as_str(), "Bound" | "Succeeded") {
            return None;
        }
        let words =
            [phase.as_str(), progress.as_str()].into_iter().filter(|word| !matches!(*word, "" | "N/A"));
        let mut told = words.collect::<Vec<_>>().join(" ");
        let telling =
            conditions.iter().find(|condition| condition.status == "False" && !condition.message.is_empty());
        if let Some(condition) = telling {
            told = format!("{told} ({})", condition.message);
        }
        Some(if told.is_empty() { "it has no state yet".to_owned() } else { told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_ready_is_told() {
        let told = |text: &str| serde_json::from_str::<Filled>(text).unwrap().told();
        assert_eq!(told(r#"{"status": {"phase": "Bound"}}"#), None);
        assert_eq!(told(r#"{"status": {"phase": "Pending"}}"#).as_deref(), Some("Pending"));
        let filling = r#"{"status": {"phase": "ImportInProgress", "progress": "30.5%",
            "conditions": [{"type": "Running", "status": "False", "reason": "x", "message": "unable to connect"}]}}"#;
        assert_eq!(told(filling).as_deref(), Some("ImportInProgress 30.5% (unable to connect)"));
        assert_eq!(told("{}").as_deref(), Some("it has no state yet"));
    }
}
