//! The search for the largest storm: the curve of size against time, and the answer.

use super::grid::{Column, Grid};
use super::{Page, words};
use crate::capacity::{Capacity, CapacityState, CapacityStorm};
use crate::paint::Tone;
use crate::view::Report;

/// Writes the search, where there was one.
pub(super) fn write(page: &mut Page, report: &Report) {
    let Some(capacity) = &report.capacity else { return };
    let layout = page.layout();
    page.title(&format!("Capacity: the largest storm with {}", capacity.goals.join(" and ")));
    let titles: &[&str] = if layout.wide {
        &["Size", "Failed", "Mean", "p50", "p95", "Max", "All back"]
    } else {
        &["Size", "Failed", "p50", "p95", "All back"]
    };
    let columns = titles.iter().copied().map(Column::numbers);
    let words = ["Goal", "Storm"].map(Column::words);
    let mut grid = Grid::new(columns.chain(words).collect());
    let mut storms: Vec<&CapacityStorm> = capacity.storms.iter().collect();
    storms.sort_by_key(|storm| (storm.size, storm.phase.number));
    for storm in storms {
        let tone = if storm.met { Tone::Good } else { Tone::Fair };
        grid.push(Some(tone), cells(storm, layout.wide));
    }
    let (header, lines) = grid.lines(layout.headers, layout.paint);
    if let Some(header) = header {
        page.toned(Tone::Heading, &header);
        page.rule('-');
    }
    for line in lines {
        page.line(&line);
    }
    page.rule('-');
    answer(page, capacity);
    page.blank();
}

fn cells(storm: &CapacityStorm, wide: bool) -> Vec<String> {
    let figures = &storm.figures;
    let size = if storm.vms == storm.size as usize {
        storm.size.to_string()
    } else {
        format!("{} ({} took part)", storm.size, storm.vms)
    };
    let times = if wide {
        vec![figures.mean, figures.p50, figures.p95, figures.max, figures.t100]
    } else {
        vec![figures.p50, figures.p95, figures.t100]
    };
    let times = times.into_iter().map(words::quantile);
    let values: Vec<String> = storm.values.iter().map(crate::GoalValue::told).collect();
    let word = match () {
        () if storm.invalid => "not judged",
        () if storm.met => "met",
        () => "missed",
    };
    let met = format!("{word} ({})", values.join(", "));
    [size, figures.failed.to_string()]
        .into_iter()
        .chain(times)
        .chain([met, storm.phase.to_string()])
        .collect()
}

fn answer(page: &mut Page, capacity: &Capacity) {
    let storms = words::count(capacity.storms.len() as u64, "storm");
    let (tone, answer) = match (capacity.size, capacity.missed) {
        (Some(size), None) if size == capacity.max => (
            Tone::Good,
            format!("{} meet the goal, the most that were to be tried", words::vms(size as usize)),
        ),
        (Some(size), Some(missed)) => {
            (Tone::Good, format!("{} meet the goal, {missed} do not", words::vms(size as usize)))
        }
        (Some(size), None) => (Tone::Fair, format!("{} meet the goal", words::vms(size as usize))),
        (None, Some(missed)) => {
            (Tone::Bad, format!("Not even {} meet the goal", words::vms(missed as usize)))
        }
        (None, None) => (Tone::Fair, "No storm is over yet".to_owned()),
    };
    let how = match (capacity.size, capacity.confirmed) {
        (None, _) => String::new(),
        (Some(_), true) => "; a second storm has confirmed it".to_owned(),
        (Some(_), false) => "; no second storm has confirmed it yet".to_owned(),
    };
    page.sentence(Some(tone), 0, &format!("{answer}{how}."));
    page.line(&format!("{storms} and their stops took {}.", words::seconds(capacity.spent)));
    match capacity.state {
        CapacityState::Budget => page.sentence(
            Some(Tone::Fair),
            0,
            "The budget is used up: with a larger --budget or --max-storms the same command goes on.",
        ),
        CapacityState::Searching => {
            page.sentence(Some(Tone::Fair), 0, "The search is not over: the same command goes on.");
        }
        CapacityState::Found | CapacityState::Nothing => {}
    }
    if let (Some(met), Some(missed)) = (capacity.contradicted_by, capacity.missed) {
        let text = format!(
            "{met} VMs met the goal although {missed} missed it: the times scatter, or not only the size decides. \
             The answer is the cautious one."
        );
        page.sentence(Some(Tone::Fair), 0, &text);
    }
}
