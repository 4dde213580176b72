//! The terminal form: the guide's blocks, one after the other.

mod columns;
mod fleet;
mod fold;
mod grid;
mod observation;
mod page;
mod phase_lines;
mod plot;
mod statistics;
mod summary;
mod totals;
mod width;

use bootstorm_model::observe::Outcome;
use bootstorm_model::plan::TemplateSource;
use bootstorm_model::record::{PhaseKind, StormKind};
use bootstorm_model::stats::Validity;
use bootstorm_model::text::line;

use super::content::{
    breakdown, capacity, comparison, facts, failures, metrics, nodes, repetitions, statistics as figures,
    thresholds, validity, verdict, waves,
};
use super::document::{Block, Section};
use super::words;
use crate::color::{Paint, Tone};
use crate::compared::Compared;
use crate::phase::{PhaseBlock, Shown};
use crate::validity::ValidityBlock;
use crate::view::Report;
pub(crate) use page::Page;

#[cfg(test)]
mod tests;

pub(crate) use grid::{Column, Grid};

/// Maximum number of a storm's nodes shown; wide tables show all.
const FEW_NODES: usize = 10;

/// Layout of a table
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Layout {
    /// Columns of the terminal. Only `wide` tables exceed it.
    pub width: usize,
    /// Whether to cut longer lines, as on a terminal; a file gets them whole.
    pub cut: bool,
    /// Whether to show every VM and every milestone.
    pub wide: bool,
    /// Whether to begin with the block that identifies the run.
    pub title: bool,
    /// Whether to write column headers.
    pub headers: bool,
    /// Whether to write styles.
    pub paint: Paint,
}

impl Default for Layout {
    /// Layout for a pipe: the guide's 80 columns, headers, no styles.
    fn default() -> Self {
        Self { width: 80, cut: true, wide: false, title: true, headers: true, paint: Paint::Plain }
    }
}

impl Report {
    /// The report as text for a terminal.
    pub fn table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            header(&mut page, self);
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
            page.section(&judged(self, compared));
        }
        let sections = [
            self.repetitions.as_ref().map(|repeated| repetitions::section(repeated, None)),
            self.capacity.as_ref().map(capacity::section),
            thresholds::section(&self.thresholds),
            graded(self, layout.wide),
        ];
        sections.iter().flatten().for_each(|section| page.section(section));
        totals::write(&mut page, self);
        page.finish()
    }

    /// Result of the search for the largest storm, as text for a terminal.
    pub fn capacity_table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            header(&mut page, self);
        }
        if let Some(capacity) = &self.capacity {
            page.section(&capacity::section(capacity));
        }
        page.finish()
    }

    /// Full details about the VMs that did not reach the goal, as text for a terminal.
    pub fn failures_table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            page.title(&format!("Failures of run {}", self.run.name));
        }
        let is_of_interest = |phase: &&PhaseBlock| {
            phase.counts.unsuccessful() > 0 || phase.outliers.vms.iter().any(|vm| vm.cause.is_some())
        };
        let phases: Vec<&PhaseBlock> = self.phases.iter().rev().filter(is_of_interest).collect();
        for phase in &phases {
            let (missed, all) = (phase.counts.unsuccessful(), words::vms(phase.counts.participants));
            let title = format!("{}: {missed} of {all} missed the goal ({})", phase.name, phase.goal);
            page.toned(Tone::Heading, &line(&title));
            page.blocks(&failures::in_full(phase));
            page.blank();
        }
        let unknown: Vec<&PhaseBlock> =
            self.phases.iter().rev().filter(|phase| phase.counts.unknown > 0).collect();
        if phases.is_empty() && unknown.is_empty() {
            page.line("No VM failed, ran out of time, or stood out.");
        }
        for phase in unknown {
            let (n, all) = (phase.counts.unknown, words::vms(phase.counts.participants));
            page.toned(
                Tone::Fair,
                &format!(
                    "{}: whether {n} of {all} reached the goal ({}) could not be observed",
                    phase.name, phase.goal
                ),
            );
            let why = phase.rows.iter().find(|row| row.outcome == Outcome::Unknown);
            if let Some(reason) = why.and_then(|row| row.reason.as_deref()) {
                page.sentence(None, 2, &format!("the first of them: {}", line(reason)));
            }
        }
        page.finish()
    }

    /// Whether a stop is shown as the first two phases of the judged storm.
    fn is_before_the_storm(&self, stop: &PhaseBlock) -> bool {
        self.comparison.as_ref().is_some_and(|compared| compared.stop == Some(stop.name))
    }

    /// The stop that belongs to a storm, if it is shown.
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
    let wide = page.layout().wide;
    if wide && !phase.statistics.is_empty() {
        page.table(&figures::with_stages(phase));
    }
    if let Some(waves) = waves::table(phase) {
        page.table(&waves);
    }
    let few = phase.kind == PhaseKind::Storm && phase.nodes.len() <= FEW_NODES;
    if phase.nodes.len() > 1 && (wide || few) {
        page.blocks(&nodes::of_phase(phase));
    }
    page.blocks(&[Block::List(nodes::slow(phase))]);
    if let Some(metrics) = &phase.metrics {
        page.blocks(&metrics::blocks(metrics));
    }
    page.rule('=');
    page.blank();
}

/// The first block: identity and cluster of the run.
fn header(page: &mut Page, report: &Report) {
    let what = if report.observation.is_some() { "Observation" } else { "Boot storm run" };
    page.title(&format!("{what} {}", report.run.name));
    let facts = [facts::run(report), facts::cluster(&report.cluster), facts::setup(report)];
    facts.iter().flatten().for_each(|fact| page.fact(fact));
    if !report.setup.done {
        page.line("The setup of this run is not complete.");
    }
    if report.phases.is_empty() && report.observation.is_none() {
        let is_adopted = matches!(report.plan.template, TemplateSource::Adopted { .. });
        page.line(if is_adopted { "No VM has been stopped yet." } else { "No VM has been created yet." });
    }
    page.blank();
}

/// Comparison of creation and storm: the table, the breakdown, and the verdict.
fn judged(report: &Report, compared: &Compared) -> Section {
    let title = match compared.baseline {
        Some(baseline) => format!("Comparison: {baseline} -> {}", compared.storm),
        None => format!("Verdict on {}", compared.storm),
    };
    let mut blocks = comparison::blocks(compared, report.plan.probes.first().copied());
    blocks.extend(breakdown::of(report, compared).map(Block::Table));
    blocks.push(Block::Break);
    blocks.extend(verdict::note(compared).map(Block::Note));
    blocks.push(Block::List(verdict::also(compared)));
    blocks.push(Block::List(compared.breakdown.as_ref().map(breakdown::bottleneck).unwrap_or_default()));
    blocks.push(Block::List(breakdown::advice(compared)));
    Section::new("comparison", title, blocks).framed()
}

/// How far the times can be trusted: every phase that is shown, or that is in doubt.
fn graded(report: &Report, wide: bool) -> Option<Section> {
    let is_shown = |(phase, block): &(&PhaseBlock, &ValidityBlock)| {
        wide || phase.shown == Shown::Full || block.grade != Validity::Valid
    };
    let graded = validity::graded(report).into_iter().filter(is_shown);
    let notes: Vec<_> = graded.flat_map(|(phase, block)| validity::notes(phase, block, wide)).collect();
    (!notes.is_empty()).then(|| Section::new("validity", "Validity of the times", vec![Block::List(notes)]))
}
