//! Common steps of create, stop and storm: load, check, lock, run, show.

use std::sync::Arc;

use clap::Args;

use super::dry_run;
use super::export_args::ExportArgs;
use super::hooks::HookArgs;
use super::in_cluster::{self, InClusterArgs};
use super::listen_args::ListenArgs;
use super::metrics_args::MetricsArgs;
use super::pace_args::{DryRun, DryRunArgs, PaceArgs};
use super::plan_args::{AssertedArgs, RunArgs};
use super::preflight::PreflightArgs;
use super::save_args::SaveArgs;
use super::session::{Context, Session};
use super::shape_args::{self, ShapeArgs};
use super::show;
use super::threshold_args::FailIfArgs;
use crate::console::progress::Progress;
use bootstorm_engine::phases::context::{Extent, PhaseContext, Start, StopReason};
use bootstorm_engine::phases::gate::Gate;
use bootstorm_engine::phases::{preflight, timed};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::{Template, TemplateSource};
use bootstorm_model::record::{
    PhaseKind, PhaseRecord, PhaseSettings, PhaseState, RunRecord, Share, StormKind, lifecycle,
};
use bootstorm_report::ThresholdBlock;
use bootstorm_report::thresholds::Expected;

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

/// Role of a phase in a series of storms; by default none
#[derive(Debug, Clone, Default)]
pub struct Role {
    /// Maximum number of VMs that take part.
    pub size: Option<u32>,
    /// Whether it only warms up caches.
    pub warm_up: bool,
    /// Settings of the previous storm, whose shape and order it shares.
    pub like: Option<PhaseSettings>,
    /// Its place in the sequence, for display: `phase 2 of 3`.
    pub place: Option<String>,
    /// Command that continues; absent means that of the phase.
    pub again: Option<String>,
    /// Common start with phases of other clusters.
    pub gate: Option<Arc<Gate>>,
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
        "what was measured is saved; show it: kubectl bootstorm report --ns-prefix {}",
        args.run.prefix
    );
    show::phase(session, record, kind, thresholds.clone()).map_err(|failure| failure.hint(again))?;
    args.save.finish(session.console, record, &thresholds)?;
    args.exports.judged(session.console, &session.interrupt, record, &thresholds).await;
    args.save.index.finish(session.console, &session.interrupt, record, &thresholds).await;
    Ok(args.fail_if.exit(session, &thresholds, last.map_or(Exit::Good, |phase| exit_of(&phase.look()))))
}

/// Handles a create or stop whose goal is already reached, as after a crash of the calling script: reports that, with
/// the exit code of the phase. A storm measures, and is never taken for a new one.
async fn nothing_to_do(
    session: &Session,
    kind: PhaseKind,
    args: &PhaseArgs,
) -> Result<Option<Exit>, Failure> {
    let Some((record, _)) = session.find(&args.run.prefix).await? else { return Ok(None) };
    let Err(lifecycle::Refusal { done: Some(name), instead, .. }) =
        lifecycle::next_of(&record, kind, args.storm)
    else {
        return Ok(None);
    };
    let Some(phase) = record.phase(name) else { return Ok(None) };
    args.asserted.check(&record.plan)?;
    check_halted(args, &record)?;
    let expected: Vec<Expected> = record.phases.iter().map(Expected::from).collect();
    args.fail_if.check(&expected, Some(name))?;
    let when = phase.ended_at().unwrap_or(phase.began).strftime("%Y-%m-%dT%H:%M:%SZ");
    session.console.say(&format!(
        "{name} of run {prefix} was done at {when}, nothing to do; next: kubectl bootstorm {instead} --ns-prefix {prefix}",
        prefix = args.run.prefix
    ));
    let thresholds = args.fail_if.judge(&record, Some(name));
    args.save.finish(session.console, &record, &thresholds)?;
    args.save.index.finish(session.console, &session.interrupt, &record, &thresholds).await;
    FailIfArgs::tell(session.console, &thresholds);
    let failed = thresholds.iter().any(ThresholdBlock::fails);
    Ok(Some(if failed { Exit::Threshold } else { exit_of(phase) }))
}

