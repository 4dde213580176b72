//! Rule 1: VMs that did not arrive, and where they are stuck.

use std::collections::BTreeMap;

use super::because;
use super::{Bottleneck, Culprit, DOMINANT, Evidence, Section, is_missing};
use crate::observe::{Milestone, Timeline};

/// The reason of an event about a pod that could not be created.
const FAILED_CREATE: &str = "FailedCreate";
/// The share of VMs that have to be missing.
const MANY: f64 = 0.1;

pub(super) fn find(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let (missing, all) = evidence.missing();
    if missing == 0 || (missing as f64) < MANY * all as f64 {
        return None;
    }
    let mut stuck: BTreeMap<(Milestone, Milestone), Vec<&Timeline>> = BTreeMap::new();
    for timeline in evidence.storm.0.iter().filter(|timeline| is_missing(timeline)) {
        stuck.entry(place(timeline, evidence)).or_default().push(timeline);
    }
    let ((from, to), vms) = stuck.into_iter().max_by_key(|(_, vms)| vms.len())?;
    if (vms.len() as f64) < DOMINANT * missing as f64 {
        return None;
    }
    let warning = warning(&vms);
    let refused = warning.as_ref().is_some_and(|warning| warning.reason == FAILED_CREATE);
    let crashing = vms.iter().filter(|timeline| timeline.restarts > 0).count() * 2 > vms.len();
    let culprit = match Culprit::of(Section::between(from, to)) {
        _ if crashing => Culprit::Crashing,
        Some(Culprit::Controller) if refused => Culprit::Refused,
        culprit => culprit?,
    };
    let mut because = vec![format!("{} of {all} VMs did not get from {from} to {to}", vms.len())];
    because.extend(warning.map(|warning| {
        format!("Kubernetes warns about {} of them: {}: {}", warning.vms, warning.reason, warning.message)
    }));
    Some(Bottleneck {
        culprit,
        node: None,
        from,
        to,
        causes: culprit.causes(),
        share_percent: Some(vms.len() as f64 / missing as f64 * 100.0),
        sentence: format!(
            "{} - {} of {missing} VMs that did not arrive are stuck between {from} and {to}",
            culprit.words(),
            vms.len(),
        ),
        because,
        remedies: because::remedies(culprit, evidence),
    })
}

/// The last milestone that a VM passed, and the next one that others passed.
fn place(timeline: &Timeline, evidence: &Evidence<'_>) -> (Milestone, Milestone) {
    let is_stage = |milestone: &Milestone| {
        !matches!(milestone, Milestone::Ready | Milestone::Address | Milestone::Volume)
            && *milestone <= evidence.goal
    };
    let last = timeline.moments.keys().filter(|milestone| is_stage(milestone)).max();
    if timeline.restarts > 0 {
        // Its last instance is gone, and what that passed is forgotten.
        return (Milestone::Scheduled, Milestone::Running);
    }
    let from = last.copied().unwrap_or(Milestone::Requested);
    let watched = evidence.storm.0.iter().any(|timeline| timeline.has(Milestone::Placed));
    let next = Milestone::ALL.into_iter().filter(is_stage).find(|milestone| {
        let of_pod = (Milestone::Placed..=Milestone::Started).contains(milestone);
        *milestone > from
            && (!of_pod || watched || timeline.launcher.is_some())
            && (*milestone != Milestone::Attached || evidence.storm.0.iter().any(|t| t.has(*milestone)))
            && (*milestone != Milestone::Agent || evidence.goal == Milestone::Agent)
    });
    (from, next.unwrap_or(evidence.goal))
}

/// A warning about several VMs
struct Shared {
    vms: usize,
    reason: String,
    message: String,
}

/// The warning that most of them share.
fn warning(vms: &[&Timeline]) -> Option<Shared> {
    let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for timeline in vms {
        let mut own: Vec<(&str, &str)> = timeline
            .warnings
            .iter()
            .map(|warning| (warning.reason.as_str(), warning.message.as_str()))
            .collect();
        own.dedup_by_key(|(reason, _)| *reason);
        for (reason, message) in own {
            reasons.entry(reason).or_insert((0, message)).0 += 1;
        }
    }
    let (reason, (count, message)) = reasons.into_iter().max_by_key(|(_, (count, _))| *count)?;
    (count * 2 >= vms.len()).then(|| Shared {
        vms: count,
        reason: reason.to_owned(),
        message: message.to_owned(),
    })
}
