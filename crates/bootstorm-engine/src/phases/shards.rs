//! Shards of a phase: their common start, their parts, and the joining of these.
//!
//! The first shard coordinates: it holds the lock of the run, lines the phase up and saves it as open. From then on
//! each shard works on its own part, under its own lock, and writes nothing else. When all parts are done, the holder
//! of the run's lock joins them. Every step depends only on stored state, so that any process can be killed at any
//! instant, and its successor continues.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::context::PhaseContext;
use super::event::Event;
use super::gate::{Closed, LEAD, LONG_WAIT, QUIET, ShardGate};
use crate::cluster::lease::shard_lock;
use crate::cluster::store::{LoadError, Part, RunStore};
use crate::cluster::{Cluster, ClusterError, Kind};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::observe::{Clock, Timeline};
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseName, PhaseRecord, PhaseState, RunRecord};
use bootstorm_model::shards::{Shard, join};

/// Interval at which a shard checks for the start, and the coordinator for ready shards.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long shards wait for the common start. A pod may have to pull its image, or wait for a node.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Interval at which missing shards are reported.
const SAY_EVERY: Duration = Duration::from_secs(30);

impl ShardGate<'_> {
    /// Waits for the common start and returns its instant, which is in the past for a late shard.
    pub(super) async fn pass(
        &self,
        work: &PhaseContext<'_>,
        record: &RunRecord,
        connections: usize,
        clock: Clock,
    ) -> Result<Result<Instant, Closed>, ClusterError> {
        let (name, prefix) = (work.step.name(), &record.plan.prefix);
        let arrived = monotonic_now();
        if let Some(at) = work.cluster.start_of(prefix, name).await? {
            let late = clock.now().since(at).seconds();
            if late > 0.0 {
                let text = format!("the other shards started {late:.1}s earlier; this one starts now");
                (work.events)(&Event::Warning(text));
            }
            return Ok(Ok(clock.instant(at)));
        }
        work.lock.set_ready(name).await?;
        let at = loop {
            let decided = if self.shard.coordinates() {
                self.decide(work, record, clock, arrived).await?
            } else {
                work.cluster.start_of(prefix, name).await?.map(|at| clock.instant(at))
            };
            if let Some(at) = decided {
                break at;
            }
            if elapsed_since(arrived) > PATIENCE {
                let minutes = PATIENCE.as_secs() / 60;
                return Ok(Err(Closed(format!("not all shards became ready within {minutes} minutes"))));
            }
            sleep(LOOK_EVERY).await;
        };
        if elapsed_since(arrived) >= LONG_WAIT {
            let quiet = at.checked_sub(QUIET).unwrap_or(at);
            let _ = timeout_at(quiet.into(), work.cluster.warm(connections)).await;
        }
        Ok(Ok(at))
    }

    /// Decides the start once every shard is ready.
    async fn decide(
        &self,
        work: &PhaseContext<'_>,
        record: &RunRecord,
        clock: Clock,
        arrived: Instant,
    ) -> Result<Option<Instant>, ClusterError> {
        let (name, prefix) = (work.step.name(), &record.plan.prefix);
        let working = work.cluster.holders(&record.run_id).await?;
        let is_ready = |shard: &Shard| {
            let ready = working.get(&shard_lock(prefix, *shard)).and_then(|one| one.ready.as_deref());
            ready == Some(name.to_string().as_str())
        };
        let heads = work.cluster.part_heads(prefix, &record.run_id).await?;
        // A shard whose part is done, because none of its VMs takes part, has nothing to start.
        let is_done = |shard: &Shard| {
            heads.iter().any(|head| {
                head.index == shard.index() && head.phase == name.to_string() && is_done(&head.facts)
            })
        };
        let missing: Vec<String> = Shard::all(self.shard.of())
            .filter(|shard| !is_ready(shard) && !is_done(shard))
            .map(|shard| shard.index().to_string())
            .collect();
        if missing.is_empty() {
            let at = clock.now().plus(LEAD);
            let at = work.cluster.decide_start(self.run, record, name, at).await?;
            return Ok(Some(clock.instant(at)));
        }
        let waited = elapsed_since(arrived);
        if waited.as_millis() / SAY_EVERY.as_millis()
            != waited.saturating_sub(LOOK_EVERY).as_millis() / SAY_EVERY.as_millis()
        {
            let text = format!("waiting for shards that are not ready: {}", missing.join(", "));
            (work.events)(&Event::Warning(text));
        }
        Ok(None)
    }
}

