//! End-to-end tests of the terminal form.

use super::Layout;
use crate::{Paint, Report, Selection, fixtures};
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::RunRecord;

fn table(record: &RunRecord, layout: Layout) -> String {
    Report::of(record, &Selection::default()).table(&layout)
}

fn plain(record: &RunRecord) -> String {
    table(record, Layout::default())
}

#[test]
fn the_guides_run_at_80_columns() {
    insta::assert_snapshot!(plain(&fixtures::guide()));
}

fn summary(record: &RunRecord, layout: &Layout) -> String {
    let next = ["kubectl bootstorm report --ns-prefix boot-storm-test -o guide".to_owned()];
    Report::of(record, &Selection::default()).summary(layout, &next)
}

#[test]
fn the_summary_at_80_columns() {
    insta::assert_snapshot!("summary_of_the_guides_run", summary(&fixtures::guide(), &Layout::default()));
    insta::assert_snapshot!("summary_with_failures", summary(&fixtures::with_failures(), &Layout::default()));
    insta::assert_snapshot!("summary_of_a_fresh_run", summary(&fixtures::fresh(), &Layout::default()));
}

#[test]
fn the_summary_fits_one_screen_whatever_happened() {
    let mut long = fixtures::hopeless();
    for (index, timeline) in long.phases.iter_mut().flat_map(|phase| &mut phase.timelines).enumerate() {
        timeline.reason = Some(format!("cause {}: {}", "abcdefghij".repeat(index % 9), "x ".repeat(400)));
    }
    let all = vec![
        fixtures::guide(),
        fixtures::healthy(1),
        fixtures::healthy(2_000),
        fixtures::with_failures(),
        fixtures::stamped(),
        fixtures::probed(),
        fixtures::provisioned(),
        fixtures::unstarted(),
        fixtures::repeated(),
        fixtures::waves(),
        fixtures::searched(6),
        fixtures::interrupted(3),
        fixtures::fresh(),
        fixtures::continued(),
        fixtures::measured(),
        fixtures::diagnosed(),
        long,
    ];
    for record in &all {
        for width in [80, 100, 140] {
            let text = summary(record, &Layout { width, ..Layout::default() });
            assert!(text.lines().count() <= 40, "{} lines:\n{text}", text.lines().count());
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} columns:\n{text}");
        }
        let styled = summary(record, &Layout { paint: Paint::Ansi, ..Layout::default() });
        let mut plain = styled;
        for style in ["[1m", "[2m", "[31m", "[32m", "[33m", "[0m"] {
            plain = plain.replace(&format!("\u{1b}{style}"), "");
        }
        assert_eq!(plain, summary(record, &Layout::default()), "colour adds nothing but styles");
    }
}

#[test]
fn the_guides_run_at_140_columns() {
    insta::assert_snapshot!(table(&fixtures::guide(), Layout { width: 140, ..Layout::default() }));
}

#[test]
fn wide_shows_every_vm_and_every_milestone() {
    let layout = Layout { width: 80, wide: true, ..Layout::default() };
    insta::assert_snapshot!(table(&fixtures::with_failures(), layout));
}

#[test]
fn rules_are_as_long_as_a_wide_table() {
    let text = table(&fixtures::with_failures(), Layout { width: 80, wide: true, ..Layout::default() });
    let columns = |line: &str| line.chars().count();
    let longest = text.lines().map(columns).max().unwrap();
    let rules: Vec<usize> = text.lines().filter(|line| line.starts_with("==")).map(columns).collect();
    assert!(longest > 150 && rules.iter().all(|rule| *rule == longest), "{longest}, {rules:?}");
}

#[test]
fn a_span_that_not_all_vms_are_in_says_how_many_are() {
    let text = plain(&fixtures::with_failures());
    assert!(text.contains("First start request to last VM running: 27.66s (9 of 11 VMs)\n"), "{text}");
    let text = plain(&fixtures::small());
    assert!(text.contains("First start request to last VM running: 27.66s\n"), "{text}");
}

