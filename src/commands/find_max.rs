//! `storm --find-max`: the largest storm that meets a goal, by bisection.

use std::time::Duration;

use clap::Args;

use super::phase::{self, PhaseArgs};
use super::series::{self, Decision};
use super::session::Session;
use super::shape_args::ShapeArgs;
use super::threshold_args::will_be;
use super::{show, values};
use bootstorm_engine::runs::settings::Role;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, SeriesKind, StormKind};
use bootstorm_model::stats::Threshold;
use bootstorm_model::stats::threshold::{Figure, Operator, PhaseWord};
use bootstorm_report::thresholds::{self, Expected};
use bootstorm_report::{Capacity, CapacityState};

/// Flags of the search for the largest storm
#[derive(Debug, Clone, Args)]
pub struct FindMaxArgs {
    /// Find the largest storm that meets the goal, by storms of different sizes
    #[arg(long, requires = "goal", conflicts_with_all = ["repeat", "fail_if", "abort_if_failed"])]
    pub find_max: bool,
    /// Goal of a storm, for example 'reachable.p95<120s' or 'failed<=0' (can be repeated; all must hold)
    ///
    /// Uses the syntax of --fail-if, but states what must hold
    #[arg(long, value_name = "CONDITION", value_parser = goal, requires = "find_max")]
    pub goal: Vec<Threshold>,
    /// Largest storm to try; default is all VMs
    #[arg(long, value_name = "N", value_parser = values::count, requires = "find_max")]
    pub max: Option<usize>,
    /// Smallest storm to try
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::count)]
    pub min: usize,
    /// Total time of storms and stops after which no further storm begins
    #[arg(long, value_name = "DURATION", value_parser = values::limit, requires = "find_max")]
    pub budget: Option<Duration>,
    /// Maximum number of storms
    #[arg(long, value_name = "N", default_value = "25", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub max_storms: u32,
}

/// A goal: a condition on the current storm that must hold.
fn goal(text: &str) -> Result<Threshold, String> {
    let goal: Threshold = text.parse()?;
    if goal.place.is_some_and(|place| place.kind != PhaseWord::Storm || place.number.is_some()) {
        return Err("a goal refers to the current storm; write it like reachable.p95<120s".into());
    }
    let upward = matches!(goal.operator, Operator::Above | Operator::AtLeast);
    if upward && !matches!(goal.figure, Figure::Vms(_)) {
        return Err(
            "a goal states what must hold, so a time needs an upper limit; write it like reachable.p95<120s"
                .into(),
        );
    }
    Ok(goal)
}

impl FindMaxArgs {
    fn decide(&self, record: &RunRecord, fresh: bool) -> Result<Decision, Failure> {
        series::next_kind(record)?;
        let vms = record.plan.size();
        let (min, max) = (self.min as u32, self.max.map_or(vms, |max| max as u32));
        if max > vms {
            return Err(Failure::usage(format!("--max {max}: run \"{}\" has {vms} VMs", record.plan.prefix)));
        }
        if min > max {
            return Err(Failure::usage(format!("--min {min} is greater than --max {max}")));
        }
        let wanted = SeriesKind::FindMax {
            goals: self.goal.iter().map(|goal| goal.text.clone()).collect(),
            min,
            max,
            budget_seconds: self.budget.map(|budget| budget.as_secs().max(1)),
            most_storms: self.max_storms,
        };
        let before = record.series.last().filter(|_| !fresh);
        let same = before.filter(|series| match (&series.kind, &wanted) {
            (SeriesKind::FindMax { goals: before, .. }, SeriesKind::FindMax { goals, .. }) => before == goals,
            _ => false,
        });
        let done = same.map_or(0, |series| series.done(record).count() as u32);
        series::check_room(record, self.max_storms.saturating_sub(done))?;
        Ok(if same.is_some() { Decision::GoOn(wanted) } else { Decision::Begin(wanted) })
    }

