//! VMs that did not reach the goal, by cause, for display; with commands for further diagnosis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::row::Row;
use bootstorm_model::component::{self, Component};
use bootstorm_model::observe::{LauncherState, Milestone, Offset, Timeline, Warning};
use bootstorm_model::plan::Target;
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{self, Diagnosis, reason};
use bootstorm_model::text::clip;

/// Maximum number of groups per phase.
const MOST: usize = 50;
/// Maximum length of a reason in a title.
const MOST_TOLD: usize = 200;
/// VMs, and nodes, named per group.
const NAMED: usize = 5;

/// VMs that did not reach the goal for the same cause
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagnosisBlock {
    /// Cause: `FailedScheduling: Insufficient memory`; if none was seen, the reason for the end and what they waited
    /// for.
    pub cause: String,
    /// What they waited for.
    #[serde(with = "component::waits_for")]
    pub waits_for: Component,
    /// Number of VMs.
    pub vms: usize,
    /// The first ones: `namespace/name`.
    #[serde(default)]
    pub first: Vec<String>,
    /// Namespaces of the first ones, each once.
    pub namespaces: Vec<String>,
    /// Nodes that they were on, if any.
    pub nodes: Vec<String>,
    /// Commands for further diagnosis of the first one.
    pub look: Vec<String>,
    /// The first VM in detail.
    pub example: ExampleBlock,
}

/// Observations of one VM that did not reach the goal
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExampleBlock {
    /// Namespace of the VM.
    pub namespace: String,
    /// Name of the VM.
    pub name: String,
    /// Reason for its end.
    pub reason: Option<String>,
    /// Last milestone that it passed.
    pub passed: Option<Milestone>,
    /// Its node.
    pub node: Option<String>,
    /// Its launcher pod, and the state of that.
    pub launcher: Option<LauncherState>,
    /// Status of the VM at its deadline: `status.printableStatus`.
    pub status: Option<String>,
    /// Conditions that reported a problem.
    pub conditions: Vec<String>,
    /// Volumes that were not ready.
    pub volumes: Vec<String>,
    /// Kubernetes warnings; repeated ones are merged.
    pub warnings: Vec<WarningBlock>,
    /// Instances that ended before.
    pub restarts: u32,
}

/// A warning with its number of occurrences
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarningBlock {
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// One word.
    pub reason: String,
    /// The last message.
    pub message: String,
    /// Occurrences.
    pub count: u32,
    /// Last occurrence, from the beginning of the phase.
    #[serde(rename = "last_seconds", serialize_with = "stats::micros")]
    pub last: f64,
}

impl From<&Warning> for WarningBlock {
    fn from(warning: &Warning) -> Self {
        Self {
            kind: warning.kind.clone(),
            name: warning.name.clone(),
            reason: warning.reason.clone(),
            message: warning.message.clone(),
            count: warning.count,
            last: Offset::seconds(warning.last),
        }
    }
}

