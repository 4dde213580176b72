//! Common parts of create, stop and storm: flags, steps around a phase, display.

use clap::Args;
use futures::future::LocalBoxFuture;

use super::dry_run;
use super::export_args::ExportArgs;
use super::front::Front;
use super::hooks::HookArgs;
use super::in_cluster::{self, InClusterArgs};
use super::listen_args::ListenArgs;
use super::metrics_args::MetricsArgs;
use super::pace_args::{DryRun, DryRunArgs, PaceArgs};
use super::plan_args::{AssertedArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::save_args::SaveArgs;
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
    pub save: SaveArgs,
    #[command(flatten)]
    pub fail_if: FailIfArgs,
    #[command(flatten)]
    pub hooks: HookArgs,
    #[command(flatten)]
    pub exports: ExportArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
    #[command(flatten)]
    pub metrics: MetricsArgs,
    #[command(flatten)]
    pub in_cluster: InClusterArgs,
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
    args.save.check()?;
    args.exports.check()?;
    args.metrics.check()?;
    args.check_in_cluster()?;
    let session = context.connect().await?;
    args.listen.start(session.console, &args.run.prefix).await?;
    if let Some(record) = in_cluster::attach(&session, &args.in_cluster, &args.run.prefix, kind).await? {
        return shown(&session, &record, kind, args).await;
    }
    let is_dry = args.dry_run.dry_run == DryRun::Client;
    let caught_up = if is_dry { None } else { args.hooks.catch_up(&session, &args.run.prefix).await? };
    let of_this_kind = |record: &RunRecord| record.last_phase().is_some_and(|last| last.name.kind == kind);
    if let Some(record) = caught_up.filter(of_this_kind) {
        // The command was repeated for the steps after the phase: nothing is measured again.
        return shown(&session, &record, kind, args).await;
    }
    if let Some(exit) = nothing_to_do(&session, kind, args).await? {
        return Ok(exit);
    }
    let record = run(&session, kind, args, &Role::default()).await?;
    match record {
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
    let thresholds = args.fail_if.judge(record, last.map(|phase| phase.name));
    let again = format!(
        "measurements are saved; show them: kubectl bootstorm report --ns-prefix {}",
        args.run.prefix
    );
    show::phase(session, record, kind, thresholds.clone()).map_err(|failure| failure.hint(again))?;
    args.save.finish(session.console, record, &thresholds)?;
    args.exports.judged(session.console, &session.interrupt, record, &thresholds).await;
    args.save.index.finish(session.console, &session.interrupt, record, &thresholds).await;
    Ok(args.fail_if.exit(session, &thresholds, last.map_or(Exit::Good, |phase| exit_of(&phase.look()))))
}

/// Reports a create or stop whose goal is already reached, with the exit code of the phase.
async fn nothing_to_do(
    session: &Session,
    kind: PhaseKind,
    args: &PhaseArgs,
) -> Result<Option<Exit>, Failure> {
    let front = Front::new(session.console);
    let around = Around { session, args, then: &|_| Ok(()) };
    let options = args.options(kind, &Role::default());
    let done = phase::already_done(session.runs(), &options, &front, &around).await?;
    let Some((record, name)) = done else { return Ok(None) };
    let thresholds = args.fail_if.judge(&record, Some(name));
    args.save.finish(session.console, &record, &thresholds)?;
    args.save.index.finish(session.console, &session.interrupt, &record, &thresholds).await;
    FailIfArgs::tell(session.console, &thresholds);
    let failed = thresholds.iter().any(ThresholdBlock::fails);
    Ok(Some(if failed { Exit::Threshold } else { record.phase(name).map_or(Exit::Good, exit_of) }))
}

/// Runs one timed phase; returns the record afterwards, or `None` after a dry run.
pub async fn run(
    session: &Session,
    kind: PhaseKind,
    args: &PhaseArgs,
    role: &Role,
) -> Result<Option<RunRecord>, Failure> {
    let options = args.options(kind, role);
    let front = Front::of_phases(session.console, &args.listen);
    let around = Around { session, args, then: &|_| Ok(()) };
    let is_dry = args.dry_run.dry_run == DryRun::Client;
    if !is_dry && !args.in_cluster.in_cluster {
        return Box::pin(phase::measure(session.runs(), &options, &front, &around)).await.map(Some);
    }
    let prepared = Box::pin(phase::prepare(session.runs(), &options, &around)).await?;
    if is_dry {
        dry_run::phase(session, kind, &prepared).await?;
        args.hooks.announce(session.console, &[kind]);
        return Ok(None);
    }
    phase::check(&session.cluster, &options, &prepared, &front).await?;
    let planned = args.in_cluster.plan(prepared.step.name(), prepared.settings)?;
    let record =
        Box::pin(in_cluster::run(session, &args.in_cluster, &args.run.prefix, vec![planned])).await?;
    around.ended(&record).await?;
    Ok(Some(record))
}

/// Checks, hooks, metrics and exports around phases
pub(super) struct Around<'a> {
    pub(super) session: &'a Session,
    pub(super) args: &'a PhaseArgs,
    /// Called after each finished phase.
    pub(super) then: &'a dyn Fn(&RunRecord) -> Result<(), Failure>,
}

