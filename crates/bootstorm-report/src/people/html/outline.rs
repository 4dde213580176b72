//! The header with the run's name, and the footer.

use super::markup::Markup;
use super::words;
use crate::Report;
use crate::people::content::facts::{host, template, versions};
use crate::view::ClusterBlock;

/// Sections with links.
const SECTIONS: [(&str, &str); 14] = [
    ("#clusters", "Clusters"),
    ("#outages", "Outages"),
    ("#recovery", "Recovery"),
    ("#cluster", "Cluster metrics"),
    ("#thresholds", "Thresholds"),
    ("#repetitions", "Repetitions"),
    ("#capacity", "Capacity"),
    ("#failures", "Failures"),
    ("#statistics", "Statistics"),
    ("#stages", "Where the time went"),
    ("#nodes", "Nodes"),
    ("#phases", "Phases"),
    ("#vms", "VMs"),
    ("#facts", "Facts"),
];

/// Writes the header.
///
/// Only existing sections get links.
pub(super) fn header(body: &mut Markup, report: &Report, main: &Markup) {
    body.leaf("a", &[("class", "skip"), ("href", "#main")], "Skip to the results");
    body.open("header", &[("class", "top")]).open("div", &[]);
    body.leaf("p", &[("class", "kind")], "Boot storm report");
    body.leaf("h1", &[], &report.run.name);
    let vms = words::count(report.plan.vms, "VM");
    let of = template(&report.plan.template);
    let when = words::time(report.run.created);
    body.leaf("p", &[("class", "when")], &format!("{vms}: {of} · {when}"));
    if let Some(place) = place(&report.cluster) {
        body.leaf("p", &[("class", "when")], &place);
    }
    body.close("div");
    theme_button(body);
    body.close("header");
    body.open("nav", &[("aria-label", "Sections")]);
    let is_there = |target: &str| main.as_str().contains(&format!(" id=\"{}\"", &target[1..]));
    for (target, word) in SECTIONS.into_iter().filter(|(target, _)| is_there(target)) {
        body.leaf("a", &[("href", target)], word);
    }
    body.close("nav");
}

/// Cluster of the run: `context prod · api.example.org:6443 · Kubernetes v1.34.1, 3 nodes`.
fn place(cluster: &ClusterBlock) -> Option<String> {
    let mut place = Vec::new();
    place.extend(cluster.context.as_ref().map(|context| format!("context {context}")));
    place.extend(cluster.server.as_deref().map(|server| format!("server {}", host(server))));
    place.extend(versions(cluster));
    (!place.is_empty()).then(|| place.join(" · "))
}

/// The button that switches between light and dark; hidden without scripts, when the system decides.
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
        "Per-VM times count from the moment that VM's request was written, recovery from the first request of all; where \
         nothing was requested, from the first sign of the outage. \
         VMs that did not arrive stay in the sample: percentiles may read “not reached”.",
    );
    body.close("footer");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Selection, fixtures};

    #[test]
    fn the_head_says_what_was_started_and_where() {
        let mut record = fixtures::guide();
        record.facts.server = Some("https://admin:hunter2@api.example.org:6443/?token=hunter3".into());
        let page = Report::of(&record, &Selection::default()).html();
        let (_, rest) = page.split_once("<header").unwrap();
        let (head, _) = rest.split_once("</header>").unwrap();
        for text in [
            "100 VMs",
            "container disk",
            "2026-03-04",
            "context prod/admin",
            "api.example.org:6443",
            "v1.6.2",
            "4 nodes",
        ] {
            assert!(head.contains(text), "{text}: {head}");
        }
        assert!(!page.contains("hunter"), "a secret is on the page");
    }

    #[test]
    fn only_sections_that_there_are_can_be_jumped_to() {
        let page = Report::of(&fixtures::small(), &Selection::default()).html();
        assert!(page.contains("href=\"#vms\"") && !page.contains("href=\"#failures\""));
    }
}
