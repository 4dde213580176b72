//! One screen for any number of VMs, at most 80 columns by 40 lines: verdict, counts, recovery curve, causes, slowest
//! VMs.

use super::grid::{Column, Grid};
use super::width::cut;
use super::{Layout, Page, observation, plot};
use crate::color::Tone;
use crate::compared::Compared;
use crate::people::content::{capacity, facts, failures, thresholds, verdict as judgement};
use crate::people::words;
use crate::phase::{PhaseBlock, Shown};
use crate::row::Row;
use crate::view::Report;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::record::{PhaseKind, StormKind};
use bootstorm_model::stats::{Quantile, Validity};
use bootstorm_model::text::line;

/// Lines of the whole screen.
const LINES: usize = 40;
/// Lines of the curve, depending on the available room.
const CURVE: std::ops::RangeInclusive<usize> = 4..=9;
/// Lines from which a curve is easy to read.
const CLEAR: usize = 6;
/// Title and axis of the curve, and the blank line after it.
const AXES: usize = 3;
/// VMs whose outages are drawn.
const BANDS: usize = 8;
/// Number of causes, thresholds and phases named.
const CAUSES: usize = 4;
const THRESHOLDS: usize = 4;
const PHASES: usize = 5;

/// Lines that a part may take
#[derive(Debug, Clone, Copy)]
struct Fit {
    /// Lines of a sentence.
    sentence: usize,
    /// Lines of a cause.
    cause: usize,
    /// Number of slowest VMs.
    slowest: usize,
}

/// From everything in full to the least, until the screen has room for the curve.
const FITS: [Fit; 6] = [
    Fit { sentence: 3, cause: 3, slowest: 5 },
    Fit { sentence: 3, cause: 2, slowest: 5 },
    Fit { sentence: 3, cause: 2, slowest: 3 },
    Fit { sentence: 3, cause: 1, slowest: 3 },
    Fit { sentence: 2, cause: 1, slowest: 3 },
    Fit { sentence: 1, cause: 1, slowest: 3 },
];

impl Report {
    /// The report on one screen of a terminal; `next` are suggested commands.
    pub fn summary(&self, layout: &Layout, next: &[String]) -> String {
        let phases = self.of_interest();
        // Long sentences wrap as far as there is room.
        let mut parts = Vec::new();
        for fit in FITS {
            parts = self.parts(layout, next, fit);
            if height(&parts) + CLEAR + AXES <= LINES {
                break;
            }
        }
        let room = LINES.saturating_sub(height(&parts) + AXES).clamp(*CURVE.start(), *CURVE.end());
        let drawn = plot::recovery(&phases, self.judged_milestone(), layout, room);
        // After head, verdict and counts.
        parts.insert(4, drawn);
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }

    /// All parts but the curve.
    fn parts(&self, layout: &Layout, next: &[String], fit: Fit) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        let mut part = |write: &dyn Fn(&mut Page)| {
            let mut page = Page::compact(*layout);
            write(&mut page);
            let text = page.finish();
            parts.push(text.trim_end().to_owned());
        };
        let phases = self.of_interest();
        let most = fit.sentence;
        part(&|page| head(page, self, most));
        part(&|page| {
            if let Some(observed) = &self.observation {
                observation::short(page, observed, BANDS);
            }
        });
        part(&|page| verdict(page, self, most));
        part(&|page| counts(page, &phases, most));
        part(&|page| causes(page, &phases, fit.cause));
        part(&|page| slowest(page, &phases, fit.slowest));
        part(&|page| doubts(page, self, most));
        part(&|page| judged(page, self, most));
        part(&|page| {
            for (place, command) in next.iter().enumerate() {
                let label = if place == 0 { "Next:" } else { "" };
                // Not wrapped, for copying.
                page.line(&format!("{label:<6}{}", line(command)));
            }
        });
        parts
    }

    /// The subject phases of the screen: the storm and its baseline, or the last ones.
    fn of_interest(&self) -> Vec<&PhaseBlock> {
        let full = self.phases.iter().filter(|phase| phase.shown == Shown::Full);
        let mut phases: Vec<&PhaseBlock> = full.collect();
        let extra = phases.len().saturating_sub(PHASES);
        phases.drain(..extra);
        phases
    }

    fn judged_milestone(&self) -> Option<Milestone> {
        self.comparison.as_ref().map(|compared| compared.judged)
    }
}

