//! Common parts of create, stop and storm: flags, steps around a phase, display.

use clap::Args;
use futures::future::LocalBoxFuture;

use super::beside_args::BesideArgs;
use super::dry_run;
use super::front::Front;
use super::in_cluster;
use super::pace_args::{DryRun, DryRunArgs, PaceArgs};
use super::plan_args::{AssertedArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::session::{Context, Session};
use super::shape_args::ShapeArgs;
use super::show;
use super::threshold_args::FailIfArgs;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::runs::Steps;
use bootstorm_engine::runs::phase::{self, exit_of};
use bootstorm_engine::runs::settings::{PhaseOptions, Role};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Plan;
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseSettings, RunRecord, Share, StormKind};
use bootstorm_report::ThresholdBlock;

/// Flags of create, stop and storm
#[derive(Debug, Clone, Args)]
pub struct PhaseArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub asserted: AssertedArgs,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
    #[command(flatten)]
    pub beside: BesideArgs,
    /// Whether a create makes VMs without starting them.
    #[arg(skip)]
    pub halted: bool,
    /// Kind of the storm.
    #[arg(skip)]
    pub storm: StormKind,
    /// Nodes of a drain.
    #[arg(skip)]
    pub nodes: Vec<String>,
    /// Share of the running VMs that migrates; absent means all.
    #[arg(skip)]
    pub share: Option<Share>,
    /// Whether expected problems of a migration are only warnings.
    #[arg(skip)]
    pub preflight: PreflightArgs,
}

/// Runs one timed phase as a separate command.
pub async fn command(context: &Context, kind: PhaseKind, args: &PhaseArgs) -> Result<Exit, Failure> {
    let (prefix, beside) = (&args.run.prefix, &args.beside);
    beside.check()?;
    let session = context.connect().await?;
    beside.listen.start(session.console, prefix).await?;
    if let Some(record) = in_cluster::attach(&session, &beside.in_cluster, prefix, kind).await? {
        return shown(&session, &record, kind, args).await;
    }
    let is_dry = args.dry_run.dry_run == DryRun::Client;
    let caught_up = if is_dry { None } else { beside.hooks.catch_up(&session, prefix).await? };
    let of_this_kind = |record: &RunRecord| record.last_phase().is_some_and(|last| last.name.kind == kind);
    if let Some(record) = caught_up.filter(of_this_kind) {
        // The command was repeated for the steps after the phase: nothing is measured again.
        return shown(&session, &record, kind, args).await;
    }
    let around = args.around(&session);
    let done = phase::already_done(session.runs(), &args.options(kind), &around.front(), &around).await?;
    if let Some((record, name)) = done {
        return already_done(&session, &record, name, beside).await;
    }
    match run(&session, kind, args).await? {
        Some(record) => shown(&session, &record, kind, args).await,
        None => Ok(Exit::Good),
    }
}

/// Shows and saves the result of the last phase; returns its exit code.
async fn shown(
    session: &Session,
    record: &RunRecord,
    kind: PhaseKind,
    args: &PhaseArgs,
) -> Result<Exit, Failure> {
    let last = record.last_phase();
    let fail_if = &args.beside.fail_if;
    let thresholds = fail_if.judge(record, last.map(|phase| phase.name));
    let again = format!(
        "measurements are saved; show them: kubectl bootstorm report --ns-prefix {}",
        args.run.prefix
    );
    show::phase(session, record, kind, thresholds.clone()).map_err(|failure| failure.hint(again))?;
    args.beside.finish(session, record, &thresholds).await?;
    Ok(fail_if.exit(session, &thresholds, last.map_or(Exit::Good, |phase| exit_of(&phase.look()))))
}

/// Saves the result of a create or stop whose goal is already reached; returns the exit code of the phase.
async fn already_done(
    session: &Session,
    record: &RunRecord,
    name: PhaseName,
    beside: &BesideArgs,
) -> Result<Exit, Failure> {
    let thresholds = beside.fail_if.judge(record, Some(name));
    beside.save.finish(session.console, record, &thresholds)?;
    beside.save.index.finish(session.console, &session.interrupt, record, &thresholds).await;
    FailIfArgs::tell(session.console, &thresholds);
    let failed = thresholds.iter().any(ThresholdBlock::fails);
    Ok(if failed { Exit::Threshold } else { record.phase(name).map_or(Exit::Good, exit_of) })
}

/// Runs one timed phase; returns the record afterwards, or `None` after a dry run.
async fn run(session: &Session, kind: PhaseKind, args: &PhaseArgs) -> Result<Option<RunRecord>, Failure> {
    let (options, around) = (args.options(kind), args.around(session));
    let (front, in_cluster) = (around.front(), &args.beside.in_cluster);
    let is_dry = args.dry_run.dry_run == DryRun::Client;
    if !is_dry && !in_cluster.in_cluster {
        return Box::pin(phase::measure(session.runs(), &options, &front, &around)).await.map(Some);
    }
    let prepared = Box::pin(phase::prepare(session.runs(), &options, &around)).await?;
    if is_dry {
        dry_run::phase(session, kind, &prepared).await?;
        args.beside.hooks.announce(session.console, &[kind]);
        return Ok(None);
    }
    phase::check(&session.cluster, &options, &prepared, &front).await?;
    let planned = in_cluster.plan(prepared.step.name(), prepared.settings)?;
    let record = Box::pin(in_cluster::run(session, in_cluster, &args.run.prefix, vec![planned])).await?;
    around.ended(&record).await?;
    Ok(Some(record))
}

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

impl PhaseArgs {
    /// The requested phase.
    pub(super) fn options(&self, kind: PhaseKind) -> PhaseOptions {
        let phase = requested(&self.run, &self.pace, &self.shape, self.preflight);
        let wanted = PhaseSettings {
            halted: self.halted,
            kind: self.storm,
            nodes: self.nodes.clone(),
            share: self.share,
            ..phase.wanted
        };
        PhaseOptions { kind, wanted, ..phase }
    }

    /// Steps around the requested phase.
    pub(super) fn around<'a>(&'a self, session: &'a Session) -> Around<'a> {
        let (asserted, judged) = (Some(&self.asserted), Some(self.storm));
        Around { asserted, judged, ..Around::new(session, Some(&self.beside)) }
    }
}

/// A storm with these flags.
pub(super) fn requested(
    run: &RunArgs,
    pace: &PaceArgs,
    shape: &ShapeArgs,
    preflight: PreflightArgs,
) -> PhaseOptions {
    PhaseOptions {
        prefix: run.prefix.clone(),
        kind: PhaseKind::Storm,
        wanted: PhaseSettings { shape: shape.shape(), ..pace.settings() },
        order: shape.order,
        skip_preflight: preflight.skip_preflight,
        role: Role::default(),
    }
}
