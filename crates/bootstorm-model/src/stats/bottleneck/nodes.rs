//! Rule 2: one node is slower than the others.

use std::collections::BTreeMap;

use super::{Bottleneck, DOMINANT, Evidence, Part, explanation};
use crate::component::Component;
use crate::observe::{Outcome, Timeline};
use crate::stats::breakdown::parts;
use crate::stats::{Level, Quantile, Sample, Starts};

/// Minimum ratio to the median node.
const SLOW: f64 = 1.5;
/// Minimum number of nodes, and of VMs per node, to judge.
const ENOUGH: usize = 3;

pub(super) fn find(evidence: &Evidence<'_>, all: &[Part]) -> Option<Bottleneck> {
    let mut nodes: BTreeMap<&str, Vec<&Timeline>> = BTreeMap::new();
    let arrived = evidence.storm.timelines.iter().filter(|timeline| timeline.outcome == Outcome::Reached);
    for timeline in arrived.filter(|timeline| timeline.seconds_to(evidence.goal).is_some()) {
        nodes.entry(timeline.node.as_deref()?).or_default().push(timeline);
    }
    nodes.retain(|_, vms| vms.len() >= ENOUGH);
    if nodes.len() < ENOUGH {
        return None;
    }
    let mean = |vms: &[&Timeline]| {
        vms.iter().filter_map(|timeline| timeline.seconds_to(evidence.goal)).sum::<f64>() / vms.len() as f64
    };
    let means = Sample::new(nodes.values().map(|vms| mean(vms)), 0);
    let median = Quantile::of(&means, Level::P50).seconds().filter(|median| *median > 0.0)?;
    let (name, vms) = nodes.iter().max_by(|a, b| mean(a.1).total_cmp(&mean(b.1)))?;
    let own = mean(vms);
    let count: usize = nodes.values().map(Vec::len).sum();
    // By how much the storm's mean would be lower if this node were like the median one.
    let excess = (own - median) * vms.len() as f64 / count as f64;
    let extra: f64 = all.iter().map(Part::extra).sum();
    let explains = if evidence.is_slow && extra > 0.0 { excess / extra } else { 1.0 };
    if own < SLOW * median || explains < DOMINANT {
        return None;
    }
    let others: Vec<Timeline> = nodes
        .iter()
        .filter(|(node, _)| *node != name)
        .flat_map(|(_, vms)| vms.iter().copied().cloned())
        .collect();
    let here: Vec<Timeline> = vms.iter().copied().cloned().collect();
    let goal = evidence.goal;
    let (others, here) = (Starts::requested(&others, goal), Starts::requested(&here, goal));
    let parts = parts(Some(&others), &here, goal);
    let main = parts.iter().max_by(|a, b| a.extra().total_cmp(&b.extra()))?;
    Some(Bottleneck {
        component: Component::Node,
        node: Some((*name).to_owned()),
        from: main.from,
        to: main.to,
        layers: Component::Node.layers().to_vec(),
        stuck: false,
        share_percent: (evidence.is_slow && extra > 0.0).then_some((excess / extra * 100.0).min(100.0)),
        sentence: format!(
            "node {name} - its {} VMs took {own:.2}s on average, {:.1} times as long as on the median node",
            vms.len(),
            own / median
        ),
        because: vec![format!(
            "its VMs lose most between {} and {}: {:.2}s, elsewhere {:.2}s",
            main.from,
            main.to,
            main.storm.unwrap_or(0.0),
            main.baseline.unwrap_or(0.0)
        )],
        remedies: explanation::remedies(Component::Node, evidence),
    })
}