/// Lines of all parts, each with the blank line after it.
fn height(parts: &[String]) -> usize {
    parts.iter().filter(|part| !part.is_empty()).map(|part| part.lines().count() + 1).sum()
}

fn head(page: &mut Page, report: &Report, most: usize) {
    let plan = &report.plan;
    let template = facts::template(&plan.template);
    let what = match &report.observation {
        Some(_) => format!("Observation: {}", template.trim_start_matches("observed ")),
        None => format!("Boot storm run {}: {}, {template}", report.run.name, words::vms(plan.vms)),
    };
    wrapped(page, Some(Tone::Heading), &what, most);
    if let Some(cluster) = facts::versions(&report.cluster) {
        wrapped(page, Some(Tone::Faint), &cluster, most);
    }
    if report.observation.is_some() {
        return;
    }
    if !report.setup.done {
        page.line("The setup of this run is not complete.");
    } else if report.phases.is_empty() {
        page.line("No VM has been started or stopped yet.");
    }
}

/// Verdict, both ratios, and the bottleneck.
fn verdict(page: &mut Page, report: &Report, most: usize) {
    let most = most.max(2);
    let Some(compared) = &report.comparison else { return };
    let Some(note) = judgement::note(compared) else { return };
    wrapped(page, note.tone, &note.line(), most);
    ratios(page, compared, most);
    let Some(breakdown) = &compared.breakdown else { return };
    match (&breakdown.bottleneck, &breakdown.unnamed) {
        (Some(found), _) => {
            wrapped(page, Some(Tone::Fair), &format!("Bottleneck: {}", found.sentence), most);
        }
        // Missing verdicts are explained only once.
        (None, Some(why)) if compared.verdict.is_some() => wrapped(page, None, why, most),
        (None, _) => {}
    }
}

fn ratios(page: &mut Page, compared: &Compared, most: usize) {
    let Some(baseline) = compared.baseline else { return };
    let ratios: Vec<String> = compared
        .milestones
        .iter()
        .filter_map(|of| {
            let mean = of.mean;
            let (before, after, ratio) = (mean.baseline?, mean.storm?, mean.ratio?);
            Some(format!("{} {ratio:.2}x ({before:.2}s -> {after:.2}s)", of.milestone))
        })
        .collect();
    if ratios.is_empty() {
        return;
    }
    let text = format!("{} against {baseline}, mean time to: {}", compared.storm, ratios.join(", "));
    wrapped(page, None, &text, most);
    let with_filling = compared.with_filling.iter().find(|of| of.milestone == compared.judged);
    if let Some(ratio) = with_filling.and_then(|of| of.mean.ratio) {
        let text = format!("with the filling of disks in {baseline}: {ratio:.2}x (not judged)");
        wrapped(page, Some(Tone::Faint), &text, most);
    }
}

/// A line per phase: number of VMs that reached the goal, and times until shares of them were back.
fn counts(page: &mut Page, phases: &[&PhaseBlock], most: usize) {
    if phases.is_empty() {
        return;
    }
    let all = table(phases, true);
    let has_half = !page.layout().cut || all.width() <= page.width();
    page.grid(if has_half { all } else { table(phases, false) }, None);
    let is_observed = phases.iter().any(|phase| phase.settings.kind == StormKind::Observed);
    let zero = if is_observed {
        "the first sign of an outage. Slowest VM: from its own."
    } else {
        "the first request. Slowest VM: from its own request."
    };
    let shares = if has_half { "50 %, 95 %, 100 %" } else { "95 %, 100 %" };
    wrapped(page, Some(Tone::Faint), &format!("{shares}: from {zero}"), most);
    for phase in phases {
        let counts = &phase.counts;
        let state = (!phase.is_done()).then(|| phase.state.word().to_owned());
        let others = [
            (counts.failed, "failed"),
            (counts.timed_out, "timed out"),
            (counts.unknown, "unknown"),
            (excluded(phase), "excluded"),
            (counts.pending, "pending"),
        ];
        let others = others.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
        let more: Vec<String> = state.into_iter().chain(others).collect();
        if !more.is_empty() {
            wrapped(page, Some(Tone::Fair), &format!("{}: {}", phase.name, more.join(", ")), most);
        }
        if let Some(block) = phase.downtime.as_ref().filter(|block| block.guests > 0) {
            let away = match (block.interrupted, block.away) {
                (0, _) => format!("no answer of {} was missed", words::count(block.guests, "guest")),
                (missed, away) => {
                    let longest = words::maybe_seconds(block.summary.max);
                    let open = if away == 0 { String::new() } else { format!(", {away} not back yet") };
                    format!(
                        "{missed} of {} guests missed an answer, downtime at most {longest}{open}",
                        block.guests
                    )
                }
            };
            let tone = (block.away > 0).then_some(Tone::Bad);
            wrapped(page, tone, &format!("{}: {away}", phase.name), most);
        }
    }
}

