//! Whether the nodes have room for all VMs at once.

use futures::future::join;

use super::{Findings, Problem, Wanted, count, optional, pinning};
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::plan::sizing::room::Place;
use bootstorm_model::plan::sizing::{Needs, Placement, Room, Settings};
use bootstorm_model::plan::{Pinning, Plan};

/// Compares the needs of the VMs with the free room of the nodes.
pub(super) async fn check(
    cluster: &Cluster,
    wanted: &Wanted<'_>,
    settings: &Settings,
    needs: Option<&Needs>,
) -> Result<Findings, ClusterError> {
    let mut findings = Findings::default();
    let computed = wanted.fresh && needs.is_some();
    let usage = async { if computed { Some(cluster.usage().await) } else { None } };
    let (nodes, usage) = join(cluster.nodes(), usage).await;
    let Some(found) = optional(nodes, "room on the nodes is", &mut findings)? else {
        findings.problems.extend(wanted.plan.pinning.is_open().then(pinning::blind));
        return Ok(findings);
    };
    let mut nodes = found.all;
    findings.facts.nodes = Some(nodes.len());
    findings.facts.schedulable_nodes = Some(found.kinds.iter().map(|kind| kind.schedulable).sum());
    findings.facts.node_kinds = found.kinds;
    let mut manifest = wanted.manifest.clone();
    Pinning { nodes: Vec::new(), ..wanted.plan.pinning.clone() }.apply(&mut manifest);
    let placement = Placement::of(&manifest, settings);
    let mut pinned = pinning::settle(&wanted.plan.pinning, &nodes, &placement, &mut findings);
    let (Some(usage), Some(needs)) = (usage, needs) else {
        findings.good.push(count(nodes.len(), "node", "nodes"));
        if pinned.is_open() {
            pinned = pinning::choose(pinned, wanted.plan, &nodes, (&placement, None), &mut findings);
        }
        findings.pinning = Some(pinned);
        if needs.is_none() {
            findings.notes.push(
                "room on the nodes is not checked: an instance type decides the size of the VMs".into(),
            );
        }
        return Ok(findings);
    };
    let usage = optional(usage, "what runs on the nodes is", &mut findings)?;
    let counted = usage.is_some();
    for node in &mut nodes {
        node.used = usage.as_ref().and_then(|usage| usage.get(&node.name)).cloned().unwrap_or_default();
    }
    if placement.depends_on_pods {
        findings
            .notes
            .push("affinity among pods and spread constraints are not part of the computed room".into());
    }
    if pinned.is_open() {
        let room = Room::of(&nodes, &placement, &needs.requests());
        pinned = pinning::choose(pinned, wanted.plan, &nodes, (&placement, Some(&room)), &mut findings);
        // Room for all VMs was the condition of the choice.
        findings.good.push(count(nodes.len(), "node", "nodes"));
    } else {
        // Other nodes are irrelevant. Nodes that do not exist are a problem already.
        nodes.retain(|node| pinned.allows(&node.name));
        if !nodes.is_empty() {
            judge(&Room::of(&nodes, &placement, &needs.requests()), wanted.plan, counted, &mut findings);
        }
    }
    findings.pinning = Some(pinned);
    Ok(findings)
}

