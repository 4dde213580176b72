//! The flag that makes a run a failure: thresholds, checked before any work and judged at the end.

use clap::Args;

use super::presentation::Output;
use super::show::Screen;
use crate::console::Console;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Milestone;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord, StormKind};
use bootstorm_model::stats::Threshold;
use bootstorm_report::read::Document;
use bootstorm_report::thresholds::{self, Expected, Missing};
use bootstorm_report::{Graded, ThresholdBlock};

/// The flag that makes a run a failure
#[derive(Debug, Clone, Default, Args)]
pub struct FailIfArgs {
    /// Exit with code 4 if this holds, for example 'storm.running.p95>60s' or 'failed>1%' (can be repeated)
    ///
    /// PHASE.MILESTONE.STATISTIC>TIME: phases are create, stop, storm (the last one) or storm-2; default is
    /// the judged one; storm/create divides one by the other. Statistics are min, mean, stddev, max, p95 and
    /// the like, and t95: the time until 95 % of the VMs are there. running..reachable is a stage. Counts are
    /// failed, timed-out, excluded, pending, reached and outliers, as numbers or percent; skew and duration
    /// are about the phase. A milestone that is not reached exceeds every upper limit
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Threshold>,
}

impl FailIfArgs {
    /// Checks, before any work, that everything requested will be measured.
    ///
    /// Fails as a usage error that lists the alternatives.
    pub fn check(&self, expected: &[Expected], judged: Option<PhaseName>) -> Result<(), Failure> {
        thresholds::check(&self.fail_if, expected, judged).map_err(|fault| {
            Failure::usage(fault).hint("kubectl bootstorm report --help shows how it is written")
        })
    }

    /// Checks that saved results contain what is requested: other tools do not record when each request was sent.
    pub fn check_spread(&self, document: &Document) -> Result<(), Failure> {
        let unspread = document.unspread();
        let wants = self.fail_if.iter().find(|threshold| !unspread.is_empty() && threshold.needs_spread());
        wants.map_or(Ok(()), |threshold| {
            Err(Failure::usage(format!(
                "--fail-if '{}': these results do not record when each request was sent",
                threshold.text
            )))
        })
    }

    /// Checks the thresholds of a phase that is about to run, in a run with a record.
    pub fn check_before(&self, record: &RunRecord, next: PhaseName, storm: StormKind) -> Result<(), Failure> {
        let mut expected: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
        if record.phase(next).is_none() {
            expected.push(will_be(&record.plan, next, storm));
        }
        self.check(&expected, Some(next))
    }

    /// Thresholds with their values; `judged` is the phase of those that name none.
    pub fn judge(&self, record: &RunRecord, judged: Option<PhaseName>) -> Vec<ThresholdBlock> {
        self.judge_graded(record, judged, &Graded::of_run(record))
    }

    /// Like [`Self::judge`], with given grades of the times, such as those of a written report.
    pub fn judge_graded(
        &self,
        record: &RunRecord,
        judged: Option<PhaseName>,
        grades: &[Graded],
    ) -> Vec<ThresholdBlock> {
        thresholds::judge(&self.fail_if, record, judged, grades)
    }

    /// The exit code with thresholds taken into account: a crossed or undecided one takes precedence over VMs that
    /// missed their goal.
    ///
    /// Also reports these thresholds if the result is not in a format for people, who have already seen them.
    pub fn exit(&self, screen: impl Into<Screen>, blocks: &[ThresholdBlock], otherwise: Exit) -> Exit {
        let screen = screen.into();
        if !screen.output.is_for_people() && screen.output != Output::Markdown {
            Self::tell(screen.console, blocks);
        }
        if blocks.iter().any(ThresholdBlock::fails) { otherwise.max(Exit::Threshold) } else { otherwise }
    }

    /// Reports which thresholds make the run a failure, and why.
    pub fn tell(console: Console, blocks: &[ThresholdBlock]) {
        for block in blocks.iter().filter(|block| block.fails()) {
            if block.undecided.is_some() {
                console.say(&format!("threshold {}: {}", block.outcome(), block.condition));
                continue;
            }
            let missing = || block.missing.unwrap_or(Missing::Unknown).word().to_owned();
            let value = block.value.map_or_else(missing, |value| format!("{value:.2}"));
            console.say(&format!("threshold crossed: {} (it is {value})", block.condition));
        }
    }
}

/// A phase of a plan that has not begun.
pub fn will_be(plan: &Plan, name: PhaseName, storm: StormKind) -> Expected {
    let probed = plan.probe.deciding().is_some() && name.kind != PhaseKind::Stop;
    let own = name.kind.goal_of(storm);
    let decided = own != name.kind.goal();
    Expected { name, goal: if probed && !decided { Milestone::Reachable } else { own }, storm }
}
