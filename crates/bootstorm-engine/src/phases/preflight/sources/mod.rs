//! Whether the sources of the VMs exist, are ready, and may be cloned.

mod own;
mod permission;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Problem, Wanted, optional, some};
use crate::cluster::sources::Named;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::TemplateSource;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::plan::source::CONTAINER_DISK;

/// Objects that a manifest names
#[derive(Debug, Default)]
struct References {
    /// Kind, namespace and name.
    all: BTreeSet<(u8, Option<String>, String)>,
}

/// The kinds, in the order in which they are reported.
const KINDS: [Named; 7] = [
    Named::DataSource,
    Named::Claim,
    Named::Snapshot,
    Named::StorageClass,
    Named::Instancetype,
    Named::Preference,
    Named::Network,
];
/// Number of claims of a pool checked one by one; of a larger pool the first ones.
const MOST_LOOKED_AT: usize = 50;

impl References {
    fn add(&mut self, kind: Named, namespace: Option<&str>, name: Option<&str>) {
        let Some(name) = name.filter(|name| is_path_safe(name)) else { return };
        if namespace.is_some_and(|namespace| !is_path_safe(namespace)) {
            return;
        }
        let rank = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u8;
        self.all.insert((rank, namespace.map(str::to_owned), name.to_owned()));
    }

    /// Objects that a manifest and a plan reference outside the run's own namespaces.
    fn of(wanted: &Wanted<'_>) -> Self {
        let mut found = Self::default();
        let spec = &wanted.manifest["spec"];
        for template in spec["dataVolumeTemplates"].as_array().into_iter().flatten() {
            let volume = &template["spec"];
            let (reference, source) = (&volume["sourceRef"], &volume["source"]);
            // Without a namespace it is in the VM's own, which does not exist yet.
            if let Some(namespace) = reference["namespace"].as_str() {
                found.add(Named::DataSource, Some(namespace), reference["name"].as_str());
            }
            for (kind, source) in [(Named::Claim, &source["pvc"]), (Named::Snapshot, &source["snapshot"])] {
                if let Some(namespace) = source["namespace"].as_str() {
                    found.add(kind, Some(namespace), source["name"].as_str());
                }
            }
            for storage in [&volume["storage"], &volume["pvc"]] {
                found.add(Named::StorageClass, None, storage["storageClassName"].as_str());
            }
        }
        if let TemplateSource::Pvc { namespace, .. } = &wanted.plan.template {
            for name in wanted.plan.template.pool().iter().take(MOST_LOOKED_AT) {
                found.add(Named::Claim, Some(namespace), Some(name));
            }
        }
        let is_cluster_wide =
            |kind: &Value| kind.as_str().is_none_or(|kind| kind.to_lowercase().contains("cluster"));
        for (kind, field) in [(Named::Instancetype, "instancetype"), (Named::Preference, "preference")] {
            if is_cluster_wide(&spec[field]["kind"]) {
                found.add(kind, None, spec[field]["name"].as_str());
            }
        }
        for network in spec["template"]["spec"]["networks"].as_array().into_iter().flatten() {
            let whole = network["multus"]["networkName"].as_str();
            if let Some((namespace, name)) = whole.and_then(|whole| whole.split_once('/')) {
                found.add(Named::Network, Some(namespace), Some(name));
            }
        }
        found
    }

    fn each(&self) -> impl Iterator<Item = (Named, Option<&str>, &str)> {
        self.all
            .iter()
            .map(|(rank, namespace, name)| (KINDS[*rank as usize], namespace.as_deref(), name.as_str()))
    }
}

/// Whether a name can be part of a path; names come from the user's manifest.
fn is_path_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

/// Checks all sources of the VMs.
pub(super) async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    if !wanted.fresh {
        return Ok(findings);
    }
    let references = References::of(wanted);
    for (kind, namespace, name) in references.each() {
        let what = format!("{} {}", kind.word(), full(namespace, name));
        let Some(found) =
            optional(cluster.look_up(kind, namespace, name).await, &format!("{what} is"), &mut findings)?
        else {
            continue;
        };
        match found {
            None => {
                let problem = missing(cluster, kind, &what).await?;
                findings.problems.push(problem);
            }
            Some(object) => judge(kind, &what, &object, wanted.manifest, &mut findings),
        }
    }
    if matches!(wanted.plan.template, TemplateSource::Blank) && !wanted.plan.probe.probes.is_empty() {
        findings
            .warnings
            .push("nothing boots from a blank disk, so no guest will answer; add --probe none".into());
    }
    own::check(cluster, wanted, &mut findings).await?;
    permission::check_watch(cluster, wanted, &mut findings).await?;
    permission::check(cluster, wanted, &references, &mut findings).await?;
    Ok(findings)
}

fn full(namespace: Option<&str>, name: &str) -> String {
    namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default() + name
}

