//! Work of one member: the commands of a single run in order, with the common start before its storm.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::Action;
use super::members::Chosen;
use crate::commands::around::Around;
use crate::commands::cleanup;
use crate::commands::pace_args::DryRun;
use crate::commands::phase_args::requested;
use crate::commands::session::Session;
use crate::commands::setup;
use crate::commands::shape_args::ShapeArgs;
use bootstorm_engine::phases::cleanup::Choice;
use bootstorm_engine::phases::gate::{Gate, Policy};
use bootstorm_engine::runs::cleanup::CleanupOptions;
use bootstorm_engine::runs::phase::measure;
use bootstorm_engine::runs::settings::{PhaseOptions, Role};
use bootstorm_engine::runs::setup::SetupOptions;
use bootstorm_engine::runs::whole::next_step;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, RunRecord, StormKind};

/// The phases of a run in a fleet
pub(super) const STEPS: [PhaseName; 3] = [
    PhaseName::CREATE,
    PhaseName { kind: PhaseKind::Stop, number: 1 },
    PhaseName { kind: PhaseKind::Storm, number: 1 },
];
/// Pause before a failed member is retried
const AGAIN: Duration = Duration::from_secs(5);

/// Report of a working member
#[derive(Debug)]
pub(super) struct SetUp {
    /// Index among the working members.
    pub(super) member: usize,
    /// UUID of its run.
    pub(super) run_id: String,
    /// VMs of its run.
    pub(super) vms: u32,
}

/// A working member
pub(super) struct Worker {
    /// Index among the working members.
    pub(super) member: usize,
    pub(super) chosen: Chosen,
    pub(super) session: Session,
    /// Its gate before the storm; absent if there is no common start.
    pub(super) gate: Option<Gate>,
    pub(super) policy: Policy,
    /// Receives reports.
    pub(super) news: UnboundedSender<SetUp>,
}

impl Worker {
    /// Does all the work of the command. With the policy `wait`, failures are retried.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let gate = self.gate.take().map(Arc::new);
        loop {
            let failure = match Box::pin(self.once(gate.clone())).await {
                Err(failure) if self.tries_again(&failure) => failure,
                outcome => return outcome,
            };
            self.session.console.warn(&format!("{failure}; retrying"));
            let mut interrupt = self.session.interrupt.clone();
            tokio::select! {
                biased;
                () = interrupt.wait() => return Err(failure),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    fn tries_again(&self, failure: &Failure) -> bool {
        self.policy == Policy::Wait && failure.exit == Exit::Failed && !self.session.interrupt.is_set()
    }

    async fn once(&self, gate: Option<Arc<Gate>>) -> Result<(), Failure> {
        let args = &self.chosen.args;
        match args.action {
            Action::Run => self.whole(gate).await,
            Action::Stop => self.phase(PhaseKind::Stop, None).await.map(drop),
            Action::Storm => self.phase(PhaseKind::Storm, gate).await.map(drop),
            Action::Cleanup => self.cleanup().await,
            Action::Report | Action::Status => Ok(()),
        }
    }

    /// Setup, create, stop and storm; finished steps are not repeated.
    async fn whole(&self, gate: Option<Arc<Gate>>) -> Result<(), Failure> {
        let (session, args) = (&self.session, &self.chosen.args);
        let found = session.find(&args.run.prefix).await?.map(|(record, _)| record);
        if found.is_some_and(|record| next_step(&STEPS, &record).is_none()) {
            return Ok(());
        }
        let resolved = args.plan.resolve(&args.run)?;
        let options = SetupOptions {
            batch_size: args.namespace_batch_size.0,
            skip_preflight: args.preflight.skip_preflight,
            via: Some(args.pace.settings().via),
        };
        let Some(mut record) = Box::pin(setup::run(session, options, resolved, DryRun::None)).await? else {
            return Ok(());
        };
        let (member, run_id, vms) = (self.member, record.run_id.clone(), record.plan.size());
        // The receiver is gone only when the command ends.
        let _ = self.news.send(SetUp { member, run_id, vms });
        while let Some(name) = next_step(&STEPS, &record) {
            let gate = gate.clone().filter(|_| name.kind == PhaseKind::Storm);
            record = self.phase(name.kind, gate).await?;
        }
        Ok(())
    }

    /// Runs a phase; kind and shape apply to the storm only.
    async fn phase(&self, kind: PhaseKind, gate: Option<Arc<Gate>>) -> Result<RunRecord, Failure> {
        let (session, args) = (&self.session, &self.chosen.args);
        let is_storm = kind == PhaseKind::Storm;
        let shape = if is_storm { args.shape.clone() } else { ShapeArgs::default() };
        let phase = requested(&args.run, &args.pace, &shape, args.preflight);
        let storm =
            if is_storm && args.action == Action::Storm { args.kind.storm() } else { StormKind::Start };
        let wanted = PhaseSettings { kind: storm, ..phase.wanted };
        let options = PhaseOptions { kind, wanted, role: Role { gate, ..Role::default() }, ..phase };
        // Thresholds are judged over the whole fleet, at its end.
        let around = Around::new(session, None);
        Box::pin(measure(session.runs(), &options, &around.front(), &around)).await
    }

    async fn cleanup(&self) -> Result<(), Failure> {
        let args = &self.chosen.args;
        let choice = Choice { keep_record: args.keep_record, delete_foreign: args.delete_foreign };
        let options = CleanupOptions { choice, ..CleanupOptions::of(&args.run.prefix) };
        // Confirmed once for all clusters.
        if let Some(deleted) = Box::pin(cleanup::run(&self.session, &options, true)).await? {
            let count = deleted.going(choice).len();
            self.session.console.say(&format!("cleaned up: {count} objects deleted"));
            options.check_kept(&deleted)?;
        }
        Ok(())
    }
}
