//! Whether the VMs' service account may clone from the namespace of their source.
//!
//! virt-controller checks that account, not the user who creates the VM.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Findings, Problem, Wanted, optional};
use super::References;
use crate::cluster::access::Permission;
use crate::cluster::sources::Named;
use crate::cluster::{Cluster, ClusterError};

/// Adds a note if the time to fill disks cannot be measured.
pub(super) async fn check_watch(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let templates = wanted.manifest["spec"]["dataVolumeTemplates"].as_array();
    if templates.is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let namespace = &wanted.plan.layout.namespace;
    let wish = |verb| {
        let (group, resource) = ("cdi.kubevirt.io", "datavolumes");
        Permission { verb, group, resource, namespace: namespace.clone() }
    };
    if let Some(missing) = cluster.missing(&[wish("list"), wish("watch")]).await?.first() {
        findings.notes.push(format!("the time to fill disks will not be measured: you cannot {missing}"));
    }
    Ok(())
}

/// Checks the account of the first VM; the others are alike.
pub(super) async fn check(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    references: &References,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let Some(target) = wanted.plan.targets().into_iter().next() else { return Ok(()) };
    let clones = |kind: &Named| matches!(kind, Named::DataSource | Named::Claim | Named::Snapshot);
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    for (_, namespace, ..) in references.each().filter(|(kind, ..)| clones(kind)) {
        namespaces.extend(namespace.filter(|namespace| *namespace != target.namespace));
    }
    let account = account(wanted.manifest);
    for from in namespaces {
        let answer = cluster.may_clone((&target.namespace, &account), from).await;
        let what = format!("whether VMs may clone from namespace {from} is");
        if optional(answer, &what, findings)? == Some(false) {
            findings.problems.push(problem(&target.namespace, &account, from));
        }
    }
    Ok(())
}

/// Service account that represents a VM.
fn account(manifest: &Value) -> String {
    let spec = &manifest["spec"]["template"]["spec"];
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    let mounted = volumes.find_map(|volume| volume["serviceAccount"]["serviceAccountName"].as_str());
    spec["serviceAccountName"].as_str().or(mounted).unwrap_or("default").to_owned()
}

fn problem(namespace: &str, account: &str, from: &str) -> Problem {
    Problem::new(format!("the VMs may not clone from namespace {from}"))
        .because(format!(
            "service account {account} of namespace {namespace} cannot create datavolumes/source.cdi.kubevirt.io in {from}"
        ))
        .hint(format!(
            "an administrator of namespace {from} can grant it: kubectl create role bootstorm-clone -n \
             {from} --verb=create --resource=datavolumes.cdi.kubevirt.io/source"
        ))
        .hint(format!(
            "and then: kubectl create rolebinding bootstorm-clone -n {from} --role=bootstorm-clone --group=system:serviceaccounts"
        ))
}