fn judge(room: &Room, plan: &Plan, counted: bool, findings: &mut Findings) {
    let (vms, size) = (room.vms(), u64::from(plan.size()));
    if vms >= size {
        let empty = if counted { "" } else { " on empty nodes" };
        findings.good.push(count(room.nodes.len(), "node", "nodes"));
        findings.good.push(format!("room for {vms} VMs{empty} ({size} needed)"));
        return;
    }
    let mut problem = Problem::new(format!("there is room for {vms} of {size} VMs"));
    if let Some(short) = room.short() {
        let need = room.need.get(short).copied().unwrap_or_default();
        problem = problem.because(format!("{short} is short, one VM needs {need}"));
    }
    let place = |place: &Place| {
        let Place { node, vms, short, free } = place;
        format!("{node}: room for {vms}, {free} of {short} free")
    };
    for line in room.nodes.iter().take(pinning::NAMED_NODES).map(place) {
        problem = problem.because(line);
    }
    if room.nodes.len() > pinning::NAMED_NODES {
        let rest = &room.nodes[pinning::NAMED_NODES..];
        let vms: u64 = rest.iter().map(|place| place.vms).sum();
        problem =
            problem.because(format!("{}: room for {vms}", count(rest.len(), "more node", "more nodes")));
    }
    for (obstacle, nodes) in &room.excluded {
        problem = problem.because(format!("{} none: {obstacle}", count(*nodes, "node takes", "nodes take")));
    }
    let or = if vms > 0 {
        let end = u64::from(plan.start) + vms - 1;
        problem = problem.hint(format!("run fewer VMs: --end {end}"));
        "or "
    } else {
        ""
    };
    let way = if room.nodes.is_empty() {
        "change what excludes the nodes, in the manifest or on them".to_owned()
    } else {
        format!("{or}free room on the nodes, or use smaller VMs with -f FILE")
    };
    findings.problems.push(problem.hint(way));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::observe::clock::monotonic_now;
    use bootstorm_model::plan::sizing::Node;
    use bootstorm_model::plan::sizing::placement::SCHEDULABLE;
    use bootstorm_model::plan::sizing::{Amounts, Obstacle, Quantity};
    use bootstorm_model::plan::{Template, TemplateSource};
    use std::collections::BTreeMap;

    fn plan(start: u32, end: u32) -> Plan {
        let template = TemplateSource::ContainerDisk { image: "example.org/disk:1".into() };
        Plan::resolve("p", start, end, "vm", template).unwrap()
    }

    fn room(vms: &[u64]) -> Room {
        let place = |(number, vms): (usize, &u64)| Place {
            node: format!("node-{}", number + 1),
            vms: *vms,
            short: "memory".into(),
            free: Quantity::mebibytes(834 * vms + 100),
        };
        Room {
            nodes: vms.iter().enumerate().map(place).collect(),
            excluded: BTreeMap::from([(Obstacle::Cordoned, 2)]),
            need: Amounts::from([("memory".into(), Quantity::mebibytes(834))]),
        }
    }

    #[test]
    fn what_fits_is_told_in_a_few_words() {
        let mut findings = Findings::default();
        judge(&room(&[40, 40]), &plan(1, 50), true, &mut findings);
        assert_eq!(findings.good, ["2 nodes", "room for 80 VMs (50 needed)"]);
        let mut findings = Findings::default();
        judge(&room(&[80]), &plan(1, 50), false, &mut findings);
        assert_eq!(findings.good, ["1 node", "room for 80 VMs on empty nodes (50 needed)"]);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_reasons() {
        let mut findings = Findings::default();
        judge(&room(&[40, 30, 2, 2, 1, 1]), &plan(5, 104), true, &mut findings);
        let problem = &findings.problems[0];
        assert_eq!(problem.what, "there is room for 76 of 100 VMs");
        assert_eq!(
            problem.details,
            [
                "memory is short, one VM needs 834Mi",
                "node-1: room for 40, 32.7Gi of memory free",
                "node-2: room for 30, 24.5Gi of memory free",
                "node-3: room for 2, 1768Mi of memory free",
                "node-4: room for 2, 1768Mi of memory free",
                "2 more nodes: room for 2",
                "2 nodes take none: cordoned",
            ]
        );
        assert_eq!(problem.hints[0], "run fewer VMs: --end 80");
    }

    #[test]
    fn a_large_cluster_is_computed_quickly() {
        let template = Template::container_disk("example.org/disk:1");
        let settings = Settings::default();
        let needs = Needs::of(template.manifest(), &settings).unwrap();
        let mut nodes = Vec::new();
        for number in 0..500 {
            let offered = [("cpu", "64"), ("memory", "256Gi"), ("pods", "250"), ("ephemeral-storage", "1Ti")];
            let devices =
                ["kvm", "tun", "vhost-net"].map(|name| (format!("devices.kubevirt.io/{name}"), "1k"));
            let offered = offered.map(|(name, amount)| (name.to_owned(), amount)).into_iter().chain(devices);
            nodes.push(Node {
                name: format!("node-{number}"),
                ready: true,
                labels: BTreeMap::from([(SCHEDULABLE.to_owned(), "true".to_owned())]),
                allocatable: offered.map(|(name, amount)| (name, Quantity::parse(amount).unwrap())).collect(),
                ..Node::default()
            });
        }
        let began = monotonic_now();
        let requests = needs.requests();
        for pod in 0..20_000 {
            bootstorm_model::plan::sizing::quantity::add(&mut nodes[pod % 500].used, &requests);
        }
        let room = Room::of(&nodes, &Placement::of(template.manifest(), &settings), &requests);
        assert_eq!(room.vms(), 500 * (250 - 40));
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    }
}
