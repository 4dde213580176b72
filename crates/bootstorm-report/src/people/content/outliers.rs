//! Outliers among the VMs.

use crate::people::document::{Cell, Column, Table};
use crate::people::words;
use crate::phase::PhaseBlock;

/// Number of outliers named per phase.
const NAMED: usize = 20;

/// A row for each outlier, in the order of the phases; `None` if there are none.
pub(crate) fn table<'a>(phases: impl Iterator<Item = &'a PhaseBlock>) -> Option<Table> {
    let columns = [
        Column::words("Phase"),
        Column::words("VM"),
        Column::words("Node"),
        Column::numbers("Time"),
        Column::numbers("Times the median"),
    ];
    let caption = "VMs far above the median, on a logarithmic scale";
    let mut table = Table::new(caption, columns);
    for phase in phases {
        let name = || Cell::Words(phase.name.to_string());
        for vm in phase.outliers.vms.iter().take(NAMED) {
            table.push(
                None,
                [
                    name(),
                    Cell::Name(format!("{}/{}", vm.namespace, vm.name)),
                    Cell::name(vm.node.as_deref()),
                    Cell::Seconds(vm.seconds),
                    Cell::Words(format!("{:.1}", vm.times_median)),
                ],
            );
        }
        if let Some(more) = phase.outliers.vms.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let more = format!("and {}", words::count(more, "more outlier"));
            table.push(None, [name(), Cell::Words(more), Cell::Blank, Cell::Blank, Cell::Blank]);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}
