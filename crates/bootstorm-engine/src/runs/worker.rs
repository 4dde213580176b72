//! A shard of a run, as a pod of a Job: works on its share of each phase. The first one coordinates.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::phase::template;
use super::{Caller, Runs};
use crate::cluster::Kind;
use crate::cluster::lease::{Held, LockError};
use crate::cluster::store::{LoadError, RunStore};
use crate::phases::context::{Extent, PhaseContext, Start, StopReason};
use crate::phases::gate::ShardGate;
use crate::phases::{shards, timed};
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::plan::Template;
use bootstorm_model::record::lifecycle::{self, Step};
use bootstorm_model::record::{PhaseKind, PhaseName, PhaseState, RunRecord};
use bootstorm_model::shards::{Assignment, Planned, Shard};

/// Interval at which a shard checks the progress of others.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit for acquiring a lock; an abandoned one expires after 65 s.
const LOCKED: Duration = Duration::from_secs(5 * 60);
/// Time limit for a permission to take effect: roles apply shortly after their creation
const FORBIDDEN: Duration = Duration::from_secs(20);
/// Time limit for other shards while none of them renews its lock
const LONELY: Duration = Duration::from_secs(30 * 60);

fn interrupted() -> Failure {
    Failure::interrupted("interrupted; the next pod of this index continues")
}

fn unreadable(error: LoadError) -> Failure {
    match error {
        LoadError::Cluster(error) => error.into(),
        LoadError::Codec(error) => Failure::new("the record cannot be read").because(error),
    }
}

/// A shard that holds its lock
pub struct Worker<'a> {
    runs: Runs<'a>,
    assignment: &'a Assignment,
    shard: Shard,
    caller: &'a dyn Caller,
    lock: Held,
}

