//! Obstacles to a storm of kind migrate: missing permissions, no target node; and limits on concurrent migrations.

use std::collections::HashSet;

use futures::future::{join, join3};

use super::permissions::of_migrations;
use super::{Findings, Problem, count, kubevirt, optional};
use crate::cluster::access::Permission;
use crate::cluster::facts::KubeVirtState;
use crate::cluster::nodes::Footprint;
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::sizing::{Node, Quantity};
use bootstorm_model::plan::{Pinning, Plan, Target};

/// Label by which virt-handler marks its node as able to run VMs.
const SCHEDULABLE: &str = "kubevirt.io/schedulable";

/// Checks the cluster before `vms` VMs of a run are migrated; changes nothing.
///
/// Problems are findings. Fails only if the cluster does not answer.
pub async fn check(cluster: &Cluster, plan: &Plan, vms: usize) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let needed = needed(plan);
    let (state, missing, nodes) = join3(cluster.kubevirt(), cluster.missing(&needed), cluster.nodes()).await;
    let missing = missing?;
    if let Some(first) = missing.first() {
        let problem = Problem::new(format!("you cannot {first}, which migrations need"))
            .hint("KubeVirt 1.5 and later grant this by a role of its own: ClusterRole kubevirt.io:migrate")
            .hint("check it with: kubectl auth can-i create virtualmachineinstancemigrations.kubevirt.io");
        let others = missing.iter().skip(1);
        findings
            .problems
            .push(others.fold(problem, |problem, one| problem.because(format!("you cannot {one}"))));
    }
    let limits = match optional(state, "KubeVirt is", &mut findings)? {
        Some(state) => {
            let limits = match &state {
                KubeVirtState::Deployed { migrations, .. } => Some(*migrations),
                _ => None,
            };
            kubevirt::judge(cluster, state, &mut findings);
            limits
        }
        None => None,
    };
    let Some(nodes) = optional(nodes, "whether there are nodes to migrate to is", &mut findings)? else {
        return Ok(findings);
    };
    let mut nodes = nodes;
    let counted = room(cluster, plan, &mut nodes.all, &mut findings).await?;
    let open: Vec<&Node> = nodes.all.iter().filter(|node| takes_vms(node, &plan.pinning)).collect();
    if open.len() > 1 {
        findings.warnings.extend(tight(&counted, &open));
    }
    if open.len() < 2 {
        findings.problems.push(nowhere(open.first().copied(), &nodes.all, &plan.pinning));
    }
    if let Some(limits) = limits {
        let at_once = limits.at_once(open.len());
        let (all, node) = (limits.per_cluster, limits.per_node);
        let by = if limits.configured { "as configured" } else { "by default" };
        let queue = match vms.saturating_sub(at_once) {
            0 => String::new(),
            1 => format!("; 1 of {vms} VMs waits in its queue at first"),
            rest => format!("; {rest} of {} wait in its queue at first", count(vms, "VM", "VMs")),
        };
        findings.notes.push(format!(
            "KubeVirt migrates at most {all} VMs at a time, {node} from one node, {by}{queue}"
        ));
    }
    Ok(findings)
}

/// Adds the usage of the nodes, and returns the requests of the plan's VMs there; `None` if pods may not be listed.
async fn room(
    cluster: &Cluster,
    plan: &Plan,
    nodes: &mut [Node],
    findings: &mut Findings,
) -> Result<Vec<Footprint>, ClusterError> {
    let scope = Scope::of_plan(plan);
    let (usage, footprints) = join(cluster.usage(), cluster.footprints(&scope)).await;
    let what = "room on other nodes is";
    let Some(mut usage) = optional(usage, what, findings)? else { return Ok(Vec::new()) };
    let Some(mut footprints) = optional(footprints, what, findings)? else { return Ok(Vec::new()) };
    for node in nodes {
        node.used = usage.remove(&node.name).unwrap_or_default();
    }
    let ours: HashSet<Target> = plan.targets().into_iter().collect();
    footprints.retain(|footprint| ours.contains(&footprint.target));
    Ok(footprints)
}

/// Warns about VMs for which no other node has room now.
///
/// The target pod requests the same as the source pod. A migration whose target pod finds no room waits, and fails
/// after five minutes by default (`KubeVirt` v1.0 to v1.9, `pkg/virt-controller/watch/migration/migration.go`,
/// `defaultUnschedulablePendingTimeoutSeconds`). Taints and selectors of a VM are not considered: fewer nodes may
/// accept it.
fn tight(vms: &[Footprint], open: &[&Node]) -> Option<String> {
    let stuck = |vm: &&Footprint| !open.iter().any(|node| node.name != vm.node && short(vm, node).is_none());
    let stuck: Vec<&Footprint> = vms.iter().filter(stuck).collect();
    let memory = |vm: &Footprint| vm.requests.get("memory").copied().unwrap_or_default();
    let largest = stuck.iter().max_by_key(|vm| memory(vm))?;
    // The node with the smallest shortage is the most informative.
    let others = open.iter().filter(|node| node.name != largest.node);
    let (node, resource) = others
        .filter_map(|node| Some((node, short(largest, node)?)))
        .max_by_key(|(node, resource)| node.free(resource))?;
    let (vms, fit) = (count(stuck.len(), "VM", "VMs"), if stuck.len() == 1 { "fits" } else { "fit" });
    let Footprint { target, node: from, requests } = largest;
    let needed = requests.get(resource).copied().unwrap_or_default();
    Some(format!(
        "{vms} {fit} on no other node now; {target} on {from} requests {needed} of {resource}, and {} has {} left: its \
         migration waits until something else leaves",
        node.name,
        node.free(resource)
    ))
}

