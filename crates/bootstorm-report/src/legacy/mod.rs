//! The origin tool's result files, so that programs that read them keep working.
//!
//! `{driver}/{disks}-disk/{YYYYMMDD-HHMMSS}_{prefix}_{start}-{end}/` holds `vm_creation_results`, `boot_storm_results`
//! and their `summary_…`, each as `.json` and `.csv`, with that tool's fields, order, units (seconds, two decimals) and
//! spelling: JSON as written by Python's `json.dump(…, indent=4)`, CSV as written by Python's `csv.DictWriter` (`True`,
//! `False`, nothing for an absent value, CRLF). Beside them are `run.json`, the whole record, which `report --from`
//! reads, and `report.html`, one page for people.
//!
//! Intentional differences: times are UTC, rows are in natural order, VMs excluded from a storm are not in it, and no
//! cell of a CSV file begins a formula. The folder is named after the time of `setup`, so that saving again adds to it;
//! a second or later storm gets a folder named after its own beginning and replaces nothing.

mod rows;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::{Report, Selection, Unwritable, document};
use bootstorm_model::record::{PhaseKind, RunRecord};
use bootstorm_model::text::is_unsafe;
use rows::{BOOTED, Booted, CREATED, Cells, Created, SUMMARY, Summary, participants};

/// Name of the file that holds the whole record.
pub const RECORD: &str = "run.json";

/// Values that the record does not have
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyOptions {
    /// Label of the storage under test, the first folder of the path.
    pub storage_driver: Option<String>,
    /// Disks per VM, part of the path.
    pub disks: usize,
}

impl Default for LegacyOptions {
    fn default() -> Self {
        Self { storage_driver: None, disks: 1 }
    }
}

/// The files of a run, each with its path below the results folder
///
/// A phase that has not begun has no files.
pub fn files(record: &RunRecord, options: &LegacyOptions) -> Result<Vec<(PathBuf, Vec<u8>)>, Unwritable> {
    let report = Report::of(record, &Selection::default());
    let folder = folder(record, options);
    let mut files = Vec::new();
    let create = report.phases.iter().rev().find(|phase| phase.kind == PhaseKind::Create);
    let storm = report.phases.iter().rev().find(|phase| phase.kind == PhaseKind::Storm);
    if let Some(create) = create {
        let details: Vec<Created> = participants(create).map(Created::of).collect();
        add(&mut files, &folder, "vm_creation_results", &details, &CREATED, &Summary::of(create, true))?;
    }
    if let Some(storm) = storm {
        let details: Vec<Booted> = participants(storm).map(Booted::of).collect();
        add(&mut files, &folder, "boot_storm_results", &details, &BOOTED, &Summary::of(storm, false))?;
    }
    files.push((folder.join(RECORD), document::json(record)?.into_bytes()));
    files.push((folder.join("report.html"), report.html().into_bytes()));
    Ok(files)
}

/// Adds the four files of a phase.
fn add<T: Serialize + Cells>(
    files: &mut Vec<(PathBuf, Vec<u8>)>,
    folder: &Path,
    name: &str,
    details: &[T],
    columns: &[&str],
    summary: &Summary,
) -> Result<(), Unwritable> {
    files.push((folder.join(format!("{name}.json")), json(&details)?));
    files.push((folder.join(format!("{name}.csv")), csv(columns, details)?));
    files.push((folder.join(format!("summary_{name}.json")), json(summary)?));
    files.push((folder.join(format!("summary_{name}.csv")), csv(&SUMMARY, &summary.metrics)?));
    Ok(())
}

/// JSON with an indentation of four, without a final line end.
fn json(value: &impl Serialize) -> Result<Vec<u8>, Unwritable> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    value.serialize(&mut serializer).map_err(|cause| Unwritable::new("JSON", &cause))?;
    let text = String::from_utf8(bytes).map_err(|cause| Unwritable::new("JSON", &cause))?;
    // Python escapes everything that is not ASCII, and so everything that could control a terminal.
    Ok(document::escaped(text, |character| !character.is_ascii() || character == '\u{7f}').into_bytes())
}

fn csv(columns: &[&str], rows: &[impl Cells]) -> Result<Vec<u8>, Unwritable> {
    let unwritable = |cause: &dyn std::fmt::Display| Unwritable::new("CSV", &cause.to_string());
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(columns).map_err(|cause| unwritable(&cause))?;
    for row in rows {
        writer.write_record(row.cells()).map_err(|cause| unwritable(&cause))?;
    }
    writer.into_inner().map_err(|cause| unwritable(&cause.error()))
}

fn folder(record: &RunRecord, options: &LegacyOptions) -> PathBuf {
    let plan = &record.plan;
    let name = format!("{}_{}_{}-{}", stamp(named_after(record)), plan.prefix, plan.start, plan.end);
    let mut folder: PathBuf = options.storage_driver.iter().map(|driver| component(driver)).collect();
    folder.push(format!("{}-disk", options.disks));
    folder.push(component(&name));
    folder
}

fn named_after(record: &RunRecord) -> Timestamp {
    let repeat = record.last_of(PhaseKind::Storm).filter(|storm| storm.name.number > 1);
    repeat.map_or(record.created, |storm| storm.began)
}

