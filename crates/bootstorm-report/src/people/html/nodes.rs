//! Phases by node, to show a slow node.

use std::collections::BTreeMap;

use super::blocks;
use super::chart::plot::hit;
use super::chart::{self, Drawing, Scale, Size, number};
use super::markup::Markup;
use super::subject::{Subject, Subjects};
use super::words;
use crate::NodeBlock;
use crate::people::content::nodes;

/// Maximum number of nodes drawn; the table has all.
const DRAWN: usize = 40;

/// Results of each subject on one node
type Line<'a> = (Option<&'a str>, Vec<(Subject<'a>, &'a NodeBlock)>);

/// Writes the section.
pub(super) fn write(body: &mut Markup, subjects: &Subjects<'_>) {
    let lines = lines(subjects);
    if lines.is_empty() {
        return;
    }
    body.open("section", &[("id", "nodes")]).leaf("h2", &[], "Nodes");
    let drawn: Vec<&Line<'_>> = lines.iter().take(DRAWN).collect();
    let furthest =
        |line: &&Line<'_>| line.1.iter().filter_map(|(_, block)| block.summary.max).fold(0.0, f64::max);
    let longest = drawn.iter().map(furthest).fold(0.0, f64::max);
    if longest > 0.0 {
        let note = "Thin line: fastest to slowest VM. Thick line: median to 95th percentile, or to the slowest VM where that was not reached.";
        body.leaf("p", &[("class", "hint")], note);
        let labels: Vec<(&str, String)> =
            subjects.iter().map(|subject| (subject.role.class(), subject.label())).collect();
        let entries: Vec<(&str, &str)> =
            labels.iter().map(|(class, label)| (*class, label.as_str())).collect();
        chart::legend(body, &entries);
        chart::draw(body, true, "Time to the goal per node, in seconds", |size| {
            ranges(size, &drawn, longest)
        });
    }
    if lines.len() > DRAWN {
        let note = format!(
            "Shown are the {DRAWN} nodes with the slowest VMs of {}; the table has all.",
            lines.len()
        );
        body.leaf("p", &[("class", "hint")], &note);
    }
    for verdict in lines.iter().flat_map(|line| &line.1).filter_map(|(subject, block)| told(*subject, block))
    {
        body.leaf("p", &[("class", "hint")], &verdict);
    }
    table(body, &lines);
    body.close("section");
}

/// The nodes, the one with the slowest storm first.
fn lines<'a>(subjects: &Subjects<'a>) -> Vec<Line<'a>> {
    let mut nodes: BTreeMap<Option<&str>, Vec<(Subject<'a>, &NodeBlock)>> = BTreeMap::new();
    for subject in subjects.iter() {
        for block in &subject.phase.nodes {
            nodes.entry(block.node.as_deref()).or_default().push((subject, block));
        }
    }
    let slowest = |line: &Line<'_>| {
        let last = line.1.last().and_then(|(_, block)| block.summary.max);
        last.unwrap_or(0.0)
    };
    let mut lines: Vec<Line<'_>> = nodes.into_iter().collect();
    lines.sort_by(|a, b| slowest(b).total_cmp(&slowest(a)));
    lines
}

/// Verdict on a slow node.
fn told(subject: Subject<'_>, block: &NodeBlock) -> Option<String> {
    Some(format!("In {}, {}.", subject.phase.name, block.verdict()?))
}

fn name(node: Option<&str>) -> &str {
    node.unwrap_or("(no node)")
}

fn ranges(size: Size, lines: &[&Line<'_>], longest: f64) -> Drawing {
    let room = if size == Size::Narrow { 110.0 } else { 190.0 };
    let letters = if size == Size::Narrow { 15 } else { 27 };
    let scale = Scale::new(longest * 1.02, room, size.width() - 14.0);
    let mut content = Markup::new();
    let height = 22.0 + lines.iter().map(|line| 8.0 + 13.0 * line.1.len() as f64).sum::<f64>();
    for tick in scale.ticks(if size == Size::Narrow { 4 } else { 8 }) {
        let x = number(scale.at(tick));
        let bottom = number(height - 20.0);
        content.empty("line", &[("class", "grid"), ("x1", &x), ("x2", &x), ("y1", "0"), ("y2", &bottom)]);
        let label = format!("{} s", chart::scale::tick_label(tick));
        let y = number(height - 5.0);
        content.leaf("text", &[("class", "tick"), ("text-anchor", "middle"), ("x", &x), ("y", &y)], &label);
    }
    let mut y = 4.0;
    for (node, blocks) in lines {
        let below = y + 13.0 * blocks.len() as f64;
        let text_y = number(f64::midpoint(y, below) + 4.0);
        content.leaf(
            "text",
            &[("class", "name"), ("x", "0"), ("y", &text_y)],
            &shorten(name(*node), letters),
        );
        let mut says = name(*node).to_owned();
        for (subject, block) in blocks {
            range(&mut content, &scale, y + 6.5, subject.role.class(), block);
            let summary = &block.summary;
            says.push_str(&format!(
                "\n{}: {} of {}, median {}, p95 {}, max {}",
                subject.label(),
                block.reached,
                words::count(block.vms, "VM"),
                words::quantile(summary.p50),
                words::quantile(summary.p95),
                words::maybe_seconds(summary.max)
            ));
            y += 13.0;
        }
        hit(&mut content, (0.0, below - 13.0 * blocks.len() as f64), (size.width(), below), &says);
        y += 8.0;
    }
    Drawing { height, content }
}

fn range(content: &mut Markup, scale: &Scale, y: f64, class: &str, block: &NodeBlock) {
    let summary = &block.summary;
    let (Some(min), Some(max)) = (summary.min, summary.max) else { return };
    let mut line = |class: &str, from: f64, to: f64| {
        let [x1, x2, y] = [scale.at(from), scale.at(to), y].map(number);
        content.empty("line", &[("class", class), ("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)]);
    };
    line(&format!("line thin {class}"), min, max);
    if let Some(median) = summary.p50.seconds() {
        line(&format!("line thick {class}"), median, summary.p95.seconds().unwrap_or(max));
    }
}

/// The beginning of a long name, with an ellipsis; the table has the whole name.
fn shorten(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}

fn table(body: &mut Markup, lines: &[Line<'_>]) {
    body.open("details", if lines.len() <= 10 { &[("open", "open")] } else { &[] });
    let summary = if lines.len() == 1 { "The node".to_owned() } else { format!("All {} nodes", lines.len()) };
    body.leaf("summary", &[], &format!("{summary} as a table"));
    let blocks = lines.iter().flat_map(|(_, blocks)| blocks);
    blocks::open_table(body, &nodes::table(blocks.map(|(subject, block)| (Some(subject.label()), *block))));
    body.close("details");
}
