//! Why VMs did not reach the goal: similar ones form one group, with the injected cause and a command for further
//! diagnosis.

use bootstorm_sandbox::model::{Misbehaviour, Profile};
use bootstorm_sandbox::value::Value;

use crate::support::Cluster;

/// Failures of the last phase: number of VMs, cause and the missing milestone.
fn groups(report: &Value) -> Vec<(u64, String, String)> {
    let phase = report["phases"].as_array().unwrap().last().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let group =
        |block: &Value| (block["vms"].as_u64().unwrap(), text(&block["cause"]), text(&block["waits_for"]));
    phase["diagnoses"].as_array().unwrap().iter().map(group).collect()
}

/// Creates VMs on an instant cluster with a changed profile; returns the failures.
///
/// Repeated where this process was stalled while an instance of a crash loop came and went: the outcome of that VM is
/// unknown, as it has to be.
fn created(vms: &str, exit: i32, change: impl Fn(&mut Profile)) -> (Cluster, Vec<(u64, String, String)>) {
    for _ in 0..5 {
        let cluster = Cluster::changed(3, &change);
        cluster.run(&["setup", "--end", vms, "--probe", "none", "--skip-preflight"]).exits(0);
        let report = cluster.run(&["create", "--timeout", "3s", "-o", "json"]).exits(exit).json();
        let is_hidden =
            |row: &Value| row["reason"].as_str().is_some_and(|why| why.contains("could not be observed"));
        if !report["phases"][0]["rows"].as_array().unwrap().iter().any(is_hidden) {
            let groups = groups(&report);
            return (cluster, groups);
        }
    }
    panic!("this process was stalled each time");
}

fn misbehave(how: Misbehaviour) -> impl Fn(&mut Profile) {
    move |profile| {
        profile.misbehave.0.insert("boot-storm-test-*/*".into(), how);
    }
}

fn one(vms: u64, cause: &str, waits_for: &str) -> Vec<(u64, String, String)> {
    vec![(vms, cause.to_owned(), waits_for.to_owned())]
}

#[test]
fn clean_runs_have_no_causes() {
    let (cluster, groups) = created("4", 0, |_| {});
    assert_eq!(groups, []);
    cluster.run(&["report", "--failures"]).exits(0).prints(&["No VM failed, ran out of time, or stood out."]);
}

#[test]
fn too_little_memory_is_named_with_a_command() {
    let (cluster, groups) = created("6", 3, |profile| profile.node.memory_gib = 1.2);
    assert_eq!(groups, one(3, "FailedScheduling: Insufficient memory", "node"));
    let page = cluster.run(&["report", "--failures"]).exits(3);
    let page = page.prints(&[
        "create: 3 of 6 VMs missed the goal (running)",
        "3 VMs: FailedScheduling: Insufficient memory",
        "Waited for:             a node",
        "ErrorUnschedulable",
        "kubectl describe pod virt-launcher-boot-storm-vm-",
    ]);
    assert!(
        page.stdout.lines().all(|line| line.starts_with("  Investigate") || line.len() <= 100),
        "{}",
        page.stdout
    );
    cluster.run(&["report"]).prints(&["    3 VMs: FailedScheduling: Insufficient memory"]);
    for (format, words) in [
        ("csv", "FailedScheduling: Insufficient memory"),
        ("markdown", "| 3 | Waited for a node | `FailedScheduling: Insufficient memory` | `"),
        ("junit", "FailedScheduling: Insufficient memory (not running after 3s"),
        ("html", "<p class=\"reason\">FailedScheduling: Insufficient memory</p>"),
        ("yaml", "cause: \"FailedScheduling: Insufficient memory\""),
        ("openmetrics", "cause=\"FailedScheduling: Insufficient memory\"} 3"),
    ] {
        let shown = cluster.run(&["report", "-o", format]).stdout;
        assert!(shown.contains(words), "{format}: no {words} in {shown}");
    }
}

#[test]
fn without_a_look_at_pods_the_vm_itself_says_what_it_lacks() {
    let cluster = Cluster::changed(3, |profile| profile.node.memory_gib = 1.2);
    cluster.run(&["setup", "--end", "6", "--probe", "none", "--skip-preflight"]).exits(0);
    let ran = cluster.run(&["create", "--timeout", "3s", "--explain=false", "-o", "json"]).exits(3);
    assert_eq!(groups(&ran.json()), one(3, "FailedScheduling: Insufficient memory", "node"));
}

#[test]
fn a_quota_is_named() {
    let (_, groups) = created("3", 3, |profile| {
        profile.namespace_defaults.quota.insert("requests.memory".into(), "100Mi".into());
    });
    assert_eq!(groups, one(3, "FailedCreate: exceeded quota: default-quota", "pod"));
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    let (_, groups) = created("3", 3, misbehave(Misbehaviour::BadImage));
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert!(groups[0].1.starts_with("ImagePullBackOff: "), "{groups:?}");
    assert_eq!((groups[0].0, groups[0].2.as_str()), (3, "image"));
}

