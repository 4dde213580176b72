//! Storms of many clusters at one instant.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};
use tempfile::TempDir;

use crate::support::{Cluster, Program, Ran, until};

/// Context names, in kubeconfig order.
const NAMES: [&str; 3] = ["site-a", "site-b", "site-c"];

/// Three simulated clusters in one kubeconfig, and a context that belongs to none of them
struct Fleet {
    clusters: Vec<Cluster>,
    home: TempDir,
}

impl Fleet {
    fn new() -> Self {
        Self::of(|| Cluster::with("instant", 3, 1.0))
    }

    fn of(make: impl Fn() -> Cluster) -> Self {
        let fleet =
            Self { clusters: NAMES.iter().map(|_| make()).collect(), home: tempfile::tempdir().unwrap() };
        let kubeconfigs: Vec<Value> =
            fleet.clusters.iter().map(|cluster| read(&cluster.kubeconfig())).collect();
        fleet
            .write(&kubeconfigs.iter().zip(NAMES).map(|(one, name)| (name, one.clone())).collect::<Vec<_>>());
        fleet
    }

    /// Writes the kubeconfig for these clusters.
    fn write(&self, members: &[(&str, Value)]) {
        let named = |list: &str, inner: &str| -> Vec<Value> {
            members.iter().map(|(name, one)| json!({"name": name, inner: one[list][0][inner]})).collect()
        };
        let mut contexts: Vec<Value> = members
            .iter()
            .map(|(name, _)| json!({"name": name, "context": {"cluster": name, "user": name}}))
            .collect();
        contexts.push(json!({"name": "lab", "context": {"cluster": "none", "user": "none"}}));
        let merged = json!({
            "apiVersion": "v1", "kind": "Config", "contexts": contexts,
            "clusters": named("clusters", "cluster"), "users": named("users", "user"),
        });
        fs::write(self.kubeconfig(), merged.to_string()).unwrap();
    }

    fn kubeconfig(&self) -> PathBuf {
        self.home.path().join("kubeconfig")
    }

    fn program(&self) -> Program {
        Program::new(self.home.path())
            .env("KUBECONFIG", &self.kubeconfig().to_string_lossy())
            .env("BOOTSTORM_SOURCE", "containerdisk:quay.io/containerdisks/fedora:41")
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.program().run(args)
    }

    /// The fleets' record files.
    fn records(&self) -> Vec<String> {
        let folder = self.home.path().join(".local/state/bootstorm/fleets");
        let files = fs::read_dir(folder).into_iter().flatten();
        files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    fn record(&self) -> Value {
        read(&self.home.path().join(".local/state/bootstorm/fleets/boot-storm-test.json"))
    }
}

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// How often each VM was created, stopped and started.
fn changes(cluster: &Cluster) -> Vec<(u64, u64, u64)> {
    let accounts = cluster.sandbox.ledger().machines().into_values();
    accounts.map(|one| (one.creates.changes, one.stops.changes, one.starts.changes)).collect()
}

/// Number of VM starts that reached a cluster.
fn starts(cluster: &Cluster) -> u64 {
    cluster.sandbox.ledger().machines().values().map(|account| account.starts.requests).sum()
}

#[track_caller]
fn nothing_is_left(cluster: &Cluster) {
    for kind in kind::all() {
        let (objects, _) = cluster.sandbox.store().list(kind, None);
        let left = objects.iter().filter(|object| object.label("bootstorm.dev/run").is_some()).count();
        assert_eq!(left, 0, "{} are left", kind.plural);
    }
}

fn member<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["members"].as_array().unwrap().iter().find(|member| member["name"] == name).unwrap()
}

