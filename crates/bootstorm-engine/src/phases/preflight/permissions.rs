//! Permissions that a run needs, and the consequences of missing ones.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::{Findings, Problem, Wanted, count};
use crate::cluster::access::Permission;
use crate::cluster::migrations;
use crate::phases::cleanup::{OTHERS, Resource};
use bootstorm_model::plan::{Plan, Small, TemplateSource};
use bootstorm_model::probe::kind::Probe;
use bootstorm_model::record::{PhaseKind, StormKind, Via};
use bootstorm_model::shards::{Assignment, Planned};

/// API group of start and stop.
const SUBRESOURCES: &str = "subresources.kubevirt.io";

/// The permissions that a run needs, with records in `namespace`; those needed by only some flags come last.
pub(super) fn needed(wanted: &Wanted<'_>, namespace: &str) -> Vec<Permission> {
    let plan = wanted.plan;
    // If all VMs are in a namespace of its users, these need no permissions elsewhere.
    let anywhere = |verb, group, resource| Permission {
        verb,
        group,
        resource,
        namespace: plan.layout.namespace.clone(),
    };
    let here =
        |verb, group, resource| Permission { verb, group, resource, namespace: Some(namespace.to_owned()) };
    let mut needed = Vec::new();
    if plan.makes_namespaces() {
        for verb in ["get", "list", "watch", "create", "delete"] {
            needed.push(anywhere(verb, "", "namespaces"));
        }
    }
    for verb in ["get", "list", "watch", "create", "patch", "delete"] {
        if verb != "patch" || wanted.via != Some(Via::Subresource) {
            needed.push(anywhere(verb, "kubevirt.io", "virtualmachines"));
        }
    }
    for verb in ["list", "watch"] {
        needed.push(anywhere(verb, "kubevirt.io", "virtualmachineinstances"));
    }
    needed.extend(of_record(plan, namespace));
    if plan.sealed_digest().is_some() {
        for verb in ["get", "list", "watch", "create", "update", "delete"] {
            needed.push(here(verb, "", "secrets"));
        }
    }
    let kinds: BTreeSet<Small> = plan.extras.iter().map(|extra| extra.kind).collect();
    for kind in kinds {
        // In namespaces of the run, they are deleted with these.
        let verbs: &[&str] = if plan.makes_namespaces() {
            &["get", "create"]
        } else {
            &["get", "list", "watch", "create", "delete"]
        };
        needed.extend(verbs.iter().map(|verb| anywhere(*verb, kind.group(), kind.plural())));
        if let Some(from) = &plan.copy_from {
            let namespace = Some(from.clone());
            needed.push(Permission { verb: "get", group: kind.group(), resource: kind.plural(), namespace });
        }
    }
    if wanted.via != Some(Via::Patch) {
        for action in ["virtualmachines/start", "virtualmachines/stop"] {
            needed.push(anywhere("update", SUBRESOURCES, action));
        }
    }
    if wanted.via.is_none() {
        let of_kinds = of_restarts().chain(of_migrations());
        needed.extend(of_kinds.map(|(verb, group, resource)| anywhere(verb, group, resource)));
        needed.dedup();
    }
    needed
}

/// Additional permissions of a storm of kind restart: verb, group and resource.
pub(crate) fn of_restarts() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [("update", SUBRESOURCES, "virtualmachines/restart"), ("get", "kubevirt.io", "virtualmachineinstances")]
        .into_iter()
}

/// Additional permissions of a storm of kind migrate: verb, group and resource.
///
/// Up to `KubeVirt` 1.4 its role for administrators of namespaces had these; since 1.5 a separate role has them,
/// `kubevirt.io:migrate` (`pkg/virt-operator/resource/generate/rbac/cluster.go`).
pub(crate) fn of_migrations() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let verbs = ["get", "list", "watch", "create", "delete"].into_iter();
    let migrations = verbs.map(|verb| (verb, "kubevirt.io", migrations::PLURAL));
    std::iter::once(("get", "kubevirt.io", "virtualmachineinstances")).chain(migrations)
}

