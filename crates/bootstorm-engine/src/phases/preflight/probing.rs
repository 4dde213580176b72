//! Whether an answer to the run's probes will mean that a guest lives.

use super::{Findings, Problem, Wanted};
use bootstorm_model::probe::Probe;
use bootstorm_model::probe::binding::{Answerer, hollow};

/// Refuses probes that somebody else answers in place of the guests.
pub(super) fn judge(wanted: &Wanted<'_>, findings: &mut Findings) {
    let probes = &wanted.plan.probe.probes;
    let Some(hollow) = hollow(&wanted.manifest["spec"]["template"]["spec"], probes) else { return };
    let problem =
        Problem::new(format!("{} proves nothing about these VMs", hollow.probe)).because(hollow.why());
    let problem = match hollow.by {
        Answerer::Pod => problem.hint("probe one of the listed ports: --probe tcp:PORT"),
        Answerer::Passt | Answerer::Slirp => problem,
    };
    let problem = problem.hint(format!("ask the guest agent: --probe {}", Probe::Agent));
    findings
        .problems
        .push(Problem { unavoidable: true, ..problem.hint("or measure up to Running: --probe none") });
}
