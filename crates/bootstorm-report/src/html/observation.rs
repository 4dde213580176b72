//! Who was down when: a band per VM over the whole observation, then causes, nodes and every outage.

use super::chart::plot::hit;
use super::chart::scale::tick_label;
use super::chart::{self, Drawing, Scale, Size, number};
use super::grid;
use super::markup::Markup;
use super::words;
use crate::Report;
use crate::observation::{NodeLossBlock, ObservationBlock, OutageBlock, OutagesBlock};

/// More VMs than this are not drawn; the table has every outage.
const DRAWN: usize = 120;
/// Height of a band, in units of the drawing.
const ROW: f64 = 16.0;
/// Room for the axis below the bands.
const AXIS: f64 = 34.0;

/// Writes the section, where something was observed.
pub(super) fn write(body: &mut Markup, report: &Report) {
    let Some(observation) = &report.observation else { return };
    body.open("section", &[("id", "outages")]).leaf("h2", &[], "Outages");
    let summary = format!(
        "{} watched for {}: {}.",
        words::count(observation.vms, "VM"),
        words::seconds(observation.watched_seconds),
        observation.tally(),
    );
    body.leaf("p", &[("class", "lead")], &summary);
    for note in observation.notes() {
        body.leaf("p", &[("class", "hint")], &note);
    }
    if !observation.outages.is_empty() {
        drawn(body, observation);
        if !observation.causes.is_empty() {
            groups(body, "Outages by cause", "Cause", &observation.causes);
            groups(body, "Outages by the node that the VMs were on", "Node", &observation.nodes);
        }
        if !observation.node_losses.is_empty() {
            losses(body, &observation.node_losses);
        }
        each(body, observation);
    }
    body.close("section");
}

fn drawn(body: &mut Markup, observation: &ObservationBlock) {
    let vms = observation.by_vm();
    let hint = "Dark: down. Light: went down at some time in it. Outlined: down on purpose. Grey: the cluster could not be \
                watched.";
    body.leaf("p", &[("class", "hint")], hint);
    let shown = &vms[..vms.len().min(DRAWN)];
    chart::draw(body, true, "When each VM was down, in seconds from the beginning", |size| {
        bands(size, observation, shown)
    });
    if vms.len() > DRAWN {
        let note = format!("Drawn are the first {DRAWN} of {} VMs; the table has every outage.", vms.len());
        body.leaf("p", &[("class", "hint")], &note);
    }
}

fn bands(size: Size, observation: &ObservationBlock, vms: &[(&OutageBlock, Vec<&OutageBlock>)]) -> Drawing {
    let name_room = if size == Size::Narrow { 90.0 } else { 190.0 };
    let x = Scale::new(observation.end(), name_room, size.width() - 12.0);
    let bottom = ROW * vms.len() as f64 + 4.0;
    let mut content = Markup::new();
    for gap in &observation.gaps {
        rect(&mut content, "band-blind", (x.at(gap.from), 0.0), (x.at(gap.to), bottom));
    }
    for (row, (vm, outages)) in vms.iter().enumerate() {
        let (top, low) = (ROW * row as f64 + 3.0, ROW * (row as f64 + 1.0) - 1.0);
        let name =
            shortened(&format!("{}/{}", vm.namespace, vm.name), if size == Size::Narrow { 13 } else { 28 });
        let (left, base) = (number(name_room - 8.0), number(low - 2.0));
        content.leaf("text", &[("class", "tick"), ("text-anchor", "end"), ("x", &left), ("y", &base)], &name);
        for (index, outage) in outages.iter().enumerate() {
            let (from, to) = (x.at(outage.at), x.at(observation.until(outages, index)));
            rect(&mut content, "band-maybe", (x.at(outage.earliest), top), (from, low));
            rect(&mut content, class(outage), (from, top), (to, low));
            hit(&mut content, (x.at(outage.earliest), top), (to.max(from + 2.0), low), &says(outage));
        }
    }
    let wanted = ((size.width() - name_room) / 64.0) as usize;
    for tick in x.ticks(wanted.max(2)) {
        let (at, base) = (number(x.at(tick)), number(bottom + 16.0));
        content.leaf(
            "text",
            &[("class", "tick"), ("text-anchor", "middle"), ("x", &at), ("y", &base)],
            &tick_label(tick),
        );
    }
    let (middle, base) = (number(f64::midpoint(name_room, size.width())), number(bottom + AXIS - 4.0));
    content.leaf(
        "text",
        &[("class", "tick"), ("text-anchor", "middle"), ("x", &middle), ("y", &base)],
        "seconds from the beginning of the observation",
    );
    Drawing { height: bottom + AXIS, content }
}