fn stamp(time: Timestamp) -> String {
    time.strftime("%Y%m%d-%H%M%S").to_string()
}

/// One component of a path; a record or a label must not lead out of the results folder.
fn component(text: &str) -> String {
    let odd = |c: char| matches!(c, '/' | '\\' | ':') || is_unsafe(c);
    // File systems allow 255 bytes.
    let safe: String = text.chars().map(|c| if odd(c) { '_' } else { c }).take(120).collect();
    if matches!(safe.as_str(), "" | "." | "..") { "_".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use bootstorm_model::observe::{Milestone, Outcome};

    fn file(files: &[(PathBuf, Vec<u8>)], name: &str) -> String {
        let (_, bytes) = files.iter().find(|(path, _)| path.ends_with(name)).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }

    fn tiny() -> RunRecord {
        let mut record = fixtures::probed();
        record.plan.end = 2;
        for phase in &mut record.phases {
            phase.timelines.truncate(2);
        }
        let timeline = &mut record.phases[2].timelines[1];
        timeline.moments.retain(|milestone, _| *milestone < Milestone::Running);
        timeline.outcome = Outcome::TimedOut;
        record
    }

    #[test]
    fn paths_are_those_of_the_origin_tool() {
        let options = LegacyOptions { storage_driver: Some("portworx-3.6".into()), disks: 2 };
        let files = files(&tiny(), &options).unwrap();
        let folder = "portworx-3.6/2-disk/20260304-100000_boot-storm-test_1-2";
        let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        let names = [
            "vm_creation_results.json",
            "vm_creation_results.csv",
            "summary_vm_creation_results.json",
            "summary_vm_creation_results.csv",
            "boot_storm_results.json",
            "boot_storm_results.csv",
            "summary_boot_storm_results.json",
            "summary_boot_storm_results.csv",
            "run.json",
            "report.html",
        ];
        assert_eq!(paths, names.map(|name| format!("{folder}/{name}")));
    }

    #[test]
    fn nothing_leads_out_of_the_results_folder() {
        let mut record = fixtures::fresh();
        record.plan.prefix = "../../etc".into();
        let options = LegacyOptions { storage_driver: Some("..".into()), disks: 1 };
        let files = files(&record, &options).unwrap();
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].0, Path::new("_/1-disk/20260304-100000_.._.._etc_1-12/run.json"));
    }

    #[test]
    fn a_later_storm_has_a_folder_of_its_own() {
        let mut record = fixtures::small();
        let mut again = record.phases[2].clone();
        again.name.number = 2;
        again.began = "2026-03-04T11:22:33Z".parse().unwrap();
        record.phases.push(again);
        let (path, _) = &files(&record, &LegacyOptions::default()).unwrap()[0];
        assert!(path.starts_with("1-disk/20260304-112233_boot-storm-test_1-12"), "{}", path.display());
    }

    #[test]
    fn files_read_as_python_would_have_written_them() {
        let files = files(&tiny(), &LegacyOptions::default()).unwrap();
        insta::assert_snapshot!(file(&files, "vm_creation_results.json"), @r#"
        [
            {
                "namespace": "boot-storm-test-1",
                "running_time_sec": 6.49,
                "ping_time_sec": 9.74,
                "success": true,
                "clone_duration_sec": null
            },
            {
                "namespace": "boot-storm-test-2",
                "running_time_sec": 6.41,
                "ping_time_sec": 9.66,
                "success": true,
                "clone_duration_sec": null
            }
        ]
        "#);
        insta::assert_snapshot!(file(&files, "summary_boot_storm_results.json"), @r#"
        {
            "total_vms": 2,
            "successful": 1,
            "failed": 1,
            "total_test_duration_sec": 30.95,
            "metrics": [
                {
                    "metric": "running_time_sec",
                    "avg": 9.98,
                    "max": 9.98,
                    "min": 9.98,
                    "count": 1
                },
                {
                    "metric": "ping_time_sec",
                    "avg": 13.23,
                    "max": 13.23,
                    "min": 13.23,
                    "count": 1
                }
            ]
        }
        "#);
        insta::assert_debug_snapshot!(file(&files, "vm_creation_results.csv"), @r#""namespace,running_time_sec,ping_time_sec,success,clone_duration_sec\r\nboot-storm-test-1,6.49,9.74,True,\r\nboot-storm-test-2,6.41,9.66,True,\r\n""#);
        insta::assert_debug_snapshot!(file(&files, "boot_storm_results.csv"), @r#""namespace,running_time_sec,ping_time_sec,success\r\nboot-storm-test-1,9.98,13.23,True\r\nboot-storm-test-2,,,False\r\n""#);
        insta::assert_debug_snapshot!(file(&files, "summary_vm_creation_results.csv"), @r#""metric,avg,max,min,count\r\nrunning_time_sec,6.45,6.49,6.41,2\r\nping_time_sec,9.7,9.74,9.66,2\r\nclone_duration_sec,,,,0\r\n""#);
    }

    #[test]
    fn run_json_is_the_whole_record() {
        let record = fixtures::with_failures();
        let files = files(&record, &LegacyOptions::default()).unwrap();
        let read: RunRecord = serde_json::from_str(&file(&files, "run.json")).unwrap();
        assert_eq!(read, record);
    }
}
