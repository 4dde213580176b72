//! `storm --find-max`: the largest storm that meets a goal, by bisection.

use super::around::Around;
use super::find_max_args::FindMaxArgs;
use super::threshold_args::will_be;
use super::{series, show};
use bootstorm_engine::runs::Judge;
use bootstorm_engine::runs::settings::PhaseOptions;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_model::stats::Threshold;
use bootstorm_report::thresholds::{self, Expected};
use bootstorm_report::{Capacity, CapacityState};

/// Runs the storms of the search, and shows the result; `again` is the command that continues.
pub(super) async fn command(
    around: Around<'_>,
    storm: PhaseOptions,
    find: &FindMaxArgs,
    again: String,
    fresh: bool,
) -> Result<Exit, Failure> {
    let judge = Search { goals: &find.goal };
    let (record, _) = series::run(around, storm, find.purpose(), again, fresh, &judge).await?;
    show::capacity(around.session, &record)?;
    if let Some(beside) = around.beside {
        beside.finish(around.session, &record, &[]).await?;
    }
    let found = Capacity::of(&record)
        .is_some_and(|capacity| capacity.size.is_some() && capacity.state != CapacityState::Nothing);
    Ok(if found { Exit::Good } else { Exit::Missed })
}

/// A search for the largest storm that meets these goals
struct Search<'a> {
    goals: &'a [Threshold],
}

impl Judge for Search<'_> {
    fn check(&self, record: &RunRecord, first: u32) -> Result<(), Failure> {
        let mut expected: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
        let next = PhaseName { kind: PhaseKind::Storm, number: first };
        expected.push(will_be(&record.plan, next, StormKind::Start));
        thresholds::check(self.goals, &expected, Some(next))
            .map_err(|fault| Failure::usage(fault.replacen("--fail-if", "--goal", 1)))
    }

    fn next_size(&self, record: &RunRecord) -> Option<u32> {
        Capacity::of(record).and_then(|capacity| capacity.next)
    }
}
