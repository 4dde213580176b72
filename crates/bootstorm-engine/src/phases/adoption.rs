//! Adoption: existing VMs are checked, and each is adopted or excluded with the reason. Changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::StreamExt;

use super::adopted;
use crate::cluster::access::Permission;
use crate::cluster::adopted::{Guest, Mark, Marked};
use crate::cluster::machines::Machine;
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError, names};
use bootstorm_model::plan::selection::is_system;
use bootstorm_model::plan::{Adoptee, Selection, Setting, Switch, Target};
use bootstorm_model::probe::binding::Wiring;
use bootstorm_model::record::RunRecord;

/// VMs marked concurrently.
const MARKING: usize = 20;

/// One checked VM
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Namespace and name.
    pub target: Target,
    /// Its power setting; `None` if it does not exist.
    pub setting: Option<Setting>,
    /// Its state, in one word.
    pub power: String,
    /// Node on which it runs.
    pub node: Option<String>,
    /// Its operating system, as far as its guest agent reports it.
    pub system: Option<String>,
    /// The tool that may restore its described state meanwhile, and how.
    pub kept_by: Option<(&'static str, &'static str)>,
    /// How its guest is connected: by its template, or else by its instance.
    pub wiring: Wiring,
    /// The VM as it is now, or the reason for its exclusion.
    pub verdict: Result<Adoptee, String>,
}

/// Checks the VMs of a selection, in order of namespace and name.
///
/// `prefix` is the run that is to adopt them. Fails if VMs cannot be listed.
pub async fn look(
    cluster: &Cluster,
    selection: &Selection,
    include_halted: bool,
    prefix: &str,
) -> Result<Vec<Candidate>, ClusterError> {
    let namespaces = selection.namespaces();
    let wanted = |target: &Target| match selection {
        Selection::List { targets, .. } => targets.binary_search(target).is_ok(),
        Selection::Label { .. } => namespaces.as_ref().is_none_or(|names| names.contains(&target.namespace)),
    };
    let scope = match &namespaces {
        None => Scope::All,
        Some(names) => Scope::around(names),
    };
    let selector = match selection {
        Selection::Label { selector, .. } => selector.as_str(),
        Selection::List { .. } => "",
    };
    let (machines, guests, taken) = futures::future::try_join3(
        cluster.machines_in(&scope, selector),
        cluster.guests_in(&scope),
        taken(cluster, prefix),
    )
    .await?;
    let guests: HashMap<Target, Guest> = guests.into_iter().map(|guest| (guest.target(), guest)).collect();
    let mut candidates: BTreeMap<Target, Candidate> = BTreeMap::new();
    let mut asked = HashMap::new();
    for machine in machines {
        let target = machine.target();
        if !wanted(&target) {
            continue;
        }
        let guest = guests.get(&target);
        let holder = match taken.get(&target) {
            Some(run) => Some(run.clone()),
            None => holder(cluster, &machine, prefix, &mut asked).await?,
        };
        let verdict = match holder {
            Some(run) => Err(format!("run {run} has adopted it")),
            None => judge(&machine, guest, selection.names(&target.namespace), include_halted),
        };
        let candidate = Candidate {
            setting: Some(machine.setting()),
            power: machine.printable().to_owned(),
            node: guest.and_then(Guest::node).map(str::to_owned),
            system: guest.and_then(Guest::system).map(str::to_owned),
            kept_by: machine.kept_by(),
            // A storm starts VMs from the current template, not from the running instance.
            wiring: guest
                .filter(|_| !machine.wiring().is_explicit())
                .map_or(machine.wiring(), Guest::wiring)
                .clone(),
            verdict,
            target: target.clone(),
        };
        candidates.insert(target, candidate);
    }
    if let Selection::List { targets, .. } = selection {
        for target in targets {
            candidates.entry(target.clone()).or_insert_with(|| absent(target));
        }
    }
    let mut candidates: Vec<Candidate> = candidates.into_values().collect();
    leave_out_forbidden(cluster, &mut candidates).await?;
    Ok(candidates)
}

fn absent(target: &Target) -> Candidate {
    Candidate {
        target: target.clone(),
        setting: None,
        power: String::new(),
        node: None,
        system: None,
        kept_by: None,
        wiring: Wiring::default(),
        verdict: Err("there is no such VM".into()),
    }
}

