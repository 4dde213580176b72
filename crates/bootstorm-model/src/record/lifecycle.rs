//! Order of phases, and the command to run instead if a phase may not run.

use super::{PhaseKind, PhaseName, PhaseState, RunRecord, StormKind};

/// Step of a phase command
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Begin a new execution of the phase.
    Begin(PhaseName),
    /// Continue an interrupted one.
    Continue(PhaseName),
}

impl Step {
    /// Execution that this step begins or continues.
    pub fn name(self) -> PhaseName {
        match self {
            Self::Begin(name) | Self::Continue(name) => name,
        }
    }
}

/// Reason why a phase may not run now, and the command to run instead
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence without a full stop.
    pub why: String,
    /// The subcommand to run instead.
    pub instead: &'static str,
    /// Earlier phase that already did what the command requests.
    pub done: Option<PhaseName>,
}

/// Decides whether a phase may run now; a storm starts stopped VMs.
///
/// Fails with the reason and the command to run instead.
pub fn next(record: &RunRecord, kind: PhaseKind) -> Result<Step, Refusal> {
    next_of(record, kind, StormKind::Start)
}

/// Like [`next`], for storms of any kind.
pub fn next_of(record: &RunRecord, kind: PhaseKind, storm: StormKind) -> Result<Step, Refusal> {
    let on_running = kind == PhaseKind::Storm && !storm.is_start();
    let run = &record.plan.prefix;
    let refuse = |why: String, instead| Err(Refusal { why, instead, done: None });
    let done = |why: String, instead, name| Err(Refusal { why, instead, done: Some(name) });
    if !record.setup.done {
        return refuse(format!("the setup of run \"{run}\" was cut short"), "setup");
    }
    if record.restored.is_some() {
        return refuse(format!("the VMs of run \"{run}\" were restored"), "cleanup");
    }
    if let Some(why) = cleaned(record) {
        return refuse(why, "cleanup");
    }
    if record.plan.is_observed() {
        return refuse(format!("run \"{run}\" is an observation, which changes no VM"), suggestion(record));
    }
    let adopted = record.plan.is_adopted();
    if adopted && kind == PhaseKind::Create {
        return refuse(
            format!("the VMs of run \"{run}\" exist already: they were adopted"),
            suggestion(record),
        );
    }
    let Some(last) = record.last_phase() else {
        return match kind {
            PhaseKind::Stop if adopted => Ok(Step::Begin(PhaseName { kind, number: 1 })),
            PhaseKind::Storm if adopted && on_running => Ok(Step::Begin(PhaseName { kind, number: 1 })),
            _ if adopted => refuse(format!("the VMs of run \"{run}\" have not been stopped yet"), "stop"),
            PhaseKind::Create => Ok(Step::Begin(PhaseName::CREATE)),
            _ => refuse(format!("the VMs of run \"{run}\" have not been created yet"), "create"),
        };
    };
    if last.state != PhaseState::Done {
        return if last.name.kind != kind {
            refuse(format!("{} of run \"{run}\" has not been finished", last.name), last.command())
        } else if kind == PhaseKind::Storm && last.settings.kind != storm {
            let was = last.settings.kind.word();
            refuse(
                format!("{} of run \"{run}\", of kind {was}, has not been finished", last.name),
                last.command(),
            )
        } else {
            Ok(Step::Continue(last.name))
        };
    }
    let number = 1 + record.phases.iter().filter(|phase| phase.name.kind == kind).count() as u32;
    // VMs that a create has not started count as stopped.
    let stopped = last.leaves_vms_off();
    match kind {
        PhaseKind::Create => done(
            format!("the VMs of run \"{run}\" have been created already"),
            if stopped { "storm" } else { "stop" },
            PhaseName::CREATE,
        ),
        PhaseKind::Stop if last.name.kind == PhaseKind::Stop => {
            done(format!("the VMs of run \"{run}\" are stopped already"), "storm", last.name)
        }
        PhaseKind::Stop if stopped => {
            refuse(format!("the VMs of run \"{run}\" are stopped already"), "storm")
        }
        PhaseKind::Storm if on_running && stopped => refuse(
            format!("the VMs of run \"{run}\" are stopped; a {} needs running VMs", storm.word()),
            "storm",
        ),
        PhaseKind::Storm if !on_running && !stopped => {
            refuse(format!("the VMs of run \"{run}\" are running; a storm starts stopped VMs"), "stop")
        }
        kind => Ok(Step::Begin(PhaseName { kind, number })),
    }
}

