//! Setup: the cluster is looked at, the plan frozen, the namespaces made.

use futures::StreamExt;

use super::event::{Event, Listener};
use super::{Interrupt, timed::Cut};
use crate::cluster::access::Permission;
use crate::cluster::facts::KubeVirtState;
use crate::cluster::namespaces::Made;
use crate::cluster::store::RunStore;
use crate::cluster::{Cluster, Trouble, names};
use crate::failure::Failure;
use crate::observe::Clock;
use crate::plan::{Disk, Plan, TemplateSource};
use crate::record::{ClusterFacts, RunRecord};

/// The permissions that a run of this plan needs, with records in `namespace`.
pub fn permissions(plan: &Plan, namespace: &str) -> Vec<Permission> {
    let anywhere = |verb, group, resource| Permission { verb, group, resource, namespace: None };
    let here =
        |verb, group, resource| Permission { verb, group, resource, namespace: Some(namespace.to_owned()) };
    let mut wanted = Vec::new();
    for verb in ["get", "list", "watch", "create", "delete"] {
        wanted.push(anywhere(verb, "", "namespaces"));
    }
    for verb in ["get", "list", "watch", "create", "patch", "delete"] {
        wanted.push(anywhere(verb, "kubevirt.io", "virtualmachines"));
    }
    for verb in ["list", "watch"] {
        wanted.push(anywhere(verb, "kubevirt.io", "virtualmachineinstances"));
    }
    for verb in ["get", "list", "watch", "create", "update", "delete"] {
        wanted.push(here(verb, "", "configmaps"));
    }
    for verb in ["get", "create", "update", "delete"] {
        wanted.push(here(verb, "coordination.k8s.io", "leases"));
    }
    if plan.probe.needs_prober() {
        let pods = plan.probe.pod.as_ref().map_or(namespace, |(namespace, _)| namespace);
        let there =
            |verb, resource| Permission { verb, group: "", resource, namespace: Some(pods.to_owned()) };
        // A WebSocket begins as a GET; Kubernetes 1.35 and later ask for create too.
        wanted.extend(["get", "create"].map(|verb| there(verb, "pods/exec")));
        if plan.probe.pod.is_none() {
            wanted.extend(["list", "watch", "create", "delete"].map(|verb| there(verb, "pods")));
        }
    }
    if matches!(plan.template, TemplateSource::File { .. }) {
        for verb in ["get", "list", "watch", "create", "update", "delete"] {
            wanted.push(here(verb, "", "secrets"));
        }
    }
    wanted
}

/// Looks at the cluster; changes nothing.
///
/// Fails when `KubeVirt` is not there, or a permission is missing.
pub async fn inspect(cluster: &Cluster, plan: &Plan, disks: Vec<Disk>) -> Result<ClusterFacts, Failure> {
    match cluster.kubevirt().await? {
        KubeVirtState::Deployed(_) => {}
        KubeVirtState::Unfinished(phase) => {
            return Err(Failure::new(format!("KubeVirt is not deployed here, its phase is {phase}"))
                .hint("see what it waits for: kubectl get kubevirt -A -o yaml"));
        }
        KubeVirtState::Absent => {
            return Err(Failure::new("KubeVirt is not installed in this cluster")
                .because(format!("{} has no KubeVirt object", cluster.server()))
                .hint("choose another cluster with --context NAME")
                .hint("without a cluster, try: kubectl bootstorm run --sandbox --end 20"));
        }
    }
    let missing = cluster.missing(&permissions(plan, cluster.namespace())).await?;
    if !missing.is_empty() {
        let mut failure =
            Failure::new(format!("{} missing", count(missing.len(), "permission is", "permissions are")));
        for permission in missing {
            failure = failure.because(format!("you cannot {permission}"));
        }
        return Err(failure.hint("ask for these permissions, then check with: kubectl auth can-i --list"));
    }
    Ok(cluster.facts(disks).await?)
}

