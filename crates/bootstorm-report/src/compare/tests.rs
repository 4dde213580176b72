//! End-to-end tests of comparisons.

use super::*;
use crate::{Graded, Layout, fixtures};
use bootstorm_model::observe::{Milestone, Offset};
use bootstorm_model::record::{PhaseKind, PhaseName, StormKind};
use bootstorm_model::stats::Validity;

/// A run in which every VM takes `factor` times as long, from its request.
fn slower(mut record: RunRecord, factor: f64) -> RunRecord {
    for phase in &mut record.phases {
        for timeline in &mut phase.timelines {
            let Some(requested) = timeline.at(Milestone::Requested) else { continue };
            for moment in timeline.moments.values_mut() {
                let took = moment.at.since(requested).seconds() * factor;
                moment.at = requested.plus(std::time::Duration::from_secs_f64(took.max(0.0)));
            }
        }
    }
    record
}

/// The run with several storms, each slightly slower than the one before.
fn stormed(mut record: RunRecord, storms: u32) -> RunRecord {
    let phases = record.phases[1..3].to_vec();
    for number in 2..=storms {
        let mut again = RunRecord { phases: phases.clone(), ..record.clone() };
        again = slower(again, 1.0 + 0.004 * f64::from(number % 3));
        record.phases.extend(again.phases.into_iter().map(|mut phase| {
            phase.name.number = number;
            phase
        }));
    }
    record
}

fn compared(first: &RunRecord, second: &RunRecord) -> CompareReport {
    let subjects = [
        Subject { label: "monday", record: first, validity: &[] },
        Subject { label: "perf/friday", record: second, validity: &[] },
    ];
    CompareReport::of(&subjects, 0.05)
}

fn upgraded() -> RunRecord {
    let mut record = stormed(slower(fixtures::guide(), 1.3), 4);
    record.facts.kubevirt = Some("v1.7.0".into());
    record.facts.nodes = Some(5);
    record
}

#[test]
fn a_slower_run_is_worse_and_says_why() {
    let report = compared(&stormed(fixtures::guide(), 4), &upgraded());
    let versus = &report.comparisons[0];
    assert_eq!(versus.direction, Direction::Worse);
    assert!(report.is_worse());
    assert!(
        versus.reasons.contains(&"storm: p50 to running took 1.30 times as long".to_owned()),
        "{versus:?}"
    );
    let differences: Vec<_> = versus.differences.iter().map(|difference| difference.what).collect();
    assert_eq!(differences, ["nodes", "KubeVirt"]);
    let storm = versus.phases.last().unwrap();
    let p50 = storm.milestones[0].shifts[1].ratio;
    assert!(p50.low.unwrap() < 1.3 && p50.high.unwrap() > 1.3, "{p50:?}");
    let turned = compared(&upgraded(), &stormed(fixtures::guide(), 4));
    assert_eq!(turned.comparisons[0].direction, Direction::Better);
}

#[test]
fn a_run_does_not_differ_from_itself_and_one_storm_only_describes() {
    let single = fixtures::guide();
    let report = compared(&single, &upgraded());
    assert_eq!(report.comparisons[0].direction, Direction::Unjudged);
    assert!(!report.is_worse() && report.unjudged().count() == 1);
    let record = stormed(single, 3);
    let report = compared(&record, &record);
    assert_eq!(report.comparisons[0].direction, Direction::NoDifference);
    assert!(report.comparisons[0].differences.is_empty() && report.comparisons[0].reasons.is_empty());
}

