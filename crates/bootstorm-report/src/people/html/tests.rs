//! Tests of the whole page, for every kind of run.

use super::*;
use crate::{Selection, fixtures};
use bootstorm_model::observe::Outcome;
use bootstorm_model::record::RunRecord;

fn page(record: &RunRecord) -> String {
    Report::of(record, &Selection::default()).html()
}

/// The content of the page without scripts.
fn body(page: &str) -> &str {
    let begin = page.find("<body>").unwrap();
    &page[begin..page.find("<script").unwrap()]
}

/// Every element that is opened is closed, in order.
fn assert_nested(markup: &str) {
    let mut open = Vec::new();
    let mut rest = markup;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').unwrap();
        let tag = &rest[begin + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert_eq!(open, ["body"]);
}

#[test]
fn every_kind_of_run_makes_a_whole_page() {
    let mut repeated = fixtures::small();
    for number in 2..=100 {
        let mut storm = repeated.phases[2].clone();
        storm.name.number = number;
        repeated.phases.push(storm);
    }
    let mut stop_alone = fixtures::small();
    stop_alone.phases.remove(2);
    stop_alone.phases.remove(0);
    let mut storm_alone = fixtures::small();
    storm_alone.phases.remove(0);
    let mut never_requested = fixtures::small();
    for timeline in &mut never_requested.phases[2].timelines {
        timeline.moments.clear();
        timeline.outcome = Outcome::Pending;
    }
    let records = vec![
        fixtures::guide(),
        fixtures::with_failures(),
        fixtures::stamped(),
        fixtures::probed(),
        fixtures::fresh(),
        fixtures::interrupted(1),
        fixtures::interrupted(2),
        fixtures::interrupted(3),
        fixtures::hopeless(),
        fixtures::healthy(1),
        repeated,
        stop_alone,
        storm_alone,
        never_requested,
    ];
    for record in &records {
        let page = page(record);
        assert_nested(body(&page));
        for word in ["NaN", "inf", "None", "Some("] {
            let found = body(&page).match_indices(word).next();
            assert!(found.is_none(), "{word} at {found:?}");
        }
        assert!(!page.contains("http://") && !page.contains("https://"), "an address that could be fetched");
    }
}

#[test]
fn the_essential_is_there_without_scripts() {
    let page = page(&fixtures::guide());
    let body = body(&page);
    for text in [">critical<", ">fair<", ">poor<", ">good<"] {
        if body.contains(text) {
            assert!(body.contains("96 / 98"), "the count of VMs that are back");
        }
    }
    for text in [
        "2 of 98 VMs (2.0 %) did not reach the goal.",
        "Mean time to running",
        "VMI failed: launcher pod exited with code 1",
        "boot-storm-test-13<",
        "KubeVirt",
        "v1.6.2",
    ] {
        assert!(body.contains(text), "{text}");
    }
    let (_, vms) = body.split_once("id=\"vm-table\"").unwrap();
    let rows = vms.split("</table>").next().unwrap().matches("<th scope=\"row\">").count();
    assert_eq!(rows, 25, "only the first rows");
}

#[test]
fn a_run_without_a_storm_says_so() {
    assert!(page(&fixtures::interrupted(1)).contains("There is no storm to judge yet."));
    assert!(page(&fixtures::fresh()).contains("no VM has been created."));
    assert!(page(&fixtures::hopeless()).contains("No VM was running in this phase."));
    assert!(page(&fixtures::interrupted(3)).contains("was interrupted: 7 VMs pending."));
}

#[test]
fn hostile_texts_stay_texts() {
    let mut record = fixtures::with_failures();
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{0}\u{1b}[2J'\"&";
    record.plan.prefix = evil.into();
    record.plan.vm_name = evil.into();
    record.facts.kubernetes = Some(evil.into());
    for phase in &mut record.phases {
        for timeline in &mut phase.timelines {
            timeline.node = Some(evil.into());
            timeline.reason = Some(evil.into());
        }
    }
    let page = page(&record);
    assert_nested(body(&page));
    assert!(!page.contains("<img") && !page.contains("alert(1)</script>"));
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
    assert!(!page.contains(['\u{202e}', '\u{0}', '\u{1b}']));
}

#[test]
fn ten_thousand_vms_fit_into_five_mebibytes() {
    let report = Report::of(&fixtures::healthy(10_000), &Selection::default());
    let page = report.html();
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    assert!(body(&page).len() < 640 << 10, "{} bytes of markup", body(&page).len());
}

#[test]
fn a_recovery_curve_is_drawn_as_it_was() {
    let mut record = fixtures::healthy(3);
    record.phases.truncate(1);
    let report = Report::of(&record, &Selection::default());
    let mut markup = Markup::new();
    recovery::write(&mut markup, &Subjects::of(&report));
    let begin = markup.as_str().find("<svg class=\"at-narrow\"").unwrap();
    let end = begin + markup.as_str()[begin..].find("<rect class=\"hit\"").unwrap();
    insta::assert_snapshot!(
        markup.as_str()[begin..end].replace("/>", "/>\n").replace("</text>", "</text>\n")
    );
}

#[test]
fn figures_of_the_cluster_are_drawn_under_the_curve_on_its_axis() {
    let mut record = fixtures::small();
    record.phases[2].metrics = Some(fixtures::metrics());
    let page = Report::of(&record, &crate::Selection::default()).html();
    let section = page.split("id=\"cluster\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(page.find("id=\"recovery\"") < page.find("id=\"cluster\""));
    assert!(section.contains("node CPU peaked at 97 % (worker-1); lower ones not drawn: 1"), "{section}");
    // A gap begins a new stroke, and values after the last arrival are not drawn.
    assert!(section.contains("class=\"line storm\"") && section.contains("no data: etcd commit p99"));
    let table = Report::of(&record, &crate::Selection::default()).table(&crate::Layout::default());
    assert!(
        table.contains("node CPU") && table.contains("97 %") && table.contains("worker-1, of 3"),
        "{table}"
    );
}

#[test]
fn thresholds_and_repetitions_are_on_the_page() {
    let record = fixtures::repeated();
    let thresholds = ["storm.goal.p50>1s".parse().unwrap(), "failed>100%".parse().unwrap()];
    let judged =
        crate::thresholds::judge(&thresholds, &record, record.phases.last().map(|phase| phase.name), &[]);
    let page = Report::of(&record, &Selection::default()).with_thresholds(judged).html();
    assert!(page.contains("failed&gt;100%</th>"), "conditions are escaped");
    assert!(page.contains(">crossed</span>") && page.contains(">kept</span>"));
    assert!(page.contains("3 storms, time to running") && page.contains(">median</th>"));
}

#[test]
fn what_is_unknown_and_what_was_continued_is_told() {
    let page = Report::of(&fixtures::continued(), &Selection::default()).html();
    assert!(page.contains("1 VM that reached the goal after an unknown time"));
    assert!(page.contains("was continued 2 times and not watched for 12.30"));
}