/// A row for each phase; a narrow table lacks the time until half of the VMs were back.
fn table(phases: &[&PhaseBlock], with_half: bool) -> Grid {
    let half = with_half.then_some("50 %");
    let columns = ["Reached"].into_iter().chain(half).chain(["95 %", "100 %", "Slowest VM"]);
    let first = [Column::words("Phase"), Column::words("Goal")];
    let mut grid = Grid::new(first.into_iter().chain(columns.map(Column::numbers)).collect());
    for phase in phases {
        let (counts, recovery) = (&phase.counts, &phase.recovery);
        let tone = if counts.unsuccessful() > 0 {
            Some(Tone::Bad)
        } else {
            (!phase.is_done() || counts.unknown + excluded(phase) > 0).then_some(Tone::Fair)
        };
        let mut cells = vec![
            phase.title(),
            phase.goal.to_string(),
            format!("{}/{}", counts.reached, counts.participants),
        ];
        // Pending VMs may still arrive.
        let is_open = |time| !phase.is_done() && counts.pending > 0 && time == Quantile::NotReached;
        let share = |time| match time {
            _ if counts.participants == 0 => "-".to_owned(),
            time if is_open(time) => "open".to_owned(),
            time => words::quantile(time),
        };
        cells.extend(with_half.then(|| share(recovery.t50)));
        cells.extend([recovery.t95, recovery.t100].map(share));
        cells.push(words::maybe_seconds(phase.summary(phase.goal).max));
        grid.push(tone, cells);
    }
    grid
}

/// VMs that took no part, if that is notable: in an observed recovery most VMs have no outage.
fn excluded(phase: &PhaseBlock) -> usize {
    if phase.settings.kind == StormKind::Observed { 0 } else { phase.counts.excluded }
}

/// Causes that kept VMs from the goal, most frequent first, of the last phase that has any.
fn causes(page: &mut Page, phases: &[&PhaseBlock], most: usize) {
    let Some(phase) = phases.iter().rev().find(|phase| phase.counts.unsuccessful() > 0) else { return };
    page.toned(Tone::Heading, &format!("Failures in {}", phase.name));
    let titles = failures::titles(phase);
    let shown = words::shown(titles.len(), CAUSES);
    for title in titles.iter().take(shown) {
        indented(page, Some(Tone::Bad), 2, title, most);
    }
    if titles.len() > shown {
        let more = words::count(titles.len() - shown, "other cause");
        page.line(&format!("  and {more} (report --failures lists all)"));
    }
}