/// Runs one timed phase; returns the record afterwards, or `None` after a dry run.
pub async fn run(
    session: &Session,
    kind: PhaseKind,
    args: &PhaseArgs,
    role: &Role,
) -> Result<Option<RunRecord>, Failure> {
    let prefix = &args.run.prefix;
    let (mut record, mut store) = session.load(prefix).await?;
    args.asserted.check(&record.plan)?;
    let refused = |refusal: lifecycle::Refusal| {
        Failure::new(refusal.why)
            .hint(format!("run this instead: kubectl bootstorm {} --ns-prefix {prefix}", refusal.instead))
    };
    let step = lifecycle::next_of(&record, kind, args.storm).map_err(refused)?;
    args.fail_if.check_before(&record, step.name(), args.storm)?;
    let settings = settings(args, &record, step, role)?;
    let template = match kind {
        PhaseKind::Create => Some(template(session, &record).await?),
        _ => None,
    };
    session.cluster.conceal(template.as_ref().map(Template::secrets).unwrap_or_default());
    if args.dry_run.dry_run == DryRun::Client {
        dry_run::phase(session, &record, kind, &settings, template.as_ref()).await?;
        args.hooks.announce(session.console, &[kind]);
        return Ok(None);
    }
    if settings.kind == StormKind::Migrate && matches!(step, lifecycle::Step::Begin(_)) {
        let vms = vms(&settings, &record);
        let findings = preflight::check_migration(&session.cluster, &record.plan, vms).await?;
        args.preflight.settle(session, &findings)?;
    }
    if settings.kind == StormKind::Drain && matches!(step, lifecycle::Step::Begin(_)) {
        let findings = preflight::check_drain(&session.cluster, &record.plan, &settings.nodes).await?;
        args.preflight.settle(session, &findings)?;
    }
    if args.in_cluster.in_cluster {
        let planned = args.in_cluster.plan(step.name(), settings)?;
        let record = Box::pin(in_cluster::run(session, &args.in_cluster, prefix, vec![planned])).await?;
        args.exports.phase_ended(session.console, &session.interrupt, &record).await;
        return Ok(Some(record));
    }
    let lock = session.lock(prefix, &record.run_id).await?;
    // The record may have changed between the first read and the lock.
    (record, store) = match session.load(prefix).await {
        Ok(loaded) => loaded,
        Err(failure) => {
            drop(store);
            lock.release().await;
            return Err(failure);
        }
    };
    let wanted = Wanted { kind, args, role, template: template.as_ref() };
    let outcome = Box::pin(locked(session, &wanted, &mut record, store, &lock)).await;
    lock.release().await;
    outcome?;
    args.listen.phase_ended(&record);
    args.exports.phase_ended(session.console, &session.interrupt, &record).await;
    Ok(Some(record))
}

/// The requested phase
struct Wanted<'a> {
    kind: PhaseKind,
    args: &'a PhaseArgs,
    role: &'a Role,
    template: Option<&'a Template>,
}

