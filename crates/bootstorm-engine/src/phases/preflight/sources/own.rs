//! Objects that the manifest references in the VMs' own namespaces: whether they will exist, and whether several VMs
//! may use them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Findings, Problem, Wanted, count, optional};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::identity::{harvester_claims, shared, unmatched};
use bootstorm_model::plan::layout::INDEX;
use bootstorm_model::plan::manifest::clash;
use bootstorm_model::plan::references::{Needed, Reference, Use, host_disks, of, uses};

/// Number of objects checked one by one for a name with a placeholder; further ones are skipped.
const MOST_LOOKED_AT: usize = 50;
/// Number of objects named individually.
const MOST_NAMED: usize = 5;
/// Secrets that Kubernetes creates for a service account of one namespace.
const TOKEN: &str = "kubernetes.io/service-account-token";

/// Checks everything that the VMs need in their own namespaces.
pub(super) async fn check(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    check_copies(cluster, wanted, findings).await?;
    check_names(cluster, wanted, findings).await?;
    let extras: BTreeSet<_> = wanted.plan.extras.iter().collect();
    let references = of(wanted.manifest).into_iter();
    let references: Vec<Reference> =
        references.filter(|one| one.extra().is_none_or(|extra| !extras.contains(&extra))).collect();
    let places = places(wanted);
    let mut absent: Vec<Absent> = Vec::new();
    for reference in &references {
        let Some(missing) = missing(cluster, wanted, reference, &places, findings).await? else { continue };
        absent.extend(missing);
    }
    if !absent.is_empty() {
        findings.problems.push(problem(wanted, &absent));
    }
    check_sharing(cluster, wanted, findings).await?;
    check_harvester(cluster, wanted, findings).await?;
    for volume in unmatched(wanted.manifest) {
        findings.warnings.push(format!(
            "the network data of volume {volume} look for a MAC address that no interface of the VMs has, so their \
             guests may find no network; write it in both places, with {INDEX}"
        ));
    }
    if wanted.plan.size() > 1 {
        for common in shared(wanted.manifest) {
            findings.warnings.push(format!("all VMs will share {common}; write {INDEX} there for the index"));
        }
    }
    Ok(())
}

/// A missing object: name, what requires it, and its kind
struct Absent {
    kind: Needed,
    name: String,
    wanted_by: String,
}

/// Namespaces in which objects of the VMs can exist already; none before a run has created its own.
fn places(wanted: &Wanted<'_>) -> Vec<String> {
    match &wanted.plan.layout.namespace {
        Some(namespace) => vec![namespace.clone()],
        // An interrupted setup may have created them, and the user may have added something.
        None if wanted.run_id.is_some() => wanted.plan.namespaces().into_iter().take(1).collect(),
        None => Vec::new(),
    }
}

/// Missing objects of a reference; `None` if that cannot be determined.
async fn missing(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    reference: &Reference,
    places: &[String],
    findings: &mut Findings,
) -> Result<Option<Vec<Absent>>, ClusterError> {
    let absent = |name: &str| Absent {
        kind: reference.kind,
        name: name.to_owned(),
        wanted_by: reference.wanted_by.clone(),
    };
    let Some(place) = places.first() else { return Ok(Some(vec![absent(&reference.name)])) };
    let mut missing = Vec::new();
    for name in names_of(wanted, &reference.name) {
        if !super::is_path_safe(&name) {
            missing.push(absent(&name));
            continue;
        }
        let what = format!("{} {place}/{name}", reference.kind.word());
        let found = look(cluster, reference.kind, place, &name).await;
        match optional(found, &format!("{what} is"), findings)? {
            None => return Ok(None),
            Some(None) => missing.push(absent(&name)),
            Some(Some(_)) if !name.contains(INDEX) && reference.name == name => findings.good.push(what),
            Some(Some(_)) => {}
        }
    }
    Ok(Some(missing))
}

