//! Storms of other kinds: running VMs are restarted.

use std::collections::BTreeMap;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::{Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, until};

/// UIDs of instances, by name in one namespace, or by namespace in all.
fn instances(cluster: &Cluster, namespace: &str) -> BTreeMap<String, String> {
    let one = Some(namespace).filter(|namespace| !namespace.is_empty());
    let (objects, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, one);
    let key = |object: &Object| {
        if one.is_some() { object.name().to_owned() } else { object.namespace().to_owned() }
    };
    objects.iter().map(|object| (key(object), object.uid().to_owned())).collect()
}

/// Number of restarts that reached the server.
fn restarts(cluster: &Cluster) -> u64 {
    cluster.sandbox.ledger().count("update", "virtualmachines/restart").received
}

#[test]
fn a_restart_times_each_vm_from_its_request_to_a_new_instance() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "6"]).exits(0);
    cluster.run(&["storm", "--kind", "restart"]).exits(1).complains(&["have not been created yet"]);
    cluster.run(&["create"]).exits(0);
    let before = instances(&cluster, "");
    let dry = cluster.run(&["storm", "--kind", "restart", "--dry-run"]).exits(0);
    assert_eq!(dry.stdout.matches("/virtualmachines/boot-storm-vm/restart").count(), 6, "{}", dry.stdout);
    let report = cluster.run(&["storm", "--kind", "restart", "-o", "json"]).exits(0).json();
    let after = instances(&cluster, "");
    assert_eq!((before.len(), after.len(), restarts(&cluster)), (6, 6, 6));
    assert!(before.iter().all(|(namespace, uid)| after[namespace] != *uid), "{before:?} {after:?}");
    let storm = &report["phases"][1];
    assert_eq!((&storm["name"], &storm["settings"]["kind"]), (&"storm-1".into(), &"restart".into()));
    for row in storm["rows"].as_array().unwrap() {
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        assert!(at("accepted") <= at("gone") && at("gone") <= at("instance"), "{row}");
        assert!(at("instance") <= at("running") && at("running") <= at("reachable"), "{row}");
        assert_eq!(row["attempts"], 1, "{row}");
    }
    let unjudged = report["comparison"]["unjudged"].as_str().unwrap();
    assert!(unjudged.contains("include the shutdown of its guests"), "{unjudged}");
    // VMs run afterwards, so a stop or another restart must follow.
    cluster.run(&["storm"]).exits(1).complains(&["a storm starts stopped VMs"]);
    cluster.run(&["report"]).exits(0).prints(&["storm-1 (restart)"]);
    cluster.run(&["report", "-o", "wide"]).exits(0).prints(&["Restart Performance Test Results (storm-1)"]);
    let csv = cluster.run(&["report", "-o", "csv"]).exits(0).stdout;
    assert!(csv.lines().filter(|line| line.contains(",restart,")).count() == 6, "{csv}");
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm", "--kind", "restart"]).exits(1).complains(&["are stopped", "storm"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn a_vm_that_does_not_run_is_left_out_with_its_reason() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "3", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let store = cluster.sandbox.store();
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-2", "boot-storm-vm", |vm| {
        vm["spec"]["runStrategy"] = Value::from("Halted");
    });
    until(|| instances(&cluster, "").len() == 2);
    let report = cluster.run(&["storm", "--kind", "restart", "-o", "json"]).exits(3).json();
    let row = &report["phases"][1]["rows"][1];
    assert_eq!(row["outcome"], "excluded");
    assert!(row["reason"].as_str().unwrap().contains("it is not running"), "{row}");
    assert_eq!(restarts(&cluster), 2);
}

#[test]
fn a_lost_answer_restarts_no_vm_twice() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "4", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let before = instances(&cluster, "");
    let matching = Match::on("update", "virtualmachines/restart");
    cluster.sandbox.faults().add(Rule { matching, effect: Effect::CutAfter, remaining: Some(4) });
    let report = cluster.run(&["storm", "--kind", "restart", "-o", "json"]).exits(0).json();
    assert_eq!(report["phases"][1]["counts"]["reached"], 4);
    assert!(before.iter().all(|(namespace, uid)| instances(&cluster, "")[namespace] != *uid));
}

#[test]
fn adopted_vms_are_restarted_without_a_stop_before() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    store.create(&kind::NAMESPACES, shop).unwrap();
    for (name, strategy) in [("web-1", "Always"), ("web-2", "RerunOnFailure"), ("web-3", "Once")] {
        // With the defaults of the webhook, which would otherwise change the template when the VM is marked.
        let spec = json!({"runStrategy": strategy, "template": {"spec": {"architecture": "amd64",
            "domain": {"machine": {"type": "q35"}, "memory": {"guest": "256Mi"}, "devices": {}}}}});
        let metadata = json!({"name": name, "namespace": "shop"});
        store.create(&kind::VIRTUAL_MACHINES, json!({"metadata": metadata, "spec": spec})).unwrap();
        until(|| {
            let instance = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name);
            instance.is_some_and(|instance| instance.value()["status"]["phase"] == "Running")
        });
    }
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
    let before = instances(&cluster, "shop");
    cluster.run(&["storm", "--kind", "restart"]).exits(0);
    let after = instances(&cluster, "shop");
    for (name, adopted) in [("web-1", true), ("web-2", true), ("web-3", false)] {
        assert_eq!(before[name] != after[name], adopted, "{name}");
    }
    assert_eq!(restarts(&cluster), 2);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(instances(&cluster, "shop"), after, "they run on");
}
