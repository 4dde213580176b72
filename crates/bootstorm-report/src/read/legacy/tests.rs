//! Result files of the origin tool, as it writes them.

use super::*;
use crate::read::Document;
use crate::{LegacyOptions, Selection, fixtures, legacy};

const FOLDER: &str = "20260304-100000_kubevirt-perf-test_1-4";

fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

fn read(pairs: &[(&str, &str)]) -> Result<Report, Unreadable> {
    report(FOLDER, &files(pairs), Timestamp::UNIX_EPOCH)
}

const CREATED: &str = r#"[
    {"namespace": "kubevirt-perf-test-10", "running_time_sec": 9.5, "ping_time_sec": 12.25, "success": true, "clone_duration_sec": 1.0},
    {"namespace": "kubevirt-perf-test-2", "running_time_sec": 8.5, "ping_time_sec": 11.25, "success": true, "clone_duration_sec": null}
]"#;
const BOOTED: &str = r#"[
    {"namespace": "kubevirt-perf-test-2", "running_time_sec": 17.0, "ping_time_sec": 22.5, "success": true},
    {"namespace": "kubevirt-perf-test-10", "running_time_sec": 20.0, "ping_time_sec": null, "success": false}
]"#;
const SUMMARY: &str =
    r#"{"total_vms": 2, "successful": 1, "failed": 1, "total_test_duration_sec": 158.9, "metrics": []}"#;

#[test]
fn both_phases_are_read_and_compared() {
    let report = read(&[
        ("vm_creation_results.json", CREATED),
        ("boot_storm_results.json", BOOTED),
        ("summary_boot_storm_results.json", SUMMARY),
    ])
    .unwrap();
    assert_eq!((report.run.name.as_str(), report.plan.start, report.plan.end), ("kubevirt-perf-test", 1, 4));
    assert_eq!(report.phases[0].rows[0].namespace, "kubevirt-perf-test-2");
    let storm = &report.phases[1];
    assert_eq!((storm.counts.reached, storm.counts.failed), (1, 1));
    assert_eq!((storm.spans.total, storm.spans.request_skew), (Some(158.9), None));
    let compared = report.comparison.as_ref().unwrap();
    let ratio = |comparison: &bootstorm_model::stats::Comparison| comparison.paired.median_ratio.unwrap();
    assert!((ratio(&compared.milestones[0]) - 2.352_941).abs() < 1e-5, "boot against boot");
    assert!((ratio(&compared.with_filling[0]) - 2.0).abs() < 1e-9);
    insta::assert_snapshot!(report.table(&crate::Layout::default()));
}

#[test]
fn a_storm_alone_and_csv_alone_are_read() {
    let report = read(&[("boot_storm_results.json", BOOTED)]).unwrap();
    assert_eq!(report.phases.len(), 1);
    let csv = "namespace,running_time_sec,ping_time_sec,success\r\na-1,9.98,,True\r\na-2,,,False\r\n";
    let report = read(&[("boot_storm_results.csv", csv)]).unwrap();
    assert_eq!((report.phases[0].goal, report.phases[0].counts.reached), (Milestone::Running, 1));
}

#[test]
fn what_we_write_for_the_origin_tool_is_read_back() {
    let record = fixtures::probed();
    let written = legacy::files(&record, &LegacyOptions::default()).unwrap();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files: BTreeMap<_, _> = written.iter().map(|(path, bytes)| (name(path), bytes.clone())).collect();
    let folder = name(written[0].0.parent().unwrap());
    let read = report(&folder, &files, Timestamp::UNIX_EPOCH).unwrap();
    let own = Report::of(&record, &Selection::default());
    for (read, own) in read.phases.iter().zip([&own.phases[0], &own.phases[2]]) {
        assert_eq!(read.counts.reached, own.counts.reached);
        let means = [read, own].map(|phase| phase.summary(Milestone::Reachable).mean.unwrap());
        assert!((means[0] - means[1]).abs() < 0.01, "{means:?}");
    }
}

#[test]
fn damage_is_told_with_the_file() {
    let told = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().to_string();
    assert!(told(&[]).contains("not a result"));
    assert!(
        told(&[("boot_storm_results.json", "[{")]).starts_with("it is damaged: boot_storm_results.json: ")
    );
    let twice = BOOTED.replace("test-10", "test-2");
    assert!(told(&[("boot_storm_results.json", &twice)]).ends_with("kubevirt-perf-test-2 is in it twice"));
    let csv = "namespace,running_time_sec,ping_time_sec,success\na-1,1e300,,True\n";
    assert!(told(&[("boot_storm_results.csv", csv)]).contains("impossible"));
    let csv = "namespace,running_time_sec,ping_time_sec,success\na-1,NaN,,True\n";
    assert!(told(&[("boot_storm_results.csv", csv)]).contains("impossible"));
}

#[test]
fn no_number_is_too_large() {
    let given = [
        ("vm_creation_results.json", CREATED),
        ("boot_storm_results.json", BOOTED),
        ("summary_boot_storm_results.json", SUMMARY),
    ];
    for (place, (name, text)) in given.iter().enumerate() {
        for extreme in fixtures::extremes(&serde_json::from_str(text).unwrap()) {
            let (mut given, extreme) = (given, extreme.to_string());
            given[place] = (name, &extreme);
            for folder in [FOLDER, "99991230-220000_p_1-4294967295"] {
                if let Ok(report) = report(folder, &files(&given), Timestamp::MAX) {
                    assert!(crate::read::tests::shown_whole(&Document::Report(Box::new(report))) > 0);
                }
            }
        }
    }
}
