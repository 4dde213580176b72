//! Placement of VMs by user choice: one node, several nodes, nodes with labels; and the explanation if they do not fit.

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran};

/// Nodes with 8 GiB, each with room for nine built-in VMs; their hostname labels differ from their names.
fn cluster(nodes: usize) -> Cluster {
    let cluster = Cluster::changed(nodes, |profile| profile.node.memory_gib = 8.0);
    for number in 1..=nodes {
        change(&cluster, number, |node| {
            node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(format!("host-{number}"));
            node["metadata"]["labels"]["disk"] = json!(if number > 1 { "ssd" } else { "hdd" });
        });
    }
    cluster
}

fn change(cluster: &Cluster, number: usize, change: impl Fn(&mut Value)) {
    cluster.sandbox.store().modify(&kind::NODES, "", &format!("node-{number}"), change);
}

fn setup(cluster: &Cluster, end: &str, flags: &[&str]) -> Ran {
    cluster.run(&[&["setup", "--probe", "none", "--end", end], flags].concat())
}

/// Creates, stops and storms; returns the report.
fn stormed(cluster: &Cluster) -> Value {
    for phase in ["create", "stop", "storm"] {
        cluster.run(&[phase]).exits(0);
    }
    cluster.run(&["report", "-o", "json"]).exits(0).json()
}

