//! Repeated storms: the requested number, however often the work is interrupted.

use std::process::{Child, Command};

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::value::Value;

use crate::support::{Cluster, Ran, until};

const VMS: usize = 4;

fn created() -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "4", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster
}

/// The highest number of starts of any VM.
fn rounds(cluster: &Cluster) -> u64 {
    let accounts = cluster.sandbox.ledger().machines();
    accounts.values().map(|account| account.starts.changes).max().unwrap_or(0)
}

fn names(report: &Value) -> Vec<&str> {
    report["phases"].as_array().unwrap().iter().map(|phase| phase["name"].as_str().unwrap()).collect()
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_run_repeats_its_storm_and_tells_the_spread_without_the_warm_up() {
    let cluster = Cluster::instant();
    let args = ["run", "--end", "4", "--probe", "none", "--repeat", "3", "--warm-up", "--wave", "2/200ms"];
    let judged = ["-o", "json", "--fail-if", "goal.p95>1h", "--fail-if", "create.goal.p95>1h"];
    let ran = cluster.run(&[&args[..], &judged].concat()).exits(0);
    ran.json();
    let ran = ran.complains(&[
        "create · before 3 storms: 4 VMs",
        "stop-2 · storm 2 of 3: 4 VMs",
        "storm-3 · storm 3 of 3",
    ]);
    let report = ran.complains(&["storm-1 (1 of 3, warm-up): 4 of 4 VMs running", "storm-3 (3 of 3)"]).json();
    assert_eq!(names(&report), ["create", "stop-1", "storm-1", "stop-2", "storm-2", "stop-3", "storm-3"]);
    for phase in report["phases"].as_array().unwrap() {
        assert_eq!(phase["waves"].as_array().unwrap().len(), if phase["kind"] == "storm" { 2 } else { 0 });
    }
    let thresholds: Vec<&str> = report["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["phase"].as_str().unwrap())
        .collect();
    assert_eq!(thresholds, ["storm-2", "storm-3", "create"], "each storm that counts is judged");
    let repetitions = &report["repetitions"];
    let storms = repetitions["storms"].as_array().unwrap();
    assert_eq!(storms.iter().filter(|storm| storm["warm_up"] == true).count(), 1);
    let p50 = |storm: &Value| (storm["p50_seconds"].as_f64().unwrap() * 1e6).round() as u64;
    let counted = [p50(&storms[1]), p50(&storms[2])];
    assert_eq!(p50(&repetitions["min"]), counted[0].min(counted[1]));
    assert_eq!(p50(&repetitions["max"]), counted[0].max(counted[1]));
    cluster.run(&["report"]).exits(0).prints(&["Repetitions: 2 storms after a warm-up", "storm-1 (warm-up)"]);
    let crossed = [&args[..], &["--fail-if", "goal.p95>1us"]].concat();
    cluster.run(&crossed).exits(1).complains(&["was finished at", "--fresh"]);
    assert_eq!(rounds(&cluster), 3, "nothing was done again");
}

#[test]
fn killed_and_interrupted_the_same_command_makes_what_is_missing() {
    let cluster = created();
    let args = ["storm", "--repeat", "3", "--rest", "500ms"];
    let mut child = cluster.program().spawn(&args);
    until(|| rounds(&cluster) == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let child = cluster.program().spawn(&["storm", "--repeat", "3", "--rest", "5m"]);
    let resting = || {
        let ran = cluster.run(&["status", "-o", "json"]).exits(0).json();
        ran["phases"]
            .as_array()
            .unwrap()
            .iter()
            .any(|phase| phase["name"] == "storm-2" && phase["state"] == "done")
    };
    until(resting);
    interrupt(&child);
    Ran::of(child)
        .exits(130)
        .complains(&["interrupted", "to continue: kubectl bootstorm storm --repeat 3 --rest 300000ms"]);
    assert_eq!(rounds(&cluster), 2);
    let ran = cluster.run(&[&args[..], &["-o", "json"]].concat()).exits(0);
    let report = ran.complains(&["of 3 storms are done already", "storm-3 (3 of 3)"]).json();
    assert_eq!(names(&report), ["create", "stop-1", "storm-1", "stop-2", "storm-2", "stop-3", "storm-3"]);
    for account in cluster.sandbox.ledger().machines().values() {
        assert_eq!((account.starts.changes, account.stops.changes), (3, 3), "{account:?}");
    }
    cluster.run(&args).exits(0).complains(&["all 3 storms of this series are done", "--fresh starts over"]);
    cluster
        .run(&["storm", "--repeat", "2"])
        .exits(2)
        .complains(&["3 storms of this series are done already"]);
    cluster.run(&["storm", "--repeat", "3", "--warm-up"]).exits(2).complains(&["started without it"]);
    cluster.run(&["storm", "--repeat", "3", "--rate", "5/s"]).exits(0);
    cluster.run(&["storm", "--repeat", "4", "--rate", "5/s"]).exits(2).complains(&["contradicts storm-4"]);
    let report = cluster.run(&["storm", "--repeat", "4", "-o", "json"]).exits(0).json();
    assert_eq!(report["repetitions"]["storms"].as_array().unwrap().len(), 4);
    assert_eq!(report["phases"].as_array().unwrap().last().unwrap()["counts"]["reached"], VMS);
}

#[test]
fn the_rest_lies_between_a_storm_and_the_stop_after_it() {
    let cluster = created();
    let began = monotonic_now();
    let report = cluster.run(&["storm", "--repeat", "2", "--rest", "2s", "-o", "json"]).exits(0).json();
    assert!(began.elapsed().as_secs_f64() > 2.0);
    let at = |name: &str| {
        let phases = report["phases"].as_array().unwrap();
        let phase = phases.iter().find(|phase| phase["name"] == name).unwrap();
        let began: jiff::Timestamp = phase["began"].as_str().unwrap().parse().unwrap();
        (began.as_microsecond() as f64 / 1e6, phase["spans"]["total_seconds"].as_f64().unwrap())
    };
    let (storm, took) = at("storm-1");
    assert!(at("stop-2").0 - (storm + took) >= 1.99, "it rests");
    assert!(at("storm-1").0 - (at("stop-1").0 + at("stop-1").1) < 1.9, "and does not rest before a storm");
}

#[test]
fn a_series_begins_only_where_a_storm_can() {
    let cluster = Cluster::instant();
    cluster.run(&["storm", "--repeat", "2"]).exits(1).complains(&["there is no run"]);
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    let ran = cluster.run(&["storm", "--repeat", "2"]).exits(1);
    ran.complains(&["have not been created yet", "run this instead: kubectl bootstorm create"]);
    cluster.run(&["storm", "--rest", "5s"]).exits(2).complains(&["--repeat"]);
    cluster.run(&["storm", "--repeat", "0"]).exits(2);
    cluster
        .run(&["storm", "--repeat", "2", "--dry-run=client"])
        .exits(2)
        .complains(&["--dry-run shows one phase"]);
}
