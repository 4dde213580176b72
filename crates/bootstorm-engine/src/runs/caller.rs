//! The caller of a use case, such as the command line: shows what is reported, and adds steps to a phase.

use futures::future::LocalBoxFuture;

use crate::cluster::lease::Held;
use crate::phases::Event;
use crate::phases::preflight::Findings;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseName, RunRecord};

/// Shows what a use case reports
pub trait Caller: Sync {
    /// Shows a message.
    fn say(&self, text: &str);
    /// Shows a warning.
    fn warn(&self, text: &str);
    /// Shows the findings of a preflight; `skips` tells whether its problems are only warnings.
    fn show(&self, findings: &Findings, skips: bool);
    /// A phase begins, at this place in a sequence, such as `phase 2 of 3`.
    fn begin(&self, place: Option<&str>);
    /// Shows an event.
    fn hear(&self, event: &Event);
    /// No event follows for now: ends all drawing.
    fn finish(&self);
}

/// Steps that the caller adds to a phase
pub trait Steps {
    /// Fails if the caller expects another plan.
    fn check_plan(&self, plan: &Plan) -> Result<(), Failure>;
    /// Fails if the phase will not measure what the caller asks for.
    fn check(&self, record: &RunRecord, next: PhaseName) -> Result<(), Failure>;
    /// Runs before the first request. After a failure the phase does not begin.
    fn before<'a>(
        &'a self,
        record: &'a mut RunRecord,
        phase: PhaseName,
    ) -> LocalBoxFuture<'a, Result<(), Failure>>;
    /// Runs after a finished phase, while the lock is held.
    fn after<'a>(
        &'a self,
        record: &'a mut RunRecord,
        phase: PhaseName,
        lock: &'a Held,
    ) -> LocalBoxFuture<'a, Result<(), Failure>>;
    /// Runs after a finished phase, once the lock is released.
    fn ended<'a>(&'a self, record: &'a RunRecord) -> LocalBoxFuture<'a, Result<(), Failure>>;
}

/// Judges the storms of a series
pub trait Judge {
    /// Fails if the series, whose first storm has this number, will not measure what the caller asks for.
    fn check(&self, record: &RunRecord, first: u32) -> Result<(), Failure>;
    /// Number of VMs in the next storm of a search; `None` if the search is over.
    fn next_size(&self, _: &RunRecord) -> Option<u32> {
        None
    }
}

/// Shows the findings of a preflight. Fails if it refuses.
pub fn settle(caller: &dyn Caller, findings: &Findings, skips: bool) -> Result<(), Failure> {
    caller.show(findings, skips);
    findings.refusal(skips).map_or(Ok(()), Err)
}
