//! Rule 1: VMs that did not arrive, and where they are stuck.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bottleneck, DOMINANT, Evidence, explanation, is_missing, suspect};
use crate::component::{Component, Layer};
use crate::observe::{Milestone, Offset, Outcome, Timeline, Warning};
use crate::stats::{Diagnosis, remedy};

/// The reason of an event about an instance or a launcher pod that could not be created.
const FAILED_CREATE: &str = "FailedCreate";
/// Minimum share of missing VMs.
const MANY: f64 = 0.1;

pub(super) fn find(evidence: &Evidence<'_>) -> Option<Bottleneck> {
    let (missing, all) = evidence.missing();
    if missing == 0 || (missing as f64) < MANY * all as f64 {
        return None;
    }
    let ((from, to), vms) = together(evidence)?;
    let warning = warning(&vms);
    let refused = warning.as_ref().is_some_and(|warning| warning.reason == FAILED_CREATE);
    // Nobody waits for a request that was refused.
    let are_refused = to == Milestone::Accepted && vms.iter().all(|vm| vm.outcome == Outcome::Failed);
    let crashing = vms.iter().filter(|timeline| is_crashing(timeline)).count() * 2 > vms.len();
    let component = match Component::between(evidence.storm.goal, from, to).suspect() {
        _ if crashing => Component::Crashing,
        Some(Component::Controller) if refused => Component::Refused,
        Some(Component::Api) if are_refused => Component::Refused,
        // Nobody has a turn that they could wait for.
        Some(Component::Queue) if nobody_passed(evidence, Milestone::Pod) => Component::Controller,
        suspect => suspect::where_nodes_are_lost(suspect?, vms.iter().copied()),
    };
    let noun = match component {
        Component::Refused if are_refused => "requests that are refused",
        Component::Refused if to == Milestone::Instance => "instances that are refused",
        Component::Refused => "launcher pods that are refused",
        other => other.noun(),
    };
    let mut because = vec![format!("{} of {all} VMs did not get from {from} to {to}", vms.len())];
    let remedies = if are_refused {
        let answer =
            vms.iter().find_map(|vm| vm.reason.as_deref()).map(|why| format!("the first answer: {why}"));
        because.extend(answer);
        vec![
            "see who refuses: kubectl get validatingwebhookconfigurations,validatingadmissionpolicies"
                .to_owned(),
            "check quotas and permissions: kubectl get resourcequotas -A; kubectl auth can-i --list"
                .to_owned(),
        ]
    } else {
        remedies(component, warning.as_ref(), evidence)
    };
    because.extend(warning.map(|warning| {
        format!("Kubernetes warns about {} of them: {}: {}", warning.vms, warning.reason, warning.message)
    }));
    Some(Bottleneck {
        component,
        node: None,
        from,
        to,
        layers: layers(&vms, evidence.storm.goal),
        stuck: true,
        share_percent: Some(vms.len() as f64 / missing as f64 * 100.0),
        sentence: if are_refused {
            let goal = evidence.storm.goal;
            format!("{noun} - those of {} of {missing} VMs that did not get to {goal}", vms.len())
        } else {
            format!(
                "{noun} - {} of {missing} VMs that did not get to {goal} are stuck between {from} and {to}",
                vms.len(),
                goal = evidence.storm.goal,
            )
        },
        because,
        remedies,
    })
}

/// The stretch in which most of the missing VMs are stuck, and these VMs; `None` if they are stuck at different points.
pub(super) fn together<'a>(evidence: &Evidence<'a>) -> Option<((Milestone, Milestone), Vec<&'a Timeline>)> {
    let mut stuck: BTreeMap<(Milestone, Milestone), Vec<&Timeline>> = BTreeMap::new();
    for timeline in evidence.storm.timelines.iter().filter(|timeline| is_missing(timeline)) {
        stuck.entry(place(timeline, evidence)).or_default().push(timeline);
    }
    let missing: usize = stuck.values().map(Vec::len).sum();
    let largest = stuck.into_iter().max_by_key(|(_, vms)| vms.len())?;
    (largest.1.len() as f64 >= DOMINANT * missing as f64).then_some(largest)
}

fn nobody_passed(evidence: &Evidence<'_>, milestone: Milestone) -> bool {
    !evidence.storm.timelines.iter().any(|timeline| timeline.has(milestone))
}

/// Whether an instance of it ended, and no later one runs.
fn is_crashing(timeline: &Timeline) -> bool {
    timeline.restarts > 0 && !timeline.has(Milestone::Running)
}

/// Layers of the causes of these VMs.
fn layers(vms: &[&Timeline], goal: Milestone) -> Vec<Layer> {
    let diagnoses = vms.iter().filter_map(|timeline| Diagnosis::of_failed(timeline, goal));
    let layers: BTreeSet<Layer> =
        diagnoses.flat_map(|diagnosis| remedy::all(&diagnosis)).filter_map(|remedy| remedy.layer).collect();
    layers.into_iter().collect()
}

