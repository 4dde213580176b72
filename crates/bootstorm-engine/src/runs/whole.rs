//! A whole run: which phases it has, where it continues, and when it is refused.

use std::time::Duration;

use super::settings::{PhaseOptions, Role};
use super::{Caller, Runs, Steps, phase};
use crate::phases::Interrupt;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, PhaseState, RunRecord, SeriesKind};

/// What a whole run measures
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Whether the baseline is a first start of VMs that are created without one; absent if it does not matter.
    pub boots_first: Option<bool>,
    /// Whether it ends after the baseline.
    pub no_storm: bool,
    /// Number of storms, if they are repeated.
    pub repeat: Option<u32>,
    /// Whether it starts over.
    pub fresh: bool,
}

/// Phases of a whole run, in order; with repeated storms those before the first of them
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The phases.
    pub steps: Vec<PhaseName>,
    /// The phase that storms are compared with.
    pub baseline: PhaseName,
    /// Number of storms that follow, if they are repeated.
    repeat: Option<u32>,
}

impl RunOptions {
    /// Phases of a run that is new, or that was found.
    pub fn outline(&self, found: Option<&RunRecord>) -> Outline {
        let boots_first = self.boots_first(found);
        let storm = |number| PhaseName { kind: PhaseKind::Storm, number };
        let baseline = if boots_first { storm(1) } else { PhaseName::CREATE };
        let mut steps = vec![PhaseName::CREATE];
        steps.extend(boots_first.then_some(baseline));
        if !self.no_storm && self.repeat.is_none() {
            steps.push(PhaseName { kind: PhaseKind::Stop, number: 1 });
            steps.push(storm(if boots_first { 2 } else { 1 }));
        }
        Outline { steps, baseline, repeat: self.repeat }
    }

    /// Number of the first storm, if they are repeated.
    pub fn first_repeated(&self, found: Option<&RunRecord>) -> u32 {
        let first = found.map_or(1, |record| match record.series.last() {
            Some(series) if !self.fresh => series.first,
            _ => record.next_storm(),
        });
        if self.boots_first(found) { first.max(2) } else { first }
    }

    /// Whether the baseline is a first start; a run continues as it was begun.
    fn boots_first(&self, found: Option<&RunRecord>) -> bool {
        let begun = found.and_then(|record| record.last_of(PhaseKind::Create));
        begun.map_or(self.boots_first == Some(true), |create| create.settings.halted)
    }

    /// Whether starting over deletes a run: repeated storms begin a new series instead, and adopted VMs are not ours to
    /// delete.
    pub fn starts_over(&self, record: &RunRecord) -> bool {
        self.fresh && self.repeat.is_none() && !record.plan.is_adopted()
    }

    /// Fails if the requested baseline contradicts how the run was begun.
    pub fn check_baseline(&self, record: &RunRecord) -> Result<(), Failure> {
        let Some(wanted) = self.boots_first else { return Ok(()) };
        if record.last_of(PhaseKind::Create).is_none() || self.boots_first(Some(record)) == wanted {
            return Ok(());
        }
        let was = if wanted { "create" } else { "boot" };
        Err(Failure::usage(format!("--baseline contradicts how the run was started: with --baseline {was}"))
            .hint("omit the flag to continue as it was started")
            .hint("or delete what it created and measure again: --fresh"))
    }

    /// Fails if the run is finished: its measurements are not repeated, and must not pass for new ones.
    pub fn refuse_finished(&self, record: &RunRecord) -> Result<(), Failure> {
        let is_over = self.outline(Some(record)).next(record).is_none()
            && (self.repeat.is_none() || self.is_complete(record));
        let Some(last) = record.last_phase().filter(|_| is_over) else { return Ok(()) };
        let prefix = &record.plan.prefix;
        let when = last.ended_at().unwrap_or(last.began).strftime("%Y-%m-%dT%H:%M:%SZ");
        let fresh = match self.repeat {
            Some(_) => "measure again, with a new series of storms: --fresh",
            None => "delete what it created and measure again: --fresh",
        };
        Err(Failure::new(format!("run \"{prefix}\" was finished at {when}; nothing is measured again"))
            .hint(fresh)
            .hint(format!("show what it measured: kubectl bootstorm report --ns-prefix {prefix}"))
            .hint(format!("delete it: kubectl bootstorm cleanup --ns-prefix {prefix}")))
    }

    /// Whether all requested storms are done, so that the same command measures nothing.
    fn is_complete(&self, record: &RunRecord) -> bool {
        let last = record.series.last().filter(|_| !self.fresh);
        last.is_some_and(|last| match last.kind {
            SeriesKind::Repeat { storms, .. } => {
                let done = last.done(record).count() as u32;
                done >= storms && self.repeat.is_some_and(|wanted| done >= wanted) && record.is_running()
            }
            SeriesKind::FindMax { .. } => false,
        })
    }
}

impl Outline {
    /// The next phase: an interrupted one, or the first missing one.
    pub fn next(&self, record: &RunRecord) -> Option<PhaseName> {
        next_step(&self.steps, record)
    }