/// The problem of a missing object, with existing alternatives.
async fn missing(cluster: &Cluster, kind: Named, what: &str) -> Result<Problem, ClusterError> {
    let mut problem = Problem::new(format!("{what} does not exist"));
    // Without permission to list them, alternatives are omitted.
    match cluster.names_of(kind, None).await {
        Ok(names) if names.is_empty() => {
            problem = problem.because(format!("there is no {} in this cluster", kind.word()));
        }
        Ok(names) => problem = problem.because(format!("there are: {}", names_of(&names))),
        Err(error) if error.kind == crate::cluster::Kind::Forbidden => {}
        Err(error) => return Err(error),
    }
    Ok(match kind {
        Named::DataSource => problem
            .hint("choose an existing one: --source datasource:NAMESPACE/NAME")
            .hint(format!("or boot without golden images: --source containerdisk:{CONTAINER_DISK}")),
        Named::Network => problem.hint("name it as --network NAMESPACE/NAME"),
        kind => problem.hint(format!("see what exists: kubectl get {} -A", kind.plural())),
    })
}

/// At most twelve names.
fn names_of(names: &[String]) -> String {
    const SHOWN: usize = 12;
    if names.len() <= SHOWN { names.join(", ") } else { some(names) }
}

/// Whether an existing object can be used.
fn judge(kind: Named, what: &str, object: &Value, manifest: &Value, findings: &mut Findings) {
    let status = &object["status"];
    let unready = match kind {
        Named::DataSource => {
            let conditions = status["conditions"].as_array();
            let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
            ready.filter(|ready| ready["status"] != "True").map(|ready| {
                let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
                format!("{}: {}", text("reason"), text("message"))
            })
        }
        Named::Claim if status["phase"] != "Bound" => {
            Some(format!("its phase is {}", status["phase"].as_str().unwrap_or("unknown")))
        }
        Named::Snapshot if status["readyToUse"] != true => Some("its readyToUse is not true".into()),
        _ => None,
    };
    if let Some(why) = unready {
        let object = format!("kubectl describe {} -A", kind.plural());
        findings.problems.push(
            Problem::new(format!("{what} is not ready")).because(why).hint(format!("see why: {object}")),
        );
        return;
    }
    let size = match kind {
        Named::Claim => &status["capacity"]["storage"],
        Named::Snapshot => &status["restoreSize"],
        Named::Instancetype | Named::Preference | Named::Network => {
            findings.good.push(what.to_owned());
            return;
        }
        _ => &Value::Null,
    };
    findings.good.push(if kind == Named::StorageClass { what.to_owned() } else { format!("{what} ready") });
    if let (Some(source), Some(disk)) = (Quantity::of(size), disk_size(manifest))
        && disk < source
    {
        findings.problems.push(
            Problem::new(format!("the VMs' disk is smaller than {what}"))
                .because(format!(
                    "a clone cannot be smaller than its source, {}",
                    size.as_str().unwrap_or("?")
                ))
                .hint(format!("add --disk-size {}", size.as_str().unwrap_or("SIZE"))),
        );
    }
}

/// Size of the first disk created for a VM.
fn disk_size(manifest: &Value) -> Option<Quantity> {
    let spec = &manifest["spec"]["dataVolumeTemplates"][0]["spec"];
    let of = |storage: &str| Quantity::of(&spec[storage]["resources"]["requests"]["storage"]);
    of("storage").or_else(|| of("pvc"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use bootstorm_model::plan::{Plan, source};

    #[test]
    fn everything_that_a_manifest_names_is_looked_at_and_no_odd_name_becomes_a_path() {
        let template = source::parse("pvc:gold/g-{1..3}").unwrap().shown;
        let mut manifest = template.built_in(None).unwrap().manifest().clone();
        manifest["spec"]["dataVolumeTemplates"][0]["spec"]["storage"]["storageClassName"] = json!("fast");
        manifest["spec"]["instancetype"] = json!({"name": "../../secrets"});
        manifest["spec"]["preference"] = json!({"name": "mine", "kind": "VirtualMachinePreference"});
        manifest["spec"]["template"]["spec"]["networks"] = json!([{"name": "a", "multus": {"networkName": "lans/blue"}}, {"name": "b", "multus": {"networkName": "own"}}]);
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let wanted = Wanted {
            plan: &plan,
            manifest: &manifest,
            run_id: None,
            fresh: true,
            via: None,
            disks: &[],
            beside: &[],
        };
        let found = References::of(&wanted);
        let names: Vec<String> = found
            .each()
            .map(|(kind, namespace, name)| format!("{} {}", kind.word(), full(namespace, name)))
            .collect();
        assert_eq!(
            names,
            ["claim gold/g-1", "claim gold/g-2", "claim gold/g-3", "storage class fast", "network lans/blue"]
        );
    }

    #[test]
    fn a_disk_smaller_than_its_source_is_a_problem() {
        let manifest = source::parse("pvc:gold/g").unwrap().shown.built_in(None).unwrap().manifest().clone();
        let mut findings = Findings::default();
        let claim = json!({"status": {"phase": "Bound", "capacity": {"storage": "40Gi"}}});
        judge(Named::Claim, "claim gold/g", &claim, &manifest, &mut findings);
        assert_eq!(findings.problems[0].hints, ["add --disk-size 40Gi"]);
        let lost = json!({"status": {"phase": "Pending"}});
        judge(Named::Claim, "claim gold/g", &lost, &manifest, &mut findings);
        assert_eq!(findings.problems[1].what, "claim gold/g is not ready");
    }
}
