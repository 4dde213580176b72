//! Kill -9 at seeded instants of every phase; repeating the same command completes every run.

use std::collections::BTreeMap;
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::PhaseState;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::record::{self, Saved};
use crate::support::{Cluster, Ran};

const VMS: usize = 8;
/// Kills of the default short form; `BOOTSTORM_KILLS` asks for more.
const KILLS: usize = 24;
/// A run's whole life, with a rough upper bound on each command's duration in milliseconds.
const LIFE: [(&[&str], u64); 10] = [
    (&["setup", "--end", "8"], 400),
    (&["create"], 700),
    (&["stop"], 400),
    (&["storm"], 700),
    (&["stop"], 400),
    (&["storm", "--via", "subresource"], 700),
    (&["storm", "--kind", "restart"], 1000),
    (&["storm", "--kind", "migrate"], 2500),
    (&["storm", "--drain", "node-2,node-3"], 2500),
    (&["cleanup", "--yes"], 400),
];
/// A node that someone else cordons before the drain.
const CLOSED: &str = "node-3";
/// The maximum number of consecutive kills of a command.
const IN_A_ROW: u32 = 4;

/// A run that is killed again and again
struct Victim {
    cluster: Cluster,
    dice: StdRng,
    kills: BTreeMap<String, usize>,
    /// VMs in phases whose request was sent at an unknown time.
    unknown: usize,
    /// Saved observations, which must not be lost.
    saved: Vec<Saved>,
    /// The drain is abandoned after its first kill.
    abandoned: bool,
}

impl Victim {
    fn new(seed: u64) -> Self {
        let cluster = Cluster::with("default", 4, 40.0);
        // Requests take a while, so that kills fall between a request and its response.
        for (verb, resource, millis) in [
            ("create", "virtualmachines", 40),
            ("patch", "virtualmachines", 40),
            ("update", "virtualmachines/restart", 40),
            ("create", "virtualmachineinstancemigrations", 40),
            ("create", "pods/eviction", 40),
            ("patch", "nodes", 40),
            ("*", "configmaps", 10),
        ] {
            let effect = Effect::Delay(Duration::from_millis(millis));
            let matching = Match::on(verb, resource);
            cluster.sandbox.faults().add(Rule { matching, effect, remaining: None });
        }
        Self {
            cluster,
            dice: StdRng::seed_from_u64(seed),
            kills: BTreeMap::new(),
            unknown: 0,
            saved: Vec::new(),
            abandoned: false,
        }
    }

    fn total(&self) -> usize {
        self.kills.values().sum()
    }

