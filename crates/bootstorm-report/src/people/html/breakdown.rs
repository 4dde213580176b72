//! Slowdown of the storm relative to the baseline, by stretch.

use super::chart::plot::hit;
use super::chart::{self, Drawing, Scale, number};
use super::markup::Markup;
use super::words;
use bootstorm_model::stats::{Breakdown, Part};

/// Height of a line of the chart.
const LINE: f64 = 24.0;
/// Room for the names of stretches.
const NAMES: f64 = 190.0;

/// Writes one bar per slower stretch, with its share of the slowdown.
pub(super) fn write(body: &mut Markup, breakdown: &Breakdown) {
    let grown: Vec<&Part> = breakdown.parts.iter().filter(|part| part.share_percent.is_some()).collect();
    let longest = grown.iter().map(|part| part.extra()).fold(0.0, f64::max);
    if longest <= 0.0 {
        return;
    }
    chart::draw(body, true, "Extra time in the storm, in seconds on average", |size| {
        let mut content = Markup::new();
        let scale = Scale::new(longest, NAMES, size.width() - 100.0);
        for (part, line) in grown.iter().zip(0..) {
            let y = f64::from(line) * LINE;
            let (from, to) = (scale.at(0.0), scale.at(part.extra()));
            let text_y = number(y + 15.0);
            let name = format!("{} → {}", part.from, part.to);
            content.leaf("text", &[("class", "name"), ("x", "0"), ("y", &text_y)], &name);
            let [x, width, top] = [from, to - from, y + 2.0].map(number);
            let attributes = [
                ("class", words::class(part.to)),
                ("x", &x),
                ("y", &top),
                ("width", &width),
                ("height", "16"),
            ];
            content.empty("rect", &attributes);
            let share = part.share_percent.unwrap_or_default();
            let says = format!(
                "{name}: {} longer, {share:.0} % of the extra time ({})",
                words::seconds(part.extra()),
                part.component.label()
            );
            hit(&mut content, (from, y + 2.0), (to, y + 18.0), &says);
            let label = format!("+{} · {share:.0} %", words::seconds(part.extra()));
            content.leaf("text", &[("class", "tick"), ("x", &number(to + 6.0)), ("y", &text_y)], &label);
        }
        Drawing { height: grown.len() as f64 * LINE, content }
    });
}
