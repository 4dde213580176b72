//! Whether the sources of the VMs exist, are ready, and may be cloned.

mod own;
mod permission;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Findings, Problem, Wanted, count, optional, some};
use crate::cluster::sources::Named;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::TemplateSource;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::plan::source::CONTAINER_DISK;
use bootstorm_model::plan::volumes;

/// Objects that a manifest names
#[derive(Debug, Default)]
struct References {
    /// Kind, namespace and name, with the smallest disk that is cloned from it, if its size is requested.
    all: BTreeMap<(u8, Option<String>, String), Option<Quantity>>,
}

/// The kinds, in the order in which they are reported.
const KINDS: [Named; 8] = [
    Named::DataSource,
    Named::Claim,
    Named::Snapshot,
    Named::StorageClass,
    Named::Instancetype,
    Named::Preference,
    Named::Network,
    Named::PriorityClass,
];
/// Number of claims of a pool checked one by one; of a larger pool the first ones.
const MOST_LOOKED_AT: usize = 50;

impl References {
    fn add(&mut self, kind: Named, namespace: Option<&str>, name: Option<&str>) {
        self.add_source(kind, namespace, name, None);
    }

    /// Adds what a disk of this size is cloned from.
    fn add_source(
        &mut self,
        kind: Named,
        namespace: Option<&str>,
        name: Option<&str>,
        disk: Option<Quantity>,
    ) {
        let Some(name) = name.filter(|name| is_path_safe(name)) else { return };
        if namespace.is_some_and(|namespace| !is_path_safe(namespace)) {
            return;
        }
        let rank = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u8;
        let known = self.all.entry((rank, namespace.map(str::to_owned), name.to_owned())).or_default();
        *known = [*known, disk].into_iter().flatten().min();
    }

    /// Objects that a manifest and a plan reference outside the run's own namespaces.
    fn of(wanted: &Wanted<'_>) -> Self {
        let mut found = Self::default();
        let spec = &wanted.manifest["spec"];
        for template in spec["dataVolumeTemplates"].as_array().into_iter().flatten() {
            let volume = &template["spec"];
            let (reference, source) = (&volume["sourceRef"], &volume["source"]);
            let disk = requested(volume);
            // Without a namespace it is in the VM's own, which does not exist yet.
            if let Some(namespace) = reference["namespace"].as_str() {
                found.add_source(Named::DataSource, Some(namespace), reference["name"].as_str(), disk);
            }
            for (kind, source) in [(Named::Claim, &source["pvc"]), (Named::Snapshot, &source["snapshot"])] {
                if let Some(namespace) = source["namespace"].as_str() {
                    found.add_source(kind, Some(namespace), source["name"].as_str(), disk);
                }
            }
            for storage in [&volume["storage"], &volume["pvc"]] {
                found.add(Named::StorageClass, None, storage["storageClassName"].as_str());
            }
        }
        if let TemplateSource::Pvc { namespace, .. } = &wanted.plan.template {
            let disk = requested(&spec["dataVolumeTemplates"][0]["spec"]);
            for name in wanted.plan.template.pool().iter().take(MOST_LOOKED_AT) {
                found.add_source(Named::Claim, Some(namespace), Some(name), disk);
            }
        }
        let is_cluster_wide =
            |kind: &Value| kind.as_str().is_none_or(|kind| kind.to_lowercase().contains("cluster"));
        for (kind, field) in [(Named::Instancetype, "instancetype"), (Named::Preference, "preference")] {
            if is_cluster_wide(&spec[field]["kind"]) {
                found.add(kind, None, spec[field]["name"].as_str());
            }
        }
        found.add(Named::PriorityClass, None, spec["template"]["spec"]["priorityClassName"].as_str());
        for network in spec["template"]["spec"]["networks"].as_array().into_iter().flatten() {
            let whole = network["multus"]["networkName"].as_str();
            if let Some((namespace, name)) = whole.and_then(|whole| whole.split_once('/')) {
                found.add(Named::Network, Some(namespace), Some(name));
            }
        }
        found
    }

    fn each(&self) -> impl Iterator<Item = (Named, Option<&str>, &str, Option<Quantity>)> {
        self.all.iter().map(|((rank, namespace, name), disk)| {
            (KINDS[*rank as usize], namespace.as_deref(), name.as_str(), *disk)
        })
    }
}

/// Whether a name can be part of a path; names come from the user's manifest.
fn is_path_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}

/// Annotation of a network with the device that each of its interfaces takes on a node, as with SR-IOV.
const RESOURCE: &str = "k8s.v1.cni.cncf.io/resourceName";

