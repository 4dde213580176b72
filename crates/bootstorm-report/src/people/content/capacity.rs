//! The search for the largest storm: time by size, and the answer.

use crate::capacity::{Capacity, CapacityState, CapacityStorm};
use crate::color::Tone;
use crate::people::document::{Block, Cell, Column, Note, Section, Table};
use crate::people::words;

/// A row for each storm, the smallest first, and the answer.
pub(crate) fn section(capacity: &Capacity) -> Section {
    let columns = [
        Column::numbers("Size"),
        Column::numbers("Not reached"),
        Column::numbers("Mean").wide(),
        Column::numbers("p50").from(60),
        Column::numbers("p95"),
        Column::numbers("Max").wide(),
        Column::numbers("All reached"),
        Column::words("Goal"),
        Column::words("Storm"),
    ];
    let mut table = Table::new("The storms of the search, the smallest first", columns);
    let mut storms: Vec<&CapacityStorm> = capacity.storms.iter().collect();
    storms.sort_by_key(|storm| (storm.size, storm.phase.number));
    for storm in storms {
        let tone = if storm.met { Tone::Good } else { Tone::Fair };
        table.push(Some(tone), row(storm, tone));
    }
    let mut blocks = vec![Block::Table(table), Block::Break];
    blocks.extend(answer(capacity).into_iter().map(Block::Note));
    let title = format!("Capacity: the largest storm with {}", capacity.goals.join(" and "));
    Section::new("capacity", title, blocks).framed()
}

fn row(storm: &CapacityStorm, tone: Tone) -> Vec<Cell> {
    let figures = &storm.figures;
    let size = if storm.vms == storm.size as usize {
        storm.size.to_string()
    } else {
        format!("{} ({} took part)", storm.size, storm.vms)
    };
    let values: Vec<String> = storm.values.iter().map(crate::GoalValue::told).collect();
    let word = match () {
        () if !storm.is_proof() => "not judged",
        () if storm.met => "met",
        () => "missed",
    };
    let times = [figures.mean, figures.p50, figures.p95, figures.max, figures.t100].map(Cell::quantile);
    let mut cells = vec![Cell::Words(size), Cell::count(figures.failed)];
    cells.extend(times);
    cells.push(Cell::Toned(tone, format!("{word} ({})", values.join(", "))));
    cells.push(Cell::Words(storm.phase.to_string()));
    cells
}

/// Which limit ended the search, and the flag that raises it.
fn used_up(capacity: &Capacity) -> String {
    let all = words::count(capacity.most_storms, "storm");
    if capacity.storms.len() as u64 >= u64::from(capacity.most_storms) {
        return format!(
            "The limit of {all} is reached: with a larger --max-storms the same command continues."
        );
    }
    let budget =
        capacity.budget.map_or_else(String::new, |budget| format!(" of {}", words::plain_seconds(budget)));
    format!("The budget{budget} is used up: with a larger --budget the same command continues.")
}

/// The answer, what it took, and what limits it.
pub(crate) fn answer(capacity: &Capacity) -> Vec<Note> {
    let vms = |size: u32| words::vms(size as usize);
    let meet = |size: u32| format!("{} {} the goal", vms(size), if size == 1 { "meets" } else { "meet" });
    let (tone, answer) = match (capacity.size, capacity.missed) {
        (Some(size), None) if size == capacity.max => {
            (Tone::Good, format!("{}, the most that were to be tried", meet(size)))
        }
        (Some(size), Some(missed)) => (Tone::Good, format!("{}, {missed} do not", meet(size))),
        (Some(size), None) => (Tone::Fair, meet(size)),
        (None, Some(missed)) => (Tone::Bad, format!("Not even {}", meet(missed))),
        (None, None) => (Tone::Fair, "No storm has finished yet".to_owned()),
    };
    let how = match (capacity.size, capacity.confirmed) {
        (None, _) => "",
        (Some(_), true) => "; a second storm has confirmed it",
        (Some(_), false) => "; no second storm has confirmed it yet",
    };
    let storms = match capacity.storms.len() {
        1 => "1 storm and its stop".to_owned(),
        storms => format!("{storms} storms and their stops"),
    };
    let mut notes = vec![
        Note::toned(tone, format!("{answer}{how}.")),
        Note::new(format!("{storms} took {}.", words::seconds(capacity.spent))),
    ];
    let state = match capacity.state {
        CapacityState::Budget => Some(used_up(capacity)),
        CapacityState::Searching => Some("The search is not over: the same command continues.".to_owned()),
        CapacityState::Found | CapacityState::Nothing => None,
    };
    notes.extend(state.map(|state| Note::toned(Tone::Fair, state)));
    if let (Some(met), Some(missed)) = (capacity.contradicted_by, capacity.missed) {
        let text = format!(
            "{met} VMs met the goal although {missed} missed it: the times scatter, or size is not the only \
             factor. The answer is the conservative one."
        );
        notes.push(Note::toned(Tone::Fair, text));
    }
    notes
}
