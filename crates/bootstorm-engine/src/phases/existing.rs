//! Existing VMs of a run, found by name and UID, and others under their names.

use std::collections::{HashMap, HashSet};

use futures::StreamExt;

use crate::cluster::machines::{Machine, Standing};
use crate::cluster::names::run_id_selector;
use crate::cluster::ownership::{Estate, Kind, Stranger};
use crate::cluster::scope::Scope;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::Target;
use bootstorm_model::record::RunRecord;

/// Above this number, VMs are not read one by one.
const MOST_READ: usize = 50;
/// Concurrent reads.
const CONCURRENCY: usize = 10;

/// VMs under the names of the plan
#[derive(Debug, Default)]
pub struct Existing {
    /// VMs of the run; for adopted VMs regardless of their current UID.
    pub ours: HashMap<Target, Standing>,
    /// Other VMs under names of the plan, with the reason why they do not belong to the run.
    pub strangers: HashMap<Target, Stranger>,
}

/// The existing VMs of a run.
///
/// They are listed by the label of the run. A missing one may have lost its label, and is looked up by name.
pub async fn existing(cluster: &Cluster, record: &RunRecord) -> Result<Existing, ClusterError> {
    let scope = Scope::of_plan(&record.plan);
    if record.plan.is_adopted() {
        let targets: HashSet<Target> = record.plan.targets().into_iter().collect();
        let keep = |machine: Machine| {
            let target = machine.target();
            targets.contains(&target).then(|| (target, machine.into_standing()))
        };
        let ours = cluster.machines_as(&scope, "", keep).await?.into_iter().collect();
        return Ok(Existing { ours, ..Existing::default() });
    }
    let estate = Estate::of(record);
    let keep = |machine: Machine| sorted(&estate, machine);
    let mut existing = Existing::default();
    existing.extend(cluster.machines_as(&scope, &run_id_selector(&record.run_id), keep).await?);
    let is_missing =
        |target: &&Target| !existing.ours.contains_key(target) && !existing.strangers.contains_key(target);
    let missing: Vec<Target> = estate.targets().filter(is_missing).cloned().collect();
    let more: Vec<Sorted> = if missing.len() > MOST_READ {
        cluster.machines_as(&scope, "", keep).await?
    } else {
        let reading = missing.iter().map(|target| cluster.machine(target));
        let read: Vec<Result<Option<Machine>, ClusterError>> =
            futures::stream::iter(reading).buffer_unordered(CONCURRENCY).collect().await;
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        read.into_iter().flatten().filter_map(keep).collect()
    };
    existing.extend(more);
    Ok(existing)
}

/// A VM under a name of the plan, or the reason why it does not belong to the run
type Sorted = (Target, Result<Standing, Stranger>);

/// `None` for a VM that has nothing to do with the run.
fn sorted(estate: &Estate, machine: Machine) -> Option<Sorted> {
    let target = machine.target();
    match estate.judge(Kind::Machine, machine.metadata()) {
        Ok(()) => Some((target, Ok(machine.into_standing()))),
        Err(stranger) if estate.is_named(Kind::Machine, machine.metadata()) => Some((target, Err(stranger))),
        Err(_) => None,
    }
}

impl Existing {
    fn extend(&mut self, machines: Vec<Sorted>) {
        for (target, machine) in machines {
            match machine {
                Ok(ours) => drop(self.ours.insert(target, ours)),
                Err(stranger) => drop(self.strangers.insert(target, stranger)),
            }
        }
    }

    /// Reason why the run has no VM under a name of its plan.
    pub(super) fn absence(&self, target: &Target) -> String {
        match self.strangers.get(target) {
            Some(stranger) => format!("the VM of this name is not the run's: {stranger}"),
            None => "the VM no longer exists".to_owned(),
        }
    }
}
