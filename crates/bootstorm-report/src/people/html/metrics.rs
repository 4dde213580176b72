//! Prometheus measurements of the cluster, below the recovery curve and on its time axis.

use super::chart::{self, Axis, Drawing, Frame, Plot, Size, number};
use super::markup::Markup;
use super::subject::{Subject, Subjects};
use super::words;
use bootstorm_model::record::{Gauge, Metrics, Unit};

/// Maximum number of lines per figure, those with the highest peaks.
const MOST_LINES: usize = 4;

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let Some(subject) = subjects.main() else { return };
    let Some(metrics) = &subject.phase.metrics else { return };
    body.open("section", &[("id", "cluster")]).leaf("h2", &[], "Cluster metrics");
    let from = format!(
        "{} during {}, one value every {}",
        metrics.source,
        subject.phase.name,
        words::seconds(metrics.step_seconds)
    );
    body.leaf("p", &[("class", "caption")], &from);
    let last = subjects.iter().filter_map(|subject| subject.arrivals().max()).fold(0.0, f64::max);
    let last = if last > 0.0 { last * 1.02 } else { metrics.at(points(metrics)).max(1.0) };
    body.open("div", &[("class", "cards")]);
    for gauge in &metrics.gauges {
        let Some(told) = gauge.told() else { continue };
        body.open("div", &[("class", "card")]).leaf("h3", &[], gauge.metric.title());
        chart::draw(body, false, &told, |size| draw(size, metrics, gauge, first(&subject), last));
        body.leaf("p", &[], &format!("{told}{}", others(gauge)));
        body.close("div");
    }
    body.close("div");
    for missing in &metrics.missing {
        body.leaf("p", &[("class", "caption")], missing);
    }
    body.close("section");
}

/// Seconds from the beginning of the phase to its first request, which is the zero of the recovery curve.
fn first(subject: &Subject<'_>) -> f64 {
    subject.phase.first_request().at().map_or(0.0, bootstorm_model::observe::Offset::seconds)
}

fn points(metrics: &Metrics) -> usize {
    metrics.gauges.iter().flat_map(|gauge| &gauge.lines).map(|line| line.values.len()).max().unwrap_or(0)
}

fn others(gauge: &Gauge) -> String {
    let hidden = gauge.lines.len().saturating_sub(MOST_LINES) + gauge.dropped;
    if hidden == 0 { String::new() } else { format!("; lower ones not drawn: {hidden}") }
}

fn draw(size: Size, metrics: &Metrics, gauge: &Gauge, first: f64, last: f64) -> Drawing {
    let peak = gauge.peak().map_or(0.0, |(_, peak)| peak);
    let unit = match gauge.metric.unit() {
        Unit::Seconds => "seconds",
        Unit::Count => "keys",
        Unit::PerSecond => "per second",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "bytes per second",
        Unit::Percent => "%",
    };
    let mut plot = Plot::new(&Frame {
        size,
        height: 160.0,
        x: Axis { top: last, title: "seconds after the first request" },
        y: Axis { top: if peak > 0.0 { peak * 1.1 } else { 1.0 }, title: unit },
        x_ticks: true,
    });
    for (place, line) in gauge.lines.iter().take(MOST_LINES).enumerate().rev() {
        let mut path = String::new();
        let mut is_down = false;
        for (point, value) in line.values.iter().enumerate() {
            let at = metrics.at(point) - first;
            let Some(value) = value.filter(|_| (0.0..=last).contains(&at)) else {
                is_down = false;
                continue;
            };
            let letter = if is_down { 'L' } else { 'M' };
            path.push_str(&format!("{letter}{} {}", number(plot.x.at(at)), number(plot.y.at(value))));
            is_down = true;
        }
        let class = if place == 0 { "line storm" } else { "line baseline" };
        plot.content.empty("path", &[("class", class), ("d", &path)]);
    }
    let half = metrics.step_seconds / 2.0;
    let (left, right) = plot.width();
    for point in 0..points(metrics) {
        let at = metrics.at(point) - first;
        let values = gauge.lines.iter().take(MOST_LINES);
        let values = values.filter_map(|line| Some((line, line.values.get(point).copied().flatten()?)));
        let says: Vec<String> = values
            .map(|(line, value)| format!("{} {}", line.label, gauge.metric.shown(value)).trim().to_owned())
            .collect();
        if says.is_empty() || !(0.0..=last).contains(&at) {
            continue;
        }
        let (from, to) = (plot.x.at((at - half).max(0.0)).max(left), plot.x.at(at + half).min(right));
        plot.slice(from, to, &format!("{} after the first request\n{}", words::seconds(at), says.join("\n")));
    }
    plot.finish()
}
