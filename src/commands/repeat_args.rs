//! Flags of repeated storms.

use std::time::Duration;

use clap::Args;

use super::shape_args::ShapeArgs;
use super::values;
use bootstorm_engine::runs::series::Purpose;

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

impl RepeatArgs {
    /// The requested repetition, if there is one.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        let (rest, warm_up) = (self.rest.unwrap_or_default(), self.warm_up);
        self.repeat.map(|storms| Purpose::Repeat { storms, rest, warm_up })
    }

    /// The command that continues.
    pub(super) fn again(&self, shape: &ShapeArgs) -> String {
        let repeat = self.repeat.map_or_else(String::new, |storms| format!(" --repeat {storms}"));
        let rest = self.rest.map_or_else(String::new, |rest| format!(" --rest {}ms", rest.as_millis()));
        let warm_up = if self.warm_up { " --warm-up" } else { "" };
        format!("storm{repeat}{rest}{warm_up}{}", shape.typed())
    }
}
