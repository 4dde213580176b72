//! Thresholds: rejected up front if they cannot be evaluated, and exit code 4 if they are crossed.

use bootstorm_sandbox::store::kind;

use crate::support::Cluster;

fn machines(cluster: &Cluster) -> usize {
    cluster.sandbox.store().list(&kind::VIRTUAL_MACHINES, None).0.len()
}

#[test]
fn what_will_not_be_measured_is_refused_before_any_work() {
    let cluster = Cluster::instant();
    let refused = [
        ("storm.walking.p95>1s", "`walking` is not a milestone; there are goal, accepted"),
        ("boot.running.p95>1s", "`boot` is not a milestone"),
        ("storm.running.p95>soon", "`soon` is not a duration"),
        ("storm-2.running.p95>1s", "there is no phase storm-2 (phases: create, stop-1, storm-1)"),
    ];
    for (condition, complaint) in refused {
        cluster.run(&["run", "--end", "2", "--fail-if", condition]).exits(2).complains(&[complaint]);
        let sandbox = ["run", "--sandbox", "--profile", "instant", "--end", "2", "--fail-if", condition];
        cluster.run(&sandbox).exits(2).complains(&[complaint]);
    }
    let unprobed = ["run", "--end", "2", "--probe", "none", "--fail-if", "storm.reachable.p95>1s"];
    cluster.run(&unprobed).exits(2).complains(&["nothing is probed in storm-1"]);
    let no_storm = ["run", "--end", "2", "--no-storm", "--fail-if", "storm.running.p95>1s"];
    cluster.run(&no_storm).exits(2).complains(&["there is no phase storm (phases: create)"]);
    cluster.run(&["status"]).exits(1).complains(&["there is no run"]);
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster
        .run(&["create", "--fail-if", "storm.running.p95>1s"])
        .exits(2)
        .complains(&["there is no phase storm (phases: create)"]);
    assert_eq!(machines(&cluster), 0);
}

#[test]
fn a_crossed_threshold_is_exit_code_4_in_every_command() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&[
        "run",
        "--end",
        "2",
        "--fail-if",
        "storm.reachable.p95>1us",
        "--fail-if",
        "storm/create.running.mean>100000",
        "--fail-if",
        "failed>1%",
    ]);
    ran.exits(4).prints(&["Thresholds:", "storm.reachable.p95>1us", "crossed", "kept"]);
    cluster.run(&["report", "--fail-if", "storm.running.max>1h"]).exits(0).prints(&["storm.running.max>1h"]);
    let report = cluster.run(&["report", "-o", "json", "--fail-if", "create.goal.t100>1us"]).exits(4);
    let report = report.complains(&["threshold crossed: create.goal.t100>1us"]).json();
    assert_eq!(report["thresholds"][0]["result"], "crossed");
    assert_eq!(report["thresholds"][0]["phase"], "create");
    assert!(report["thresholds"][0]["value"].as_f64().unwrap() > 0.0);
    cluster
        .run(&["report", "--fail-if", "storm-9.goal.p50>1s"])
        .exits(2)
        .complains(&["phases: create, stop-1"]);
    cluster.run(&["stop", "--fail-if", "gone.p50>1us"]).exits(4).prints(&["crossed", "stop-2"]);
    cluster.run(&["storm", "--fail-if", "reached<2", "--fail-if", "duration>1h"]).exits(0).prints(&["kept"]);
    cluster.run(&["storm", "--fail-if", "goal.p95>1s"]).exits(1).complains(&["a storm starts stopped VMs"]);
}

#[test]
fn a_crossed_threshold_wins_over_missed_vms() {
    let cluster = Cluster::instant();
    let prone = ["run", "--end", "3", "--probe", "none", "--timeout", "2s"];
    std::fs::write(cluster.home.path().join("vm.yaml"), STUCK).unwrap();
    let args: Vec<&str> =
        prone.iter().copied().chain(["--no-storm", "-f", "vm.yaml", "--skip-preflight"]).collect();
    cluster.run(&args).exits(3);
    cluster.run(&["report"]).exits(3);
    cluster.run(&["report", "--fail-if", "failed>3"]).exits(3).prints(&["kept"]);
    let crossed = cluster.run(&["report", "--fail-if", "failed>2", "--fail-if", "running.p50>1h"]);
    crossed.exits(4).prints(&["3 VMs", "not reached"]);
}

/// A VM that fits no node.
const STUCK: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
spec:
  template:
    spec:
      domain:
        memory: {guest: 4000Gi}
        devices: {}
";
