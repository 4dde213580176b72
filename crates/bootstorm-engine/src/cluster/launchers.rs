//! Watch on launcher pods: stages passed, and what each pod is waiting for.

use jiff::Timestamp;
use serde::Deserialize;

use super::metadata::{Condition, Metadata, Watched};
use super::trouble::clip;
use bootstorm_model::observe::{Launcher, Milestone};
use bootstorm_model::plan::Target;

/// Selects launcher pods, whosever they are.
pub(super) const LAUNCHERS: &str = "kubevirt.io=virt-launcher";
/// Label: UID of the VMI that the pod was made for.
const CREATED_BY: &str = "kubevirt.io/created-by";
/// Label on the target of a live migration: UID of that migration.
const MIGRATION_JOB: &str = "kubevirt.io/migrationJobUID";
/// The container in which the guest runs.
const COMPUTE: &str = "compute";
/// The most characters of a state that are kept.
const MOST_TOLD: usize = 300;

/// A launcher pod that may be evicted
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evictable {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A launcher pod, decoded only as far as it is used
#[derive(Debug, Clone, Deserialize)]
pub struct Pod {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: Option<String>,
    volumes: Vec<Volume>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    persistent_volume_claim: Option<Claim>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Claim {
    claim_name: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    reason: String,
    message: String,
    conditions: Vec<Condition>,
    init_container_statuses: Vec<Container>,
    container_statuses: Vec<Container>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Container {
    name: String,
    ready: bool,
    state: State,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct State {
    running: Option<Running>,
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
}

impl Watched for Pod {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Pod {
    /// The pod in the words of the fold; `None` for one that no VMI owns.
    pub fn launcher(self, gone: bool) -> Option<Launcher> {
        let owner =
            self.metadata.owner_references.iter().find(|owner| owner.kind == "VirtualMachineInstance")?;
        let target = Target { namespace: self.metadata.namespace.clone(), name: owner.name.clone() };
        let claims = self.spec.volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref());
        Some(Launcher {
            passed: self.passed(),
            state: clip(&self.state(), MOST_TOLD),
            claims: claims.map(|claim| claim.claim_name.clone()).collect(),
            instance: self.metadata.labels.get(CREATED_BY)?.clone(),
            migration: self.metadata.labels.get(MIGRATION_JOB).cloned(),
            target,
            uid: self.metadata.uid,
            name: clip(&self.metadata.name, MOST_TOLD),
            node: self.spec.node_name.map(|node| clip(&node, MOST_TOLD)),
            gone,
        })
    }

    /// UID of the instance that it was made for, its node, and what names it; nothing for one that has ended, goes, or has
    /// no node.
    pub fn evictable(self) -> Option<(String, String, Evictable)> {
        let goes = self.metadata.deletion_timestamp.is_some();
        if goes || matches!(self.status.phase.as_str(), "Succeeded" | "Failed") {
            return None;
        }
        let instance = self.metadata.labels.get(CREATED_BY)?.clone();
        Some((instance, self.spec.node_name?, Evictable { name: self.metadata.name, uid: self.metadata.uid }))
    }

    fn passed(&self) -> Vec<(Milestone, Option<Timestamp>)> {
        let condition = |kind: &str| {
            self.status
                .conditions
                .iter()
                .find(|condition| condition.is(kind, "True"))
                .map(|found| found.since)
        };
        let placed = condition("PodScheduled").or(self.spec.node_name.as_ref().map(|_| None));
        let all = [
            (Milestone::Pod, Some(self.metadata.creation_timestamp)),
            (Milestone::Placed, placed),
            (Milestone::Prepared, condition("PodReadyToStartContainers")),
            (Milestone::Initialized, condition("Initialized").filter(|_| placed.is_some())),
            (Milestone::Started, self.started().map(|running| running.started_at)),
        ];
        all.into_iter().filter_map(|(milestone, stamp)| Some((milestone, stamp?))).collect()
    }

    /// Since when the pod runs as virt-controller wants it: `compute` runs, whatever its own probe says, and all others are ready.
    fn started(&self) -> Option<&Running> {
        if self.status.phase != "Running" {
            return None;
        }
        let (compute, others): (Vec<_>, Vec<_>) =
            self.status.container_statuses.iter().partition(|container| container.name == COMPUTE);
        let running = compute.first()?.state.running.as_ref()?;
        others.iter().all(|container| container.ready).then_some(running)
    }

    /// What it is doing or waiting for, in a few words.
    fn state(&self) -> String {
        let told = |words: &[&str]| {
            words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(": ")
        };
        let status = &self.status;
        if self.metadata.deletion_timestamp.is_some() {
            return "is being deleted".to_owned();
        }
        if !status.reason.is_empty() {
            return told(&[&status.reason, &status.message]);
        }
        let containers = || status.init_container_statuses.iter().chain(&status.container_statuses);
        for container in containers() {
            match &container.state {
                State { terminated: Some(ended), .. } if ended.exit_code != 0 => {
                    let code = format!("container {} exited with code {}", container.name, ended.exit_code);
                    return told(&[&code, &ended.reason]);
                }
                State { waiting: Some(Waiting { reason, message }), .. }
                    if !matches!(reason.as_str(), "" | "PodInitializing" | "ContainerCreating") =>
                {
                    return told(&[reason, message]);
                }
                _ => {}
            }
        }
        let refused = status.conditions.iter().find(|condition| condition.is("PodScheduled", "False"));
        match refused {
            Some(refused) => told(&[&refused.reason, &refused.message]),
            None if self.spec.node_name.is_none() => "Pending: no node yet".to_owned(),
            None => status.phase.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn launcher(status: &Value, node: Option<&str>) -> Launcher {
        let pod = json!({
            "metadata": {"name": "virt-launcher-vm-x7k2p", "namespace": "p-1", "uid": "u", "creationTimestamp": "2026-01-01T00:00:01Z",
                "labels": {CREATED_BY: "i"}, "ownerReferences": [{"kind": "VirtualMachineInstance", "name": "vm", "uid": "i"}]},
            "spec": {"nodeName": node, "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "disk"}}]},
            "status": status,
        });
        serde_json::from_value::<Pod>(pod).unwrap().launcher(false).unwrap()
    }

    fn milestones(launcher: &Launcher) -> Vec<Milestone> {
        launcher.passed.iter().map(|(milestone, _)| *milestone).collect()
    }

    #[test]
    fn a_pod_passes_its_stages_one_by_one() {
        use Milestone::{Initialized, Placed, Pod, Prepared, Started};
        let new =
            launcher(&json!({"phase": "Pending", "conditions": [{"type": "x/y", "status": "True"}]}), None);
        assert_eq!((milestones(&new), new.state.as_str()), (vec![Pod], "Pending: no node yet"));
        assert_eq!((new.target.to_string().as_str(), &new.claims[..]), ("p-1/vm", &["disk".to_owned()][..]));
        let on = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:04Z"});
        let conditions = [on("PodScheduled"), on("PodReadyToStartContainers"), on("Initialized")];
        let found = launcher(&json!({"phase": "Pending", "conditions": conditions}), Some("n"));
        assert_eq!(milestones(&found), [Pod, Placed, Prepared, Initialized]);
        assert!(found.passed.iter().all(|(_, stamp)| stamp.is_some()));
        let compute = json!({"name": "compute", "ready": false, "state": {"running": {"startedAt": "2026-01-01T00:00:05Z"}}});
        let mut running = json!({"phase": "Running", "conditions": conditions, "containerStatuses": [compute, {"name": "log", "ready": false}]});
        assert!(!milestones(&launcher(&running, Some("n"))).contains(&Started));
        running["containerStatuses"][1]["ready"] = json!(true);
        assert!(milestones(&launcher(&running, Some("n"))).contains(&Started));
    }

    #[test]
    fn what_it_waits_for_is_told_in_its_own_words() {
        let refused = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
        assert_eq!(launcher(&refused, None).state, "Unschedulable: 0/3 nodes");
        let pulling = |reason: &str| json!({"phase": "Pending", "initContainerStatuses": [{"name": "volumeroot", "state": {"waiting": {"reason": reason, "message": "Back-off"}}}]});
        assert_eq!(launcher(&pulling("ImagePullBackOff"), Some("n")).state, "ImagePullBackOff: Back-off");
        assert_eq!(launcher(&pulling("PodInitializing"), Some("n")).state, "Pending");
        let crashed = json!({"phase": "Failed", "containerStatuses": [{"name": "compute", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
        assert_eq!(launcher(&crashed, Some("n")).state, "container compute exited with code 137: OOMKilled");
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"});
        assert_eq!(launcher(&evicted, Some("n")).state, "Evicted: low on memory");
    }

    #[test]
    fn a_pod_of_nobody_is_nobodys() {
        let bare: Pod = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
        assert!(bare.launcher(false).is_none());
    }
}
