//! The bottleneck of a storm: one component, or none.
//!
//! The rules apply in this order; the first match names the component. `docs/measurements.md` has them as a table.
//!
//! 1. One in ten VMs or more did not arrive, and at least half of these are stuck in the same section: that section.
//! 2. A node whose VMs take 1.5 times as long as those of the median node, and that explains half of the extra time:
//!    that node.
//! 3. The storm is slow (the ratio is not good), and one section has at least half of all slowdown: that section.
//!    Starting containers and booting count together, since both read from disk.
//! 4. One section in which VMs queue takes at least half of the storm's time, baseline or not: that section. For VMs
//!    that migrate, any section: whatever takes most of their time needs no comparison with a boot.
//! 5. None of these: there is no single bottleneck.
//!
//! Nothing is concluded from missing measurements: a section is distinguished from its neighbours only if the milestone
//! between them was observed.

mod evidence;
mod explanation;
mod nodes;
mod stuck;
mod suspect;

use serde::{Deserialize, Serialize};

use super::breakdown::{Part, parts, rate};
use super::maybe_micros;
use crate::component::{Component, Layer};
use crate::observe::{Milestone, Outcome, Timeline};
pub use evidence::{Bucket, Evidence, Limits};

/// Share of the time, or of the slowdown, from which a section is named.
const DOMINANT: f64 = 0.5;
/// Arrival/departure ratio that indicates queueing.
const QUEUE: f64 = 1.5;
/// Factor from which a stage counts as grown.
const GROWN: f64 = 1.5;

/// Bottleneck of a storm
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Component.
    #[serde(rename = "culprit")]
    pub component: Component,
    /// Node, if it is a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// First milestone of the stretch that shows it most.
    pub from: Milestone,
    /// Last milestone of that stretch.
    pub to: Milestone,
    /// Its layers: several if no measurement separates them, none if the guide's hints do not apply.
    #[serde(rename = "causes")]
    pub layers: Vec<Layer>,
    /// Whether it is based on VMs that missed the goal, whose own causes are more specific.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// Its share of the explained time, in percent.
    #[serde(serialize_with = "maybe_micros")]
    pub share_percent: Option<f64>,
    /// One-sentence summary.
    pub sentence: String,
    /// Evidence, one sentence each.
    pub because: Vec<String>,
    /// Specific hints, shown before the guide's.
    pub remedies: Vec<String>,
}

/// Breakdown of a storm's time
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// Stretches between milestones.
    pub parts: Vec<Part>,
    /// The bottleneck; absent if there is no single one, or nothing is judged.
    pub bottleneck: Option<Bottleneck>,
    /// Reason why there is none, one sentence.
    pub unnamed: Option<String>,
}

impl Breakdown {
    /// The stretches of a storm and its bottleneck; `None` if nothing is known.
    pub fn of(evidence: &Evidence<'_>) -> Option<Self> {
        let parts = parts(evidence.baseline.as_ref(), &evidence.storm, evidence.goal);
        let stuck = stuck::find(evidence);
        if parts.is_empty() && stuck.is_none() {
            return None;
        }
        let bottleneck = stuck
            .or_else(|| nodes::find(evidence, &parts))
            .or_else(|| growth(evidence, &parts))
            .or_else(|| queue(evidence, &parts));
        let unnamed = bottleneck.is_none().then(|| unnamed(evidence, &parts));
        Some(Self { parts, bottleneck, unnamed })
    }

    /// The parts of a storm that is not judged, and the reason; `None` if there is nothing to show.
    pub fn unjudged(evidence: &Evidence<'_>, why: &str) -> Option<Self> {
        let parts = parts(evidence.baseline.as_ref(), &evidence.storm, evidence.goal);
        let unnamed = Some(format!("Bottleneck: not judged: {why}"));
        (!parts.is_empty()).then_some(Self { parts, bottleneck: None, unnamed })
    }
}

/// Group of components that count as one suspect.
fn group(component: Component) -> Component {
    match component {
        Component::Boot | Component::Guest => Component::Containers,
        other => other,
    }
}

/// The group of components with the largest sum, that sum, and its largest part.
fn largest(parts: &[Part], of: impl Fn(&Part) -> f64) -> Option<(Component, f64, &Part)> {
    let sum = |component: Component| -> f64 {
        parts.iter().filter(|part| group(part.component) == component).map(|part| of(part).max(0.0)).sum()
    };
    let component =
        parts.iter().map(|part| group(part.component)).max_by(|a, b| sum(*a).total_cmp(&sum(*b)))?;
    let inside = parts.iter().filter(|part| group(part.component) == component);
    let main = inside.max_by(|a, b| of(a).total_cmp(&of(b)))?;
    Some((component, sum(component), main))
}

/// Rule 3: the stretch that grew most.
fn growth(evidence: &Evidence<'_>, parts: &[Part]) -> Option<Bottleneck> {
    if !evidence.is_slow {
        return None;
    }
    let whole: f64 = parts.iter().map(Part::extra).filter(|extra| *extra > 0.0).sum();
    let (component, extra, main) = largest(parts, Part::extra).filter(|_| whole > 0.0)?;
    let share = extra / whole;
    if share < DOMINANT {
        return spread_over_nodes(evidence, parts, whole);
    }
    let suspect = match component {
        Component::Containers => suspect::of_guests(parts, main),
        other => suspect::where_nodes_are_lost(other.suspect()?, evidence.storm.timelines.iter()),
    };
    let what = format!("{:.0} % of the extra time", share * 100.0);
    Some(explanation::named(evidence, parts, suspect, main, share, &what))
}

