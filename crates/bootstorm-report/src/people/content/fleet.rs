//! Comparison of the members of a fleet.

use bootstorm_model::record::PhaseState;
use bootstorm_model::stats::{Grade, Validity};

use crate::color::Tone;
use crate::fleet::{FleetReport, MemberBlock};
use crate::people::document::{Block, Cell, Column, Note, Table};

/// Common start, result of each member, missing members, and the worst one.
pub(crate) fn blocks(fleet: &FleetReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(phase) = fleet.phase {
        for start in &fleet.starts {
            let text = format!("{phase} began together at {:.3}: {}", start.at, start.words());
            blocks.push(Block::Note(Note::new(text)));
        }
        if fleet.starts.len() > 1 {
            let text = "Not all clusters began at the same instant: the fleet was interrupted in between, and each one \
                        counts from its own start.";
            blocks.push(Block::Note(Note::toned(Tone::Fair, text)));
        }
    }
    blocks.push(Block::Table(table(&fleet.members)));
    let mut notes: Vec<Note> = fleet.members.iter().filter_map(missing).collect();
    let worst = fleet.worst.as_ref().map(|worst| format!("{}, {}", worst.member, worst.why));
    notes.extend(worst.map(|worst| Note::new(worst).about("Worst cluster")));
    blocks.push(Block::List(notes));
    blocks
}

fn missing(member: &MemberBlock) -> Option<Note> {
    let about = format!("{} ({})", member.name, member.state.word());
    Some(Note::toned(Tone::Bad, member.why.as_ref()?).about(about))
}

fn table(members: &[MemberBlock]) -> Table {
    let columns = [
        Column::words("Cluster"),
        Column::numbers("VMs").from(64),
        Column::numbers("Reached"),
        Column::numbers("Not reached").from(62),
        Column::numbers("Unknown").from(61),
        Column::seconds("p50").from(60),
        Column::seconds("p95"),
        Column::seconds("Max").from(63),
        Column::seconds("All reached").wide(),
        Column::numbers("First request").wide(),
        Column::numbers("Ratio").wide(),
        Column::words("Times"),
        Column::words("Verdict"),
    ];
    let mut table = Table::new("Seconds from each VM’s own request to its goal", columns);
    for member in members {
        table.push(tone(member), cells(member));
    }
    table
}

fn tone(member: &MemberBlock) -> Option<Tone> {
    let Some(result) = &member.result else { return Some(Tone::Bad) };
    if result.counts.unsuccessful() > 0 || result.validity == Some(Validity::Invalid) {
        return Some(Tone::Bad);
    }
    let doubtful = result.counts.unknown > 0 || result.validity.is_some_and(|grade| grade != Validity::Valid);
    doubtful.then_some(Tone::Fair)
}

fn cells(member: &MemberBlock) -> Vec<Cell> {
    let mut cells = vec![Cell::Name(member.name.clone()), member.vms.map_or(Cell::Unknown, Cell::count)];
    let Some(result) = &member.result else {
        cells.resize(12, Cell::Unknown);
        cells.push(Cell::Toned(Tone::Bad, member.state.word().to_owned()));
        return cells;
    };
    let (counts, millis) = (&result.counts, result.first_request.map(|seconds| seconds * 1000.0));
    let state = (result.state != PhaseState::Done).then(|| result.state.word());
    let verdict = state.or(result.verdict.map(Grade::word)).unwrap_or("not judged");
    cells.push(Cell::Words(format!("{}/{}", counts.reached, counts.participants)));
    cells.extend([counts.unsuccessful(), counts.unknown].map(Cell::count));
    cells.extend([
        Cell::quantile(result.p50),
        Cell::quantile(result.p95),
        Cell::seconds(result.max),
        Cell::quantile(result.t100),
        millis.map_or(Cell::Unknown, |millis| Cell::Words(format!("{millis:.1} ms"))),
        Cell::ratio(result.ratio),
        result.validity.map_or(Cell::Unknown, |grade| Cell::words(grade.word())),
        Cell::words(verdict),
    ]);
    cells
}