#[test]
fn three_clusters_storm_as_one_and_each_is_a_run_of_its_own() {
    let fleet = Fleet::new();
    let ran = fleet.run(&["fleet", "run", "--contexts", "site-*", "--end", "4", "-o", "json"]).exits(0);
    let ran =
        ran.complains(&["site-a: ready for storm-1", "3 clusters start together", "site-c: storm-1: 4/4"]);
    let report = ran.json();
    for (cluster, name) in fleet.clusters.iter().zip(NAMES) {
        assert_eq!(changes(cluster), [(1, 1, 1); 4], "{name}: every VM once");
        assert_eq!(starts(cluster), 4, "{name}");
        let result = &member(&report, name)["result"];
        assert_eq!((&result["counts"]["reached"], &result["state"]), (&json!(4), &json!("done")), "{result}");
        assert!(result["first_request_seconds"].as_f64().unwrap() >= 0.0, "nothing is sent before: {result}");
    }
    let start = &report["starts"][0];
    assert_eq!(start["members"], json!(NAMES));
    assert!(start["skew_seconds"].as_f64().unwrap() >= 0.0, "{start}");
    let storm = report["whole"]["phases"].as_array().unwrap().last().unwrap();
    assert_eq!((&storm["name"], &storm["counts"]["reached"]), (&json!("storm-1"), &json!(12)));
    let rows = storm["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["namespace"] == "site-b/boot-storm-test-2"), "{rows:?}");
    assert_eq!(report["differences"]["comparisons"].as_array().unwrap().len(), 2);
    assert_eq!(fleet.record()["starts"][0]["members"].as_object().unwrap().len(), 3);

    fleet
        .run(&["fleet", "run", "--contexts", "site-*", "--end", "4"])
        .exits(1)
        .complains(&["storm-1 is done in every cluster", "kubectl bootstorm fleet report"]);
    // Each cluster can be used on its own.
    fleet.run(&["report", "--context", "site-b"]).exits(0).prints(&["storm-1"]);
    // Without contexts, the command takes the whole fleet.
    let table = fleet.run(&["fleet", "report", "-o", "wide"]).exits(0);
    table.prints(&["Fleet boot-storm-test: 3 clusters, 12 VMs", "site-c", "Worst cluster: ", "A -> C"]);
    fleet.run(&["fleet", "report", "-o", "html"]).exits(0).prints(&["<h2>Clusters</h2>", "site-b"]);
    fleet.run(&["fleet", "report", "-o", "markdown"]).exits(0).prints(&["| `site-a` | 4 | 4/4 |"]);
    fleet.run(&["fleet", "report", "-o", "csv"]).exits(0).prints(&["site-c/boot-storm-test-4"]);
    fleet.run(&["fleet", "report", "--fail-if", "storm.running.p95>0s"]).exits(4);
    fleet.run(&["fleet", "status"]).exits(0).prints(&["site-a", "4/4"]);

    fleet.run(&["fleet", "stop", "--contexts", "site-a,site-b"]).exits(0);
    fleet.run(&["fleet", "storm"]).exits(3).complains(&["site-c: its last storm is storm-1"]);
    assert_eq!(changes(&fleet.clusters[0]), [(1, 2, 2); 4]);
    assert_eq!(changes(&fleet.clusters[2]), [(1, 1, 1); 4]);
    fleet.run(&["fleet", "cleanup"]).exits(2).complains(&["--yes"]);
    fleet.run(&["fleet", "cleanup", "--yes"]).exits(0).complains(&["cleaned up 3 clusters, nothing is left"]);
    fleet.clusters.iter().for_each(nothing_is_left);
    assert_eq!(fleet.records(), [""; 0], "nothing is left here either");
    fleet.run(&["fleet", "report"]).exits(2).complains(&["no clusters are named"]);
}

#[test]
fn a_threshold_that_cannot_be_judged_is_refused_before_any_cluster_works() {
    let fleet = Fleet::new();
    let file = fleet.home.path().join("fleet.yaml");
    fs::write(
        &file,
        "members:\n- context: site-a\n  flags: {probe: none}\n- context: site-b\n  flags: {probe: ping}\n",
    )
    .unwrap();
    let run = |more: &[&str]| {
        fleet.run(&[&["fleet", "run", "--fleet-file", "fleet.yaml", "--end", "2"], more].concat())
    };
    run(&["--fail-if", "storm.reachable.p95>9s"]).exits(2).complains(&["nothing is probed in storm-1"]);
    assert_eq!(changes(&fleet.clusters[0]), [], "nothing was created");
    run(&[]).exits(0);
    let unknown = |action: &str| {
        let ran = fleet.run(&["fleet", action, "--fail-if", "storm-9.running.p95>9s"]).exits(2);
        ran.complains(&["there is no phase storm-9"])
    };
    unknown("stop").complains(&["create, stop-1, storm-1, stop-2"]);
    assert_eq!(changes(&fleet.clusters[1]), [(1, 1, 1); 2], "nothing was stopped");
    fleet.run(&["fleet", "stop", "--fail-if", "stop.gone.p95>0s"]).exits(4).complains(&["threshold crossed"]);
    unknown("storm").complains(&["storm-1, stop-2, storm-2"]);
    assert_eq!(changes(&fleet.clusters[1]), [(1, 2, 1); 2], "nothing was started");
    let report = fleet.run(&["report", "--context", "site-a", "-o", "json"]).exits(0).json();
    assert!(report["phases"].as_array().unwrap().iter().all(|phase| phase["name"] != "storm-2"), "{report}");
    fleet.run(&["fleet", "storm", "--fail-if", "storm-2.running.p95>1h"]).exits(0);
}

#[test]
fn a_cluster_that_is_down_is_left_out_and_named() {
    let fleet = Fleet::new();
    let mut down = read(&fleet.clusters[1].kubeconfig());
    down["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:9");
    let mut nobody = read(&fleet.clusters[2].kubeconfig());
    nobody["users"][0]["user"] = json!({"tokenFile": "/nowhere/token"});
    let up = read(&fleet.clusters[0].kubeconfig());
    fleet.write(&[("site-a", up), ("site-b", down), ("site-c", nobody)]);
    let args = ["fleet", "run", "--contexts", "site-*", "--end", "2", "--member-timeout", "3s"];
    let ran = fleet.run(&[&args[..], &["--if-member-fails", "abort"]].concat()).exits(1);
    ran.complains(&["site-b: ", "kubectl bootstorm fleet status"]);
    assert_eq!(changes(&fleet.clusters[0]), [], "the fleet does everything or nothing");
    let ran = fleet.run(&[&args[..], &["-o", "json"]].concat()).exits(3);
    let ran = ran.complains(&["site-b: ", "site-c: ", "tokenFile"]);
    let report = ran.json();
    assert_eq!(changes(&fleet.clusters[0]), [(1, 1, 1); 2]);
    assert_eq!((changes(&fleet.clusters[1]), changes(&fleet.clusters[2])), (vec![], vec![]));
    assert_eq!(member(&report, "site-a")["result"]["counts"]["reached"], 2);
    for name in ["site-b", "site-c"] {
        let left_out = member(&report, name);
        assert_eq!(
            (&left_out["state"], &left_out["result"]),
            (&json!("left-out"), &Value::Null),
            "{left_out}"
        );
        assert!(!left_out["why"].as_str().unwrap().is_empty(), "{left_out}");
    }
    let report = fleet.run(&["fleet", "report", "--member-timeout", "1s"]).exits(3);
    report.prints(&["site-b (left-out): ", "site-c (left-out): "]);
    // A cluster that is back takes part when the command is repeated; finished work is not repeated.
    let all = fleet.clusters.iter().zip(NAMES).map(|(cluster, name)| (name, read(&cluster.kubeconfig())));
    fleet.write(&all.collect::<Vec<_>>());
    fleet
        .run(&["fleet", "run", "--contexts", "site-*", "--end", "2"])
        .exits(0)
        .complains(&["2 clusters start"]);
    assert!(fleet.clusters.iter().all(|cluster| changes(cluster) == [(1, 1, 1); 2]));
    fleet.run(&["fleet", "cleanup", "--yes"]).exits(0);
    fleet.clusters.iter().for_each(nothing_is_left);
}

#[test]
fn a_coordinator_that_is_killed_goes_on_with_every_member() {
    let fleet = Fleet::new();
    let args = ["fleet", "run", "--contexts", "site-*", "--end", "6", "--concurrency", "2"];
    let slow = || Rule {
        matching: Match::on("patch", "virtualmachines"),
        effect: Effect::Delay(Duration::from_millis(300)),
        remaining: None,
    };
    let rules: Vec<_> = fleet.clusters.iter().map(|cluster| cluster.sandbox.faults().add(slow())).collect();
    let mut child = fleet.program().spawn(&args);
    until_long(|| fleet.clusters.iter().all(|cluster| starts(cluster) > 0));
    child.kill().unwrap();
    child.wait().unwrap();
    let before: u64 = fleet.clusters.iter().map(starts).sum();
    assert!(before < 18, "it was killed in the middle: {before} starts");
    for (cluster, rule) in fleet.clusters.iter().zip(rules) {
        cluster.sandbox.faults().remove(rule);
    }
    assert_eq!(member(&fleet.record(), "site-a")["state"], "working");
    let report = fleet.run(&[&args[..], &["-o", "json"]].concat()).exits(0).json();
    for (cluster, name) in fleet.clusters.iter().zip(NAMES) {
        assert_eq!(changes(cluster), [(1, 1, 1); 6], "{name}: nothing was done twice");
        assert_eq!(member(&report, name)["result"]["counts"]["reached"], 6);
    }
    assert_eq!(
        report["starts"].as_array().unwrap().len(),
        1,
        "what goes on keeps its start: {}",
        report["starts"]
    );
    fleet.run(&["fleet", "cleanup", "--yes"]).exits(0);
    fleet.clusters.iter().for_each(nothing_is_left);
}

/// Waits for something that takes several phases.
#[track_caller]
fn until_long(happened: impl Fn() -> bool) {
    let began = bootstorm_model::observe::clock::monotonic_now();
    while !happened() && began.elapsed() < Duration::from_secs(50) {
        std::thread::sleep(Duration::from_millis(5));
    }
    until(happened);
}

#[test]
fn a_cluster_that_is_slow_is_left_out_and_ends_in_order() {
    let fleet = Fleet::new();
    // Its VMs never stop, so it is never ready for the storm.
    fleet.clusters[2].sandbox.faults().add(Rule {
        matching: Match::on("patch", "virtualmachines"),
        effect: Effect::Delay(Duration::from_secs(20)),
        remaining: None,
    });
    let args = ["fleet", "run", "--contexts", "site-*", "--end", "2", "--member-timeout", "4s"];
    let ran = fleet.run(&[&args[..], &["-o", "json"]].concat()).exits(3);
    let ran = ran.complains(&["site-c is left out: it was not ready within 4s", "2 clusters start together"]);
    let report = ran.json();
    assert_eq!(member(&report, "site-c")["state"], "left-out");
    assert_eq!(report["starts"][0]["members"], json!(["site-a", "site-b"]));
    let whole = report["whole"]["phases"].as_array().unwrap().last().unwrap();
    assert_eq!((&whole["counts"]["reached"], &whole["counts"]["excluded"]), (&json!(4), &json!(2)));
    assert_eq!(starts(&fleet.clusters[2]), 0);
    // Its lock was released.
    fleet.run(&["status", "--context", "site-c"]).exits(0).prints(&["stop-1"]);
}

#[test]
fn clusters_of_a_file_have_flags_of_their_own() {
    let fleet = Fleet::new();
    let file = fleet.home.path().join("fleet.yaml");
    fs::write(
        &file,
        "members:\n- context: site-a\n- context: site-b\n  name: edge\n  flags: {end: 3, ns-prefix: edge, namespace: kube-public}\n",
    )
    .unwrap();
    let report = fleet.run(&["fleet", "run", "--fleet-file", "fleet.yaml", "--end", "2", "-o", "json"]);
    let report = report.exits(0).json();
    assert_eq!(member(&report, "site-a")["result"]["counts"]["reached"], 2);
    let edge = member(&report, "edge");
    assert_eq!(
        (&edge["run"], &edge["namespace"], &edge["vms"]),
        (&json!("edge"), &json!("kube-public"), &json!(3))
    );
    assert_eq!((changes(&fleet.clusters[0]).len(), changes(&fleet.clusters[1]).len()), (2, 3));
    // The record knows where each run is.
    fleet.run(&["fleet", "report"]).exits(0).prints(&["edge", "3/3"]);
    fleet.run(&["fleet", "cleanup", "--yes"]).exits(0);
    fleet.clusters.iter().for_each(nothing_is_left);
}

#[test]
fn bad_input_is_refused_before_anything_is_done() {
    let fleet = Fleet::new();
    let a = read(&fleet.clusters[0].kubeconfig());
    fleet.write(&[("site-a", a.clone()), ("site-b", a)]);
    fleet.run(&["fleet", "run"]).exits(2).complains(&["no clusters are named", "--contexts 'site-*'"]);
    fleet.run(&["fleet", "run", "--contexts", "prod-*"]).exits(2).complains(&[
        "no context of the kubeconfig matches \"prod-*\"",
        "contexts in it: site-a, site-b, lab",
    ]);
    fleet
        .run(&["fleet", "run", "--contexts", "site-*"])
        .exits(2)
        .complains(&["\"site-a\" and \"site-b\" are the same cluster", "its own ns-prefix in a fleet file"]);
    fleet.run(&["fleet", "storm", "--contexts", "site-a"]).exits(1).complains(&["there is no run"]);
    fleet.run(&["fleet", "run", "--contexts", "site-a", "--kind", "restart"]).exits(2);
    let file = fleet.home.path().join("fleet.yaml");
    for (text, words) in [
        ("members: [{context: site-a, flags: {ends: 3}}]", "there is no flag --ends"),
        ("members: [{context: site-a, flags: {yes: true}}]", "--yes applies to the whole fleet"),
        ("members: [{context: site-a, flag: {end: 3}}]", "flag"),
        ("members: [{context: 'site-*', name: x}]", "several contexts"),
        ("members: [{context: site-a}, {context: site-a}]", "two clusters named \"site-a\""),
        ("members: []", "names no clusters"),
    ] {
        fs::write(&file, text).unwrap();
        fleet.run(&["fleet", "run", "--fleet-file", "fleet.yaml"]).exits(2).complains(&[words]);
    }
    assert_eq!(changes(&fleet.clusters[0]), []);
    // One cluster may hold two runs of a fleet.
    fs::write(&file, "members: [{context: site-a}, {context: site-b, flags: {ns-prefix: other}}]").unwrap();
    fleet.run(&["fleet", "run", "--fleet-file", "fleet.yaml", "--end", "2"]).exits(0);
    assert_eq!(changes(&fleet.clusters[0]).len(), 4);
    fleet.run(&["fleet", "cleanup", "--yes"]).exits(0);
    nothing_is_left(&fleet.clusters[0]);
}