/// The first resource of which a node has too little for a VM.
fn short<'a>(vm: &'a Footprint, node: &Node) -> Option<&'a str> {
    let lacks = |(resource, amount): &(&String, &Quantity)| node.free(resource) < **amount;
    vm.requests.iter().find(lacks).map(|(resource, _)| resource.as_str())
}

/// Permissions that migrations need for the VMs of a plan.
fn needed(plan: &Plan) -> Vec<Permission> {
    let places = match Scope::of_plan(plan) {
        Scope::All => vec![None],
        Scope::Namespaces(names) => names.into_iter().map(Some).collect(),
    };
    let one = |namespace: &Option<String>| -> Vec<Permission> {
        let all = of_migrations();
        let here =
            |(verb, group, resource)| Permission { verb, group, resource, namespace: namespace.clone() };
        all.map(here).collect()
    };
    places.iter().flat_map(one).collect()
}

/// Whether a node accepts VMs in general; taints depend on each VM.
pub(super) fn takes_vms(node: &Node, pinning: &Pinning) -> bool {
    node.ready
        && !node.cordoned
        && node.labels.get(SCHEDULABLE).is_some_and(|value| value == "true")
        && pinning.allows(&node.name)
        && pinning.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
}

/// The problem that VMs have no other node as a target.
fn nowhere(only: Option<&Node>, all: &[Node], pinning: &Pinning) -> Problem {
    let what = match only {
        Some(only) => {
            format!("there is no node to migrate to: of {} only {} takes VMs", nodes(all), only.name)
        }
        None => format!("there is no node to migrate to: none of {} takes VMs", nodes(all)),
    };
    if pinning.is_default() {
        return Problem::new(what)
            .hint("see which nodes take pods: kubectl get nodes")
            .hint("uncordon a node: kubectl uncordon NODE");
    }
    Problem::new(what)
        .because(
            "the VMs of this run may run on chosen nodes only (--nodes, --single-node or --node-selector)",
        )
        .hint("set up a run that may use at least two nodes, with another --ns-prefix")
}

fn nodes(all: &[Node]) -> String {
    count(all.len(), "node", "nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, cordoned: bool) -> Node {
        Node {
            name: name.into(),
            ready: true,
            cordoned,
            labels: [(SCHEDULABLE.to_owned(), "true".to_owned())].into(),
            ..Node::default()
        }
    }

    #[test]
    fn a_vm_that_fits_on_no_other_node_is_named() {
        let amounts = |cpu: &str, memory: &str| {
            let of = |name: &str, text: &str| (name.to_owned(), Quantity::parse(text).unwrap());
            [of("cpu", cpu), of("memory", memory)].into()
        };
        let sized = |name: &str, memory: &str, used: &str| Node {
            allocatable: amounts("8", memory),
            used: amounts("1", used),
            ..node(name, false)
        };
        let (a, b, c) = (sized("a", "64Gi", "0"), sized("b", "16Gi", "10Gi"), sized("c", "16Gi", "12Gi"));
        let open = [&a, &b, &c];
        let vm = |name: &str, on: &str, memory: &str| Footprint {
            target: Target { namespace: "p-1".into(), name: name.into() },
            node: on.into(),
            requests: amounts("1", memory),
        };
        assert_eq!(tight(&[vm("small", "a", "6Gi"), vm("big", "b", "60Gi")], &open), None);
        let told = tight(&[vm("small", "a", "6Gi"), vm("mid", "a", "7Gi"), vm("big", "a", "20Gi")], &open);
        assert_eq!(
            told.unwrap(),
            "2 VMs fit on no other node now; p-1/big on a requests 20Gi of memory, and b has 6Gi left: its migration waits until \
             something else leaves"
        );
        assert_eq!(tight(&[], &open), None);
    }

    #[test]
    fn a_node_takes_vms_unless_something_keeps_all_of_them_away() {
        let any = Pinning::default();
        assert!(takes_vms(&node("a", false), &any) && !takes_vms(&node("a", true), &any));
        let on_b = Pinning { nodes: vec!["b".into()], ..Pinning::default() };
        assert!(!takes_vms(&node("a", false), &on_b) && takes_vms(&node("b", false), &on_b));
        let mut bare = node("a", false);
        bare.labels.clear();
        assert!(!takes_vms(&bare, &any), "no virt-handler there");
        let problem = nowhere(Some(&node("a", false)), &[node("a", false), node("b", true)], &any);
        assert_eq!(problem.what, "there is no node to migrate to: of 2 nodes only a takes VMs");
    }
}
