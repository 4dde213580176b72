//! Flags of the search for the largest storm.

use std::time::Duration;

use clap::Args;

use super::shape_args::ShapeArgs;
use super::values;
use bootstorm_engine::runs::series::Purpose;
use bootstorm_model::stats::Threshold;
use bootstorm_model::stats::threshold::{Figure, Operator, PhaseWord};

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
    if !text.contains(['<', '>']) {
        return Err("it has no <, <=, > or >=; write it like reachable.p95<120s".into());
    }
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
    /// The requested search.
    pub(super) fn purpose(&self) -> Purpose {
        Purpose::FindMax {
            goals: self.goal.iter().map(|goal| goal.text.clone()).collect(),
            min: self.min as u32,
            max: self.max.map(|max| max as u32),
            budget: self.budget,
            most_storms: self.max_storms,
        }
    }

    /// The command that continues.
    pub(super) fn again(&self, shape: &ShapeArgs) -> String {
        let goals: String = self.goal.iter().map(|goal| format!(" --goal '{}'", goal.text)).collect();
        let max = self.max.map_or_else(String::new, |max| format!(" --max {max}"));
        let min = if self.min > 1 { format!(" --min {}", self.min) } else { String::new() };
        let budget =
            self.budget.map_or_else(String::new, |budget| format!(" --budget {}s", budget.as_secs()));
        format!("storm --find-max{goals}{max}{min}{budget}{}", shape.typed())
    }
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