/// The last milestone that a VM passed, and the next one that others passed.
fn place(timeline: &Timeline, evidence: &Evidence<'_>) -> (Milestone, Milestone) {
    let goal = evidence.storm.goal;
    let is_stage = |milestone: &Milestone| {
        !matches!(milestone, Milestone::Ready | Milestone::Address | Milestone::Volume)
            && *milestone <= goal
            && is_on_the_way(*milestone, goal)
    };
    let last = timeline.moments.keys().filter(|milestone| is_stage(milestone)).max();
    if is_crashing(timeline) {
        // Its last instance is gone, and the milestones of that instance are forgotten.
        return (Milestone::Scheduled, Milestone::Running);
    }
    let from = last.copied().unwrap_or(Milestone::Requested);
    let watched = evidence.storm.timelines.iter().any(|timeline| timeline.has(Milestone::Placed));
    let next = Milestone::ALL.into_iter().filter(is_stage).find(|milestone| {
        let of_pod = (Milestone::Placed..=Milestone::Started).contains(milestone);
        *milestone > from
            && (!of_pod || watched || timeline.launcher.is_some())
            && (*milestone != Milestone::Attached
                || evidence.storm.timelines.iter().any(|t| t.has(*milestone)))
            && (*milestone != Milestone::Agent || goal == Milestone::Agent)
    });
    (from, next.unwrap_or(goal))
}

/// Whether VMs pass a milestone on the way to a goal.
fn is_on_the_way(milestone: Milestone, goal: Milestone) -> bool {
    let of_target =
        matches!(milestone, Milestone::Pod) || (Milestone::Placed..=Milestone::Started).contains(&milestone);
    goal != Milestone::Migrated
        || milestone <= Milestone::Accepted
        || of_target
        || milestone.is_of_migration()
}

/// A warning about several VMs
struct Shared {
    vms: usize,
    reason: String,
    message: String,
}

/// The warning that most of them share; of several equally common ones, the earliest, which is closest to the cause.
fn warning(vms: &[&Timeline]) -> Option<Shared> {
    let mut reasons: BTreeMap<&str, (usize, Offset, &str)> = BTreeMap::new();
    for timeline in vms {
        let mut own: BTreeMap<&str, &Warning> = BTreeMap::new();
        for warning in &timeline.warnings {
            own.entry(&warning.reason).or_insert(warning);
        }
        for (reason, warning) in own {
            let known = reasons.entry(reason).or_insert((0, warning.first, &warning.message));
            *known = (known.0 + 1, known.1.min(warning.first), known.2);
        }
    }
    let most = reasons.into_iter().max_by_key(|(_, (count, first, _))| (*count, std::cmp::Reverse(*first)));
    let (reason, (vms_warned, _, message)) = most?;
    (vms_warned * 2 >= vms.len()).then(|| Shared {
        vms: vms_warned,
        reason: reason.to_owned(),
        message: message.to_owned(),
    })
}

/// Hints, beginning with the commands that show Kubernetes' own messages.
fn remedies(component: Component, warning: Option<&Shared>, evidence: &Evidence<'_>) -> Vec<String> {
    // It becomes part of a command, so it must be one plain word.
    let plain = |shared: &&Shared| shared.reason.chars().all(|c| c.is_ascii_alphanumeric());
    match warning.filter(plain) {
        Some(shared) if !matches!(component, Component::Refused | Component::Crashing) => {
            vec![format!("see why: kubectl get events -A --field-selector reason={}", shared.reason)]
        }
        _ => explanation::remedies(component, evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Outcome;
    use crate::stats::Starts;
    use crate::stats::bottleneck::{Breakdown, Limits};

    fn vm(passed: &[Milestone]) -> Timeline {
        let mut timeline = Timeline::new(0);
        for (second, milestone) in passed.iter().enumerate() {
            timeline.see(*milestone, Offset::from_seconds(second as f64));
        }
        timeline.outcome = Outcome::TimedOut;
        timeline
    }

    /// The sentence about VMs that were judged by running and had to answer.
    fn sentence(timelines: &[Timeline]) -> String {
        let evidence = Evidence {
            baseline: None,
            storm: Starts::requested(timelines, Milestone::Reachable),
            goal: Milestone::Running,
            is_slow: false,
            limits: Limits::default(),
        };
        let breakdown = Breakdown::of(&evidence).unwrap();
        breakdown.bottleneck.map(|found| found.sentence).or(breakdown.unnamed).unwrap()
    }

    #[test]
    fn vms_that_run_after_a_crash_or_were_never_asked_are_not_stuck_before() {
        use Milestone::{Accepted, Instance, Pod, Requested, Running, Scheduled};
        let crashed =
            Timeline { restarts: 1, ..vm(&[Requested, Accepted, Instance, Pod, Scheduled, Running]) };
        let told = sentence(&vec![crashed.clone(); 4]);
        assert!(told.contains("between running and reachable"), "{told}");
        let back = Timeline { outcome: Outcome::Reached, ..crashed };
        let told = sentence(&[vec![back; 4], vec![vm(&[]); 4]].concat());
        assert!(!told.contains("stuck"), "{told}");
    }

    #[test]
    fn vms_that_only_wait_for_an_answer_are_not_stuck_elsewhere() {
        use Milestone::{Accepted, Instance, Pod, Requested, Running, Scheduled};
        let running = vm(&[Requested, Accepted, Instance, Pod, Scheduled, Running]);
        let all = vec![running.clone(); 4];
        let told = sentence(&all);
        assert!(told.contains("running and reachable") && !told.contains("different points"), "{told}");
        let unlike =
            [running, vm(&[Requested]), vm(&[Requested, Accepted]), vm(&[Requested, Accepted, Instance])];
        assert_eq!(
            sentence(&unlike),
            "No single bottleneck: 4 of 4 VMs missed the goal (reachable), stuck at different points"
        );
    }
}