async fn locked(
    session: &Session,
    wanted: &Wanted<'_>,
    record: &mut RunRecord,
    mut store: bootstorm_engine::cluster::store::RunStore,
    lock: &bootstorm_engine::cluster::lease::Held,
) -> Result<(), Failure> {
    let Wanted { kind, args, role, template } = *wanted;
    let prefix = record.plan.prefix.clone();
    store.set_holder(lock.holder());
    if in_cluster::settle(session, record, &mut store, lock).await? == Some(PhaseState::Done) {
        // The shards had already done all of it.
        return Ok(());
    }
    let step = lifecycle::next_of(record, kind, args.storm).map_err(|refusal| Failure::new(refusal.why))?;
    let settings = settings(args, record, step, role)?;
    if matches!(step, lifecycle::Step::Begin(_)) {
        let vms = vms(&settings, record);
        if let Some(note) = shape_args::note(settings.shape, vms) {
            session.console.say(&note);
        }
    }
    let plan = &record.plan;
    tracing::info!(
        run = plan.prefix,
        run_id = record.run_id,
        vms = plan.size(),
        source = %plan.template,
        probes = ?plan.probe.probes,
        phase = %step.name(),
        settings = ?settings,
        "plan"
    );
    args.hooks.before(session, &prefix, step.name()).await?;
    args.hooks.note(record, step.name());
    let progress = Progress::new(session.console).at(role.place.clone());
    let work = PhaseContext {
        cluster: &session.cluster,
        lock,
        step,
        settings,
        template,
        gate: role.gate.as_deref().map(Start::Fleet),
        extent: Extent::Whole,
        interrupt: session.interrupt.clone(),
        events: &|event| {
            args.listen.hear(event);
            progress.hear(event);
        },
    };
    let outcome = Box::pin(timed::run(work, record, store)).await;
    progress.finish();
    let command = if kind == PhaseKind::Storm { args.storm.command() } else { kind.word() };
    let again = role.again.clone().unwrap_or_else(|| command.to_owned());
    let again = format!("go on: kubectl bootstorm {again} --ns-prefix {prefix}");
    let cut =
        outcome.map_err(|error| Failure::from(error).hint(format!("what was saved is kept; {again}")))?;
    if cut.is_none() {
        Box::pin(args.metrics.add(session, lock, record, step.name())).await;
    }
    match cut {
        None if args.hooks.after.is_empty() => Ok(()),
        None => {
            let (saved, mut store) = session.load(&prefix).await?;
            store.set_holder(lock.holder());
            *record = saved;
            args.hooks.after(session, record, &mut store).await
        }
        Some(StopReason::Interrupted) => {
            let phase = record.last_phase();
            let through = phase.map_or(0, |phase| phase.timelines.iter().filter(|t| t.is_over()).count());
            let all = phase.map_or(0, |phase| phase.timelines.len());
            let failure = Failure::interrupted(format!(
                "interrupted; {through} of {all} VMs were decided, everything is saved"
            ))
            .hint(again);
            Err(goes_on(args.storm).into_iter().fold(failure, Failure::hint))
        }
        Some(StopReason::NotSaved) => Err(Failure::interrupted(
            "interrupted; the cluster did not answer, so that the last observations could not be saved",
        )
        .hint(format!("what was saved before is kept; {again}"))),
        Some(StopReason::TooManyFailed) => {
            let phase = record.last_phase();
            let count = |outcome| phase.map_or(0, |phase| phase.count(outcome));
            let failed = count(Outcome::Failed) + count(Outcome::TimedOut);
            let limit = args.pace.abort_if_failed.map(|limit| limit.to_string()).unwrap_or_default();
            let message =
                format!("stopped: {failed} VMs have failed, and --abort-if-failed {limit} allows fewer");
            Err(Failure { exit: Exit::Missed, ..Failure::new(message) }
                .hint(format!("see which and why: kubectl bootstorm report --ns-prefix {prefix}"))
                .hint(format!("{again}, with another --abort-if-failed or without")))
        }
        Some(StopReason::LeftOut) => {
            let message = "the fleet started without it; nothing was sent, and the phase can be run alone";
            Err(Failure { exit: Exit::Missed, ..Failure::new(message) }.hint(again))
        }
        Some(StopReason::LockLost) => {
            Err(Failure::new("the lock on the run was lost; nothing was saved since then")
                .hint(format!("see who has it: kubectl bootstorm status --ns-prefix {prefix}")))
        }
        Some(StopReason::RecordChanged) => {
            Err(Failure::new("another process changed the record of the run meanwhile")
                .hint(format!("see where it stands: kubectl bootstorm status --ns-prefix {prefix}")))
        }
    }
}

/// What continues after an interrupt.
fn goes_on(storm: StormKind) -> Option<&'static str> {
    match storm {
        StormKind::Migrate => Some("migrations that were requested go on; cleanup ends them"),
        StormKind::Drain => Some("VMs that were evicted go on leaving; the nodes take pods again"),
        StormKind::Start | StormKind::Restart | StormKind::Observed => None,
    }
}

/// A create continues with or without starting VMs, as it was begun.
fn check_halted(args: &PhaseArgs, record: &RunRecord) -> Result<(), Failure> {
    let begun = record.phases.iter().find(|phase| phase.name.kind == PhaseKind::Create);
    if args.halted && begun.is_some_and(|create| !create.settings.halted) {
        return Err(Failure::usage("--halted comes too late: the create of this run was begun without it")
            .hint("leave out --halted, or set up another run with another --ns-prefix"));
    }
    Ok(())
}