/// Devices of nodes that the networks of a VM take, one for each network (`NetworkToResource` of `KubeVirt`). Networks
/// that come with the manifest's file are not looked at.
pub(super) async fn network_devices(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<Vec<String>, ClusterError> {
    let own = wanted.plan.layout.namespace.as_ref().or(wanted.plan.copy_from.as_ref());
    let mut devices = Vec::new();
    for network in wanted.manifest["spec"]["template"]["spec"]["networks"].as_array().into_iter().flatten() {
        let whole = network["multus"]["networkName"].as_str().unwrap_or_default();
        let place = whole.split_once('/').or_else(|| Some((own?.as_str(), whole)));
        let Some((namespace, name)) = place.filter(|(space, name)| is_path_safe(space) && is_path_safe(name))
        else {
            continue;
        };
        let found = cluster.look_up(Named::Network, Some(namespace), name).await;
        let found = optional(found, &format!("the device of network {namespace}/{name} is"), findings)?;
        let device = found
            .flatten()
            .and_then(|network| network["metadata"]["annotations"][RESOURCE].as_str().map(str::to_owned));
        devices.extend(device.filter(|device| !device.is_empty()));
    }
    Ok(devices)
}

/// Checks all sources of the VMs.
pub(super) async fn check(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    if !wanted.fresh {
        return Ok(findings);
    }
    let references = References::of(wanted);
    let disks = wanted.manifest["spec"]["dataVolumeTemplates"].as_array().map_or(0, Vec::len);
    for (kind, namespace, name, disk) in references.each() {
        let what = format!("{} {}", kind.word(), full(namespace, name));
        let Some(found) =
            optional(cluster.look_up(kind, namespace, name).await, &format!("{what} is"), &mut findings)?
        else {
            continue;
        };
        match found {
            None => {
                let problem = missing(cluster, wanted, kind, &what).await?;
                findings.problems.push(problem);
            }
            Some(object) => {
                if !is_ready(kind, &what, &object, &mut findings) {
                    continue;
                }
                let (Some(disk), Some(namespace)) = (disk, namespace) else { continue };
                let sources = match kind {
                    Named::DataSource => behind(cluster, namespace, &object).await?,
                    _ => Some((String::new(), kind, object)),
                };
                if let Some((behind, kind, source)) = sources {
                    let cloned = Cloned { disk, only: disks == 1 };
                    check_size(&format!("{what}{behind}"), kind, &source, cloned, &mut findings);
                }
            }
        }
    }
    if matches!(wanted.plan.template, TemplateSource::Blank) && !wanted.plan.probe.probes.is_empty() {
        findings
            .warnings
            .push("nothing boots from a blank disk, so no guest will answer; add --probe none".into());
    }
    let faults = volumes::faults(wanted.manifest);
    if !faults.is_empty() {
        let what = format!("{} of the VMs will not be created", count(faults.len(), "disk", "disks"));
        let told = |problem: Problem, fault: &volumes::Fault| {
            problem.because(format!("DataVolume {}: {}", fault.name, fault.why))
        };
        let problem = faults.iter().fold(Problem::new(what), told);
        findings.problems.push(problem.hint("correct its entry of dataVolumeTemplates in the manifest"));
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
async fn missing(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    kind: Named,
    what: &str,
) -> Result<Problem, ClusterError> {
    let is_given = matches!(wanted.plan.template, TemplateSource::File { .. });
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
        // Where a manifest is given, --source is not possible.
        Named::DataSource if is_given => {
            problem.hint("name an existing one in its sourceRef, or by --param if the manifest is a Template")
        }
        Named::Network if is_given => problem
            .hint("name an existing one in the manifest's networks: kubectl get net-attach-def -A")
            .hint("or put the NetworkAttachmentDefinition into the manifest's file"),
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
fn is_ready(kind: Named, what: &str, object: &Value, findings: &mut Findings) -> bool {
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
        return false;
    }
    findings.good.push(match kind {
        Named::DataSource | Named::Claim | Named::Snapshot => format!("{what} ready"),
        _ => what.to_owned(),
    });
    true
}

/// The claim or snapshot that a `DataSource` stands for, and how it is called behind it. CDI copies the source in use to
/// `status.source`. What the user may not read, or does not exist, is left to CDI.
async fn behind(
    cluster: &Cluster,
    namespace: &str,
    object: &Value,
) -> Result<Option<(String, Named, Value)>, ClusterError> {
    let used = [&object["status"]["source"], &object["spec"]["source"]];
    let Some(source) = used.into_iter().find(|source| source.is_object()) else { return Ok(None) };
    for (kind, source) in [(Named::Claim, &source["pvc"]), (Named::Snapshot, &source["snapshot"])] {
        let Some(name) = source["name"].as_str().filter(|name| is_path_safe(name)) else { continue };
        let namespace = source["namespace"].as_str().unwrap_or(namespace);
        if !is_path_safe(namespace) {
            continue;
        }
        return match cluster.look_up(kind, Some(namespace), name).await {
            Ok(found) => {
                Ok(found.map(|found| (format!(" ({} {namespace}/{name})", kind.word()), kind, found)))
            }
            Err(error) if error.kind == crate::cluster::Kind::Forbidden => Ok(None),
            Err(error) => Err(error),
        };
    }
    Ok(None)
}

/// The smallest disk that is cloned from a source
#[derive(Clone, Copy)]
struct Cloned {
    disk: Quantity,
    /// It is the VMs' only one, so that `--disk-size` is about it.
    only: bool,
}

/// Checks that a disk holds what it is cloned from. CDI compares what both claims request (`ValidateRequestedCloneSize`
/// in its `pkg/controller/common/util.go`), and of a snapshot the size to restore.
fn check_size(what: &str, kind: Named, source: &Value, cloned: Cloned, findings: &mut Findings) {
    let Cloned { disk, only } = cloned;
    let size = match kind {
        Named::Claim => &source["spec"]["resources"]["requests"]["storage"],
        Named::Snapshot => &source["status"]["restoreSize"],
        _ => return,
    };
    if let Some(needed) = Quantity::of(size).filter(|needed| disk < *needed) {
        let written = size.as_str().map_or_else(|| needed.to_string(), str::to_owned);
        findings.problems.push(
            Problem::new(format!("the VMs' disk is smaller than {what}"))
                .because(format!("a clone of {disk} cannot hold its source, {written}"))
                .hint(if only {
                    format!("add --disk-size {written}")
                } else {
                    format!("request {written} or more for it in the manifest")
                }),
        );
    }
}

/// Size that the spec of a `DataVolume` requests.
fn requested(spec: &Value) -> Option<Quantity> {
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
            .map(|(kind, namespace, name, _)| format!("{} {}", kind.word(), full(namespace, name)))
            .collect();
        assert_eq!(
            names,
            ["claim gold/g-1", "claim gold/g-2", "claim gold/g-3", "storage class fast", "network lans/blue"]
        );
    }

    #[test]
    fn a_disk_smaller_than_its_source_is_a_problem() {
        let mut findings = Findings::default();
        // What was provisioned may be more than what was requested; only requests are compared.
        let claim = json!({
            "spec": {"resources": {"requests": {"storage": "40Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "41Gi"}},
        });
        let gibi = |number: u32| {
            let disk = Quantity::of(&json!(format!("{number}Gi"))).unwrap();
            Cloned { disk, only: number != 38 }
        };
        check_size("claim gold/g", Named::Claim, &claim, gibi(40), &mut findings);
        assert!(findings.problems.is_empty());
        check_size("claim gold/g", Named::Claim, &claim, gibi(39), &mut findings);
        assert_eq!(findings.problems[0].hints, ["add --disk-size 40Gi"]);
        let snapshot = json!({"status": {"readyToUse": true, "restoreSize": "5Gi"}});
        check_size("snapshot gold/s", Named::Snapshot, &snapshot, gibi(4), &mut findings);
        assert_eq!(findings.problems[1].hints, ["add --disk-size 5Gi"]);
        check_size("claim gold/g", Named::Claim, &claim, gibi(38), &mut findings);
        assert_eq!(findings.problems[2].hints, ["request 40Gi or more for it in the manifest"]);
        let lost = json!({"status": {"phase": "Pending"}});
        assert!(!is_ready(Named::Claim, "claim gold/g", &lost, &mut findings));
        assert_eq!(findings.problems[3].what, "claim gold/g is not ready");
    }

    #[test]
    fn the_smallest_disk_of_a_source_counts() {
        let disk = |name: &str, size: &str| {
            json!({
                "metadata": {"name": name},
                "spec": {
                    "sourceRef": {"kind": "DataSource", "namespace": "gold", "name": "fedora"},
                    "storage": {"resources": {"requests": {"storage": size}}},
                },
            })
        };
        let manifest =
            json!({"spec": {"dataVolumeTemplates": [disk("a", "20Gi"), disk("b", "8Gi"), disk("c", "9Gi")]}});
        let template = source::parse("blank").unwrap().shown;
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
        let sizes: Vec<_> = found.each().map(|(.., disk)| disk).collect();
        assert_eq!(sizes, [Quantity::of(&json!("8Gi"))]);
    }
}
