//! `observe --in-cluster`: the observation as a Job, whose pods share the VMs.
//!
//! While in progress, the observation is a run: its record lists the VMs, and each pod keeps its part of the
//! observation beside it. This process creates the Job, follows it, and moves the whole to a file at the end.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::place::{self, Place};
use super::telling::Telling;
use super::{ObserveArgs, begun, finish, goal_of};
use crate::commands::in_cluster;
use crate::commands::session::Session;
use bootstorm_engine::cluster::store::{ObservedPart, RunStore};
use bootstorm_engine::phases::guests::From;
use bootstorm_engine::phases::observing::{self, End, Limits, ObserveContext, Save};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::Clock;
use bootstorm_model::outage::Observation;
use bootstorm_model::plan::{Selection, Target};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::record::{RunRecord, lifecycle};
use bootstorm_model::shards::{Assignment, Observing, Shard};

/// Runs the command.
pub(super) async fn command(
    session: &Session,
    args: &ObserveArgs,
    selection: &Selection,
    probe: ProbePlan,
) -> Result<Exit, Failure> {
    let prefix = place::run_name(selection, &probe);
    let observe = Observing { after: args.time, settled: args.until.map(|_| args.settle) };
    let shards = args.in_cluster.shards();
    if let Some(why) = observe.obstacle(shards) {
        return Err(Failure::usage("--until cannot be combined with several shards")
            .because(why)
            .hint("leave out --shards, or end the observation with --for"));
    }
    // Detects an unusable file now instead of at the end.
    drop(file(session, args, selection, &probe, &prefix)?);
    let record = match session.find(&prefix).await? {
        Some((record, store)) if is_over(&record) => {
            return collect(session, args, (selection, &probe), record, store).await;
        }
        Some((record, store)) => known(session, record, &store, shards).await?,
        None => made(session, begun(session, selection, probe.clone(), &prefix).await?).await?,
    };
    args.check_thresholds(&record)?;
    let run_id = record.run_id.clone();
    let wanted = Assignment { prefix, run_id, shards, phases: Vec::new(), observe: Some(observe) };
    let assignment = Box::pin(in_cluster::start(session, &args.in_cluster, &record, wanted)).await?;
    let (record, store) = in_cluster::observed(session, &assignment).await?;
    collect(session, args, (selection, &probe), record, store).await
}

fn is_over(record: &RunRecord) -> bool {
    record.observation.as_ref().is_some_and(|observation| observation.ended.is_some())
}

/// The file to which the whole is moved at the end.
fn file(
    session: &Session,
    args: &ObserveArgs,
    selection: &Selection,
    probe: &ProbePlan,
    prefix: &str,
) -> Result<Place, Failure> {
    let place = Place::open(args.save.as_deref(), prefix)?;
    match place.unfinished(session, selection, probe)? {
        None => Ok(place),
        Some(_) => {
            Err(Failure::new(format!("{} holds an observation that has not ended", place.path().display()))
                .hint("continue that one: leave out --in-cluster")
                .hint("or choose another file: --save FILE"))
        }
    }
}

/// Stores the record of a new observation in the cluster.
async fn made(session: &Session, mut record: RunRecord) -> Result<RunRecord, Failure> {
    record.observation = None;
    let mut store = session.cluster.begin_record(&mut record, None).await?;
    store.save_adopted(&record).await?;
    Ok(record)
}

/// An observation in progress, with or without a Job.
async fn known(
    session: &Session,
    record: RunRecord,
    store: &RunStore,
    shards: u32,
) -> Result<RunRecord, Failure> {
    let prefix = &record.plan.prefix;
    if let Some(why) = lifecycle::cleaned(&record) {
        return Err(
            Failure::new(why).hint(format!("finish it: kubectl bootstorm cleanup --ns-prefix {prefix}"))
        );
    }
    if session.cluster.job_of(prefix, &record.run_id).await?.is_some() {
        return Ok(record);
    }
    let observed = session.cluster.observed(store, &record).await.map_err(unreadable)?;
    match observed.map(|observed| observed.shards).filter(|known| *known != shards) {
        None => Ok(record),
        Some(known) => Err(Failure::usage(format!("this observation was started with {known} shards"))
            .hint(format!("continue it with --shards {known}"))
            .hint(format!("or start over without it: kubectl bootstorm cleanup --ns-prefix {prefix}"))),
    }
}

