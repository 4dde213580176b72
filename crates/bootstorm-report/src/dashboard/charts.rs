//! The initial charts: mean time to Running, over time and by number of VMs.

use std::collections::BTreeSet;

use super::groups::{self, Range};
use super::saved::{self, Part, Saved};
use crate::people::html::chart::{self, Axis, Drawing, Frame, Plot, Size, number};
use crate::people::html::markup::Markup;
use crate::people::html::words;

/// Maximum number of marks; the page's script draws the rest.
const MOST_MARKS: usize = 400;

/// Writes the chart over time.
pub(super) fn trend(body: &mut Markup, runs: &[Saved]) {
    chart::draw(body, false, "Mean time to running of each run over time, in seconds", |size| {
        over_time(size, runs)
    });
}

/// Writes the chart by number of VMs.
pub(super) fn sizes(body: &mut Markup, runs: &[Saved]) {
    chart::draw(body, false, "Mean time to running by number of VMs, in seconds", |size| by_size(size, runs));
}

fn frame(size: Size, longest: f64, x: &'static str) -> Plot {
    Plot::new(&Frame {
        size,
        height: 250.0,
        x: Axis { top: 1.0, title: x },
        y: Axis { top: longest * 1.06, title: "mean time to running, s" },
        x_ticks: false,
    })
}

fn over_time(size: Size, runs: &[Saved]) -> Drawing {
    let runs = &runs[runs.len().saturating_sub(MOST_MARKS)..];
    let figure = |part: &Part| groups::first_figure(part);
    let longest = runs.iter().flat_map(Saved::parts).filter_map(|(_, part)| figure(part)).fold(0.0, f64::max);
    let mut plot = frame(size, longest, "when the run began (UTC)");
    let (left, right) = plot.width();
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return plot.finish() };
    let (from, to) = (first.began.as_second() as f64, last.began.as_second() as f64);
    let place = |saved: &Saved| {
        let share = if to > from { (saved.began.as_second() as f64 - from) / (to - from) } else { 0.5 };
        left + 12.0 + (right - left - 24.0) * share
    };
    let format = if to - from > 172_800.0 { "%Y-%m-%d" } else { "%m-%d %H:%M" };
    for (saved, anchor) in [(first, "start"), (last, "end")] {
        let x = if anchor == "start" { left } else { right };
        if anchor == "start" || to > from {
            let y = plot.floor() + 17.0;
            plot.label("tick", anchor, (x, y), &saved.began.strftime(format).to_string());
        }
    }
    let mut seen = BTreeSet::new();
    for saved in runs {
        let create = saved.create.as_ref().filter(|_| seen.insert(saved.run));
        let parts = [("baseline", create), ("storm", saved.boot_storm())];
        for (class, part) in parts.into_iter().filter_map(|(class, part)| Some((class, part?))) {
            let Some(value) = figure(part) else { continue };
            let [x, y] = [place(saved), plot.y.at(value)].map(number);
            plot.content
                .empty("circle", &[("class", &format!("dot {class}")), ("cx", &x), ("cy", &y), ("r", "3.5")]);
        }
    }
    plot.finish()
}

fn by_size(size: Size, runs: &[Saved]) -> Drawing {
    let groups = groups::by_size(runs);
    let storms = |runs: &[&Saved]| {
        groups::range(runs.iter().map(|saved| saved.boot_storm().and_then(groups::first_figure)))
    };
    let created =
        |runs: &[&Saved]| groups::range(saved::creations(runs.iter().copied()).map(groups::first_figure));
    let columns: Vec<(usize, usize, [Option<Range>; 2])> = groups
        .iter()
        .map(|(vms, runs)| (*vms, saved::distinct(runs.iter().copied()), [created(runs), storms(runs)]))
        .collect();
    let longest = columns
        .iter()
        .flat_map(|(_, _, both)| both.iter().flatten())
        .map(|range| range.max)
        .fold(0.0, f64::max);
    let mut plot = frame(size, longest, "number of VMs");
    let (left, right) = plot.width();
    let step = ((right - left) / columns.len().max(1) as f64).min(110.0);
    let wide = (step * 0.36).min(26.0);
    for (place, (vms, count, both)) in columns.iter().enumerate() {
        let middle = left + step * (place as f64 + 0.5);
        if step > 26.0 || place % 3 == 0 {
            let y = plot.floor() + 17.0;
            plot.label("tick", "middle", (middle, y), &vms.to_string());
        }
        let mut says = format!("{}, {}", words::count(*vms, "VM"), words::count(*count, "run"));
        for (class, offset, range) in [("baseline", -wide, both[0]), ("storm", 0.0, both[1])] {
            let Some(range) = range else { continue };
            let name = if class == "baseline" { "creation" } else { class };
            says.push_str(&format!(
                "\n{name}: {} ({} to {})",
                words::seconds(range.mean),
                words::seconds(range.min),
                words::seconds(range.max)
            ));
            let (top, floor) = (plot.y.at(range.mean), plot.floor());
            plot.rect(class, (middle + offset, top), (middle + offset + wide - 2.0, floor));
            let x = middle + offset + wide / 2.0 - 1.0;
            let (low, high) = (plot.y.at(range.min), plot.y.at(range.max));
            plot.line("whisker", (x, low), (x, high));
        }
        plot.slice(middle - step / 2.0, middle + step / 2.0, &says);
    }
    plot.finish()
}