/// Reason why nothing of the run may be created or changed once a cleanup has begun.
pub fn cleaned(record: &RunRecord) -> Option<String> {
    let run = &record.plan.prefix;
    record.cleanup.map(|cleanup| match cleanup.done {
        Some(_) => format!("the VMs of run \"{run}\" were deleted; only its record was kept"),
        None => format!("a cleanup of run \"{run}\" has begun"),
    })
}

/// The subcommand that usually comes next.
pub fn suggestion(record: &RunRecord) -> &'static str {
    if !record.setup.done {
        return "setup";
    }
    match record.last_phase() {
        _ if record.restored.is_some() => "cleanup",
        _ if record.cleanup.is_some_and(|cleanup| cleanup.done.is_none()) => "cleanup",
        _ if record.cleanup.is_some() || record.plan.is_observed() => "report",
        None if record.plan.is_adopted() => "stop",
        None => "create",
        Some(last) if last.state != PhaseState::Done => last.command(),
        Some(last) => match last.name.kind {
            PhaseKind::Create if last.settings.halted => "storm",
            PhaseKind::Create => "stop",
            PhaseKind::Stop => "storm",
            PhaseKind::Storm => "report",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, TemplateSource};
    use crate::record::{CleanupMark, PhaseRecord, PhaseSettings};

    fn record(phases: &[(&str, PhaseState)]) -> RunRecord {
        let template = TemplateSource::ContainerDisk { image: "i".into() };
        let plan = Plan::resolve("p", 1, 2, "vm", template).unwrap();
        let mut record = RunRecord::new("id".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
        record.setup.done = true;
        let settings = PhaseSettings::default();
        for (name, state) in phases {
            let mut phase = PhaseRecord::new(name.parse().unwrap(), record.created, settings.clone(), 2);
            phase.state = *state;
            record.phases.push(phase);
        }
        record
    }

    #[test]
    fn every_order_is_decided() {
        use PhaseState::{Done, Interrupted, Open};
        type Case<'a> = (&'a [(&'a str, PhaseState)], [&'a str; 3]);
        let cases: &[Case<'_>] = &[
            (&[], ["begin create", "instead create", "instead create"]),
            (&[("create", Open)], ["continue create", "instead create", "instead create"]),
            (&[("create", Done)], ["done create", "begin stop-1", "instead stop"]),
            (
                &[("create", Done), ("stop-1", Interrupted)],
                ["instead stop", "continue stop-1", "instead stop"],
            ),
            (&[("create", Done), ("stop-1", Done)], ["done create", "done stop-1", "begin storm-1"]),
            (
                &[("create", Done), ("stop-1", Done), ("storm-1", Done)],
                ["done create", "begin stop-2", "instead stop"],
            ),
            (
                &[("create", Done), ("stop-1", Done), ("storm-1", Done), ("stop-2", Done)],
                ["done create", "done stop-2", "begin storm-2"],
            ),
        ];
        for (phases, expected) in cases {
            let record = record(phases);
            let decide = |kind| match next(&record, kind) {
                Ok(Step::Begin(name)) => format!("begin {name}"),
                Ok(Step::Continue(name)) => format!("continue {name}"),
                Err(Refusal { done: Some(name), .. }) => format!("done {name}"),
                Err(refusal) => format!("instead {}", refusal.instead),
            };
            let found = [PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm].map(decide);
            assert_eq!(found.each_ref().map(String::as_str), *expected, "after {phases:?}");
        }
    }

    #[test]
    fn vms_created_halted_keep_the_uid_of_their_creation() {
        let mut record = record(&[("create", PhaseState::Done), ("storm-1", PhaseState::Done)]);
        record.phases[0].settings.halted = true;
        record.phases[0].timelines[1].machine_uid = Some("m".into());
        assert_eq!(record.baseline().map(|phase| phase.name.to_string()).as_deref(), Some("storm-1"));
        assert_eq!(record.machine_uids(), [None, Some("m".into())]);
    }

    #[test]
    fn a_restart_is_of_running_vms_and_no_other_kind_continues_it() {
        use PhaseState::{Done, Open};
        let restart = |record: &RunRecord| match next_of(record, PhaseKind::Storm, StormKind::Restart) {
            Ok(step) => format!("{step:?}"),
            Err(refusal) => refusal.instead.to_owned(),
        };
        let begin = |number| format!("{:?}", Step::Begin(PhaseName { kind: PhaseKind::Storm, number }));
        let mut record = record(&[]);
        assert_eq!(restart(&record), "create");
        record.plan.template = TemplateSource::Adopted { selection: "x".into() };
        assert_eq!(restart(&record), begin(1), "adopted VMs run");
        let mut record = self::record(&[("create", Done)]);
        assert_eq!(restart(&record), begin(1));
        record.phases[0].settings.halted = true;
        assert_eq!(restart(&record), "storm");
        let record = self::record(&[("create", Done), ("stop-1", Done)]);
        assert_eq!(restart(&record), "storm");
        let mut record = self::record(&[("create", Done), ("stop-1", Done), ("storm-1", Done)]);
        assert_eq!(restart(&record), begin(2));
        record.put_phase(PhaseRecord::new(
            "storm-2".parse().unwrap(),
            record.created,
            PhaseSettings { kind: StormKind::Restart, ..PhaseSettings::default() },
            2,
        ));
        assert_eq!(record.last_phase().map(|phase| phase.state), Some(Open));
        assert!(restart(&record).starts_with("Continue"));
        assert_eq!(next(&record, PhaseKind::Storm).unwrap_err().instead, "storm --kind restart");
        assert_eq!(next(&record, PhaseKind::Stop).unwrap_err().instead, "storm --kind restart");
        assert_eq!(suggestion(&record), "storm --kind restart");
    }

    #[test]
    fn what_was_made_without_a_start_can_be_stormed_at_once() {
        let mut record = record(&[("create", PhaseState::Done)]);
        record.phases[0].settings.halted = true;
        let name = |kind| next(&record, kind).map(|step| step.name().to_string());
        assert_eq!(name(PhaseKind::Storm).unwrap(), "storm-1");
        assert_eq!(name(PhaseKind::Stop).unwrap_err().instead, "storm");
        assert_eq!(name(PhaseKind::Create).unwrap_err().instead, "storm");
        assert_eq!(suggestion(&record), "storm");
    }

    #[test]
    fn adopted_vms_are_never_created_and_are_left_alone_when_they_were_given_back() {
        let mut record = record(&[]);
        record.plan.template = TemplateSource::Adopted { selection: "x".into() };
        assert_eq!(next(&record, PhaseKind::Create).unwrap_err().instead, "stop");
        assert_eq!(next(&record, PhaseKind::Storm).unwrap_err().instead, "stop");
        assert_eq!(next(&record, PhaseKind::Stop).unwrap().name().to_string(), "stop-1");
        assert_eq!(suggestion(&record), "stop");
        record.restored = Some(record.created);
        for kind in [PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm] {
            assert_eq!(next(&record, kind).unwrap_err().instead, "cleanup");
        }
    }

    #[test]
    fn nothing_runs_once_a_cleanup_has_begun() {
        let mut record = record(&[("create", PhaseState::Done)]);
        let mark = |done| Some(CleanupMark { began: record.created, done });
        for (cleanup, then) in [(mark(None), "cleanup"), (mark(Some(record.created)), "report")] {
            record.cleanup = cleanup;
            for kind in [PhaseKind::Create, PhaseKind::Stop, PhaseKind::Storm] {
                assert_eq!(next(&record, kind).unwrap_err().instead, "cleanup");
            }
            assert_eq!(suggestion(&record), then);
        }
    }

    #[test]
    fn nothing_runs_before_setup_is_done() {
        let mut record = record(&[]);
        record.setup.done = false;
        assert_eq!(next(&record, PhaseKind::Create).unwrap_err().instead, "setup");
        assert_eq!(suggestion(&record), "setup");
    }
}
