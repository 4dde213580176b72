//! `JUnit` XML: one test suite per phase, one test case per VM, and a suite for the thresholds.
//!
//! Valid for the two schemas in common use (of the Ant task and of Jenkins), which is why each suite carries attributes
//! and elements without information. A VM that ran out of time is a failure, one that cannot reach the goal an error,
//! one that took no part is skipped. `time` is seconds from the VM's request to the goal; to the limit if the VM timed
//! out, or to the end of the phase if that was earlier; to the last milestone if it ended otherwise; 0 if unknown, and the property `unknown_times` counts those.
//!
//! Programs that merge files merge suites of the same name, and replace the time of a suite by the sum of its cases:
//! names include the run, and the property `wall_seconds` is the duration of the phase.

use std::fmt::Write as _;

use super::nodes::NodeBlock;
use super::phase::PhaseBlock;
use super::row::Row;
use super::validity::ValidityBlock;
use super::{Report, printable};
use crate::people::content::thresholds::value;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::StormKind;

impl Report {
    /// The report as `JUnit` XML.
    pub fn junit(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        for (id, phase) in self.phases.iter().enumerate() {
            suite(&mut text, self, id, phase);
        }
        thresholds(&mut text, self);
        text.push_str("</testsuites>\n");
        text
    }
}

/// A suite with one case per threshold.
fn thresholds(text: &mut String, report: &Report) {
    let blocks = &report.thresholds;
    if blocks.is_empty() {
        return;
    }
    let run = escaped(&report.run.name);
    let host = host(report);
    let crossed = blocks.iter().filter(|block| block.fails()).count();
    let last = report.phases.last().map_or(report.run.created, |phase| phase.began);
    let _ = writeln!(
        text,
        "  <testsuite id=\"{}\" name=\"{run}.thresholds\" package=\"{run}\" timestamp=\"{}\" hostname=\"{host}\" tests=\"{}\" failures=\"{crossed}\" errors=\"0\" skipped=\"0\" time=\"0.000\">\n    <properties>\n    </properties>",
        report.phases.len(),
        last.strftime("%Y-%m-%dT%H:%M:%S"),
        blocks.len(),
    );
    for block in blocks {
        let (name, value) = (escaped(&block.condition), escaped(&value(block)));
        let _ = write!(text, "    <testcase name=\"{name}\" classname=\"{run}.thresholds\" time=\"0.000\"");
        let _ = if block.fails() {
            let message = match &block.undecided {
                Some(why) => escaped(&format!("undecided: {why}")),
                None => format!("it is {value}"),
            };
            writeln!(
                text,
                ">\n      <failure message=\"{message}\" type=\"threshold\">{message}</failure>\n    </testcase>"
            )
        } else {
            writeln!(text, "/>")
        };
    }
    text.push_str("    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n");
}

fn suite(text: &mut String, report: &Report, id: usize, phase: &PhaseBlock) {
    let counts = &phase.counts;
    let run = escaped(&report.run.name);
    let (time, host) = (phase.spans.took().unwrap_or_default(), host(report));
    // The schema of the Ant task requires a time without a zone; this is UTC.
    let began = phase.began.strftime("%Y-%m-%dT%H:%M:%S");
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  <testsuite id=\"{id}\" name=\"{run}.{}\" package=\"{run}\" timestamp=\"{began}\" hostname=\"{host}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time:.3}\">",
        phase.name,
        phase.rows.len(),
        counts.timed_out,
        counts.failed + counts.unknown + counts.pending,
        counts.excluded,
    );
    properties(text, report, phase);
    for row in &phase.rows {
        case(text, &format!("{run}.{}", phase.name), phase, row);
    }
    text.push_str("    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n");
}

/// Name of the cluster: the context, or the address of its server.
fn host(report: &Report) -> String {
    let cluster = &report.cluster;
    escaped(cluster.context.as_deref().or(cluster.server.as_deref()).unwrap_or("cluster"))
}

