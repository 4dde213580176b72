//! The waves of a phase.

use crate::color::Tone;
use crate::people::document::{Cell, Column, Table};
use crate::phase::PhaseBlock;

/// Number of waves that suffice for a small page.
const FEW: usize = 20;

/// A row for each wave; `None` if the VMs did not start in waves.
pub(crate) fn table(phase: &PhaseBlock) -> Option<Table> {
    let columns = [
        Column::numbers("Wave"),
        Column::numbers("VMs"),
        Column::numbers("Reached"),
        Column::seconds("Sent at"),
        Column::seconds("Mean"),
        Column::seconds("p95"),
        Column::seconds("Max"),
        Column::seconds("All reached at"),
    ];
    let caption = format!("Waves of {}, in seconds from the first request", phase.name);
    let mut table = Table::new(caption, columns).few(FEW, "waves");
    for wave in &phase.waves {
        let summary = &wave.summary;
        table.push(
            (wave.failed > 0).then_some(Tone::Fair),
            [
                Cell::Count(u64::from(wave.wave)),
                Cell::count(wave.vms),
                Cell::count(wave.reached),
                Cell::seconds(wave.first_request),
                Cell::seconds(summary.mean),
                Cell::quantile(summary.p95),
                Cell::seconds(summary.max),
                Cell::seconds(wave.all_back),
            ],
        );
    }
    (!table.rows.is_empty()).then_some(table)
}