/// Additional permissions of a storm of kind drain for its VMs: verb, group and resource.
pub(crate) fn of_drains() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let migrations = ["list", "watch"].map(|verb| (verb, "kubevirt.io", migrations::PLURAL));
    let more = [
        ("create", "", "pods/eviction"),
        ("list", "", "pods"),
        ("get", "kubevirt.io", "virtualmachineinstances"),
    ];
    more.into_iter().chain(migrations)
}

/// Additional permissions for nodes.
pub(crate) const OF_CORDONS: [(&str, &str, &str); 2] = [("get", "", "nodes"), ("patch", "", "nodes")];

/// Permissions for the record in `namespace` and the probers of a run.
pub(super) fn of_record(plan: &Plan, namespace: &str) -> Vec<Permission> {
    let here =
        |verb, group, resource| Permission { verb, group, resource, namespace: Some(namespace.to_owned()) };
    let mut needed = Vec::new();
    for verb in ["get", "list", "watch", "create", "update", "delete"] {
        needed.push(here(verb, "", "configmaps"));
    }
    for verb in ["get", "list", "create", "update", "delete"] {
        needed.push(here(verb, "coordination.k8s.io", "leases"));
    }
    if plan.probe.needs_prober() {
        let pods = plan.probe.pod.as_ref().map_or(namespace, |(namespace, _)| namespace);
        let there =
            |verb, resource| Permission { verb, group: "", resource, namespace: Some(pods.to_owned()) };
        // A WebSocket begins as a GET; Kubernetes 1.35 and later require create too.
        needed.extend(["get", "create"].map(|verb| there(verb, "pods/exec")));
        if plan.probe.pod.is_none() {
            needed.extend(["list", "watch", "create", "delete"].map(|verb| there(verb, "pods")));
        }
    }
    needed
}

/// Permissions for the pods of a Job, with the record in `namespace`.
///
/// All of them share one service account: the first shard does the same work as the others, and joins their parts
/// besides.
pub fn of_shards(plan: &Plan, assignment: &Assignment, namespace: &str) -> Vec<Permission> {
    match assignment.observe {
        Some(_) => of_observation(plan, namespace),
        None => of_phases(plan, &assignment.phases, namespace),
    }
}

/// The only namespace in which pods need permissions on VMs, if a role there suffices.
fn place_of_vms(plan: &Plan, namespace: &str) -> Option<String> {
    if !plan.lists_vms() {
        return plan.layout.namespace.clone();
    }
    let is_here = plan.namespaces().iter().all(|name| name == namespace);
    is_here.then(|| namespace.to_owned())
}

/// Permissions for an observation: it watches, and changes nothing but its record.
fn of_observation(plan: &Plan, namespace: &str) -> Vec<Permission> {
    let there = place_of_vms(plan, namespace);
    let vms = |verb, resource| Permission { verb, group: "kubevirt.io", resource, namespace: there.clone() };
    let mut needed = of_record(plan, namespace);
    // Shards do not wait for one another.
    needed.retain(|one| !matches!((one.verb, one.resource), ("watch", "configmaps") | ("list", "leases")));
    if let Some((pods, _)) = &plan.probe.pod {
        let namespace = Some(pods.clone());
        needed.push(Permission { verb: "get", group: "", resource: "pods", namespace });
    }
    needed.push(vms("list", "virtualmachines"));
    needed.extend(["list", "watch"].map(|verb| vms(verb, "virtualmachineinstances")));
    let nodes = |verb| Permission { verb, group: "", resource: "nodes", namespace: None };
    needed.extend(["list", "watch"].map(nodes));
    needed
}