/// The settings of a phase; fails if flags contradict its beginning.
pub(super) fn settings(
    args: &PhaseArgs,
    record: &RunRecord,
    step: lifecycle::Step,
    role: &Role,
) -> Result<PhaseSettings, Failure> {
    check_halted(args, record)?;
    let (shape, order) = args.shape.resolve(record, step, role.like.as_ref())?;
    let Role { size, warm_up, .. } = *role;
    let nodes = nodes(args, record, step)?;
    let share = share(args, record, step)?;
    Ok(PhaseSettings {
        shape,
        order,
        size,
        warm_up,
        halted: args.halted,
        kind: args.storm,
        nodes,
        share,
        ..args.pace.settings()
    })
}

/// Maximum number of participants, as far as known before they are listed.
fn vms(settings: &PhaseSettings, record: &RunRecord) -> usize {
    let all = record.plan.size() as usize;
    match (settings.share, settings.size) {
        (Some(share), _) => share.of(all),
        (None, size) => size.map_or(all, |size| size as usize),
    }
}

/// Share of the VMs that migrates: as requested, or as when the storm was begun.
fn share(args: &PhaseArgs, record: &RunRecord, step: lifecycle::Step) -> Result<Option<Share>, Failure> {
    let Some(begun) = record.phase(step.name()).map(|phase| phase.settings.share) else {
        return Ok(args.share);
    };
    match args.share {
        Some(share) if begun != Some(share) => {
            let was = begun.map_or_else(|| "all running VMs".to_owned(), |begun| format!("share {begun}"));
            Err(Failure::usage(format!(
                "--share {share} contradicts what {} is to be like: {was}",
                step.name()
            ))
            .hint("leave the flag out, so that it goes on as it was begun"))
        }
        _ => Ok(begun),
    }
}

/// Nodes of a drain: as named, or as when it was begun.
fn nodes(args: &PhaseArgs, record: &RunRecord, step: lifecycle::Step) -> Result<Vec<String>, Failure> {
    let begun = record.phase(step.name()).map(|phase| &phase.settings.nodes);
    match (args.storm, begun) {
        (StormKind::Drain, Some(begun)) if args.nodes.is_empty() || args.nodes == *begun => Ok(begun.clone()),
        (StormKind::Drain, Some(begun)) => {
            let begun = begun.join(",");
            Err(Failure::usage(format!("{} was begun on other nodes: {begun}", step.name()))
                .hint(format!("go on with it: kubectl bootstorm storm --drain {begun}")))
        }
        (StormKind::Drain, None) if args.nodes.is_empty() => {
            Err(Failure::usage("a drain needs nodes").hint("name them: storm --drain NODE[,NODE...]"))
        }
        _ => Ok(args.nodes.clone()),
    }
}

/// Manifest of the run's VMs.
pub(super) async fn template(session: &Session, record: &RunRecord) -> Result<Template, Failure> {
    let plan = &record.plan;
    let prefix = &plan.prefix;
    let lost = |why: &str| {
        Failure::new(format!("the VM manifest of run \"{prefix}\", from {}, {why}", plan.template))
            .hint(format!("set the run up again: kubectl bootstorm cleanup --ns-prefix {prefix}"))
    };
    if let TemplateSource::Adopted { selection } = &plan.template {
        // The lifecycle prevents the creation of VMs that already exist.
        return Err(Failure::new(format!("there is nothing to create: the run has adopted {selection}")));
    }
    let Some(sha256) = plan.sealed_digest() else {
        return plan.built_in().ok_or_else(|| lost("cannot be made again"));
    };
    let text = session.cluster.load_template(prefix).await?.ok_or_else(|| lost("is not there any more"))?;
    if Template::digest(&text) != sha256 {
        return Err(lost("was changed since the setup"));
    }
    let template = Template::parse(&text).map_err(|fault| lost("cannot be read").because(fault))?;
    Ok(template.with_pool(plan.template.pool()))
}

/// Exit code for a finished phase.
pub fn exit_of(phase: &PhaseRecord) -> Exit {
    let wanted = phase.timelines.len() - phase.set_aside().count();
    if phase.count(Outcome::Reached) == wanted { Exit::Good } else { Exit::Missed }
}
impl PhaseArgs {
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
