//! Watch on `VirtualMachineInstances`, converted for the fold.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::task::JoinSet;

use super::decode::Undecodable;
use super::error::clip;
use super::list::{list_once, version_of};
use super::metadata::{Borrowed, BorrowedCondition, Watched};
use super::scope::Scope;
use super::watch::{Delivery, Needs, View, Watch, WatchEvent};
use super::{Cluster, ClusterError, watch_delay};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Change, Instance, InstancePhase, Move};
use bootstorm_model::plan::Target;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::probe::binding::Wiring;

/// Maximum length of a Kubernetes name.
const LONGEST_NAME: usize = 253;
/// Maximum length of a reason.
const MOST_TOLD: usize = 300;
/// Time limit for each page of a list.
const LISTED_WITHIN: Duration = Duration::from_secs(30);

/// A `VirtualMachineInstance`, with only the used fields decoded
#[derive(Debug, Clone)]
pub struct Vmi {
    version: Box<str>,
    instance: Instance,
}

impl<'de> Deserialize<'de> for Vmi {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

/// The text of an instance
#[derive(Debug, Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    metadata: Borrowed<'a>,
    #[serde(default)]
    spec: Wiring,
    #[serde(default, borrow)]
    status: Status<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status<'a> {
    #[serde(borrow)]
    phase: Cow<'a, str>,
    node_name: Option<String>,
    interfaces: Vec<Interface>,
    #[serde(borrow)]
    conditions: Vec<BorrowedCondition<'a>>,
    #[serde(borrow)]
    phase_transition_timestamps: Vec<Transition<'a>>,
    migration_state: Option<MigrationState>,
    evacuation_node_name: Option<String>,
    memory: Memory,
}

/// `status.memory` (since `KubeVirt` 1.1)
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Memory {
    guest_current: Value,
}

/// `status.migrationState`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MigrationState {
    migration_uid: String,
    source_node: Option<String>,
    target_node: Option<String>,
    target_node_address: String,
    start_timestamp: Option<Timestamp>,
    end_timestamp: Option<Timestamp>,
    completed: bool,
    failed: bool,
    failure_reason: Option<String>,
    mode: Option<String>,
}

impl MigrationState {
    /// Failure reported by `KubeVirt`.
    pub(super) fn failure(&self) -> Option<String> {
        let told = self.failure_reason.as_deref().map(str::trim).filter(|told| !told.is_empty());
        told.filter(|_| self.failed).map(|told| clip(told, MOST_TOLD))
    }
}