/// The nodes that a phase's VMs ran on.
fn nodes(phase: &Value) -> Vec<&str> {
    let mut nodes: Vec<&str> =
        phase["rows"].as_array().unwrap().iter().filter_map(|row| row["node"].as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

#[test]
fn a_single_node_is_chosen_by_seed_printed_kept_and_verified() {
    let cluster = cluster(4);
    let first = setup(&cluster, "6", &["--single-node=11"]).exits(0);
    let line = first.stdout.lines().find(|line| line.trim_start().starts_with("nodes ")).unwrap().to_owned();
    assert!(line.contains("chosen with seed 11 among 4 nodes with room for all VMs"), "{line}");
    let node = line.split_whitespace().nth(1).unwrap().trim_end_matches(',').to_owned();
    // A continued setup keeps its choice, whatever a new draw would give.
    setup(&cluster, "6", &["--single-node"]).exits(0).prints(&[&line]);
    setup(&cluster, "6", &[]).exits(1).complains(&["--single-node was yes, now it is no"]);
    let report = stormed(&cluster);
    assert_eq!(nodes(&report["phases"][0]), [node.as_str()]);
    assert_eq!(nodes(&report["phases"][2]), [node.as_str()]);
    assert_eq!(report["plan"]["pinning"]["choice"], json!({"seed": 11, "among": 4}));
    assert_eq!(
        report["placement"],
        json!([{"phase": "create", "as_planned": 6, "elsewhere": {}, "unplaced": 0},
            {"phase": "storm-1", "as_planned": 6, "elsewhere": {}, "unplaced": 0}])
    );
    cluster.run(&["report"]).prints(&["Pinned to:", "storm-1: 6 of 6 VMs as planned"]);
    // The same seed on the same cluster chooses the same node, also for another run.
    setup(&cluster, "1", &["--ns-prefix", "again", "--single-node=11"])
        .exits(0)
        .prints(&[&format!("nodes       {node},")]);
}

#[test]
fn only_nodes_with_room_for_all_are_chosen_among() {
    let cluster = cluster(3);
    change(&cluster, 1, |node| node["spec"]["unschedulable"] = json!(true));
    change(&cluster, 2, |node| node["status"]["allocatable"]["devices.kubevirt.io/kvm"] = json!("2"));
    setup(&cluster, "5", &["--single-node"]).exits(0).prints(&["nodes       node-3, chosen with seed "]);
    let args = ["--ns-prefix", "b", "--single-node"];
    setup(&cluster, "12", &args).exits(5).complains(&[
        "error: no single node has room for 12 VMs",
        "node-3: room for 9, 8Gi of memory free",
        "node-2: room for 2, 2 of devices.kubevirt.io/kvm free",
        "hint: run fewer VMs: --end 9",
        "--node-name can be repeated",
    ]);
    // With the preflight skipped, the node with the most room is chosen.
    let skipping = [&args[..], &["--skip-preflight"]].concat();
    setup(&cluster, "12", &skipping).exits(0).prints(&["nodes       node-3, chosen"]);
    change(&cluster, 2, |node| node["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]));
    change(&cluster, 3, |node| node["spec"]["taints"] = json!([{"key": "gpu", "effect": "NoSchedule"}]));
    setup(&cluster, "2", &["--ns-prefix", "c", "--single-node", "--skip-preflight"]).exits(5).complains(&[
        "no node accepts such VMs",
        "1 node: cordoned",
        "1 node: not ready",
        "1 node: taint gpu is not tolerated",
    ]);
}

#[test]
fn named_nodes_are_found_by_name_or_hostname_whatever_labels_they_have() {
    let cluster = cluster(3);
    // No node has the worker label that the Python tool needs.
    setup(&cluster, "12", &["--node-name", "host-2", "--node-name", "node-3"])
        .exits(0)
        .complains(&["the node with hostname host-2 is node-2", "room for 18 VMs (12 needed)"])
        .prints(&["nodes       node-2, node-3\n"]);
    setup(&cluster, "12", &["--node-name", "host-2", "--node-name", "host-3"]).exits(0);
    setup(&cluster, "12", &["--ns-prefix", "b", "--node-name", "node-1"])
        .exits(5)
        .complains(&["there is room for 9 of 12 VMs"]);
    setup(&cluster, "12", &["--node-name", "node-1", "--skip-preflight"])
        .exits(1)
        .complains(&["--node-name was node-2, node-3, now it is node-1"]);
    let report = stormed(&cluster);
    assert_eq!(nodes(&report["phases"][2]), ["node-2", "node-3"]);
    let vm =
        cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm").unwrap();
    let affinity = &vm.value()["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    let terms = &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    assert_eq!(
        terms[1]["matchFields"],
        json!([{"key": "metadata.name", "operator": "In", "values": ["node-3"]}])
    );
}

#[test]
fn nodes_that_take_no_vms_are_explained_one_by_one() {
    let cluster = cluster(4);
    change(&cluster, 1, |node| node["spec"]["unschedulable"] = json!(true));
    change(&cluster, 2, |node| {
        node["spec"]["taints"] = json!([{"key": "gpu", "value": "a", "effect": "NoSchedule"}]);
    });
    change(&cluster, 3, |node| node["metadata"]["labels"]["kubevirt.io/schedulable"] = json!("false"));
    let one = |name: &str| setup(&cluster, "2", &["--node-name", name]).exits(5);
    one("node-1").complains(&["node node-1 takes none of the VMs: cordoned", "kubectl uncordon node-1"]);
    one("node-2")
        .complains(&["node node-2 takes none of the VMs: taint gpu is not tolerated", "tolerations"]);
    one("host-3")
        .complains(&["node node-3 takes none of the VMs: not labelled kubevirt.io/schedulable=true"]);
    one("node-9").complains(&["there is no node node-9", "there are node-1, node-2, node-3 and 1 more"]);
    // Constraints of the user's manifest still apply.
    let vm = json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "spec": {"template": {"spec": {
        "nodeSelector": {"disk": "hdd"}, "tolerations": [{"operator": "Exists"}],
        "domain": {"memory": {"guest": "512Mi"}, "devices": {}}}}}});
    std::fs::write(cluster.home.path().join("vm.yaml"), vm.to_string()).unwrap();
    setup(&cluster, "2", &["-f", "vm.yaml", "--node-name", "node-4"]).exits(5).complains(&[
        "node node-4 takes none of the VMs: excluded by the manifest's node selector or affinity",
    ]);
    setup(&cluster, "2", &["-f", "vm.yaml", "--node-name", "node-1"]).exits(0);
}

#[test]
fn labels_choose_nodes_too() {
    let cluster = cluster(3);
    setup(&cluster, "4", &["--node-selector", "disk=ssd"])
        .exits(0)
        .complains(&["room for 18 VMs (4 needed)"])
        .prints(&["nodes       those with labels disk=ssd"]);
    let report = stormed(&cluster);
    assert!(!nodes(&report["phases"][2]).contains(&"node-1"));
    assert!(report.get("placement").is_none(), "nobody named nodes");
    setup(&cluster, "2", &["--ns-prefix", "b", "--single-node", "--node-selector", "disk=hdd"])
        .exits(0)
        .prints(&["node-1, chosen with seed", "with labels disk=hdd"]);
    setup(&cluster, "2", &["--ns-prefix", "c", "--node-selector", "disk=tape"])
        .exits(5)
        .complains(&["there is room for 0 of 2 VMs"]);
}

#[test]
fn wrong_flags_are_told_before_anything_is_asked() {
    let cluster = cluster(1);
    for (flags, words) in [
        (
            &["--single-node", "--node-name", "a", "--node-name", "b"][..],
            "--single-node takes one --node-name, not 2",
        ),
        (&["--single-node=x"], "a seed is a whole number"),
        (&["--node-name", "../x"], "this cannot be the name of a node"),
        (&["--node-selector", "disk"], "`disk` is not a label, KEY=VALUE"),
        (&["--adopt", "--single-node"], "cannot be used with"),
    ] {
        setup(&cluster, "2", flags).exits(2).complains(&[words]);
    }
    cluster.sandbox.faults().deny("list", "nodes", None);
    setup(&cluster, "2", &["--single-node"]).exits(5).complains(&[
        "no node can be chosen: you cannot list nodes",
        "name one: --single-node --node-name NAME",
    ]);
    setup(&cluster, "2", &["--single-node", "--node-name", "node-1"]).exits(0);
}

#[test]
fn vms_that_ran_elsewhere_are_told() {
    let cluster = cluster(2);
    setup(&cluster, "3", &["--node-name", "node-1"]).exits(0);
    for phase in ["create", "stop"] {
        cluster.run(&[phase]).exits(0);
    }
    // Someone removes one VM's affinity and cordons the node.
    cluster.sandbox.store().modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-2", "boot-storm-vm", |vm| {
        vm["spec"]["template"]["spec"]["affinity"] = Value::Null;
        vm["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    });
    cluster.run(&["storm"]).exits(0).prints(&["storm-1: 2 of 3 VMs as planned, 1 on node-2"]);
}