/// The claim that a `DataVolume` has left stands in for it.
async fn look(
    cluster: &Cluster,
    kind: Needed,
    place: &str,
    name: &str,
) -> Result<Option<Value>, ClusterError> {
    let found = cluster.needed(kind, place, name).await?;
    match kind {
        Needed::DataVolume if found.is_none() => cluster.needed(Needed::Claim, place, name).await,
        _ => Ok(found),
    }
}

/// The names that are looked up for a name, which may have a placeholder.
fn names_of(wanted: &Wanted<'_>, name: &str) -> Vec<String> {
    all_names_of(wanted, name).take(MOST_LOOKED_AT).collect()
}

/// The names that a name stands for: one for each VM if it has a placeholder.
fn all_names_of(wanted: &Wanted<'_>, name: &str) -> impl Iterator<Item = String> {
    let plan = wanted.plan;
    let (width, vms) = (plan.layout.index_width as usize, if name.contains(INDEX) { usize::MAX } else { 1 });
    let fill = move |number: u32| name.replace(INDEX, &format!("{number:0width$}"));
    (plan.start..=plan.end).take(vms).map(fill)
}

fn problem(wanted: &Wanted<'_>, absent: &[Absent]) -> Problem {
    let (has_small, has_storage) = (
        absent.iter().any(|one| matches!(one.kind, Needed::Small(_))),
        absent.iter().any(|one| one.kind.is_storage()),
    );
    let home = wanted.manifest["metadata"]["namespace"].as_str().filter(|name| super::is_path_safe(name));
    let from = home.unwrap_or("NAMESPACE");
    let what = match &wanted.plan.layout.namespace {
        Some(place) => format!("the manifest names {} that namespace {place} does not have", things(absent)),
        None => format!("the manifest names {} that the namespaces of the run will not have", things(absent)),
    };
    let mut problem = Problem::new(what);
    for one in absent {
        problem = problem.because(format!("{} {}, for {}", one.kind.word(), one.name, one.wanted_by));
    }
    if wanted.plan.layout.namespace.is_some() {
        return problem
            .hint("create them there, or put Secrets, ConfigMaps and networks into the manifest's file");
    }
    if has_small && wanted.plan.copy_from.is_none() {
        problem = problem
            .hint(if absent.iter().all(|one| matches!(one.kind, Needed::Small(_))) {
                format!("copy them into each namespace: --copy-from {from}")
            } else {
                format!("copy all but disks and service accounts into each namespace: --copy-from {from}")
            })
            .hint("or put them into the manifest's file, each as a document of its own");
    }
    if has_storage {
        problem = problem.hint(format!(
            "give each VM a disk of its own: a dataVolumeTemplate in the manifest, or --source pvc:{from}/NAME in place of it"
        ));
    }
    // A disk that is written to can be used by one VM only.
    let written = uses(wanted.manifest);
    let mut written = written.iter().filter(|(_, _, how)| *how == Use::Exclusive).map(|(name, ..)| name);
    if wanted.plan.size() > 1 && written.any(|name| !name.contains(INDEX)) {
        return problem.hint(format!(
            "or put all VMs where these are, with a claim for each: --vm-namespace {from}, and {INDEX} in the claim's name"
        ));
    }
    problem.hint(format!("or put all VMs where these are: --vm-namespace {from}"))
}

fn things(absent: &[Absent]) -> String {
    things_of(absent.len())
}

fn things_of(number: usize) -> String {
    count(number, "object", "objects")
}

/// Refuses to create small objects where others with such names exist.
async fn check_names(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    // Objects of an interrupted setup are recognised when they are created again.
    let (Some(place), None) = (&wanted.plan.layout.namespace, wanted.run_id) else { return Ok(()) };
    let mut taken = Vec::new();
    for extra in &wanted.plan.extras {
        let found = cluster.needed(Needed::Small(extra.kind), place, &extra.name).await;
        let found = optional(found, &format!("whether {extra} is in namespace {place} is"), findings)?;
        taken.extend(found.flatten().map(|_| extra.to_string()));
    }
    if !taken.is_empty() {
        let what = format!("namespace {place} has {} of the manifest already", things_of(taken.len()));
        let problem = taken.iter().fold(Problem::new(what), |problem, extra| problem.because(extra.as_str()));
        let problem = problem.hint("omit them from the file to use the existing ones, or rename them in it");
        findings.problems.push(Problem { unavoidable: true, ..problem });
    }
    Ok(())
}

