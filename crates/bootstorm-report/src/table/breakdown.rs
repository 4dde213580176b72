//! Where the time went, and what holds the storm up.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::compared::Compared;
use crate::paint::Tone;
use bootstorm_model::stats::{Breakdown, Part};

/// Columns that all cells take together with the shares.
const ROOM_FOR_SHARES: usize = 72;

/// Writes the stretches between milestones, in both phases; the largest share of the extra time stands out.
pub(super) fn parts(page: &mut Page, compared: &Compared, breakdown: &Breakdown) {
    if breakdown.parts.is_empty() {
        return;
    }
    let wide = page.layout().wide;
    let baseline = compared.baseline.map(|baseline| baseline.to_string()).unwrap_or_default();
    // A narrow terminal goes without the shares.
    let shares = wide || page.width() >= ROOM_FOR_SHARES;
    let mut titles = vec![baseline, compared.storm.to_string(), "Difference".to_owned()];
    titles.extend(shares.then(|| "Share".to_owned()));
    titles.extend(wide.then(|| "VMs/s".to_owned()));
    let columns = [Column::words("Where the time goes")].into_iter();
    let mut columns: Vec<Column> = columns.chain(titles.iter().map(|title| Column::numbers(title))).collect();
    columns.extend(wide.then(|| Column::words("Who")));
    let mut grid = Grid::new(columns);
    let largest = breakdown.parts.iter().filter_map(|part| part.share_percent).fold(0.0, f64::max);
    for part in &breakdown.parts {
        let share = part.share_percent.filter(|share| *share >= 0.5);
        let tone = share.filter(|share| *share >= largest).map(|_| Tone::Fair);
        let mut cells = vec![
            format!("{} -> {}", part.from, part.to),
            words::maybe_seconds(part.baseline),
            words::maybe_seconds(part.storm),
            difference(part),
        ];
        if shares {
            cells.push(share.map_or_else(String::new, |share| format!("{share:.0} %")));
        }
        if wide {
            cells.push(part.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")));
            cells.push(part.section.words().to_owned());
        }
        grid.push(tone, cells);
    }
    page.rule('-');
    page.grid(grid);
}

/// Writes the stretches of a storm that is compared with nothing, each with its share of the whole.
pub(super) fn alone(page: &mut Page, compared: &Compared, breakdown: &Breakdown) {
    let wide = page.layout().wide;
    let titles = [compared.storm.to_string(), "Share".to_owned()].into_iter();
    let titles: Vec<String> = titles.chain(wide.then(|| "VMs/s".to_owned())).collect();
    let columns = [Column::words("Where the time goes")].into_iter();
    let mut columns: Vec<Column> = columns.chain(titles.iter().map(|title| Column::numbers(title))).collect();
    columns.extend(wide.then(|| Column::words("Who")));
    let mut grid = Grid::new(columns);
    let of = |part: &Part| part.storm.unwrap_or(0.0);
    let whole: f64 = breakdown.parts.iter().map(of).sum();
    let longest = breakdown.parts.iter().map(of).fold(0.0, f64::max);
    for part in &breakdown.parts {
        let mut cells = vec![
            format!("{} -> {}", part.from, part.to),
            words::maybe_seconds(part.storm),
            format!("{:.0} %", of(part) / whole.max(f64::EPSILON) * 100.0),
        ];
        if wide {
            cells.push(part.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")));
            cells.push(part.section.words().to_owned());
        }
        grid.push((of(part) >= longest).then_some(Tone::Fair), cells);
    }
    page.grid(grid);
}

fn difference(part: &Part) -> String {
    match (part.baseline, part.storm) {
        (Some(_), Some(_)) => format!("{:+.2}s", part.extra()),
        _ => "-".to_owned(),
    }
}

/// Writes what holds the storm up, what speaks for it, and what to try; or that nothing does alone.
pub(super) fn bottleneck(page: &mut Page, breakdown: &Breakdown) {
    let Some(found) = &breakdown.bottleneck else {
        if let Some(why) = &breakdown.unnamed {
            page.sentence(None, 0, why);
        }
        return;
    };
    page.sentence(Some(Tone::Fair), 0, &format!("Bottleneck: {}", found.sentence));
    for because in &found.because {
        page.sentence(None, 2, because);
    }
    for remedy in &found.remedies {
        page.sentence(None, 2, &format!("Try: {remedy}"));
    }
}
