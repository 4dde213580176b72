//! Whether the named nodes exist and accept VMs, and the choice of a single node if that is open.

use super::{Findings, Problem, count, some};
use bootstorm_model::plan::Plan;
use bootstorm_model::plan::sizing::room::Place;
use bootstorm_model::plan::sizing::{Node, Obstacle, Placement, Room};
use bootstorm_model::plan::{Pinning, order};

/// Number of nodes named individually before the rest is only counted.
pub(super) const NAMED_NODES: usize = 4;

/// Label by which users know a node; it may differ from its name.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// The pinning with the names of nodes instead of their hostnames.
///
/// Nodes that do not exist, or accept none of the VMs, are problems.
pub(super) fn settle(
    pinning: &Pinning,
    nodes: &[Node],
    placement: &Placement,
    findings: &mut Findings,
) -> Pinning {
    let mut settled = pinning.clone();
    for name in &mut settled.nodes {
        let mut called = nodes.iter().filter(|node| node.labels.get(HOSTNAME) == Some(name));
        let found = nodes.iter().find(|node| node.name == *name).or_else(|| {
            // Two nodes with one hostname are a mistake; no guess is made.
            called.next().filter(|_| called.next().is_none())
        });
        let Some(node) = found else {
            findings.problems.push(unknown(name, nodes));
            continue;
        };
        if node.name != *name {
            findings.notes.push(format!("the node with hostname {name} is {}", node.name));
            name.clone_from(&node.name);
        }
        if let Some(obstacle) = placement.obstacle(node) {
            findings.problems.push(closed(node, &obstacle));
        }
    }
    settled
}

fn unknown(name: &str, nodes: &[Node]) -> Problem {
    let mut names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    names.sort_unstable();
    Problem::new(format!("there is no node {name}"))
        .because(format!("there are {}", some(&names)))
        .hint("see all of them: kubectl get nodes")
}

fn closed(node: &Node, obstacle: &Obstacle) -> Problem {
    let name = &node.name;
    let problem = Problem::new(format!("node {name} takes none of the VMs: {obstacle}"));
    match obstacle {
        Obstacle::Cordoned => problem.hint(format!("uncordon it: kubectl uncordon {name}")),
        Obstacle::Tainted(_) => problem
            .hint(format!("see its taints: kubectl describe node {name}"))
            .hint("let the VMs tolerate it: spec.template.spec.tolerations in a manifest, with -f FILE"),
        Obstacle::NoKubeVirt => {
            problem.hint(format!("see whether virt-handler runs there: kubectl get pods -A -l kubevirt.io=virt-handler --field-selector spec.nodeName={name}"))
        }
        Obstacle::NotReady => problem.hint(format!("see why: kubectl describe node {name}")),
        Obstacle::Architecture { .. } => {
            problem.hint("see them all: kubectl get nodes -L kubernetes.io/arch")
        }
        Obstacle::NoCpuManager => problem
            .hint("dedicated CPUs need KubeVirt's feature gate CPUManager and the kubelet's CPU manager policy static")
            .hint("see which nodes have them: kubectl get nodes -L cpumanager"),
        Obstacle::Unlabelled(_) => problem
            .hint(format!("see its labels: kubectl get node {name} --show-labels"))
            .hint("choose another CPU model, features or machine type in the manifest"),
        Obstacle::NotSelected => problem,
    }
}

