//! The statistics of a phase: the guide's lines, percentiles, recovery, and quality of the measurement.

use super::Page;
use crate::color::Tone;
use crate::people::content::failures::titles;
use crate::people::content::quality;
use crate::people::content::statistics::milestone_title;
use crate::people::document::Block;
use crate::people::words;
use crate::phase::PhaseBlock;
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::{PhaseKind, StormKind};
use bootstorm_model::stats::{Quantile, Summary};

/// A percentile, and its value in a summary
type Percentile = (&'static str, fn(&Summary) -> Quantile);

const PERCENTILES: [Percentile; 4] = [
    ("p50", |summary| summary.p50),
    ("p90", |summary| summary.p90),
    ("p95", |summary| summary.p95),
    ("p99", |summary| summary.p99),
];

/// Writes the statistics.
pub(super) fn write(page: &mut Page, phase: &PhaseBlock) {
    page.toned(Tone::Heading, "Statistics:");
    counts(page, phase);
    times(page, phase);
    volumes(page, phase);
    downtime(page, phase);
    unknown(page, phase);
    outliers(page, phase);
    // Without the times of the requests there is no recovery curve.
    if phase.kind == PhaseKind::Storm && phase.has_recovery() {
        recovery(page, phase);
    }
    if let (Some(requests), Some(accepts)) = (phase.spans.request_skew, phase.spans.accept_skew) {
        let (requests, accepts) = (words::seconds(requests), words::seconds(accepts));
        page.labelled("Issue skew", &format!("{requests} between requests, {accepts} between their answers"));
    }
    page.blocks(&[Block::Facts(quality::facts(phase, page.layout().wide))]);
    if !phase.is_done() {
        page.toned(
            Tone::Fair,
            &format!("  This phase is not over ({}); the numbers are preliminary.", phase.state.word()),
        );
    }
}

fn counts(page: &mut Page, phase: &PhaseBlock) {
    let counts = &phase.counts;
    page.labelled("Total VMs", &counts.participants.to_string());
    page.labelled("Successful", &counts.reached.to_string());
    let how = match (counts.failed, counts.timed_out) {
        (_, 0) => String::new(),
        (0, _) => " (timed out)".to_owned(),
        (failed, timed_out) => format!(" ({failed} failed, {timed_out} timed out)"),
    };
    page.labelled("Not reached", &format!("{}{how}", counts.unsuccessful()));
    reasons(page, phase);
    if counts.unknown > 0 {
        page.labelled(
            "Unknown",
            &format!("{} (whether they reached it in time could not be observed)", counts.unknown),
        );
    }
    if counts.pending > 0 {
        page.labelled("Pending", &counts.pending.to_string());
    }
    if counts.excluded > 0 {
        page.labelled(
            "Excluded",
            &format!(
                "{} ({})",
                counts.excluded,
                if phase.settings.kind == StormKind::Observed {
                    "no outage"
                } else {
                    "not part of this phase"
                }
            ),
        );
    }
}

/// The most frequent causes, each with its number of VMs.
fn reasons(page: &mut Page, phase: &PhaseBlock) {
    const SHOWN: usize = 5;
    let titles = titles(phase);
    let shown = words::shown(titles.len(), SHOWN);
    for title in titles.iter().take(shown) {
        page.sentence(None, 4, title);
    }
    if titles.len() > shown {
        let more = words::count(titles.len() - shown, "other cause");
        page.line(&format!("    and {more} (report --failures lists all)"));
    }
}

/// Outliers, a few by name.
fn outliers(page: &mut Page, phase: &PhaseBlock) {
    const SHOWN: usize = 3;
    let found = &phase.outliers.vms;
    let Some(limit) = phase.outliers.limit.filter(|_| !found.is_empty()) else { return };
    let named = found.iter().take(SHOWN).map(|vm| {
        let node = vm.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
        format!("{}{node} ({})", vm.namespace, words::seconds(vm.seconds))
    });
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = named.collect::<Vec<_>>().join(", ");
    page.labelled(
        "Outliers",
        &format!("{} above {}: {named}{more}", words::vms(found.len()), words::seconds(limit)),
    );
}

/// Writes the number of VMs that arrived after an unknown time.
fn unknown(page: &mut Page, phase: &PhaseBlock) {
    // VMs with an unknown outcome have a line of their own.
    let unknown = phase.summary(phase.goal).unknown.saturating_sub(phase.counts.unknown);
    if unknown > 0 {
        let text = format!(
            "{unknown} of the successes, whose request was sent by a process that was killed; not in these figures"
        );
        page.labelled("Unknown times", &text);
    }
}

/// Average, maximum and percentiles of the goal and of running.
fn times(page: &mut Page, phase: &PhaseBlock) {
    let mut shown = vec![match phase.goal {
        Milestone::Gone
        | Milestone::Volume
        | Milestone::Accepted
        | Milestone::Migrated
        | Milestone::Moved => phase.goal,
        _ => Milestone::Running,
    }];
    if phase.is_probed() {
        shown.push(Milestone::Reachable);
    }
    let shown: Vec<(String, Summary)> = shown
        .into_iter()
        .map(|milestone| {
            (format!("Time to {}", milestone_title(milestone, phase.deciding)), phase.summary(milestone))
        })
        .collect();
    for (name, summary) in &shown {
        let over = match summary.missing() {
            0 => String::new(),
            _ => format!(" (over {} of {} VMs)", summary.arrived, summary.n),
        };
        page.labelled(&format!("Avg {name}"), &format!("{}{over}", words::maybe_seconds(summary.mean)));
    }
    for (name, summary) in &shown {
        page.labelled(&format!("Max {name}"), &words::maybe_seconds(summary.max));
    }
    for (name, summary) in &shown {
        page.labelled(&format!("Min {name}"), &words::maybe_seconds(summary.min));
    }
    for (name, summary) in &shown {
        page.labelled(&format!("Stddev {name}"), &words::maybe_seconds(summary.stddev));
    }
    for (name, summary) in &shown {
        for (word, read) in PERCENTILES {
            page.labelled(&format!("{word} {name}"), &words::quantile(read(summary)));
        }
    }
}

/// How the disks were filled, and the time for that and for the boot after it.
fn volumes(page: &mut Page, phase: &PhaseBlock) {
    let Some(volumes) = &phase.volumes else { return };
    page.labelled("Disks filled by", &volumes.kinds_in_words());
    let parts = [("Filling a disk", Some(&volumes.fill)), ("Boot after that", volumes.boot.as_ref())];
    for (name, summary) in parts {
        let Some(summary) = summary else { continue };
        let times = [
            ("mean", words::maybe_seconds(summary.mean)),
            ("p95", words::quantile(summary.p95)),
            ("max", words::maybe_seconds(summary.max)),
        ];
        page.labelled(name, &times.map(|(word, time)| format!("{word} {time}")).join(", "));
    }
}

/// Time in which guests did not answer while they migrated.
fn downtime(page: &mut Page, phase: &PhaseBlock) {
    let Some(block) = &phase.downtime else { return };
    if block.guests == 0 {
        page.labelled("Downtime of guests", "unknown: no guest answered before it migrated");
        return;
    }
    let summary = &block.summary;
    let times = [
        ("mean", words::maybe_seconds(summary.mean)),
        ("p95", words::quantile(summary.p95)),
        ("max", words::maybe_seconds(summary.max)),
    ];
    let times = times.map(|(word, time)| format!("{word} {time}")).join(", ");
    page.labelled("Downtime of guests", &format!("{times}, from answer to answer"));
    let missed = words::count(block.interrupted, "guest");
    page.labelled("Missed an answer", &format!("{missed} of {}", block.guests));
    if block.away > 0 {
        page.labelled("Not back yet", &format!("{} when the phase ended", words::count(block.away, "guest")));
    }
    if block.silent > 0 {
        let silent = words::count(block.silent, "guest");
        page.labelled("Downtime unknown", &format!("{silent} that answered no probe before"));
    }
    if block.unheard > 0 {
        let unheard = words::count(block.unheard, "guest");
        page.labelled("Downtime unknown", &format!("{unheard} that no prober could hear for a while"));
    }
}

fn recovery(page: &mut Page, phase: &PhaseBlock) {
    let recovery = &phase.recovery;
    let levels = [
        ("50 %", recovery.t50),
        ("90 %", recovery.t90),
        ("95 %", recovery.t95),
        ("99 %", recovery.t99),
        ("All", recovery.t100),
    ];
    for (share, time) in levels {
        let of = if share == "All" { "" } else { "of " };
        page.labelled(&format!("{share} {of}VMs reached after"), &words::quantile(time));
    }
}
