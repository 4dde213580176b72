//! VMs that misbehave are rows with a reason, count in the sample, and change the exit code.

use crate::support::Cluster;

fn manifest(misbehave: &str) -> String {
    format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  annotations: {{sandbox.bootstorm.dev/misbehave: {misbehave}}}\nspec:\n  template:\n    spec:\n      terminationGracePeriodSeconds: 5\n      domain: {{memory: {{guest: 256Mi}}, devices: {{}}}}\n"
    )
}

fn prepare(cluster: &Cluster, misbehave: &str) {
    std::fs::write(cluster.home.path().join("vm.yaml"), manifest(misbehave)).unwrap();
    cluster.run(&["setup", "--end", "3", "-f", "vm.yaml"]).exits(0);
}

#[test]
fn a_vm_that_never_schedules_is_timed_out_with_its_reason() {
    let cluster = Cluster::instant();
    prepare(&cluster, "never-schedules");
    let ran = cluster.run(&["create", "--timeout", "2s"]).exits(3);
    ran.prints(&["Successful:             0", "not reached", "Timed out", "nschedulable"]);
}

#[test]
fn a_vm_that_never_boots_is_timed_out() {
    let cluster = Cluster::instant();
    prepare(&cluster, "never-boots");
    let report = cluster.run(&["create", "--timeout", "2s", "-o", "json"]).exits(3).json();
    assert_eq!(report["phases"][0]["counts"]["timed_out"], 3);
    assert!(report["phases"][0]["rows"][0]["reason"].as_str().unwrap().contains("not running after 2s"));
}

#[test]
fn vms_that_do_not_stop_are_left_out_of_the_storm() {
    let cluster = Cluster::instant();
    prepare(&cluster, "never-stops");
    cluster.run(&["create"]).exits(0);
    cluster.run(&["stop", "--timeout", "2s"]).exits(3).prints(&["Successfully stopped: 0/3 VMs"]);
    let storm = cluster.run(&["storm", "-o", "json"]).exits(3);
    let storm = storm.complains(&["boot-storm-test-1/boot-storm-vm is left out: it was not stopped"]).json();
    assert_eq!(storm["phases"][2]["counts"]["excluded"], 3);
    assert_eq!(storm["phases"][2]["counts"]["participants"], 0);
}

#[test]
fn a_refused_creation_is_a_failed_row_with_the_servers_words() {
    let cluster = Cluster::instant();
    let vm =
        manifest("never-boots").replace("devices: {}", "devices: {disks: [{name: c, disk: {bus: virtio}}]}");
    std::fs::write(cluster.home.path().join("vm.yaml"), vm).unwrap();
    cluster
        .run(&["setup", "--end", "2", "-f", "vm.yaml"])
        .exits(5)
        .complains(&["disks[0].Name 'c' not found", "--skip-preflight"]);
    cluster.run(&["setup", "--end", "2", "--skip-preflight", "-f", "vm.yaml"]).exits(0);
    let ran = cluster.run(&["create", "-o", "wide"]).exits(3);
    ran.prints(&["Failed", "disks[0].Name 'c' not found"]);
}
