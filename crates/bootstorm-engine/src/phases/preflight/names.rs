//! Whether the names of the run are free.

use std::collections::HashSet;

use futures::future::join3;
use serde_json::Value;

use super::{Findings, Problem, Wanted, count, optional, some};
use crate::cluster::scope::Scope;
use crate::cluster::sources::Named;
use crate::cluster::{Cluster, ClusterError, Kind, names};

/// Checks for foreign namespaces or VMs of these names, and for records of the same name elsewhere.
pub(super) async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let taken = async {
        match &wanted.plan.layout.namespace {
            Some(namespace) => in_namespace(cluster, wanted, namespace).await,
            None => namespaces(cluster, wanted).await,
        }
    };
    let home = cluster.namespace();
    let (taken, heads, home_found) = join3(taken, cluster.heads(true), cluster.namespace_named(home)).await;
    let mut findings = taken?;
    let is_told = wanted.plan.layout.namespace.as_deref() == Some(home);
    match home_found {
        Ok(None) if !is_told => {
            let problem = Problem::new(format!("namespace {home} does not exist"))
                .because("the record of the run is kept in it: --namespace, or the context, names it")
                .hint(format!("create it: kubectl create namespace {home}"));
            findings.problems.push(Problem { unavoidable: true, ..problem });
        }
        // Without permission to read it, the first request into it shows whether it exists.
        Ok(_) => {}
        Err(error) if error.kind == Kind::Forbidden => {}
        Err(error) => return Err(error),
    }
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
    check_selectors(cluster, wanted, namespace, &mut findings).await?;
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

/// Checks that nothing in the user's namespace selects the VMs' pods by labels of the manifest: a Service would send its
/// clients to them.
async fn check_selectors(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    namespace: &str,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let labels = &wanted.manifest["spec"]["template"]["metadata"]["labels"];
    if labels.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(());
    }
    let selects = |selector: &Value| {
        let mut pairs = selector.as_object().into_iter().flatten();
        selector.as_object().is_some_and(|all| !all.is_empty())
            && pairs.all(|(key, value)| labels[key] == *value)
    };
    let place = format!("in namespace {namespace}");
    let services = cluster.all_of(Named::Service, Some(namespace)).await;
    let services = optional(services, &format!("Services {place} are"), findings)?.unwrap_or_default();
    let services: Vec<&Value> =
        services.iter().filter(|service| selects(&service["spec"]["selector"])).collect();
    if !services.is_empty() {
        let names = some(&names_of(&services));
        let (what, why) = match services.len() {
            1 => (format!("Service {names} {place} would send its clients"), "its selector matches"),
            all => (format!("{all} Services {place} would send their clients"), "their selectors match"),
        };
        let what = match services.len() {
            1 => format!("{what} to the VMs of the run"),
            _ => format!("{what} to the VMs of the run: {names}"),
        };
        let labels: std::collections::BTreeSet<&String> = services
            .iter()
            .flat_map(|one| one["spec"]["selector"].as_object().into_iter().flatten())
            .map(|(key, _)| key)
            .collect();
        let labels: Vec<&str> = labels.into_iter().map(String::as_str).collect();
        findings.problems.push(
            Problem::new(what)
                .because(format!("{why} labels of the manifest: {}", labels.join(", ")))
                .hint("remove or rename these labels under spec.template.metadata.labels of the manifest")
                .hint("or let the run create namespaces of its own: omit --vm-namespace"),
        );
    }
    let budgets = cluster.all_of(Named::Budget, Some(namespace)).await;
    let budgets =
        optional(budgets, &format!("PodDisruptionBudgets {place} are"), findings)?.unwrap_or_default();
    let budgets: Vec<&Value> =
        budgets.iter().filter(|budget| selects(&budget["spec"]["selector"]["matchLabels"])).collect();
    if !budgets.is_empty() {
        findings.warnings.push(format!(
            "{} {place} by labels of the manifest, so evictions of other VMs depend on them: {}",
            count(
                budgets.len(),
                "PodDisruptionBudget counts the VMs of the run",
                "PodDisruptionBudgets count the VMs of the run"
            ),
            some(&names_of(&budgets))
        ));
    }
    Ok(())
}

fn names_of(objects: &[&Value]) -> Vec<String> {
    objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap_or("?").to_owned()).collect()
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