    /// The command that continues.
    fn again(&self, shape: &ShapeArgs) -> String {
        let goals: String = self.goal.iter().map(|goal| format!(" --goal '{}'", goal.text)).collect();
        let max = self.max.map_or_else(String::new, |max| format!(" --max {max}"));
        let min = if self.min > 1 { format!(" --min {}", self.min) } else { String::new() };
        let budget =
            self.budget.map_or_else(String::new, |budget| format!(" --budget {}s", budget.as_secs()));
        format!("storm --find-max{goals}{max}{min}{budget}{}", shape.typed())
    }
}

/// Runs the storms of the search, and shows the result.
pub async fn command(
    session: &Session,
    args: &PhaseArgs,
    find: &FindMaxArgs,
    fresh: bool,
) -> Result<Exit, Failure> {
    let prefix = &args.run.prefix;
    let (record, _) = session.load(prefix).await?;
    args.asserted.check(&record.plan)?;
    check_goals(&record, &find.goal)?;
    let (mut record, series) = series::put(session, prefix, |record| find.decide(record, fresh)).await?;
    let again = find.again(&args.shape);
    loop {
        series::check_interrupt(&session.interrupt, &record, &again)?;
        let kind = series::next_kind(&record)?;
        let begins = kind == PhaseKind::Storm && !has_open_storm(&record);
        let size = Capacity::of(&record).and_then(|capacity| capacity.next);
        if begins && size.is_none() {
            break;
        }
        let like = series.storms(&record).next().map(|storm| storm.settings.clone());
        let place = format!("storm {} of at most {}", series.done(&record).count() + 1, find.max_storms);
        let role = Role {
            size: size.filter(|_| kind == PhaseKind::Storm),
            like: like.filter(|_| kind == PhaseKind::Storm),
            again: Some(again.clone()),
            warm_up: false,
            place: Some(place),
            gate: None,
        };
        let mut args = args.clone();
        if kind == PhaseKind::Stop {
            args.shape = ShapeArgs::default();
        }
        let Some(after) = phase::run(session, kind, &args, &role).await? else { break };
        record = after;
        if kind == PhaseKind::Storm
            && let Some(capacity) = Capacity::of(&record)
        {
            session.console.say(&capacity.told());
        }
    }
    let capacity = Capacity::of(&record);
    show::capacity(session, &record)?;
    args.save.finish(session.console, &record, &[])?;
    args.save.index.finish(session.console, &session.interrupt, &record, &[]).await;
    let found =
        capacity.is_some_and(|capacity| capacity.size.is_some() && capacity.state != CapacityState::Nothing);
    Ok(if found { Exit::Good } else { Exit::Missed })
}

/// Checks that the goals refer to what storms measure.
fn check_goals(record: &RunRecord, goals: &[Threshold]) -> Result<(), Failure> {
    let mut expected: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
    let next = PhaseName { kind: PhaseKind::Storm, number: record.next_storm() };
    expected.push(will_be(&record.plan, next, StormKind::Start));
    thresholds::check(goals, &expected, Some(next))
        .map_err(|fault| Failure::usage(fault.replacen("--fail-if", "--goal", 1)))
}

fn has_open_storm(record: &RunRecord) -> bool {
    use bootstorm_model::record::PhaseState::Done;
    record.last_phase().is_some_and(|last| last.name.kind == PhaseKind::Storm && last.state != Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_say_what_is_wanted_of_the_storm_at_hand() {
        for good in [
            "reachable.p95<120s",
            "storm.running.max<=1m",
            "failed<=0",
            "reached>=99%",
            "storm/create.goal.mean<2",
        ] {
            assert!(goal(good).is_ok(), "{good}");
        }
        for bad in
            ["create.running.p95<1s", "storm-1.running.p95<1s", "running.p95>60s", "stop.gone.max<1m", "soon"]
        {
            assert!(goal(bad).is_err(), "{bad}");
        }
    }
}
