//! Injected bottlenecks compared with the reported ones.
//!
//! `docs/measurements.md` has the results as a table, which is checked here line by line.

use std::sync::Mutex;

use crate::value::json;

use super::scene::Scene;
use super::stage::Stage;
use crate::model::lock;
use crate::store::kind::{NAMESPACES, RESOURCE_QUOTAS};
use bootstorm_model::component::Component;
use bootstorm_model::record::RunRecord;
use bootstorm_model::stats::Breakdown;
use bootstorm_report::{Report, Selection};

/// A scene, the change to its cluster, and the expected component.
struct Case {
    injected: &'static str,
    scene: Scene,
    between: fn(&Stage),
    expected: Option<Component>,
    /// Words that the sentences must contain.
    says: &'static str,
}

fn case(injected: &'static str, scene: Scene, expected: Option<Component>, says: &'static str) -> Case {
    Case { injected, scene, between: |_| {}, expected, says }
}

fn cases() -> Vec<Case> {
    let throttled = "virtController: {qps: 20, burst: 30}";
    let one_slow = "node: {count: 4, factors: {node2: 0.12}}";
    let few_cores =
        "node: {count: 2, cores: 3}\nstorage: {nodeDisk: 100000, perReader: 1000, interference: 0}";
    vec![
        case("nothing", Scene::named("default", 20), None, "longest stretch"),
        case("nothing", Scene::named("default", 60), None, "longest stretch"),
        case("nothing, on volumes", Scene::named("shared-disk", 10).on_claims(), None, "longest stretch"),
        case(
            "virt-controller at 20 calls per second",
            Scene::with("throttled-controller", throttled, 60),
            Some(Component::Controller),
            "virt-controller at 20 requests per second (configured) limits the creation of launcher pods to 2.",
        ),
        case(
            "virt-controller at 5 calls per second",
            Scene::named("throttled-controller", 30),
            Some(Component::Controller),
            "raise spec.configuration.controllerConfiguration",
        ),
        case(
            "one worker for instances",
            Scene::named("few-workers", 60),
            Some(Component::Controller),
            "virt-controller has 1 worker for instances, the default is 10",
        ),
        case(
            "volumes attached one by one",
            Scene::named("slow-attach", 40).on_claims(),
            Some(Component::Attaching),
            // 1 or 1.1, by the order in which ties are served.
            "came through at 1.",
        ),
        case(
            "slow disks of the nodes",
            Scene::named("slow-storage", 100),
            Some(Component::Disks),
            "stages that read disks",
        ),
        case(
            "a pool that all volumes share",
            Scene::named("shared-disk", 60).on_claims(),
            Some(Component::Disks),
            "stages that read disks",
        ),
        case(
            "one node's disk for all VMs",
            Scene::named("small-node", 60),
            Some(Component::Disks),
            "stages that read disks",
        ),
        case(
            "one of four nodes is slow",
            Scene::with("slow-node", one_slow, 60),
            Some(Component::Node),
            "node node2",
        ),
        case(
            "images pulled from a slow registry",
            Scene::named("image-pulls", 40),
            Some(Component::Images),
            "pods waited 4",
        ),
        case(
            "one address per second by DHCP",
            Scene::named("late-network", 40),
            Some(Component::Network),
            "the guests did not answer",
        ),
        case(
            "three cores per node, VMs created 4 s apart",
            Scene::with("default", few_cores, 40).created_apart(4.0),
            Some(Component::Processors),
            "only need processors",
        ),
        case(
            "three cores per node, VMs created at once",
            Scene::with("default", few_cores, 40),
            None,
            "longest stretch",
        ),
    ]
}

/// Storms in which VMs do not arrive.
fn unfinished() -> Vec<Case> {
    let little_memory = "node: {count: 2, memoryGib: 9}";
    let crashing = "misbehave: {'storm-1*': crashes}";
    vec![
        case(
            "memory for 30 of 40 VMs",
            Scene::with("default", little_memory, 40),
            Some(Component::Scheduling),
            "Insufficient memory",
        ),
        Case {
            between: refuse_pods,
            ..case(
                "a quota without room",
                Scene::named("default", 20),
                Some(Component::Refused),
                "exceeded quota",
            )
        },
        case(
            "volumes that other nodes hold",
            Scene::with("shared-disk", "misbehave: {'storm-1*': never-attaches}", 30).on_claims(),
            Some(Component::Attaching),
            "FailedAttachVolume: Multi-Attach error",
        ),
        case("guests that crash", Scene::with("default", crashing, 30), Some(Component::Crashing), "crashed"),
    ]
}

/// Prevents new pods in half of the namespaces.
fn refuse_pods(stage: &Stage) {
    for namespace in stage.store.list(&NAMESPACES, None).0.iter().take(10) {
        let quota = json!({"metadata": {"name": "q", "namespace": namespace.name()}, "spec": {"hard": {"pods": "0"}}});
        stage.store.create(&RESOURCE_QUOTAS, quota).expect("a quota");
    }
}

fn breakdown(record: &RunRecord) -> Breakdown {
    let report = Report::of(record, &Selection::default());
    report.comparison.and_then(|compared| compared.breakdown).unwrap_or_default()
}

/// All conclusions, as text.
fn told(breakdown: &Breakdown) -> String {
    let mut sentences: Vec<&str> = breakdown.unnamed.as_deref().into_iter().collect();
    if let Some(found) = &breakdown.bottleneck {
        sentences.push(&found.sentence);
        sentences.extend(found.because.iter().map(String::as_str));
        sentences.extend(found.remedies.iter().map(String::as_str));
    }
    sentences.join("; ")
}

/// Plays all cases, several at a time, each with a clock of its own.
fn played(cases: Vec<Case>) -> Vec<(Case, RunRecord)> {
    let played = Mutex::new(Vec::new());
    let open = Mutex::new(cases.into_iter().enumerate());
    let work = || loop {
        let Some((number, case)) = lock(&open).next() else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let record = runtime.expect("a runtime").block_on(case.scene.play(case.between));
        lock(&played).push((number, case, record));
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    let mut played = std::mem::take(&mut *lock(&played));
    played.sort_by_key(|(number, ..)| *number);
    played.into_iter().map(|(_, case, record)| (case, record)).collect()
}

#[test]
fn what_was_injected_is_what_is_named() {
    let mut table = Vec::new();
    let mut wrong = Vec::new();
    let only = std::env::var("ONLY").unwrap_or_default();
    let cases = cases().into_iter().chain(unfinished()).filter(|case| case.injected.contains(&only));
    for (case, record) in played(cases.collect()) {
        let found = breakdown(&record);
        let named = found.bottleneck.as_ref().map(|bottleneck| bottleneck.component);
        let word = named.map_or("none", Component::noun);
        table.push(format!("| {} | {} | {word} |", case.injected, case.scene.vms));
        let text = told(&found);
        println!("{}\n    {text}", table[table.len() - 1]);
        if named != case.expected || !text.contains(case.says) {
            let expected = case.expected;
            wrong.push(format!("{}: {named:?}, not {expected:?}: {text}\n{:#?}", case.injected, found.parts));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_empty() {
        let documented = include_str!("../../../../../docs/measurements.md");
        let missing: Vec<&String> = table.iter().filter(|line| !documented.contains(line.as_str())).collect();
        assert!(missing.is_empty(), "docs/measurements.md lacks {missing:#?}");
    }
}
