//! Watch on launcher pods: stages passed, and what each pod is waiting for.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::error::clip;
use super::metadata::{BorrowedCondition, Decoder, Watched};
use super::protobuf::{self, Malformed, Message, Part};
use bootstorm_model::observe::{Launcher, Milestone};
use bootstorm_model::plan::Target;

/// Label selector for all launcher pods
pub(super) const LAUNCHERS: &str = "kubevirt.io=virt-launcher";
/// Labels that are read.
const CREATED_BY: &str = "kubevirt.io/created-by";
const MIGRATION: &str = "kubevirt.io/migrationJobUID";
/// The container in which the guest runs.
const COMPUTE: &str = "compute";
/// Maximum length of a state.
const MOST_TOLD: usize = 300;

/// A launcher pod that may be evicted
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evictable {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// A launcher pod, with only the used fields decoded
#[derive(Debug, Clone)]
pub struct Pod {
    version: Box<str>,
    /// Whether there is nothing to evict: it has ended, or is being deleted.
    ends: bool,
    /// UID of its instance.
    instance: Option<String>,
    /// Name of the VMI that owns it.
    owner: Option<String>,
    /// Converted for the fold, without instance and owner.
    launcher: Launcher,
}

impl<'de> Deserialize<'de> for Pod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

/// The text of a pod, of either form
///
/// The numbers of its fields in protocol buffers are those of `generated.proto` in `k8s.io/api/core/v1`.
#[derive(Debug, Deserialize, Default)]
struct Text<'a> {
    #[serde(borrow)]
    metadata: PodMetadata<'a>,
    #[serde(default, borrow)]
    spec: Spec<'a>,
    #[serde(default, borrow)]
    status: Status<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodMetadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
    labels: Labels,
    #[serde(borrow)]
    owner_references: Vec<Owner<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Labels {
    /// UID of the pod's VMI, [`CREATED_BY`].
    #[serde(rename = "kubevirt.io/created-by")]
    created_by: Option<String>,
    /// UID of the live migration, for a target pod, [`MIGRATION`].
    #[serde(rename = "kubevirt.io/migrationJobUID")]
    migration: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Owner<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    node_name: Option<String>,
    #[serde(borrow)]
    volumes: Vec<Volume<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Volume<'a> {
    #[serde(borrow)]
    persistent_volume_claim: Option<Claim<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Claim<'a> {
    #[serde(borrow)]
    claim_name: Cow<'a, str>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status<'a> {
    #[serde(borrow)]
    phase: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    conditions: Vec<BorrowedCondition<'a>>,
    #[serde(borrow)]
    init_container_statuses: Vec<Container<'a>>,
    #[serde(borrow)]
    container_statuses: Vec<Container<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Container<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    ready: bool,
    #[serde(borrow)]
    state: State<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct State<'a> {
    running: Option<Running>,
    #[serde(borrow)]
    waiting: Option<Waiting<'a>>,
    #[serde(borrow)]
    terminated: Option<Terminated<'a>>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Waiting<'a> {
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Terminated<'a> {
    exit_code: i32,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

impl Watched for Pod {
    const DECODER: Option<Decoder<Self>> =
        Some(|message| protobuf::read(message).map(|text: Text<'_>| text.into()));

    fn resource_version(&self) -> &str {
        &self.version
    }
}

impl<'a> Message<'a> for Text<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => value.merge(&mut self.metadata)?,
            2 => value.merge(&mut self.spec)?,
            3 => value.merge(&mut self.status)?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for PodMetadata<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.name = value.text()?,
            3 => self.namespace = value.text()?,
            5 => self.uid = value.text()?,
            6 => self.resource_version = value.text()?,
            8 => self.creation_timestamp = value.time()?,
            9 => self.deletion_timestamp = value.time()?,
            11 => {
                let label = value.pair()?;
                if let Some(instance) = label.of(CREATED_BY)? {
                    self.labels.created_by = Some(instance);
                } else if let Some(migration) = label.of(MIGRATION)? {
                    self.labels.migration = Some(migration);
                }
            }
            13 => self.owner_references.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Owner<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.kind = value.text()?,
            3 => self.name = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Spec<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.volumes.push(value.message()?),
            10 => self.node_name = value.some_text()?,
            _ => {}
        }
        Ok(())
    }
}

/// Its source is a message of its own, whose fields JSON shows as those of the volume.
impl<'a> Message<'a> for Volume<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 2 {
            self.persistent_volume_claim = value.message::<Source<'a>>()?.0;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Source<'a>(Option<Claim<'a>>);

impl<'a> Message<'a> for Source<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 10 {
            self.0 = Some(value.message()?);
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Claim<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        if number == 1 {
            self.claim_name = value.text()?;
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Status<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.phase = value.text()?,
            2 => self.conditions.push(value.message()?),
            3 => self.message = value.text()?,
            4 => self.reason = value.text()?,
            8 => self.container_statuses.push(value.message()?),
            10 => self.init_container_statuses.push(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

/// As in `PodCondition`.
impl<'a> Message<'a> for BorrowedCondition<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.r#type = value.text()?,
            2 => self.status = value.text()?,
            4 => self.since = value.time()?,
            5 => self.reason = value.text()?,
            6 => self.message = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Container<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.name = value.text()?,
            2 => value.merge(&mut self.state)?,
            4 => self.ready = value.flag()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for State<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.waiting = Some(value.message()?),
            2 => self.running = Some(value.message()?),
            3 => self.terminated = Some(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl Message<'_> for Running {
    fn take(&mut self, number: u64, value: Part<'_>) -> Result<(), Malformed> {
        if number == 1 {
            self.started_at = value.time()?;
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Waiting<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.reason = value.text()?,
            2 => self.message = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Terminated<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.exit_code = value.integer()?,
            3 => self.reason = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl From<Text<'_>> for Pod {
    fn from(pod: Text<'_>) -> Self {
        let owner = |owner: &&Owner<'_>| owner.kind == "VirtualMachineInstance";
        let owner = pod.metadata.owner_references.iter().find(owner);
        let claims = pod.spec.volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref());
        let launcher = Launcher {
            passed: pod.passed(),
            state: clip(&pod.state(), MOST_TOLD),
            claims: claims.map(|claim| claim.claim_name.clone().into_owned()).collect(),
            instance: String::new(),
            migration: pod.metadata.labels.migration.clone(),
            target: Target { namespace: pod.metadata.namespace.clone().into_owned(), name: String::new() },
            uid: pod.metadata.uid.clone().into_owned(),
            name: clip(&pod.metadata.name, MOST_TOLD),
            node: pod.spec.node_name.as_ref().map(|node| clip(node, MOST_TOLD)),
            gone: false,
        };
        Self {
            version: (&*pod.metadata.resource_version).into(),
            ends: pod.metadata.deletion_timestamp.is_some()
                || matches!(&*pod.status.phase, "Succeeded" | "Failed"),
            instance: pod.metadata.labels.created_by,
            owner: owner.map(|owner| owner.name.clone().into_owned()),
            launcher,
        }
    }
}

impl Pod {
    /// The pod converted for the fold; `None` if no VMI owns it.
    pub fn launcher(self, gone: bool) -> Option<Launcher> {
        let mut launcher = Launcher { instance: self.instance?, gone, ..self.launcher };
        launcher.target.name = self.owner?;
        Some(launcher)
    }

    /// Instance UID, node, and identity of the pod; `None` if it has ended, is being deleted, or has no node.
    pub fn evictable(self) -> Option<(String, String, Evictable)> {
        let Launcher { node, name, uid, .. } = self.launcher;
        if self.ends {
            return None;
        }
        Some((self.instance?, node?, Evictable { name, uid }))
    }
}

impl Text<'_> {
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

    /// Time since which the pod runs as virt-controller requires: `compute` runs, regardless of its own probe, and all
    /// others are ready.
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
                    if !matches!(&**reason, "" | "PodInitializing" | "ContainerCreating") =>
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
            None => status.phase.clone().into_owned(),
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
                "labels": {"kubevirt.io/created-by": "i"}, "ownerReferences": [{"kind": "VirtualMachineInstance", "name": "vm", "uid": "i"}]},
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