#[test]
fn a_search_names_the_limit_that_ended_it() {
    let mut report = Report::of(&fixtures::searched(6), &Selection::default());
    let capacity = report.capacity.as_mut().unwrap();
    (capacity.state, capacity.most_storms) = (crate::CapacityState::Budget, 6);
    let text = report.capacity_table(&Layout::default());
    assert!(text.contains("The limit of 6 storms is reached: with a larger --max-storms"), "{text}");
    let capacity = report.capacity.as_mut().unwrap();
    (capacity.budget, capacity.most_storms) = (Some(60.0), 20);
    let text = report.capacity_table(&Layout::default());
    assert!(text.contains("The budget of 60s is used up: with a larger --budget"), "{text}");
}

#[test]
fn the_summary_wraps_its_facts_where_there_is_room() {
    let text = summary(&fixtures::guide(), &Layout::default());
    assert!(text.contains("\nquay.io/containerdisks/fedora:42\n") && !text.contains('…'), "{text}");
    assert!(text.contains("   not reached       28.56s\n"), "{text}");
    assert!(text.contains("100 %: from the first request. Slowest VM: from its own request.\n"), "{text}");
    let whole = summary(&fixtures::guide(), &Layout { cut: false, ..Layout::default() });
    assert!(
        whole.contains(" container disk quay.io/containerdisks/fedora:42\n"),
        "a file has whole lines: {whole}"
    );
}

#[test]
fn colour_adds_nothing_but_styles() {
    let record = fixtures::with_failures();
    let coloured = table(&record, Layout { paint: Paint::Ansi, ..Layout::default() });
    insta::assert_snapshot!(coloured.replace('\u{1b}', "ESC"));
    let mut stripped = coloured;
    for style in ["[1m", "[2m", "[31m", "[32m", "[33m", "[0m"] {
        stripped = stripped.replace(&format!("\u{1b}{style}"), "");
    }
    assert_eq!(stripped, plain(&record));
}

#[test]
fn the_guides_run_in_colour_at_80_and_140_columns() {
    for width in [80, 140] {
        let layout = Layout { width, paint: Paint::Ansi, ..Layout::default() };
        let coloured = table(&fixtures::guide(), layout).replace('\u{1b}', "ESC");
        insta::assert_snapshot!(format!("the_guides_run_in_colour_at_{width}_columns"), coloured);
    }
}

#[test]
fn ping_has_a_column_once_guests_are_probed() {
    let probed = plain(&fixtures::probed());
    insta::assert_snapshot!(probed);
    assert!(!plain(&fixtures::small()).contains("Ping"));
}

#[test]
fn stamped_times_are_marked() {
    let text = plain(&fixtures::stamped());
    assert!(text.contains("±1s:"), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.starts_with("boot-storm-test-4 ") && line.contains("±1s")).count(),
        1
    );
}

#[test]
fn unknown_times_are_counted_and_said() {
    let mut record = fixtures::small();
    for timeline in &mut record.phases[2].timelines[..2] {
        timeline.moments.remove(&Milestone::Requested);
    }
    let text = plain(&record);
    assert!(text.contains("  Successful:             12\n"), "{text}");
    assert!(text.contains("  Unknown times:          2 of the successes"), "{text}");
    let wide = table(&record, Layout { wide: true, ..Layout::default() });
    assert!(
        wide.lines()
            .any(|line| line.starts_with("Running ") && line.contains("   10        10         2   ")),
        "{wide}"
    );
    assert!(!plain(&fixtures::small()).contains("Unknown"));
}

#[test]
fn runs_in_every_stage_have_a_report() {
    insta::assert_snapshot!("fresh", plain(&fixtures::fresh()));
    insta::assert_snapshot!("create_only_interrupted", plain(&fixtures::interrupted(1)));
    insta::assert_snapshot!("stop_without_storm", plain(&fixtures::interrupted(2)));
    insta::assert_snapshot!("storm_interrupted", plain(&fixtures::interrupted(3)));
    insta::assert_snapshot!("nobody_arrived", plain(&fixtures::hopeless()));
    insta::assert_snapshot!("one_vm", plain(&fixtures::healthy(1)));
    let storm = |record: &RunRecord| {
        let text = plain(record);
        text[text.find("BOOT STORM").unwrap()..].to_owned()
    };
    insta::assert_snapshot!("storm_in_waves", storm(&fixtures::waves()));
    insta::assert_snapshot!("search_for_the_largest_storm", storm(&fixtures::searched(6)));
}

