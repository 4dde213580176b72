//! Shards of a phase, all in this process, on simulated time: killed at any instant, nothing is lost or requested
//! twice.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[allow(dead_code, reason = "each of the tests that share it uses a part")]
mod local;

use std::time::Duration;

use bootstorm_engine::cluster::Cluster;
use bootstorm_engine::cluster::lease::{Held, LockError};
use bootstorm_engine::cluster::store::RunStore;
use bootstorm_engine::phases::context::{Extent, PhaseContext, Start};
use bootstorm_engine::phases::gate::ShardGate;
use bootstorm_engine::phases::shards::{self, Share};
use bootstorm_engine::phases::{setup, timed};
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::plan::{Plan, Template, TemplateSource};
use bootstorm_model::record::lifecycle::Step;
use bootstorm_model::record::{PhaseName, PhaseRecord, PhaseSettings, PhaseState, RunRecord};
use bootstorm_model::shards::Shard;
use bootstorm_sandbox::store::kind;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use local::{Local, on_paused_time};

const PREFIX: &str = "p";
const IMAGE: &str = "example.org/disk:1";

async fn set_up(local: &Local, vms: u32) {
    let cluster = local.cluster();
    let source = TemplateSource::ContainerDisk { image: IMAGE.into() };
    let mut plan = Plan::resolve(PREFIX, 1, vms, "vm", source).unwrap();
    plan.probe.probes.clear();
    let mut record = RunRecord::new("run-1".into(), "2026-01-01T00:00:00Z".parse().unwrap(), plan);
    let mut store = cluster.begin_record(&mut record, None).await.unwrap();
    setup::make_namespaces(&cluster, &mut record, &mut store, (4, &[]), local.interrupt(), &|_| {})
        .await
        .unwrap();
    setup::close(&mut record, &mut store).await.unwrap();
}

fn settings(shards: u32) -> PhaseSettings {
    PhaseSettings { shards: Some(shards), concurrency: 8, ..PhaseSettings::default() }
}

/// A process that works on a phase as one of its shards
struct Pod<'a> {
    local: &'a Local,
    cluster: Cluster,
    name: PhaseName,
    shard: Shard,
    lock: Held,
}