/// Chooses the node of a single-node run: any of those with room for all VMs, by the seed.
///
/// If none has room for all, that is a problem, and the roomiest is used if the run continues anyway. Without `room`
/// (the size of the VMs is unknown) any node that accepts VMs is eligible.
pub(super) fn choose(
    mut pinning: Pinning,
    plan: &Plan,
    nodes: &[Node],
    (placement, room): (&Placement, Option<&Room>),
    findings: &mut Findings,
) -> Pinning {
    let seed = pinning.choice.map_or(0, |choice| choice.seed);
    let size = u64::from(plan.size());
    let vms = |name: &str| {
        let place =
            |room: &Room| room.nodes.iter().find(|place| place.node == name).map_or(0, |place| place.vms);
        room.map_or(u64::MAX, place)
    };
    let open = nodes.iter().filter(|node| placement.obstacle(node).is_none());
    let mut open: Vec<(u64, &str)> = open.map(|node| (vms(&node.name), node.name.as_str())).collect();
    open.sort_unstable_by_key(|(vms, name)| (std::cmp::Reverse(*vms), *name));
    let mut fitting: Vec<&str> = open.iter().filter(|(vms, _)| *vms >= size).map(|(_, name)| *name).collect();
    fitting.sort_unstable();
    let chosen = match (order::pick(seed, fitting.len()), open.first()) {
        (Some(place), _) => fitting[place],
        (None, Some((most, roomiest))) => {
            findings.problems.push(too_small(plan, room, *most));
            roomiest
        }
        (None, None) => {
            findings.problems.push(none_open(nodes, placement));
            return pinning;
        }
    };
    if let Some(choice) = &mut pinning.choice {
        choice.among = fitting.len();
    }
    pinning.nodes = vec![chosen.to_owned()];
    pinning
}

/// The problem that no single node has room for all.
fn too_small(plan: &Plan, room: Option<&Room>, most: u64) -> Problem {
    let mut problem = Problem::new(format!("no single node has room for {} VMs", plan.size()));
    let mut places: Vec<&Place> = room.map(|room| room.nodes.iter().collect()).unwrap_or_default();
    places.sort_by_key(|place| std::cmp::Reverse(place.vms));
    for Place { node, vms, short, free } in places.into_iter().take(NAMED_NODES) {
        problem = problem.because(format!("{node}: room for {vms}, {free} of {short} free"));
    }
    if most > 0 {
        problem = problem.hint(format!("run fewer VMs: --end {}", u64::from(plan.start) + most - 1));
    }
    problem.hint("or use more than one node: --node-name can be repeated, without --single-node")
}

/// The problem that no node accepts such VMs.
fn none_open(nodes: &[Node], placement: &Placement) -> Problem {
    let problem = Problem::new("no node accepts such VMs");
    let mut reasons: std::collections::BTreeMap<Obstacle, usize> = std::collections::BTreeMap::new();
    for obstacle in nodes.iter().filter_map(|node| placement.obstacle(node)) {
        *reasons.entry(obstacle).or_default() += 1;
    }
    let problem = reasons.iter().fold(problem, |problem, (obstacle, nodes)| {
        problem.because(format!("{}: {obstacle}", count(*nodes, "node", "nodes")))
    });
    Problem { unavoidable: true, ..problem }.hint("see them: kubectl get nodes -L kubevirt.io/schedulable")
}