    /// Phases that are not done; an interrupted one may be beyond the outline.
    pub fn missing<'a>(&'a self, record: &'a RunRecord) -> impl Iterator<Item = PhaseName> + 'a {
        let is_done = |name| record.phase(name).is_some_and(|phase: &_| phase.state == PhaseState::Done);
        let beyond = self.next(record).filter(|name| !self.steps.contains(name));
        self.steps.iter().copied().filter(move |name| !is_done(*name)).chain(beyond)
    }

    /// Options of a phase, from those of the storm; other phases have no shape.
    pub fn options(&self, storm: &PhaseOptions, name: PhaseName) -> PhaseOptions {
        let options = PhaseOptions {
            kind: name.kind,
            wanted: PhaseSettings { halted: self.is_halted(name), ..storm.wanted.clone() },
            role: Role { place: self.place(name), is_of_run: true, ..Role::default() },
            ..storm.clone()
        };
        if self.is_shaped(name) { options } else { options.at_once() }
    }

    /// Whether a phase precedes the first stop: the baseline, or the creation of its VMs.
    pub fn precedes_stop(&self, name: PhaseName) -> bool {
        self.steps.iter().take_while(|step| step.kind != PhaseKind::Stop).any(|step| *step == name)
    }

    /// Whether the create makes VMs without starting them.
    pub fn boots_first(&self) -> bool {
        self.baseline.kind == PhaseKind::Storm
    }

    /// Whether a phase creates VMs without starting them.
    fn is_halted(&self, name: PhaseName) -> bool {
        name.kind == PhaseKind::Create && self.boots_first()
    }

    /// Whether a phase has the requested shape: a storm that is not the baseline.
    fn is_shaped(&self, name: PhaseName) -> bool {
        name.kind == PhaseKind::Storm && name != self.baseline
    }

    /// Place of a phase among those to come; if storms are repeated, their number instead.
    fn place(&self, name: PhaseName) -> Option<String> {
        let at = self.steps.iter().position(|step| *step == name)? + 1;
        Some(match self.repeat {
            Some(storms) => format!("before {storms} storm{}", if storms == 1 { "" } else { "s" }),
            None => format!("phase {at} of {}", self.steps.len()),
        })
    }

    /// Time limit of all phases together, each with that of its kind.
    pub fn limit(&self, of: impl Fn(PhaseKind) -> Duration) -> Duration {
        let steps: Duration = self.steps.iter().map(|name| of(name.kind)).sum();
        let repeated = of(PhaseKind::Stop) + of(PhaseKind::Storm);
        steps + repeated.saturating_mul(self.repeat.unwrap_or_default())
    }
}

/// Runs the phases that are not done; returns the record afterwards.
pub async fn run(
    runs: Runs<'_>,
    outline: &Outline,
    storm: &PhaseOptions,
    mut record: RunRecord,
    caller: &dyn Caller,
    steps: &dyn Steps,
) -> Result<RunRecord, Failure> {
    while let Some(name) = outline.next(&record) {
        let options = outline.options(storm, name);
        record = Box::pin(phase::measure(runs, &options, caller, steps)).await?;
    }
    Ok(record)
}

/// The next of these phases: an interrupted one, or the first missing one.
pub fn next_step(steps: &[PhaseName], record: &RunRecord) -> Option<PhaseName> {
    let cut = record.last_phase().filter(|last| last.state != PhaseState::Done).map(|last| last.name);
    let cut = cut.filter(|cut| steps.iter().any(|step| step.kind == cut.kind));
    cut.or_else(|| steps.iter().copied().find(|name| record.phase(*name).is_none()))
}

/// Works until an optional time limit; an expired limit interrupts the work like the user does.
pub async fn within<T>(
    limit: Option<Duration>,
    interrupt: &Interrupt,
    work: impl AsyncFnOnce(Interrupt) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(limit) = limit else { return Box::pin(work(interrupt.clone())).await };
    let (interrupter, part) = interrupt.part();
    let mut user = interrupt.clone();
    let mut work = Box::pin(work(part));
    tokio::select! {
        outcome = &mut work => return outcome,
        () = user.wait() => {
            interrupter.interrupt();
            return work.await;
        }
        () = tokio::time::sleep(limit) => {}
    }
    interrupter.interrupt();
    work.await.map_err(|failure| match failure.exit {
        Exit::Interrupted => {
            failure.because(format!("the time limit of the run, {}s, is over", limit.as_secs()))
        }
        _ => failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_is_the_baseline_of_the_second_storm() {
        let options = RunOptions { boots_first: Some(true), no_storm: false, repeat: None, fresh: false };
        let outline = options.outline(None);
        let names: Vec<String> = outline.steps.iter().map(PhaseName::to_string).collect();
        assert_eq!(names, ["create", "storm-1", "stop-1", "storm-2"]);
        assert_eq!((outline.baseline, options.first_repeated(None)), (outline.steps[1], 2));
        assert!(outline.is_halted(PhaseName::CREATE) && !outline.is_shaped(outline.baseline));
        assert_eq!(outline.place(outline.steps[2]).as_deref(), Some("phase 3 of 4"));
        let repeated = RunOptions { repeat: Some(3), boots_first: None, ..options }.outline(None);
        assert_eq!(repeated.steps, [PhaseName::CREATE]);
        assert_eq!(repeated.place(PhaseName::CREATE).as_deref(), Some("before 3 storms"));
        assert_eq!(repeated.limit(|_| Duration::from_secs(1)).as_secs(), 7);
    }
}
