//! Beginning of an observation: which VMs, and what they are to reach.

use std::collections::BTreeMap;

use super::Caller;
use crate::cluster::Cluster;
use crate::phases::observing::{self, Choice, Offer};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Milestone;
use bootstorm_model::observe::clock::wall_now;
use bootstorm_model::outage::Observation;
use bootstorm_model::plan::{Plan, Selection};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::record::{ClusterFacts, RunRecord};
use bootstorm_model::text::printable;

/// Number of namespaces and labels offered if nothing was selected.
const OFFERED: usize = 8;

/// A new observation of the selected VMs.
///
/// Nothing is saved. Fails if none is there, with what could be selected instead.
pub async fn begin(
    cluster: &Cluster,
    selection: &Selection,
    probe: ProbePlan,
    name: &str,
    caller: &dyn Caller,
) -> Result<RunRecord, Failure> {
    let choice = observing::choose(cluster, selection).await?;
    for target in &choice.missing {
        caller.warn(&format!("{target} does not exist, and is not observed"));
    }
    if choice.system > 0 {
        let text = format!("{} VMs in the cluster's own namespaces are not observed", choice.system);
        caller.say(&text);
    }
    if choice.chosen.is_empty() {
        let offer = observing::offer(cluster, selection).await;
        return Err(nothing(selection, &choice, &offer));
    }
    let plan = Plan::observing(name, selection, choice.chosen).map_err(Failure::new)?;
    let goal = goal_of(&probe);
    let vms = plan.size() as usize;
    let mut record = RunRecord::new(uuid::Uuid::new_v4().to_string(), wall_now(), Plan { probe, ..plan });
    record.facts = ClusterFacts {
        context: cluster.context().map(str::to_owned),
        server: Some(cluster.server().to_owned()),
        tool: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..ClusterFacts::default()
    };
    record.setup.done = true;
    let clock = observing::clock(cluster, None);
    record.observation = Some(Box::new(Observation::new(clock.began(), vms, goal)));
    Ok(record)
}

/// The milestone at which a VM is back.
pub fn goal_of(probe: &ProbePlan) -> Milestone {
    if probe.probes.is_empty() { Milestone::Ready } else { Milestone::Reachable }
}

/// The failure for a selection without matches, with alternatives.
fn nothing(selection: &Selection, choice: &Choice, offer: &Offer) -> Failure {
    let wanted = selection.to_string();
    let wanted = wanted.strip_prefix("all ").unwrap_or(&wanted);
    let mut failure = Failure::new(format!("there are no {wanted}"));
    if !choice.missing.is_empty() {
        failure = failure.because("none of the VMs on the list exists");
    }
    let most = |all: &BTreeMap<String, usize>| {
        let mut all: Vec<(&String, &usize)> = all.iter().collect();
        all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let named = all.iter().take(OFFERED).map(|(name, count)| format!("{} ({count})", printable(name)));
        let more = if all.len() > OFFERED { ", and others" } else { "" };
        named.collect::<Vec<_>>().join(", ") + more
    };
    if offer.namespaces.is_empty() {
        return failure.hint("no VM is visible; see what you may list: kubectl get vms -A");
    }
    if !offer.labels.is_empty() {
        failure = failure.hint(format!("labels of VMs there: {}", most(&offer.labels)));
    }
    failure.hint(format!("namespaces with VMs: {}", most(&offer.namespaces)))
}