/// CPU-bound stages of nodes grew alike: no single one has half of the slowdown, but all together have most of it.
fn spread_over_nodes(evidence: &Evidence<'_>, parts: &[Part], whole: f64) -> Option<Bottleneck> {
    let on_nodes: Vec<&Part> = parts.iter().filter(|part| part.component.load().is_some()).collect();
    let extra: f64 = on_nodes.iter().map(|part| part.extra().max(0.0)).sum();
    let factor = suspect::factor(parts, suspect::needs_processors_only)?;
    if extra / whole < DOMINANT || factor < GROWN {
        return None;
    }
    let main = on_nodes.into_iter().max_by(|a, b| a.extra().total_cmp(&b.extra()))?;
    let share = extra / whole;
    let what = format!("{:.0} % of the extra time, spread over everything that nodes do,", share * 100.0);
    Some(explanation::named(evidence, parts, Component::Processors, main, share, &what))
}

/// Rule 4: the stretch in which VMs queue most of the time.
fn queue(evidence: &Evidence<'_>, parts: &[Part]) -> Option<Bottleneck> {
    let whole: f64 = parts.iter().filter_map(|part| part.storm).sum();
    let (component, time, main) = largest(parts, |part| match part.component {
        // A booting guest is not in a queue, and takes its time in any storm.
        Component::Containers
        | Component::Boot
        | Component::Guest
        | Component::Launcher
        | Component::Domain
        | Component::Several => 0.0,
        _ => part.storm.unwrap_or(0.0),
    })?;
    let share = time / whole.max(f64::EPSILON);
    let waits_for_images = component == Component::Images && evidence.images() > DOMINANT * time;
    let answers = component == Component::Network;
    // A migrating guest does nothing else: whatever takes most of its time is relevant.
    let migrates = evidence.goal.is_of_migration();
    let is_queue =
        answers || migrates || waits_for_images || stands_in_line(evidence.storm.timelines, parts, main);
    if share < DOMINANT || !is_queue || component == Component::Containers {
        return None;
    }
    let what = format!("{:.0} % of the time", share * 100.0);
    let suspect = suspect::where_nodes_are_lost(component.suspect()?, evidence.storm.timelines.iter());
    Some(explanation::named(evidence, parts, suspect, main, share, &what))
}

/// Whether VMs arrive at a part much faster than they leave it.
fn stands_in_line(storm: &[Timeline], parts: &[Part], part: &Part) -> bool {
    // First part of the section.
    let first = parts.iter().find(|one| one.component == part.component).unwrap_or(part);
    let in_rate = match first.from {
        // Requests are sent all at once.
        Milestone::Requested => return true,
        from => rate(storm, from),
    };
    match (in_rate, rate(storm, part.to)) {
        (Some(coming), Some(leaving)) => coming >= QUEUE * leaving,
        _ => false,
    }
}

/// Reason why no bottleneck is named; always mentions a stretch that takes most of the time.
fn unnamed(evidence: &Evidence<'_>, parts: &[Part]) -> String {
    let whole: f64 = parts.iter().filter_map(|part| part.storm).sum();
    let storm = |part: &&Part| part.storm.unwrap_or(0.0);
    let longest = parts.iter().max_by(|a, b| storm(a).total_cmp(&storm(b)));
    let (missing, all) = evidence.missing();
    if missing * 2 > all {
        let missed = format!("{missing} of {all} VMs missed the goal ({})", evidence.storm.goal);
        return match stuck::together(evidence) {
            None => format!("No single bottleneck: {missed}, stuck at different points"),
            Some(((from, to), vms)) if vms.len() == missing => {
                format!("No bottleneck named: {missed}, all stuck between {from} and {to}")
            }
            Some(((from, to), vms)) => {
                format!("No bottleneck named: {missed}, {} of them stuck between {from} and {to}", vms.len())
            }
        };
    }
    let Some(longest) = longest.filter(|_| whole > 0.0) else {
        return "No bottleneck: no VM passed any milestone".to_owned();
    };
    let share = storm(&longest) / whole;
    let longest = format!(
        "the longest stretch, {} -> {}, takes {:.0} % of the time",
        longest.from,
        longest.to,
        share * 100.0
    );
    match (evidence.baseline, evidence.is_slow) {
        _ if share < DOMINANT => format!("No single bottleneck: {longest}"),
        (Some(_), true) => {
            format!("No bottleneck named: {longest}, and has less than half of the extra time")
        }
        (Some(_), false) => format!("No bottleneck: {longest}, and the storm is not slow"),
        (None, _) => format!("Bottleneck unknown: {longest}, and there is no baseline to compare it with"),
    }
}

/// Whether a VM was asked to, and did not arrive.
fn is_missing(timeline: &Timeline) -> bool {
    timeline.is_asked() && matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut)
}
