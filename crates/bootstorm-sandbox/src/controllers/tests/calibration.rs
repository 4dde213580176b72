//! Figures of the model compared with the published numbers.

use std::collections::HashMap;
use std::sync::Arc;

use super::stage::{Stage, machine};
use crate::model::{MisbehaviourTable, profile};
use crate::store::Action;
use crate::store::kind::{VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};

/// Result of one test of N machines, in simulated seconds.
#[derive(Debug)]
struct Result {
    create: Spread,
    create_network: Spread,
    stop: f64,
    storm: Spread,
    storm_network: Spread,
}

#[derive(Debug, Clone, Copy)]
struct Spread {
    mean: f64,
    max: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self { mean, max: values.iter().copied().fold(0.0, f64::max) }
    }
}

impl Result {
    fn ratio(&self) -> f64 {
        self.storm.mean / self.create.mean
    }
}

/// Sends requests for all machines at once; returns the time of each.
async fn request(stage: &Arc<Stage>, count: usize, what: &'static str) -> HashMap<String, f64> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let stage = stage.clone();
        tasks.spawn(async move {
            let namespace = format!("storm-{number}");
            let at = match what {
                "create" => stage.create(&namespace, machine("vm", "Always")).await,
                strategy => stage.power(&namespace, "vm", strategy).await,
            };
            (namespace, at)
        });
    }
    tasks.join_all().await.into_iter().collect()
}

async fn running(stage: &Stage, count: usize) {
    let is = |stage: &Stage, namespace: &str| {
        stage
            .store
            .get(&VIRTUAL_MACHINE_INSTANCES, namespace, "vm")
            .is_some_and(|vmi| vmi.value()["status"]["phase"] == "Running")
    };
    let mut missing: Vec<String> = (0..count).map(|number| format!("storm-{number}")).collect();
    stage
        .until("all running", |stage| {
            missing.retain(|namespace| !is(stage, namespace));
            missing.is_empty()
        })
        .await;
}

async fn networked(stage: &Stage, count: usize, requested: &HashMap<String, f64>) -> Vec<f64> {
    let mut missing: Vec<String> = (0..count).map(|number| format!("storm-{number}")).collect();
    let mut times = Vec::new();
    stage
        .until("all on the network", |stage| {
            missing.retain(|namespace| {
                let vmi = stage.store.get(&VIRTUAL_MACHINE_INSTANCES, namespace, "vm");
                let presence = vmi.and_then(|vmi| stage.controllers.guests().presence(vmi.uid()));
                let Some(at) = presence.and_then(|presence| presence.network_at) else { return true };
                times.push(at - requested[namespace]);
                false
            });
            missing.is_empty()
        })
        .await;
    times
}

fn times_to_running(stage: &Stage, since: f64, requested: &HashMap<String, f64>) -> Vec<f64> {
    let mut first: HashMap<String, f64> = HashMap::new();
    for change in stage.of(&VIRTUAL_MACHINE_INSTANCES) {
        if change.at >= since
            && change.action == Action::Modified
            && change.object.value()["status"]["phase"] == "Running"
        {
            first.entry(change.object.namespace().to_owned()).or_insert(change.at);
        }
    }
    requested.iter().map(|(namespace, at)| first[namespace] - at).collect()
}

async fn storm(profile: &str, nodes: usize, count: usize) -> Result {
    storm_at(profile, nodes, count, 1.0).await
}