/// Choosing a node needs permission to list nodes.
pub(super) fn blind() -> Problem {
    let problem = Problem::new("no node can be chosen: you cannot list nodes");
    Problem { unavoidable: true, ..problem }.hint("name one: --single-node --node-name NAME")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use bootstorm_model::plan::pinning::Choice;
    use bootstorm_model::plan::sizing::placement::SCHEDULABLE;
    use bootstorm_model::plan::sizing::{Amounts, Quantity, Settings, Taint};
    use bootstorm_model::plan::{Template, TemplateSource};

    fn node(name: &str, hostname: &str, memory: u64) -> Node {
        let labels = [(SCHEDULABLE, "true"), (HOSTNAME, hostname)];
        Node {
            name: name.into(),
            ready: true,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            allocatable: Amounts::from([("memory".into(), Quantity::mebibytes(memory))]),
            ..Node::default()
        }
    }

    fn placement() -> Placement {
        Placement::of(Template::container_disk("example.org/disk:1").manifest(), &Settings::default())
    }

    fn named(names: &[&str]) -> Pinning {
        Pinning { nodes: names.iter().map(|name| (*name).to_owned()).collect(), ..Pinning::default() }
    }

    #[test]
    fn a_node_is_found_by_its_name_and_by_its_hostname() {
        let nodes = [node("a.example.org", "a", 0), node("b", "twice", 0), node("c", "twice", 0)];
        let mut findings = Findings::default();
        let settled = settle(&named(&["a", "b"]), &nodes, &placement(), &mut findings);
        assert_eq!(settled.nodes, ["a.example.org", "b"]);
        assert_eq!(findings.notes, ["the node with hostname a is a.example.org"]);
        assert!(findings.problems.is_empty());
        settle(&named(&["twice", "d"]), &nodes, &placement(), &mut findings);
        let what: Vec<&str> = findings.problems.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(what, ["there is no node twice", "there is no node d"]);
        assert_eq!(findings.problems[0].details, ["there are a.example.org, b, c"]);
    }

    #[test]
    fn a_named_node_that_takes_none_is_explained() {
        let taint = Taint { key: "gpu".into(), value: String::new(), effect: "NoSchedule".into() };
        let nodes = [
            Node { cordoned: true, ..node("a", "a", 0) },
            Node { taints: vec![taint], ..node("b", "b", 0) },
            Node { labels: BTreeMap::new(), ..node("c", "c", 0) },
        ];
        let mut findings = Findings::default();
        settle(&named(&["a", "b", "c"]), &nodes, &placement(), &mut findings);
        let what: Vec<&str> = findings.problems.iter().map(|problem| problem.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "node a takes none of the VMs: cordoned",
                "node b takes none of the VMs: taint gpu is not tolerated",
                "node c takes none of the VMs: not labelled kubevirt.io/schedulable=true",
            ]
        );
        assert_eq!(findings.problems[0].hints, ["uncordon it: kubectl uncordon a"]);
    }

    fn chosen(seed: u64, end: u32, nodes: &[Node]) -> (Pinning, Findings) {
        let template = TemplateSource::ContainerDisk { image: "example.org/disk:1".into() };
        let plan = Plan::resolve("p", 1, end, "vm", template).unwrap();
        let mut findings = Findings::default();
        let open =
            Pinning { single_node: true, choice: Some(Choice { seed, among: 0 }), ..Pinning::default() };
        let need = Amounts::from([("memory".into(), Quantity::mebibytes(1024))]);
        let room = Room::of(nodes, &placement(), &need);
        let pinning = choose(open, &plan, nodes, (&placement(), Some(&room)), &mut findings);
        (pinning, findings)
    }

    #[test]
    fn the_seed_chooses_among_nodes_with_room_for_all() {
        let nodes = [node("a", "a", 10_240), node("b", "b", 2_048), node("c", "c", 10_240)];
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let (pinning, findings) = chosen(seed, 10, &nodes);
            assert!(findings.problems.is_empty());
            assert_eq!(pinning, chosen(seed, 10, &nodes).0);
            assert_eq!(pinning.choice, Some(Choice { seed, among: 2 }));
            seen.insert(pinning.nodes[0].clone());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn where_none_fits_the_roomiest_is_named_and_taken() {
        let (pinning, findings) = chosen(3, 11, &[node("a", "a", 2_048), node("b", "b", 5_000)]);
        assert_eq!(pinning.nodes, ["b"]);
        let problem = &findings.problems[0];
        assert_eq!(problem.what, "no single node has room for 11 VMs");
        assert_eq!(problem.details[0], "b: room for 4, 5000Mi of memory free");
        assert_eq!(problem.hints[0], "run fewer VMs: --end 4");
        let (pinning, findings) = chosen(3, 1, &[Node { cordoned: true, ..node("a", "a", 2_048) }]);
        assert!(pinning.is_open() && findings.problems[0].unavoidable);
        assert_eq!(findings.problems[0].details, ["1 node: cordoned"]);
    }
}
