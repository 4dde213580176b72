//! Markdown for an issue or a page: verdict, comparison, statistics, failures by reason, worst VMs folded.
//!
//! GitHub's dialect. Every name from a cluster or a user is in a code span, where it is neither markup nor a mention
//! nor a link.

mod blocks;
mod text;

use super::content::{
    breakdown, capacity, comparison, facts, failures, fleet, metrics, nodes, observation, outliers,
    repetitions, statistics, thresholds, validity, verdict, waves,
};
use super::document::{Block, Cell, Column, Fold, Note, Section, Table};
use super::words;
use crate::fleet::FleetReport;
use crate::phase::{PhaseBlock, Shown};
use crate::{Report, Row};
use text::code;

/// Number of slowest VMs named.
const SLOWEST: usize = 20;

impl Report {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        page(&format!("## Boot storm {}\n\n", code(&self.run.name)), &self.document())
    }

    /// Content of the page, in order.
    fn document(&self) -> Vec<Block> {
        let mut blocks = judged(self);
        blocks.extend(self.graded());
        let sections = [
            thresholds::section(&self.thresholds),
            self.observation.as_ref().map(observation::section),
            self.repetitions.as_ref().map(|repetitions| repetitions::section(repetitions, None)),
            self.capacity.as_ref().map(capacity::section),
        ];
        blocks.extend(sections.into_iter().flatten().map(Block::Section));
        if let Some(compared) = &self.comparison {
            blocks.extend(comparison::blocks(compared, self.plan.probes.first().copied()));
            blocks.extend(breakdown::of(self, compared).map(Block::Table));
        }
        let full = self.phases.iter().filter(|phase| phase.shown == Shown::Full);
        blocks.extend(full.map(|phase| Block::Section(of_phase(phase))));
        let environment =
            [facts::run(self), facts::cluster(&self.cluster), facts::setup(self), facts::identity(self)];
        blocks.push(folded("Environment", Block::Facts(environment.concat())));
        blocks
    }

    /// Doubts about the times; without any, one line.
    fn graded(&self) -> Vec<Block> {
        let graded = validity::graded(self);
        let Some(worst) = graded.iter().map(|(_, block)| block.grade).max() else { return Vec::new() };
        let doubtful = graded.iter().filter(|(_, block)| block.doubts().next().is_some());
        let notes = doubtful.flat_map(|(phase, block)| validity::notes(phase, block, false)).collect();
        vec![Block::Note(Note::new(worst.word()).about("Validity of the times")), Block::List(notes)]
    }
}

impl FleetReport {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut blocks = fleet::blocks(self);
        blocks.extend(self.whole.iter().flat_map(Report::document));
        page(&format!("## Boot storm of fleet {}\n\n", code(&self.fleet.name)), &blocks)
    }
}

fn page(begin: &str, blocks: &[Block]) -> String {
    let mut page = begin.to_owned();
    blocks::write(&mut page, blocks);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn folded(summary: impl Into<String>, block: Block) -> Block {
    Block::Fold(Fold { summary: summary.into(), is_open: false, blocks: vec![block] })
}

/// Verdict, other problems, bottleneck, and advice.
fn judged(report: &Report) -> Vec<Block> {
    let Some(last) = report.phases.last() else {
        return vec![Block::Note(Note::new("Nothing was measured yet."))];
    };
    let Some(compared) = &report.comparison else {
        let text = format!("No storm was measured yet; the last phase is {}.", last.name);
        return vec![Block::Note(Note::new(text))];
    };
    let mut notes = verdict::also(compared);
    notes.extend(compared.breakdown.as_ref().map(breakdown::bottleneck).unwrap_or_default());
    notes.extend(breakdown::advice(compared));
    let verdict = verdict::note(compared).map(Block::Note);
    verdict.into_iter().chain([Block::List(notes)]).collect()
}

fn of_phase(phase: &PhaseBlock) -> Section {
    let mut blocks = vec![Block::Note(counts(phase))];
    if phase.statistics.values().any(|summary| summary.arrived > 0) {
        blocks.push(Block::Table(statistics::table(phase)));
        blocks.extend(statistics::unknown(phase).map(Block::Note));
    }
    let one = || std::iter::once(phase);
    blocks.extend([Block::Cases(failures::groups(one())), Block::Cases(failures::diagnosed(one()))]);
    blocks.extend(outliers::table(one()).map(Block::Table));
    blocks.extend(waves::table(phase).map(Block::Table));
    if phase.nodes.len() > 1 {
        blocks.push(Block::Fold(Fold {
            summary: "Nodes".to_owned(),
            is_open: false,
            blocks: nodes::of_phase(phase),
        }));
    }
    blocks.push(Block::List(nodes::slow(phase)));
    if let Some(metrics) = &phase.metrics {
        blocks.extend(metrics::blocks(metrics));
    }
    blocks.extend(slowest(phase));
    Section::new("phase", phase.title(), blocks)
}

/// Outcomes of the VMs of a phase, in a sentence.
fn counts(phase: &PhaseBlock) -> Note {
    let counts = &phase.counts;
    let mut text =
        format!("{} of {} {}", counts.reached, words::vms(counts.participants), phase.goal.state());
    let others = [
        (counts.failed, "failed"),
        (counts.timed_out, "timed out"),
        (counts.unknown, "unknown"),
        (counts.excluded, "excluded"),
        (counts.pending, "pending"),
    ];
    for (count, word) in others.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {word}"));
    }
    if let Some(took) = phase.spans.took() {
        text.push_str(&format!("; took {}", words::seconds(took)));
    }
    if phase.continued > 0 {
        let times = words::count(phase.continued, "time");
        let gap = words::seconds(phase.effort.watch_gap);
        text.push_str(&format!("; continued {times}, not watched for {gap}"));
    }
    if !phase.is_done() {
        text.push_str(&format!("; not over ({})", phase.state.word()));
    }
    Note::new(text + ".")
}

