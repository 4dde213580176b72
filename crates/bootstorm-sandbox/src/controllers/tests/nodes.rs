//! Nodes that lose power: detection, effect on their machines, and recovery.

use crate::value::{Value, json};

use super::stage::{Stage, machine};
use crate::controllers::conditions;
use crate::model::misbehaviour::{DOWN, POWER};
use crate::network::{Probe, Reply};
use crate::store::kind::{NODES, PODS, VIRTUAL_MACHINE_INSTANCES};

const MACHINES: usize = 4;

/// Machines on two nodes, all of which answer, and those on the first node.
async fn running() -> (Stage, Vec<String>) {
    let stage = Stage::named("default", 2);
    stage.namespace("a");
    for number in 1..=MACHINES {
        stage.create("a", machine(&format!("vm-{number}"), "Always")).await;
    }
    for number in 1..=MACHINES {
        stage.until("an answer", |stage| answers(stage, &format!("vm-{number}"))).await;
    }
    let names = (1..=MACHINES).map(|number| format!("vm-{number}"));
    let here: Vec<String> = names.filter(|name| node_of(&stage, name) == "node1").collect();
    assert!(!here.is_empty() && here.len() < MACHINES, "{here:?}");
    (stage, here)
}

fn text(vmi: &Value, pointer: &str) -> String {
    vmi.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn node_of(stage: &Stage, name: &str) -> String {
    text(&stage.vmi("a", name).unwrap_or_default(), "/status/nodeName")
}

fn uid_of(stage: &Stage, name: &str) -> String {
    text(&stage.vmi("a", name).unwrap_or_default(), "/metadata/uid")
}

fn answers(stage: &Stage, name: &str) -> bool {
    let address = text(&stage.vmi("a", name).unwrap_or_default(), "/status/interfaces/0/ipAddress");
    !address.is_empty() && stage.controllers.network().answers(&address, Probe::Ping) == Reply::Answered
}

fn cut(stage: &Stage, node: &str) {
    let off = |node: &mut Value| node["metadata"]["annotations"][DOWN] = json!(POWER);
    stage.store.modify(&NODES, "", node, off).expect("a node");
}

fn restore(stage: &Stage, node: &str) {
    let on = |node: &mut Value| {
        node["metadata"]["annotations"].as_object_mut().expect("annotations").remove(DOWN);
    };
    stage.store.modify(&NODES, "", node, on).expect("a node");
}

fn is_ready(stage: &Stage, node: &str) -> bool {
    let node = stage.store.get(&NODES, "", node).expect("a node");
    !conditions::is(node.value(), "Ready", "Unknown")
}

#[tokio::test(start_paused = true)]
async fn a_short_cut_kills_guests_at_once_and_they_start_again_when_the_node_is_back() {
    let (stage, here) = running().await;
    let before: Vec<String> = here.iter().map(|name| uid_of(&stage, name)).collect();
    let began = stage.clock.now();
    cut(&stage, "node1");
    stage.clock.sleep(0.1).await;
    assert!(here.iter().all(|name| !answers(&stage, name)), "their guests are gone at once");
    stage.clock.sleep(10.0).await;
    let told = |name: &String| text(&stage.vmi("a", name).unwrap_or_default(), "/status/phase");
    assert!(here.iter().all(|name| told(name) == "Running"), "nobody there could say so");
    restore(&stage, "node1");
    for (name, uid) in here.iter().zip(&before) {
        stage
            .until("another instance answers", |stage| uid_of(stage, name) != *uid && answers(stage, name))
            .await;
        let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, name, "/status/phase");
        assert!(phases.contains(&"Failed".to_owned()), "{phases:?}");
    }
    let took = stage.clock.now() - began;
    assert!(took > 130.0, "a node takes two minutes to boot: {took}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_noticed_after_a_while_and_its_machines_stay_with_it() {
    let (stage, here) = running().await;
    let before: Vec<String> = here.iter().map(|name| uid_of(&stage, name)).collect();
    cut(&stage, "node1");
    let began = stage.clock.now();
    stage.until("the node is not ready", |stage| !is_ready(stage, "node1")).await;
    let noticed = stage.clock.now() - began;
    assert!((45.0..60.0).contains(&noticed), "{noticed}");
    let node = stage.store.get(&NODES, "", "node1").expect("a node");
    assert_eq!(node.value()["spec"]["taints"].as_array().map(Vec::len), Some(2));
    stage
        .until("its pods are on their way out", |stage| {
            let (pods, _) = stage.store.list(&PODS, Some("a"));
            let here = pods.iter().filter(|pod| pod.value()["spec"]["nodeName"] == "node1");
            here.clone().count() > 0 && here.into_iter().all(|pod| pod.is_deleting())
        })
        .await;
    let evicted = stage.clock.now() - began - noticed;
    assert!((295.0..310.0).contains(&evicted), "{evicted}");
    stage.clock.sleep(900.0).await;
    for (name, uid) in here.iter().zip(&before) {
        assert_eq!(
            (&uid_of(&stage, name), node_of(&stage, name).as_str()),
            (uid, "node1"),
            "nothing moves by itself"
        );
    }
    restore(&stage, "node1");
    for (name, uid) in here.iter().zip(&before) {
        stage
            .until("another instance answers", |stage| uid_of(stage, name) != *uid && answers(stage, name))
            .await;
    }
    assert!(is_ready(&stage, "node1"));
}

#[tokio::test(start_paused = true)]
async fn machines_of_a_node_that_is_out_of_service_start_elsewhere() {
    let (stage, here) = running().await;
    cut(&stage, "node1");
    stage.until("the node is not ready", |stage| !is_ready(stage, "node1")).await;
    stage.store.modify(&NODES, "", "node1", |node| {
        let taint = json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
        node["spec"]["taints"].as_array_mut().expect("taints").push(taint);
    });
    for name in &here {
        stage
            .until("it answers elsewhere", |stage| node_of(stage, name) == "node2" && answers(stage, name))
            .await;
    }
}
