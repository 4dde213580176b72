//! Markdown, to paste into an issue or a page: verdict, comparison, statistics, failures by reason, worst VMs folded.
//!
//! GitHub's dialect. Everything that a cluster or a user named stands in code spans, where it is neither markup nor a
//! mention nor a link.

mod blocks;
mod failures;
pub(crate) mod text;

use std::fmt::Write as _;

use super::Report;
use super::phase::{PhaseBlock, Shown};
use super::table::words;
use bootstorm_model::stats::{Finding, Grade};
use text::{code, seconds};

impl Report {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        self.markdown_with(&format!("## Boot storm {}\n\n", code(&self.run.name)))
    }

    /// The same below another beginning.
    pub(crate) fn markdown_with(&self, begin: &str) -> String {
        let mut page = begin.to_owned();
        // Writing to a string cannot fail, here and below.
        verdict(&mut page, self);
        advice(&mut page, self);
        blocks::validity(&mut page, self);
        blocks::thresholds(&mut page, self);
        blocks::comparison(&mut page, self);
        blocks::breakdown(&mut page, self);
        blocks::repetitions(&mut page, self);
        for phase in self.phases.iter().filter(|phase| phase.shown == Shown::Full) {
            of_phase(&mut page, phase);
        }
        blocks::environment(&mut page, self);
        page.truncate(page.trim_end().len());
        page.push('\n');
        page
    }
}

fn verdict(page: &mut String, report: &Report) {
    let Some(last) = report.phases.last() else {
        page.push_str("Nothing was measured yet.\n\n");
        return;
    };
    match report.comparison.as_ref() {
        Some(compared) => match (&compared.verdict, &compared.unjudged) {
            (Some(verdict), _) => {
                let grade = verdict.grade.word().to_uppercase();
                let _ = writeln!(page, "**Verdict: {grade}** - {}\n", text::plain(&verdict.reason));
            }
            (None, Some(_)) => {
                let why = compared.not_judged().unwrap_or_default();
                let _ = writeln!(page, "**Verdict: {}**\n", text::plain(&why));
            }
            (None, None) => {}
        },
        None => {
            let _ = writeln!(page, "No storm was measured yet; the last phase is {}.\n", last.name);
        }
    }
}

/// What else is not as it should be, what holds the storm up, what points to a cause, and what the guide advises then.
fn advice(page: &mut String, report: &Report) {
    let Some(compared) = &report.comparison else { return };
    let mut items = Vec::new();
    if let Some(verdict) = &compared.verdict {
        let also = |finding: &&Finding| finding.rule != verdict.rule && finding.grade != Grade::Good;
        for finding in verdict.findings.iter().filter(also) {
            items.push(format!("Also {}: {}", finding.grade, text::plain(&finding.reason)));
        }
    }
    let breakdown = compared.breakdown.as_ref();
    if let Some(found) = breakdown.and_then(|breakdown| breakdown.bottleneck.as_ref()) {
        let because = found.because.iter().map(|because| text::plain(because)).collect::<Vec<_>>().join("; ");
        items.push(format!("**Bottleneck: {}**: {because}", text::plain(&found.sentence)));
        items.extend(found.remedies.iter().map(|remedy| format!("Try: {}", text::plain(remedy))));
    } else if let Some(why) = breakdown.and_then(|breakdown| breakdown.unnamed.as_ref()) {
        items.push(text::plain(why));
    }
    for advice in &compared.advice {
        let because = text::plain(&advice.because.join("; "));
        let hints = text::plain(&advice.hints.join("; "));
        let about =
            advice.cause.map_or_else(String::new, |cause| format!("This points to {}: ", cause.word()));
        items.push(format!("{about}{because}. Advice: {hints}."));
    }
    for item in &items {
        let _ = writeln!(page, "- {item}");
    }
    if !items.is_empty() {
        page.push('\n');
    }
}