impl From<MigrationState> for Move {
    fn from(state: MigrationState) -> Self {
        let named =
            |name: Option<&String>| name.filter(|name| !name.is_empty()).map(|name| clip(name, LONGEST_NAME));
        Self {
            failure: state.failure(),
            from: named(state.source_node.as_ref()),
            to: named(state.target_node.as_ref()),
            mode: named(state.mode.as_ref()),
            uid: clip(&state.migration_uid, LONGEST_NAME),
            target_ready: !state.target_node_address.is_empty(),
            started: state.start_timestamp,
            ended: state.end_timestamp,
            completed: state.completed,
            failed: state.failed,
        }
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Interface {
    ip_address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transition<'a> {
    #[serde(borrow)]
    phase: Cow<'a, str>,
    phase_transition_timestamp: Option<Timestamp>,
}

impl Watched for Vmi {
    fn resource_version(&self) -> &str {
        &self.version
    }
}

fn phase(text: &str) -> InstancePhase {
    match text {
        "Scheduling" => InstancePhase::Scheduling,
        "Scheduled" => InstancePhase::Scheduled,
        "Running" => InstancePhase::Running,
        "Succeeded" => InstancePhase::Succeeded,
        "Failed" => InstancePhase::Failed,
        _ => InstancePhase::Pending,
    }
}

impl From<Text<'_>> for Vmi {
    fn from(vmi: Text<'_>) -> Self {
        let is_true =
            |kind: &str| vmi.status.conditions.iter().any(|c| c.r#type == kind && c.status == "True");
        let since = |kind: &str| vmi.status.conditions.iter().find(|c| c.r#type == kind)?.since;
        let transition = |t: &Transition<'_>| Some((phase(&t.phase), t.phase_transition_timestamp?));
        let immobile = vmi.status.conditions.iter().find(|condition| condition.is("LiveMigratable", "False"));
        let instance = Instance {
            immobile: immobile.map(|condition| {
                let told = [&*condition.reason, condition.message.trim()];
                let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
                clip(&told.join(": "), MOST_TOLD)
            }),
            memory: Quantity::of(&vmi.status.memory.guest_current)
                .or_else(|| vmi.spec.memory())
                .map(Quantity::units),
            eviction: vmi.spec.eviction().map(|strategy| clip(strategy, LONGEST_NAME)),
            evacuating: vmi
                .status
                .evacuation_node_name
                .filter(|node| !node.is_empty())
                .map(|node| clip(&node, LONGEST_NAME)),
            moving: vmi.status.migration_state.map(|state| Box::new(Move::from(state))),
            answerer: vmi.spec.answerer().map(|(interface, by)| (clip(interface, LONGEST_NAME), by)),
            ready: is_true("Ready"),
            ready_since: since("Ready"),
            paused: is_true("Paused"),
            pod_ends: vmi
                .status
                .conditions
                .iter()
                .any(|condition| condition.is("Ready", "False") && condition.reason == "PodTerminating"),
            agent: is_true("AgentConnected"),
            address: vmi.status.interfaces.iter().find_map(|interface| {
                // An invalid address could not be probed, and the record would keep it for every VM.
                let address = interface.ip_address.as_deref()?;
                address.parse::<IpAddr>().is_ok().then(|| address.to_owned())
            }),
            transitions: vmi.status.phase_transition_timestamps.iter().filter_map(transition).collect(),
            phase: phase(&vmi.status.phase),
            written: vmi.metadata.written(),
            committed: None,
            uid: vmi.metadata.uid.into_owned(),
            target: Target {
                namespace: vmi.metadata.namespace.into_owned(),
                name: vmi.metadata.name.into_owned(),
            },
            created: vmi.metadata.creation_timestamp,
            deleting: vmi.metadata.deletion_timestamp.is_some(),
            deleted: vmi.metadata.deletion_timestamp,
            node: vmi.status.node_name.map(|node| clip(&node, LONGEST_NAME)),
        };
        Self { version: vmi.metadata.resource_version.into(), instance }
    }
}

impl From<Vmi> for Instance {
    fn from(vmi: Vmi) -> Self {
        vmi.instance
    }
}

/// An event of a watch, and the time of its receipt
#[derive(Debug)]
pub struct ChangeDelivery {
    /// Number of the watch.
    pub number: usize,
    /// Time at which the client received it.
    pub at: Instant,
    /// Whether it may have waited in a gap of the watch.
    pub late: bool,
    /// Event.
    pub event: ChangeEvent,
}

/// Event of a watch
#[derive(Debug)]
pub enum ChangeEvent {
    /// Instances changed; one change except after a list.
    Changes(Vec<Change>),
    /// The watch no longer delivers.
    Interrupted {
        /// Last delivery.
        since: Instant,
        /// Whether it ended as requested.
        expected: bool,
    },
    /// The watch delivers again.
    Restored,
    /// An unreadable instance.
    Unreadable(Undecodable),
    /// The watch could not be reopened for a while.
    Complaint(ClusterError),
}

/// Watches of a phase: the instances of the run, wherever they are
pub struct Changes {
    watches: Vec<Watch<Vmi>>,
    /// UID → VM, for the instances known to each watch.
    known: Vec<HashMap<String, Target>>,
    /// VMs of each watch whose instances could not be read since its last list: these are not gone.
    unread: Vec<HashSet<Target>>,
    /// Collection of each watch, for lists.
    views: Vec<(String, String)>,
    /// The only relevant VMs; `None` means all.
    only: Option<HashSet<Target>>,
    /// Instances that existed when the watches were opened, until requested.
    first: Option<ChangeDelivery>,
    cluster: Cluster,
    /// Asks for versions; ends with the watches.
    sounding: JoinSet<()>,
}

impl Changes {
    /// Opens the watch. On return, the list is complete and the watch is connected: no later change is missed.
    pub async fn open(
        cluster: &Cluster,
        scope: &Scope,
        selector: &str,
        needs: Needs,
    ) -> Result<Self, ClusterError> {
        Self::watch(cluster, scope, selector, None, needs).await
    }

    /// Opens watches on instances without our labels: everything in the scope is watched, and other VMs are dropped
    /// here.
    pub async fn open_on(
        cluster: &Cluster,
        scope: &Scope,
        only: HashSet<Target>,
        needs: Needs,
    ) -> Result<Self, ClusterError> {
        Self::watch(cluster, scope, "", Some(only), needs).await
    }

    async fn watch(
        cluster: &Cluster,
        scope: &Scope,
        selector: &str,
        only: Option<HashSet<Target>>,
        needs: Needs,
    ) -> Result<Self, ClusterError> {
        let doing = "watch virtual machine instances";
        let collections = scope.collections("virtualmachineinstances");
        let views: Vec<_> = collections.iter().map(|path| (path.clone(), selector.to_owned())).collect();
        let view = |path| View { path, labels: selector.into(), needs, ..View::default() };
        let opening = collections.into_iter().map(|path| Watch::on(cluster, doing, view(path)));
        let watches = try_join_all(opening).await?;
        let known = watches.iter().map(|_| HashMap::new()).collect();
        let unread = watches.iter().map(|_| HashSet::new()).collect();
        let (cluster, sounding) = (cluster.clone(), JoinSet::new());
        let mut changes = Self { watches, known, unread, views, only, first: None, cluster, sounding };
        let mut first: Option<ChangeDelivery> = None;
        for number in 0..changes.watches.len() {
            let Some(heard) = changes.watches[number].next().await else { continue };
            let received = changes.receive(number, heard);
            match (&mut first, received) {
                (
                    Some(ChangeDelivery { event: ChangeEvent::Changes(all), .. }),
                    ChangeDelivery { event: ChangeEvent::Changes(more), .. },
                ) => {
                    all.extend(more);
                }
                (_, received) => first = Some(received),
            }
        }
        changes.first = first;
        Ok(changes)
    }

    /// Asks the server for a version once a second from now on, so that every change is known to be no older than
    /// that. KubeVirt's own timestamps are taken before a change is written, which may take seconds.
    pub fn sound(&mut self) {
        let Some((path, _)) = self.views.first().cloned() else { return };
        let cluster = self.cluster.clone();
        self.sounding.spawn(async move {
            loop {
                let began = monotonic_now();
                sound(&cluster, &path).await;
                // The age of a version is the pause and the time for its answer.
                let pause = watch_delay::EVERY.saturating_sub(elapsed_since(began) * 3);
                tokio::time::sleep(pause.max(watch_delay::SHORTEST_PAUSE)).await;
            }
        });
    }

    /// The next event; the first is the list of instances that existed when the watch was opened. Cancel-safe.
    pub async fn next(&mut self) -> Option<ChangeDelivery> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Like [`Changes::next`], for callers that poll several streams.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChangeDelivery>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let mut number = 0;
        while number < self.watches.len() {
            let Poll::Ready(heard) = self.watches[number].poll_next(cx) else {
                number += 1;
                continue;
            };
            let Some(heard) = heard else { return Poll::Ready(None) };
            let received = self.receive(number, heard);
            if !matches!(&received.event, ChangeEvent::Changes(changes) if changes.is_empty()) {
                return Poll::Ready(Some(received));
            }
        }
        Poll::Pending
    }

    /// Number of watches.
    pub fn watches(&self) -> usize {
        self.watches.len()
    }

    /// Time at which the watch furthest behind last proved to deliver.
    pub fn delivered(&self) -> Option<Instant> {
        self.watches.iter().map(Watch::delivered).min()
    }

    /// Opens a watch anew.
    pub fn reopen(&self, number: usize) {
        if let Some(watch) = self.watches.get(number) {
            watch.reopen();
        }
    }

    /// Lists the objects that a watch covers, separately from it; and the VMs of those that cannot be read.
    pub fn list(
        &self,
        cluster: &Cluster,
        number: usize,
    ) -> impl Future<Output = Result<(Vec<Instance>, Vec<Target>), ClusterError>> + Send + use<> {
        let (cluster, only) = (cluster.clone(), self.only.clone());
        let (path, selector) = self.views.get(number).cloned().unwrap_or_default();
        async move {
            let doing = "list virtual machine instances";
            let (listed, _) = list_once::<Vmi>(&cluster, doing, &path, &selector, LISTED_WITHIN).await?;
            let wanted = |target: &Target| only.as_ref().is_none_or(|only| only.contains(target));
            let (mut instances, mut unreadable) = (Vec::with_capacity(listed.len()), Vec::new());
            for vmi in listed {
                match vmi {
                    Ok(vmi) => instances.push(Instance::from(vmi)),
                    Err(fault) => unreadable.push(Target { namespace: fault.namespace, name: fault.name }),
                }
            }
            instances.retain(|instance| wanted(&instance.target));
            Ok((instances, unreadable))
        }
    }

    fn receive(&mut self, number: usize, heard: Delivery<Vmi>) -> ChangeDelivery {
        let event = match heard.event {
            WatchEvent::Interrupted { since, expected } => {
                self.unread[number].clear();
                ChangeEvent::Interrupted { since, expected }
            }
            WatchEvent::Restored => ChangeEvent::Restored,
            WatchEvent::Unreadable(fault) => {
                let (namespace, name) = (fault.namespace.clone(), fault.name.clone());
                self.unread[number].insert(Target { namespace, name });
                ChangeEvent::Unreadable(fault)
            }
            WatchEvent::Complaint(error) => ChangeEvent::Complaint(error),
            WatchEvent::Changed(mut vmi) => {
                let time = |at| self.cluster.server_time(at);
                vmi.instance.written = vmi.instance.written.max(heard.commit.after.map(time));
                vmi.instance.committed = heard.commit.by.map(time);
                ChangeEvent::Changes(self.present(number, vmi).into_iter().collect())
            }
            WatchEvent::Removed(vmi) => {
                let Instance { uid, target, .. } = vmi.instance;
                self.known[number].remove(&uid);
                let absent = Change::Absent { uid, target };
                ChangeEvent::Changes(
                    Some(absent).filter(|change| self.is_wanted(change)).into_iter().collect(),
                )
            }
            WatchEvent::Listed(vmis) => {
                let mut before = std::mem::take(&mut self.known[number]);
                let mut changes: Vec<Change> = Vec::with_capacity(vmis.len());
                for vmi in vmis {
                    before.remove(&vmi.instance.uid);
                    changes.extend(self.present(number, vmi));
                }
                let unread = std::mem::take(&mut self.unread[number]);
                let (stay, before): (HashMap<_, _>, HashMap<_, _>) =
                    before.into_iter().partition(|(_, target)| unread.contains(target));
                self.known[number].extend(stay);
                let absent = before.into_iter().map(|(uid, target)| Change::Absent { uid, target });
                // Removed instances come first: a VM's new instance may be in the same list.
                ChangeEvent::Changes(absent.chain(changes).collect())
            }
        };
        ChangeDelivery { number, at: heard.at, late: heard.late, event }
    }

    fn present(&mut self, number: usize, vmi: Vmi) -> Option<Change> {
        let instance = vmi.instance;
        let (uid, target) = (instance.uid.clone(), instance.target.clone());
        let change = Change::Present(instance);
        if !self.is_wanted(&change) {
            return None;
        }
        self.known[number].insert(uid, target);
        Some(change)
    }

    fn is_wanted(&self, change: &Change) -> bool {
        let target = match change {
            Change::Present(instance) => &instance.target,
            Change::Absent { target, .. } => target,
        };
        self.only.as_ref().is_none_or(|only| only.contains(target))
    }
}

/// Asks for the version of the collection, unless another request has told one just now: whatever is newer was committed
/// later.
async fn sound(cluster: &Cluster, path: &str) {
    let sent = monotonic_now();
    if cluster.echo().is_recent(sent) {
        return;
    }
    let doing = "read the version of the virtual machine instances";
    let asked = tokio::time::timeout(cluster.opening_limit(), version_of::<Vmi>(cluster, doing, path));
    // Without an answer, nothing is known. The watch itself reports what the server lacks.
    if let Ok(Ok(version)) = asked.await
        && let Ok(version) = version.parse()
    {
        cluster.echo().answered(version, sent, monotonic_now());
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_model::probe::binding::Answerer;

    use super::*;

    #[test]
    fn an_instance_is_read_with_everything_absent_and_with_everything_there() {
        let bare: Vmi = serde_json::from_value(serde_json::json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!(Instance::from(bare).phase, InstancePhase::Pending);
        let full: Vmi = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "vm", "namespace": "p-1", "uid": "u", "resourceVersion": "5",
                "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:01:00Z",
                "managedFields": [
                    {"manager": "virt-controller", "time": "2026-01-01T00:00:03Z", "fieldsV1": {"f:metadata": {}}},
                    {"manager": "virt-handler", "time": "2026-01-01T00:00:10Z", "fieldsV1": {"f:status": {}}},
                    {"manager": "virt-launcher"}]},
            "spec": {"domain": {"devices": {"interfaces": [{"name": "default", "binding": {"name": "passt"}}]}},
                "networks": [{"name": "default", "pod": {}}]},
            "status": {"phase": "Running", "nodeName": "n1",
                "interfaces": [{"name": "default"}, {"ipAddress": ""}, {"ipAddress": "10.0.0.1"}],
                "memory": {"guestAtBoot": "1Gi", "guestCurrent": "2Gi"},
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null},
                    {"type": "AgentConnected", "status": "False"}],
                "phaseTransitionTimestamps": [{"phase": "Running", "phaseTransitionTimestamp": "2026-01-01T00:00:08Z"}]}
        }))
        .unwrap();
        let instance = Instance::from(full);
        assert!(instance.deleting && instance.ready && !instance.agent);
        assert_eq!(instance.written, "2026-01-01T00:00:10Z".parse().ok(), "by whoever wrote last");
        assert_eq!(instance.address.as_deref(), Some("10.0.0.1"));
        assert_eq!(instance.answerer, Some(("default".to_owned(), Answerer::Passt)));
        assert_eq!((instance.transitions.len(), instance.memory), (1, Some(2 << 30)));
        let older =
            serde_json::json!({"metadata": {"name": "a"}, "spec": {"domain": {"memory": {"guest": "1Gi"}}}});
        assert_eq!(Instance::from(serde_json::from_value::<Vmi>(older).unwrap()).memory, Some(1 << 30));
    }
}
