//! `cleanup`: deletes what a run created, and verifies it.

mod adopted;
mod cordons;
mod ownership;
mod wording;

pub use wording::kept;

use std::time::Duration;

use clap::Args;

use super::in_cluster;
use super::pace_args::{DryRun, DryRunArgs};
use super::plan_args::RunArgs;
use super::presentation::Output;
use super::session::{Context, Session};
use super::values;
use crate::console::progress::Progress;
use bootstorm_engine::cluster::jobs::Piece;
use bootstorm_engine::cluster::lease::Held;
use bootstorm_engine::cluster::ownership::Estate;
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::phases::cleanup::{self, Choice, Leftovers, Order, Sort};
use bootstorm_engine::phases::draining;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{monotonic_now, wall_now};
use bootstorm_model::record::{CleanupMark, Cordon, RunRecord};

/// Delete what the run created, and verify that nothing is left
///
/// Deletes the run's VMs and waits until they are gone, then its namespaces, then its record. Objects belong to the run
/// by name and UID, as recorded at their creation: a copy with the run's labels is listed and kept. A namespace with
/// objects of others is kept, with exit code 3, unless --delete-foreign is given. Adopted VMs are not deleted: each gets
/// back its original run strategy and power state, unless someone else has changed it in the meantime. An interrupted
/// cleanup can be repeated at any time. Asks for confirmation on a terminal; elsewhere it needs --yes.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # See what would be deleted
  kubectl bootstorm cleanup --dry-run=client

  # Delete a run without confirmation, but keep its results
  kubectl bootstorm cleanup --ns-prefix friday --yes --keep-record")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct CleanupArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Delete without confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Keep the run's record, so that report still works
    #[arg(long)]
    pub keep_record: bool,
    /// Delete the run's namespaces with everything that others keep in them; --dry-run lists it
    #[arg(long)]
    pub delete_foreign: bool,
    /// Clean up the run with this UUID if its record is lost
    #[arg(long, value_name = "UUID", value_parser = values::run_id)]
    pub run_id: Option<String>,
    /// Leave adopted VMs in their current state and discard their original one
    #[arg(long)]
    pub leave_adopted: bool,
    /// Time limit for the deletion and for restoring adopted VMs
    #[arg(long, value_name = "DURATION", default_value = LIMIT, value_parser = values::limit)]
    pub timeout: Duration,
    /// Limit on API requests in flight
    #[arg(long, value_name = "N", default_value = CONCURRENCY, value_parser = values::count)]
    pub concurrency: usize,
    #[command(flatten)]
    pub dry_run: DryRunArgs,
}

/// Default time limit.
const LIMIT: &str = "15m";
/// Default limit on requests in flight.
const CONCURRENCY: &str = "50";

/// Waits end by themselves in time and are reported; this ends whatever hangs beyond that.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait for the lock of a killed process.
const EXPIRING: Duration = Duration::from_secs(75);

/// Time limit for recording the progress of the cleanup.
const NOTING: Duration = Duration::from_secs(10);

impl CleanupArgs {
    /// Cleans up a run as by default.
    pub fn of(run: &RunArgs, yes: bool) -> Self {
        Self {
            run: run.clone(),
            yes,
            keep_record: false,
            delete_foreign: false,
            run_id: None,
            leave_adopted: false,
            timeout: values::limit(LIMIT).unwrap_or_default(),
            concurrency: values::count(CONCURRENCY).unwrap_or_default(),
            dry_run: DryRunArgs { dry_run: DryRun::None },
        }
    }

    /// What is to be kept.
    pub fn choice(&self) -> Choice {
        Choice { keep_record: self.keep_record, delete_foreign: self.delete_foreign }
    }
}

/// Runs the command.
pub async fn command(context: &Context, args: &CleanupArgs) -> Result<Exit, Failure> {
    let session = context.connect().await?;
    if let Some(deleted) = Box::pin(run(&session, args)).await? {
        wording::print(&session, &deleted, args.choice(), "deleted")?;
        wording::kept(&deleted, args)?;
    }
    Ok(Exit::Good)
}