/// The other run that has marked a VM as adopted, unless its record is certainly gone.
async fn holder(
    cluster: &Cluster,
    machine: &Machine,
    prefix: &str,
    asked: &mut HashMap<String, bool>,
) -> Result<Option<String>, ClusterError> {
    let Some(text) = machine.adopted_by() else { return Ok(None) };
    let Some(mark) = Mark::parse(text) else { return Ok(Some(text.to_owned())) };
    if mark.prefix == prefix && mark.namespace == cluster.namespace() {
        return Ok(None);
    }
    let there = match asked.get(text) {
        Some(there) => *there,
        None => {
            let there = cluster.has_record(&mark.namespace, &mark.prefix, &mark.run_id).await?;
            asked.insert(text.to_owned(), there);
            there
        }
    };
    let place = if mark.namespace == cluster.namespace() {
        mark.prefix
    } else {
        format!("{} with its record in namespace {}", mark.prefix, mark.namespace)
    };
    Ok(there.then_some(place))
}

/// Marks the VMs of a run, so that no other run adopts them.
///
/// Returns those that could not be marked, with the reason.
pub async fn mark(cluster: &Cluster, record: &RunRecord) -> Result<Vec<(Target, String)>, ClusterError> {
    let mark = mark_of(cluster, record);
    let targets: HashSet<&Target> = record.plan.adopted.iter().map(|adoptee| &adoptee.target).collect();
    let keep = |machine: Machine| {
        let target = machine.target();
        targets.contains(&target).then_some((target, machine))
    };
    let listed = cluster.machines_as(&Scope::of_plan(&record.plan), "", keep).await?;
    let machines: HashMap<Target, Machine> = listed.into_iter().collect();
    let one = |adoptee: &Adoptee| {
        let (machine, mark, adoptee) =
            (machines.get(&adoptee.target).cloned(), mark.clone(), adoptee.clone());
        async move {
            let refused = match machine {
                Some(machine) if machine.uid() == adoptee.uid => {
                    match cluster.mark_adopted(&machine, &mark).await? {
                        Marked::Ours => return Ok(None),
                        Marked::Refused(why) => why,
                    }
                }
                _ => "it was deleted or recreated meanwhile".to_owned(),
            };
            Ok(Some((adoptee.target, refused)))
        }
    };
    let marking = futures::stream::iter(&record.plan.adopted).map(one).buffer_unordered(MARKING);
    let marked: Vec<Result<Option<(Target, String)>, ClusterError>> = marking.collect().await;
    Ok(marked.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Removes the marks of a run from its VMs.
pub async fn unmark(cluster: &Cluster, record: &RunRecord) -> Result<(), ClusterError> {
    let mark = mark_of(cluster, record);
    let one = |adoptee: &Adoptee| {
        let (mark, adoptee) = (mark.clone(), adoptee.clone());
        async move { cluster.unmark_adopted(&adoptee.target, &adoptee.uid, &mark).await }
    };
    let unmarking = futures::stream::iter(&record.plan.adopted).map(one).buffer_unordered(MARKING);
    unmarking.collect::<Vec<Result<(), ClusterError>>>().await.into_iter().collect()
}

fn mark_of(cluster: &Cluster, record: &RunRecord) -> Mark {
    Mark {
        namespace: cluster.namespace().to_owned(),
        prefix: record.plan.prefix.clone(),
        run_id: record.run_id.clone(),
    }
}

/// VMs adopted by other runs with a record here, and the run: for runs of versions that left no mark.
async fn taken(cluster: &Cluster, prefix: &str) -> Result<HashMap<Target, String>, ClusterError> {
    let mut taken = HashMap::new();
    for head in cluster.heads(false).await? {
        if head.prefix == prefix || !head.facts.contains_key(names::ADOPTED) {
            continue;
        }
        if let Ok(Some((record, _))) = cluster.load(&head.prefix).await
            && record.restored.is_none()
        {
            taken.extend(record.plan.targets().into_iter().map(|target| (target, head.prefix.clone())));
        }
    }
    Ok(taken)
}

/// The VM as it is now, or the reason why it must not or cannot be adopted.
fn judge(
    machine: &Machine,
    guest: Option<&Guest>,
    named: bool,
    include_halted: bool,
) -> Result<Adoptee, String> {
    let before = machine.setting();
    let strategy = before.strategy();
    if is_system(&machine.target().namespace) && !named {
        return Err(
            "its namespace is the cluster's own; to adopt it nevertheless, name it with --adopt-namespace"
                .into(),
        );
    }
    if machine.is_going() {
        return Err("it is being deleted".into());
    }
    if machine.starts_paused() {
        return Err("its start strategy is Paused: once stopped, it would not boot again by itself".into());
    }
    if machine.run_id().is_some() {
        return Err("a run of this tool created it".into());
    }
    if let Some(owner) = machine.controller() {
        return Err(format!("it belongs to {owner}, which would undo changes to it"));
    }
    match strategy {
        "Always" | "Halted" | "Manual" | "RerunOnFailure" => {}
        "Once" => {
            return Err(
                "its run strategy is Once: once stopped, it could not be started again as it was".into()
            );
        }
        other => return Err(format!("its run strategy {other} does not determine when it runs")),
    }
    if machine.wish().is_some() {
        return Err("it is being started or stopped".into());
    }
    let guest = guest.filter(|guest| !guest.is_final());
    let on = match guest {
        Some(guest) if guest.is_paused() => return Err("it is paused".into()),
        Some(guest) if guest.is_migrating() => return Err("it is being migrated".into()),
        Some(_) if strategy == "Halted" => return Err("it is being stopped".into()),
        Some(guest) if guest.is_running() => true,
        Some(_) => return Err(format!("it does not run: {}", machine.complaint())),
        None if strategy == "Always" => {
            return Err(format!("it should run and does not: {}", machine.complaint()));
        }
        None if !matches!(machine.printable(), "" | "Stopped") => {
            return Err(format!("it could not be started: {}", machine.complaint()));
        }
        None if !include_halted => return Err("it is off; --include-halted includes such VMs".into()),
        None => false,
    };
    if on && let Some(change) = machine.pending_change().or(guest.and_then(Guest::pending_change)) {
        return Err(adopted::would_differ(change));
    }
    if guest.is_some() && machine.printable().contains("Error") {
        return Err(machine.complaint().to_owned());
    }
    Ok(Adoptee { target: machine.target(), uid: machine.uid().to_owned(), before, on })
}

/// Excludes VMs in namespaces in which permissions for the run are missing.
async fn leave_out_forbidden(cluster: &Cluster, candidates: &mut [Candidate]) -> Result<(), ClusterError> {
    let adopted: Vec<&Adoptee> = candidates.iter().filter_map(|one| one.verdict.as_ref().ok()).collect();
    let targets = adopted.iter().map(|adoptee| &adoptee.target);
    let Scope::Namespaces(_) = Scope::of(targets) else { return Ok(()) };
    let wanted = permissions(adopted);
    let mut missing: BTreeMap<String, Permission> = BTreeMap::new();
    for permission in cluster.missing(&wanted).await? {
        missing.entry(permission.namespace.clone().unwrap_or_default()).or_insert(permission);
    }
    for candidate in candidates.iter_mut().filter(|candidate| candidate.verdict.is_ok()) {
        if let Some(permission) = missing.get(&candidate.target.namespace) {
            candidate.verdict = Err(format!("you cannot {permission}"));
        }
    }
    Ok(())
}

/// Permissions needed in the namespaces of these VMs.
pub fn permissions<'a>(adopted: impl IntoIterator<Item = &'a Adoptee>) -> Vec<Permission> {
    let all: Vec<&Adoptee> = adopted.into_iter().collect();
    let places: Vec<Option<String>> = match Scope::of(all.iter().map(|adoptee| &adoptee.target)) {
        Scope::All => vec![None],
        Scope::Namespaces(names) => names.into_iter().map(Some).collect(),
    };
    let by_subresource: BTreeSet<&str> = all
        .iter()
        .filter(|adoptee| adoptee.switch() == Switch::Subresource)
        .map(|adoptee| adoptee.target.namespace.as_str())
        .collect();
    let mut needed = Vec::new();
    for namespace in places {
        let one = |verb, group, resource| Permission { verb, group, resource, namespace: namespace.clone() };
        needed.extend(["get", "list", "patch"].map(|verb| one(verb, "kubevirt.io", "virtualmachines")));
        needed.extend(["list", "watch"].map(|verb| one(verb, "kubevirt.io", "virtualmachineinstances")));
        let switched = match &namespace {
            None => !by_subresource.is_empty(),
            Some(name) => by_subresource.contains(name.as_str()),
        };
        if switched {
            let actions = ["virtualmachines/start", "virtualmachines/stop"];
            needed.extend(actions.map(|action| one("update", "subresources.kubevirt.io", action)));
        }
    }
    needed
}

/// Number of namespaces of some VMs.
pub fn namespaces(adopted: &[Adoptee]) -> usize {
    adopted.iter().map(|adoptee| &adoptee.target.namespace).collect::<HashSet<_>>().len()
}
