//! Tests from files to the page.

use super::*;
use crate::fixtures;
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::RunRecord;

fn now() -> Timestamp {
    "2026-03-10T00:00:00Z".parse().unwrap()
}

fn dashboard() -> Dashboard {
    Dashboard::new(now(), 30, "results".into())
}

/// Passes a folder as the command does.
fn give(dashboard: &mut Dashboard, path: &str, files: &[(&str, &[u8])]) {
    let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let wanted = dashboard.wanted(path, &names);
    let files = files.iter().filter(|(name, _)| wanted.iter().any(|wanted| wanted == name));
    let files = files.map(|(name, bytes)| ((*name).to_owned(), Ok(bytes.to_vec()))).collect();
    dashboard.add(&Folder { path: path.to_owned(), names, files });
}

fn run_json(record: &RunRecord) -> Vec<u8> {
    serde_json::to_vec(record).unwrap()
}

#[test]
fn our_files_and_those_of_the_python_tool_are_read_side_by_side() {
    let mut dashboard = dashboard();
    let options = crate::LegacyOptions { storage_driver: Some("px".into()), disks: 2 };
    let files = crate::legacy::files(&fixtures::probed(), &options).unwrap();
    let (path, _) = files[0].0.to_str().unwrap().rsplit_once('/').unwrap();
    let all: Vec<(&str, &[u8])> =
        files.iter().map(|(path, bytes)| (path.file_name().unwrap().to_str().unwrap(), &bytes[..])).collect();
    give(&mut dashboard, path, &all);
    let theirs: Vec<(&str, &[u8])> =
        all.iter().copied().filter(|(name, _)| *name != "run.json" && *name != "report.html").collect();
    give(&mut dashboard, "old/1-disk/20260303-100000_boot-storm-test_1-12", &theirs);
    dashboard.settle();
    let [theirs, ours] = &dashboard.runs[..] else { panic!("{:?}", dashboard.runs) };
    assert_eq!((ours.tool, theirs.tool), (Tool::Bootstorm, Tool::Virtbench));
    assert!(ours.has_page && !theirs.has_page);
    assert_eq!((ours.driver.as_deref(), ours.disks, ours.vms), (Some("px"), Some(2), 12));
    let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 0.006;
    assert!(
        close(ours.shown().ratio, theirs.shown().ratio)
            && ours.verdict == theirs.verdict
            && ours.verdict.is_some()
    );
    assert_eq!(dashboard.skipped, []);
}

#[test]
fn a_ratio_is_that_of_the_means_beside_it() {
    let mut dashboard = dashboard();
    for (hour, factor) in [(1, 1.0), (2, 1.7)] {
        saved(&mut dashboard, fixtures::probed(), hour, factor);
        saved(&mut dashboard, fixtures::provisioned(), hour + 2, factor);
    }
    dashboard.settle();
    for (configuration, runs) in groups::by_configuration(&dashboard.runs) {
        let figures = groups::Figures::of(&runs);
        assert_eq!(figures.ratio, Some(figures.storm.unwrap() / figures.create.unwrap()));
        let is_probed = runs[0].storm.as_ref().unwrap().reachable.is_some();
        assert_eq!(configuration.to, if is_probed { "reachable" } else { "running" });
        for shown in runs.iter().map(|saved| saved.shown()) {
            assert_eq!(shown.ratio, Some(shown.storm.unwrap() / shown.create.unwrap()));
            assert!(shown.max.unwrap() >= shown.storm.unwrap());
        }
    }
    let vms: usize = dashboard.runs.iter().map(|saved| saved.vms).sum();
    let page = dashboard.html();
    assert!(page.contains(&format!(" % of {vms} VMs</dd>")), "a share says of what");
}

#[test]
fn what_is_damaged_or_foreign_is_named_and_left_out() {
    let mut dashboard = dashboard();
    give(&mut dashboard, "1-disk/20260304-100000_a_1-2", &[("run.json", b"{\"format\": 1")]);
    give(&mut dashboard, "notes", &[("todo.json", b"[]"), ("todo.txt", b"")]);
    give(&mut dashboard, "1-disk/elsewhere", &[("boot_storm_results.json", b"[]")]);
    let folder = Folder {
        path: "2-disk/20260305-100000_a_1-2".into(),
        names: vec!["run.json".into()],
        files: vec![("run.json".into(), Err("permission denied".into()))],
    };
    dashboard.add(&folder);
    let skipped: Vec<&str> = dashboard.skipped.iter().map(|skipped| skipped.path.as_str()).collect();
    assert_eq!(
        skipped,
        [
            "1-disk/20260304-100000_a_1-2/run.json",
            "notes/todo.json",
            "1-disk/elsewhere",
            "2-disk/20260305-100000_a_1-2/run.json"
        ]
    );
    let page = dashboard.html();
    assert!(
        page.contains("No results of the last 30 days were found.") && page.contains("permission denied")
    );
}

