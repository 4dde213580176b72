//! The guide's test from setup to cleanup, with a process per phase.

use bootstorm_sandbox::store::kind;

use crate::support::Cluster;

/// Names of a run's objects of a kind.
fn of_run(cluster: &Cluster, kind: &'static bootstorm_sandbox::store::Kind) -> Vec<String> {
    let (objects, _) = cluster.sandbox.store().list(kind, None);
    let ours = |object: &&bootstorm_sandbox::store::Object| {
        object.value().pointer("/metadata/labels/bootstorm.dev~1run").is_some()
    };
    objects.iter().filter(ours).map(|object| object.name().to_owned()).collect()
}

#[test]
fn every_phase_is_a_process_of_its_own_and_nothing_is_left() {
    let cluster = Cluster::instant();
    cluster
        .run(&["setup", "--end", "12"])
        .exits(0)
        .prints(&["run boot-storm-test is set up", "next: kubectl bootstorm create"]);
    assert_eq!(of_run(&cluster, &kind::NAMESPACES).len(), 12);
    cluster
        .run(&["create"])
        .exits(0)
        .prints(&["VM Creation Performance Test Results", "Successful:             12"]);
    assert_eq!(of_run(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES).len(), 12);
    cluster.run(&["stop"]).exits(0).prints(&["Successfully stopped: 12/12 VMs"]);
    assert_eq!(of_run(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES).len(), 0);
    cluster.run(&["storm"]).exits(0).prints(&["BOOT STORM", "Comparison: create -> storm-1", "Verdict"]);
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm"]).exits(0).prints(&["Comparison: create -> storm-2"]);
    cluster.run(&["status"]).exits(0).prints(&[
        "create",
        "stop-1",
        "storm-1",
        "stop-2",
        "storm-2",
        "Next: kubectl bootstorm report",
    ]);
    cluster.run(&["status", "-A"]).exits(0).prints(&["NAMESPACE", "boot-storm-test", "storm-2", "done"]);
    cluster.run(&["report"]).exits(0).prints(&["VM Creation Performance Test Results", "Verdict"]);
    let report = cluster.run(&["report", "-o", "json"]).exits(0).json();
    assert_eq!(report["phases"].as_array().unwrap().len(), 5);
    cluster.run(&["cleanup", "--yes"]).exits(0).prints(&[
        "namespace/boot-storm-test-1 deleted",
        "configmap/bootstorm-boot-storm-test -n default deleted",
    ]);
    for kind in [
        &kind::NAMESPACES,
        &kind::VIRTUAL_MACHINES,
        &kind::VIRTUAL_MACHINE_INSTANCES,
        &kind::PODS,
        &kind::CONFIG_MAPS,
        &kind::SECRETS,
        &kind::LEASES,
    ] {
        assert_eq!(of_run(&cluster, kind), Vec::<String>::new(), "{}", kind.plural);
    }
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["nothing of run boot-storm-test exists"]);
}

#[test]
fn run_does_it_all_and_saves_the_results() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&["run", "--end", "5", "--save-results", "--cleanup", "--yes"]).exits(0);
    let ran = ran.prints(&[
        "VM Creation Performance Test Results",
        "Boot Storm Performance Test Results",
        "Verdict",
    ]);
    assert_eq!(ran.stdout.matches("VM Creation Performance Test Results").count(), 1, "{}", ran.stdout);
    ran.complains(&["results saved in results/1-disk/", "cleaned up"]);
    let folder =
        std::fs::read_dir(cluster.home.path().join("results/1-disk")).unwrap().next().unwrap().unwrap();
    let files: std::collections::BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for name in
        ["vm_creation_results.json", "summary_boot_storm_results.csv", "boot_storm_results.csv", "run.json"]
    {
        assert!(files.contains(name), "{files:?}");
    }
    assert_eq!(of_run(&cluster, &kind::NAMESPACES), Vec::<String>::new());
}

#[test]
fn run_in_a_sandbox_needs_no_cluster() {
    let home = tempfile::tempdir().unwrap();
    crate::support::Program::new(home.path())
        .run(&["run", "--sandbox", "--profile", "instant", "--end", "3"])
        .exits(0)
        .prints(&["Boot Storm Performance Test Results", "Verdict"]);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_subresources_switch_power_too() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["stop", "--via", "subresource"]).exits(0);
    cluster.run(&["storm", "--via", "subresource"]).exits(0);
}

#[test]
fn an_own_manifest_is_used_and_its_secrets_stay_in_a_secret() {
    let cluster = Cluster::instant();
    let vm = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: golden, labels: {team: blue}}
spec:
  runStrategy: Halted
  template:
    spec:
      domain:
        memory: {guest: 256Mi}
        devices: {disks: [{name: root, disk: {bus: virtio}}, {name: init, disk: {bus: virtio}}]}
      volumes:
      - {name: root, containerDisk: {image: 'example.org/disk:1'}}
      - {name: init, cloudInitNoCloud: {userData: '#cloud-config password-hunter2'}}
";
    std::fs::write(cluster.home.path().join("vm.yaml"), vm).unwrap();
    cluster.run(&["setup", "--end", "2", "-f", "vm.yaml", "--vm-name", "blue"]).exits(0);
    let shown = cluster.run(&["create", "--dry-run=client", "-o", "yaml"]).exits(0);
    assert!(!shown.stdout.contains("hunter2") && shown.stdout.contains("(redacted)"), "{}", shown.stdout);
    cluster.run(&["create"]).exits(0);
    assert_eq!(std::fs::read_to_string(cluster.home.path().join("vm.yaml")).unwrap(), vm);
    let store = cluster.sandbox.store();
    let made = store.get(&kind::VIRTUAL_MACHINES, "boot-storm-test-2", "blue").unwrap();
    assert_eq!(made.value()["metadata"]["labels"]["team"], "blue");
    assert_eq!(made.value()["spec"]["runStrategy"], "Always");
    let (maps, _) = store.list(&kind::CONFIG_MAPS, None);
    assert!(maps.iter().all(|map| !map.value().to_string().contains("hunter2")));
    assert!(store.get(&kind::SECRETS, "default", "bootstorm-boot-storm-test").is_some());
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(store.get(&kind::SECRETS, "default", "bootstorm-boot-storm-test").is_none());
}

#[test]
fn a_manifest_is_read_from_standard_input_once() {
    let cluster = Cluster::instant();
    let vm = "{apiVersion: kubevirt.io/v1, kind: VirtualMachine, spec: {template: {spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}}";
    std::fs::write(cluster.home.path().join("vm.yaml"), vm).unwrap();
    let file = std::fs::File::open(cluster.home.path().join("vm.yaml")).unwrap();
    let child = cluster.program().command(&["run", "--end", "1", "-f", "-"]).stdin(file).spawn().unwrap();
    crate::support::Ran::of(child).exits(0);
}

#[test]
fn two_runs_live_side_by_side() {
    let cluster = Cluster::instant();
    for run in ["friday", "monday"] {
        cluster.run(&["setup", "--ns-prefix", run, "--end", "2"]).exits(0);
        cluster.run(&["create", "--ns-prefix", run]).exits(0);
    }
    cluster.run(&["cleanup", "--ns-prefix", "friday", "--yes"]).exits(0);
    assert_eq!(of_run(&cluster, &kind::VIRTUAL_MACHINE_INSTANCES).len(), 2);
    cluster.run(&["stop", "--ns-prefix", "monday"]).exits(0);
}