/// Permissions for these phases.
fn of_phases(plan: &Plan, phases: &[Planned], namespace: &str) -> Vec<Permission> {
    let there = place_of_vms(plan, namespace);
    let anywhere = |verb, group, resource| Permission { verb, group, resource, namespace: there.clone() };
    let mut needed = of_record(plan, namespace);
    needed.retain(|one| (one.verb, one.resource) != ("watch", "configmaps"));
    let here =
        |verb, resource| Permission { verb, group: "", resource, namespace: Some(namespace.to_owned()) };
    if plan.probe.needs_prober() && plan.probe.pod.is_none() {
        needed.push(here("get", "pods"));
    }
    let mut vms = vec!["get", "list"];
    for Planned { name, settings } in phases {
        match (name.kind, settings.via) {
            (PhaseKind::Create, _) => {
                vms.push("create");
                if plan.sealed_digest().is_some() {
                    needed.push(here("get", "secrets"));
                }
                if plan.makes_namespaces() {
                    needed.extend(["list", "watch"].map(|verb| anywhere(verb, "", "namespaces")));
                }
            }
            (PhaseKind::Storm, _) if settings.kind == StormKind::Restart => {
                needed.extend(of_restarts().map(|(verb, group, resource)| anywhere(verb, group, resource)));
            }
            (PhaseKind::Storm, _) if settings.kind == StormKind::Migrate => {
                needed.extend(of_migrations().map(|(verb, group, resource)| anywhere(verb, group, resource)));
            }
            (PhaseKind::Stop, Via::Subresource) => {
                needed.push(anywhere("update", SUBRESOURCES, "virtualmachines/stop"));
            }
            (PhaseKind::Storm, Via::Subresource) => {
                needed.push(anywhere("update", SUBRESOURCES, "virtualmachines/start"));
            }
            (PhaseKind::Stop | PhaseKind::Storm, Via::Patch) => vms.push("patch"),
        }
    }
    needed.extend(vms.into_iter().map(|verb| anywhere(verb, "kubevirt.io", "virtualmachines")));
    let instances = ["get", "list", "watch"];
    needed.extend(instances.map(|verb| anywhere(verb, "kubevirt.io", "virtualmachineinstances")));
    needed.extend(of_checks().into_iter().filter(|one| OF_PHASES.contains(&one.resource)));
    let mut known = HashSet::new();
    needed.retain(|one| known.insert(one.clone()));
    needed
}

/// Kinds that phases read beside VMs and instances, to explain where the time goes and why VMs fail.
const OF_PHASES: [&str; 7] =
    ["nodes", "pods", "events", "resourcequotas", "persistentvolumeclaims", "kubevirts", "datavolumes"];

/// Permissions for any run that creates VMs, whatever its flags, with records in `namespace`.
pub fn of_any_run(namespace: &str) -> Vec<Permission> {
    let source = TemplateSource::File { name: String::new(), sha256: String::new(), drawn_from: None };
    let Ok(mut plan) = Plan::resolve("any", 1, 1, "any", source) else { return Vec::new() };
    plan.probe.probes = vec![Probe::Ping];
    let wanted = Wanted {
        plan: &plan,
        manifest: &Value::Null,
        disks: &[],
        beside: &[],
        run_id: None,
        fresh: true,
        via: None,
    };
    needed(&wanted, namespace)
}