impl<'a> Pod<'a> {
    /// Waits for the lock, which a dropped process appears to hold for a while.
    async fn start(local: &'a Local, name: PhaseName, shard: Shard, holder: &str) -> Self {
        let cluster = local.cluster();
        loop {
            match cluster.lock_shard(PREFIX, "run-1", shard, holder, &local.interrupt()).await {
                Ok(lock) => return Self { local, cluster, name, shard, lock },
                Err(LockError::Taken(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(LockError::Cluster(error)) => panic!("{error}"),
            }
        }
    }

    async fn load(&self) -> (RunRecord, RunStore) {
        let (record, mut store) = self.cluster.load(PREFIX).await.unwrap().unwrap();
        store.set_holder(self.lock.holder());
        (record, store)
    }

    async fn phase(
        &self,
        record: &mut RunRecord,
        store: RunStore,
        step: Step,
        extent: Extent,
        gate: Option<Start<'_>>,
    ) -> bool {
        let template = Template::container_disk(IMAGE);
        let work = PhaseContext {
            cluster: &self.cluster,
            lock: &self.lock,
            step,
            settings: settings(self.shard.of()),
            template: Some(&template),
            gate,
            extent,
            interrupt: self.local.interrupt(),
            events: &|_| {},
        };
        matches!(Box::pin(timed::run(work, record, store)).await, Ok(None))
    }

    /// Works on the phase; returns whether it completed its part or, as coordinator, the phase.
    async fn work(self) -> bool {
        let (mut record, mut store) = loop {
            let (mut record, store) = self.load().await;
            match record.phase(self.name) {
                Some(phase) if phase.state == PhaseState::Done => return self.end().await,
                Some(phase) if phase.state == PhaseState::Open => break (record, store),
                _ if self.shard.coordinates() => {
                    let step = Step::Begin(self.name);
                    if !self.phase(&mut record, store, step, Extent::LineUp, None).await {
                        return false;
                    }
                }
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        let taken = shards::take_up(&self.cluster, &record, &store, self.name, self.shard).await.unwrap();
        if let Some(Share { record: mut part, store: place, step }) = taken {
            let gate = ShardGate { run: &store, shard: self.shard };
            let extent = Extent::Shard(self.shard);
            if !self.phase(&mut part, place, step, extent, Some(Start::Shards(&gate))).await {
                return false;
            }
        }
        if self.shard.coordinates() {
            let of = self.shard.of();
            while !shards::unfinished(&self.cluster, &record, self.name, of).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let gathered = shards::gather(&self.cluster, &mut record, &mut store, self.name).await;
            assert_eq!(gathered.unwrap(), PhaseState::Done);
        }
        self.end().await
    }

    async fn end(self) -> bool {
        self.lock.release().await;
        true
    }
}

/// Runs a phase with this many shards, each of which is killed repeatedly for a while; returns the number of kills.
async fn storm(local: &Local, name: PhaseName, of: u32, dice: &mut StdRng, most: u32) -> u32 {
    let seeds: Vec<u64> = Shard::all(of).map(|_| dice.random()).collect();
    let lives = Shard::all(of).zip(seeds).map(|(shard, seed)| async move {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut kills = 0;
        for life in 0_u32.. {
            let holder = format!("shard-{}@host/{life}", shard.index());
            let pod = async { Pod::start(local, name, shard, &holder).await.work().await };
            let spared = kills >= dice.random_range(0..=most);
            let until = if spared { 100_000_000 } else { dice.random_range(0..12_000) };
            let outcome = tokio::time::timeout(Duration::from_millis(until), Box::pin(pod)).await;
            match outcome {
                Ok(true) => return kills,
                Ok(false) => {}
                Err(_) => kills += 1,
            }
        }
        kills
    });
    join_all(lives).await.into_iter().sum()
}

async fn record(local: &Local) -> RunRecord {
    local.cluster().load(PREFIX).await.unwrap().unwrap().0
}

/// What shards have left in the cluster.
fn left(local: &Local) -> Vec<String> {
    let store = local.sandbox.store();
    let names = [&kind::CONFIG_MAPS, &kind::LEASES].into_iter().flat_map(|kind| store.list(kind, None).0);
    let names = names.map(|one| one.value()["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    names.filter(|name| name.contains(".shard-") || name.contains(".start.")).collect()
}

fn assert_complete(phase: &PhaseRecord, vms: u32) {
    let outcomes: Vec<Outcome> = phase.timelines.iter().map(|timeline| timeline.outcome).collect();
    assert_eq!((phase.state, outcomes.len()), (PhaseState::Done, vms as usize));
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Reached), "{}: {outcomes:?}", phase.name);
}

const PHASES: [&str; 3] = ["create", "stop-1", "storm-1"];

#[test]
fn shards_start_together_and_their_parts_are_one_phase() {
    on_paused_time(async {
        let local = Local::start(5);
        set_up(&local, 10).await;
        for name in PHASES {
            let name: PhaseName = name.parse().unwrap();
            assert_eq!(storm(&local, name, 3, &mut StdRng::seed_from_u64(1), 0).await, 0);
            let record = record(&local).await;
            let phase = record.phase(name).unwrap().clone();
            assert_complete(&phase, 10);
            assert_eq!((phase.settings.shards, phase.continued), (Some(3), 0));
            let first = |shard: Shard| {
                let ours = phase.timelines.iter().filter(|timeline| shard.has(timeline.target));
                ours.filter_map(|timeline| timeline.at(Milestone::Requested)).min().unwrap()
            };
            let firsts: Vec<_> = Shard::all(3).map(first).collect();
            let skew = firsts.iter().max().unwrap().since(*firsts.iter().min().unwrap());
            assert!(skew.seconds() < 0.01, "on one clock all leave at once: {firsts:?}");
        }
        assert_eq!(left(&local), Vec::<String>::new());
        for (target, account) in local.sandbox.server().ledger().machines() {
            let requests = [account.creates.requests, account.stops.requests, account.starts.requests];
            assert_eq!(requests, [1, 1, 1], "{target:?}");
        }
    });
}

/// Four shards, each killed at any instant up to six times in each phase; `BOOTSTORM_SHARD_RUNS` asks for more runs.
#[test]
fn killed_shards_ask_no_vm_twice_and_lose_none() {
    let runs = std::env::var("BOOTSTORM_SHARD_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(6);
    let mut kills = 0;
    for seed in 0..runs {
        kills += on_paused_time(async {
            let local = Local::start(seed);
            let mut dice = StdRng::seed_from_u64(seed);
            set_up(&local, 12).await;
            let mut kills = 0;
            for name in PHASES {
                let name: PhaseName = name.parse().unwrap();
                kills += storm(&local, name, 4, &mut dice, 6).await;
                assert_complete(&record(&local).await.phase(name).unwrap().clone(), 12);
            }
            assert_eq!(left(&local), Vec::<String>::new(), "seed {seed}");
            let machines = local.sandbox.server().ledger().machines();
            assert_eq!(machines.len(), 12);
            for (target, account) in machines {
                // A request may die with its process; then it was not carried out, and is sent again.
                let changes = [account.creates.changes, account.stops.changes, account.starts.changes];
                assert_eq!(changes, [1, 1, 1], "seed {seed}: {target:?}");
            }
            kills
        });
    }
    assert!(kills > runs as u32, "{kills} kills in {runs} runs");
}
