//! Every format names a slow node, and names none if all are equally fast.

use bootstorm_sandbox::faults::read_text;
use bootstorm_sandbox::model::Draw;
use bootstorm_sandbox::store::{Object, kind};

use crate::support::{Cluster, until};

fn storm(slow: Option<f64>) -> (Cluster, bootstorm_sandbox::value::Value) {
    let cluster = Cluster::changed(3, |profile| {
        profile.virt_handler.qemu_start = Draw::new(0.3, 0.05);
        profile.node.slow.extend(slow.map(|times| ("node-2".to_owned(), times)));
    });
    cluster.run(&["setup", "--end", "12", "--probe", "none"]).exits(0);
    let report = cluster.run(&["create", "-o", "json"]).exits(0).json();
    (cluster, report)
}

#[test]
fn a_slow_node_is_named() {
    let (cluster, report) = storm(Some(5.0));
    let nodes = report["phases"][0]["nodes"].as_array().unwrap();
    let slow: Vec<_> = nodes.iter().filter(|node| node["slow"] == true).map(|node| &node["node"]).collect();
    assert_eq!(slow, ["node-2"], "{nodes:?}");
    assert_eq!(report["phases"][0]["balance"]["nodes"], 3);
    cluster.run(&["report"]).prints(&["node-2 is slow: its "]);
    cluster.run(&["report", "-o", "wide"]).prints(&["Balance: ", "Times"]);
    cluster.run(&["report", "-o", "markdown"]).prints(&["- node-2 is slow: its "]);
    cluster.run(&["report", "-o", "junit"]).prints(&["<property name=\"slow_node\" value=\"node-2 is slow"]);
    cluster.run(&["report", "-o", "openmetrics"]).prints(&["bootstorm_slow_node_ratio{", "node=\"node-2\""]);
    cluster.run(&["report", "-o", "html"]).prints(&["In create, node-2 is slow: its "]);
}

#[test]
fn nodes_that_are_alike_are_not() {
    let (cluster, report) = storm(None);
    let nodes = report["phases"][0]["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["slow"] == false), "{nodes:?}");
    let table = cluster.run(&["report"]).stdout;
    assert!(!table.contains("is slow"), "{table}");
}

#[test]
fn a_power_cut_takes_every_guest_and_the_nodes_bring_them_back() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "4"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let store = cluster.sandbox.store();
    let instances = || store.list(&kind::VIRTUAL_MACHINE_INSTANCES, None).0;
    let before: Vec<String> = instances().iter().map(|vmi| vmi.uid().to_owned()).collect();
    for fault in read_text("{effect: power-cut, for: 300ms, apart: 50ms}").unwrap() {
        cluster.sandbox.faults().add(fault);
    }
    let is_new = |vmi: &Object| {
        vmi.value()["status"]["phase"] == "Running" && !before.iter().any(|uid| uid == vmi.uid())
    };
    until(|| instances().len() == 4 && instances().iter().all(is_new));
    // The prober pod died with its node and is recreated.
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm"]).exits(0);
}
