//! End-to-end tests of the documents.

use serde_json::{Value, json};

use jiff::{SignedDuration, Timestamp};

use super::quantiles::Figures;
use super::*;
use crate::{Selection, fixtures};
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::RunRecord;

fn report(record: &RunRecord) -> Report {
    Report::of(record, &Selection::default())
}

fn documents(record: &RunRecord) -> Vec<Value> {
    let text = report(record).kube_burner().unwrap();
    serde_json::from_str(&text).unwrap()
}

fn of<'a>(documents: &'a [Value], metric: &str, job: &str) -> Vec<&'a Value> {
    let is_of = |document: &&Value| {
        let name = document.get("jobName").unwrap_or(&document["jobConfig"]["name"]);
        document["metricName"] == metric && name == job
    };
    documents.iter().filter(is_of).collect()
}

#[test]
fn a_storm_of_two_reads_in_order() {
    let mut record = fixtures::probed();
    record.plan.end = 2;
    record.phases.iter_mut().for_each(|phase| phase.timelines.truncate(2));
    let lost = &mut record.phases[2].timelines[1];
    lost.outcome = Outcome::TimedOut;
    lost.moments.retain(|milestone, _| *milestone < Milestone::Running);
    insta::assert_snapshot!(report(&record).kube_burner().unwrap());
}

#[test]
fn a_vm_that_never_ran_has_no_latency_and_is_counted() {
    let documents = documents(&fixtures::guide());
    let summary = of(&documents, SUMMARY, "storm-1")[0];
    assert_eq!(summary["passed"], false);
    let counts = ["vms", "reached", "failed", "timedOut", "unknown", "excluded"];
    assert_eq!(counts.map(|count| summary[count].as_u64().unwrap()), [100, 96, 1, 1, 0, 2]);
    let errors = "4 of 100 VMs missed the goal (running): 1 failed, 1 timed out, 2 excluded";
    assert_eq!(summary["executionErrors"], errors);
    let vms = of(&documents, LATENCY, "storm-1");
    assert!(vms.iter().all(|vm| vm["vmiRunningLatency"].as_i64().is_some_and(|latency| latency > 0)));
    let ran = vms.iter().filter(|vm| vm["metadata"]["outcome"] == "reached").count();
    assert_eq!(ran, 96);
    let text = serde_json::to_string(&documents).unwrap();
    assert!(!text.contains("null") && !text.contains("Latency\":-"), "nothing is made up");
}

#[test]
fn a_vm_that_failed_after_it_ran_keeps_the_latency_that_it_has() {
    let mut record = fixtures::probed();
    let late = &mut record.phases[2].timelines[3];
    late.outcome = Outcome::TimedOut;
    late.moments.remove(&Milestone::Reachable);
    let documents = documents(&record);
    let vms = of(&documents, LATENCY, "storm-1");
    let missed: Vec<_> = vms.iter().filter(|vm| vm["metadata"]["outcome"] == "timed-out").collect();
    assert_eq!(missed.len(), 1);
    assert!(missed[0].get("vmiRunningLatency").is_some());
    assert_eq!(missed[0]["metadata"].get("vmReachableLatency"), None);
    let quantiles = of(&documents, QUANTILES, "storm-1");
    let counted = |name: &str| {
        let found = quantiles.iter().find(|quantiles| quantiles["quantileName"] == name).unwrap();
        found["metadata"]["counted"].as_u64().unwrap()
    };
    assert_eq!((counted("VMIRunning"), counted("VMReachable")), (12, 11));
}

#[test]
fn latencies_count_from_the_request_and_its_instant_is_their_timestamp() {
    let record = fixtures::probed();
    let documents = documents(&record);
    let timeline = &record.phases[2].timelines[0];
    let requested = timeline.at(Milestone::Requested).unwrap();
    let vm = of(&documents, LATENCY, "storm-1")[0];
    let millis = (timeline.at(Milestone::Running).unwrap().since(requested).seconds() * 1e3).round() as i64;
    assert_eq!(vm["vmiRunningLatency"], millis);
    let at = record.phases[2].began + SignedDuration::from_micros(requested.0);
    assert_eq!(vm["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap(), at);
}

#[test]
fn a_phase_that_is_not_over_has_no_documents_and_a_run_without_phases_none_at_all() {
    let documents = documents(&fixtures::interrupted(2));
    assert!(of(&documents, SUMMARY, "create").len() == 1 && of(&documents, SUMMARY, "stop-1").is_empty());
    assert_eq!(report(&fixtures::fresh()).kube_burner().unwrap(), "[]\n");
    assert_eq!(report(&fixtures::fresh()).kube_burner_files().unwrap(), []);
}

#[test]
fn files_are_named_as_the_local_indexer_does() {
    let report = report(&fixtures::small());
    let files = report.kube_burner_files().unwrap();
    let folder = format!("collected-metrics-{}", report.run.id);
    let names = [
        "jobSummary.json",
        "vmiLatencyMeasurement-create.json",
        "vmiLatencyMeasurement-storm-1.json",
        "vmiLatencyQuantilesMeasurement-create.json",
        "vmiLatencyQuantilesMeasurement-storm-1.json",
    ];
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, names.map(|name| format!("{folder}/{name}")));
    let summaries: Vec<Value> = serde_json::from_str(&files[0].1).unwrap();
    assert_eq!(
        summaries.iter().map(|job| &job["jobConfig"]["name"]).collect::<Vec<_>>(),
        [&json!("create"), &json!("stop-1"), &json!("storm-1")]
    );
}

#[test]
fn an_id_stays_the_same_when_more_is_known_and_is_its_own() {
    let mut record = fixtures::small();
    let before = report(&record).kube_burner_documents().unwrap();
    let timeline = &mut record.phases[2].timelines[0];
    timeline.moments.get_mut(&Milestone::Running).unwrap().at.0 += 1_000_000;
    let after = report(&record).kube_burner_documents().unwrap();
    let ids = |all: &[Indexed]| all.iter().map(|indexed| indexed.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    assert_ne!(before, after);
    let unique: std::collections::BTreeSet<_> = ids(&before).into_iter().collect();
    assert_eq!(unique.len(), before.len());
}

#[test]
fn hostile_names_steer_no_terminal() {
    let mut record = fixtures::small();
    record.phases[2].timelines[0].node = Some("node\u{1b}[2J\u{202e}".into());
    let text = report(&record).kube_burner().unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    let vms: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(of(&vms, LATENCY, "storm-1")[0]["nodeName"], "node\u{1b}[2J\u{202e}");
}

#[test]
fn percentiles_are_those_of_kube_burner() {
    let figures = |values: &[i64]| serde_json::to_value(Figures::of(values)).unwrap();
    let one = json!({"P99": 7, "P95": 7, "P50": 7, "min": 7, "max": 7, "avg": 7});
    assert_eq!(figures(&[7]), one);
    // Rank 4.95 of five lies between the fourth and the fifth.
    let five = json!({"P99": 35, "P95": 35, "P50": 25, "min": 10, "max": 40, "avg": 24});
    assert_eq!(figures(&[40, 10, 20, 30, 20])["P99"], five["P99"]);
    let hundred: Vec<i64> = (1..=100).collect();
    let all = json!({"P99": 99, "P95": 95, "P50": 50, "min": 1, "max": 100, "avg": 50});
    assert_eq!(figures(&hundred), all);
    assert_eq!(Figures::of(&[]), None);
}
