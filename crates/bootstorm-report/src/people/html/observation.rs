//! Observed outages: a band per VM over the whole observation, then causes, nodes and every outage.

use super::blocks;
use super::chart::plot::hit;
use super::chart::scale::tick_label;
use super::chart::{self, Drawing, Scale, Size, number};
use super::markup::Markup;
use super::words;
use crate::Report;
use crate::observation::{ObservationBlock, OutageBlock};
use crate::people::content::observation as content;

/// Maximum number of VMs drawn; the table has every outage.
const DRAWN: usize = 120;
/// Height of a band, in units of the drawing.
const ROW: f64 = 16.0;
/// Room for the axis below the bands.
const AXIS: f64 = 34.0;

/// Writes the section, if there is an observation.
pub(super) fn write(body: &mut Markup, report: &Report) {
    let Some(observation) = &report.observation else { return };
    body.open("section", &[("id", "outages")]).leaf("h2", &[], "Outages");
    blocks::write(body, &content::head(observation));
    if !observation.outages.is_empty() {
        drawn(body, observation);
        for table in content::groups(observation) {
            blocks::table(body, &table);
        }
        blocks::open_table(body, &content::each(observation));
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
        let note = format!("Shown are the first {DRAWN} of {} VMs; the table has every outage.", vms.len());
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
