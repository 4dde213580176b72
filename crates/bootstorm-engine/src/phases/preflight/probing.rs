//! Whether an answer to the run's probes will mean that a guest lives.

use super::{Findings, Problem, Wanted, some};
use bootstorm_model::plan::{Plan, Target};
use bootstorm_model::probe::Probe;
use bootstorm_model::probe::binding::{Answerer, Hollow, Wiring, hollow};

/// Refuses probes that something else answers in place of the guests.
pub(super) fn judge(wanted: &Wanted<'_>, findings: &mut Findings) {
    let probes = &wanted.plan.probe.probes;
    let Some(hollow) = hollow(&wanted.manifest["spec"]["template"]["spec"], probes) else { return };
    let problem = Problem::new(format!("{} proves nothing about these VMs", hollow.probe));
    let problem = advise(problem.because(hollow.why()), &hollow);
    findings.problems.push(Problem { unavoidable: true, ..problem });
}

/// Refuses probes that something else answers in place of guests that exist already.
///
/// Going on is possible as long as the probes prove something about one of the VMs; the others will be unknown.
pub(super) fn judge_adopted(plan: &Plan, wiring: &[(Target, Wiring)], findings: &mut Findings) {
    let probes = &plan.probe.probes;
    let hollow = |(target, wiring): &(Target, Wiring)| Some((target.to_string(), wiring.hollow(probes)?));
    let found: Vec<(String, Hollow)> = wiring.iter().filter_map(hollow).collect();
    let mut kinds: Vec<(&Hollow, Vec<String>)> = Vec::new();
    for (name, hollow) in &found {
        match kinds.iter_mut().find(|(kind, _)| *kind == hollow) {
            Some((_, names)) => names.push(name.clone()),
            None => kinds.push((hollow, vec![name.clone()])),
        }
    }
    let Some((first, _)) = kinds.first() else { return };
    let probe = first.probe;
    let mut problem =
        Problem::new(format!("{probe} proves nothing about {} of {} VMs", found.len(), wiring.len()));
    for (hollow, names) in &kinds {
        problem = problem.because(format!("{}: {}", some(names), hollow.why()));
    }
    for (hollow, _) in &kinds {
        problem = advise(problem, hollow);
    }
    let unavoidable = found.len() == wiring.len();
    if !unavoidable {
        problem = problem.hint("or select the other VMs only");
    }
    findings.problems.push(Problem { unavoidable, ..problem });
}

fn advise(problem: Problem, hollow: &Hollow) -> Problem {
    let problem = match hollow.by {
        Answerer::Pod => problem.hint("probe one of the listed ports: --probe tcp:PORT"),
        Answerer::Passt | Answerer::Slirp => problem,
    };
    let problem = problem.hint(format!("ask the guest agent: --probe {}", Probe::Agent));
    problem.hint("or measure up to Running: --probe none")
}
