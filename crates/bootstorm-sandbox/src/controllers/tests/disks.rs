//! Machines whose disks have to be created first.

use crate::value::{Value, json};

use super::stage::{Stage, machine};
use crate::controllers::conditions;
use crate::store::DeleteOptions;
use crate::store::kind::{
    DATA_SOURCES, DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES,
    VIRTUAL_MACHINES,
};

const STATUS: &str = "/status/printableStatus";

fn stage(binding: &str) -> Stage {
    let stage = Stage::named("default", 2);
    for namespace in ["ns", "golden"] {
        stage.namespace(namespace);
    }
    let class = json!({
        "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "sandbox", "volumeBindingMode": binding,
    });
    stage.store.create(&STORAGE_CLASSES, class).expect("a class");
    stage
}

async fn with_golden_image(binding: &str) -> Stage {
    let stage = stage(binding);
    let blank = json!({
        "metadata": {"name": "fedora", "namespace": "golden", "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}},
        "spec": {"source": {"http": {"url": "https://example.invalid/fedora.qcow2"}}, "storage": {"resources": {"requests": {"storage": "30Gi"}}}},
    });
    stage.store.create(&DATA_VOLUMES, blank).expect("a data volume");
    let source = json!({"metadata": {"name": "fedora", "namespace": "golden"}, "spec": {"source": {"pvc": {"name": "fedora", "namespace": "golden"}}}});
    stage.store.create(&DATA_SOURCES, source).expect("a data source");
    stage
        .until("an image", |stage| {
            stage
                .store
                .get(&DATA_VOLUMES, "golden", "fedora")
                .is_some_and(|volume| volume.value()["status"]["phase"] == "Succeeded")
        })
        .await;
    stage
}

fn cloned(name: &str, strategy: &str) -> Value {
    let mut vm = machine(name, strategy);
    vm["spec"]["dataVolumeTemplates"] = json!([{"metadata": {"name": format!("{name}-root"), "labels": {"run": "r1"}},
        "spec": {"sourceRef": {"kind": "DataSource", "name": "fedora", "namespace": "golden"}, "storage": {"resources": {"requests": {"storage": "5Gi"}}}}}]);
    vm["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "root", "dataVolume": {"name": format!("{name}-root")}}]);
    vm
}

#[tokio::test(start_paused = true)]
async fn an_import_tells_how_far_it_is() {
    let stage = with_golden_image("Immediate").await;
    let phases = stage.history(&DATA_VOLUMES, "fedora", "/status/phase");
    assert_eq!(phases, ["-", "ImportScheduled", "ImportInProgress", "Succeeded"]);
    let progress = stage.history(&DATA_VOLUMES, "fedora", "/status/progress");
    assert_eq!(progress.first().map(String::as_str), Some("-"));
    assert!(
        progress.contains(&"40.00%".to_owned()) && progress.last().is_some_and(|last| last == "100.0%"),
        "{progress:?}"
    );
    let claim = stage.store.get(&PERSISTENT_VOLUME_CLAIMS, "golden", "fedora").expect("a claim");
    assert_eq!(claim.value()["status"]["phase"], "Bound");
}

#[tokio::test(start_paused = true)]
async fn a_clone_goes_through_its_phases_before_the_machine_starts() {
    let stage = with_golden_image("Immediate").await;
    stage.create("ns", cloned("vm", "Always")).await;
    stage.until_status("ns", "vm", "Running").await;
    let phases = stage.history(&DATA_VOLUMES, "vm-root", "/status/phase");
    assert_eq!(
        phases,
        [
            "-",
            "SnapshotForSmartCloneInProgress",
            "CloneFromSnapshotSourceInProgress",
            "PrepClaimInProgress",
            "RebindInProgress",
            "Succeeded"
        ]
    );
    let seen = stage.history(&VIRTUAL_MACHINES, "vm", STATUS);
    assert_eq!(seen.last().map(String::as_str), Some("Running"));
    assert!(seen.contains(&"Provisioning".to_owned()), "{seen:?}");
    let volume = stage.store.get(&DATA_VOLUMES, "ns", "vm-root").expect("a data volume");
    assert!(volume.value()["spec"].get("sourceRef").is_none());
    assert_eq!(volume.value()["spec"]["source"]["pvc"]["namespace"], "golden");
    assert_eq!(volume.value()["metadata"]["annotations"]["cdi.kubevirt.io/cloneType"], "snapshot");
    stage.store.delete(&VIRTUAL_MACHINES, "ns", "vm", &DeleteOptions::default()).expect("deleted");
    stage
        .until("nothing left", |stage| {
            stage.vm("ns", "vm").is_none()
                && stage.store.is_empty(&DATA_VOLUMES, "ns")
                && stage.store.is_empty(&PERSISTENT_VOLUME_CLAIMS, "ns")
                && stage.store.list(&PERSISTENT_VOLUMES, None).0.len() == 1
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_halted_machine_gets_its_disk_all_the_same() {
    let stage = with_golden_image("Immediate").await;
    stage.create("ns", cloned("vm", "Halted")).await;
    stage
        .until("a disk", |stage| {
            stage
                .store
                .get(&DATA_VOLUMES, "ns", "vm-root")
                .is_some_and(|volume| volume.value()["status"]["phase"] == "Succeeded")
        })
        .await;
    stage.until_status("ns", "vm", "Stopped").await;
    assert!(stage.vmi("ns", "vm").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_disk_for_the_first_consumer_waits_for_its_node() {
    let stage = with_golden_image("WaitForFirstConsumer").await;
    stage.create("ns", cloned("vm", "Halted")).await;
    stage
        .until("a waiting disk", |stage| {
            stage
                .store
                .get(&DATA_VOLUMES, "ns", "vm-root")
                .is_some_and(|volume| volume.value()["status"]["phase"] == "PendingPopulation")
        })
        .await;
    stage.clock.sleep(60.0).await;
    stage.power("ns", "vm", "Always").await;
    stage.until_status("ns", "vm", "Running").await;
    let seen = stage.history(&VIRTUAL_MACHINES, "vm", STATUS);
    assert!(
        seen.contains(&"WaitingForVolumeBinding".to_owned()) && seen.contains(&"Provisioning".to_owned()),
        "{seen:?}"
    );
    let claim = stage.store.get(&PERSISTENT_VOLUME_CLAIMS, "ns", "vm-root").expect("a claim");
    assert!(claim.value()["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_missing_claim_is_an_error_until_it_appears() {
    let stage = stage("Immediate");
    let mut vm = machine("vm", "Always");
    vm["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "root", "persistentVolumeClaim": {"claimName": "disk"}}]);
    stage.create("ns", vm).await;
    stage.until_status("ns", "vm", "ErrorPvcNotFound").await;
    let claim = json!({"metadata": {"name": "disk", "namespace": "ns"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"}});
    stage.store.create(&PERSISTENT_VOLUME_CLAIMS, claim).expect("a claim");
    stage.until_status("ns", "vm", "Running").await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_golden_image_fails_the_machine_visibly() {
    let stage = stage("Immediate");
    stage.create("ns", cloned("vm", "Always")).await;
    stage
        .until("a failure", |stage| {
            stage
                .vm("ns", "vm")
                .is_some_and(|vm| super::super::conditions::reason(&vm, "Failure") == "FailedCreate")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_on_a_claim_of_one_node_cannot_migrate_and_says_why() {
    let stage = stage("Immediate");
    for (name, mode) in [("one", "ReadWriteOnce"), ("many", "ReadWriteMany")] {
        let claim = json!({
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"},
        });
        stage.store.create(&PERSISTENT_VOLUME_CLAIMS, claim).expect("a claim");
        let mut vm = machine(name, "Always");
        vm["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "root", "persistentVolumeClaim": {"claimName": name}}]);
        stage.create("ns", vm).await;
        stage.until_status("ns", name, "Running").await;
    }
    let condition = |name: &str| {
        let vmi = stage.vmi("ns", name).expect("an instance");
        conditions::find(&vmi, "LiveMigratable").cloned().expect("a condition")
    };
    let no = condition("one");
    assert_eq!((&no["status"], &no["reason"]), (&json!("False"), &json!("DisksNotLiveMigratable")));
    assert!(no["message"].as_str().is_some_and(|text| text.contains("PVC one is not shared")), "{no}");
    assert_eq!(condition("many")["status"], "True");
}
