//! The recovery curve, drawn with braille dots: number of VMs that are back `t` seconds after the first request.

use super::Layout;
use crate::color::Tone;
use crate::people::words;
use crate::phase::PhaseBlock;
use bootstorm_model::observe::Milestone;
use bootstorm_model::record::PhaseKind;
use bootstorm_model::stats::Curve;

/// Dots of a braille cell, by column and row from the top (Unicode 16, chapter 21).
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
/// Columns of the labels on the left.
const LABELS: usize = 7;
/// A baseline is drawn dotted: one dot in this many.
const SPARSE: usize = 3;

/// A curve, and the number of VMs that is its top
struct Line {
    curve: Curve,
    of: usize,
}

impl Line {
    fn of(phase: &PhaseBlock, milestone: Milestone) -> Option<Self> {
        let curve = phase.curve(milestone);
        curve.last().is_some().then_some(Self { curve, of: phase.counts.participants })
    }

    fn share_at(&self, seconds: f64) -> f64 {
        self.curve.back_after(seconds) as f64 / self.of.max(1) as f64
    }

    fn last(&self) -> f64 {
        self.curve.last().unwrap_or(0.0)
    }
}

/// The curves of the storm, solid, and of its baseline, dotted; `None` if no VM came back.
pub(super) fn recovery(
    phases: &[&PhaseBlock],
    judged: Option<Milestone>,
    layout: &Layout,
    rows: usize,
) -> String {
    let starts = phases.iter().filter(|phase| phase.kind != PhaseKind::Stop);
    let mut shown: Vec<&PhaseBlock> = starts.copied().collect();
    if shown.is_empty() {
        shown = phases.last().copied().into_iter().collect();
    }
    shown.drain(..shown.len().saturating_sub(2));
    let Some(last) = shown.last() else { return String::new() };
    let milestone = judged.unwrap_or(last.goal);
    if last.recovery.start_unknown {
        return words::START_UNKNOWN.to_owned();
    }
    let curves: Vec<(&PhaseBlock, Line)> =
        shown.iter().filter_map(|phase| Some((*phase, Line::of(phase, milestone)?))).collect();
    let Some((solid, before)) = curves.split_last() else { return String::new() };
    let dotted = before.last();
    let until = curves.iter().map(|(_, curve)| curve.last()).fold(0.0, f64::max);
    if until <= 0.0 {
        return String::new();
    }
    let columns = layout.width.clamp(60, 160) - LABELS - 1;
    let mut dots = Canvas::new(columns, rows);
    if let Some((_, curve)) = dotted {
        dots.draw(curve, until, SPARSE);
    }
    dots.draw(&solid.1, until, 1);
    let mut text = String::new();
    let legend = dotted.map_or_else(
        || solid.0.name.to_string(),
        |(phase, _)| format!("{} (solid), {} (dotted)", solid.0.name, phase.name),
    );
    let title = format!("VMs {} since {}: {legend}", milestone.state(), last.zero().1);
    text.push_str(&layout.paint.apply(Tone::Heading, &title));
    text.push('\n');
    for (row, cells) in dots.lines().enumerate() {
        let label = match row {
            0 => "100 %",
            row if row + 1 == rows => "0 %",
            row if row == rows / 2 && rows >= 6 => "50 %",
            _ => "",
        };
        text.push_str(format!("{label:>5} ┤{cells}").trim_end());
        text.push('\n');
    }
    let (middle, end) = (words::plain_seconds(round(until / 2.0)), words::plain_seconds(round(until)));
    let half = (columns / 2).saturating_sub(1);
    let gap = columns.saturating_sub(half + 1);
    text.push_str(&format!(
        "{:>LABELS$}{:<half$}{middle}{end:>rest$}",
        "",
        "0s",
        rest = gap.saturating_sub(middle.len()) + 1
    ));
    text
}

/// Seconds for an axis.
fn round(seconds: f64) -> f64 {
    if seconds >= 100.0 { seconds.round() } else { (seconds * 10.0).round() / 10.0 }
}

/// Cells of two by four dots
struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<u32>,
}

impl Canvas {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![0; columns * rows] }
    }

    /// Draws a curve up to the right end; of a sparse one every n-th dot.
    fn draw(&mut self, curve: &Line, until: f64, sparse: usize) {
        let (width, height) = (self.columns * 2, self.rows * 4);
        let level = |x: usize| {
            // At the right end a quotient may be just below the last VM.
            let seconds = if x + 1 == width { until } else { until * (x + 1) as f64 / width as f64 };
            (curve.share_at(seconds) * (height - 1) as f64).round() as usize
        };
        let mut before = 0;
        let mut drawn = 0;
        for x in 0..width {
            let now = level(x).min(height - 1);
            // Jumps of the curve are drawn as vertical lines.
            for y in before.min(now)..=now {
                if drawn % sparse == 0 {
                    self.dot(x, height - 1 - y);
                }
                drawn += 1;
            }
            before = now;
        }
    }

    fn dot(&mut self, x: usize, y: usize) {
        if let Some(cell) = self.cells.get_mut(y / 4 * self.columns + x / 2) {
            *cell |= DOTS[x % 2][y % 4];
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let character =
            |cell: &u32| if *cell == 0 { ' ' } else { char::from_u32(0x2800 + cell).unwrap_or(' ') };
        self.cells.chunks(self.columns).map(move |line| line.iter().map(character).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::stats::Arrival;

    fn line(back: impl IntoIterator<Item = f64>, of: usize) -> Line {
        Line { curve: Curve::new(back.into_iter().map(Arrival::After), false), of }
    }

    #[test]
    fn a_curve_goes_from_the_bottom_left_to_the_top_right() {
        let mut canvas = Canvas::new(4, 2);
        canvas.draw(&line((1..=8).map(f64::from), 8), 8.0, 1);
        let lines: Vec<String> = canvas.lines().collect();
        assert_eq!(lines, [" ⢀⣠⠞", "⡴⠋  "]);
    }

    #[test]
    fn the_last_vm_is_never_lost() {
        for micros in (1_000_000..4_000_000).step_by(9_973) {
            let until = f64::from(micros) / 1e6;
            for columns in [52, 71, 72, 151] {
                let mut canvas = Canvas::new(columns, 2);
                canvas.draw(&line([until], 1), until, 1);
                let lines: Vec<String> = canvas.lines().collect();
                assert!(!lines[0].trim().is_empty(), "{until} in {columns} columns: {lines:?}");
            }
        }
    }

    #[test]
    fn those_who_never_came_keep_the_curve_below_the_top() {
        let mut canvas = Canvas::new(2, 2);
        canvas.draw(&line([0.0], 4), 1.0, 1);
        let lines: Vec<String> = canvas.lines().collect();
        assert!(lines[0].trim().is_empty() && !lines[1].trim().is_empty(), "{lines:?}");
    }
}
