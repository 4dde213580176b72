//! Step curves: the share of VMs that has arrived.

use super::Plot;
use super::number;
use crate::people::html::markup::Markup;
use bootstorm_model::stats::Sample;

/// More steps than this cannot be distinguished.
const STEPS: usize = 400;

/// Slices that react to the pointer.
const SLICES: usize = 60;

/// A group of VMs and its style
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    /// Class of the line.
    pub(crate) class: &'static str,
    /// Name of the line.
    pub(crate) label: String,
    /// Times of arrival.
    pub(crate) arrivals: Sample,
}

/// Draws the curve of each group in percent, with hover texts.
pub(crate) fn write(plot: &mut Plot, crowds: &[Crowd], since: &str) {
    for crowd in crowds.iter().filter(|crowd| crowd.arrivals.n() > 0) {
        let path = path(plot, &crowd.arrivals);
        plot.content.empty("path", &[("class", &format!("line {}", crowd.class)), ("d", &path)]);
    }
    let (left, right) = plot.width();
    let step = (right - left) / SLICES as f64;
    for slice in 0..SLICES {
        let (from, to) = (left + step * slice as f64, left + step * (slice + 1) as f64);
        let seconds = plot.x.top() * (slice as f64 + 0.5) / SLICES as f64;
        let mut says = format!("{seconds:.1} s {since}");
        for crowd in crowds {
            let arrived = crowd.arrivals.values().partition_point(|value| *value <= seconds);
            let n = crowd.arrivals.n();
            let percent = super::super::words::percent(arrived, n);
            says.push_str(&format!("\n{}: {arrived} of {n} ({percent})", crowd.label));
        }
        plot.slice(from, to, &says);
    }
}

/// The steps as a path, from zero to the right edge.
fn path(plot: &Plot, arrivals: &Sample) -> String {
    let (values, n) = (arrivals.values(), arrivals.n() as f64);
    let mut path = format!("M{} {}", number(plot.x.at(0.0)), number(plot.y.at(0.0)));
    let stride = values.len().div_ceil(STEPS).max(1);
    for (index, seconds) in values.iter().enumerate() {
        // Of many steps every n-th stays, and always the last one, which matters most.
        if index % stride == stride - 1 || index + 1 == values.len() {
            let percent = (index + 1) as f64 * 100.0 / n;
            path.push_str(&format!("H{}V{}", number(plot.x.at(*seconds)), number(plot.y.at(percent))));
        }
    }
    path.push_str(&format!("H{}", number(plot.width().1)));
    path
}

/// Marks a share of the VMs with a faint line and its name.
pub(crate) fn level(plot: &mut Plot, percent: f64) {
    let y = plot.y.at(percent);
    let (left, right) = plot.width();
    let mut dashed = Markup::new();
    let [x1, x2, y1] = [left, right, y].map(number);
    dashed.empty("line", &[("class", "level"), ("x1", &x1), ("x2", &x2), ("y1", &y1), ("y2", &y1)]);
    plot.content.add(&dashed);
    plot.label("tick", "start", (left + 3.0, y - 3.0), &format!("{percent:.0} %"));
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Frame, Size};
    use super::*;

    fn drawn(values: &[f64], missing: usize) -> String {
        let frame = Frame {
            size: Size::Narrow,
            height: 160.0,
            x: Axis { top: 10.0, title: "s" },
            y: Axis { top: 100.0, title: "%" },
            x_ticks: true,
        };
        let arrivals = Sample::new(values.iter().copied(), missing);
        path(&Plot::new(&frame), &arrivals)
    }

    #[test]
    fn who_is_missing_keeps_the_curve_from_the_top() {
        // x: 46 to 340 for 0 to 10 s; y: 122 to 22 for 0 to 100 %.
        assert_eq!(drawn(&[5.0, 10.0], 2), "M46 122H193V97H340V72H340");
        assert_eq!(drawn(&[], 3), "M46 122H340");
    }

    #[test]
    fn ten_thousand_steps_become_a_few_hundred_and_end_where_they_did() {
        let values: Vec<f64> = (1..=10_000).map(|index| f64::from(index) / 1_000.0).collect();
        let path = drawn(&values, 0);
        assert!(path.matches('V').count() <= STEPS, "{}", path.matches('V').count());
        assert!(path.ends_with("H340V22H340"), "{path}");
    }
}
