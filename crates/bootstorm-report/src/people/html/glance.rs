//! The first screen beside the verdict and the key figures: the recovery curve, and next to it the bottleneck, the
//! causes of failures, and how far the times can be trusted.

use super::markup::Markup;
use super::subject::Subjects;
use super::verdict::sentence;
use super::{recovery, validity, words};
use crate::diagnosis::DiagnosisBlock;
use crate::people::content::failures::titles;
use crate::phase::PhaseBlock;
use crate::{Compared, Report};
use bootstorm_model::stats::{Advice, reason};

/// Number of causes shown; the section of failures has all.
const CAUSES: usize = 4;

/// Writes the curve, and the answers beside it.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    body.open("div", &[("class", "glance")]);
    recovery::write(body, subjects);
    body.open("div", &[("class", "beside")]);
    if let Some(compared) = &report.comparison {
        bottleneck(body, report, compared);
    }
    causes(body, report);
    validity::write(body, report);
    body.close("div").close("div");
}

/// The bottleneck, once, with advice.
fn bottleneck(body: &mut Markup, report: &Report, compared: &Compared) {
    let other: Vec<&Advice> = compared.advice.iter().filter(|advice| !is_about_vms(report, advice)).collect();
    // Missing verdicts are explained once, beside the verdict.
    let breakdown = compared.breakdown.as_ref().filter(|_| compared.verdict.is_some());
    if breakdown.is_none() && other.is_empty() {
        return;
    }
    body.open("section", &[("id", "bottleneck")]).leaf("h2", &[], "Bottleneck");
    let found = breakdown.and_then(|breakdown| breakdown.bottleneck.as_ref());
    if let Some(found) = found {
        body.leaf("p", &[("class", "lead")], &sentence(&found.sentence));
        if !found.because.is_empty() {
            body.leaf("p", &[], &sentence(&found.because.join("; ")));
        }
        if !found.remedies.is_empty() {
            hints(body, "Try", &found.remedies.join("; "));
        }
    } else if let Some(why) = breakdown.and_then(|breakdown| breakdown.unnamed.as_ref()) {
        body.leaf("p", &[], &sentence(why));
    }
    for advice in other {
        // The bottleneck is already stated.
        let because = advice.because.iter().filter(|text| found.is_none_or(|found| found.sentence != **text));
        let because: Vec<&str> = because.map(String::as_str).collect();
        if !because.is_empty() {
            body.leaf("p", &[], &sentence(&because.join("; ")));
        }
        let about = advice.layer.map_or_else(|| "Advice".to_owned(), |layer| format!("For {}", layer.word()));
        hints(body, &about, &advice.hints.join("; "));
    }
    body.close("section");
}

/// Causes that kept VMs from the goal, most frequent first, in the last phase that has any.
fn causes(body: &mut Markup, report: &Report) {
    if report.phases.is_empty() {
        return;
    }
    body.open("section", &[("id", "causes")]).leaf("h2", &[], "Failures");
    let missed = |phase: &&PhaseBlock| phase.counts.unsuccessful() > 0;
    match report.phases.iter().rev().find(missed) {
        Some(phase) => of_phase(body, report, phase),
        None => {
            body.leaf("p", &[], "No VM failed or ran out of time.");
        }
    }
    body.close("section");
}

fn of_phase(body: &mut Markup, report: &Report, phase: &PhaseBlock) {
    let (missed, all) = (phase.counts.unsuccessful(), words::count(phase.counts.participants, "VM"));
    let others = report.phases.iter().filter(|of| of.name != phase.name && of.counts.unsuccessful() > 0);
    let others: Vec<String> =
        others.map(|of| format!("{} in {}", of.counts.unsuccessful(), of.name)).collect();
    let others = match others.len() {
        0 => String::new(),
        1..=3 => format!("; {}", others.join(", ")),
        n => format!("; and in {n} other phases"),
    };
    let text = format!("{missed} of {all} did not reach the goal in {}{others}.", phase.name);
    body.leaf("p", &[], &text).open("ul", &[("class", "causes")]);
    let titles = titles(phase);
    let advice = report.comparison.iter().flat_map(|compared| &compared.advice);
    for title in titles.iter().take(CAUSES) {
        body.open("li", &[]).leaf("span", &[("class", "cause")], &words::readable(title));
        for advice in advice.clone().filter(|advice| rests_on(advice, title)) {
            hints(body, "Try", &advice.hints.join("; "));
        }
        body.close("li");
    }
    body.close("ul").open("p", &[]);
    let more = titles.len().saturating_sub(CAUSES);
    let link = if more > 0 {
        format!("{} and every VM", words::count(more, "other cause"))
    } else {
        "Every VM and how to investigate".to_owned()
    };
    body.leaf("a", &[("href", "#failures")], &link).close("p");
}

/// Whether an advice concerns VMs that did not reach the goal, and belongs beside their causes.
fn is_about_vms(report: &Report, advice: &Advice) -> bool {
    let titles = report.phases.iter().flat_map(|phase| &phase.diagnoses).map(DiagnosisBlock::title);
    titles.take(1_000).any(|title| rests_on(advice, &title))
}

/// Whether an advice concerns the VMs of a title.
fn rests_on(advice: &Advice, title: &str) -> bool {
    advice.because.iter().any(|because| reason::shown(because) == title)
}

fn hints(body: &mut Markup, about: &str, hints: &str) {
    body.open("p", &[("class", "hint")])
        .leaf("b", &[], &format!("{about}: "))
        .text(hints)
        .text(".")
        .close("p");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    /// Content beside the curve.
    fn beside(record: &bootstorm_model::record::RunRecord) -> String {
        let page = Report::of(record, &Selection::default()).html();
        let (_, rest) = page.split_once("<div class=\"beside\">").unwrap();
        rest.split_once("<details>").unwrap().0.to_owned()
    }

    #[test]
    fn the_bottleneck_is_named_once() {
        let text = beside(&fixtures::with_failures());
        assert_eq!(text.matches("are stuck between").count(), 1, "{text}");
        assert!(!text.contains("This points to") && text.contains("For hypervisor: "), "{text}");
    }

    #[test]
    fn why_nothing_is_judged_is_said_by_the_verdict_and_by_the_validity_alone() {
        let mut record = fixtures::measured();
        let health = record.phases[2].health.as_mut().unwrap();
        (0..500).for_each(|_| health.timer.add(bootstorm_model::observe::Offset(30_000_000)));
        let page = Report::of(&record, &Selection::default()).html();
        assert!(page.contains("not judged") && !page.contains("id=\"bottleneck\""));
        assert!(
            beside(&record).contains(">invalid</span> times of storm-1, client: "),
            "{}",
            beside(&record)
        );
    }

    #[test]
    fn causes_are_in_words_for_people_and_have_what_to_try() {
        let text = beside(&fixtures::diagnosed());
        assert!(!text.contains("&lt;n&gt;") && text.contains("ImagePullBackOff: quay.io/a/b:1"), "{text}");
        assert!(text.contains("4 of 12 VMs did not reach the goal in storm-1"), "{text}");
        let (_, scheduling) = text.split_once("3 VMs: FailedScheduling").unwrap();
        assert!(
            scheduling.starts_with(": Insufficient memory</span><p class=\"hint\"><b>Try: </b>"),
            "{text}"
        );
        assert!(beside(&fixtures::small()).contains("No VM failed or ran out of time."));
    }
}
