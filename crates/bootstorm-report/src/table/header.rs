//! The first block: which run this is, and where it ran.

use super::{Page, words};
use crate::view::{ClusterBlock, Report};
use bootstorm_model::plan::TemplateSource;

/// Kinds of nodes that are shown.
const MOST_KINDS: usize = 5;

/// Writes the header facts.
pub(super) fn write(page: &mut Page, report: &Report) {
    let (run, plan) = (&report.run, &report.plan);
    let what = if report.observation.is_some() { "Observation" } else { "Boot storm run" };
    page.title(&format!("{what} {}", run.name));
    let is_adopted = matches!(plan.template, TemplateSource::Adopted { .. });
    if matches!(plan.template, TemplateSource::Observed { .. }) {
        page.labelled("VMs", &format!("{}, {}", plan.vms, plan.template));
    } else if is_adopted {
        page.labelled("VMs", &format!("{}, {}", plan.vms, plan.template));
        page.labelled("Baseline", "none: adopted VMs are not created by the run");
    } else {
        page.labelled("VMs", &format!("{}, named {}", plan.vms, plan.vm_name));
        // Another tool's documents have names, and no plan.
        if plan.end > 0 {
            page.labelled("Namespaces", &plan.layout.describe(&run.name, (plan.start, plan.end)));
        }
        page.labelled("Template", &template(&plan.template));
        let changes: Vec<String> = plan
            .overrides
            .shown()
            .into_iter()
            .filter(|(_, value)| value != "none")
            .map(|(flag, value)| format!("{flag} {value}"))
            .collect();
        if !changes.is_empty() {
            page.labelled("Changed by", &changes.join(", "));
        }
    }
    if !plan.pinning.is_default() {
        page.labelled("Pinned to", &plan.pinning.to_string());
        for placed in &report.placement {
            page.labelled("Placed", &placed.to_string());
        }
    }
    if let Some(deciding) = plan.probes.first() {
        let more = if plan.probes.len() > 1 { ", which decides; also " } else { "" };
        let others: Vec<String> = plan.probes[1..].iter().map(ToString::to_string).collect();
        page.labelled("Reachable", &format!("by {deciding}{more}{}", others.join(", ")));
    }
    if let Some(cluster) = cluster(&report.cluster) {
        page.labelled("Cluster", &cluster);
    }
    facts(page, &report.cluster);
    page.labelled("Begun", &format!("{:.0}", run.created));
    let setup = &report.setup;
    if setup.done && setup.batch_size == 0 {
        // Results of another tool, or adopted VMs: nothing was made.
    } else if setup.done {
        let made = words::count(setup.namespaces, "namespace");
        page.labelled(
            "Setup",
            &format!("{made} in {} (batch size {})", words::seconds(setup.took), setup.batch_size),
        );
    } else if !report.setup.done {
        page.line("The setup of this run is not complete.");
    }
    if report.phases.is_empty() {
        page.line(if is_adopted { "No VM has been stopped yet." } else { "No VM has been created yet." });
    }
    page.blank();
}

/// What the cluster is made of: nodes, storage, limits.
fn facts(page: &mut Page, cluster: &ClusterBlock) {
    for kind in cluster.node_kinds.iter().take(MOST_KINDS) {
        page.labelled("Nodes", &kind.to_string());
    }
    if cluster.node_kinds.len() > MOST_KINDS {
        page.labelled("Nodes", &format!("{} more kinds", cluster.node_kinds.len() - MOST_KINDS));
    }
    for class in &cluster.storage_classes {
        page.labelled("Storage class", &class.to_string());
    }
    for limit in &cluster.rate_limits {
        page.labelled("Rate limit", &limit.to_string());
    }
}

pub(crate) fn template(template: &TemplateSource) -> String {
    match template {
        TemplateSource::ContainerDisk { image } => format!("built-in, container disk {image}"),
        TemplateSource::File { name, sha256, .. } if sha256.is_empty() => name.clone(),
        TemplateSource::File { name, sha256, .. } => {
            format!("{name} (sha256 {})", sha256.chars().take(12).collect::<String>())
        }
        adopted @ (TemplateSource::Adopted { .. } | TemplateSource::Observed { .. }) => adopted.to_string(),
        TemplateSource::Registry { url } | TemplateSource::Http { url } => {
            format!("built-in, imported from {url}")
        }
        TemplateSource::Blank => "built-in, with a blank disk".to_owned(),
        source => format!("built-in, cloned from {source}"),
    }
}

pub(crate) fn cluster(cluster: &ClusterBlock) -> Option<String> {
    let mut facts = Vec::new();
    facts.extend(cluster.kubernetes_version.as_ref().map(|version| format!("Kubernetes {version}")));
    facts.extend(cluster.kubevirt_version.as_ref().map(|version| format!("KubeVirt {version}")));
    facts.extend(cluster.cdi_version.as_ref().map(|version| format!("CDI {version}")));
    facts.extend(cluster.nodes.map(|nodes| words::count(nodes as u64, "node")));
    facts.extend(cluster.schedulable_nodes.map(|nodes| format!("{nodes} for VMs")));
    (!facts.is_empty()).then(|| facts.join(", "))
}