/// Checks that every object to be copied exists, and is meaningful elsewhere.
async fn check_copies(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let Some(from) = &wanted.plan.copy_from else { return Ok(()) };
    let (mut absent, mut copied) = (Vec::new(), 0);
    for extra in wanted.plan.extras.iter().filter(|extra| !wanted.beside.contains(extra)) {
        let read = cluster.original(extra, from).await;
        let Some(found) = optional(read, &format!("{extra} in namespace {from} is"), findings)? else {
            continue;
        };
        match found {
            None => absent.push(extra.to_string()),
            Some(original) if original["type"] == TOKEN => {
                let why =
                    "it holds the token of a service account of that namespace, which is valid nowhere else";
                let what = format!("{extra} cannot be copied from namespace {from}");
                findings.problems.push(Problem::new(what).because(why));
            }
            Some(_) => copied += 1,
        }
    }
    if !absent.is_empty() {
        let problem = Problem::new(format!("namespace {from} does not have all objects to copy"));
        let problem = absent.iter().fold(problem, |problem, extra| problem.because(extra.as_str()));
        findings.problems.push(
            problem.hint(format!("see what exists: kubectl get secrets,configmaps,net-attach-def -n {from}")),
        );
    } else if copied > 0 {
        findings.good.push(format!("{} to copy from {from}", count(copied, "small object", "small objects")));
    }
    Ok(())
}

