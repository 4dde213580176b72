//! The last blocks: phases in one line each, and the duration of everything.

use super::Page;
use crate::color::Tone;
use crate::people::words;
use crate::phase::{PhaseBlock, Shown};
use crate::view::Report;

/// Writes one line for every phase that is not shown in full.
pub(super) fn others(page: &mut Page, report: &Report) {
    let brief: Vec<&PhaseBlock> = report.phases.iter().filter(|phase| phase.shown == Shown::Brief).collect();
    if brief.is_empty() {
        return;
    }
    page.toned(Tone::Heading, "Other phases:");
    for phase in brief {
        let summary = phase.summary(phase.goal);
        let counts = &phase.counts;
        let text = format!(
            "{}/{} {}, mean {}, p95 {}, max {}",
            counts.reached,
            counts.participants,
            phase.goal,
            words::maybe_seconds(summary.mean),
            words::quantile(summary.p95),
            words::maybe_seconds(summary.max),
        );
        page.labelled(&phase.title(), &text);
    }
    page.blank();
}

/// Writes the duration of every phase.
pub(super) fn write(page: &mut Page, report: &Report) {
    if report.phases.is_empty() {
        return;
    }
    page.toned(Tone::Heading, "Total times:");
    if report.setup.done && report.setup.batch_size > 0 {
        page.labelled("setup", &words::seconds(report.setup.took));
    }
    for phase in &report.phases {
        let took = phase.spans.took().map(words::seconds);
        let took = match took {
            Some(took) if phase.is_done() => took,
            Some(took) => format!("{took} ({})", phase.state.word()),
            None => format!("({})", phase.state.word()),
        };
        page.labelled(&phase.title(), &took);
    }
}