/// Whether the facts of a part show that it is done.
fn is_done(facts: &BTreeMap<String, String>) -> bool {
    facts.get("state").is_some_and(|state| state == PhaseState::Done.word())
}

/// Work of a shard for a phase
#[derive(Debug)]
pub struct Share {
    /// Record of the run, with the shard's view of the phase.
    pub record: RunRecord,
    /// Store of its part.
    pub store: RunStore,
    /// Whether it begins or continues.
    pub step: Step,
}

/// Loads the part of a shard in an open phase; `None` if it is done.
pub async fn take_up(
    cluster: &Cluster,
    record: &RunRecord,
    run: &RunStore,
    name: PhaseName,
    shard: Shard,
) -> Result<Option<Share>, LoadError> {
    let Some(whole) = record.phase(name) else {
        let message = format!("the record has no {name}");
        return Err(ClusterError::new("resume the part of a shard", Kind::Invalid, message).into());
    };
    let Part { phase, probers, store } = cluster.begin_part(run, record, name, shard).await?;
    // A phase that was followed before continues, whoever followed it.
    let was_followed = whole.watched_until.is_some() || whole.timelines.read().iter().any(Timeline::is_asked);
    let goes_on = phase.is_some() || was_followed;
    let part = phase.unwrap_or_else(|| shard.part(whole));
    if part.state == PhaseState::Done {
        return Ok(None);
    }
    let mut record = record.clone();
    record.made.probers.extend(probers);
    record.put_phase(part);
    let step = if goes_on { Step::Continue(name) } else { Step::Begin(name) };
    Ok(Some(Share { record, store, step }))
}

/// Shards that have not finished their parts of a phase.
pub async fn unfinished(
    cluster: &Cluster,
    record: &RunRecord,
    name: PhaseName,
    of: u32,
) -> Result<Vec<Shard>, ClusterError> {
    let heads = cluster.part_heads(&record.plan.prefix, &record.run_id).await?;
    let name = name.to_string();
    let is_open = |shard: &Shard| {
        !heads.iter().any(|head| head.index == shard.index() && head.phase == name && is_done(&head.facts))
    };
    Ok(Shard::all(of).filter(is_open).collect())
}

/// Joins the parts of an open phase, saves the whole, and deletes the parts; returns its state.
///
/// The caller holds the lock of the run. Unfinished parts leave the phase interrupted, as if one process had been
/// interrupted.
pub async fn gather(
    cluster: &Cluster,
    record: &mut RunRecord,
    store: &mut RunStore,
    name: PhaseName,
) -> Result<PhaseState, LoadError> {
    let Some(whole) = record.phase(name).cloned() else { return Ok(PhaseState::Done) };
    let mut parts: BTreeMap<u32, PhaseRecord> = BTreeMap::new();
    for shard in Shard::all(whole.settings.shards.unwrap_or(1)) {
        let Some(part) = cluster.part(store, record, name, shard).await? else { continue };
        let known = &record.made.probers;
        let anew: Vec<(String, String)> =
            part.probers.into_iter().filter(|(name, uid)| known.get(name) != Some(uid)).collect();
        record.made.probers.extend(anew);
        parts.extend(part.phase.map(|phase| (shard.index(), phase)));
    }
    let joined = join(&whole, &parts);
    let state = joined.state;
    record.put_phase(joined);
    store.save(record, Some(name)).await?;
    cluster.drop_parts(store, record, name).await;
    Ok(state)
}