#[test]
fn failures_alone_make_a_run_worse() {
    let mut failing = fixtures::healthy(100);
    for timeline in &mut failing.phases[2].timelines[..20] {
        timeline.outcome = bootstorm_model::observe::Outcome::TimedOut;
        timeline.moments.retain(|milestone, _| *milestone < Milestone::Running);
    }
    let report = compared(&stormed(fixtures::healthy(100), 4), &stormed(failing, 4));
    assert_eq!(report.comparisons[0].direction, Direction::Worse);
    assert_eq!(report.comparisons[0].reasons, ["storm: 80 of 400 VMs failed, were 0 of 400"]);
    let p90 = report.comparisons[0].phases[2].milestones[0].shifts[2];
    assert_eq!((p90.candidate, p90.unjudged), (None, Some("storms in which it was not reached")));
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (plain, probed) = (fixtures::small(), fixtures::probed());
    let mut other = probed.clone();
    other.plan.probe.probes = vec![Probe::Tcp(22)];
    let versus = &compared(&probed, &other).comparisons[0];
    assert_eq!(versus.differences[0].weight, Weight::NotProbed);
    assert!(versus.notes.iter().any(|note| note.contains("probed in different ways")), "{versus:?}");
    assert!(versus.phases.iter().all(|phase| phase.milestones.len() == 1));
    let versus = &compared(&plain, &fixtures::interrupted(3)).comparisons[0];
    assert_eq!(versus.notes, ["storm is not compared: the other run has no finished one"]);
    let size = |size| fixtures::healthy(size);
    let (small, large) = (size(10), size(20));
    let subjects = [
        Subject { label: "a", record: &small, validity: &[] },
        Subject { label: "b", record: &large, validity: &[] },
    ];
    let refused = refusal(&subjects).unwrap();
    assert_eq!(refused, "a has 10 VMs, b has 20 VMs: storms of different size cannot be compared");
    assert_eq!(refusal(&subjects[..1]), None);
}

#[test]
fn a_manifest_is_known_by_its_content() {
    let from = |name: &str, sha256: &str| {
        let mut record = fixtures::small();
        let (name, sha256) = (name.into(), sha256.into());
        record.plan.template = bootstorm_model::plan::TemplateSource::File { name, sha256, drawn_from: None };
        record
    };
    let same = compared(&from("vm.yaml", "aaaa"), &from("copy.yaml", "aaaa"));
    assert!(same.comparisons[0].differences.is_empty());
    let other = compared(&from("vm.yaml", "aaaa"), &from("vm.yaml", "bbbb"));
    assert_eq!(other.comparisons[0].differences[0].what, "VM manifest");
}

#[test]
fn all_storms_of_a_run_count() {
    let report = compared(&fixtures::repeated(), &fixtures::repeated());
    let storm = report.comparisons[0].phases.last().unwrap();
    assert_eq!((storm.baseline.len(), storm.failures.baseline.all), (3, 36));
    assert!(report.runs[0].repetitions.is_some());
}

#[test]
fn comparisons_look_well_at_80_and_140_columns() {
    let report = compared(&stormed(fixtures::guide(), 4), &upgraded());
    insta::assert_snapshot!("at_80", report.table(&Layout::default()));
    insta::assert_snapshot!("at_140", report.table(&Layout { width: 140, ..Layout::default() }));
    let record = fixtures::repeated();
    let alone = CompareReport::of(&[Subject { label: "monday", record: &record, validity: &[] }], 0.05);
    insta::assert_snapshot!("alone", alone.table(&Layout::default()));
}

#[test]
fn no_line_is_longer_than_the_terminal_and_nothing_is_raw() {
    let mut hostile = upgraded();
    hostile.facts.kubevirt = Some("v1\u{1b}[2J\r\n".repeat(9));
    let subjects = [
        Subject { label: "a\u{1b}]0;b\u{7}", record: &fixtures::guide(), validity: &[] },
        Subject {
            label: "results/1-disk/20260304-100000_a-very-long-name-of-a-run-that-was-saved_1-100/run.json",
            record: &hostile,
            validity: &[],
        },
    ];
    let report = CompareReport::of(&subjects, 0.05);
    for width in [60, 80, 100, 140] {
        let text = report.table(&Layout { width, ..Layout::default() });
        let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(longest.chars().count() <= width, "{width}: {longest}");
        assert!(!text.contains(['\u{1b}', '\r', '\u{7}']), "{text}");
    }
}

#[test]
fn storms_of_a_part_of_the_vms_are_not_compared_with_whole_ones() {
    let searched = fixtures::searched(3);
    let names = |kind| -> Vec<String> {
        super::phases::over(&searched, kind, StormKind::Start).map(|phase| phase.name.to_string()).collect()
    };
    assert_eq!(names(PhaseKind::Storm), ["storm-2"], "the others have 3 and 7 of 12 VMs");
    assert_eq!(names(PhaseKind::Stop), ["stop-1", "stop-3"]);
    let report = compared(&searched, &fixtures::healthy(12));
    assert!(report.comparisons[0].notes.iter().any(|note| note.contains("--find-max")), "{report:?}");
}

