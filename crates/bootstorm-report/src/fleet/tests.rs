use std::collections::BTreeMap;

use super::*;
use crate::{Layout, fixtures};
use bootstorm_model::fleet::Released;
use bootstorm_model::observe::{Offset, Outcome};

fn member(name: &str, state: MemberState) -> Member {
    Member {
        name: name.into(),
        context: name.into(),
        prefix: "p".into(),
        vms: Some(12),
        state,
        ..Member::default()
    }
}

fn fleet() -> FleetRecord {
    let mut fleet = FleetRecord::new("fleet-id".into(), "sites".into(), Timestamp::UNIX_EPOCH);
    let storm: PhaseName = "storm-1".parse().unwrap();
    let began = fixtures::small().phase(storm).and_then(first_request).unwrap();
    let zero = |micros: i64| Released { phase: storm, zero: Offset(began.0 - micros) };
    let released = BTreeMap::from([("site-a".to_owned(), zero(1_500)), ("site-b".to_owned(), zero(4_000))]);
    fleet.release("2026-01-01T00:00:00Z".parse().unwrap(), released, &[]);
    fleet
}

/// Two clusters of 12 VMs, one of which loses 3, and an unreadable one.
fn report() -> FleetReport {
    let (one, mut other) = (fixtures::small(), fixtures::small());
    for timeline in other.phases[2].timelines.iter_mut().take(3) {
        timeline.outcome = Outcome::TimedOut;
        timeline.moments.remove(&Milestone::Running);
    }
    let members = [
        member("site-a", MemberState::Done),
        member("site-b", MemberState::Done),
        Member { why: Some("no route to host".into()), ..member("site-c", MemberState::LeftOut) },
    ];
    let runs = [Ok(&one), Ok(&other), Err("connection refused")];
    let runs: Vec<MemberRun<'_>> =
        members.iter().zip(runs).map(|(member, run)| MemberRun { member, run }).collect();
    FleetReport::of(&fleet(), &runs, &Selection::default(), true)
}

#[test]
fn the_whole_has_the_vms_of_all_and_each_cluster_its_own() {
    let report = report();
    let whole = report.whole.as_ref().unwrap();
    let storm = whole.phase("storm-1".parse().unwrap()).unwrap();
    assert_eq!((storm.counts.vms, storm.counts.reached, storm.counts.timed_out), (24, 21, 3));
    assert_eq!(whole.plan.vms, 24);
    assert!(storm.rows.iter().any(|row| row.namespace.starts_with("site-b/")), "{:?}", storm.rows[0]);
    let reached: Vec<Option<usize>> =
        report.members.iter().map(|member| Some(member.result.as_ref()?.counts.reached)).collect();
    assert_eq!(reached, [Some(12), Some(9), None]);
    assert_eq!(report.starts.len(), 1);
    assert_eq!(report.starts[0].words(), "2 clusters, first requests within 2.5 ms");
    let worst = report.worst.clone().unwrap();
    assert_eq!((worst.member.as_str(), worst.why.as_str()), ("site-b", "3 of 12 VMs did not reach running"));
    let differences = report.differences.as_ref().unwrap();
    assert_eq!((differences.runs.len(), differences.comparisons.len()), (2, 1));
    let missing: Vec<&str> = report.missing().map(|member| member.name.as_str()).collect();
    assert_eq!(missing, ["site-c"]);
}

#[test]
fn every_document_keeps_to_the_schema() {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let schema = read(include_str!("../../../../docs/fleet-schema.json"));
    let others = [
        include_str!("../../../../docs/report-schema.json"),
        include_str!("../../../../docs/compare-schema.json"),
    ];
    let mut registry = jsonschema::Registry::new();
    for other in others.map(read) {
        let id = other["$id"].as_str().unwrap().to_owned();
        registry = registry.add(id, other).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(&schema).unwrap();
    let lost = member("site-a", MemberState::Failed);
    let unread = [MemberRun { member: &lost, run: Err("connection refused") }];
    let unread = FleetReport::of(&fleet(), &unread, &Selection::default(), true);
    let states = FleetReport { whole: None, differences: None, ..report() };
    for report in [report(), unread, states] {
        let document = read(&report.json().unwrap());
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }
    let mut wrong = read(&report().json().unwrap());
    wrong["members"][0]["result"]["goal"] = "nowhere".into();
    assert!(!validator.is_valid(&wrong), "the other schemas are read");
}

#[test]
fn every_format_names_every_cluster() {
    let report = report();
    let wide = Layout { wide: true, width: 140, ..Layout::default() };
    let formats = [
        ("summary", report.summary(&Layout::default(), &["kubectl bootstorm fleet cleanup".into()])),
        ("table", report.table(&Layout::default())),
        ("wide", report.table(&wide)),
        ("json", report.json().unwrap()),
        ("yaml", report.yaml().unwrap()),
        ("markdown", report.markdown()),
        ("html", report.html()),
    ];
    for (format, text) in formats {
        for name in ["site-a", "site-b", "site-c", "no route to host", "sites"] {
            assert!(text.contains(name), "{format} lacks {name}:\n{text}");
        }
    }
    let table = report.table(&wide);
    assert!(table.contains("within 2.5 ms") && table.contains("A -> B"), "{table}");
    assert!(report.html().contains("id=\"clusters\"") && report.html().contains("href=\"#clusters\""));
}

#[test]
fn names_of_clusters_cannot_steer_a_terminal_or_become_markup() {
    let record = fixtures::small();
    let evil = Member {
        name: "a`|<b>\u{1b}[2J".into(),
        why: Some("<img src=x>|\u{1b}[2J".into()),
        ..member("x", MemberState::Failed)
    };
    let runs = [MemberRun { member: &evil, run: Ok(&record) }];
    let report = FleetReport::of(&fleet(), &runs, &Selection::default(), true);
    for text in [report.table(&Layout::default()), report.markdown(), report.html(), report.json().unwrap()] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!report.html().contains("|<b>") && !report.html().contains("<img"));
}

#[test]
fn a_fleet_in_which_nothing_can_be_read_has_a_report() {
    let lost = member("site-a", MemberState::Failed);
    let runs = [MemberRun { member: &lost, run: Err("connection refused") }];
    let report = FleetReport::of(&fleet(), &runs, &Selection::default(), true);
    assert_eq!((report.phase, report.whole.is_none()), (None, true));
    assert!(report.table(&Layout::default()).contains("connection refused"));
    assert!(report.markdown().contains("connection refused"));
}

#[test]
fn the_table_of_members_fits_the_terminal() {
    let report = report();
    for width in [80, 140] {
        let text = report.summary(&Layout { width, ..Layout::default() }, &[]);
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= width, "{longest} columns:\n{text}");
        assert!(text.contains("not judged") || text.contains("Verdict"), "{text}");
    }
}
