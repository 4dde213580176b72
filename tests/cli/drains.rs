//! Storms of kind drain: VMs are evicted from nodes, and each is migrated or restarts elsewhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command};
use std::time::Duration;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::model::Misbehaviour;
use bootstorm_sandbox::store::{DeleteOptions, Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};
use crate::terminal::{shown, terminal};

/// UID and node of each instance, by namespace.
fn places(cluster: &Cluster) -> BTreeMap<String, (String, String)> {
    let (objects, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
    let place = |object: &Object| {
        let node = object.value()["status"]["nodeName"].as_str().unwrap_or_default().to_owned();
        (object.namespace().to_owned(), (object.uid().to_owned(), node))
    };
    objects.iter().map(place).collect()
}

fn node(cluster: &Cluster, name: &str) -> Value {
    cluster.sandbox.store().get(&kind::NODES, "", name).unwrap().value().clone()
}

fn is_cordoned(cluster: &Cluster, name: &str) -> bool {
    node(cluster, name)["spec"]["unschedulable"] == true
}

/// The eviction strategy of VMs that set none themselves.
fn strategy(cluster: &Cluster, strategy: &str) {
    cluster.sandbox.store().modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
        kubevirt["spec"]["configuration"]["evictionStrategy"] = Value::from(strategy);
    });
}

fn created(cluster: &Cluster, vms: &str, probe: &str) {
    cluster.run(&["setup", "--end", vms, "--probe", probe]).exits(0);
    cluster.run(&["create"]).exits(0);
}

/// Rows of the last phase for evicted VMs.
fn evicted(report: &Value) -> Vec<&Value> {
    let rows = report["phases"].as_array().unwrap().last().unwrap()["rows"].as_array().unwrap();
    rows.iter().filter(|row| row["outcome"] != "excluded").collect()
}

