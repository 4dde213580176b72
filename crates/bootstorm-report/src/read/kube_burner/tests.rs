//! Documents of kube-burner, as it writes them, and ours in its form.

use serde_json::{Value, json};

use super::super::{Document, document};
use super::*;
use crate::{Layout, Selection, fixtures};
use bootstorm_model::observe::{Milestone, Outcome, Source};
use bootstorm_model::stats::Validity;

const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
/// kube-burner's value for what it has not seen: Go's smallest duration.
const UNSEEN: i64 = -9_223_372_036_854;

/// A VM as kube-burner writes it: created, and running this many milliseconds later.
fn vm(job: &str, name: &str, created: &str, vmi: i64, running: i64) -> Value {
    json!({
        "timestamp": created, "podCreatedLatency": vmi, "podScheduledLatency": vmi + 1000,
        "podInitializedLatency": vmi + 2000, "podContainersReadyLatency": running - 1000,
        "podReadyLatency": running - 1000, "podReadyToStartContainersLatency": UNSEEN,
        "vmiCreatedLatency": vmi, "vmiPendingLatency": vmi, "vmiSchedulingLatency": vmi,
        "vmiScheduledLatency": running - 1000, "vmiRunningLatency": running, "vmReadyLatency": UNSEEN,
        "metricName": "vmiLatencyMeasurement", "uuid": UUID, "namespace": "virt-density",
        "podName": format!("virt-launcher-{name}-abcde"), "vmName": name, "vmiName": name,
        "nodeName": "worker-1", "jobName": job, "jobIteration": 0, "replica": 1,
    })
}

fn summary(job: &str, kind: &str, from: &str, to: &str, passed: bool) -> Value {
    json!({
        "timestamp": from, "endTimestamp": to, "elapsedTime": 30.0, "uuid": UUID, "metricName": "jobSummary",
        "jobConfig": {"name": job, "jobType": kind, "jobIterations": 1, "churnConfig": {}, "gc": false},
        "version": "v2.7.3@9091baef", "passed": passed,
        "executionErrors": if passed { "" } else { "timeout reached" },
    })
}

/// A creation, a stop and a start of two VMs, one of which did not run again.
fn samples() -> BTreeMap<String, Vec<u8>> {
    let created = "2026-06-23T10:00:01Z";
    let jobs = [
        summary("create-vms", "create", "2026-06-23T10:00:00Z", "2026-06-23T10:00:30Z", true),
        summary("stop-vms", "kubevirt", "2026-06-23T10:05:00Z", "2026-06-23T10:05:20Z", true),
        summary("start-vms", "kubevirt", "2026-06-23T10:10:00Z", "2026-06-23T10:11:00Z", false),
    ];
    let create =
        [vm("create-vms", "vm-1", created, 1000, 12_000), vm("create-vms", "vm-10", created, 0, 14_000)];
    // A job that stops VMs shows the boot before.
    let stop = [vm("stop-vms", "vm-1", created, 1000, 12_000)];
    let start = [vm("start-vms", "vm-10", created, 602_000, 626_000)];
    let file = |name: &str, documents: &[Value]| (name.to_owned(), json!(documents).to_string().into_bytes());
    BTreeMap::from([
        file("jobSummary.json", &jobs),
        file("vmiLatencyMeasurement-create-vms.json", &create),
        file("vmiLatencyMeasurement-stop-vms.json", &stop),
        file("vmiLatencyMeasurement-start-vms.json", &start),
        file("vmiLatencyQuantilesMeasurement-start-vms.json", &[json!({"quantileName": "VMReady"})]),
        file("prometheusRSS.json", &[json!({"value": 1.0})]),
    ])
}

