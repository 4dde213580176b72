//! How far the times can be trusted: a word per phase, and what speaks against them.

use super::Page;
use crate::paint::Tone;
use crate::phase::{PhaseBlock, Shown};
use crate::validity::ValidityBlock;
use crate::view::Report;
use bootstorm_model::stats::{Trust, Validity};

/// Writes a line for every phase that is shown, or that something speaks against; wide tables have every rule.
pub(super) fn write(page: &mut Page, report: &Report) {
    let wide = page.layout().wide;
    let is_shown = |phase: &PhaseBlock, block: &ValidityBlock| {
        wide || phase.shown == Shown::Full || block.grade != Validity::Valid
    };
    let blocks: Vec<(&PhaseBlock, &ValidityBlock)> = report
        .phases
        .iter()
        .filter_map(|phase| Some((phase, phase.validity.as_ref()?)))
        .filter(|(phase, block)| is_shown(phase, block))
        .collect();
    if blocks.is_empty() {
        return;
    }
    page.toned(Tone::Heading, "Validity of the times:");
    for (phase, block) in blocks {
        page.labelled(&phase.name.to_string(), block.grade.word());
        let findings = block.findings.iter().filter(|finding| wide || speaks_against(finding));
        for finding in findings {
            let text = format!("{}: {}", finding.rule.word(), finding.measured);
            page.sentence(tone(finding), 4, &text);
        }
    }
    page.blank();
}

fn speaks_against(finding: &Trust) -> bool {
    finding.grade.is_some_and(|grade| grade != Validity::Valid)
}

fn tone(finding: &Trust) -> Option<Tone> {
    match finding.grade? {
        Validity::Valid => None,
        Validity::Qualified => Some(Tone::Fair),
        Validity::Invalid => Some(Tone::Bad),
    }
}
