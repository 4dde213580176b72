//! Whether the names of the run are free.

use std::collections::HashSet;

use futures::future::join;

use super::{Findings, Problem, Wanted, count, optional, some};
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError, names};

/// Checks for foreign namespaces or VMs of these names, and for records of the same name elsewhere.
pub(super) async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let taken = async {
        match &wanted.plan.layout.namespace {
            Some(namespace) => in_namespace(cluster, wanted, namespace).await,
            None => namespaces(cluster, wanted).await,
        }
    };
    let (taken, heads) = join(taken, cluster.heads(true)).await;
    let mut findings = taken?;
    if let Some(heads) = optional(heads, "records elsewhere are", &mut findings)? {
        let others = heads
            .into_iter()
            .filter(|head| head.prefix == wanted.plan.prefix && head.namespace != cluster.namespace());
        for other in others {
            let (prefix, namespace) = (other.prefix, other.namespace);
            findings.notes.push(format!("another run \"{prefix}\" has its record in namespace {namespace}"));
        }
    }
    Ok(findings)
}

/// Checks for existing namespaces with the names that the run will create.
async fn namespaces(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    let found = cluster.namespaces("").await;
    let Some(found) = optional(found, "the names of namespaces are", &mut findings)? else {
        return Ok(findings);
    };
    let names: HashSet<String> = wanted.plan.namespaces().into_iter().collect();
    let mut foreign: Vec<String> = Vec::new();
    for namespace in found {
        let labels = namespace.metadata.labels.unwrap_or_default();
        let name = namespace.metadata.name.unwrap_or_default();
        let ours = wanted.run_id.is_some() && labels.get(names::RUN_ID).map(String::as_str) == wanted.run_id;
        if names.contains(&name) && !ours {
            let run = labels.get(names::RUN).map(|run| format!(" (created by another run \"{run}\")"));
            foreign.push(format!("{name}{}", run.unwrap_or_default()));
        }
    }
    let hint = "choose another prefix with --ns-prefix NAME, or other indexes with --start and --end";
    findings.problems.extend(clash(foreign, ["namespace exists", "namespaces exist"], hint));
    Ok(findings)
}

/// Checks that the user's namespace exists, and for VMs with these names in it.
async fn in_namespace(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    namespace: &str,
) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    let found = cluster.namespace_named(namespace).await;
    let found = optional(found, &format!("whether namespace {namespace} exists is"), &mut findings)?;
    let absent = match found {
        Some(None) => Some(format!("namespace {namespace} does not exist")),
        Some(Some(found)) if found.metadata.deletion_timestamp.is_some() => {
            Some(format!("namespace {namespace} is being deleted"))
        }
        _ => None,
    };
    if let Some(what) = absent {
        let problem = Problem::new(what)
            .because("--vm-namespace names a namespace of yours: the run neither creates nor deletes it")
            .hint(format!("create it: kubectl create namespace {namespace}"));
        findings.problems.push(Problem { unavoidable: true, ..problem });
        return Ok(findings);
    }
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let machines = optional(cluster.machines_in(&scope, "").await, "the names of VMs are", &mut findings)?;
    let ours: HashSet<_> = wanted.plan.targets().into_iter().collect();
    let is_foreign = |machine: &crate::cluster::machines::Machine| {
        ours.contains(&machine.target()) && (wanted.run_id.is_none() || machine.run_id() != wanted.run_id)
    };
    let machines = machines.unwrap_or_default().into_iter().filter(is_foreign);
    let foreign: Vec<String> = machines.map(|machine| machine.target().to_string()).collect();
    let hint = "choose other names with --vm-name NAME-{i}, or other indexes with --start and --end";
    findings.problems.extend(clash(foreign, ["VM exists", "VMs exist"], hint));
    Ok(findings)
}

fn clash(mut foreign: Vec<String>, [one, many]: [&str; 2], hint: &str) -> Option<Problem> {
    if foreign.is_empty() {
        return None;
    }
    foreign.sort_unstable();
    let exist = count(foreign.len(), one, many);
    let problem =
        Problem::new(format!("{exist} already, outside of this run: {}", some(&foreign))).hint(hint);
    Some(Problem { unavoidable: true, ..problem })
}
