//! The header with the run's name, and the footer.

use super::markup::Markup;
use crate::Report;

/// The sections that can be jumped to.
const SECTIONS: [(&str, &str); 7] = [
    ("#recovery", "Recovery"),
    ("#statistics", "Statistics"),
    ("#stages", "Where the time went"),
    ("#nodes", "Nodes"),
    ("#failures", "Failures"),
    ("#vms", "VMs"),
    ("#facts", "Facts"),
];

/// Writes the header.
pub(super) fn header(body: &mut Markup, report: &Report) {
    body.leaf("a", &[("class", "skip"), ("href", "#main")], "Skip to the results");
    body.open("header", &[("class", "top")]).open("div", &[]);
    body.leaf("p", &[("class", "kind")], "Boot storm report");
    body.leaf("h1", &[], &report.run.name);
    let vms = super::words::count(report.plan.vms, "VM");
    body.leaf("p", &[("class", "when")], &format!("{vms} · {}", super::words::time(report.run.created)));
    body.close("div");
    theme_button(body);
    body.close("header");
    body.open("nav", &[("aria-label", "Sections")]);
    for (target, word) in SECTIONS {
        body.leaf("a", &[("href", target)], word);
    }
    body.close("nav");
}

/// The button that changes between light and dark; without scripts it stays hidden, and the system decides.
pub(crate) fn theme_button(body: &mut Markup) {
    body.leaf("button", &[("type", "button"), ("id", "theme"), ("hidden", "hidden")], "Dark theme");
}

/// Writes the footer.
pub(super) fn footer(body: &mut Markup, report: &Report) {
    let version = report.run.tool_version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"));
    body.open("footer", &[]);
    body.leaf("p", &[], &format!("kubectl-bootstorm {version} · run {}", report.run.id));
    body.leaf(
        "p",
        &[],
        "Per-VM times count from the moment that VM's request was written; recovery counts from the first request of all. \
         VMs that did not arrive stay in the sample: percentiles may read “not reached”.",
    );
    body.close("footer");
}