fn properties(text: &mut String, report: &Report, phase: &PhaseBlock) {
    text.push_str("    <properties>\n");
    let (cluster, unknown) = (&report.cluster, String::from("unknown"));
    let properties = [
        ("run_id", report.run.id.clone()),
        ("goal", phase.goal.to_string()),
        ("state", phase.state.word().to_owned()),
        ("kubernetes", cluster.kubernetes_version.clone().unwrap_or_else(|| unknown.clone())),
        ("kubevirt", cluster.kubevirt_version.clone().unwrap_or(unknown)),
        ("unknown_times", phase.summary(phase.goal).unknown.to_string()),
        ("wall_seconds", format!("{:.3}", phase.spans.took().unwrap_or_default())),
    ];
    let block = phase.validity.as_ref();
    let grade = block.map(|block| ("validity", block.grade.to_string()));
    let doubts = block.into_iter().flat_map(ValidityBlock::doubts);
    let doubts = doubts.map(|doubt| ("validity_doubt", format!("{}: {}", doubt.rule.word(), doubt.measured)));
    let slow = phase.nodes.iter().filter_map(NodeBlock::verdict).map(|verdict| ("slow_node", verdict));
    for (name, value) in properties.into_iter().chain(grade).chain(doubts).chain(slow) {
        let _ = writeln!(text, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    text.push_str("    </properties>\n");
}

fn case(text: &mut String, class: &str, phase: &PhaseBlock, row: &Row) {
    let last = row.milestones.values().map(|mark| mark.seconds).reduce(f64::max);
    let time = row.seconds(phase.goal).or_else(|| waited(phase, row)).or(last).unwrap_or_default();
    let name = escaped(&format!("{}/{}", row.namespace, row.name));
    let _ = write!(text, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time:.3}\"");
    let reason = row.reason.as_deref().unwrap_or("no reason is known");
    let reason = match &row.cause {
        Some(cause) => &format!("{cause} ({reason})"),
        None => reason,
    };
    let element = match row.outcome {
        Outcome::Reached => None,
        Outcome::TimedOut => Some(fault("failure", row.outcome, reason)),
        Outcome::Failed | Outcome::Unknown => Some(fault("error", row.outcome, reason)),
        Outcome::Pending => Some(fault("error", row.outcome, row.reason.as_deref().unwrap_or("not decided"))),
        Outcome::Excluded => Some(format!("<skipped message=\"{}\"/>", escaped(reason))),
    };
    let _ = match element {
        None => writeln!(text, "/>"),
        Some(element) => writeln!(text, ">\n      {element}\n    </testcase>"),
    };
}

/// Seconds that a VM that timed out was waited for: its own limit, or less if the phase ended before.
pub(super) fn waited(phase: &PhaseBlock, row: &Row) -> Option<f64> {
    if row.outcome != Outcome::TimedOut {
        return None;
    }
    // Nobody waited for a VM whose request was not sent.
    let requested = row.requested_at?;
    let settings = &phase.settings;
    let limit = match row.seconds(Milestone::Running) {
        // An observation has no limit for a VM.
        _ if settings.kind == StormKind::Observed => None,
        Some(running) if phase.goal == Milestone::Reachable => {
            Some(running + settings.ping_timeout_seconds as f64)
        }
        _ => Some(settings.timeout_seconds as f64),
    };
    let total = phase.spans.total.map(|total| (total - requested).max(0.0));
    limit.into_iter().chain(total).reduce(f64::min)
}

fn fault(element: &str, outcome: Outcome, reason: &str) -> String {
    let reason = escaped(reason);
    format!("<{element} message=\"{reason}\" type=\"{}\">{reason}</{element}>", outcome.word())
}

/// Text for XML: control characters made visible, markup escaped, and no character that XML 1.0 forbids.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};
    use bootstorm_model::observe::Offset;
    use bootstorm_model::record::RunRecord;

    fn junit(record: &RunRecord) -> String {
        Report::of(record, &Selection::default()).junit()
    }

    #[test]
    fn every_way_to_end_has_its_element() {
        let mut record = fixtures::with_failures();
        record.phases.drain(..2);
        record.phases[0].ended = Some(Offset::from_seconds(610.0));
        insta::assert_snapshot!(junit(&record));
    }

    #[test]
    fn thresholds_are_a_suite_of_their_own() {
        let record = fixtures::repeated();
        let thresholds = ["storm.goal.p50>1s".parse().unwrap(), "failed>100%".parse().unwrap()];
        let last = record.phases.last().map(|phase| phase.name);
        let judged = crate::thresholds::judge(&thresholds, &record, last, &[]);
        let text = Report::of(&record, &Selection::default()).with_thresholds(judged).junit();
        let document = roxmltree::Document::parse(&text).unwrap();
        let suite = document
            .descendants()
            .find(|node| node.attribute("name").is_some_and(|name| name.ends_with(".thresholds")))
            .unwrap();
        assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("2"), Some("1")));
        let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases[0].attribute("name"), Some("storm.goal.p50>1s"));
        let failure = cases[0].children().find(|node| node.has_tag_name("failure")).unwrap();
        assert!(failure.attribute("message").unwrap().starts_with("it is "));
        assert!(!cases[1].has_children());
    }

    #[test]
    fn nobody_is_waited_for_beyond_the_end_of_the_phase() {
        let mut record = fixtures::hopeless();
        let phase = &mut record.phases[0];
        phase.timelines[0].outcome = Outcome::TimedOut;
        let time = |record: &RunRecord| -> f64 {
            let report = Report::of(record, &Selection::default());
            let row = report.phases[0].rows.iter().find(|row| row.outcome == Outcome::TimedOut).unwrap();
            waited(&report.phases[0], row).unwrap() + row.requested_at.unwrap()
        };
        phase.settings.timeout_seconds = 600;
        phase.ended = Some(Offset::from_seconds(60.0));
        assert!((time(&record) - 60.0).abs() < 1e-6, "--phase-timeout");
        record.phases[0].ended = Some(Offset::from_seconds(900.0));
        assert!((600.0..610.0).contains(&time(&record)), "its own limit");
        let mut unsent = record.clone();
        unsent.phases[0].timelines[0].moments.clear();
        let report = Report::of(&unsent, &Selection::default());
        let phase = &report.phases[0];
        let row = phase.rows.iter().find(|row| row.outcome == Outcome::TimedOut).unwrap();
        assert_eq!((row.requested_at, waited(phase, row)), (None, None), "its request was not sent");
        record.phases[0].settings.kind = StormKind::Observed;
        record.phases[0].settings.timeout_seconds = 0;
        assert!((time(&record) - 900.0).abs() < 1e-6, "the end of the observation");
    }

    #[test]
    fn hostile_text_is_only_text() {
        let mut record = fixtures::hopeless();
        record.plan.prefix = "a\"><evil/>".into();
        record.phases[0].timelines[0].reason = Some("]]> & <!-- \u{0} \u{ffff} 'x' -->".into());
        let text = junit(&record);
        let document = roxmltree::Document::parse(&text).unwrap();
        assert!(document.descendants().all(|node| !node.has_tag_name("evil") && !node.is_comment()));
        let message = document.descendants().find_map(|node| node.attribute("message")).unwrap();
        assert_eq!(message, "]]> & <!-- \\u{0} \u{fffd} 'x' -->");
    }
}
