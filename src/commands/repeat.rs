//! `--repeat`: repeats stop and storm up to the requested number of storms.

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

use super::phase::{self, PhaseArgs};
use super::series::{self, Decision};
use super::session::Session;
use super::shape_args::ShapeArgs;
use super::threshold_args::{FailIfArgs, will_be};
use super::values;
use bootstorm_engine::runs::phase::exit_of;
use bootstorm_engine::runs::settings::Role;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseRecord, RunRecord, Series, SeriesKind, StormKind};
use bootstorm_report::{Repetition, ThresholdBlock};

/// Flags of repeated storms
#[derive(Debug, Clone, Default, Args)]
pub struct RepeatArgs {
    /// Repeat stop and storm up to this many storms; continues a series
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeat: Option<u32>,
    /// Pause between a storm and the next stop
    #[arg(long, value_name = "DURATION", value_parser = values::duration, requires = "repeat")]
    pub rest: Option<Duration>,
    /// Treat the first storm as a warm-up: shown, but not counted
    #[arg(long, requires = "repeat")]
    pub warm_up: bool,
    /// Start over: a new series with --repeat or --find-max; otherwise delete what the run created and
    /// measure again
    #[arg(long)]
    pub fresh: bool,
}

/// Result of repeated storms
#[derive(Debug)]
pub struct Repeated {
    /// Record at the end.
    pub record: RunRecord,
    /// Thresholds over them.
    pub thresholds: Vec<ThresholdBlock>,
    /// Worst of their exit codes.
    pub exit: Exit,
}

