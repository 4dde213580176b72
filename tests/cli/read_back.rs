//! Reports of every kind of storm, read back from a file, with the formats and the exit code of the live report.

use bootstorm_sandbox::model::Misbehaviour;
use bootstorm_sandbox::value::Value;

use super::observe::{comes_back, saved, shop, take_down};
use crate::support::{Cluster, Program, until};

const FORMATS: [&str; 14] = [
    "summary",
    "guide",
    "wide",
    "json",
    "yaml",
    "csv",
    "markdown",
    "junit",
    "prometheus",
    "openmetrics",
    "benchmark",
    "kube-burner",
    "html",
    "name",
];

/// Asserts that the saved report of a run shows as the live one does, and returns its JSON.
#[track_caller]
fn reads_back(cluster: &Cluster, code: i32) -> Value {
    let live = |format: &str| cluster.run(&["report", "-o", format]).exits(code);
    let report = live("json");
    is_shown(cluster, &report.stdout, code, |format| live(format).stdout);
    report.json()
}

/// Asserts that a report in JSON shows in every format, with the exit code and the text of the original.
#[track_caller]
fn is_shown(cluster: &Cluster, report: &str, code: i32, live: impl Fn(&str) -> String) {
    let file = cluster.home.path().join("x.json");
    std::fs::write(&file, report).unwrap();
    let offline = Program::new(cluster.home.path()).env("KUBECONFIG", "/nowhere");
    for format in FORMATS {
        let read = offline.run(&["report", "--from", "x.json", "-o", format]).exits(code).complains(&[]);
        // The summary of a run in a cluster suggests the next command. Times in a report are rounded to microseconds,
        // which may move a line in a chart.
        if !matches!(format, "summary" | "html") {
            assert_eq!(read.stdout, live(format), "{format}");
        }
        assert!(!read.stdout.is_empty(), "{format}");
    }
    let jobs: Vec<bool> = serde_json::from_str::<Vec<serde_json::Value>>(&live("kube-burner"))
        .unwrap()
        .iter()
        .filter(|document| document["metricName"] == "jobSummary")
        .map(|job| job["passed"].as_bool().unwrap())
        .collect();
    assert_eq!(jobs.last(), Some(&(code == 0)), "{jobs:?}");
}

fn created(vms: &str) -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", vms, "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster
}

#[test]
fn a_storm_of_some_vms_succeeds_when_those_do() {
    let cluster = created("8");
    cluster.run(&["storm", "--kind", "migrate", "--share", "25%"]).exits(0);
    let report = reads_back(&cluster, 0);
    let storm = report["phases"].as_array().unwrap().last().unwrap();
    assert_eq!((&storm["counts"]["reached"], &storm["counts"]["excluded"]), (&2.into(), &6.into()));
    cluster.run(&["storm", "--kind", "migrate"]).exits(0);
    reads_back(&cluster, 0);
    cluster.run(&["storm", "--drain", "node-2"]).exits(0);
    reads_back(&cluster, 0);
}

#[test]
fn waves_and_the_search_for_the_largest_storm_read_back() {
    let cluster = created("4");
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm", "--wave", "2/ready", "--fail-if", "running.p95>1h"]).exits(0);
    reads_back(&cluster, 0);
    cluster.run(&["storm", "--find-max", "--goal", "failed<=0", "--max", "2"]).exits(0);
    let report = reads_back(&cluster, 0);
    assert_eq!(report["capacity"]["size"], 2, "{}", report["capacity"]);
}

#[test]
fn a_storm_that_not_all_vms_survive_reads_back() {
    let cluster = Cluster::changed(2, |profile| {
        profile.misbehave.0.insert("boot-storm-test-1/*".into(), Misbehaviour::NeverSchedules);
    });
    cluster.run(&["setup", "--end", "3", "--probe", "none"]).exits(0);
    cluster.run(&["create", "--timeout", "2s"]).exits(3);
    reads_back(&cluster, 3);
}

#[test]
fn an_observation_reads_back() {
    let cluster = Cluster::instant();
    shop(&cluster);
    let file = cluster.home.path().join("o.json");
    let args =
        ["observe", "-l", "tier=web", "-n", "shop", "--save", "o.json", "-o", "json", "--until", "all=ready"];
    let child = cluster.program().spawn(&args);
    let up = |vms: &[Value]| vms.iter().filter(|vm| vm["was_up"] == true).count();
    until(|| saved(&file)["observation"]["vms"].as_array().is_some_and(|vms| up(vms) == 3));
    let uid = take_down(&cluster, "web-1");
    comes_back(&cluster, "web-1", &uid);
    let ran = crate::support::Ran::of(child).exits(0);
    is_shown(&cluster, &ran.stdout, 0, |format| {
        cluster.run(&["report", "--from", "o.json", "-o", format]).exits(0).stdout
    });
}