#[test]
fn a_warm_up_is_not_compared() {
    let mut record = fixtures::healthy(12);
    let storm = record.phases.iter_mut().find(|phase| phase.name.kind == PhaseKind::Storm).unwrap();
    let name = storm.name;
    storm.settings.warm_up = true;
    assert!(super::phases::over(&record, PhaseKind::Storm, StormKind::Start).all(|phase| phase.name != name));
}

#[test]
fn every_document_keeps_to_the_schema() {
    let schema = include_str!("../../../../docs/compare-schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let mut with_thresholds = compared(&fixtures::repeated(), &fixtures::repeated());
    let threshold = "storm.goal.p99>1s".parse().unwrap();
    let record = fixtures::repeated();
    let blocks = crate::thresholds::judge(&[threshold], &record, None, &[]);
    with_thresholds.thresholds =
        blocks.into_iter().map(|block| ThresholdBlock { run: Some("b".into()), ..block }).collect();
    let documents = [
        compared(&fixtures::guide(), &upgraded()),
        compared(&fixtures::probed(), &fixtures::small()),
        compared(&fixtures::hopeless(), &fixtures::healthy(12)),
        compared(&fixtures::fresh(), &fixtures::interrupted(1)),
        with_thresholds,
    ];
    for report in documents {
        let document: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        let yaml: serde_json::Value = serde_saphyr::from_str(&report.yaml().unwrap()).unwrap();
        assert_eq!(yaml, document);
    }
}

#[test]
fn vms_whose_request_was_lost_are_told() {
    let mut lost = fixtures::healthy(100);
    for timeline in &mut lost.phases[2].timelines[..3] {
        timeline.moments.remove(&Milestone::Requested);
    }
    lost.phases[2].timelines[4].see(Milestone::Reachable, Offset::from_seconds(90.0));
    let report = compared(&fixtures::healthy(100), &lost);
    assert_eq!(report.comparisons[0].phases[2].milestones[0].candidate_unknown, 3);
    assert!(report.table(&Layout::default()).contains("Up to 3 VMs with an unknown time"));
}

#[test]
fn doubtful_times_are_told_and_invalid_ones_are_refused() {
    let (record, grades) = (fixtures::guide(), |grade| {
        let storm = fixtures::guide().phases[2].name;
        [Graded { phase: storm, grade, doubts: vec!["client: it was busy".into()] }]
    });
    let with = |grades: &[Graded]| {
        let subjects = [
            Subject { label: "monday", record: &record, validity: &[] },
            Subject { label: "friday", record: &record, validity: grades },
        ];
        (refusal(&subjects), CompareReport::of(&subjects, 0.05))
    };
    let (refused, report) = with(&grades(Validity::Valid));
    assert_eq!((refused, report.runs[1].doubtful.len()), (None, 0));
    let (refused, report) = with(&grades(Validity::Qualified));
    assert_eq!(refused, None);
    let told = "the times of storm-1 of friday are qualified (client: it was busy)";
    assert_eq!(report.comparisons[0].notes[0], told);
    assert!(report.table(&Layout { width: 140, ..Layout::default() }).contains(told));
    assert_eq!(report.runs[1].doubtful.len(), 1);
    let (refused, _) = with(&grades(Validity::Invalid));
    assert!(refused.unwrap().starts_with("the times of storm-1 of friday are invalid"));
}

#[test]
fn invalid_storms_are_left_out_where_valid_ones_remain() {
    let invalid = |number| {
        let phase = PhaseName { kind: PhaseKind::Storm, number };
        Graded { phase, grade: Validity::Invalid, doubts: vec!["client: it was busy".into()] }
    };
    let mut record = stormed(fixtures::guide(), 3);
    let mut grades = vec![invalid(3)];
    let left_out = leave_out_invalid("friday", &mut record, &mut grades);
    assert_eq!(left_out, ["the times of storm-3 of friday are invalid (client: it was busy): left out"]);
    assert_eq!((record.phases.len(), grades.len()), (6, 0));
    let before = record.clone();
    let mut all = vec![invalid(1), invalid(2)];
    assert!(leave_out_invalid("friday", &mut record, &mut all).is_empty(), "no other storm remains");
    assert_eq!((record, all.len()), (before, 2));
}