#[test]
fn a_run_that_was_saved_again_is_shown_once_and_old_ones_are_counted() {
    let mut dashboard = dashboard();
    let mut created = fixtures::small();
    created.phases.truncate(1);
    give(&mut dashboard, "1-disk/20260304-100000_a_1-12", &[("run.json", &run_json(&created))]);
    let mut again = fixtures::small();
    let mut storm = again.phases[2].clone();
    storm.name.number = 2;
    storm.began = "2026-03-04T11:00:00Z".parse().unwrap();
    again.phases.push(storm);
    give(&mut dashboard, "1-disk/20260304-110000_a_1-12", &[("run.json", &run_json(&again))]);
    give(&mut dashboard, "1-disk/20260304-120000_a_1-12", &[("run.json", &run_json(&fixtures::small()))]);
    give(&mut dashboard, "1-disk/20250101-100000_a_1-12", &[("run.json", &run_json(&fixtures::small()))]);
    dashboard.settle();
    assert_eq!(dashboard.runs.iter().map(|saved| saved.storm_number).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(dashboard.older, 1);
}

#[test]
fn storms_of_one_run_are_one_run_and_kinds_stay_apart() {
    use bootstorm_model::record::StormKind;
    let mut record = fixtures::small();
    for (number, kind) in [(2, StormKind::Start), (3, StormKind::Restart), (4, StormKind::Migrate)] {
        let mut storm = record.phases[2].clone();
        (storm.name.number, storm.settings.kind, storm.goal) = (number, kind, Milestone::Running);
        record.phases.push(storm);
    }
    let mut dashboard = dashboard();
    give(&mut dashboard, "1-disk/20260304-110000_a_1-12", &[("run.json", &run_json(&record))]);
    assert_eq!(dashboard.len(), 1, "before it is settled, too");
    dashboard.settle();
    assert_eq!((dashboard.len(), dashboard.runs.len()), (1, 4));
    let vms = dashboard.runs[0].storm.as_ref().unwrap().vms;
    let created: usize = saved::creations(&dashboard.runs).map(|create| create.vms).sum();
    let started: usize = dashboard.runs.iter().map(Saved::started).sum();
    assert_eq!((created, started), (dashboard.runs[0].create.as_ref().unwrap().vms, 3 * vms));
    assert_eq!(dashboard.runs.iter().filter(|saved| saved.boot_storm().is_some()).count(), 2);
    let kinds: std::collections::BTreeSet<usize> =
        dashboard.runs.iter().map(|saved| saved.configuration).collect();
    assert_eq!(kinds.len(), 3);
}

#[test]
fn a_warm_up_is_no_storm_of_the_dashboard() {
    let mut record = fixtures::repeated();
    record.phases[2].settings.warm_up = true;
    let mut dashboard = dashboard();
    give(&mut dashboard, "1-disk/20260304-110000_a_1-12", &[("run.json", &run_json(&record))]);
    dashboard.settle();
    assert_eq!(dashboard.runs.iter().map(|saved| saved.storm_number).collect::<Vec<_>>(), [Some(2), Some(3)]);
}

#[test]
fn hostile_files_stay_texts() {
    let evil = "</script><script>alert(1)</script><img src=x>\u{202e}";
    let mut dashboard = dashboard();
    let mut record = fixtures::small();
    record.plan.prefix = evil.into();
    record.facts.kubevirt = Some(evil.into());
    for timeline in &mut record.phases[2].timelines {
        timeline.node = Some(evil.into());
    }
    let path = "<img src=x>\u{202e}/1-disk/20260304-100000_a_1-12";
    give(&mut dashboard, path, &[("run.json", &run_json(&record)), ("<b>.json", b"")]);
    dashboard.describe_cluster("cluster:\n  '<img src=x>': '<img src=y>'\n").unwrap();
    dashboard.add_manual_results("results: [{'<img src=x>': '<img src=y>'}]").unwrap();
    let page = dashboard.html();
    assert!(!page.contains("<img") && !page.contains("<b>") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn a_thousand_runs_make_a_page_of_moderate_size() {
    let mut dashboard = dashboard();
    let bytes = run_json(&fixtures::healthy(20));
    for number in 0..1_000 {
        let path = format!("px/1-disk/20260304-{:02}{:02}00_a_1-20", number / 60, number % 60);
        let id = format!("{number:08}-0000");
        let text = String::from_utf8(bytes.clone()).unwrap().replace("6f1e0c1c-0d6a", &id);
        give(&mut dashboard, &path, &[("run.json", text.as_bytes())]);
    }
    assert_eq!(dashboard.len(), 1_000);
    let page = dashboard.html();
    assert!(page.len() < 4 << 20, "{} bytes", page.len());
}

/// A separate run, saved at that hour; every VM of its storm takes `factor` times as long.
fn saved(dashboard: &mut Dashboard, mut record: RunRecord, hour: u32, factor: f64) {
    record.run_id = format!("{hour:08}-0d6a-4c7e-9c55-1b2f4a9d7e10");
    record.phases[2].began = format!("2026-03-04T{hour:02}:00:00Z").parse().unwrap();
    for timeline in &mut record.phases[2].timelines {
        for moment in timeline.moments.values_mut() {
            moment.at.0 = (moment.at.0 as f64 * factor) as i64;
        }
    }
    give(dashboard, &format!("1-disk/20260304-{hour:02}0000_a_1-12"), &[("run.json", &run_json(&record))]);
}

#[test]
fn runs_that_differ_in_more_than_time_are_not_averaged() {
    let mut dashboard = dashboard();
    saved(&mut dashboard, fixtures::small(), 1, 1.0);
    saved(&mut dashboard, fixtures::small(), 2, 1.0);
    saved(&mut dashboard, fixtures::provisioned(), 3, 1.0);
    saved(&mut dashboard, fixtures::measured(), 4, 1.0);
    let mut pinged = fixtures::small();
    pinged.plan.probe.probes = vec![bootstorm_model::probe::Probe::Ping];
    saved(&mut dashboard, pinged, 5, 1.0);
    dashboard.settle();
    let configurations: Vec<usize> = dashboard.runs.iter().map(|saved| saved.configuration).collect();
    assert_eq!(configurations[0], configurations[1]);
    assert_eq!(
        configurations.iter().collect::<std::collections::BTreeSet<_>>().len(),
        4,
        "{configurations:?}"
    );
    let page = dashboard.html();
    assert!(page.contains("Last verdict") && page.contains(">good</td>"), "a verdict has a column");
}

#[test]
fn the_last_run_is_held_against_those_before() {
    let trend = |factors: &[f64]| {
        let mut dashboard = dashboard();
        for (hour, factor) in (1..).zip(factors) {
            saved(&mut dashboard, fixtures::small(), hour, *factor);
        }
        dashboard.settle();
        groups::Trend::of(&dashboard.runs.iter().collect::<Vec<_>>()).map(|trend| trend.words())
    };
    assert_eq!(trend(&[1.0]), None);
    assert_eq!(trend(&[1.0, 1.5]).unwrap(), "1.50× the median of 1 before");
    assert_eq!(trend(&[1.0, 2.0, 1.5]).unwrap(), "1.00× the median of 2 before");
    assert_eq!(trend(&[1.0, 1.02, 1.04, 1.02]).unwrap(), "1.00× the median of 3 before");
    assert_eq!(
        trend(&[1.0, 1.0, 1.0, 1.5]).unwrap(),
        "1.50× the median of 3 before, slower than any of them"
    );
    assert!(trend(&[1.0, 1.0, 1.0, 0.5]).unwrap().ends_with("faster than any of them"));
}

#[test]
fn a_vm_that_fails_everywhere_counts_once_and_invalid_times_are_not_judged() {
    let mut dashboard = dashboard();
    let mut record = fixtures::with_failures();
    record.phases[0].timelines[1].outcome = bootstorm_model::observe::Outcome::TimedOut;
    for timeline in &mut record.phases[2].timelines[7..] {
        timeline.moments.remove(&bootstorm_model::observe::Milestone::Requested);
        timeline.untimed = true;
    }
    saved(&mut dashboard, record, 1, 1.0);
    dashboard.settle();
    assert_eq!(dashboard.runs[0].missed, 2);
    assert_eq!(dashboard.runs[0].verdict, Some("not judged"));
    let page = dashboard.html();
    assert!(
        page.contains("1 not judged") && page.contains("the times of storm-1 are invalid"),
        "on the first screen"
    );
}

#[test]
fn no_number_and_no_instant_is_too_large() {
    let options = crate::LegacyOptions::default();
    let mut record = fixtures::small();
    record.plan.end = record.plan.start + 1;
    record.phases.iter_mut().for_each(|phase| phase.timelines.truncate(2));
    let files = crate::legacy::files(&record, &options).unwrap();
    let named = |(path, bytes): &(std::path::PathBuf, Vec<u8>)| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), bytes.clone())
    };
    let files: Vec<(String, Vec<u8>)> = files.iter().map(named).filter(|(name, _)| is_json(name)).collect();
    let theirs = files.iter().filter(|(name, _)| name != ours::FILE).cloned().collect();
    let report = crate::Report::of(&record, &crate::Selection::default());
    let burner = report.kube_burner_files().unwrap();
    let burner = burner.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    let mut read = 0;
    for files in [files, theirs, burner] {
        for (place, (_, bytes)) in files.iter().enumerate() {
            for extreme in fixtures::extremes(&serde_json::from_slice(bytes).unwrap()) {
                let mut files = files.clone();
                files[place].1 = extreme.to_string().into_bytes();
                let mut dashboard = Dashboard::new(now(), u32::MAX, "results".into());
                let all: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
                give(&mut dashboard, "px/1-disk/20260304-100000_boot-storm-test_1-12", &all);
                read += usize::from(!dashboard.is_empty());
                assert!(dashboard.html().contains("</html>"));
            }
        }
    }
    assert!(read > 100, "only {read} were read");
}
