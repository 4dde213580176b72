//! Live migrations: phases, queue, effect on the guest, and failures.

use crate::value::{Value, json};

use super::stage::{Stage, machine};
use crate::model::{Misbehaviour, MisbehaviourTable, profile};
use crate::network::{Probe, Reply};
use crate::store::DeleteOptions;
use crate::store::kind::{MIGRATIONS, PODS, VIRTUAL_MACHINE_INSTANCES};

/// Machines with agents, ready to move.
async fn running(profile: &str, nodes: usize, machines: usize, misbehaviours: MisbehaviourTable) -> Stage {
    let stage = Stage::new(profile::load(profile).expect("a profile"), nodes, misbehaviours);
    stage.namespace("a");
    for number in 1..=machines {
        stage.create("a", machine(&format!("vm-{number}"), "Always")).await;
    }
    for number in 1..=machines {
        let name = format!("vm-{number}");
        stage
            .until("its agent", |stage| {
                let vmi = stage.vmi("a", &name).unwrap_or_default();
                vmi["status"]["guestOSInfo"].get("id").is_some()
            })
            .await;
    }
    stage
}

fn migrate(stage: &Stage, vm: &str) {
    let migration = json!({
        "metadata": {"name": format!("move-{vm}"), "namespace": "a", "finalizers": ["kubevirt.io/migrationJobFinalize"]},
        "spec": {"vmiName": vm},
    });
    stage.store.create(&MIGRATIONS, migration).expect("a migration");
}

fn migration(stage: &Stage, vm: &str) -> Value {
    let found = stage.store.get(&MIGRATIONS, "a", &format!("move-{vm}"));
    found.map(|object| object.value().clone()).unwrap_or_default()
}

