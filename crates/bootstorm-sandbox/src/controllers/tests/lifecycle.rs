//! One machine through its life: the sequence of changes on a watch.

use crate::value::{Value, json};

use super::stage::{Change, Stage, machine};
use crate::controllers::{conditions, names};
use crate::store::kind::{
    CONTROLLER_REVISIONS, EVENTS, NAMESPACES, PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES,
};
use crate::store::{Action, DeleteOptions, Kind, Propagation};

const STATUS: &str = "/status/printableStatus";

async fn running() -> Stage {
    let stage = Stage::named("default", 2);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Always")).await;
    stage.until("ready", |stage| stage.vm("ns", "vm").is_some_and(|vm| vm["status"]["ready"] == true)).await;
    stage
}

fn position(changes: &[Change], what: &str, is: impl Fn(&Change) -> bool) -> usize {
    changes.iter().position(is).unwrap_or_else(|| panic!("never seen: {what}"))
}

fn first(changes: &[Change], kind: &'static Kind, holds: impl Fn(&Value) -> bool, what: &str) -> usize {
    position(changes, what, |change| change.kind.is(kind) && holds(change.object.value()))
}

/// The reasons of the events, in order of their first appearance.
fn events(stage: &Stage) -> Vec<String> {
    let added = stage.of(&EVENTS).into_iter().filter(|change| change.action == Action::Added);
    added
        .map(|change| {
            let event = change.object.value();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text(&event["involvedObject"]["kind"]), text(&event["reason"]))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_machine_shows_the_states_of_a_real_one() {
    let stage = running().await;
    let seen = stage.history(&VIRTUAL_MACHINES, "vm", STATUS);
    assert_eq!(seen, ["-", "Stopped", "Starting", "Running"]);
    assert_eq!(stage.history(&VIRTUAL_MACHINES, "vm", "/status/ready"), ["-", "true"]);
    let reasons = stage.history(&VIRTUAL_MACHINES, "vm", "/status/conditions/0/reason");
    assert_eq!(reasons, ["-", "VMINotExists", "VMIConditionMissing", "GuestNotRunning", "-"]);
    let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, "vm", "/status/phase");
    assert_eq!(phases, ["Pending", "Scheduling", "Scheduled", "Running"]);
    let vmi = stage.vmi("ns", "vm").expect("an instance");
    let stamped: Vec<&Value> = vmi["status"]["phaseTransitionTimestamps"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["phase"])
        .collect();
    assert_eq!(stamped, ["Pending", "Scheduling", "Scheduled", "Running"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_written_in_the_documented_order() {
    let stage = running().await;
    let changes = stage.changes();
    let vmi = &VIRTUAL_MACHINE_INSTANCES;
    let phase = |phase: &'static str| move |object: &Value| object["status"]["phase"] == phase;
    let order = [
        first(&changes, &VIRTUAL_MACHINES, |vm| vm["status"].is_null(), "a machine without a status"),
        first(
            &changes,
            &VIRTUAL_MACHINES,
            |vm| vm["metadata"]["annotations"].get(names::LATEST_VERSION).is_some(),
            "annotations",
        ),
        first(
            &changes,
            &VIRTUAL_MACHINES,
            |vm| vm["metadata"]["finalizers"][0] == names::MACHINE_FINALIZER,
            "a finalizer",
        ),
        first(&changes, &VIRTUAL_MACHINES, |vm| vm["status"]["printableStatus"] == "Stopped", "Stopped"),
        first(&changes, &CONTROLLER_REVISIONS, |_| true, "a revision"),
        first(&changes, vmi, phase("Pending"), "Pending"),
        first(
            &changes,
            vmi,
            |vmi| vmi["metadata"]["annotations"].get(names::LATEST_VERSION).is_some(),
            "annotations",
        ),
        first(&changes, &PODS, |_| true, "a pod"),
        first(&changes, vmi, phase("Scheduling"), "Scheduling"),
        first(&changes, &PODS, |pod| pod["status"]["podIP"].is_string(), "an address"),
        first(&changes, &PODS, |pod| pod["status"]["phase"] == "Running", "a running pod"),
        first(
            &changes,
            vmi,
            |vmi| {
                vmi["status"]["phase"] == "Scheduled"
                    && vmi["metadata"]["labels"][names::NODE_NAME].is_string()
            },
            "Scheduled",
        ),
        first(&changes, vmi, |vmi| conditions::is(vmi, "LiveMigratable", "True"), "LiveMigratable"),
        first(
            &changes,
            vmi,
            |vmi| {
                vmi["status"]["phase"] == "Running" && vmi["status"]["interfaces"][0]["ipAddress"].is_string()
            },
            "Running",
        ),
        first(&changes, vmi, |vmi| conditions::is(vmi, "Ready", "True"), "Ready"),
        first(&changes, &VIRTUAL_MACHINES, |vm| vm["status"]["ready"] == true, "ready"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    let scheduled = &changes[order[11]].object;
    assert!(scheduled.value()["status"]["interfaces"][0].get("ipAddress").is_none());
    let pod = &stage.store.list(&PODS, Some("ns")).0[0];
    assert!(pod.name().starts_with("virt-launcher-vm-"));
    assert_eq!(pod.label(names::CREATED_BY), Some(scheduled.uid()));
}

#[tokio::test(start_paused = true)]
async fn the_agent_connects_some_seconds_after_the_guest_answers() {
    let stage = running().await;
    let uid = stage.vmi("ns", "vm").expect("an instance")["metadata"]["uid"]
        .as_str()
        .expect("an identity")
        .to_owned();
    assert_eq!(stage.controllers.guests().presence(&uid).and_then(|guest| guest.network_at), None);
    stage
        .until("the agent", |stage| {
            stage.vmi("ns", "vm").is_some_and(|vmi| conditions::is(&vmi, "AgentConnected", "True"))
        })
        .await;
    let vmi = stage.vmi("ns", "vm").expect("an instance");
    let agent = conditions::find(&vmi, "AgentConnected").expect("the condition");
    assert!(agent["lastTransitionTime"].is_null() && agent["lastProbeTime"].is_string());
    let address = vmi["status"]["interfaces"][0]["ipAddress"].as_str().expect("an address");
    let guest = stage.controllers.at(address).expect("a guest");
    let since = guest.network_at.expect("it answers");
    assert!(stage.clock.now() - since > 0.5 && stage.clock.now() - since < 20.0);
    stage
        .until("what the agent says", |stage| {
            stage.vmi("ns", "vm").is_some_and(|vmi| vmi["status"]["guestOSInfo"]["id"] == "fedora")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_over_only_when_the_instance_is_gone() {
    let stage = running().await;
    stage.clock.sleep(20.0).await;
    let since = stage.changes().len();
    stage.power("ns", "vm", "Halted").await;
    stage
        .until("nothing created", |stage| {
            stage.vm("ns", "vm").is_some_and(|vm| vm["status"].get("created").is_none())
        })
        .await;
    let changes = stage.changes().split_off(since);
    let vm = &VIRTUAL_MACHINES;
    let vmi = &VIRTUAL_MACHINE_INSTANCES;
    let order = [
        first(
            &changes,
            vm,
            |vm| {
                vm["spec"]["runStrategy"] == "Halted"
                    && vm["status"]["printableStatus"] == "Running"
                    && vm["status"]["ready"] == true
            },
            "Halted, still Running",
        ),
        first(&changes, vmi, |vmi| vmi["metadata"]["deletionTimestamp"].is_string(), "a deleted instance"),
        first(&changes, &PODS, |pod| pod["metadata"]["deletionTimestamp"].is_string(), "a deleted pod"),
        first(&changes, vm, |vm| vm["status"]["printableStatus"] == "Stopping", "Stopping"),
        first(&changes, vmi, |vmi| vmi["status"]["phase"] == "Succeeded", "Succeeded"),
        first(
            &changes,
            vm,
            |vm| vm["status"]["printableStatus"] == "Stopped" && vm["status"]["created"] == true,
            "Stopped and created",
        ),
        position(&changes, "the pod's end", |change| {
            change.kind.is(&PODS) && change.action == Action::Deleted
        }),
        position(&changes, "the instance's end", |change| {
            change.kind.is(vmi) && change.action == Action::Deleted
        }),
        first(&changes, vm, |vm| vm["status"].get("created").is_none(), "nothing created"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    let vm = stage.vm("ns", "vm").expect("the machine");
    assert_eq!(conditions::reason(&vm, "Ready"), "VMINotExists");
    assert!(conditions::is(&vm, "AgentConnected", "True"), "conditions of the last run stay");
}

#[tokio::test(start_paused = true)]
async fn events_tell_the_same_story() {
    let stage = running().await;
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    let events = events(&stage);
    let series = [
        "VirtualMachine/SuccessfulCreate",
        "VirtualMachineInstance/SuccessfulCreate",
        "Pod/Scheduled",
        "Pod/Pulled",
        "Pod/Created",
        "Pod/Started",
        "VirtualMachineInstance/Created",
        "VirtualMachineInstance/Started",
        "VirtualMachine/SuccessfulDelete",
        "VirtualMachineInstance/ShuttingDown",
        "VirtualMachineInstance/Deleted",
        "VirtualMachineInstance/Stopped",
    ];
    let places: Vec<usize> = series
        .iter()
        .map(|reason| {
            events
                .iter()
                .position(|seen| seen == reason)
                .unwrap_or_else(|| panic!("no {reason} in {events:?}"))
        })
        .collect();
    assert!(places.is_sorted(), "{events:?}");
    let all = stage.of(&EVENTS);
    let started = all.iter().find(|change| {
        change.object.value()["reason"] == "Started"
            && change.object.value()["source"]["component"] == "virt-handler"
    });
    let started = started.expect("an event of virt-handler").object.clone();
    assert_eq!(started.value()["count"], 1);
    assert!(started.value()["eventTime"].is_null() && started.value()["source"]["host"].is_string());
    let nanos = started
        .name()
        .rsplit('.')
        .next()
        .and_then(|hex| u64::from_str_radix(hex, 16).ok())
        .expect("a time in the name");
    let at = started.value()["firstTimestamp"]
        .as_str()
        .expect("a time")
        .parse::<jiff::Timestamp>()
        .expect("a time");
    assert_eq!(nanos / 1_000_000_000, at.as_second() as u64);
    let scheduled = all
        .iter()
        .find(|change| change.object.value()["reason"] == "Scheduled")
        .expect("a binding")
        .object
        .clone();
    assert!(scheduled.value().get("count").is_none() && scheduled.value()["eventTime"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_second_start_has_another_identity_address_and_grace_of_its_own() {
    let stage = running().await;
    let before = stage.vmi("ns", "vm").expect("an instance");
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    stage.power("ns", "vm", "Always").await;
    stage.until_status("ns", "vm", "Running").await;
    let after = stage.vmi("ns", "vm").expect("an instance");
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_ne!(before["status"]["interfaces"][0]["ipAddress"], after["status"]["interfaces"][0]["ipAddress"]);
    assert_eq!(before["status"]["interfaces"][0]["mac"], after["status"]["interfaces"][0]["mac"]);
    assert_eq!(stage.vm("ns", "vm").expect("the machine")["status"]["observedGeneration"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_start_while_stopping_waits_for_the_old_instance() {
    let stage = running().await;
    stage.power("ns", "vm", "Halted").await;
    stage.clock.sleep(0.5).await;
    stage.power("ns", "vm", "Always").await;
    stage.clock.sleep(1.0).await;
    stage.until_status("ns", "vm", "Running").await;
    let lives: Vec<Action> = stage
        .of(&VIRTUAL_MACHINE_INSTANCES)
        .into_iter()
        .map(|change| change.action)
        .filter(|action| *action != Action::Modified)
        .collect();
    assert_eq!(lives, [Action::Added, Action::Deleted, Action::Added]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_starting_ends_before_the_guest_runs() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Always")).await;
    stage
        .until("Scheduling", |stage| {
            stage.vmi("ns", "vm").is_some_and(|vmi| vmi["status"]["phase"] == "Scheduling")
        })
        .await;
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    stage.until_status("ns", "vm", "Stopped").await;
    let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, "vm", "/status/phase");
    assert_eq!(phases, ["Pending", "Scheduling", "Failed"]);
    let vm = stage.vm("ns", "vm").expect("the machine");
    assert!(vm["status"].get("startFailure").is_none(), "a stopped machine has no failures to count");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_machine_takes_everything_with_it() {
    for propagation in [Propagation::Background, Propagation::Foreground] {
        let stage = running().await;
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        stage.store.delete(&VIRTUAL_MACHINES, "ns", "vm", &options).expect("deleted");
        stage.until_status("ns", "vm", "Terminating").await;
        stage.until("no machine", |stage| stage.vm("ns", "vm").is_none()).await;
        assert!(stage.vmi("ns", "vm").is_none(), "{propagation:?}");
        stage.clock.sleep(5.0).await;
        for kind in [&PODS, &CONTROLLER_REVISIONS] {
            assert!(stage.store.is_empty(kind, "ns"), "{propagation:?} leaves {}", kind.plural);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_instance_goes_on() {
    let stage = running().await;
    let options = DeleteOptions { propagation: Propagation::Orphan, ..DeleteOptions::default() };
    stage.store.delete(&VIRTUAL_MACHINES, "ns", "vm", &options).expect("deleted");
    stage.until("no machine", |stage| stage.vm("ns", "vm").is_none()).await;
    stage.clock.sleep(30.0).await;
    let vmi = stage.vmi("ns", "vm").expect("the instance stays");
    assert_eq!(vmi["status"]["phase"], "Running");
    assert!(vmi["metadata"].get("ownerReferences").is_none());
    stage.store.delete(&VIRTUAL_MACHINE_INSTANCES, "ns", "vm", &DeleteOptions::default()).expect("deleted");
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_ends_with_its_pods_first() {
    let stage = running().await;
    let began = stage.clock.now();
    stage.store.delete(&NAMESPACES, "", "ns", &DeleteOptions::default()).expect("deleted");
    stage.until("no namespace", |stage| stage.store.get(&NAMESPACES, "", "ns").is_none()).await;
    let took = stage.clock.now() - began;
    assert!((15.0..17.5).contains(&took), "{took}");
    let seen = stage.history(&VIRTUAL_MACHINES, "vm", STATUS);
    assert!(seen.contains(&"Stopped".to_owned()), "{seen:?}");
    let conditions = stage.history(&NAMESPACES, "ns", "/status/conditions/3/reason");
    assert!(conditions.contains(&"SomeResourcesRemain".to_owned()), "{conditions:?}");
    for kind in [&PODS, &VIRTUAL_MACHINES, &VIRTUAL_MACHINE_INSTANCES, &EVENTS, &CONTROLLER_REVISIONS] {
        assert!(stage.store.is_empty(kind, "ns"), "{} left", kind.plural);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_namespace_ends_after_two_looks() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage
        .store
        .create(&crate::store::kind::CONFIG_MAPS, json!({"metadata": {"name": "a", "namespace": "ns"}}))
        .expect("created");
    let began = stage.clock.now();
    stage.store.delete(&NAMESPACES, "", "ns", &DeleteOptions::default()).expect("deleted");
    stage.until("no namespace", |stage| stage.store.get(&NAMESPACES, "", "ns").is_none()).await;
    assert!(stage.clock.now() - began < 11.0, "{}", stage.clock.now() - began);
}