/// The slowest VMs of the last phase shown.
fn slowest(page: &mut Page, phases: &[&PhaseBlock], most: usize) {
    let starts = phases.iter().rev().find(|phase| phase.kind != PhaseKind::Stop).or_else(|| phases.last());
    let Some(phase) = starts else { return };
    let milestone = phase.goal;
    let mut rows: Vec<(&Row, f64)> = phase
        .rows
        .iter()
        .filter(|row| row.outcome == Outcome::Reached)
        .filter_map(|row| Some((row, row.seconds(milestone)?)))
        .collect();
    if rows.len() < 2 {
        return;
    }
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let title = format!("Slowest in {} (of {})", phase.name, words::vms(phase.counts.participants));
    let mut grid =
        Grid::new(vec![Column::words(""), Column::numbers(""), Column::words(""), Column::words("")]);
    for (row, seconds) in rows.iter().take(most) {
        let outlier =
            phase.outliers.vms.iter().find(|vm| vm.namespace == row.namespace && vm.name == row.name);
        let why = outlier.map_or_else(String::new, |vm| {
            let cause = vm.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{:.1}x the median{cause}", vm.times_median)
        });
        grid.push(
            None,
            vec![
                format!("  {}/{}", row.namespace, row.name),
                words::seconds(*seconds),
                row.node.clone().unwrap_or_default(),
                why,
            ],
        );
    }
    if page.layout().cut {
        grid.fit(page.width());
    }
    page.toned(Tone::Heading, &title);
    for line in grid.lines(false, page.layout().paint).1 {
        let line = fitted(page, &line);
        page.line(&line);
    }
}

/// Doubts about the times.
fn doubts(page: &mut Page, report: &Report, most: usize) {
    for phase in report.of_interest() {
        let Some(block) = phase.validity.as_ref().filter(|block| block.grade != Validity::Valid) else {
            continue;
        };
        let tone = if block.grade == Validity::Invalid { Tone::Bad } else { Tone::Fair };
        let why: Vec<String> = block.doubts().map(|doubt| doubt.measured.clone()).collect();
        let text = format!("Times of {} are {}: {}", phase.name, block.grade.word(), why.join("; "));
        wrapped(page, Some(tone), &text, most);
    }
    if let Some(capacity) = &report.capacity
        && let Some(answer) = capacity::answer(capacity).into_iter().next()
    {
        let goals = capacity.goals.join(" and ");
        wrapped(page, answer.tone, &format!("Capacity ({goals}): {}", answer.line()), most);
    }
    if let Some(repetitions) = &report.repetitions {
        let [least, median, greatest] =
            [&repetitions.min, &repetitions.median, &repetitions.max].map(|of| words::quantile(of.mean));
        let storms = repetitions.storms_in_words();
        let to = repetitions.milestone;
        let text = if repetitions.min.mean == Quantile::NotReached {
            format!("Over {storms}: no VM was {}", to.state())
        } else {
            format!("Over {storms}: mean time to {to} {least} to {greatest}, median {median}")
        };
        wrapped(page, None, &text, most);
    }
}

fn judged(page: &mut Page, report: &Report, most: usize) {
    let shown = words::shown(report.thresholds.len(), THRESHOLDS);
    let fails = report.thresholds.iter().filter(|threshold| threshold.fails());
    let holds = report.thresholds.iter().filter(|threshold| !threshold.fails());
    for threshold in fails.chain(holds).take(shown) {
        let why = threshold.undecided.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let text = format!(
            "Threshold {} {} ({}, {}){why}",
            threshold.condition,
            threshold.result.word(),
            thresholds::value(threshold),
            threshold.places()
        );
        wrapped(page, Some(thresholds::tone(threshold)), &text, most);
    }
    if report.thresholds.len() > shown {
        let more = words::count(report.thresholds.len() - shown, "other threshold");
        page.line(&format!("and {more} (-o guide lists all)"));
    }
}

/// A text on at most `most` lines, or whole in a file; text from the cluster is made printable.
fn wrapped(page: &mut Page, tone: Option<Tone>, text: &str, most: usize) {
    indented(page, tone, 0, text, most);
}

/// A text on at most `most` lines, each indented, or on one in a file.
fn indented(page: &mut Page, tone: Option<Tone>, indent: usize, text: &str, most: usize) {
    let lines =
        if page.layout().cut { page.on_lines(text, indent, most) } else { vec![line(text).into_owned()] };
    for text in lines {
        let text = format!("{:indent$}{text}", "");
        match tone {
            Some(tone) => page.toned(tone, &text),
            None => page.line(&text),
        }
    }
}

fn fitted(page: &Page, text: &str) -> String {
    let is_cut = page.layout().cut && super::width::width(text) > page.width();
    if is_cut { cut(text, page.width()) } else { text.to_owned() }
}
