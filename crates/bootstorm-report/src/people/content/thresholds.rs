//! Requested thresholds, each with its value.

use bootstorm_model::stats::threshold::Unit;
use bootstorm_model::text::beside;

use crate::color::Tone;
use crate::people::document::{Block, Cell, Column, Note, Section, Table};
use crate::people::words;
use crate::thresholds::{Missing, ThresholdBlock};

/// A row for each threshold, and reasons for undecided ones; `None` if there are none.
pub(crate) fn section(thresholds: &[ThresholdBlock]) -> Option<Section> {
    if thresholds.is_empty() {
        return None;
    }
    let caption = "A condition that holds is crossed; crossed and undecided ones make the run a failure";
    let columns = [
        Column::words("Condition"),
        Column::numbers("Value"),
        Column::words("Phase"),
        Column::words("Result"),
    ];
    let mut table = Table::new(caption, columns);
    for threshold in thresholds {
        let tone = tone(threshold);
        let places = [threshold.run.clone(), Some(threshold.places())];
        let places: Vec<String> = places.into_iter().flatten().collect();
        table.push(
            Some(tone),
            [
                Cell::Name(threshold.condition.clone()),
                Cell::words(value(threshold)),
                Cell::Words(places.join(" ")),
                Cell::Toned(tone, threshold.result.word().to_owned()),
            ],
        );
    }
    let mut blocks = vec![Block::Table(table)];
    let why = reasons(thresholds).into_iter().map(|why| Note::toned(Tone::Bad, why).about("undecided"));
    blocks.push(Block::List(why.collect()));
    Some(Section::new("thresholds", "Thresholds", blocks))
}

/// Tone for the result of a threshold.
pub(crate) fn tone(threshold: &ThresholdBlock) -> Tone {
    if threshold.fails() { Tone::Bad } else { Tone::Good }
}

/// Reasons for undecided thresholds, each once.
fn reasons(thresholds: &[ThresholdBlock]) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for why in thresholds.iter().filter_map(|threshold| threshold.undecided.as_ref()) {
        if !reasons.contains(why) {
            reasons.push(why.clone());
        }
    }
    reasons
}

/// The value of a threshold, for display.
pub(crate) fn value(threshold: &ThresholdBlock) -> String {
    let Some(value) = threshold.value else {
        return threshold.missing.unwrap_or(Missing::Unknown).word().to_owned();
    };
    let limit = threshold.limit;
    // As exact as the limit, and never on its other side.
    let number = |least: usize| beside(value, &[limit], decimals(limit).max(least));
    match threshold.unit {
        Unit::Seconds => format!("{}s", number(2)),
        Unit::Ratio => format!("{}x", number(2)),
        Unit::Vms => words::vms(value as usize),
        Unit::Percent => format!("{} %", number(1)),
    }
}

/// Number of decimals of a limit, at most six.
fn decimals(limit: f64) -> usize {
    let text = format!("{limit:.6}");
    text.trim_end_matches('0').rsplit('.').next().map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn decimals_are_those_that_were_typed() {
        assert_eq!([5.0, 0.005, 1.1, 100.0, 0.000_001].map(decimals), [0, 3, 1, 0, 6]);
    }
}