    /// Runs one command until it exits or is killed; returns whether it completed.
    fn attempt(&mut self, args: &[&str], takes: u64) -> bool {
        let mut child = self.cluster.program().spawn(args);
        let until = Duration::from_millis(self.dice.random_range(0..takes));
        let began = monotonic_now();
        while began.elapsed() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if child.try_wait().unwrap().is_some() {
            Ran::of(child).exits(0);
            return true;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let command = if args.contains(&"--drain") { "drain" } else { args[0] };
        *self.kills.entry(command.to_owned()).or_default() += 1;
        false
    }

    /// Runs one command to completion, through some kills; `wanted` commands are done then.
    fn survive(&mut self, args: &[&str], takes: u64, wanted: usize) {
        let slow = [args, &["--concurrency", "3"]].concat();
        let args = if args[0] == "setup" { args } else { &slow[..] };
        for _ in 0..IN_A_ROW {
            if self.attempt(args, takes) {
                self.check_saved();
                return;
            }
            if self.check_saved() == Some(wanted) {
                // It was killed after its work was done; a repeat would be one too many.
                return;
            }
        }
        self.cluster.run(args).exits(0);
        self.check_saved();
    }

    /// Saved observations may be added to, but never changed or lost. Returns how many commands are done.
    fn check_saved(&mut self) -> Option<usize> {
        // None before setup and after cleanup.
        let record = record::load(&self.cluster)?;
        let now = record::observations(&record);
        for known in &self.saved {
            assert!(now.contains(known), "a saved observation was lost: {known:?}");
        }
        self.saved = now;
        let done = record.phases.iter().filter(|phase| phase.state == PhaseState::Done).count();
        Some(done + usize::from(record.setup.done))
    }
}

/// One run from setup to cleanup under kills.
fn live(seed: u64) -> Victim {
    let mut victim = Victim::new(seed);
    for (wanted, (args, takes)) in (1..).zip(LIFE) {
        if args[0] == "cleanup" {
            check(&mut victim);
        }
        if args.contains(&"--drain") {
            victim.cluster.sandbox.store().modify(&kind::NODES, "", CLOSED, |node| {
                node["spec"]["unschedulable"] = true.into();
            });
            victim.abandoned = seed.is_multiple_of(2);
            if victim.abandoned {
                victim.attempt(args, takes);
                continue;
            }
        }
        victim.survive(args, takes, wanted);
        if args.contains(&"--drain") {
            nodes_are_as_before(&victim.cluster);
        }
    }
    nothing_is_left(&victim.cluster);
    nodes_are_as_before(&victim.cluster);
    victim
}

/// Every node is schedulable except the one that someone else cordoned, and none has an annotation.
fn nodes_are_as_before(cluster: &Cluster) {
    let (nodes, _) = cluster.sandbox.store().list(&kind::NODES, None);
    for node in &nodes {
        let (name, value) = (node.name(), node.value());
        assert_eq!(value["spec"]["unschedulable"] == true, name == CLOSED, "{name}: {}", value["spec"]);
        assert!(value["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none(), "{name}");
    }
}

/// Checks the record against the sandbox before cleanup.
fn check(victim: &mut Victim) {
    let record = record::load(&victim.cluster).unwrap();
    let (drains, others): (Vec<_>, Vec<_>) = record.phases.iter().partition(|phase| phase.drains());
    assert_eq!(others.len(), 7);
    assert!(victim.abandoned || drains.len() == 1, "{drains:?}");
    for phase in drains.iter().filter(|_| !victim.abandoned) {
        let (moved, part) = (phase.count(Outcome::Reached), phase.participants().count());
        assert_eq!(moved, part, "{}: {:?}", phase.name, phase.timelines);
        let (instances, _) = victim.cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
        let on =
            |node: &str| instances.iter().filter(|one| one.value()["status"]["nodeName"] == node).count();
        assert_eq!((instances.len(), on("node-2"), on(CLOSED)), (VMS, 0, 0));
    }
    for phase in others {
        assert_eq!(phase.count(Outcome::Reached), VMS, "{}: {:?}", phase.name, phase.timelines);
        for timeline in &phase.timelines {
            victim.unknown += usize::from(timeline.untimed);
            let goal = timeline.moments[&phase.goal];
            if let Some(requested) = timeline.at(Milestone::Requested) {
                assert!(goal.at >= requested, "{}: {timeline:?}", phase.name);
            }
            assert_eq!(timeline.restarts, 0, "{}: {timeline:?}", phase.name);
        }
    }
    let (migrations, _) = victim.cluster.sandbox.store().list(&kind::MIGRATIONS, None);
    let mut moved: Vec<&str> =
        migrations.iter().filter_map(|one| one.value()["metadata"]["namespace"].as_str()).collect();
    moved.sort_unstable();
    moved.dedup();
    assert_eq!((migrations.len(), moved.len()), (VMS, VMS), "each VM has one migration");
    let machines = victim.cluster.sandbox.ledger().machines();
    assert_eq!(machines.len(), VMS);
    for (name, account) in machines {
        let changes = (account.creates.changes, account.stops.changes, account.starts.changes);
        assert_eq!(changes, (1, 2, 2), "{name:?}: created, stopped, started");
        assert_eq!((account.restarts.changes, account.deletes.requests), (1, 0), "{name:?}: restarted once");
        let most = 1 + victim.total() as u64;
        assert!(account.creates.requests <= most && account.starts.requests <= 2 * most, "{account:?}");
    }
}

pub(super) fn nothing_is_left(cluster: &Cluster) {
    let store = cluster.sandbox.store();
    for kind in kind::all() {
        let (objects, _) = store.list(kind, None);
        let left = objects.iter().filter(|object| object.label("bootstorm.dev/run").is_some()).count();
        assert_eq!(left, 0, "{} are left", kind.plural);
    }
}

#[test]
fn a_run_survives_kill_9_at_any_instant() {
    let wanted = std::env::var("BOOTSTORM_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let mut kills: BTreeMap<String, usize> = BTreeMap::new();
    let (mut runs, mut unknown) = (0, 0);
    while kills.values().sum::<usize>() < wanted {
        runs += 1;
        let victim = live(runs);
        unknown += victim.unknown;
        for (command, count) in victim.kills {
            *kills.entry(command).or_default() += count;
        }
    }
    let total: usize = kills.values().sum();
    println!("{total} kills in {runs} runs, by command: {kills:?}; {unknown} requests at an unknown time");
}