impl<'a> Worker<'a> {
    /// Acquires the lock of a shard; a dead process may still seem to hold it.
    pub async fn take(
        runs: Runs<'a>,
        assignment: &'a Assignment,
        shard: Shard,
        caller: &'a dyn Caller,
    ) -> Result<Self, Failure> {
        let Assignment { prefix, run_id, .. } = assignment;
        let began = monotonic_now();
        let mut interrupt = runs.interrupt.clone();
        let mut told = String::new();
        loop {
            let taking = runs.cluster.lock_shard(prefix, run_id, shard, runs.holder, runs.interrupt);
            let holding = match taking.await {
                Ok(lock) => return Ok(Self { runs, assignment, shard, caller, lock }),
                Err(LockError::Taken(taken)) => taken.holder,
                Err(LockError::Cluster(error)) if error.kind != Kind::Forbidden => return Err(error.into()),
                // Any other pod would lack it as well, so the Job fails.
                Err(LockError::Cluster(error)) if elapsed_since(began) > FORBIDDEN => {
                    return Err(Failure { exit: Exit::Usage, ..error.into() });
                }
                Err(LockError::Cluster(_)) => "the roles of this account".to_owned(),
            };
            if elapsed_since(began) > LOCKED {
                return Err(Failure::new(format!("{holding} works on shard {shard}")));
            }
            if told != holding {
                caller.say(&format!("waiting for {holding}"));
                told = holding;
            }
            tokio::select! {
                biased;
                () = interrupt.wait() => return Err(interrupted()),
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Releases the lock.
    pub async fn release(self) {
        self.lock.release().await;
    }

    /// Works on every phase in order.
    pub async fn work(&self) -> Result<(), Failure> {
        for planned in &self.assignment.phases {
            let name = planned.name;
            let opened = if self.shard.coordinates() {
                Box::pin(self.open(planned)).await?
            } else {
                self.await_opening(name).await?
            };
            let Some((record, store)) = opened else {
                self.caller.say(&format!("{name} is done"));
                continue;
            };
            Box::pin(self.take_part(planned, &record, &store)).await?;
            if self.shard.coordinates() {
                self.join(name).await?;
            }
        }
        Ok(())
    }

    /// The record, if it still belongs to the run.
    pub async fn load(&self) -> Result<(RunRecord, RunStore), Failure> {
        let prefix = &self.assignment.prefix;
        let (record, mut store) = self.runs.load(prefix).await?;
        if record.run_id != self.assignment.run_id {
            return Err(Failure::usage(format!(
                "run \"{prefix}\" was set up again; this Job belongs to the old one"
            )));
        }
        if let Some(why) = lifecycle::cleaned(&record) {
            return Err(Failure::usage(why));
        }
        store.set_holder(self.lock.holder());
        Ok((record, store))
    }

    /// Opens a phase for all shards, unless that is done; `None` if the phase has ended.
    async fn open(&self, planned: &Planned) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        let name = planned.name;
        let (mut record, mut store) = self.load().await?;
        match record.phase(name) {
            Some(phase) if phase.state == PhaseState::Done => {
                self.runs.cluster.drop_parts(&store, &record, name).await;
                return Ok(None);
            }
            Some(phase) if phase.state == PhaseState::Open && phase.settings.shards.is_some() => {
                if phase.settings.shards == planned.settings.shards {
                    return Ok(Some((record, store)));
                }
                return Err(Failure::usage(format!("{name} was started with another number of shards")));
            }
            Some(phase) => {
                // A single process worked on it, or its parts were joined before they were done.
                let mut phase = phase.clone();
                phase.settings.shards = planned.settings.shards;
                phase.state = PhaseState::Open;
                record.put_phase(phase);
                self.checked().await?;
                store.save(&record, Some(name)).await?;
            }
            None => {
                let step = lifecycle::next_of(&record, name.kind, planned.settings.kind);
                if step != Ok(Step::Begin(name)) {
                    let why = step.err().map_or_else(|| "another phase comes first".to_owned(), |no| no.why);
                    return Err(Failure::usage(format!("{name} cannot begin: {why}")));
                }
                self.run_phase(planned, &mut record, store, Step::Begin(name), Extent::LineUp, None).await?;
            }
        }
        self.load().await.map(Some)
    }

    /// Waits until a phase is open; `None` if it has ended.
    async fn await_opening(&self, name: PhaseName) -> Result<Option<(RunRecord, RunStore)>, Failure> {
        let Assignment { prefix, run_id, .. } = self.assignment;
        let mut seen = None;
        let mut patience = Patience::new();
        loop {
            let now = self.runs.cluster.last_phase(prefix, run_id).await?;
            if now.is_none() {
                return Err(Failure::usage(format!("the record of run \"{prefix}\" no longer exists")));
            }
            if now != seen {
                seen = now;
                let (record, store) = self.load().await?;
                match record.phase(name) {
                    Some(phase) if phase.state == PhaseState::Done => return Ok(None),
                    Some(phase)
                        if phase.state == PhaseState::Open
                            && phase.settings.shards == Some(self.assignment.shards) =>
                    {
                        return Ok(Some((record, store)));
                    }
                    _ => {}
                }
            }
            self.pause(&mut patience).await?;
        }
    }

    /// Works on the shard's part of an open phase.
    async fn take_part(
        &self,
        planned: &Planned,
        record: &RunRecord,
        store: &RunStore,
    ) -> Result<(), Failure> {
        let (name, cluster) = (planned.name, self.runs.cluster);
        let share = shards::take_up(cluster, record, store, name, self.shard).await.map_err(unreadable)?;
        let Some(mut share) = share else {
            self.caller.say(&format!("the part of this shard in {name} is done"));
            return Ok(());
        };
        let gate = ShardGate { run: store, shard: self.shard };
        let (extent, start) = (Extent::Shard(self.shard), Some(Start::Shards(&gate)));
        self.run_phase(planned, &mut share.record, share.store, share.step, extent, start).await
    }

    async fn run_phase(
        &self,
        planned: &Planned,
        record: &mut RunRecord,
        mut store: RunStore,
        step: Step,
        extent: Extent,
        gate: Option<Start<'_>>,
    ) -> Result<(), Failure> {
        let template = match planned.name.kind {
            PhaseKind::Create => Some(template(self.runs.cluster, record).await?),
            PhaseKind::Stop | PhaseKind::Storm => None,
        };
        let secrets = template.as_ref().map(Template::secrets).unwrap_or_default();
        self.runs.cluster.conceal(secrets);
        store.set_holder(self.lock.holder());
        let work = PhaseContext {
            cluster: self.runs.cluster,
            lock: &self.lock,
            step,
            settings: planned.settings.clone(),
            template: template.as_ref(),
            gate,
            extent,
            interrupt: self.runs.interrupt.clone(),
            events: &|event| self.caller.hear(event),
        };
        let outcome = Box::pin(timed::run(work, record, store)).await;
        self.caller.finish();
        match outcome? {
            None => Ok(()),
            Some(StopReason::Interrupted | StopReason::NotSaved) => Err(interrupted()),
            Some(StopReason::LockLost) => {
                Err(Failure::new("the lock was lost; the next pod of this index continues"))
            }
            Some(StopReason::RecordChanged) => {
                Err(Failure::new("another process changed the record; the next pod of this index continues"))
            }
            Some(StopReason::LeftOut) => Err(Failure::new("not all shards became ready; nothing was sent")),
            Some(StopReason::NothingToDrain) => {
                Err(Failure::new("no VM of the run can be evicted from these nodes"))
            }
            Some(StopReason::TooManyFailed) => {
                Err(Failure::usage("--abort-if-failed cannot be used with shards"))
            }
        }
    }

    /// Waits for the parts of all shards, and joins them.
    async fn join(&self, name: PhaseName) -> Result<(), Failure> {
        let mut patience = Patience::new();
        let (mut record, mut store) = self.load().await?;
        let mut told = Vec::new();
        loop {
            let of = self.assignment.shards;
            let open = shards::unfinished(self.runs.cluster, &record, name, of).await?;
            if open.is_empty() {
                break;
            }
            if told != open {
                let indexes: Vec<String> = open.iter().map(|shard| shard.index().to_string()).collect();
                self.caller.say(&format!("waiting for shards: {}", indexes.join(", ")));
                told = open;
            }
            self.pause(&mut patience).await?;
        }
        self.checked().await?;
        let gathering = shards::gather(self.runs.cluster, &mut record, &mut store, name);
        gathering.await.map_err(unreadable)?;
        self.caller.say(&format!("the parts of {name} are joined"));
        Ok(())
    }

    /// Fails if the lock is lost.
    async fn checked(&self) -> Result<(), Failure> {
        if self.lock.guard().is_ours().await {
            return Ok(());
        }
        Err(Failure::new("the lock was lost; the next pod of this index continues"))
    }

    /// Waits one polling interval; fails if no other shard is alive any more.
    async fn pause(&self, patience: &mut Patience) -> Result<(), Failure> {
        let (mut interrupt, mut guard) = (self.runs.interrupt.clone(), self.lock.guard());
        tokio::select! {
            biased;
            () = interrupt.wait() => return Err(interrupted()),
            () = guard.lost() => return self.checked().await,
            () = sleep(LOOK_EVERY) => {}
        }
        if elapsed_since(patience.looked) > LONELY / 60 {
            patience.looked = monotonic_now();
            if self.runs.cluster.holders(&self.assignment.run_id).await?.len() > 1 {
                patience.alive = patience.looked;
            }
        }
        if elapsed_since(patience.alive) > LONELY {
            let minutes = LONELY.as_secs() / 60;
            return Err(Failure::usage(format!("no other shard has renewed its lock for {minutes} minutes"))
                .hint("see their pods: kubectl get pods -l bootstorm.dev/role=shard"));
        }
        Ok(())
    }
}

/// Patience with other shards
struct Patience {
    /// Time at which another shard was last alive.
    alive: Instant,
    /// Time of the last check.
    looked: Instant,
}

impl Patience {
    fn new() -> Self {
        let now = monotonic_now();
        Self { alive: now, looked: now }
    }
}