impl DiagnosisBlock {
    /// Causes in a phase, the most frequent first.
    pub(super) fn all(phase: &PhaseRecord, targets: &[Target]) -> Vec<Self> {
        let mut groups: BTreeMap<(String, Component), Vec<&Timeline>> = BTreeMap::new();
        for timeline in &phase.timelines {
            if let Some(found) = Diagnosis::of_failed(timeline, phase.goal) {
                let waits_for = found.waits_for;
                groups.entry((told(found, timeline), waits_for)).or_default().push(timeline);
            }
        }
        let block = |((cause, waits_for), members): ((String, Component), Vec<&Timeline>)| {
            let example = ExampleBlock::of(members.first()?, targets)?;
            let cause = own_words(&members, phase.goal).unwrap_or(cause);
            let first = || {
                let first = members.iter().take(NAMED);
                first.filter_map(|timeline| targets.get(timeline.target as usize))
            };
            let mut namespaces: Vec<String> = first().map(|vm| vm.namespace.clone()).collect();
            namespaces.dedup();
            let mut nodes: Vec<String> =
                members.iter().filter_map(|timeline| timeline.node.clone()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            nodes.truncate(NAMED);
            Some(Self {
                look: look(waits_for, &cause, &example),
                vms: members.len(),
                first: first().map(|vm| format!("{}/{}", vm.namespace, vm.name)).collect(),
                namespaces,
                nodes,
                cause,
                waits_for,
                example,
            })
        };
        let mut blocks: Vec<Self> = groups.into_iter().filter_map(block).collect();
        blocks.sort_by_key(|block| std::cmp::Reverse(block.vms));
        blocks.truncate(MOST);
        blocks
    }

    /// `7 VMs: FailedScheduling: Insufficient memory`.
    pub fn title(&self) -> String {
        let vms = if self.vms == 1 { "1 VM".to_owned() } else { format!("{} VMs", self.vms) };
        format!("{vms}: {}", reason::shown(&self.cause))
    }
}

/// Cause; if none was seen, the reason and what was waited for.
fn told(found: Diagnosis, timeline: &Timeline) -> String {
    match (found.cause, &timeline.reason) {
        (Some(cause), _) => cause,
        (None, Some(reason)) => {
            let reason = reason::normalised(&clip(reason, MOST_TOLD));
            format!("{reason} (waited for {})", found.waits_for.awaited())
        }
        (None, None) => format!("waited for {}", found.waits_for.awaited()),
    }
}

/// The reason for VMs without a known cause, if it is the same for all: it can be shown verbatim.
fn own_words(members: &[&Timeline], goal: Milestone) -> Option<String> {
    let first = members.first()?;
    let found = Diagnosis::of_failed(first, goal).filter(|found| found.cause.is_none())?;
    let reason = first.reason.as_ref()?;
    let is_same = members.iter().all(|member| member.reason.as_ref() == Some(reason));
    is_same.then(|| format!("{} (waited for {})", clip(reason, MOST_TOLD), found.waits_for.awaited()))
}

impl ExampleBlock {
    fn of(timeline: &Timeline, targets: &[Target]) -> Option<Self> {
        let target = targets.get(timeline.target as usize)?;
        let findings = timeline.findings.clone();
        let (conditions, volumes) = findings
            .as_ref()
            .map_or_else(Default::default, |found| (found.conditions.clone(), found.volumes.clone()));
        Some(Self {
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            reason: timeline.reason.clone(),
            passed: timeline.moments.keys().max().copied(),
            node: timeline.node.clone(),
            launcher: timeline.launcher.as_deref().cloned(),
            status: findings.map(|found| found.status).filter(|status| !status.is_empty()),
            conditions,
            volumes,
            warnings: timeline.warnings.iter().map(WarningBlock::from).collect(),
            restarts: timeline.restarts,
        })
    }
}

impl Row {
    /// Adds the diagnosed cause to the row, if there is one.
    pub(super) fn diagnosed(self, timeline: &Timeline, goal: Milestone) -> Self {
        Self { cause: Diagnosis::of_failed(timeline, goal).and_then(|found| found.cause), ..self }
    }
}

/// Commands for further diagnosis of a VM; none if a shell could misinterpret a name.
fn look(waits_for: Component, cause: &str, example: &ExampleBlock) -> Vec<String> {
    let (namespace, name) = (&example.namespace, &example.name);
    if !is_name(namespace) || !is_name(name) {
        return Vec::new();
    }
    let pod = example.launcher.as_ref().map(|launcher| launcher.pod.as_str()).filter(|pod| is_name(pod));
    let describe_pod = match pod {
        Some(pod) => format!("kubectl describe pod {pod} -n {namespace}"),
        None => format!("kubectl describe pod -l vm.kubevirt.io/name={name} -n {namespace}"),
    };
    let logs = match pod {
        Some(pod) => format!("kubectl logs {pod} -n {namespace} -c compute"),
        None => format!("kubectl get events -n {namespace} --sort-by=.lastTimestamp"),
    };
    let describe = |kind: &str| format!("kubectl describe {kind} {name} -n {namespace}");
    match waits_for {
        // A refused request leaves no event.
        Component::Api if cause.contains("quota") => {
            vec![format!("kubectl describe resourcequota -n {namespace}")]
        }
        Component::Api if cause.contains("ValidatingAdmissionPolicy") => {
            vec!["kubectl get validatingadmissionpolicies,validatingadmissionpolicybindings".to_owned()]
        }
        Component::Api if cause.contains("webhook") => {
            vec!["kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations".to_owned()]
        }
        Component::Api if cause.contains("cannot ") => {
            vec![format!("kubectl auth can-i --list -n {namespace}")]
        }
        Component::Api => vec![format!("kubectl get events -n {namespace} --sort-by=.lastTimestamp")],
        Component::Filling => vec![format!("kubectl get datavolumes,pvc -n {namespace}"), describe("vm")],
        Component::Controller => vec![describe("vm")],
        Component::Pod if cause.contains("quota") => {
            vec![format!("kubectl describe resourcequota -n {namespace}"), describe("vmi")]
        }
        Component::Pod => vec![describe("vmi")],
        Component::Scheduling => vec![describe_pod, "kubectl describe nodes".to_owned()],
        Component::Attaching => vec![describe_pod, "kubectl get volumeattachments".to_owned()],
        Component::Images | Component::Containers | Component::Launcher => vec![describe_pod],
        Component::Handler | Component::Domain | Component::Crashing => vec![logs, describe("vmi")],
        Component::Guest | Component::Network => {
            vec![describe("vmi"), format!("virtctl console {name} -n {namespace}")]
        }
        Component::Stop | Component::Shutdown => vec![describe("vmi")],
        Component::Queue | Component::Target | Component::Copying => {
            vec![format!("kubectl get vmim -n {namespace} -l kubevirt.io/vmi-name={name} -o yaml")]
        }
        _ => Vec::new(),
    }
}

/// Whether a text is a valid Kubernetes name.
fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.len() <= 253
        && text.bytes().all(inner)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};
    use bootstorm_model::observe::Outcome;

    #[test]
    fn like_vms_are_one_group_with_a_command() {
        let record = fixtures::diagnosed();
        let storm = &Report::of(&record, &Selection::default()).phases[2];
        let titles: Vec<String> = storm.diagnoses.iter().map(DiagnosisBlock::title).collect();
        assert_eq!(
            titles,
            ["3 VMs: FailedScheduling: Insufficient memory", "1 VM: ImagePullBackOff: quay.io/a/b:1"]
        );
        let first = &storm.diagnoses[0];
        assert_eq!(first.namespaces, ["boot-storm-test-2", "boot-storm-test-5", "boot-storm-test-8"]);
        assert_eq!(first.first[1], "boot-storm-test-5/rhel-9-vm");
        assert_eq!(first.look[0], "kubectl describe pod virt-launcher-rhel-9-vm-x7k2p -n boot-storm-test-2");
        assert_eq!(first.example.status.as_deref(), Some("ErrorUnschedulable"));
        let causes = storm.rows.iter().filter(|row| row.cause.is_some()).count();
        assert_eq!(causes, 4);
        let all = record.phases[2].timelines.iter();
        let failed = all.filter(|timeline| matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut));
        assert_eq!(failed.count(), storm.diagnoses.iter().map(|block| block.vms).sum::<usize>());
        let clean = Report::of(&fixtures::small(), &Selection::default());
        assert!(clean.phases.iter().all(|phase| phase.diagnoses.is_empty()));
    }

    #[test]
    fn no_command_holds_what_a_shell_could_take_for_its_own() {
        let mut record = fixtures::diagnosed();
        for timeline in &mut record.phases[2].timelines {
            if let Some(launcher) = &mut timeline.launcher {
                launcher.pod = "x; rm -rf ~".into();
            }
        }
        let storm = &Report::of(&record, &Selection::default()).phases[2];
        assert_eq!(
            storm.diagnoses[0].look[0],
            "kubectl describe pod -l vm.kubevirt.io/name=rhel-9-vm -n boot-storm-test-2"
        );
        for name in ["", "-x", "a b", "a$(b)", "A", "a\nb", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
