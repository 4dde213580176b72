//! A series of storms with a stop before each: repetitions of one, or the search for the largest.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::phase::{measure, refused};
use super::settings::{PhaseOptions, Role};
use super::{Caller, Judge, Runs, Steps};
use crate::cluster::Cluster;
use crate::cluster::lease::Held;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::record::{PhaseKind, PhaseState, RunRecord, Series, SeriesKind, lifecycle};

/// Maximum number of phases in the record of a run.
const MOST_PHASES: usize = 250;

/// A requested series
#[derive(Debug, Clone)]
pub struct SeriesOptions {
    /// Options of its storms; their role names the command that continues.
    pub storm: PhaseOptions,
    /// Purpose of the storms.
    pub purpose: Purpose,
    /// Whether it is a new series, even if the last one can be continued.
    pub fresh: bool,
}

/// Purpose of a series
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The same storm repeatedly.
    Repeat {
        /// Number of storms.
        storms: u32,
        /// Pause between a storm and the next stop.
        rest: Duration,
        /// Whether the first one is a warm-up.
        warm_up: bool,
    },
    /// Storms of different sizes, to find the largest one that meets a goal.
    FindMax {
        /// Conditions that must hold, as given by the user.
        goals: Vec<String>,
        /// Smallest storm.
        min: u32,
        /// Largest storm; absent means all VMs.
        max: Option<u32>,
        /// Total time of storms and stops after which no further storm begins.
        budget: Option<Duration>,
        /// Maximum number of storms.
        most_storms: u32,
    },
}

/// Runs the missing storms of a series; returns the record afterwards, and the series.
pub async fn run(
    runs: Runs<'_>,
    options: &SeriesOptions,
    caller: &dyn Caller,
    steps: &dyn Steps,
    judge: &dyn Judge,
) -> Result<(RunRecord, Series), Failure> {
    let (record, _) = runs.load(&options.storm.prefix).await?;
    steps.check_plan(&record.plan)?;
    judge.check(&record, options.first(&record)?)?;
    let (mut record, series) = options.put(runs).await?;
    say_what_is_done(&record, &series, caller);
    // Time at which this process saw a storm end, so that setting the clock cannot shorten the rest.
    let mut ended = None;
    while let Some(phase) = options.next(runs, &record, &series, judge)? {
        if let (SeriesKind::Repeat { rest_millis, .. }, PhaseKind::Stop) = (&series.kind, phase.kind) {
            let passed = since_last_storm(runs.cluster, &record, &series, ended);
            let left = Duration::from_millis(*rest_millis).saturating_sub(passed);
            options.rest(runs, &record, left, caller).await?;
        }
        record = Box::pin(measure(runs, &phase, caller, steps)).await?;
        ended = (phase.kind == PhaseKind::Storm).then(monotonic_now);
    }
    Ok((record, series))
}

impl SeriesOptions {
    /// Number of the first storm of the series.
    fn first(&self, record: &RunRecord) -> Result<u32, Failure> {
        let goes_on = matches!(self.purpose, Purpose::Repeat { .. }) && self.decide(record)?.1;
        let last = record.series.last().filter(|_| goes_on);
        Ok(last.map_or_else(|| record.next_storm(), |last| last.first))
    }

    /// Stores the series in the record: a new one, or the last one with the current request.
    async fn put(&self, runs: Runs<'_>) -> Result<(RunRecord, Series), Failure> {
        let prefix = &self.storm.prefix;
        let (record, _) = runs.load(prefix).await?;
        // Errors are reported before the lock is taken, and an unchanged series is not written again.
        let (kind, goes_on) = self.decide(&record)?;
        if let Some(last) = record.series.last().filter(|last| goes_on && last.kind == kind) {
            let last = last.clone();
            return Ok((record, last));
        }
        let change = async |lock: &Held| {
            let (mut record, mut store) = runs.load(prefix).await?;
            let (kind, goes_on) = self.decide(&record)?;
            match record.series.last_mut().filter(|_| goes_on) {
                Some(last) => last.kind = kind,
                None => record.begin_series(kind),
            }
            store.set_holder(lock.holder());
            store.save(&record, None).await?;
            let last = record.series.last().cloned();
            last.map(|last| (record, last)).ok_or_else(|| Failure::new("the record has no series"))
        };
        runs.locked(prefix, &record.run_id, change).await
    }