/// Cleans up a run; returns what was deleted and what stays, or `None` if there was nothing to do.
pub async fn run(session: &Session, args: &CleanupArgs) -> Result<Option<Leftovers>, Failure> {
    let prefix = &args.run.prefix;
    let mut interrupt = session.interrupt.clone();
    let Seen { estate, place, sorts, leftovers, adopted, mut own, cordons, gear } = tokio::select! {
        biased;
        () = interrupt.wait() => return Err(Failure::interrupted("interrupted; nothing was deleted")),
        seen = tokio::time::timeout(args.timeout, Box::pin(look(session, args))) => {
            seen.unwrap_or_else(|_| Err(wording::out_of_time(args)))?
        }
    };
    wording::strangers(session, &leftovers);
    if leftovers.is_empty() && cordons.is_empty() && gear.is_empty() {
        session.console.say(&format!("nothing of run {prefix} exists"));
        wording::skipped(session, &leftovers);
        if estate.run_id().is_empty() {
            cordons::name_strays(session, args).await;
        }
        return Ok(None);
    }
    wording::foreign(session, &leftovers, args);
    if args.dry_run.dry_run == DryRun::Client {
        wording::skipped(session, &leftovers);
        cordons::announce(session, &cordons);
        wording::gear(session, &gear);
        if let Some(record) = &adopted {
            adopted::announce(session, args, record)?;
        }
        wording::print(session, &leftovers, args.choice(), "would be deleted")?;
        return Ok(None);
    }
    if !args.yes {
        let also = adopted.as_ref().map(|record| adopted::question(args, record)).unwrap_or_default();
        wording::ask(session, args, &leftovers, &also)?;
    }
    let order = Order {
        estate: &estate,
        sorts,
        place: place.as_deref(),
        choice: args.choice(),
        lock: leftovers.lock(&estate).map(|lease| lease.uid.as_str()),
        concurrency: args.concurrency,
        deadline: monotonic_now() + args.timeout,
    };
    if !gear.is_empty() {
        Box::pin(in_cluster::remove(session, prefix, estate.run_id())).await?;
        session.console.say("deleted the job of the run");
    }
    let taking = lock_after(session, prefix, &estate, !gear.is_empty());
    let lock = tokio::time::timeout_at(order.deadline.into(), taking)
        .await
        .unwrap_or_else(|_| Err(wording::out_of_time(args)))?;
    let outcome = async {
        cordons::lift(session, &cordons, estate.run_id()).await?;
        if adopted.is_some() {
            adopted::restore(session, args, order.deadline, &lock).await?;
        }
        let mut mark = CleanupMark { began: wall_now(), done: None };
        note(session, &mut own, &lock, mark).await;
        let deleted = delete(session, args, order, &lock).await?;
        if leftovers.keeps_record(args.choice()) && leftovers.kept(args.choice()).is_empty() {
            mark.done = Some(wall_now());
            note(session, &mut own, &lock, mark).await;
        }
        Ok(deleted)
    };
    let outcome: Result<Leftovers, Failure> = outcome.await;
    lock.release().await;
    let deleted = outcome?;
    tokio::select! {
        biased;
        () = interrupt.wait() => return Err(wording::interrupted(args)),
        outcome = verify(session, args, order) => outcome?,
    }
    Ok(Some(deleted))
}

/// State of a run before the cleanup
struct Seen {
    /// Objects of the run.
    estate: Estate,
    /// Namespace of others that holds all of its VMs.
    place: Option<String>,
    /// Kinds of objects that it may have created.
    sorts: &'static [Sort],
    /// Existing objects of the run, and others beside them.
    leftovers: Leftovers,
    /// Its record, if its VMs belong to others.
    adopted: Option<RunRecord>,
    /// Its record and the store, if its VMs are its own.
    own: Option<Box<(RunRecord, RunStore)>>,
    /// Nodes that a drain left cordoned.
    cordons: Vec<Cordon>,
    /// The Job of the run, and the objects that belong to it.
    gear: Vec<Piece>,
}

/// Acquires the lock of the run. After its Job was deleted, a killed pod may seem to hold it for a while.
async fn lock_after(
    session: &Session,
    prefix: &str,
    estate: &Estate,
    had_job: bool,
) -> Result<Held, Failure> {
    let until = monotonic_now() + if had_job { EXPIRING } else { Duration::ZERO };
    loop {
        match session.lock(prefix, estate.run_id()).await {
            Err(failure) if monotonic_now() >= until => return Err(failure),
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            held => return held,
        }
    }
}

