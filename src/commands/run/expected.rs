//! The phases that a run will have, for thresholds and for a dry run.

use std::time::Duration;

use crate::commands::run_args::RunCommand;
use crate::commands::series;
use crate::commands::session::Session;
use crate::commands::threshold_args::will_be;
use bootstorm_engine::runs::whole::Outline;
use bootstorm_model::duration;
use bootstorm_model::observe::Milestone;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_report::thresholds::Expected;

/// Phases of the run at its end, and the one that is judged.
pub(super) fn expected(
    args: &RunCommand,
    plan: &Plan,
    found: Option<&RunRecord>,
) -> (Vec<Expected>, Option<PhaseName>) {
    let mut phases: Vec<Expected> =
        found.map_or_else(Vec::new, |record| record.phases.iter().map(Expected::from).collect());
    let options = args.options();
    let outline = options.outline(found);
    let will = |name: PhaseName| match name.kind {
        // VMs that are only created get their disks, but do not run.
        PhaseKind::Create if outline.boots_first() => {
            Expected { name, goal: Milestone::Volume, storm: StormKind::Start }
        }
        _ => will_be(plan, name, StormKind::Start),
    };
    if let Some(storms) = args.repeat.repeat {
        let first = options.first_repeated(found);
        let mut phases = series::expected(found, first, storms, will);
        let missing: Vec<Expected> = outline
            .steps
            .iter()
            .copied()
            .filter(|name| !phases.iter().any(|phase| phase.name == *name))
            .map(will)
            .collect();
        phases.splice(0..0, missing);
        return (phases, Some(PhaseName { kind: PhaseKind::Storm, number: first }));
    }
    for &name in &outline.steps {
        if !phases.iter().any(|phase| phase.name == name) {
            phases.push(will(name));
        }
    }
    let storms = phases.iter().filter(|phase| phase.name.kind == PhaseKind::Storm);
    let last = storms.map(|phase| phase.name).max_by_key(|name| name.number);
    let judged = last.filter(|_| !args.no_storm).or(Some(outline.baseline));
    (phases, judged)
}

/// Reports what would follow the setup: the requests of each phase, and its time limit.
pub(super) fn tell_rest(session: &Session, args: &RunCommand, outline: &Outline, vms: u32, is_probed: bool) {
    let each = |kind: PhaseKind| {
        // A guest may be silent for so long after Running.
        let answer =
            if is_probed && kind != PhaseKind::Stop { args.pace.ping_timeout } else { Duration::ZERO };
        let vm = args.pace.timeout + answer;
        args.pace.phase_timeout.map_or(vm, |limit| limit.min(vm))
    };
    let s = if vms == 1 { "" } else { "s" };
    let requests = |kind| format!("{vms} request{s}, at most {}", duration::told(each(kind)));
    for name in &outline.steps {
        session.console.say(&format!("then {name}: {}", requests(name.kind)));
    }
    if let Some(storms) = args.repeat.repeat {
        let requests = requests(PhaseKind::Storm);
        session.console.say(&format!("then {storms} times a stop and a storm, each: {requests}"));
    }
    args.beside.hooks.announce(session.console, &[PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm]);
    let all = outline.limit(each);
    let all = args.run_timeout.map_or(all, |limit| limit.min(all));
    let shaped =
        if args.launch.is_all_at_once() { "" } else { ", and the time that the storm's shape takes" };
    session.console.say(&format!("all of it takes at most {} by its limits{shaped}", duration::told(all)));
}
