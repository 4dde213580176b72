//! Facts: the run, its plan, and its cluster.

use bootstorm_model::plan::TemplateSource;

use crate::people::document::Fact;
use crate::people::words;
use crate::view::{ClusterBlock, Report};

/// Number of node kinds shown.
const MOST_KINDS: usize = 5;

/// Plan and setup of the run.
pub(crate) fn run(report: &Report) -> Vec<Fact> {
    let (run, plan) = (&report.run, &report.plan);
    let mut facts = Vec::new();
    match &plan.template {
        TemplateSource::Observed { .. } => {
            facts.push(Fact::new("VMs", format!("{}, {}", plan.vms, plan.template)));
        }
        TemplateSource::Adopted { .. } => {
            facts.push(Fact::new("VMs", format!("{}, {}", plan.vms, plan.template)));
            facts.push(Fact::new("Baseline", "none: adopted VMs are not created by the run"));
        }
        made => {
            facts.push(Fact::new("VMs", format!("{}, named {}", plan.vms, plan.vm_name)));
            // Documents of another tool have names, but no plan.
            if plan.end > 0 {
                let namespaces = plan.layout.describe(&run.name, (plan.start, plan.end));
                facts.push(Fact::new("Namespaces", namespaces));
            }
            facts.push(Fact::new("Template", template(made)));
            let changes: Vec<String> = plan
                .overrides
                .shown()
                .into_iter()
                .filter(|(_, value)| value != "none")
                .map(|(flag, value)| format!("{flag} {value}"))
                .collect();
            if !changes.is_empty() {
                facts.push(Fact::new("Changed by", changes.join(", ")));
            }
        }
    }
    if !plan.pinning.is_default() {
        facts.push(Fact::new("Pinned to", plan.pinning.to_string()));
        facts.extend(report.placement.iter().map(|placed| Fact::new("Placed", placed.to_string())));
    }
    if let Some(deciding) = plan.probes.first() {
        let more = if plan.probes.len() > 1 { ", which decides; also " } else { "" };
        let others: Vec<String> = plan.probes[1..].iter().map(ToString::to_string).collect();
        facts.push(Fact::new("Reachable", format!("by {deciding}{more}{}", others.join(", "))));
    }
    facts
}

/// Time and duration of the setup.
pub(crate) fn setup(report: &Report) -> Vec<Fact> {
    let setup = &report.setup;
    let mut facts = vec![Fact::new("Began", format!("{:.0}", report.run.created))];
    // Results of another tool, or adopted VMs: nothing was created.
    if setup.done && setup.batch_size > 0 {
        let made = words::count(setup.namespaces, "namespace");
        let took = words::seconds(setup.took);
        facts.push(Fact::new("Setup", format!("{made} in {took} (batch size {})", setup.batch_size)));
    }
    facts
}

/// Other facts that identify the run.
pub(crate) fn identity(report: &Report) -> Vec<Fact> {
    let facts = [
        ("Run ID", Some(report.run.id.clone()).filter(|id| !id.is_empty())),
        ("Template SHA-256", report.plan.template_sha256.clone()),
        ("kubectl-bootstorm", report.run.tool_version.clone()),
    ];
    facts.into_iter().filter_map(|(label, value)| Some(Fact::new(label, value?))).collect()
}

/// Address of the cluster.
pub(crate) fn place(cluster: &ClusterBlock) -> Vec<Fact> {
    let server = cluster.server.as_deref().map(host);
    let facts = [("Context", cluster.context.as_deref()), ("Server", server)];
    facts.into_iter().filter_map(|(label, value)| Some(Fact::new(label, value?))).collect()
}

/// Composition of the cluster: versions, nodes, storage, limits.
pub(crate) fn cluster(cluster: &ClusterBlock) -> Vec<Fact> {
    let mut facts: Vec<Fact> =
        versions(cluster).map(|versions| Fact::new("Cluster", versions)).into_iter().collect();
    for kind in cluster.node_kinds.iter().take(MOST_KINDS) {
        facts.push(Fact::new("Nodes", kind.to_string()));
    }
    if cluster.node_kinds.len() > MOST_KINDS {
        let more = format!("{} more kinds", cluster.node_kinds.len() - MOST_KINDS);
        facts.push(Fact::new("Nodes", more));
    }
    facts.extend(cluster.storage_classes.iter().map(|class| Fact::new("Storage class", class.to_string())));
    facts.extend(cluster.rate_limits.iter().map(|limit| Fact::new("Rate limit", limit.to_string())));
    facts
}

/// `built-in, container disk quay.io/…`
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

/// `Kubernetes v1.34.1, KubeVirt v1.6.2, 4 nodes, 3 for VMs`
pub(crate) fn versions(cluster: &ClusterBlock) -> Option<String> {
    let mut facts = Vec::new();
    facts.extend(cluster.kubernetes_version.as_ref().map(|version| format!("Kubernetes {version}")));
    facts.extend(cluster.kubevirt_version.as_ref().map(|version| format!("KubeVirt {version}")));
    facts.extend(cluster.cdi_version.as_ref().map(|version| format!("CDI {version}")));
    facts.extend(cluster.nodes.map(|nodes| words::count(nodes, "node")));
    facts.extend(cluster.schedulable_nodes.map(|nodes| format!("{nodes} for VMs")));
    (!facts.is_empty()).then(|| facts.join(", "))
}

/// Host, port and path of an address: no scheme, which browsers would turn into a link; and no user, whatever wrote the
/// record.
pub(crate) fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn an_address_is_shown_without_what_opens_it() {
        assert_eq!(host("https://u:p@api.example.org:6443/k8s/c-1/?token=t"), "api.example.org:6443/k8s/c-1");
        assert_eq!(host("https://10.0.0.1:6443/"), "10.0.0.1:6443");
        assert_eq!(host("https://sandbox"), "sandbox");
    }
}
