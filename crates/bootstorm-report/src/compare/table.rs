//! Comparison of runs, for a terminal.

use std::collections::BTreeMap;

use super::{CompareReport, PhaseShift, Versus, Weight};
use crate::Layout;
use crate::color::Tone;
use crate::people::content::statistics::milestone_title;
use crate::people::content::{repetitions, thresholds};
use crate::people::terminal::{Column, Grid, Page};
use crate::people::words;
use bootstorm_model::stats::shift::TOO_FEW_ABOVE;
use bootstorm_model::stats::{Direction, Estimate, FailureShift, Shift};

/// Minimum width for the difference in seconds.
const ROOM_FOR_DIFFERENCE: usize = 110;
/// Minimum width for the interval of the ratio.
const ROOM_FOR_INTERVAL: usize = 78;

impl CompareReport {
    /// The comparison as text for a terminal.
    pub fn table(&self, layout: &Layout) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            self.header(&mut page);
        }
        for (index, run) in self.runs.iter().enumerate() {
            let Some(repeated) = &run.repetitions else { continue };
            let letter = (self.runs.len() > 1).then(|| letter(index));
            page.section(&repetitions::section(repeated, letter.as_deref()));
        }
        for (index, versus) in self.comparisons.iter().enumerate() {
            versus.write(&mut page, &letter(index + 1));
        }
        if let Some(section) = thresholds::section(&self.thresholds) {
            page.section(&section);
        }
        if !self.comparisons.is_empty() {
            let method = self.method;
            let [confidence, family, effect] =
                [method.confidence, method.family_rate, method.min_effect].map(|share| share * 100.0);
            let text = format!(
                "Storms are the unit of sampling: {confidence:.0} % intervals by Welch's test, judged by Holm so that two runs \
                 without a difference are called worse or better in at most {family:.0} % of cases; changes below {effect} % \
                 do not count. \"No difference shown\" is not the same as none.",
            );
            page.sentence(Some(Tone::Faint), 0, &text);
        }
        page.finish()
    }

    fn header(&self, page: &mut Page) {
        match self.runs.as_slice() {
            [only] => page.title(&format!("Boot storm run {}", only.run)),
            runs => page.title(&format!("Comparison of {} runs", runs.len())),
        }
        for (index, run) in self.runs.iter().enumerate() {
            let label = match (index, self.runs.len()) {
                (_, 1) => "Run".to_owned(),
                (0, _) => "A (baseline)".to_owned(),
                (index, _) => letter(index),
            };
            let storms = words::count(run.storms, "storm");
            let text = format!("{}: {} VMs, {storms}, set up {:.0}", run.label, run.vms, run.created);
            page.labelled(&label, &text);
        }
        page.blank();
    }
}

/// A, B, C, …; further runs by number.
fn letter(index: usize) -> String {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or_else(|| format!("#{}", index + 1), |index| char::from(b'A' + index).to_string())
}

impl Versus {
    fn write(&self, page: &mut Page, letter: &str) {
        page.title(&format!("A -> {letter}"));
        if !self.differences.is_empty() {
            page.toned(Tone::Fair, "Not the same in both, so a difference may come from it:");
            for difference in &self.differences {
                let text = format!("{} -> {}", difference.baseline, difference.candidate);
                let tone = if difference.weight == Weight::Warned { Tone::Fair } else { Tone::Bad };
                page.sentence(Some(tone), 2, &format!("{}: {text}", difference.what));
            }
            page.blank();
        }
        for note in &self.notes {
            page.sentence(Some(Tone::Fair), 0, note);
        }
        for phase in &self.phases {
            phase.write(page, letter);
        }
        page.rule('-');
        let tone = tone(self.direction).unwrap_or(Tone::Heading);
        page.sentence(
            Some(tone),
            0,
            &format!("{letter} against A: {}", self.direction.words().to_uppercase()),
        );
        for reason in &self.reasons {
            page.sentence(None, 2, reason);
        }
        page.rule('=');
        page.blank();
    }
}