    /// The series as it is to be stored, and whether it continues the last one.
    fn decide(&self, record: &RunRecord) -> Result<(SeriesKind, bool), Failure> {
        next_kind(record)?;
        let wanted = self.purpose.of(record);
        let last = record.series.last().filter(|_| !self.fresh);
        let goes_on = match &wanted {
            SeriesKind::Repeat { storms, warm_up, .. } => repeats(record, last, *storms, *warm_up)?,
            SeriesKind::FindMax { goals, min, max, most_storms, .. } => {
                searches(record, last, goals, (*min, *max), *most_storms)?
            }
        };
        Ok((wanted, goes_on))
    }

    /// The next phase of the series; `None` if it is complete.
    fn next(
        &self,
        runs: Runs<'_>,
        record: &RunRecord,
        series: &Series,
        judge: &dyn Judge,
    ) -> Result<Option<PhaseOptions>, Failure> {
        if runs.interrupt.is_set() {
            return Err(self.interrupted(record));
        }
        let kind = next_kind(record)?;
        let (done, is_storm) = (series.done(record).count() as u32, kind == PhaseKind::Storm);
        let (size, is_warm_up, of) = match &series.kind {
            SeriesKind::Repeat { storms, .. } if record.is_running() && done >= *storms => return Ok(None),
            SeriesKind::Repeat { storms, warm_up, .. } => {
                (None, *warm_up && record.next_storm() == series.first, storms.to_string())
            }
            SeriesKind::FindMax { most_storms, .. } => {
                let size = judge.next_size(record);
                if is_storm && size.is_none() && !has_open_storm(record) {
                    return Ok(None);
                }
                (size, false, format!("at most {most_storms}"))
            }
        };
        let phase = PhaseOptions { kind, ..self.storm.clone() };
        // The stop after the last storm leads to none.
        let is_last = matches!(series.kind, SeriesKind::FindMax { .. }) && !is_storm && size.is_none();
        let place = (!is_last).then(|| format!("storm {} of {of}", done + 1));
        if !is_storm {
            return Ok(Some(PhaseOptions { role: Role { place, ..phase.role.clone() }, ..phase.at_once() }));
        }
        let like = series.storms(record).next().map(|storm| storm.settings.clone());
        let role = Role { size, like, warm_up: is_warm_up, place, ..phase.role.clone() };
        Ok(Some(PhaseOptions { role, ..phase }))
    }

    /// Waits for the remaining rest between a storm and the next stop.
    async fn rest(
        &self,
        runs: Runs<'_>,
        record: &RunRecord,
        left: Duration,
        caller: &dyn Caller,
    ) -> Result<(), Failure> {
        if left.is_zero() {
            return Ok(());
        }
        caller.say(&format!("resting for {:.0}s", left.as_secs_f64()));
        let mut interrupt = runs.interrupt.clone();
        tokio::select! {
            () = interrupt.wait() => Err(self.interrupted(record)),
            () = tokio::time::sleep(left) => Ok(()),
        }
    }

    /// The failure for an interrupt between two phases.
    fn interrupted(&self, record: &RunRecord) -> Failure {
        let last = record.last_phase().map_or_else(String::new, |last| format!(" after {}", last.name));
        Failure::interrupted(format!("interrupted{last}; everything is saved")).hint(self.storm.again())
    }
}

impl Purpose {
    /// The purpose as the record of a run stores it.
    fn of(&self, record: &RunRecord) -> SeriesKind {
        match self {
            Self::Repeat { storms, rest, warm_up } => SeriesKind::Repeat {
                storms: *storms,
                rest_millis: u64::try_from(rest.as_millis()).unwrap_or(u64::MAX),
                warm_up: *warm_up,
            },
            Self::FindMax { goals, min, max, budget, most_storms } => SeriesKind::FindMax {
                goals: goals.clone(),
                min: *min,
                max: max.unwrap_or(record.plan.size()),
                budget_seconds: budget.map(|budget| budget.as_secs().max(1)),
                most_storms: *most_storms,
            },
        }
    }
}