fn class(outage: &OutageBlock) -> &'static str {
    if outage.is_intended() {
        "band-rest"
    } else if outage.is_down() {
        "band-lost"
    } else {
        "band-down"
    }
}

fn rect(content: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let (width, height) = (to.0 - from.0, to.1 - from.1);
    if width <= 0.0 || height <= 0.0 {
        return;
    }
    let [x, y, width, height] = [from.0, from.1, width.max(1.0), height].map(number);
    content.empty("rect", &[("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
}

fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(length - most + 1).collect::<String>())
    }
}

fn says(outage: &OutageBlock) -> String {
    let back = match (outage.took, outage.back) {
        (Some(took), _) => format!("back after {}", words::seconds(took)),
        (None, Some(_)) => "back after an unknown time".to_owned(),
        (None, None) if outage.is_intended() => "down on purpose".to_owned(),
        (None, None) => "not back".to_owned(),
    };
    let node = outage.left_node.as_ref().map_or_else(String::new, |node| format!("\non {node}"));
    format!(
        "{}/{}: {}\n{}, {} ({})\n{back}",
        outage.namespace,
        outage.name,
        outage.cause.words(),
        outage.sign.word(),
        words::seconds(outage.at),
        outage.exact
    ) + &node
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

fn groups(body: &mut Markup, caption: &str, title: &str, groups: &[OutagesBlock]) {
    grid::open(body, caption, &[title, "Outages", "Back", "Median (s)", "Longest (s)"], 1);
    for group in groups {
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &group.name);
        for cell in [group.outages.to_string(), group.back.to_string(), value(group.median), value(group.max)]
        {
            body.leaf("td", &[], &cell);
        }
        body.close("tr");
    }
    grid::close(body);
}

fn losses(body: &mut Markup, losses: &[NodeLossBlock]) {
    let headings =
        ["Lost node", "VMs", "Noticed (s)", "Evicted (s)", "Instance (s)", "Running (s)", "Elsewhere"];
    let caption = "Lost nodes: median seconds from the first sign until Kubernetes noticed, evicted the VMs, and ran them again";
    grid::open(body, caption, &headings, 1);
    for loss in losses {
        body.open("tr", &[]).leaf("th", &[("scope", "row")], &loss.node);
        body.leaf("td", &[], &loss.vms.to_string());
        for time in [loss.noticed, loss.evicted, loss.instance, loss.running] {
            body.leaf("td", &[], &value(time));
        }
        body.leaf("td", &[], &format!("{}/{}", loss.elsewhere, loss.vms));
        body.close("tr");
    }
    grid::close(body);
}

fn each(body: &mut Markup, observation: &ObservationBlock) {
    let headings = [
        "VM",
        "First sign",
        "Cause",
        "From node",
        "To node",
        "Known",
        "At (s)",
        "Down (s)",
        "Silent (s)",
        "Lost",
    ];
    grid::open(body, "Every outage, in the order in which they began", &headings, 6);
    for outage in &observation.outages {
        body.open("tr", &[]).leaf(
            "th",
            &[("scope", "row")],
            &format!("{}/{}", outage.namespace, outage.name),
        );
        let node = |node: &Option<String>| node.clone().unwrap_or_else(|| "–".to_owned());
        let texts = [
            outage.sign.word().to_owned(),
            outage.cause.words().to_owned(),
            node(&outage.left_node),
            node(&outage.node),
            outage.exact.clone(),
        ];
        for text in texts {
            body.leaf("td", &[("class", "word")], &text);
        }
        let numbers = [
            value(Some(outage.at)),
            value(outage.took),
            value(outage.silence),
            outage.lost.map_or_else(|| "–".to_owned(), |lost| lost.to_string()),
        ];
        for text in numbers {
            body.leaf("td", &[], &text);
        }
        body.close("tr");
    }
    grid::close(body);
}