async fn over(stage: &Stage, vm: &str) {
    stage
        .until("the migration is over", |stage| {
            let migration = migration(stage, vm);
            let ended = matches!(migration["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            ended && migration["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_moves_to_another_node_and_answers_there() {
    let stage = running("default", 2, 1, MisbehaviourTable::none()).await;
    let before = stage.vmi("a", "vm-1").expect("an instance");
    let text = |vmi: &Value, pointer: &str| vmi.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let address = text(&before, "/status/interfaces/0/ipAddress").expect("an address");
    let (network, mut silent) = (stage.controllers.network(), 0.0);
    migrate(&stage, "vm-1");
    let mut last = stage.clock.now();
    while migration(&stage, "vm-1")["status"]["phase"] != "Succeeded" {
        stage.clock.sleep(0.002).await;
        let now = stage.clock.now();
        let vmi = stage.vmi("a", "vm-1").expect("an instance");
        let at = text(&vmi, "/status/interfaces/0/ipAddress").expect("an address");
        if network.answers(&at, Probe::Ping) == Reply::Silent {
            silent += now - last;
        }
        last = now;
        assert!(now < 3600.0, "{}", migration(&stage, "vm-1"));
    }
    over(&stage, "vm-1").await;
    assert!((0.02..1.0).contains(&silent), "the guest was silent for {silent} s");
    assert_eq!(
        stage.history(&MIGRATIONS, "move-vm-1", "/status/phase"),
        ["-", "Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded"]
    );
    let after = stage.vmi("a", "vm-1").expect("the same instance");
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_ne!(before["status"]["nodeName"], after["status"]["nodeName"]);
    let moved = text(&after, "/status/interfaces/0/ipAddress").expect("an address");
    assert_ne!(moved, address);
    assert_eq!(network.answers(&moved, Probe::Ping), Reply::Answered);
    assert_eq!(network.answers(&address, Probe::Ping), Reply::Silent);
    let state = &after["status"]["migrationState"];
    assert_eq!((&state["completed"], &state["sourceNode"]), (&json!(true), &before["status"]["nodeName"]));
    assert!(state["startTimestamp"].is_string() && state["endTimestamp"].is_string(), "{state}");
    // It powers off and ends like any other.
    stage.power("a", "vm-1", "Halted").await;
    stage.until("it is gone", |stage| stage.vmi("a", "vm-1").is_none()).await;
    assert_eq!(stage.store.list(&PODS, Some("a")).0.len(), 0);
    let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, "vm-1", "/status/phase");
    assert_eq!(phases.last().map(String::as_str), Some("Succeeded"), "{phases:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_migrate_at_once_than_the_cluster_and_a_node_allow() {
    let stage = running("default", 4, 12, MisbehaviourTable::none()).await;
    for number in 1..=12 {
        migrate(&stage, &format!("vm-{number}"));
    }
    let (mut most, mut most_of_a_node) = (0, 0);
    loop {
        let mut nodes: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        let (all, _) = stage.store.list(&MIGRATIONS, None);
        let phase = |one: &crate::store::Object| {
            one.value()["status"]["phase"].as_str().unwrap_or_default().to_owned()
        };
        for one in &all {
            if !matches!(phase(one).as_str(), "" | "Pending" | "Succeeded" | "Failed") {
                let name = one.value()["spec"]["vmiName"].as_str().unwrap_or_default();
                let vmi = stage.vmi("a", name).expect("an instance");
                let moved = vmi["status"]["migrationState"]["completed"] == true;
                let node =
                    if moved { "arrived" } else { vmi["status"]["nodeName"].as_str().unwrap_or_default() };
                *nodes.entry(node.to_owned()).or_default() += 1;
            }
        }
        most = most.max(nodes.values().sum());
        nodes.remove("arrived");
        most_of_a_node = most_of_a_node.max(nodes.values().copied().max().unwrap_or(0));
        if all.iter().all(|one| phase(one) == "Succeeded") {
            break;
        }
        assert!(
            all.iter().all(|one| phase(one) != "Failed"),
            "{:?}",
            all.iter().map(phase).collect::<Vec<_>>()
        );
        assert!(stage.clock.now() < 3600.0);
        stage.clock.sleep(0.02).await;
    }
    assert_eq!((most, most_of_a_node), (5, 2));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_writes_too_fast_stays_where_it_is() {
    let misbehaviours = MisbehaviourTable::none().with("a/vm-1", Misbehaviour::NeverConverges);
    let stage = running("default", 2, 1, misbehaviours).await;
    let node = stage.vmi("a", "vm-1").expect("an instance")["status"]["nodeName"].clone();
    migrate(&stage, "vm-1");
    over(&stage, "vm-1").await;
    let ended = migration(&stage, "vm-1");
    assert_eq!(ended["status"]["phase"], "Failed");
    let state = &ended["status"]["migrationState"];
    assert_eq!(
        state["failureReason"],
        "Live migration is not completed after 150 seconds and has been aborted"
    );
    let vmi = stage.vmi("a", "vm-1").expect("the instance");
    assert_eq!((&vmi["status"]["phase"], &vmi["status"]["nodeName"]), (&json!("Running"), &node));
    stage.until("the target is gone", |stage| stage.store.list(&PODS, Some("a")).0.len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_is_deleted_is_given_up_and_one_without_room_fails() {
    let misbehaviours = MisbehaviourTable::none().with("a/vm-1", Misbehaviour::NeverConverges);
    let stage = running("default", 2, 1, misbehaviours).await;
    migrate(&stage, "vm-1");
    stage.until("it runs", |stage| migration(stage, "vm-1")["status"]["phase"] == "Running").await;
    stage.store.delete(&MIGRATIONS, "a", "move-vm-1", &DeleteOptions::default()).expect("deleted");
    stage.until("it is gone", |stage| migration(stage, "vm-1").is_null()).await;
    let state = stage.vmi("a", "vm-1").expect("the instance")["status"]["migrationState"].clone();
    assert_eq!(state["failureReason"], "Live migration aborted");
    // On a single node, the target finds no place within its five minutes.
    let alone = running("default", 1, 1, MisbehaviourTable::none()).await;
    migrate(&alone, "vm-1");
    over(&alone, "vm-1").await;
    assert_eq!(migration(&alone, "vm-1")["status"]["phase"], "Failed");
    alone.until("the target is gone", |stage| stage.store.list(&PODS, Some("a")).0.len() == 1).await;
    assert_eq!(alone.vmi("a", "vm-1").expect("the instance")["status"]["phase"], "Running");
}