/// The slowest VMs.
fn slowest(phase: &PhaseBlock) -> Option<Block> {
    let mut rows: Vec<(&Row, f64)> =
        phase.rows.iter().filter_map(|row| Some((row, row.seconds(phase.goal)?))).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.truncate(SLOWEST);
    // Where each VM has a namespace of its own, that says which one it is.
    let is_shared = rows.windows(2).any(|pair| pair[0].0.name != pair[1].0.name);
    let vm = Column::words(if is_shared { "VM" } else { "Namespace" });
    let columns = [vm, Column::numbers(phase.goal.word()), Column::words("Node")];
    let mut table = Table::new("", columns);
    for (row, time) in &rows {
        let node = Cell::name(row.node.as_deref());
        let vm = if is_shared { format!("{}/{}", row.namespace, row.name) } else { row.namespace.clone() };
        table.push(None, [Cell::Name(vm), Cell::Seconds(*time), node]);
    }
    (!rows.is_empty()).then(|| folded(format!("Slowest {}", words::vms(rows.len())), Block::Table(table)))
}

#[cfg(test)]
mod tests {
    use crate::thresholds::judge;
    use crate::{Report, Selection, fixtures};
    use bootstorm_model::record::RunRecord;

    fn markdown(record: &RunRecord) -> String {
        Report::of(record, &Selection::default()).markdown()
    }

    #[test]
    fn the_guides_run() {
        insta::assert_snapshot!(markdown(&fixtures::guide()));
    }

    #[test]
    fn runs_in_other_stages() {
        assert!(markdown(&fixtures::fresh()).contains("Nothing was measured yet."));
        assert!(markdown(&fixtures::interrupted(2)).contains("No storm was measured yet"));
        assert!(markdown(&fixtures::interrupted(3)).contains("**Verdict:** not judged: storm-1 is not over"));
    }

    #[test]
    fn thresholds_repetitions_and_what_is_unknown_are_told() {
        let record = fixtures::repeated();
        let thresholds = ["storm.goal.p50>1s".parse().unwrap(), "failed>100%".parse().unwrap()];
        let judged = judge(&thresholds, &record, record.phases.last().map(|phase| phase.name), &[]);
        let text = Report::of(&record, &Selection::default()).with_thresholds(judged).markdown();
        assert!(text.contains("| `failed>100%` | "), "{text}");
        assert!(
            text.contains(" | storm-3 | kept |") && text.contains(" | storm-3 | **crossed** |"),
            "{text}"
        );
        assert!(
            text.contains("### Repetitions: 3 storms, time to running\n") && text.contains("| median |  | "),
            "{text}"
        );
        let text = markdown(&fixtures::continued());
        assert!(text.contains("continued 2 times, not watched for 12.30s"), "{text}");
        assert!(text.contains("**Not in the figures of storm-1:** 1 VM that reached the goal"), "{text}");
    }

    #[test]
    fn hostile_text_stays_in_its_code_span() {
        let mut record = fixtures::with_failures();
        record.plan.prefix = "a`</details>@b".into();
        record.phases[2].timelines[1].reason = Some("``x|y`` <img src=x>\n# @everyone #1".into());
        let text = markdown(&record);
        assert!(text.contains(r"``` ``x\|y`` <img src=x>\n# @everyone #1 ```"), "{text}");
        assert!(text.contains("## Boot storm `` a`</details>@b ``"), "{text}");
        // Text outside the spans holds no markup from them.
        assert_eq!(text.matches("<details>").count(), text.matches("</details>\n").count());
    }

    #[test]
    fn ten_thousand_vms_still_fit_into_a_comment() {
        let mut record = fixtures::healthy(10_000);
        for (index, timeline) in record.phases[2].timelines.iter_mut().enumerate() {
            timeline.outcome = bootstorm_model::observe::Outcome::Failed;
            timeline.reason = Some(format!("reason {index} {}", "x".repeat(3000)));
        }
        // GitHub accepts 65,536 characters.
        assert!(markdown(&record).chars().count() < 40_000);
    }
}