impl RepeatArgs {
    /// The requested series, as it is stored.
    fn wanted(&self) -> Option<SeriesKind> {
        let rest_millis = self.rest.map_or(0, |rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        self.repeat.map(|storms| SeriesKind::Repeat { storms, rest_millis, warm_up: self.warm_up })
    }

    /// The command that continues.
    fn again(&self, shape: &ShapeArgs) -> String {
        let repeat = self.repeat.map_or_else(String::new, |storms| format!(" --repeat {storms}"));
        let rest = self.rest.map_or_else(String::new, |rest| format!(" --rest {}ms", rest.as_millis()));
        let warm_up = if self.warm_up { " --warm-up" } else { "" };
        format!("storm{repeat}{rest}{warm_up}{}", shape.typed())
    }

    /// Whether these storms continue the last series, or begin a new one.
    fn decide(&self, record: &RunRecord, fresh: bool) -> Result<Decision, Failure> {
        let Some(wanted) = self.wanted() else { return Err(Failure::usage("--repeat is missing")) };
        series::next_kind(record)?;
        let storms = self.repeat.unwrap_or_default();
        let Some((last, SeriesKind::Repeat { storms: before, warm_up, .. })) =
            record.series.last().filter(|_| !fresh).map(|last| (last, &last.kind))
        else {
            series::check_room(record, storms)?;
            return Ok(Decision::Begin(wanted));
        };
        let (done, before) = (last.done(record).count() as u32, *before);
        // Nothing has happened since the last storm: the same command again, or one that requests more storms.
        let complete = done >= before && !(done == before && record.is_running());
        if complete {
            series::check_room(record, storms)?;
            return Ok(Decision::Begin(wanted));
        }
        if storms < done {
            return Err(Failure::usage(format!(
                "--repeat {storms}: {done} storms of this series are done already"
            ))
            .hint(format!("continue with --repeat {before}, or start over with --fresh")));
        }
        if *warm_up != self.warm_up && last.storms(record).next().is_some() {
            let was = if *warm_up { "with" } else { "without" };
            return Err(Failure::usage(format!("--warm-up: this series was started {was} it"))
                .hint("continue in the same way, or start over with --fresh"));
        }
        series::check_room(record, storms - done)?;
        Ok(Decision::GoOn(wanted))
    }
}

/// Runs the missing storms.
pub async fn run(
    session: &Session,
    args: &PhaseArgs,
    repeat: &RepeatArgs,
    fail_if: &FailIfArgs,
) -> Result<Repeated, Failure> {
    let prefix = &args.run.prefix;
    let (record, _) = session.load(prefix).await?;
    args.asserted.check(&record.plan)?;
    check_thresholds(fail_if, &record, repeat)?;
    let (mut record, series) =
        series::put(session, prefix, |record| repeat.decide(record, repeat.fresh)).await?;
    let SeriesKind::Repeat { storms, rest_millis, warm_up } = series.kind else {
        return Err(Failure::new("the record has another series"));
    };
    let again = repeat.again(&args.shape);
    let done = series.done(&record).count() as u32;
    if done >= storms && record.is_running() {
        session.console.say(&format!(
            "all {storms} storms of this series are done; --repeat {} adds more, --fresh starts over",
            storms.saturating_mul(2)
        ));
    } else if done > 0 {
        session.console.say(&format!("{done} of {storms} storms are done already"));
    }
    // Time at which this process saw a storm end, so that setting the clock cannot shorten the rest.
    let mut ended = None;
    loop {
        series::check_interrupt(&session.interrupt, &record, &again)?;
        let kind = series::next_kind(&record)?;
        if record.is_running() && series.done(&record).count() as u32 >= storms {
            break;
        }
        if kind == PhaseKind::Stop {
            let passed = match ended {
                Some(ended) => Some(monotonic_now().duration_since(ended)),
                None => since_last_storm(session, &record, &series),
            };
            if let Some(passed) = passed {
                let left = Duration::from_millis(rest_millis).saturating_sub(passed);
                rest(session, &record, left, &again).await?;
            }
        }
        let like = series.storms(&record).next().map(|storm| storm.settings.clone());
        let role = Role {
            warm_up: warm_up && kind == PhaseKind::Storm && record.next_storm() == series.first,
            like: like.filter(|_| kind == PhaseKind::Storm),
            again: Some(again.clone()),
            size: None,
            place: Some(format!("storm {} of {storms}", series.done(&record).count() + 1)),
            gate: None,
        };
        let mut args = PhaseArgs { fail_if: FailIfArgs::default(), ..args.clone() };
        if kind == PhaseKind::Stop {
            args.shape = ShapeArgs::default();
        }
        let Some(after) = phase::run(session, kind, &args, &role).await? else { break };
        record = after;
        ended = (kind == PhaseKind::Storm).then(monotonic_now);
        if let Some(storm) = record.last_phase().filter(|phase| phase.name.kind == PhaseKind::Storm) {
            let done = series.done(&record).count();
            session.console.say(&told(storm, &format!("{done} of {storms}")));
        }
    }
    let thresholds = series::judge(fail_if, &record, &series);
    let exit = series.done(&record).map(|storm| exit_of(&storm.look())).max().unwrap_or(Exit::Good);
    Ok(Repeated { record, thresholds, exit })
}

/// Checks thresholds against the phases to come.
fn check_thresholds(fail_if: &FailIfArgs, record: &RunRecord, repeat: &RepeatArgs) -> Result<(), Failure> {
    let storms = repeat.repeat.unwrap_or(1);
    let first = match repeat.decide(record, repeat.fresh)? {
        Decision::Begin(_) => record.next_storm(),
        Decision::GoOn(_) => record.series.last().map_or(1, |series| series.first),
    };
    let expected =
        series::expected(Some(record), first, storms, |name| will_be(&record.plan, name, StormKind::Start));
    fail_if.check(&expected, Some(PhaseName { kind: PhaseKind::Storm, number: first }))
}

/// Time since the last storm of the series ended, if another process ran it: by the server's clock, since this computer
/// may be another one. `None` if no storm of the series came last.
fn since_last_storm(session: &Session, record: &RunRecord, series: &Series) -> Option<Duration> {
    let last = record
        .last_phase()
        .filter(|last| record.is_running() && series.storms(record).any(|storm| storm.name == last.name))?;
    let ended = last.ended_at()?;
    let on_server =
        ended.checked_add(SignedDuration::from_micros(last.server_ahead_micros.unwrap_or(0))).ok()?;
    Some(session.cluster.age(on_server))
}

/// Waits for the remaining rest between a storm and the next stop.
async fn rest(session: &Session, record: &RunRecord, left: Duration, again: &str) -> Result<(), Failure> {
    if left.is_zero() {
        return Ok(());
    }
    session.console.say(&format!("resting for {:.0}s", left.as_secs_f64()));
    let mut interrupt = session.interrupt.clone();
    tokio::select! {
        () = interrupt.wait() => Err(series::interrupted(record, again)),
        () = tokio::time::sleep(left) => Ok(()),
    }
}

/// One line about a storm of a series.
pub(super) fn told(storm: &PhaseRecord, place: &str) -> String {
    let one = Repetition::of(storm);
    let seconds = |figure: bootstorm_model::stats::Quantile| {
        figure.seconds().map_or_else(|| "not reached".to_owned(), |seconds| format!("{seconds:.2}s"))
    };
    let warm_up = if storm.settings.warm_up { ", warm-up" } else { "" };
    format!(
        "{} ({place}{warm_up}): {} of {} VMs {}, p95 {}, all after {}",
        storm.name,
        storm.count(bootstorm_model::observe::Outcome::Reached),
        one.vms,
        storm.goal,
        seconds(one.figures.p95),
        seconds(one.figures.t100)
    )
}
