//! Common parts of create, stop and storm.

use super::beside_args::BesideArgs;
use super::dry_run;
use super::in_cluster;
use super::pace_args::DryRun;
use super::phase_args::PhaseArgs;
use super::session::{Context, Session};
use super::show;
use super::threshold_args::FailIfArgs;
use bootstorm_engine::runs::Steps;
use bootstorm_engine::runs::phase::{self, exit_of};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::{PhaseKind, PhaseName, RunRecord};
use bootstorm_report::ThresholdBlock;

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

/// Saves the result of a create or stop whose goal is already reached, and shows it to programs; returns the exit code
/// of the phase.
async fn already_done(
    session: &Session,
    record: &RunRecord,
    name: PhaseName,
    beside: &BesideArgs,
) -> Result<Exit, Failure> {
    let thresholds = beside.fail_if.judge(record, Some(name));
    show::again(session, record, name, thresholds.clone())?;
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
