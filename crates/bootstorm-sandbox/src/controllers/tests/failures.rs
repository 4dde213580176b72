//! Machines and clusters with problems: crashes, refusals, full nodes, run strategies under failure.

use crate::value::json;

use super::stage::{Stage, machine};
use crate::controllers::{conditions, names};
use crate::model::misbehaviour::ANNOTATION;
use crate::model::{Misbehaviour, MisbehaviourTable, Profile, profile};
use crate::store::kind::{EVENTS, NAMESPACES, NODES, PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use crate::store::{Action, DeleteOptions};

const STATUS: &str = "/status/printableStatus";

fn misbehaving(how: Misbehaviour) -> Stage {
    let stage = Stage::new(Profile::default(), 1, MisbehaviourTable::none().with("ns/vm", how));
    stage.namespace("ns");
    stage
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_crashes_at_once_backs_off_longer_each_time() {
    let stage = misbehaving(Misbehaviour::Crashes);
    stage.create("ns", machine("vm", "Always")).await;
    stage
        .until("three failures", |stage| {
            stage.vm("ns", "vm").is_some_and(|vm| vm["status"]["startFailure"]["consecutiveFailCount"] == 3)
        })
        .await;
    let born: Vec<f64> = stage
        .of(&VIRTUAL_MACHINE_INSTANCES)
        .into_iter()
        .filter(|change| change.action == Action::Added)
        .map(|change| change.at)
        .collect();
    assert_eq!(born.len(), 3);
    let (first, second) = (born[1] - born[0], born[2] - born[1]);
    assert!((15.0..27.0).contains(&first) && (45.0..75.0).contains(&second), "{born:?}");
    assert!(stage.history(&VIRTUAL_MACHINES, "vm", STATUS).contains(&"CrashLoopBackOff".to_owned()));
    assert!(
        stage
            .of(&EVENTS)
            .iter()
            .any(|change| change.object.value()["message"] == "The VirtualMachineInstance crashed.")
    );
    stage.power("ns", "vm", "Halted").await;
    stage.until_status("ns", "vm", "Stopped").await;
    stage
        .until("forgotten", |stage| {
            stage.vm("ns", "vm").is_some_and(|vm| vm["status"].get("startFailure").is_none())
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn machines_without_a_network_of_the_pod_do_not_keep_the_others_waiting() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    for number in 1..=3 {
        let mut vm = machine(&format!("vm-{number}"), "Always");
        vm["spec"]["template"]["spec"]["domain"]["devices"] =
            json!({"autoattachPodInterface": false, "disks": [{"name": "root", "disk": {"bus": "virtio"}}]});
        vm["spec"]["template"]["spec"]["networks"] = json!([]);
        stage.create("ns", vm).await;
    }
    stage
        .until("the agents have answered", |stage| {
            (1..=3).all(|number| {
                let vmi = stage.vmi("ns", &format!("vm-{number}"));
                vmi.is_some_and(|vmi| vmi["status"]["guestOSInfo"].get("id").is_some())
            })
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_crashes_once_comes_up_at_the_second_attempt() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    let mut vm = machine("vm", "Always");
    vm["metadata"]["annotations"] = json!({ANNOTATION: "crashes-once"});
    stage.create("ns", vm).await;
    stage.until_status("ns", "vm", "Running").await;
    assert!(stage.vm("ns", "vm").expect("the machine")["status"].get("startFailure").is_none());
    assert!((18.0..40.0).contains(&stage.clock.now()), "{}", stage.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_never_boots_stays_starting_and_can_be_stopped() {
    let stage = misbehaving(Misbehaviour::NeverBoots);
    stage.create("ns", machine("vm", "Always")).await;
    stage.clock.sleep(600.0).await;
    assert_eq!(stage.vmi("ns", "vm").expect("an instance")["status"]["phase"], "Scheduled");
    assert_eq!(stage.vm("ns", "vm").expect("the machine")["status"]["printableStatus"], "Starting");
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    assert!(stage.clock.now() < 630.0);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_never_schedules_is_unschedulable() {
    let stage = misbehaving(Misbehaviour::NeverSchedules);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "ErrorUnschedulable").await;
    assert!(stage.clock.now() < 1.0, "{}", stage.clock.now());
    stage.clock.sleep(60.0).await;
    let pod = stage.store.list(&PODS, Some("ns")).0[0].clone();
    let why = conditions::find(pod.value(), "PodScheduled").expect("a condition")["message"]
        .as_str()
        .unwrap_or_default();
    assert!(why.starts_with("0/1 nodes are available: 1 node(s) didn't match"), "{why}");
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_refuses_to_stop_is_killed_when_its_grace_ends() {
    let stage = misbehaving(Misbehaviour::RefusesToStop);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    stage.clock.sleep(20.0).await;
    let began = stage.clock.now();
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    let took = stage.clock.now() - began;
    assert!((30.0..34.0).contains(&took), "{took}");
    let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, "vm", "/status/phase");
    assert_eq!(phases.last().map(String::as_str), Some("Failed"));
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_ends_a_guest_that_refuses() {
    let stage = misbehaving(Misbehaviour::RefusesToStop);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    stage.power("ns", "vm", "Halted").await;
    stage.clock.sleep(2.0).await;
    let began = stage.clock.now();
    stage.store.modify(&VIRTUAL_MACHINE_INSTANCES, "ns", "vm", |vmi| {
        vmi["spec"]["terminationGracePeriodSeconds"] = json!(0);
    });
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    assert!(stage.clock.now() - began < 3.0);
    let phases = stage.history(&VIRTUAL_MACHINE_INSTANCES, "vm", "/status/phase");
    assert_eq!(phases.last().map(String::as_str), Some("Succeeded"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_never_stops_never_stops() {
    let stage = misbehaving(Misbehaviour::NeverStops);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    stage.power("ns", "vm", "Halted").await;
    stage.clock.sleep(900.0).await;
    assert_eq!(stage.vm("ns", "vm").expect("the machine")["status"]["printableStatus"], "Stopping");
    assert!(!stage.store.is_empty(&PODS, "ns"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_network_runs_and_never_answers() {
    let stage = misbehaving(Misbehaviour::NoNetwork);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    stage.clock.sleep(300.0).await;
    let vmi = stage.vmi("ns", "vm").expect("an instance");
    assert!(conditions::find(&vmi, "AgentConnected").is_none());
    let uid = vmi["metadata"]["uid"].as_str().unwrap_or_default();
    assert_eq!(stage.controllers.guests().presence(uid).and_then(|guest| guest.network_at), None);
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_image_is_missing_says_so_and_can_be_stopped() {
    let stage = misbehaving(Misbehaviour::BadImage);
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "ErrImagePull").await;
    stage.until_status("ns", "vm", "ImagePullBackOff").await;
    assert!(conditions::is(&stage.vmi("ns", "vm").expect("an instance"), "Synchronized", "False"));
    stage.power("ns", "vm", "Halted").await;
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    stage.until_status("ns", "vm", "Stopped").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_machine_is_slower_by_its_factor() {
    let took = async |how| {
        let stage = Stage::new(Profile::default(), 1, how);
        stage.namespace("ns");
        stage.create("ns", machine("vm", "Always")).await;
        stage.until_status("ns", "vm", "Running").await;
        stage.clock.now()
    };
    let normal = took(MisbehaviourTable::none()).await;
    let slow = took(MisbehaviourTable::none().with("*/vm", Misbehaviour::Slow(3.0))).await;
    assert!(slow > normal * 1.7 && slow < normal * 3.2, "{normal} and {slow}");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_waits_for_room() {
    let mut profile = profile::named("small-node").expect("a profile");
    profile.node.memory_gib = 1.2;
    let stage = Stage::new(profile, 1, MisbehaviourTable::none());
    stage.namespace("ns");
    for name in ["a", "b", "c"] {
        stage.create("ns", machine(name, "Always")).await;
    }
    stage.until_status("ns", "c", "ErrorUnschedulable").await;
    stage.until_status("ns", "b", "Running").await;
    stage.clock.sleep(60.0).await;
    let pod = stage
        .store
        .list(&PODS, Some("ns"))
        .0
        .into_iter()
        .find(|pod| pod.name().starts_with("virt-launcher-c-"))
        .expect("a pod");
    let why = conditions::find(pod.value(), "PodScheduled").expect("a condition")["message"].clone();
    assert!(why.as_str().is_some_and(|why| why.contains("1 Insufficient memory")), "{why}");
    let failed = stage
        .of(&EVENTS)
        .into_iter()
        .find(|change| change.object.value()["reason"] == "FailedScheduling")
        .expect("an event");
    assert_eq!(failed.object.value()["type"], "Warning");
    stage.power("ns", "a", "Halted").await;
    stage.until_status("ns", "c", "Running").await;
    assert!(stage.clock.now() < 150.0, "{}", stage.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_cordoned_node_takes_nothing_until_it_is_open_again() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage.store.modify(&NODES, "", "node1", |node| node["spec"]["unschedulable"] = json!(true));
    stage.clock.sleep(0.1).await;
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "ErrorUnschedulable").await;
    stage.store.modify(&NODES, "", "node1", |node| node["spec"]["unschedulable"] = json!(false));
    stage.until_status("ns", "vm", "Running").await;
    let seen = stage.history(&VIRTUAL_MACHINES, "vm", STATUS);
    assert_eq!(seen.last().map(String::as_str), Some("Running"));
}

#[tokio::test(start_paused = true)]
async fn a_machine_pinned_to_a_node_goes_there() {
    let stage = Stage::named("default", 3);
    stage.namespace("ns");
    for name in ["a", "b", "c", "d"] {
        let mut vm = machine(name, "Always");
        vm["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node2"});
        stage.create("ns", vm).await;
    }
    for name in ["a", "b", "c", "d"] {
        stage.until_status("ns", name, "Running").await;
        assert_eq!(stage.vmi("ns", name).expect("an instance")["status"]["nodeName"], "node2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_deleted_by_hand_takes_the_guest_down_and_the_strategy_brings_it_back() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    let uid = stage.vmi("ns", "vm").expect("an instance")["metadata"]["uid"].clone();
    let pod = stage.store.list(&PODS, Some("ns")).0[0].clone();
    stage.store.delete(&PODS, "ns", pod.name(), &DeleteOptions::default()).expect("deleted");
    stage
        .until("another instance", |stage| {
            stage
                .vmi("ns", "vm")
                .is_some_and(|vmi| vmi["metadata"]["uid"] != uid && vmi["status"]["phase"] == "Running")
        })
        .await;
    assert!(stage.vm("ns", "vm").expect("the machine")["status"].get("startFailure").is_none());
    assert!(stage.clock.now() < 40.0, "{}", stage.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_pod_removed_by_force_fails_the_instance_without_a_timestamp() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Manual")).await;
    stage.until_status("ns", "vm", "Stopped").await;
    stage.store.modify(&VIRTUAL_MACHINES, "ns", "vm", |vm| {
        vm["status"]["stateChangeRequests"] = json!([{"action": "Start"}]);
    });
    stage.until_status("ns", "vm", "Running").await;
    let pod = stage.store.list(&PODS, Some("ns")).0[0].clone();
    let force = DeleteOptions { grace_period: Some(0), ..DeleteOptions::default() };
    stage.store.delete(&PODS, "ns", pod.name(), &force).expect("deleted");
    stage
        .until("a failed instance", |stage| {
            stage.vmi("ns", "vm").is_some_and(|vmi| vmi["status"]["phase"] == "Failed")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn requests_drive_a_manual_machine() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Manual")).await;
    stage.until_status("ns", "vm", "Stopped").await;
    let ask = |requests: crate::value::Value| {
        stage
            .store
            .modify(&VIRTUAL_MACHINES, "ns", "vm", |vm| vm["status"]["stateChangeRequests"] = requests);
    };
    ask(json!([{"action": "Start"}]));
    stage.until_status("ns", "vm", "Running").await;
    assert!(stage.vm("ns", "vm").expect("the machine")["status"].get("stateChangeRequests").is_none());
    let uid = stage.vmi("ns", "vm").expect("an instance")["metadata"]["uid"].clone();
    ask(json!([{"action": "Stop", "uid": uid}, {"action": "Start"}]));
    stage
        .until("another instance", |stage| {
            stage
                .vmi("ns", "vm")
                .is_some_and(|vmi| vmi["metadata"]["uid"] != uid && vmi["status"]["phase"] == "Running")
        })
        .await;
    stage
        .until("no requests", |stage| {
            stage.vm("ns", "vm").is_some_and(|vm| vm["status"].get("stateChangeRequests").is_none())
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn rerun_on_failure_runs_a_new_machine_and_repeats_a_failed_one() {
    let stage = misbehaving(Misbehaviour::CrashesOnce);
    stage.create("ns", machine("vm", "RerunOnFailure")).await;
    stage.until_status("ns", "vm", "Running").await;
    let uid = stage.vmi("ns", "vm").expect("an instance")["metadata"]["uid"].clone();
    stage.store.modify(&VIRTUAL_MACHINES, "ns", "vm", |vm| {
        vm["status"]["stateChangeRequests"] = json!([{"action": "Stop", "uid": uid}]);
    });
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
    stage.clock.sleep(30.0).await;
    assert!(stage.vmi("ns", "vm").is_none(), "a stopped one stays stopped");
    assert_eq!(stage.vm("ns", "vm").expect("the machine")["spec"]["runStrategy"], "RerunOnFailure");
}

#[tokio::test(start_paused = true)]
async fn the_old_boolean_still_works() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    let mut vm = machine("vm", "Always");
    vm["spec"].as_object_mut().expect("a spec").remove("runStrategy");
    vm["spec"]["running"] = json!(true);
    stage.create("ns", vm).await;
    stage.until_status("ns", "vm", "Running").await;
    stage.store.modify(&VIRTUAL_MACHINES, "ns", "vm", |vm| vm["spec"]["running"] = json!(false));
    stage.until("no instance", |stage| stage.vmi("ns", "vm").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_pod_runs_and_goes() {
    let stage = Stage::named("default", 1);
    stage.namespace("ns");
    let pod = json!({"metadata": {"name": "busybox", "namespace": "ns"},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [{"name": "busybox", "image": "busybox:1"}]}});
    stage.store.create(&PODS, pod).expect("a pod");
    stage
        .until("ready", |stage| {
            stage
                .store
                .get(&PODS, "ns", "busybox")
                .is_some_and(|pod| conditions::is(pod.value(), "Ready", "True"))
        })
        .await;
    let pod = stage.store.get(&PODS, "ns", "busybox").expect("a pod");
    assert_eq!(pod.value()["status"]["containerStatuses"][0]["ready"], true);
    assert!(pod.value()["status"]["podIP"].is_string());
    stage.store.delete(&PODS, "ns", "busybox", &DeleteOptions::default()).expect("deleted");
    stage.until("gone", |stage| stage.store.get(&PODS, "ns", "busybox").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_finalizer_holds_a_machine_and_its_namespace() {
    let stage = misbehaving(Misbehaviour::BlocksDeletion);
    stage.create("ns", machine("vm", "Halted")).await;
    stage.until_status("ns", "vm", "Stopped").await;
    stage.store.delete(&NAMESPACES, "", "ns", &DeleteOptions::default()).expect("marked");
    stage.clock.sleep(120.0).await;
    let vm = stage.vm("ns", "vm").expect("still held");
    assert_eq!(vm["metadata"]["finalizers"], json!([names::FOREIGN_FINALIZER]));
    let namespace = stage.store.get(&NAMESPACES, "", "ns").expect("still terminating");
    let says =
        |kind: &str| conditions::find(namespace.value(), kind).expect("a condition")["message"].clone();
    let held = "Some content in the namespace has finalizers remaining: somebody.example/hold in 1 resource instances";
    assert_eq!(says("NamespaceFinalizersRemaining"), held);
    let left = "Some resources are remaining: virtualmachines.kubevirt.io has 1 resource instances";
    assert_eq!(says("NamespaceContentRemaining"), left);
    stage.store.modify(&VIRTUAL_MACHINES, "ns", "vm", |vm| {
        names::drop_finalizer(vm, names::FOREIGN_FINALIZER);
    });
    stage.until("no namespace", |stage| stage.store.get(&NAMESPACES, "", "ns").is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_may_hold_somebody_elses_things() {
    let table = MisbehaviourTable::none().with("ns/", Misbehaviour::BlocksDeletion);
    let stage = Stage::new(profile::named("default").expect("built in"), 1, table);
    stage.namespace("ns");
    stage.create("ns", machine("vm", "Halted")).await;
    stage.until_status("ns", "vm", "Stopped").await;
    stage.store.delete(&NAMESPACES, "", "ns", &DeleteOptions::default()).expect("marked");
    stage.until("no machine", |stage| stage.vm("ns", "vm").is_none()).await;
    stage
        .until("the core group with its dot", |stage| {
            let namespace = stage.store.get(&NAMESPACES, "", "ns").expect("still terminating");
            conditions::find(namespace.value(), "NamespaceContentRemaining").is_some_and(|condition| {
                condition["message"] == "Some resources are remaining: configmaps. has 1 resource instances"
            })
        })
        .await;
}