/// Fails when a namespace of the plan exists and was not made by this run.
pub async fn check_clashes(cluster: &Cluster, plan: &Plan, run_id: Option<&str>) -> Result<(), Failure> {
    let wanted: std::collections::HashSet<String> =
        plan.targets().into_iter().map(|target| target.namespace).collect();
    let mut foreign: Vec<String> = Vec::new();
    for namespace in cluster.namespaces("").await? {
        let labels = namespace.metadata.labels.unwrap_or_default();
        let name = namespace.metadata.name.unwrap_or_default();
        let ours = run_id.is_some() && labels.get(names::RUN_ID).map(String::as_str) == run_id;
        if wanted.contains(&name) && !ours {
            let run = labels.get(names::RUN).map(|run| format!(" (made by another run \"{run}\")"));
            foreign.push(format!("{name}{}", run.unwrap_or_default()));
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    foreign.sort_unstable();
    let shown = foreign.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let more = if foreign.len() > 3 { format!(" and {} more", foreign.len() - 3) } else { String::new() };
    Err(Failure::new(format!(
        "{} already and not ours: {shown}{more}",
        count(foreign.len(), "namespace exists", "namespaces exist")
    ))
    .hint("choose another prefix with --ns-prefix NAME, or other indexes with --start and --end"))
}

/// Makes the namespaces that are missing, `batch_size` at the same time.
///
/// Namespaces that an earlier, interrupted setup made are kept.
pub async fn make_namespaces(
    cluster: &Cluster,
    record: &mut RunRecord,
    store: &mut RunStore,
    batch_size: usize,
    mut interrupt: Interrupt,
    events: Listener<'_>,
) -> Result<Option<Cut>, Failure> {
    let clock = Clock::start();
    let names: Vec<String> = record.plan.targets().into_iter().map(|target| target.namespace).collect();
    events(&Event::SetupBegan { namespaces: names.len(), batch_size });
    let (prefix, run_id) = (record.plan.prefix.clone(), record.run_id.clone());
    let make = |name: String| {
        let (prefix, run_id) = (&prefix, &run_id);
        async move {
            let made = cluster.make_namespace(&name, prefix, run_id).await;
            (name, made)
        }
    };
    let mut making = futures::stream::iter(names).map(make).buffer_unordered(batch_size.max(1));
    let mut made_now = 0;
    loop {
        let (name, made): (String, Result<Made, Trouble>) = tokio::select! {
            biased;
            () = interrupt.wait() => {
                events(&Event::Interrupted);
                return Ok(Some(Cut::Interrupted));
            }
            next = making.next() => match next {
                Some(next) => next,
                None => break,
            },
        };
        match made? {
            Made::Now => made_now += 1,
            Made::Before => {}
            Made::Foreign => {
                return Err(Failure::new(format!("namespace {name} exists already and is not ours"))
                    .hint("choose another prefix with --ns-prefix NAME"));
            }
            Made::Terminating => {
                return Err(Failure::new(format!("namespace {name} is still being deleted")).hint(format!(
                    "wait for it, then try again: kubectl wait --for=delete namespace/{name}"
                )));
            }
        }
        events(&Event::NamespaceMade);
    }
    drop(making);
    let took = clock.now();
    super::probers::prepare(cluster, record, events).await?;
    record.setup.namespaces += made_now;
    record.setup.took = crate::observe::Offset(record.setup.took.0 + took.0);
    record.setup.batch_size = batch_size;
    record.setup.done = true;
    store.save(record, None).await?;
    Ok(None)
}

/// The guide's advice on namespaces made at once: 20 on small clusters, 30 from 10 nodes, 50 above 50.
pub fn batch_size(nodes: Option<usize>) -> usize {
    match nodes.unwrap_or(0) {
        0..10 => 20,
        10..=50 => 30,
        _ => 50,
    }
}

/// "1 permission is", "2 permissions are".
fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_sizes_follow_the_guide() {
        assert_eq!([None, Some(3), Some(10), Some(50), Some(51)].map(batch_size), [20, 20, 30, 30, 50]);
    }
}
