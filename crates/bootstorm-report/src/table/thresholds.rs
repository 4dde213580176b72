//! The thresholds that were asked for, each with its value.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::paint::Tone;
use crate::thresholds::{Missing, ThresholdBlock};
use crate::view::Report;
use bootstorm_model::stats::threshold::Unit;

/// Writes a line per threshold, where there are any.
pub(super) fn write(page: &mut Page, report: &Report) {
    block(page, &report.thresholds);
}

/// Writes a line per threshold.
pub(crate) fn block(page: &mut Page, thresholds: &[ThresholdBlock]) {
    if thresholds.is_empty() {
        return;
    }
    let layout = page.layout();
    page.toned(Tone::Heading, "Thresholds:");
    let mut grid =
        Grid::new([Column::words(""), Column::words(""), Column::numbers(""), Column::words("")].into());
    for threshold in thresholds {
        let tone = if threshold.fails() { Tone::Bad } else { Tone::Good };
        let word = threshold.result.word();
        let places = [threshold.run.clone(), Some(threshold.places())];
        let places: Vec<String> = places.into_iter().flatten().collect();
        let value = value(threshold);
        let condition = format!("  {}", threshold.condition);
        grid.push(Some(tone), vec![condition, word.to_owned(), value, places.join(" ")]);
    }
    if page.layout().cut {
        grid.fit(page.width());
    }
    for line in grid.lines(false, layout.paint).1 {
        page.line(&line);
    }
    for why in reasons(thresholds) {
        page.sentence(Some(Tone::Bad), 2, &why);
    }
    page.blank();
}

/// Why thresholds are undecided, each reason once.
pub(crate) fn reasons(thresholds: &[ThresholdBlock]) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for threshold in thresholds {
        let of = threshold.undecided.as_ref().map(|why| format!("undecided: {why}"));
        reasons.extend(of.filter(|why| !reasons.contains(why)));
    }
    reasons
}

/// The value of a threshold, as people read it.
pub(crate) fn value(threshold: &ThresholdBlock) -> String {
    let Some(value) = threshold.value else {
        return threshold.missing.unwrap_or(Missing::Unknown).word().to_owned();
    };
    match threshold.unit {
        Unit::Seconds => words::seconds(value),
        Unit::Ratio => format!("{value:.2}x"),
        Unit::Vms => words::vms(value as usize),
        Unit::Percent => format!("{value:.1} %"),
    }
}
