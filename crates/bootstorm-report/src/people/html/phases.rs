//! Every phase of the run in one table, and the storms over time if there are several.

use super::blocks;
use super::chart::{self, Axis, Drawing, Frame, Plot, Size, number};
use super::markup::Markup;
use super::words;
use crate::Report;
use crate::people::content::phases;
use crate::phase::PhaseBlock;
use bootstorm_model::record::PhaseKind;

/// Maximum number of phases shown without folding.
const MOST_OPEN: usize = 15;

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report) {
    if report.phases.is_empty() {
        return;
    }
    body.open("section", &[("id", "phases")]).leaf("h2", &[], "Phases");
    let storms: Vec<&PhaseBlock> =
        report.phases.iter().filter(|phase| phase.kind == PhaseKind::Storm).collect();
    if storms.len() > 1 {
        chart::legend(body, &[("storm", "mean of each storm"), ("spread", "fastest to slowest VM")]);
        chart::draw(body, true, "Time to the goal in each storm, in seconds", |size| repeats(size, &storms));
    }
    let many = report.phases.len() > MOST_OPEN;
    if many {
        let summary = format!("All {} phases as a table", report.phases.len());
        body.open("details", &[]).leaf("summary", &[], &summary);
    }
    blocks::open_table(body, &phases::table(report));
    if many {
        body.close("details");
    }
    body.close("section");
}

fn repeats(size: Size, storms: &[&PhaseBlock]) -> Drawing {
    let summaries: Vec<_> = storms.iter().map(|storm| (storm, storm.summary(storm.goal))).collect();
    let longest = summaries.iter().filter_map(|(_, summary)| summary.max).fold(0.0, f64::max);
    let mut plot = Plot::new(&Frame {
        size,
        height: 200.0,
        x: Axis { top: 1.0, title: "storms, in order" },
        y: Axis { top: longest * 1.05, title: "seconds to the goal" },
        x_ticks: false,
    });
    let (left, right) = plot.width();
    let step = ((right - left) / storms.len() as f64).min(60.0);
    for (place, (storm, summary)) in summaries.iter().enumerate() {
        let x = left + step * (place as f64 + 0.5);
        if let (Some(min), Some(mean), Some(max)) = (summary.min, summary.mean, summary.max) {
            let (low, high) = (plot.y.at(min), plot.y.at(max));
            plot.line("line spread", (x, low), (x, high));
            let [x, y] = [x, plot.y.at(mean)].map(number);
            plot.content.empty("circle", &[("class", "dot storm"), ("cx", &x), ("cy", &y), ("r", "3.5")]);
        }
        let counts = &storm.counts;
        let says = format!(
            "{}: {} of {}, mean {}, p95 {}, max {}",
            storm.name,
            counts.reached,
            words::count(counts.participants, "VM"),
            words::maybe_seconds(summary.mean),
            words::quantile(summary.p95),
            words::maybe_seconds(summary.max)
        );
        let middle = left + step * place as f64;
        plot.slice(middle, middle + step, &says);
    }
    plot.finish()
}