/// Additional read permissions for the checks, and for the times of disks; if they are missing, a note states what was
/// not checked.
pub fn of_checks() -> Vec<Permission> {
    let read = |verb, group, resource| Permission { verb, group, resource, namespace: None };
    vec![
        read("list", "", "nodes"),
        read("list", "", "pods"),
        // Stages between the milestones, and the reason why a VM did not arrive.
        read("watch", "", "pods"),
        read("list", "", "events"),
        read("watch", "", "events"),
        read("list", "", "resourcequotas"),
        read("list", "", "limitranges"),
        read("get", "", "persistentvolumeclaims"),
        read("list", "", "persistentvolumeclaims"),
        read("list", "kubevirt.io", "kubevirts"),
        read("list", "cdi.kubevirt.io", "cdis"),
        read("get", "cdi.kubevirt.io", "datasources"),
        read("list", "cdi.kubevirt.io", "datasources"),
        read("get", "cdi.kubevirt.io", "datavolumes"),
        read("list", "cdi.kubevirt.io", "datavolumes"),
        read("watch", "cdi.kubevirt.io", "datavolumes"),
        read("get", "snapshot.storage.k8s.io", "volumesnapshots"),
        read("list", "snapshot.storage.k8s.io", "volumesnapshots"),
        read("get", "storage.k8s.io", "storageclasses"),
        read("list", "storage.k8s.io", "storageclasses"),
        read("get", "instancetype.kubevirt.io", "virtualmachineclusterinstancetypes"),
        read("list", "instancetype.kubevirt.io", "virtualmachineclusterinstancetypes"),
        read("get", "instancetype.kubevirt.io", "virtualmachineclusterpreferences"),
        read("list", "instancetype.kubevirt.io", "virtualmachineclusterpreferences"),
        read("get", "k8s.cni.cncf.io", "network-attachment-definitions"),
        read("list", "k8s.cni.cncf.io", "network-attachment-definitions"),
        read("create", "authorization.k8s.io", "subjectaccessreviews"),
    ]
}

/// Additional read permissions for cleanup, so that no namespace with foreign objects is deleted; if they are missing,
/// a note states what was not checked.
pub fn of_cleanup() -> Vec<Permission> {
    let list =
        |one: &Resource| Permission { verb: "list", group: one.group, resource: one.plural, namespace: None };
    OTHERS.iter().map(list).collect()
}

/// Sorts missing permissions into those that the run requires, and those that only other flags need.
pub(super) fn judge(missing: Vec<Permission>, wanted: &Wanted<'_>, namespace: &str, findings: &mut Findings) {
    let of_restart = |permission: &Permission| {
        of_restarts().any(|(verb, _, resource)| (verb, resource) == (permission.verb, permission.resource))
    };
    let (restart, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(of_restart);
    if let Some(permission) = restart.first() {
        findings.notes.push(format!("storm cannot use --kind restart: you cannot {permission}"));
    }
    let of_migration = |permission: &Permission| permission.resource == migrations::PLURAL;
    let (migration, missing): (Vec<_>, Vec<_>) = missing.into_iter().partition(of_migration);
    if let Some(permission) = migration.first() {
        findings.notes.push(format!("storm cannot use --kind migrate: you cannot {permission}"));
    }
    let optional = |permission: &Permission| permission.group == SUBRESOURCES && wanted.via.is_none();
    let (optional, needed): (Vec<_>, Vec<_>) = missing.into_iter().partition(optional);
    if let Some(permission) = optional.first() {
        findings.notes.push(format!("stop and storm cannot use --via subresource: you cannot {permission}"));
    }
    refuse(&needed, namespace, findings);
}

/// Reports that required permissions are missing, or that they are complete.
///
/// `namespace` is the one of the context or of the flag.
pub(super) fn refuse(needed: &[Permission], namespace: &str, findings: &mut Findings) {
    if needed.is_empty() {
        findings.good.push("permissions complete".into());
        return;
    }
    let what = format!("{} missing", count(needed.len(), "permission is", "permissions are"));
    let mut problem = Problem::new(what);
    if needed.iter().any(|permission| permission.resource == "namespaces" && permission.verb == "create") {
        let name = if namespace == "default" { "NAME" } else { namespace };
        problem = problem
            .hint(format!("with rights in one namespace only, put all VMs there: --vm-namespace {name}"));
    }
    let problem = problem.hint("ask for these permissions, then check with: kubectl auth can-i --list");
    let problem = needed.iter().fold(problem, |problem, one| problem.because(format!("you cannot {one}")));
    findings.problems.push(problem);
}