fn of_phase(page: &mut String, phase: &PhaseBlock) {
    let counts = &phase.counts;
    let _ = writeln!(page, "### {}\n", phase.name);
    let _ = write!(page, "{} of {} VMs {}", counts.reached, counts.participants, phase.goal);
    let others = [
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.unknown, "unknown"),
        (counts.excluded, "excluded"),
        (counts.pending, "pending"),
    ];
    for (count, word) in others.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(page, ", {count} {word}");
    }
    if let Some(total) = phase.spans.total {
        let _ = write!(page, "; took {}", seconds(Some(total)));
    }
    if phase.continued > 0 {
        let gap = seconds(Some(phase.effort.watch_gap));
        let times = words::count(u64::from(phase.continued), "time");
        let _ = write!(page, "; continued {times}, not watched for {gap}");
    }
    if !phase.is_done() {
        let _ = write!(page, "; **not over** ({})", phase.state.word());
    }
    page.push_str(".\n\n");
    blocks::statistics(page, phase);
    failures::grouped(page, phase);
    failures::diagnosed(page, phase);
    failures::outliers(page, phase);
    failures::nodes(page, phase);
    failures::worst(page, phase);
}

#[cfg(test)]
mod tests {
    use crate::thresholds::judge;
    use crate::{Report, Selection, fixtures};
    use bootstorm_model::record::RunRecord;

    fn markdown(record: &RunRecord) -> String {
        Report::of(record, &Selection::default()).markdown()
    }

    #[test]
    fn the_guides_run() {
        insta::assert_snapshot!(markdown(&fixtures::guide()));
    }

    #[test]
    fn runs_in_other_stages() {
        assert!(markdown(&fixtures::fresh()).contains("Nothing was measured yet."));
        assert!(markdown(&fixtures::interrupted(2)).contains("No storm was measured yet"));
        assert!(markdown(&fixtures::interrupted(3)).contains("**Verdict: not judged: storm-1 is not over**"));
    }

    #[test]
    fn thresholds_repetitions_and_what_is_unknown_are_told() {
        let record = fixtures::repeated();
        let thresholds = ["storm.goal.p50>1s".parse().unwrap(), "failed>100%".parse().unwrap()];
        let judged = judge(&thresholds, &record, record.phases.last().map(|phase| phase.name), &[]);
        let text = Report::of(&record, &Selection::default()).with_thresholds(judged).markdown();
        assert!(text.contains("| `failed>100%` | "), "{text}");
        assert!(
            text.contains(" | storm-3 | kept |") && text.contains(" | storm-3 | **crossed** |"),
            "{text}"
        );
        assert!(
            text.contains("### 3 storms, time to running\n") && text.contains("| median |  | "),
            "{text}"
        );
        let text = markdown(&fixtures::continued());
        assert!(text.contains("continued 2 times, not watched for 12.30 s"), "{text}");
        assert!(text.contains("Not in these figures: 1 VM that reached the goal"), "{text}");
    }

    #[test]
    fn hostile_text_stays_in_its_code_span() {
        let mut record = fixtures::with_failures();
        record.plan.prefix = "a`</details>@b".into();
        record.phases[2].timelines[1].reason = Some("``x|y`` <img src=x>\n# @everyone #1".into());
        let text = markdown(&record);
        assert!(text.contains(r"``` ``x\|y`` <img src=x>\n# @everyone #1 ```"), "{text}");
        assert!(text.contains("## Boot storm `` a`</details>@b ``"), "{text}");
        // What is left without the spans holds no markup of theirs.
        assert_eq!(text.matches("<details>").count(), text.matches("</details>\n").count());
    }

    #[test]
    fn ten_thousand_vms_still_fit_into_a_comment() {
        let mut record = fixtures::healthy(10_000);
        for (index, timeline) in record.phases[2].timelines.iter_mut().enumerate() {
            timeline.outcome = bootstorm_model::observe::Outcome::Failed;
            timeline.reason = Some(format!("reason {index} {}", "x".repeat(3000)));
        }
        // GitHub takes 65,536 characters.
        assert!(markdown(&record).chars().count() < 40_000);
    }
}
