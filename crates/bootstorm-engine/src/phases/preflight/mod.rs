//! Preflight: everything that would spoil the run is checked before anything is changed, and reported at once.
//!
//! A missing read permission is no reason to refuse; it is reported as not checked.

mod drain;
mod findings;
mod kubevirt;
mod migration;
mod names;
pub mod permissions;
mod pinning;
mod probing;
pub mod quota;
mod room;
mod sources;
pub mod trial;

use futures::future::{join, join3};
use serde_json::Value;

use super::adoption;
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::sizing::{Needs, Settings};
use bootstorm_model::plan::{Disk, Extra, Plan, Target};
use bootstorm_model::probe::binding::Wiring;
use bootstorm_model::record::{ClusterFacts, Via};

pub use drain::check as check_drain;
pub use findings::{Findings, Problem};
pub use migration::check as check_migration;

/// The planned run, as far as the checks depend on it
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The manifest of its VMs.
    pub manifest: &'a Value,
    /// Their disks.
    pub disks: &'a [Disk],
    /// The small objects that come with the manifest.
    pub beside: &'a [Extra],
    /// Run that is continued.
    pub run_id: Option<&'a str>,
    /// Whether its VMs are still to be created; existing ones need no additional room.
    pub fresh: bool,
    /// Method of switching power, if already known.
    pub via: Option<Via>,
}

/// Checks the cluster; changes nothing.
///
/// Problems are findings. Fails only if the cluster does not answer.
pub async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, Failure> {
    let mut findings = Findings { facts: facts(cluster, wanted.disks).await?, ..Findings::default() };
    let (kubevirt, permissions, clashes) = join3(
        cluster.kubevirt(),
        cluster.missing(&permissions::needed(wanted, cluster.namespace())),
        names::check(cluster, wanted),
    )
    .await;
    let settings = match optional(kubevirt, "KubeVirt is", &mut findings)? {
        Some(state) => kubevirt::judge(cluster, state, &mut findings),
        None => Settings::default(),
    };
    kubevirt::check_uuids(wanted, &mut findings);
    let mut manifest = wanted.manifest.clone();
    wanted.plan.probe.apply(&mut manifest);
    let devices = sources::network_devices(cluster, wanted, &mut findings).await?;
    with_devices(&mut manifest, devices);
    let needs = Needs::of(&manifest, &settings);
    let (disks, sources, room) = join3(
        kubevirt::disks(cluster, wanted),
        Box::pin(sources::check(cluster, wanted)),
        room::check(cluster, wanted, &settings, needs.as_ref()),
    )
    .await;
    let disks = disks?;
    // Without CDI there is nothing to check.
    if disks.problems.is_empty() {
        findings.absorb(sources?);
    }
    findings.absorb(disks);
    findings.absorb(room?);
    findings.needs = needs;
    permissions::judge(permissions?, wanted, cluster.namespace(), &mut findings);
    probing::judge(wanted, &mut findings);
    findings.absorb(clashes?);
    Ok(findings)
}

/// Adds devices of nodes to a manifest, only to compute what its VMs need.
fn with_devices(manifest: &mut Value, devices: Vec<String>) {
    let place = manifest.pointer_mut("/spec/template/spec/domain/devices").and_then(Value::as_object_mut);
    if let Some(place) = place.filter(|_| !devices.is_empty()) {
        let host = place.entry("hostDevices").or_insert_with(|| Value::Array(Vec::new()));
        let devices = devices.into_iter().map(|device| serde_json::json!({"deviceName": device}));
        host.as_array_mut().into_iter().for_each(|host| host.extend(devices.clone()));
    }
}

/// Checks what matters for existing VMs: no names, no room, and only the necessary permissions.
///
/// `wiring` describes how the guests of the plan's VMs are connected. Problems are findings. Fails only if the cluster
/// does not answer.
pub async fn check_adopted(
    cluster: &Cluster,
    plan: &Plan,
    wiring: &[(Target, Wiring)],
) -> Result<Findings, Failure> {
    let mut findings = Findings { facts: facts(cluster, &[]).await?, ..Findings::default() };
    let mut needed = permissions::of_record(plan, cluster.namespace());
    needed.extend(adoption::permissions(&plan.adopted));
    let (kubevirt, missing, nodes) =
        join3(cluster.kubevirt(), cluster.missing(&needed), cluster.nodes()).await;
    if let Some(state) = optional(kubevirt, "KubeVirt is", &mut findings)? {
        kubevirt::judge(cluster, state, &mut findings);
    }
    if let Some(nodes) = optional(nodes, "the number of nodes is", &mut findings)? {
        findings.facts.nodes = Some(nodes.all.len());
        findings.facts.schedulable_nodes = Some(nodes.kinds.iter().map(|kind| kind.schedulable).sum());
        findings.good.push(count(nodes.all.len(), "node", "nodes"));
        findings.facts.node_kinds = nodes.kinds;
    }
    permissions::refuse(&missing?, cluster.namespace(), &mut findings);
    probing::judge_adopted(plan, wiring, &mut findings);
    Ok(findings)
}

/// Facts worth keeping beside the findings of the checks.
async fn facts(cluster: &Cluster, disks: &[Disk]) -> Result<ClusterFacts, ClusterError> {
    let kubernetes = cluster.version().await?;
    let (cdi, classes) = join(cluster.cdi_version(), cluster.storage_classes(disks)).await;
    Ok(ClusterFacts {
        context: cluster.context().map(str::to_owned),
        server: Some(cluster.server().to_owned()),
        kubernetes: Some(kubernetes),
        cdi: cdi?,
        storage_classes: classes?,
        disks: disks.to_vec(),
        tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..ClusterFacts::default()
    })
}

/// Result of an optional read; `None`, with a note, if the permission is missing.
fn optional<T>(
    read: Result<T, ClusterError>,
    what: &str,
    findings: &mut Findings,
) -> Result<Option<T>, ClusterError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind == Kind::Forbidden => {
            findings.notes.push(format!("{what} not checked: you cannot {}", error.doing));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// "1 node", "2 nodes".
fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// The first three names, and the number of further ones.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=3 => shown,
        all => format!("{shown} and {} more", all - 3),
    }
}