#[test]
fn a_crash_loop_is_named() {
    let (_, groups) = created("3", 3, misbehave(Misbehaviour::Crashes));
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert!(groups[0].1.starts_with("CrashLoopBackOff"), "{groups:?}");
    assert_eq!((groups[0].0, groups[0].2.as_str()), (3, "stay-up"));
}

#[test]
fn a_guest_that_never_boots_waited_to_be_started() {
    let (_, groups) = created("3", 3, misbehave(Misbehaviour::NeverBoots));
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert!(groups[0].1.ends_with("(waited for the guest to be started)"), "{groups:?}");
}

#[test]
fn nobody_schedules_is_not_too_little_memory() {
    let (_, groups) = created("3", 3, misbehave(Misbehaviour::NeverSchedules));
    let expected = "FailedScheduling: node(s) didn't match Pod's node affinity/selector";
    assert_eq!(groups, one(3, expected, "node"));
}

#[test]
fn a_claim_that_is_not_there_is_named() {
    let cluster = Cluster::instant();
    let vm = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec:\n  template:\n    spec:\n      domain: {memory: {guest: 256Mi}, devices: {disks: [{name: root, disk: {bus: virtio}}]}}\n      volumes: [{name: root, persistentVolumeClaim: {claimName: nowhere}}]\n";
    std::fs::write(cluster.home.path().join("vm.yaml"), vm).unwrap();
    cluster.run(&["setup", "--end", "3", "--probe", "none", "--skip-preflight", "-f", "vm.yaml"]).exits(0);
    let report = cluster.run(&["create", "--timeout", "3s", "-o", "json"]).exits(3).json();
    let groups = groups(&report);
    assert_eq!((groups.len(), groups[0].0, groups[0].2.as_str()), (1, 3, "volumes"), "{groups:?}");
    assert!(groups[0].1.contains("does not exist"), "{groups:?}");
    let example = &report["phases"][0]["diagnoses"][0]["example"];
    assert_eq!(example["volumes"], bootstorm_sandbox::value::json!(["PVC nowhere: does not exist"]));
}

#[test]
fn a_guest_without_a_network_and_one_that_does_not_stop_are_told_apart() {
    let cluster = Cluster::changed(3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-1/*".into(), Misbehaviour::NoNetwork);
        profile.misbehave.0.insert("boot-storm-test-2/*".into(), Misbehaviour::NeverStops);
    });
    cluster.run(&["setup", "--end", "3"]).exits(0);
    let report = cluster.run(&["create", "--ping-timeout", "2s", "-o", "json"]).exits(3).json();
    let found = groups(&report);
    assert_eq!((found.len(), found[0].0, found[0].2.as_str()), (1, 1, "reply"), "{found:?}");
    let report = cluster.run(&["stop", "--timeout", "3s", "-o", "json"]).exits(3).json();
    let found = groups(&report);
    assert_eq!((found.len(), found[0].0, found[0].2.as_str()), (1, 1, "power-off"), "{found:?}");
    let look = &report["phases"][1]["diagnoses"][0]["look"][0];
    assert_eq!(look, "kubectl describe vmi boot-storm-vm -n boot-storm-test-2");
}

#[test]
fn a_volume_that_cannot_be_attached_is_named() {
    let cluster = Cluster::changed(3, misbehave(Misbehaviour::NeverAttaches));
    let program = cluster.plain_program();
    program.run(&["setup", "--end", "3", "--probe", "none", "--source", "blank"]).exits(0);
    let report = program.run(&["create", "--timeout", "3s", "-o", "json"]).exits(3).json();
    let groups = groups(&report);
    assert_eq!((groups.len(), groups[0].0, groups[0].2.as_str()), (1, 3, "attachment"), "{groups:?}");
    assert!(groups[0].1.starts_with("FailedAttachVolume: Multi-Attach error for volume"), "{groups:?}");
}

#[test]
fn causes_that_differ_are_groups_of_their_own() {
    let (_, groups) = created("6", 3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-1/*".into(), Misbehaviour::NeverSchedules);
        profile.misbehave.0.insert("boot-storm-test-2/*".into(), Misbehaviour::Crashes);
        profile.misbehave.0.insert("boot-storm-test-3/*".into(), Misbehaviour::Crashes);
    });
    let waits_for: Vec<(u64, &str)> = groups.iter().map(|group| (group.0, group.2.as_str())).collect();
    assert_eq!(waits_for, [(2, "stay-up"), (1, "node")], "{groups:?}");
}

#[test]
fn what_most_vms_wait_for_is_told_while_they_wait() {
    let cluster = Cluster::changed(3, |profile| profile.node.memory_gib = 1.2);
    cluster.run(&["setup", "--end", "6", "--probe", "none", "--skip-preflight"]).exits(0);
    let ran = cluster.run(&["create", "--timeout", "12s"]).exits(3);
    ran.complains(&["create: 3/6 running, ", "s; 3 wait for a node: Insufficient memory"]);
}