impl Steps for Around<'_> {
    fn check_plan(&self, plan: &Plan) -> Result<(), Failure> {
        self.args.asserted.check(plan)
    }

    fn check(&self, record: &RunRecord, next: PhaseName) -> Result<(), Failure> {
        self.args.fail_if.check_before(record, next, self.args.storm)
    }

    fn before<'a>(
        &'a self,
        record: &'a mut RunRecord,
        phase: PhaseName,
    ) -> LocalBoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.args.hooks.before(self.session, &record.plan.prefix, phase).await?;
            self.args.hooks.note(record, phase);
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
            self.args.metrics.add(self.session, lock, record, phase).await;
            if self.args.hooks.after.is_empty() {
                return Ok(());
            }
            let (saved, mut store) = self.session.load(&record.plan.prefix).await?;
            store.set_holder(lock.holder());
            *record = saved;
            self.args.hooks.after(self.session, record, &mut store).await
        })
    }

    fn ended<'a>(&'a self, record: &'a RunRecord) -> LocalBoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.args.listen.phase_ended(record);
            self.args.exports.phase_ended(self.session.console, &self.session.interrupt, record).await;
            (self.then)(record)
        })
    }
}

impl PhaseArgs {
    /// A phase with nothing beside it: no files, hooks, exports or thresholds.
    pub(super) fn plain(run: &RunArgs, pace: &PaceArgs, preflight: PreflightArgs) -> Self {
        Self {
            run: run.clone(),
            pace: pace.clone(),
            shape: ShapeArgs::default(),
            asserted: AssertedArgs::default(),
            dry_run: DryRunArgs { dry_run: DryRun::None },
            save: SaveArgs::none(),
            fail_if: FailIfArgs::default(),
            hooks: HookArgs::none(),
            exports: ExportArgs::default(),
            listen: ListenArgs::default(),
            metrics: MetricsArgs { prometheus: None },
            in_cluster: InClusterArgs::default(),
            halted: false,
            storm: StormKind::Start,
            nodes: Vec::new(),
            share: None,
            preflight,
        }
    }

    /// The requested phase.
    pub(super) fn options(&self, kind: PhaseKind, role: &Role) -> PhaseOptions {
        let wanted = PhaseSettings {
            shape: self.shape.shape(),
            halted: self.halted,
            kind: self.storm,
            nodes: self.nodes.clone(),
            share: self.share,
            ..self.pace.settings()
        };
        PhaseOptions {
            prefix: self.run.prefix.clone(),
            kind,
            wanted,
            order: self.shape.order,
            skip_preflight: self.preflight.skip_preflight,
            role: role.clone(),
        }
    }

    /// Fails if `--in-cluster` is combined with a flag that only works on this computer.
    pub fn check_in_cluster(&self) -> Result<(), Failure> {
        self.in_cluster.check(&[
            (!self.hooks.before.is_empty(), "--before"),
            (!self.hooks.after.is_empty(), "--after"),
            (self.listen.listen.is_some(), "--listen"),
            (self.metrics.prometheus.is_some(), "--prometheus"),
        ])
    }
}