/// Asserts that exactly the node's VMs have left it, and that it is schedulable again.
fn check_moved(cluster: &Cluster, before: &BTreeMap<String, (String, String)>, restarted: bool) {
    let after = places(cluster);
    for (namespace, (uid, place)) in before {
        let (now, there) = &after[namespace];
        if place == "node-2" {
            assert!(there != "node-2" && (now != uid) == restarted, "{namespace}: {before:?} {after:?}");
        } else {
            assert_eq!((now, there), (uid, place), "{namespace} was not to move");
        }
    }
    assert!(!is_cordoned(cluster, "node-2"));
    assert!(node(cluster, "node-2")["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none());
}

#[test]
fn vms_without_an_eviction_strategy_restart_elsewhere() {
    let cluster = Cluster::instant();
    created(&cluster, "6", "ping");
    let before = places(&cluster);
    let leaving = before.values().filter(|(_, node)| node == "node-2").count();
    assert!(leaving > 0 && leaving < 6, "{before:?}");
    let dry = cluster.run(&["storm", "--drain", "node-2", "--dry-run"]).exits(0);
    assert_eq!(dry.stdout.matches("/eviction").count(), leaving, "{}", dry.stdout);
    let ran = cluster.run(&["storm", "--drain", "node-2", "-o", "json"]).exits(0);
    let report = ran.complains(&["only VMs of this run are evicted"]).json();
    check_moved(&cluster, &before, true);
    let schema = serde_json::from_str(include_str!("../../docs/report-schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report.clone().into()).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(evicted(&report).len(), leaving);
    for row in evicted(&report) {
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        assert!(at("accepted") <= at("gone") && at("gone") <= at("instance"), "{row}");
        assert!(at("instance") <= at("running") && at("running") <= at("moved"), "{row}");
        assert!(row["milestones"].get("migrated").is_none(), "{row}");
        assert_eq!(row["migration"]["from"], "node-2", "{row}");
        assert!(row["downtime"]["seconds"].as_f64().unwrap() > 0.0, "it was shut down: {row}");
    }
    let ledger = cluster.sandbox.ledger();
    assert_eq!(ledger.count("patch", "nodes").received, 2, "cordoned and uncordoned, once each");
    let page = cluster.run(&["report", "-o", "guide"]).exits(0);
    page.prints(&["Draining node-2", "0 VMs migrated", "restarted elsewhere", "node-2: all"]);
    cluster.run(&["report"]).exits(0).prints(&["storm-1 (drain)"]);
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm", "--drain", "node-2"]).exits(1).complains(&["are stopped"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn vms_that_are_to_migrate_do_so_and_keep_their_instances() {
    let cluster = Cluster::instant();
    strategy(&cluster, "LiveMigrate");
    created(&cluster, "6", "none");
    let before = places(&cluster);
    let report =
        cluster.run(&["storm", "--kind", "drain", "--drain", "node-2", "-o", "json"]).exits(0).json();
    check_moved(&cluster, &before, false);
    for row in evicted(&report) {
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        assert!(at("accepted") <= at("migrated") && at("pod") <= at("target"), "{row}");
        assert!(at("target") <= at("moved"), "{row}");
        assert!(row["milestones"].get("gone").is_none(), "{row}");
        assert_eq!((&row["migration"]["from"], &row["attempts"]), (&"node-2".into(), &1.into()), "{row}");
    }
    let (migrations, _) = cluster.sandbox.store().list(&kind::MIGRATIONS, None);
    assert!(migrations.iter().all(|one| one.name().starts_with("kubevirt-evacuation-")), "KubeVirt's own");
    // Now its VMs are elsewhere: a drain of nothing would measure nothing.
    let cordons = cluster.sandbox.ledger().count("patch", "nodes").received;
    let again = cluster.run(&["storm", "--drain", "node-2"]).exits(1);
    again.complains(&["no VM of run \"boot-storm-test\" can be evicted from node-2: nothing was changed"]);
    assert_eq!(cluster.sandbox.ledger().count("patch", "nodes").received, cordons);
    assert!(!cluster.run(&["status"]).exits(0).stdout.contains("storm-2"));
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn the_last_node_is_not_drained_and_a_cordon_of_others_stays() {
    let cluster = Cluster::instant();
    created(&cluster, "3", "none");
    cluster.run(&["storm", "--kind", "drain"]).exits(2).complains(&["a drain needs nodes"]);
    cluster
        .run(&["storm", "--kind", "restart", "--drain", "node-1"])
        .exits(2)
        .complains(&["cannot be combined with"]);
    let all = cluster.run(&["storm", "--drain", "node-1,node-2,node-3", "--skip-preflight"]).exits(5);
    all.complains(&["no node would be left for the VMs of the run"]);
    cluster.run(&["storm", "--drain", "node-9"]).exits(5).complains(&["there is no node node-9"]);
    assert_eq!(cluster.sandbox.ledger().count("patch", "nodes").received, 0);
    let store = cluster.sandbox.store();
    store.modify(&kind::NODES, "", "node-2", |node| node["spec"]["unschedulable"] = Value::from(true));
    let ran = cluster.run(&["storm", "--drain", "node-2"]).exits(0);
    ran.complains(&["node node-2 is cordoned already, and stays so afterwards"]);
    assert!(is_cordoned(&cluster, "node-2"));
    assert_eq!(cluster.sandbox.ledger().count("patch", "nodes").received, 0, "it is not ours to touch");
}

#[test]
fn an_eviction_waits_for_its_disruption_budget() {
    let cluster = Cluster::instant();
    created(&cluster, "3", "none");
    let before = places(&cluster);
    let namespace = before.iter().find(|(_, (_, node))| node == "node-2").unwrap().0.clone();
    let store = cluster.sandbox.store();
    let selector = json!({"matchLabels": {"kubevirt.io": "virt-launcher"}});
    let budget = json!({"metadata": {"name": "keep", "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": selector}});
    store.create(&kind::POD_DISRUPTION_BUDGETS, budget).unwrap();
    let evictions = || cluster.sandbox.ledger().count("create", "pods/eviction").received;
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| cluster.run(&["storm", "--drain", "node-2"]).exits(0));
        until(|| evictions() >= 2);
        assert!(is_cordoned(&cluster, "node-2"));
        let none = DeleteOptions::default();
        store.delete(&kind::POD_DISRUPTION_BUDGETS, &namespace, "keep", &none).unwrap();
        storm.join().unwrap();
    });
    check_moved(&cluster, &before, true);
}

/// A cluster whose VMs can never leave their nodes.
fn stuck() -> Cluster {
    let cluster = Cluster::changed(3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-*/*".into(), Misbehaviour::NeverConverges);
    });
    strategy(&cluster, "LiveMigrate");
    created(&cluster, "3", "none");
    cluster
}

/// Such a cluster after a kill in the middle of the drain of node-2.
fn killed() -> Cluster {
    let cluster = stuck();
    kill_drain(&cluster);
    cluster
}

fn kill_drain(cluster: &Cluster) {
    let mut child = cluster.program().spawn(&["storm", "--drain", "node-2"]);
    until(|| cluster.sandbox.ledger().count("create", "pods/eviction").received > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_cordoned(cluster, "node-2"));
}

#[test]
fn a_cordon_made_while_cleanup_asks_is_lifted_before_the_record_is_deleted() {
    let cluster = stuck();
    let (mut person, program) = terminal();
    let end = || program.try_clone().unwrap();
    let asks = cluster.program().command(&["cleanup"]).stdin(end()).stdout(end()).stderr(end()).spawn();
    drop(program);
    assert!(shown(&mut person, "[y/N] ").contains("3 namespaces"));
    kill_drain(&cluster);
    person.write_all(b"y\n").unwrap();
    assert_eq!(asks.unwrap().wait().unwrap().code(), Some(0), "{}", shown(&mut person, ""));
    assert!(!is_cordoned(&cluster, "node-2"));
}

#[test]
fn a_drain_that_was_killed_goes_on_where_it_was_begun_and_lifts_its_cordon() {
    let cluster = killed();
    cluster.run(&["storm", "--drain", "node-1"]).exits(2).complains(&["was started on other nodes: node-2"]);
    let ran = cluster.run(&["storm", "--kind", "drain", "--phase-timeout", "1s", "-o", "json"]).exits(3);
    assert!(!is_cordoned(&cluster, "node-2"));
    let report = ran.json();
    let reason = evicted(&report)[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("its migration is "), "{reason}");
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn cleanup_lifts_the_cordon_of_a_drain_that_was_killed() {
    let cluster = killed();
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(!is_cordoned(&cluster, "node-2"));
    assert!(node(&cluster, "node-2")["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none());
}

#[test]
fn an_interrupt_lifts_the_cordon_and_the_same_command_drains_the_rest() {
    let cluster = Cluster::instant();
    created(&cluster, "3", "none");
    let before = places(&cluster);
    let namespace = before.iter().find(|(_, (_, node))| node == "node-2").unwrap().0.clone();
    let store = cluster.sandbox.store();
    let selector = json!({"matchLabels": {"kubevirt.io": "virt-launcher"}});
    let budget = json!({"metadata": {"name": "keep", "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": selector}});
    store.create(&kind::POD_DISRUPTION_BUDGETS, budget).unwrap();
    let child = cluster.program().spawn(&["storm", "--drain", "node-2"]);
    until(|| cluster.sandbox.ledger().count("create", "pods/eviction").received >= 2);
    assert!(is_cordoned(&cluster, "node-2"));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child).exits(130);
    ran.complains(&["evicted VMs keep leaving; the nodes accept pods again", "storm --kind drain"]);
    assert!(!is_cordoned(&cluster, "node-2"));
    assert!(node(&cluster, "node-2")["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none());
    store.delete(&kind::POD_DISRUPTION_BUDGETS, &namespace, "keep", &DeleteOptions::default()).unwrap();
    cluster.run(&["storm", "--kind", "drain"]).exits(0);
    check_moved(&cluster, &before, true);
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// Resumes a killed drain, which waits for a list of pods, and interrupts it there.
fn interrupted_early(cluster: &Cluster) -> Ran {
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("list", "pods"),
        effect: Effect::Delay(Duration::from_secs(60)),
        remaining: None,
    });
    let lists = || cluster.sandbox.ledger().count("list", "pods").received;
    let before = lists();
    let child = cluster.program().spawn(&["storm", "--kind", "drain"]);
    until(|| lists() > before);
    interrupt(&child);
    Ran::of(child).exits(130)
}

#[test]
fn an_interrupt_before_a_killed_drain_goes_on_lifts_its_cordon() {
    let cluster = killed();
    interrupted_early(&cluster).complains(&["evicted VMs keep leaving; the nodes accept pods again"]);
    assert!(!is_cordoned(&cluster, "node-2"));
    assert!(node(&cluster, "node-2")["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none());
}

#[test]
fn a_node_that_an_interrupted_drain_cannot_uncordon_is_named() {
    let cluster = killed();
    cluster.sandbox.faults().deny("patch", "nodes", None);
    let ran = interrupted_early(&cluster);
    assert!(!ran.stderr.contains("accept pods again"), "{}", ran.stderr);
    ran.complains(&["node node-2 stays cordoned: ", "so run: kubectl uncordon node-2"]);
    assert!(is_cordoned(&cluster, "node-2"));
}

#[test]
fn a_node_is_named_if_the_cluster_does_not_answer_an_interrupted_drain() {
    let cluster = killed();
    let child = cluster.program().spawn(&["storm", "--kind", "drain"]);
    // Both processes read the node twice before they evict anything.
    until(|| cluster.sandbox.ledger().count("get", "nodes").received >= 4);
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("get", "nodes"),
        effect: Effect::Hang,
        remaining: None,
    });
    interrupt(&child);
    let ran = Ran::of(child).exits(130);
    assert!(!ran.stderr.contains("accept pods again"), "{}", ran.stderr);
    ran.complains(&["node node-2 stays cordoned: ", "uncordon it: kubectl uncordon node-2"]);
}

#[test]
fn a_vm_that_boots_on_its_node_again_after_an_interrupt_is_evicted_again() {
    let cluster = Cluster::instant();
    created(&cluster, "3", "none");
    let before = places(&cluster);
    let (namespace, (old, _)) = before.iter().find(|(_, (_, node))| node == "node-2").unwrap();
    let store = cluster.sandbox.store();
    // Only node-2 has room meanwhile, so that the VM boots there once the cordon is lifted.
    let close = |closed: bool| {
        for name in ["node-1", "node-3"] {
            store.modify(&kind::NODES, "", name, |node| node["spec"]["unschedulable"] = closed.into());
        }
    };
    let child = cluster.program().spawn(&["storm", "--drain", "node-2"]);
    until(|| is_cordoned(&cluster, "node-2"));
    close(true);
    until(|| cluster.sandbox.ledger().count("create", "pods/eviction").received > 0);
    until(|| places(&cluster).get(namespace).is_none_or(|(now, _)| now != old));
    interrupt(&child);
    Ran::of(child).exits(130);
    until(|| places(&cluster).get(namespace).is_some_and(|(now, node)| now != old && node == "node-2"));
    until(|| {
        let (instances, _) = store.list(&kind::VIRTUAL_MACHINE_INSTANCES, Some(namespace.as_str()));
        instances.iter().all(|instance| instance.value()["status"]["phase"] == "Running")
    });
    close(false);
    let report = cluster.run(&["storm", "--kind", "drain", "--timeout", "20s", "-o", "json"]).exits(0).json();
    check_moved(&cluster, &before, true);
    assert_eq!(evicted(&report)[0]["outcome"], "reached");
}

#[test]
fn a_drain_that_would_move_vms_of_others_is_refused() {
    let cluster = Cluster::instant();
    created(&cluster, "3", "none");
    let key = |key: &str| {
        cluster.sandbox.store().modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
            kubevirt["spec"]["configuration"]["migrations"]["nodeDrainTaintKey"] = key.into();
        });
    };
    key("node.kubernetes.io/unschedulable");
    cluster.run(&["storm", "--drain", "node-2", "--skip-preflight"]).exits(5).complains(&[
        "a drain would move VMs of others, too",
        "KubeVirt moves all VMs off nodes with the taint node.kubernetes.io/unschedulable",
        "nodeDrainTaintKey",
    ]);
    assert_eq!(cluster.sandbox.ledger().count("patch", "nodes").received, 0);
    key("example.org/drain");
    cluster.sandbox.faults().deny("list", "kubevirts", None);
    cluster
        .run(&["storm", "--drain", "node-2"])
        .exits(0)
        .complains(&["whether KubeVirt moves VMs of others off cordoned nodes could not be checked"]);
}

/// The run's UUID.
fn run_id(cluster: &Cluster) -> String {
    let (maps, _) = cluster.sandbox.store().list(&kind::CONFIG_MAPS, None);
    maps.iter().find_map(|map| map.label("bootstorm.dev/run-id")).unwrap().to_owned()
}

/// Deletes the record, as a user might by hand.
fn forget(cluster: &Cluster) {
    let store = cluster.sandbox.store();
    for kind in [&kind::CONFIG_MAPS, &kind::LEASES] {
        for object in
            store.list(kind, None).0.iter().filter(|object| object.label("bootstorm.dev/run").is_some())
        {
            // Objects owned by the head may be gone by then.
            let _ = store.delete(kind, object.namespace(), object.name(), &DeleteOptions::default());
        }
    }
}

#[test]
fn cleanup_without_a_record_finds_cordons_by_their_mark() {
    let cluster = killed();
    let store = cluster.sandbox.store();
    // Cordoned by another run, and cordoned without an annotation.
    store.modify(&kind::NODES, "", "node-1", |node| {
        node["spec"]["unschedulable"] = true.into();
        node["metadata"]["annotations"]["bootstorm.dev/cordoned-by"] = "another".into();
    });
    store.modify(&kind::NODES, "", "node-3", |node| node["spec"]["unschedulable"] = true.into());
    forget(&cluster);
    let dry = cluster.run(&["cleanup", "--dry-run"]).exits(0);
    dry.complains(&["there is no record of run", "node node-2 would be uncordoned"]);
    assert!(is_cordoned(&cluster, "node-2"));
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(!is_cordoned(&cluster, "node-2"));
    assert!(node(&cluster, "node-2")["metadata"]["annotations"].get("bootstorm.dev/cordoned-by").is_none());
    assert!(is_cordoned(&cluster, "node-1") && is_cordoned(&cluster, "node-3"), "others' cordons stay");
}

#[test]
fn cleanup_of_a_run_whose_record_is_unreadable_lifts_its_cordons() {
    let cluster = killed();
    let store = cluster.sandbox.store();
    let (maps, _) = store.list(&kind::CONFIG_MAPS, None);
    let head = maps.iter().find(|map| map.value()["data"].get("plan.json").is_some()).unwrap();
    store.modify(&kind::CONFIG_MAPS, head.namespace(), head.name(), |head| {
        head["data"].as_object_mut().unwrap().remove("plan.json");
    });
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["the record cannot be read"]);
    assert!(!is_cordoned(&cluster, "node-2"));
}

#[test]
fn a_cordon_that_is_all_that_is_left_of_a_run_is_named_and_can_be_lifted() {
    let cluster = Cluster::instant();
    created(&cluster, "2", "none");
    let id = run_id(&cluster);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    cluster.sandbox.store().modify(&kind::NODES, "", "node-2", |node| {
        node["spec"]["unschedulable"] = true.into();
        node["metadata"]["annotations"]["bootstorm.dev/cordoned-by"] = id.as_str().into();
    });
    let named = cluster.run(&["cleanup", "--yes"]).exits(0);
    let command = format!("kubectl bootstorm cleanup --ns-prefix boot-storm-test --run-id {id}");
    named.complains(&["nothing of run boot-storm-test exists", "node-2", &command]);
    assert!(is_cordoned(&cluster, "node-2"), "nobody knows whose it is");
    cluster.run(&["cleanup", "--yes", "--run-id", &id]).exits(0).complains(&["node-2"]);
    assert!(!is_cordoned(&cluster, "node-2"));
}

#[test]
fn a_drain_that_was_killed_goes_on_without_a_node_that_is_gone() {
    let cluster = killed();
    let none = DeleteOptions::default();
    cluster.sandbox.store().delete(&kind::NODES, "", "node-2", &none).unwrap();
    cluster
        .run(&["storm", "--kind", "drain", "--timeout", "2s"])
        .exits(3)
        .complains(&["node node-2 is gone, or was recreated since the drain began"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}
