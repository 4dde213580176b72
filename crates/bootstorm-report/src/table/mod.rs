//! The terminal form: the guide's blocks, one after the other.

mod breakdown;
mod capacity;
mod columns;
mod comparison;
mod diagnosis;
mod figures;
mod fold;
mod grid;
pub(crate) mod header;
mod metrics;
mod nodes;
mod observation;
mod page;
mod phase_lines;
mod plot;
pub(super) mod repetitions;
mod statistics;
mod summary;
pub(super) mod thresholds;
mod totals;
mod validity;
mod waves;
mod width;
pub(super) mod words;

use bootstorm_model::record::{PhaseKind, StormKind};

use super::paint::Paint;
use super::phase::{PhaseBlock, Shown};
use super::view::Report;
pub(super) use page::Page;

#[cfg(test)]
mod tests;

pub(super) use columns::milestone_title;
pub(super) use grid::{Column, Grid};

/// How a table is laid out
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Layout {
    /// Columns of the terminal. Only `wide` tables exceed it.
    pub width: usize,
    /// Cut what is longer, as a terminal would; a file gets it whole.
    pub cut: bool,
    /// Show every VM and every milestone.
    pub wide: bool,
    /// Begin with the block that says which run this is.
    pub title: bool,
    /// Write column headers.
    pub headers: bool,
    /// Write styles.
    pub paint: Paint,
}

impl Default for Layout {
    /// What a pipe gets: the guide's 80 columns, headers, no styles.
    fn default() -> Self {
        Self { width: 80, cut: true, wide: false, title: true, headers: true, paint: Paint::Plain }
    }
}

impl Report {
    /// The report as text for a terminal.
    pub fn table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            header::write(&mut page, self);
        }
        if let Some(observation) = &self.observation {
            observation::write(&mut page, observation);
        }
        let full = |phase: &&PhaseBlock| phase.shown == Shown::Full;
        for phase in self.phases.iter().filter(full) {
            match phase.kind {
                PhaseKind::Create => create(&mut page, phase),
                PhaseKind::Stop if self.is_before_the_storm(phase) => {}
                PhaseKind::Stop => stop(&mut page, phase),
                PhaseKind::Storm => storm(&mut page, self, phase),
            }
        }
        totals::others(&mut page, self);
        if let Some(compared) = &self.comparison {
            comparison::write(&mut page, self, compared);
        }
        repetitions::write(&mut page, self);
        capacity::write(&mut page, self);
        thresholds::write(&mut page, self);
        validity::write(&mut page, self);
        totals::write(&mut page, self);
        page.finish()
    }

    /// What the search for the largest storm found, as text for a terminal.
    pub fn capacity_table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            header::write(&mut page, self);
        }
        capacity::write(&mut page, self);
        page.finish()
    }

    /// Whether a stop is told as the first two phases of the judged storm.
    fn is_before_the_storm(&self, stop: &PhaseBlock) -> bool {
        self.comparison.as_ref().is_some_and(|compared| compared.stop == Some(stop.name))
    }

    /// The stop that belongs to a storm, where it is shown.
    fn stop_of(&self, storm: &PhaseBlock) -> Option<&PhaseBlock> {
        let compared = self.comparison.as_ref().filter(|compared| compared.storm == storm.name)?;
        self.phase(compared.stop?)
    }
}

fn create(page: &mut Page, phase: &PhaseBlock) {
    page.title("VM Creation Performance Test Results");
    rows_and_statistics(page, phase);
}

fn stop(page: &mut Page, phase: &PhaseBlock) {
    page.title(&format!("Stop Results ({})", phase.name));
    phase_lines::stop_alone(page, phase);
    rows_and_statistics(page, phase);
}

fn storm(page: &mut Page, report: &Report, phase: &PhaseBlock) {
    let stop = report.stop_of(phase);
    let (test, results) = match phase.settings.kind {
        StormKind::Start => ("BOOT STORM TEST - Shutdown and Power On All VMs", "Boot Storm"),
        StormKind::Restart => ("RESTART TEST - Restart of All Running VMs", "Restart"),
        StormKind::Observed => ("OBSERVED RECOVERY - Nothing Was Requested", "Recovery"),
        StormKind::Drain => ("DRAIN TEST - Eviction of VMs from Nodes", "Drain"),
        StormKind::Migrate => ("MIGRATION TEST - Live Migration of All Running VMs", "Migration"),
    };
    page.title(test);
    phase_lines::storm(page, stop, phase);
    if let Some(stop) = stop {
        phase_lines::not_stopped(page, stop);
    }
    page.title(&format!("{results} Performance Test Results ({})", phase.name));
    rows_and_statistics(page, phase);
}

fn rows_and_statistics(page: &mut Page, phase: &PhaseBlock) {
    columns::write(page, phase);
    page.rule('=');
    statistics::write(page, phase);
    figures::write(page, phase);
    waves::write(page, phase);
    nodes::write(page, phase);
    nodes::slow(page, phase);
    metrics::write(page, phase);
    page.rule('=');
    page.blank();
}