/// Refuses disks to which several VMs would write.
async fn check_sharing(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    check_users(cluster, wanted, findings).await?;
    let vms = wanted.plan.size();
    if vms < 2 {
        return Ok(());
    }
    for (volume, path) in host_disks(wanted.manifest).into_iter().filter(|(_, path)| !path.contains(INDEX)) {
        findings.problems.push(
            Problem::new(format!("all VMs on a node would write to one file, {path} (volume {volume})"))
                .because("a hostDisk is a file of the node, which its VMs share")
                .hint(format!("write {INDEX} in its path for the index of each VM")),
        );
    }
    if let Some((disk, [one, other])) = clash(wanted.plan, wanted.manifest) {
        let problem = Problem::new(format!("{one} and {other} would have one disk, {disk}"))
            .because("its name, made of the VM's and of that in dataVolumeTemplates, is the same for both")
            .hint("rename that dataVolumeTemplate, or give all indexes one width: --index-width");
        findings.problems.push(Problem { unavoidable: true, ..problem });
    }
    let Some(place) = &wanted.plan.layout.namespace else { return Ok(()) };
    for (name, volume, how) in uses(wanted.manifest) {
        if name.contains(INDEX) || !super::is_path_safe(&name) {
            continue;
        }
        let what = format!("claim {place}/{name}");
        let claim = cluster.needed(Needed::Claim, place, &name).await;
        let claim = optional(claim, &format!("the access mode of {what} is"), findings)?.flatten();
        let modes: Vec<&str> = claim
            .iter()
            .flat_map(|claim| claim["spec"]["accessModes"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let is_single =
            !modes.is_empty() && !modes.iter().any(|mode| matches!(*mode, "ReadWriteMany" | "ReadOnlyMany"));
        // Several pods of one node may use a claim that only one node may have.
        let is_enough = !is_single || is_one_node(wanted) && modes != ["ReadWriteOncePod"];
        let modes = if modes.is_empty() { "of unknown access mode".to_owned() } else { modes.join(", ") };
        let let_through = match how {
            Use::ReadOnly => Some("read only"),
            Use::Shareable => {
                Some("with shareable: true, so only guests that coordinate their writes may use it")
            }
            Use::Folder => Some("as a folder"),
            Use::Exclusive => None,
        };
        match let_through {
            Some(how) if is_enough => {
                findings.notes.push(format!("all {vms} VMs use {what} together, {how} (volume {volume})"));
            }
            Some(_) => findings.problems.push(advise(
                Problem::new(format!("{what} cannot be used by {vms} VMs at once (volume {volume})")).because(
                    format!("its access mode is {modes}: it is attached to one node only, VMs on others would not start"),
                ),
                place,
                &name,
            )),
            None => {
                let problem =
                    Problem::new(format!("{vms} VMs would boot with one disk, {what} (volume {volume})"));
                let problem = problem.because(if is_single {
                    format!("it is {modes}: VMs on other nodes would not start, those on its node would damage its data")
                } else {
                    format!("it is {modes}: all of them would write to it, which damages its data")
                });
                findings.problems.push(Problem { unavoidable: true, ..advise(problem, place, &name) });
            }
        }
    }
    Ok(())
}

/// Refuses disks to which VMs of others write.
async fn check_users(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let Some(place) = &wanted.plan.layout.namespace else { return Ok(()) };
    let written = uses(wanted.manifest).into_iter().filter(|(_, _, how)| *how == Use::Exclusive);
    let disks: BTreeSet<String> =
        written.flat_map(|(name, ..)| all_names_of(wanted, &name).collect::<Vec<_>>()).collect();
    if disks.is_empty() {
        return Ok(());
    }
    let users = cluster.users_of_disks(place, wanted.run_id).await;
    let what = format!("whether VMs of others in namespace {place} use the disks is");
    let Some(users) = optional(users, &what, findings)? else { return Ok(()) };
    let users: Vec<_> = users.into_iter().filter(|user| disks.contains(&user.disk)).collect();
    let (on, off): (Vec<_>, Vec<_>) = users.iter().partition(|user| user.is_on);
    for user in off.iter().take(MOST_NAMED) {
        findings.warnings.push(format!(
            "VM {place}/{} uses {} too, and must stay off: two guests on one disk damage its data",
            user.vm, user.disk
        ));
    }
    if !on.is_empty() {
        let what = format!("a VM of the run would write to a disk that another VM of namespace {place} uses");
        let problem = on.iter().take(MOST_NAMED).fold(Problem::new(what), |problem, user| {
            problem.because(format!("disk {} belongs to VM {}, which is on", user.disk, user.vm))
        });
        let first = &on[0].disk;
        findings.problems.push(Problem { unavoidable: true, ..advise(problem, place, first) });
    }
    Ok(())
}

/// Whether all VMs run on the same node.
fn is_one_node(wanted: &Wanted<'_>) -> bool {
    wanted.plan.pinning.single_node || wanted.plan.pinning.nodes.len() == 1
}

fn advise(problem: Problem, place: &str, name: &str) -> Problem {
    problem
        .hint(format!("clone it for each VM: a dataVolumeTemplate with source pvc {place}/{name}, or --source pvc:{place}/{name}"))
        .hint(format!("or name a claim for each VM, with its index: claimName: {name}-{INDEX}"))
}

/// Claims from Harvester's annotation are created by Harvester only.
async fn check_harvester(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), ClusterError> {
    let claims = harvester_claims(wanted.manifest);
    if claims.is_empty() {
        return Ok(());
    }
    match cluster.serves("harvesterhci.io").await {
        Ok(true) => {}
        Err(error) if error.kind == Kind::Forbidden => {}
        Ok(false) => findings.problems.push(
            Problem::new("nothing creates the disks of the VMs: this cluster has no Harvester")
                .because(format!("claims from the annotation volumeClaimTemplates: {}", claims.join(", ")))
                .hint("give each VM a dataVolumeTemplate in place of that annotation"),
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}
