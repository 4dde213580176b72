//! Stages between milestones, over all VMs and for each VM.

use super::chart::plot::hit;
use super::chart::{self, Drawing, Scale, number};
use super::markup::Markup;
use super::subject::{Role, Subject, Subjects};
use super::{breakdown, grid, timelines, words};
use crate::Report;
use bootstorm_model::observe::Milestone;
use bootstorm_model::stats::{Change, Summary};

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    if subjects.iter().all(|subject| subject.phase.stages.is_empty()) {
        return;
    }
    body.open("section", &[("id", "stages")]).leaf("h2", &[], "Where the time went");
    let mut seen: Vec<Milestone> =
        subjects.iter().flat_map(|subject| subject.phase.stages.iter().map(|stage| stage.to)).collect();
    seen.sort_unstable();
    seen.dedup();
    let words: Vec<(&str, String)> =
        seen.iter().map(|milestone| (words::class(*milestone), format!("until {milestone}"))).collect();
    let entries: Vec<(&str, &str)> = words.iter().map(|(class, word)| (*class, word.as_str())).collect();
    chart::legend(body, &entries);
    means(body, subjects);
    if let Some(breakdown) = report.comparison.as_ref().and_then(|compared| compared.breakdown.as_ref()) {
        breakdown::write(body, breakdown);
    }
    table(body, subjects);
    timelines::write(body, subjects);
    body.close("section");
}

/// One bar per phase: the mean of each stage, one after the other.
fn means(body: &mut Markup, subjects: &Subjects<'_>) {
    let sum = |subject: &Subject<'_>| -> f64 {
        subject.phase.stages.iter().filter_map(|stage| stage.summary.mean).sum()
    };
    let longest = subjects.iter().map(|subject| sum(&subject)).fold(0.0, f64::max);
    if longest <= 0.0 {
        return;
    }
    chart::draw(body, true, "Mean length of each stage, in seconds", |size| {
        let mut content = Markup::new();
        let scale = Scale::new(longest, 0.0, size.width() - 70.0);
        let mut y = 0.0;
        for subject in subjects.iter() {
            let (text_y, bar_y) = (number(y + 13.0), y + 19.0);
            let label = subject.label();
            content.leaf("text", &[("class", "name"), ("x", "0"), ("y", &text_y)], &label);
            let mut before = 0.0;
            for stage in &subject.phase.stages {
                let Some(mean) = stage.summary.mean else { continue };
                let (from, to) = (scale.at(before), scale.at(before + mean));
                let [x, width, top] = [from, to - from, bar_y].map(number);
                content.empty(
                    "rect",
                    &[
                        ("class", words::class(stage.to)),
                        ("x", &x),
                        ("y", &top),
                        ("width", &width),
                        ("height", "18"),
                    ],
                );
                let says = format!("{} to {}: {} on average", stage.from, stage.to, words::seconds(mean));
                hit(&mut content, (from, bar_y), (to, bar_y + 18.0), &says);
                before += mean;
            }
            let [x, text_y] = [scale.at(before) + 6.0, bar_y + 13.0].map(number);
            content.leaf("text", &[("class", "tick"), ("x", &x), ("y", &text_y)], &words::seconds(before));
            y += 46.0;
        }
        Drawing { height: y, content }
    });
}

/// One line per stage, the phases side by side.
fn table(body: &mut Markup, subjects: &Subjects<'_>) {
    let caption = "Length of each stage in seconds, over the VMs that passed both ends";
    grid::begin(body, caption, &[("class", "numbers")]);
    body.open("thead", &[]).open("tr", &[]).leaf("th", &[("scope", "col"), ("rowspan", "2")], "Stage");
    for subject in subjects.iter() {
        body.leaf("th", &[("scope", "colgroup"), ("colspan", "5"), ("class", "group")], &subject.label());
    }
    let compared = subjects.role(Role::Baseline).zip(subjects.role(Role::Storm));
    if compared.is_some() {
        body.leaf("th", &[("scope", "col"), ("rowspan", "2")], "Mean ×");
    }
    body.close("tr").open("tr", &[]);
    for heading in subjects.iter().flat_map(|_| ["VMs", "Mean", "p50", "p95", "Max"]) {
        body.leaf("th", &[("scope", "col")], heading);
    }
    body.close("tr").close("thead").open("tbody", &[]);
    for (from, to) in ends(subjects) {
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &format!("{from} → {to}"));
        for subject in subjects.iter() {
            cells(body, summary(subject, from, to));
        }
        if let Some((baseline, storm)) = compared {
            let mean = |subject| summary(subject, from, to).and_then(|summary| summary.mean);
            body.leaf("td", &[], &words::ratio(Change::new(mean(baseline), mean(storm)).ratio));
        }
        body.close("tr");
    }
    body.close("tbody").close("table").close("div");
}

/// The stages of any phase, in order.
fn ends(subjects: &Subjects<'_>) -> Vec<(Milestone, Milestone)> {
    let stages = subjects.iter().flat_map(|subject| subject.phase.stages.iter());
    let mut ends: Vec<(Milestone, Milestone)> = stages.map(|stage| (stage.from, stage.to)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn summary(subject: Subject<'_>, from: Milestone, to: Milestone) -> Option<&Summary> {
    let stage = subject.phase.stages.iter().find(|stage| (stage.from, stage.to) == (from, to))?;
    Some(&stage.summary)
}

fn cells(body: &mut Markup, summary: Option<&Summary>) {
    let Some(summary) = summary else {
        (0..5).for_each(|_| {
            body.leaf("td", &[], "–");
        });
        return;
    };
    body.leaf("td", &[("class", "group")], &summary.arrived.to_string());
    body.leaf("td", &[], &words::number(summary.mean));
    body.leaf("td", &[], &words::quantile_number(summary.p50));
    body.leaf("td", &[], &words::quantile_number(summary.p95));
    body.leaf("td", &[], &words::number(summary.max));
}
