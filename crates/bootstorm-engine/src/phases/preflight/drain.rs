//! Obstacles to a drain: missing nodes, no remaining node, missing permissions.

use futures::future::join3;

use super::migration::takes_vms;
use super::permissions::{OF_CORDONS, of_drains};
use super::{Findings, Problem, optional, some};
use crate::cluster::access::Permission;
use crate::cluster::facts::{CORDON_TAINT, KubeVirtState};
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::plan::sizing::Node;

/// Checks the cluster before these nodes are drained of a run's VMs; changes nothing.
///
/// Problems are findings. Fails only if the cluster does not answer.
pub async fn check(cluster: &Cluster, plan: &Plan, nodes: &[String]) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let needed = needed(plan);
    let (missing, found, kubevirt) =
        join3(cluster.missing(&needed), cluster.nodes(), cluster.kubevirt()).await;
    let missing = missing?;
    if let Some(first) = missing.first() {
        let problem = Problem::new(format!("you cannot {first}, which a drain needs"))
            .hint("ask for these permissions, then check with: kubectl auth can-i --list");
        let others = missing.iter().skip(1);
        findings
            .problems
            .push(others.fold(problem, |problem, one| problem.because(format!("you cannot {one}"))));
    }
    judge_taint(kubevirt, &mut findings);
    if findings.problems.iter().all(|problem| !problem.unavoidable) {
        let note = "only VMs of this run are evicted: other pods and VMs stay on the nodes";
        findings.notes.push(note.to_owned());
    }
    let Some(found) = optional(found, "whether nodes are left is", &mut findings)? else {
        return Ok(findings);
    };
    judge(plan, nodes, &found.all, &mut findings);
    Ok(findings)
}

/// Refuses a drain whose cordons would make `KubeVirt` move all VMs off the nodes.
fn judge_taint(kubevirt: Result<KubeVirtState, ClusterError>, findings: &mut Findings) {
    let unknown = match kubevirt {
        Ok(KubeVirtState::Deployed { empties_cordoned_nodes: true, .. }) => {
            let problem = Problem::new("a drain would move VMs of others, too")
                .because(format!("KubeVirt moves all VMs off nodes with the taint {CORDON_TAINT}"))
                .because("Kubernetes gives this taint to every cordoned node")
                .hint("see spec.configuration.migrations.nodeDrainTaintKey: kubectl get kubevirt -A -o yaml")
                .hint("with that key removed, KubeVirt uses its default, kubevirt.io/drain");
            findings.problems.push(Problem { unavoidable: true, ..problem });
            return;
        }
        Ok(KubeVirtState::Deployed { .. }) => return,
        Ok(KubeVirtState::Unfinished(phase)) => format!("KubeVirt is {phase}"),
        Ok(KubeVirtState::Absent) => "there is no KubeVirt object".to_owned(),
        Err(error) => error.to_string(),
    };
    findings.warnings.push(format!(
        "whether KubeVirt moves VMs of others off cordoned nodes could not be checked: {unknown}; it does if \
         spec.configuration.migrations.nodeDrainTaintKey is {CORDON_TAINT}"
    ));
}

fn judge(plan: &Plan, nodes: &[String], all: &[Node], findings: &mut Findings) {
    let names: Vec<String> = all.iter().map(|node| node.name.clone()).collect();
    for name in nodes.iter().filter(|name| !names.contains(name)) {
        let problem = Problem::new(format!("there is no node {name}"))
            .because(format!("there are {}", some(&names)))
            .hint("see all of them: kubectl get nodes");
        findings.problems.push(Problem { unavoidable: true, ..problem });
    }
    let is_left = |node: &&Node| !nodes.contains(&node.name) && takes_vms(node, &plan.pinning);
    if !all.iter().any(|node| is_left(&node)) {
        let problem = Problem::new("no node would be left for the VMs of the run")
            .because(format!("the drain includes {}, and no other node takes them", nodes.join(", ")))
            .hint("drain fewer nodes, or uncordon others: kubectl uncordon NODE");
        findings.problems.push(Problem { unavoidable: true, ..problem });
    }
    let others = all.iter().filter(|node| nodes.contains(&node.name) && node.cordoned);
    for node in others {
        findings.notes.push(format!("node {} is cordoned already, and stays so afterwards", node.name));
    }
}

/// Permissions that a drain needs for the VMs of a plan, and for nodes.
fn needed(plan: &Plan) -> Vec<Permission> {
    let places = match Scope::of_plan(plan) {
        Scope::All => vec![None],
        Scope::Namespaces(names) => names.into_iter().map(Some).collect(),
    };
    let of_nodes =
        OF_CORDONS.map(|(verb, group, resource)| Permission { verb, group, resource, namespace: None });
    let mut needed = of_nodes.to_vec();
    for namespace in places {
        let here =
            |(verb, group, resource)| Permission { verb, group, resource, namespace: namespace.clone() };
        needed.extend(of_drains().map(here));
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::plan::TemplateSource;

    fn problems(nodes: &[&str]) -> Vec<String> {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let node = |name: &str| Node {
            name: name.into(),
            ready: true,
            labels: [("kubevirt.io/schedulable".to_owned(), "true".to_owned())].into(),
            ..Node::default()
        };
        let nodes: Vec<String> = nodes.iter().map(|name| (*name).to_owned()).collect();
        let mut findings = Findings::default();
        judge(&plan, &nodes, &[node("a"), node("b")], &mut findings);
        findings.problems.into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn the_last_node_is_never_drained_and_an_unknown_one_neither() {
        assert!(problems(&["a"]).is_empty());
        assert_eq!(problems(&["a", "b"]), ["no node would be left for the VMs of the run"]);
        assert_eq!(problems(&["c"]), ["there is no node c"]);
    }
}