#[test]
fn jobs_are_phases_and_a_start_counts_from_its_instance() {
    let report = report(&samples()).unwrap();
    let names: Vec<String> = report.phases.iter().map(|phase| phase.name.to_string()).collect();
    assert_eq!(names, ["create", "storm-1"], "a job that stops is no storm");
    let seconds = |phase: usize, row: usize| report.phases[phase].rows[row].seconds(Milestone::Running);
    assert_eq!((seconds(0, 0), seconds(0, 1), seconds(1, 0)), (Some(12.0), Some(14.0), Some(24.0)));
    let row = &report.phases[0].rows[0];
    assert_eq!((row.name.as_str(), row.node.as_deref(), row.requested_at), ("vm-1", Some("worker-1"), None));
    assert!(row.milestones.values().all(|mark| mark.source == Source::Stamped));
    assert_eq!((row.seconds(Milestone::Ready), row.seconds(Milestone::Prepared)), (None, None), "never seen");
    assert_eq!(
        (report.run.id.as_str(), report.run.tool_version.as_deref()),
        (UUID, Some("kube-burner v2.7.3"))
    );
    assert_eq!(report.phases[1].spans.total, Some(60.0));
    let compared = report.comparison.unwrap();
    assert_eq!((compared.verdict, compared.milestones.len()), (None, 1), "described, and not judged");
    assert!(compared.unjudged.unwrap().contains("the number of failures is unknown"));
}

#[test]
fn what_kube_burner_leaves_out_is_said_and_not_invented() {
    let report = report(&samples()).unwrap();
    let storm = &report.phases[1];
    assert_eq!((storm.counts.vms, storm.counts.reached), (1, 1), "VMs that never ran are in no document");
    let validity = storm.validity.as_ref().unwrap();
    assert_eq!(validity.grade, Validity::Qualified);
    let said: Vec<&str> = validity.doubts().map(|finding| finding.measured.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("how many did not is unknown")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("the job failed: timeout reached")), "{said:?}");
    assert_eq!(storm.spans.request_skew, None);
    insta::assert_snapshot!(report.table(&Layout::default()));
}

#[test]
fn pods_of_vms_that_share_a_name_are_not_believed() {
    let mut files = samples();
    let created = "2026-06-23T10:00:01Z";
    let (one, mut other) =
        (vm("create-vms", "vm", created, 0, 12_000), vm("create-vms", "vm", created, 0, 14_000));
    other["namespace"] = "virt-density-2".into();
    files
        .insert("vmiLatencyMeasurement-create-vms.json".into(), json!([one, other]).to_string().into_bytes());
    let report = report(&files).unwrap();
    let create = &report.phases[0];
    for row in &create.rows {
        assert_eq!((&row.node, row.seconds(Milestone::Placed)), (&None, None));
        assert!(row.seconds(Milestone::Running).is_some());
    }
    let said = create.validity.as_ref().unwrap().doubts().map(|finding| finding.measured.clone());
    assert!(said.collect::<String>().contains("kube-burner mixes them up"));
}

#[test]
fn times_that_whole_seconds_cannot_tell_apart_are_not_judged() {
    let mut files = samples();
    let created = "2026-06-23T10:00:01Z";
    let quick = [vm("start-vms", "vm-1", created, 600_000, 602_000)];
    files.insert("vmiLatencyMeasurement-start-vms.json".into(), json!(quick).to_string().into_bytes());
    let report = report(&files).unwrap();
    assert_eq!(report.phases[1].validity.as_ref().unwrap().grade, Validity::Invalid);
    assert_eq!(report.comparison.unwrap().verdict, None);
}

#[test]
fn an_array_and_a_tarball_hold_the_same() {
    let files = samples();
    let all =
        ["jobSummary.json", "vmiLatencyMeasurement-create-vms.json", "vmiLatencyMeasurement-start-vms.json"];
    let documents: Vec<Value> =
        all.iter().flat_map(|name| serde_json::from_slice::<Vec<Value>>(&files[*name]).unwrap()).collect();
    let Document::Report(read) = document(json!(documents).to_string().as_bytes()).unwrap() else { panic!() };
    assert_eq!(*read, report(&files).unwrap());
    let Document::Report(read) = document(&packed(&files)).unwrap() else { panic!() };
    assert_eq!(*read, report(&files).unwrap());
    let cut = &packed(&files)[..200];
    assert!(document(cut).unwrap_err().to_string().contains("cut off"));
}

