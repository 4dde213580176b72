//! What happens around a timed phase: checks, hooks, metrics, exports.

use futures::future::LocalBoxFuture;

use super::beside_args::BesideArgs;
use super::front::Front;
use super::plan_args::AssertedArgs;
use super::session::Session;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::runs::Steps;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseName, RunRecord, StormKind};

/// What the command line adds around phases: checks, hooks, metrics, exports
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) session: &'a Session,
    /// Flags of what happens beside them; a fleet has none.
    pub(super) beside: Option<&'a BesideArgs>,
    /// Plan that the user expects.
    pub(super) asserted: Option<&'a AssertedArgs>,
    /// Kind of storm whose thresholds are judged after each phase; absent if they are judged at the end.
    pub(super) judged: Option<StormKind>,
    /// Called after each finished phase.
    pub(super) then: &'a dyn Fn(&RunRecord) -> Result<(), Failure>,
}

impl<'a> Around<'a> {
    /// Phases of a sequence, with thresholds at its end.
    pub(super) fn new(session: &'a Session, beside: Option<&'a BesideArgs>) -> Self {
        Self { session, beside, asserted: None, judged: None, then: &|_| Ok(()) }
    }

    /// The console that shows them.
    pub(super) fn front(&self) -> Front<'a> {
        Front::of_phases(self.session.console, self.beside.map(|beside| &beside.listen))
    }
}

impl Steps for Around<'_> {
    fn check_plan(&self, plan: &Plan) -> Result<(), Failure> {
        self.asserted.map_or(Ok(()), |asserted| asserted.check(plan))
    }

    fn check(&self, record: &RunRecord, next: PhaseName) -> Result<(), Failure> {
        match (self.beside, self.judged) {
            (Some(beside), Some(storm)) => beside.fail_if.check_before(record, next, storm),
            _ => Ok(()),
        }
    }

    fn before<'a>(
        &'a self,
        record: &'a mut RunRecord,
        phase: PhaseName,
    ) -> LocalBoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some(beside) = self.beside else { return Ok(()) };
            beside.hooks.before(self.session, &record.plan.prefix, phase).await?;
            beside.hooks.note(record, phase);
            Ok(())
        })
    }

    fn after<'a>(
        &'a self,
        record: &'a mut RunRecord,
        phase: PhaseName,
        lock: &'a Held,
    ) -> LocalBoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let Some(beside) = self.beside else { return Ok(()) };
            beside.metrics.add(self.session, lock, record, phase).await;
            if beside.hooks.after.is_empty() {
                return Ok(());
            }
            let (saved, mut store) = self.session.load(&record.plan.prefix).await?;
            store.set_holder(lock.holder());
            *record = saved;
            beside.hooks.after(self.session, record, &mut store).await
        })
    }

    fn ended<'a>(&'a self, record: &'a RunRecord) -> LocalBoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if let Some(beside) = self.beside {
                beside.listen.phase_ended(record);
                beside.exports.phase_ended(self.session.console, &self.session.interrupt, record).await;
            }
            (self.then)(record)
        })
    }
}