impl PhaseShift {
    fn write(&self, page: &mut Page, letter: &str) {
        let layout = page.layout();
        let names = |phases: &[bootstorm_model::record::PhaseName]| {
            phases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let (first, second) = (names(&self.baseline), names(&self.candidate));
        let title = if first == second { first } else { format!("{first} -> {second}") };
        page.sentence(Some(Tone::Heading), 0, &format!("{title}:"));
        let columns = columns(layout);
        let heading = |column: &Shows| column.heading(letter);
        let mut grid = Grid::new(columns.iter().map(heading).collect());
        let mut unjudged: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for milestone in &self.milestones {
            let name = milestone_title(milestone.milestone, self.probe);
            // A percentile that the data does not support is shown only in wide tables.
            let shown = |shift: &&Shift| shift.unjudged != Some(TOO_FEW_ABOVE) || layout.wide;
            for shift in milestone.shifts.iter().filter(shown) {
                let name = format!("{name} {}", shift.statistic);
                let cells = columns.iter().map(|column| column.of_times(&name, shift)).collect();
                grid.push(tone(shift.direction), cells);
                if let Some(why) = shift.unjudged {
                    unjudged.entry(why).or_default().push(name);
                }
            }
        }
        let cells = columns.iter().map(|column| column.of_failures(&self.failures)).collect();
        grid.push(tone(self.failures.direction), cells);
        page.grid(grid, None);
        for (why, names) in unjudged {
            page.sentence(
                Some(Tone::Faint),
                0,
                &format!("Not judged, because of {why}: {}", names.join(", ")),
            );
        }
        self.unknown(page);
        page.blank();
    }

    fn unknown(&self, page: &mut Page) {
        let most = self.milestones.iter().map(|of| of.baseline_unknown.max(of.candidate_unknown)).max();
        if let Some(most) = most.filter(|most| *most > 0) {
            let text = format!("Up to {} with an unknown time are not in these figures.", words::vms(most));
            page.sentence(Some(Tone::Fair), 0, &text);
        }
    }
}

/// Content of a column
#[derive(Clone, Copy)]
enum Shows {
    Name,
    Baseline,
    Candidate,
    Difference,
    DifferenceInterval,
    Ratio,
    RatioInterval,
    Direction,
}

fn columns(layout: Layout) -> Vec<Shows> {
    let mut columns = vec![Shows::Name, Shows::Baseline, Shows::Candidate];
    if layout.wide || layout.width >= ROOM_FOR_DIFFERENCE {
        columns.extend([Shows::Difference, Shows::DifferenceInterval]);
    }
    columns.push(Shows::Ratio);
    if layout.wide || layout.width >= ROOM_FOR_INTERVAL {
        columns.push(Shows::RatioInterval);
    }
    columns.push(Shows::Direction);
    columns
}

impl Shows {
    fn heading(self, letter: &str) -> Column {
        match self {
            Self::Name => Column::words("Time to"),
            Self::Baseline => Column::numbers("A"),
            Self::Candidate => Column::numbers(letter),
            Self::Difference => Column::numbers("Difference"),
            Self::DifferenceInterval | Self::RatioInterval => Column::numbers("99 % interval"),
            Self::Ratio => Column::numbers("Ratio"),
            Self::Direction => Column::words("Result"),
        }
    }

    fn of_times(self, name: &str, shift: &Shift) -> String {
        let missing = if shift.statistic == "mean" { "-" } else { "not reached" };
        let value = |value: Option<f64>| value.map_or_else(|| missing.to_owned(), words::seconds);
        let signed = |value: f64| format!("{value:+.2}s");
        match self {
            Self::Name => name.to_owned(),
            Self::Baseline => value(shift.baseline),
            Self::Candidate => value(shift.candidate),
            Self::Difference => shift.difference.value.map_or_else(|| "-".to_owned(), signed),
            Self::DifferenceInterval => interval(&shift.difference, signed),
            Self::Ratio => shift.ratio.value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}x")),
            Self::RatioInterval => interval(&shift.ratio, |value| format!("{value:.2}")),
            Self::Direction => shift.direction.words().to_owned(),
        }
    }

    fn of_failures(self, shift: &FailureShift) -> String {
        let share = |share: bootstorm_model::stats::Share| format!("{}/{}", share.some, share.all);
        let points = |value: f64| format!("{value:+.1} %");
        match self {
            Self::Name => "Failed VMs".to_owned(),
            Self::Baseline => share(shift.baseline),
            Self::Candidate => share(shift.candidate),
            Self::Difference => shift.difference_percent.value.map_or_else(|| "-".to_owned(), points),
            Self::DifferenceInterval => interval(&shift.difference_percent, points),
            Self::Ratio | Self::RatioInterval => "-".to_owned(),
            Self::Direction => shift.direction.words().to_owned(),
        }
    }
}

/// `1.50 to 1.66`; a missing end is open.
fn interval(estimate: &Estimate, word: impl Fn(f64) -> String) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{} to {}", word(low), word(high)),
        (Some(low), None) => format!("{} and up", word(low)),
        (None, Some(high)) => format!("up to {}", word(high)),
        (None, None) => "-".to_owned(),
    }
}

fn tone(direction: Direction) -> Option<Tone> {
    match direction {
        Direction::Better => Some(Tone::Good),
        Direction::Worse => Some(Tone::Bad),
        Direction::NoDifference | Direction::Unjudged => None,
    }
}