/// Determines the run and its existing objects.
async fn look(session: &Session, args: &CleanupArgs) -> Result<Seen, Failure> {
    let record = adopted::find(session, args).await?;
    let estate = ownership::whose(session, args, record.as_ref()).await?;
    let place = record.as_ref().and_then(|(record, _)| record.plan.layout.namespace.clone());
    let cordons = match (&record, &estate) {
        (Some((record, _)), _) => draining::open_cordons(record),
        (None, Some(estate)) => cordons::marked(session, estate.run_id()).await?,
        (None, None) => Vec::new(),
    };
    let others = record.as_ref().is_some_and(|(record, _)| record.plan.lists_vms());
    let sorts: &[Sort] = if others { &Sort::BESIDE_OTHERS } else { &Sort::ALL };
    let may_have_job = record.as_ref().is_none_or(|(record, _)| record.made.job);
    let (adopted, own) = match record {
        Some((record, _)) if record.plan.is_adopted() => (Some(record), None),
        // From here on only the index of the phases is needed.
        Some((record, store)) => (None, Some(Box::new((RunRecord { phases: Vec::new(), ..record }, store)))),
        None => (None, None),
    };
    let leftovers = match &estate {
        Some(estate) => Leftovers::list(&session.cluster, estate, sorts, place.as_deref()).await?,
        None => Leftovers::default(),
    };
    let gear = match &estate {
        Some(estate) if may_have_job => session.cluster.gear_of(&args.run.prefix, estate.run_id()).await?,
        _ => Vec::new(),
    };
    Ok(Seen { estate: estate.unwrap_or_default(), place, sorts, leftovers, adopted, own, cordons, gear })
}

/// Records the progress of the cleanup, so that no phase follows. Best effort: a failure must not prevent the cleanup.
async fn note(
    session: &Session,
    own: &mut Option<Box<(RunRecord, RunStore)>>,
    lock: &Held,
    mark: CleanupMark,
) {
    let Some((record, store)) = own.as_deref_mut().filter(|(_, store)| store.original().is_none()) else {
        return;
    };
    record.cleanup = Some(mark);
    store.set_holder(lock.holder());
    let mut interrupt = session.interrupt.clone();
    let noted = tokio::select! {
        biased;
        () = interrupt.wait() => return,
        noted = tokio::time::timeout(NOTING, Box::pin(store.save(record, None))) => noted,
    };
    match noted {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the cleanup could not be recorded"),
        Err(_) => tracing::debug!("the cleanup could not be recorded: no answer"),
    }
}

/// Deletes while the lock is held, the user does not interrupt, and time is left.
async fn delete(
    session: &Session,
    args: &CleanupArgs,
    order: Order<'_>,
    lock: &Held,
) -> Result<Leftovers, Failure> {
    let progress = Progress::new(session.console);
    let events = |event: &bootstorm_engine::phases::Event| progress.hear(event);
    let (mut interrupt, mut guard) = (session.interrupt.clone(), lock.guard());
    let deleting = cleanup::run(&session.cluster, order, &events);
    let outcome = tokio::select! {
        biased;
        () = interrupt.wait() => Err(wording::interrupted(args)),
        () = guard.lost() => {
            Err(Failure::new("the lock on the run was lost; nothing has been deleted since")
                .hint(wording::go_on(args)))
        }
        outcome = tokio::time::timeout_at((order.deadline + GRACE).into(), deleting) => match outcome {
            Ok(outcome) => outcome.map_err(|error| wording::failed(error, args)),
            Err(_) => Err(wording::out_of_time(args)),
        },
    };
    progress.finish();
    outcome
}

/// Lists every kind again: whatever still exists was not deleted.
async fn verify(session: &Session, args: &CleanupArgs, order: Order<'_>) -> Result<(), Failure> {
    let looking = cleanup::verify(&session.cluster, order);
    let limit = order.deadline.max(monotonic_now()) + Duration::from_secs(30);
    let left =
        tokio::time::timeout_at(limit.into(), looking).await.map_err(|_| wording::out_of_time(args))??;
    if !left.is_empty() {
        return Err(wording::left(&left, args));
    }
    wording::skipped(session, &left);
    Ok(())
}