fn unreadable(error: bootstorm_engine::cluster::store::LoadError) -> Failure {
    Failure::new("the observation cannot be read").because(error)
}

/// Moves a finished observation from the cluster to a file, and shows it; returns the exit code.
async fn collect(
    session: &Session,
    args: &ObserveArgs,
    (selection, probe): (&Selection, &ProbePlan),
    record: RunRecord,
    store: RunStore,
) -> Result<Exit, Failure> {
    let prefix = record.plan.prefix.clone();
    let place = file(session, args, selection, probe, &prefix)?;
    if let Some(observation) = &record.observation {
        place::save(place.path(), &record, observation).map_err(|why| {
            Failure::new("the observation could not be saved")
                .because(why)
                .hint(format!("it is kept in the cluster: kubectl bootstorm report --ns-prefix {prefix}"))
        })?;
    }
    session.console.say(&format!("saved to {}", place.path().display()));
    in_cluster::remove_done(session, &prefix, &record.run_id).await;
    if let Err(error) = store.delete(&record).await {
        session.console.warn(&format!("the record in the cluster was not deleted: {error}"));
    }
    finish(session, args, place.path(), &record, End::Time)
}

/// Work of a pod of the Job: observes its share of the VMs, until a limit is reached or the pod has to go.
pub(in crate::commands) async fn part(
    session: &Session,
    assignment: &Assignment,
    limits: Observing,
    shard: Shard,
    (record, store): (RunRecord, RunStore),
) -> Result<(), Failure> {
    let part = session.cluster.observed_part(&store, &record, shard).await.map_err(unreadable)?;
    let ObservedPart { observation: known, store } = part;
    if known.as_ref().is_some_and(|known| known.ended.is_some()) {
        session.console.say("the part of this shard has ended");
        return Ok(());
    }
    let targets = record.plan.targets().into_iter().zip(0..);
    let targets: Vec<Target> = targets.filter(|(_, vm)| shard.has(*vm)).map(|(target, _)| target).collect();
    let probe = &record.plan.probe;
    let clock = match &known {
        Some(known) => observing::clock(&session.cluster, Some(known)),
        None => Clock::start(),
    };
    let goes_on = known.is_some();
    let observation = known.unwrap_or_else(|| Observation::new(clock.began(), targets.len(), goal_of(probe)));
    let probes = probe.probes.first().zip(probe.pod.clone());
    session.console.say(&format!("observing {} of {} VMs", targets.len(), record.plan.size()));
    let telling = Telling::begin(session.console);
    let store = Arc::new(Mutex::new(store));
    let work = ObserveContext {
        cluster: &session.cluster,
        targets: &targets,
        observation,
        probes: probes.map(|(probe, (namespace, pod))| (From::Pod(namespace, pod), *probe)),
        limits: Limits { after: limits.after, settled: limits.settled },
        interrupt: session.interrupt.clone(),
        events: &|seen| telling.hear(seen),
        save: saver(&store, &record),
        pause: observing::TO_CLUSTER,
        is_continued: true,
    };
    let outcome = Box::pin(observing::observe(work, clock, goes_on)).await;
    telling.finish();
    let (observation, end) = outcome?;
    // The last save determines whether another pod has to continue.
    store.lock().await.save_observed(&record, &observation).await?;
    match end {
        End::Interrupted => Err(Failure::interrupted("interrupted; the next pod of this index continues")),
        End::Time | End::Settled => {
            session
                .console
                .say(&format!("the observation of shard {shard} of {} has ended", assignment.prefix));
            Ok(())
        }
    }
}

/// Saves a part in the cluster, from the thread that packs the observation.
fn saver(store: &Arc<Mutex<RunStore>>, record: &RunRecord) -> Save {
    let (runtime, store, record) = (Handle::current(), Arc::clone(store), record.clone());
    Arc::new(move |observation| {
        let saving = async { store.lock().await.save_observed(&record, observation).await };
        runtime.block_on(saving).map_err(|error| error.to_string())
    })
}