async fn storm_at(profile: &str, nodes: usize, count: usize, speed: f64) -> Result {
    let profile = profile::named(profile).expect("a profile");
    let stage = Arc::new(Stage::faster(profile, nodes, MisbehaviourTable::none(), speed));
    for number in 0..count {
        stage.namespace(&format!("storm-{number}"));
    }
    let requested = request(&stage, count, "create").await;
    running(&stage, count).await;
    let create_network = networked(&stage, count, &requested).await;
    let create = times_to_running(&stage, 0.0, &requested);
    let stopping = stage.clock.now();
    request(&stage, count, "Halted").await;
    stage
        .until("all instances gone", |stage| stage.store.list(&VIRTUAL_MACHINE_INSTANCES, None).0.is_empty())
        .await;
    let stop = stage.clock.now() - stopping;
    let since = stage.clock.now();
    let requested = request(&stage, count, "Always").await;
    running(&stage, count).await;
    let storm_network = networked(&stage, count, &requested).await;
    let storm = times_to_running(&stage, since, &requested);
    assert_eq!(stage.store.list(&VIRTUAL_MACHINES, None).0.len(), count);
    Result {
        create: Spread::of(&create),
        create_network: Spread::of(&create_network),
        stop,
        storm: Spread::of(&storm),
        storm_network: Spread::of(&storm_network),
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_a_hundred_lands_near_the_published_numbers() {
    // Published: Running after 9.2 s on average and 15.7 s at most, in the storm 14.6 s and 28.9 s.
    let seen = storm("default", 3, 100).await;
    assert!((8.3..10.5).contains(&seen.create.mean) && seen.create.max < 24.0, "{seen:?}");
    assert!((13.0..17.0).contains(&seen.storm.mean) && seen.storm.max < 32.0, "{seen:?}");
    assert!((1.45..1.75).contains(&seen.ratio()), "{seen:?}");
    // Published: an answer to ping after 12.5 s, in the storm after 20.3 s.
    assert!((11.0..14.0).contains(&seen.create_network.mean), "{seen:?}");
    assert!((16.5..22.0).contains(&seen.storm_network.mean), "{seen:?}");
    assert!((5.0..45.0).contains(&seen.stop), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_few_machines_hardly_notice_one_another() {
    let seen = storm("default", 3, 10).await;
    assert!((6.5..8.5).contains(&seen.create.mean), "{seen:?}");
    assert!((0.95..1.25).contains(&seen.ratio()), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn slow_storage_shows_in_the_storm_alone() {
    let (healthy, slow) = (storm("default", 3, 50).await, storm("slow-storage", 3, 50).await);
    assert!(slow.create.mean < healthy.create.mean * 1.2, "{healthy:?} {slow:?}");
    assert!(slow.storm.mean > healthy.storm.mean * 1.3 && slow.ratio() > 1.6, "{healthy:?} {slow:?}");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_controller_starts_one_machine_every_two_seconds() {
    let seen = storm("throttled-controller", 3, 40).await;
    let rate = 40.0 / seen.storm.max;
    assert!((0.4..0.8).contains(&rate), "{rate} {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_storm() {
    let (one, other) = (storm("default", 2, 20).await, storm("default", 2, 20).await);
    // Write latencies depend on the order in which workers run; nothing else does.
    assert!((one.storm.mean - other.storm.mean).abs() < 0.2, "{one:?} {other:?}");
    assert!((one.create.mean - other.create.mean).abs() < 0.2, "{one:?} {other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_faster_clock_does_not_change_what_is_simulated() {
    let slow = storm_at("default", 3, 30, 1.0).await;
    let fast = storm_at("default", 3, 30, 50.0).await;
    assert!((slow.storm.mean - fast.storm.mean).abs() < 1.0, "{slow:?} {fast:?}");
    assert!((slow.create.mean - fast.create.mean).abs() < 1.0, "{slow:?} {fast:?}");
}

/// Also prints the table of `docs/sandbox.md`, for the given `PROFILES` and `COUNTS`.
#[tokio::test(start_paused = true)]
async fn a_larger_storm_is_a_slower_one() {
    let asked = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    println!("| profile | VMs | create mean | max | network | stop | storm mean | max | network | ratio |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for name in asked("PROFILES", "default small-node").split_whitespace() {
        let profile = profile::named(name).expect("a profile");
        let mut before = 0.0;
        for count in asked("COUNTS", "10 50 100").split_whitespace().filter_map(|count| count.parse().ok()) {
            if count > profile.node.count * profile.node.pods as usize {
                continue;
            }
            let s = storm(name, profile.node.count, count).await;
            println!(
                "| {name} | {count} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |",
                s.create.mean,
                s.create.max,
                s.create_network.mean,
                s.stop,
                s.storm.mean,
                s.storm.max,
                s.storm_network.mean,
                s.ratio()
            );
            assert!(s.storm.mean > before, "{name} with {count} VMs: {s:?}");
            assert!(s.storm_network.mean > s.storm.mean, "the network comes after Running: {s:?}");
            before = s.storm.mean;
        }
    }
}