/// A tarball as from Go's `archive/tar`, without the parts that are not read.
fn packed(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    use std::io::Write;
    let mut tar = Vec::new();
    for (name, content) in files {
        let mut header = vec![0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        tar.extend(header);
        tar.extend(content);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&tar).unwrap();
    packer.finish().unwrap()
}

#[test]
fn our_own_documents_read_back_with_their_requests_and_outcomes() {
    let mut record = fixtures::probed();
    let late = &mut record.phases[2].timelines[3];
    late.outcome = Outcome::TimedOut;
    late.moments.remove(&Milestone::Reachable);
    let own = Report::of(&record, &Selection::default());
    let files = own.kube_burner_files().unwrap().into_iter();
    let name = |path: String| path.rsplit_once('/').unwrap().1.to_owned();
    let files = files.map(|(path, text)| (name(path), text.into_bytes())).collect();
    let read = report(&files).unwrap();
    assert_eq!(read.run.name, own.run.name);
    for (read, own) in read.phases.iter().zip([&own.phases[0], &own.phases[2]]) {
        assert_eq!((read.counts.reached, read.counts.timed_out), (own.counts.reached, own.counts.timed_out));
        for (read, own) in read.rows.iter().zip(&own.rows) {
            let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 0.0011;
            assert!(close(read.seconds(Milestone::Running), own.seconds(Milestone::Running)));
            assert!(close(read.requested_at, own.requested_at));
            assert_eq!(read.outcome, own.outcome);
        }
        assert_eq!(read.validity.as_ref().unwrap().grade, Validity::Valid);
    }
}

#[test]
fn what_is_damaged_of_several_runs_or_without_vms_is_refused() {
    let refused = |files: &BTreeMap<String, Vec<u8>>| report(files).unwrap_err().to_string();
    let mut files = samples();
    files.insert("vmiLatencyMeasurement-create-vms.json".into(), b"[{\"timestamp\"".to_vec());
    assert!(refused(&files).starts_with("it is damaged: vmiLatencyMeasurement-create-vms.json: "));
    let mut other = vm("x", "vm-1", "2026-06-23T10:00:01Z", 0, 1000);
    other["uuid"] = "another".into();
    files.insert("vmiLatencyMeasurement-create-vms.json".into(), json!([other]).to_string().into_bytes());
    assert!(refused(&files).contains("documents of 2 runs"));
    let summaries = BTreeMap::from([("jobSummary.json".to_owned(), samples()["jobSummary.json"].clone())]);
    assert!(refused(&summaries).contains("kube-burner measured no VMs"));
    assert_eq!(document(b"[]"), Err(Unreadable::Foreign));
    assert_eq!(document(b"[{\"a\": 1}]"), Err(Unreadable::Foreign));
}

#[test]
fn no_number_and_no_instant_is_too_large() {
    let mut run = fixtures::probed();
    run.plan.end = run.plan.start + 1;
    run.phases.iter_mut().for_each(|phase| phase.timelines.truncate(2));
    let ours = Report::of(&run, &Selection::default()).kube_burner_files().unwrap();
    let ours = ours.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    let mut read = 0;
    for files in [samples(), ours] {
        for (name, bytes) in &files {
            for extreme in fixtures::extremes(&serde_json::from_slice(bytes).unwrap()) {
                let mut files = files.clone();
                files.insert(name.clone(), extreme.to_string().into_bytes());
                if let Ok(report) = report(&files) {
                    read += crate::read::tests::shown_whole(&Document::Report(Box::new(report))).min(1);
                }
            }
        }
    }
    assert!(read > 100, "only {read} were read");
}
