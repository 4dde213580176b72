//! Whether an answer to the run's probes proves that a guest is alive.

use super::{Findings, Problem, Wanted, some};
use bootstorm_model::plan::{Plan, Target};
use bootstorm_model::probe::Probe;
use bootstorm_model::probe::binding::{Answerer, Hollow, Wiring, hollow, out_of_reach};

/// Refuses probes that cannot reach the guests, and those that something else answers instead.
pub(super) fn judge(wanted: &Wanted<'_>, findings: &mut Findings) {
    let plan = &wanted.plan.probe;
    let probes = &plan.probes;
    let spec = &wanted.manifest["spec"]["template"]["spec"];
    if let Some(probe) = out_of_reach(spec, probes) {
        let problem = Problem::new(format!("{probe} cannot reach these VMs"))
            .because("none of their interfaces is on the pod network, from which prober pods probe")
            .hint("use the guest agent: --probe agent, or --probe cloud-init")
            .hint(
                "or give them a second interface on the pod network, or measure up to Running: --probe none",
            );
        findings.problems.push(problem);
    }
    if plan.is_ready_for_other_reasons(spec) {
        let problem =
            Problem::new("cloud-init cannot be probed: the manifest has a readiness probe of its own")
                .because("a VM has one readiness probe, and this one says nothing about cloud-init")
                .hint("leave spec.template.spec.readinessProbe out of the manifest, or use --probe agent");
        findings.problems.push(Problem { unavoidable: true, ..problem });
    }
    let Some(hollow) = hollow(spec, probes) else { return };
    let problem = Problem::new(format!("{} proves nothing about these VMs", hollow.probe));
    let problem = advise(problem.because(hollow.why()), &hollow);
    findings.problems.push(Problem { unavoidable: true, ..problem });
}

/// Refuses probes that something else answers instead of existing guests.
///
/// Continuing is possible as long as the probes prove something about one of the VMs; the others will be unknown.
pub(super) fn judge_adopted(plan: &Plan, wiring: &[(Target, Wiring)], findings: &mut Findings) {
    let probes = &plan.probe.probes;
    let is_lost = |(_, wiring): &&(Target, Wiring)| plan.probe.needs_prober() && wiring.lacks_pod_network();
    let lost: Vec<String> = wiring.iter().filter(is_lost).map(|(target, _)| target.to_string()).collect();
    if !lost.is_empty() {
        let problem = Problem::new(format!("{} of {} VMs cannot be probed", lost.len(), wiring.len()))
            .because(format!(
                "{}: no interface is on the pod network, from which prober pods probe",
                some(&lost)
            ))
            .hint(
                "use the guest agent: --probe agent, measure up to Running: --probe none, or select the \
                other VMs only",
            );
        findings.problems.push(problem);
    }
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
    let problem = match hollow.by {
        Answerer::Pod => problem,
        // A proxy that accepts connections instead of the guest sends no content.
        Answerer::Passt | Answerer::Slirp => {
            problem.hint("probe a service of the guest: --probe ssh, or --probe http:PORT")
        }
    };
    let problem = problem.hint(format!("use the guest agent: --probe {}", Probe::Agent));
    problem.hint("or measure up to Running: --probe none")
}