/// Whether a repetition continues the last series.
fn repeats(record: &RunRecord, last: Option<&Series>, storms: u32, warm_up: bool) -> Result<bool, Failure> {
    let Some((last, SeriesKind::Repeat { storms: before, warm_up: warmed_up, .. })) =
        last.map(|last| (last, &last.kind))
    else {
        return check_room(record, storms).map(|()| false);
    };
    let (done, before) = (last.done(record).count() as u32, *before);
    // Nothing has happened since the last storm: the same command again, or one that requests more storms.
    let complete = done >= before && !(done == before && record.is_running());
    if complete {
        return check_room(record, storms).map(|()| false);
    }
    if storms < done {
        return Err(Failure::usage(format!(
            "--repeat {storms}: {done} storms of this series are done already"
        ))
        .hint(format!("continue with --repeat {before}, or start over with --fresh")));
    }
    if *warmed_up != warm_up && last.storms(record).next().is_some() {
        let was = if *warmed_up { "with" } else { "without" };
        return Err(Failure::usage(format!("--warm-up: this series was started {was} it"))
            .hint("continue in the same way, or start over with --fresh"));
    }
    check_room(record, storms - done).map(|()| true)
}

/// Whether a search continues the last series: only if that has the same goals.
fn searches(
    record: &RunRecord,
    last: Option<&Series>,
    goals: &[String],
    (min, max): (u32, u32),
    most_storms: u32,
) -> Result<bool, Failure> {
    let vms = record.plan.size();
    if max > vms {
        return Err(Failure::usage(format!("--max {max}: run \"{}\" has {vms} VMs", record.plan.prefix)));
    }
    if min > max {
        return Err(Failure::usage(format!("--min {min} is greater than --max {max}")));
    }
    let has_these = |series: &&Series| matches!(&series.kind, SeriesKind::FindMax { goals: before, .. } if before.as_slice() == goals);
    let same = last.filter(has_these);
    let done = same.map_or(0, |series| series.done(record).count() as u32);
    check_room(record, most_storms.saturating_sub(done)).map(|()| same.is_some())
}

/// Kind of the next phase if one storm follows another.
///
/// Fails if the run is not that far, with the command to run instead.
fn next_kind(record: &RunRecord) -> Result<PhaseKind, Failure> {
    let kind = match record.last_phase() {
        Some(last) if last.state == PhaseState::Done && last.leaves_vms_off() => PhaseKind::Storm,
        _ if has_open_storm(record) => PhaseKind::Storm,
        _ => PhaseKind::Stop,
    };
    lifecycle::next(record, kind).map(|_| kind).map_err(|refusal| refused(refusal, &record.plan.prefix))
}

fn has_open_storm(record: &RunRecord) -> bool {
    let last = record.last_phase();
    last.is_some_and(|last| last.name.kind == PhaseKind::Storm && last.state != PhaseState::Done)
}

/// Fails if the record has no room for this many further storms.
fn check_room(record: &RunRecord, storms: u32) -> Result<(), Failure> {
    let more = storms as usize * 2;
    if record.phases.len() + more <= MOST_PHASES {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "run \"{}\" has {} phases, {storms} storms would add {more}, and the record of a run holds \
         {MOST_PHASES}",
        record.plan.prefix,
        record.phases.len()
    ))
    .hint("set up another run with another --ns-prefix"))
}

/// Reports which repetitions are not repeated.
fn say_what_is_done(record: &RunRecord, series: &Series, caller: &dyn Caller) {
    let SeriesKind::Repeat { storms, .. } = series.kind else { return };
    let done = series.done(record).count() as u32;
    if done >= storms && record.is_running() {
        caller.say(&format!(
            "all {storms} storms of this series are done; --repeat {} adds more, --fresh starts over",
            storms.saturating_mul(2)
        ));
    } else if done > 0 {
        caller.say(&format!("{done} of {storms} storms are done already"));
    }
}

/// Time since the last storm of the series ended; without limit if no storm of the series came last.
///
/// If another process ran it, by the server's clock, since this computer may be another one.
fn since_last_storm(
    cluster: &Cluster,
    record: &RunRecord,
    series: &Series,
    ended: Option<Instant>,
) -> Duration {
    if let Some(ended) = ended {
        return monotonic_now().duration_since(ended);
    }
    let on_server = || {
        let last = record.last_phase().filter(|last| {
            record.is_running() && series.storms(record).any(|storm| storm.name == last.name)
        })?;
        let ahead = SignedDuration::from_micros(last.server_ahead_micros.unwrap_or(0));
        last.ended_at()?.checked_add(ahead).ok()
    };
    on_server().map_or(Duration::MAX, |ended| cluster.age(ended))
}