#[test]
fn a_storm_without_a_baseline_is_judged_by_its_failures_only() {
    let mut record = fixtures::small();
    record.phases.remove(0);
    assert!(plain(&record).contains("Verdict: not judged: there is no baseline"));
    for timeline in &mut record.phases[1].timelines {
        timeline.moments.retain(|milestone, _| *milestone < Milestone::Running);
        timeline.outcome = bootstorm_model::observe::Outcome::TimedOut;
    }
    assert!(plain(&record).contains("Verdict: CRITICAL - 12 of 12 VMs (100.0 %)"));
}

#[test]
fn other_phases_are_told_in_a_line_and_can_be_chosen() {
    let mut record = fixtures::small();
    let mut again = record.phases[2].clone();
    again.name.number = 2;
    record.phases.push(again);
    let text = plain(&record);
    assert!(text.contains("Boot Storm Performance Test Results (storm-2)"), "{text}");
    assert!(text.contains("  storm-1:                12/12 running, mean "), "{text}");
    let selection = Selection { baseline: "storm-1".parse().ok(), storm: "storm-2".parse().ok(), only: None };
    let text = Report::of(&record, &selection).table(&Layout::default());
    assert!(text.contains("Comparison: storm-1 -> storm-2"), "{text}");
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    for width in [60, 80, 100, 140] {
        for record in [fixtures::guide(), fixtures::with_failures(), fixtures::probed(), fixtures::hopeless()]
        {
            let text = table(&record, Layout { width, ..Layout::default() });
            let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
            assert!(longest.chars().count() <= width, "{width}: {longest}");
        }
    }
}

#[test]
fn nothing_from_the_cluster_reaches_the_terminal_raw() {
    let mut record = fixtures::with_failures();
    let hostile = "a\u{1b}]0;b\u{7}\r\n\u{9b}31m\u{202e}c";
    record.plan.prefix = hostile.into();
    record.plan.vm_name = hostile.into();
    record.facts.kubevirt = Some(hostile.into());
    for phase in &mut record.phases {
        for timeline in &mut phase.timelines {
            timeline.node = Some(hostile.into());
            timeline.reason = Some(hostile.into());
        }
    }
    for wide in [false, true] {
        let text = table(&record, Layout { wide, width: 140, ..Layout::default() });
        let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(raw, None);
    }
}

#[test]
fn ten_thousand_vms_fit_on_a_page_until_all_are_wanted() {
    let report = Report::of(&fixtures::healthy(10_000), &Selection::default());
    assert!(report.summary(&Layout::default(), &[]).lines().count() <= 40);
    assert!(report.table(&Layout { wide: true, ..Layout::default() }).lines().count() > 20_000);
}

#[test]
fn headers_can_be_left_out() {
    let text = table(&fixtures::small(), Layout { headers: false, ..Layout::default() });
    assert!(!text.contains("Running(s)") && text.contains("Statistics:"), "{text}");
}

#[test]
fn disks_that_were_filled_are_told_apart_from_the_boot() {
    insta::assert_snapshot!(plain(&fixtures::provisioned()));
}

#[test]
fn a_create_without_a_start_is_no_baseline() {
    insta::assert_snapshot!(plain(&fixtures::unstarted()));
}

#[test]
fn unknown_times_and_continued_phases_are_told() {
    let report = Report::of(&fixtures::continued(), &Selection::default());
    let text = report.table(&Layout {
        width: 80,
        cut: true,
        wide: false,
        title: true,
        headers: true,
        paint: Paint::Plain,
    });
    assert!(text.contains("  Continued:              2 times; not watched for 12.30s\n"), "{text}");
    assert!(!text.contains("Watch:"), "{text}");
    let row = |line: &&str| line.starts_with("boot-storm-test-1 ") && line.contains("unknown");
    assert_eq!(text.lines().filter(row).count(), 1, "{text}");
    assert!(text.contains("Unknown times:          1 of the successes"), "{text}");
}
