//! Cleanup deletes everything the run created, and nothing else.

use bootstorm_sandbox::store::kind;
use bootstorm_sandbox::value::json;

use crate::support::Cluster;

#[test]
fn a_dry_run_shows_and_deletes_nothing() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let shown = cluster.run(&["cleanup", "--dry-run=client"]).exits(0);
    shown.prints(&["namespace/boot-storm-test-2 would be deleted"]);
    assert!(cluster.sandbox.store().get(&kind::NAMESPACES, "", "boot-storm-test-2").is_some());
}

#[test]
fn what_others_made_stays() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let store = cluster.sandbox.store();
    // Same prefix and the run's label, but another run ID.
    let strangers = [
        json!({"name": "boot-storm-test-3"}),
        json!({"name": "boot-storm-test-x",
        "labels": {"bootstorm.dev/run": "boot-storm-test", "bootstorm.dev/run-id": "another"}}),
    ];
    for metadata in strangers {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        store.create(&kind::NAMESPACES, namespace).unwrap();
    }
    cluster.run(&["cleanup", "--yes"]).exits(0);
    for name in ["boot-storm-test-3", "boot-storm-test-x"] {
        let namespace = store.get(&kind::NAMESPACES, "", name).unwrap();
        assert!(namespace.value().pointer("/metadata/deletionTimestamp").is_none(), "{name}");
    }
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn who_may_not_see_secrets_and_pods_can_still_clean_up() {
    let cluster = Cluster::instant();
    for verb in ["get", "list", "watch", "create", "update", "delete"] {
        cluster.sandbox.faults().deny(verb, "secrets", None);
        cluster.sandbox.faults().deny(verb, "pods", None);
    }
    cluster.run(&["setup", "--end", "1", "--probe", "none"]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(cluster.sandbox.store().get(&kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn a_run_whose_record_is_elsewhere_is_left_alone() {
    let cluster = Cluster::instant();
    let probe = ["--probe", "none"];
    cluster.run(&[&["setup", "--end", "1"][..], &probe].concat()).exits(0);
    cluster.run(&[&["setup", "--start", "5", "--end", "5", "-n", "kubevirt"][..], &probe].concat()).exits(0);
    cluster
        .run(&["cleanup", "--yes", "-n", "kube-system"])
        .exits(1)
        .complains(&["is in another namespace: default, kubevirt", "-n default"]);
    cluster.run(&["cleanup", "--yes", "-n", "kubevirt"]).exits(0);
    let store = cluster.sandbox.store();
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-5").is_none());
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-1").is_some());
    let head = store.get(&kind::CONFIG_MAPS, "default", "bootstorm-boot-storm-test").unwrap();
    store.remove(&kind::CONFIG_MAPS, "default", head.name(), head.uid());
    cluster.run(&["cleanup", "--yes", "-n", "kube-system"]).exits(0);
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn a_kept_record_still_reports() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.run(&["cleanup", "--yes", "--keep-record"]).exits(0);
    assert!(cluster.sandbox.store().get(&kind::NAMESPACES, "", "boot-storm-test-1").is_none());
    cluster.run(&["report"]).exits(0).prints(&["Successful:             2"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    cluster.run(&["report"]).exits(1);
}

#[test]
fn a_record_that_cannot_be_read_does_not_keep_anybody_from_cleaning_up() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    let name = "bootstorm-boot-storm-test";
    cluster.sandbox.store().modify(&kind::CONFIG_MAPS, "default", name, |map| map["data"] = json!({}));
    cluster.run(&["report"]).exits(1).complains(&["cannot be read", "plan.json is missing", "cleanup"]);
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["relying on its label"]);
    assert!(cluster.sandbox.store().get(&kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn what_does_not_go_away_is_named() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let stuck = |vm: &mut bootstorm_sandbox::value::Value| {
        vm["metadata"]["finalizers"].as_array_mut().unwrap().push(json!("example.org/stuck"));
    };
    let store = cluster.sandbox.store();
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", stuck).unwrap();
    cluster.run(&["cleanup", "--yes", "--timeout", "3s"]).exits(3).complains(&[
        "1 object still exists after 3s",
        "boot-storm-test-1/boot-storm-vm",
        "example.org/stuck",
        "to continue: kubectl bootstorm cleanup",
    ]);
    let freed = |vm: &mut bootstorm_sandbox::value::Value| vm["metadata"]["finalizers"] = json!([]);
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", freed);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

/// `ConfigMap` list requests sent by a cleanup of 30 namespaces on a cluster with that many others.
fn lists_beside(of_others: usize) -> u64 {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "30", "--probe", "none"]).exits(0);
    let store = cluster.sandbox.store();
    let map = |namespace: &str, name: String| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}});
    for number in 0..of_others {
        store.create(&kind::CONFIG_MAPS, map("default", format!("other-{number}"))).unwrap();
    }
    store.create(&kind::CONFIG_MAPS, map("boot-storm-test-7", "notes".into())).unwrap();
    cluster.sandbox.ledger().clear();
    cluster.run(&["cleanup", "--yes"]).exits(3);
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-7").is_some(), "others keep something in it");
    assert!(store.get(&kind::NAMESPACES, "", "boot-storm-test-8").is_none());
    cluster.sandbox.ledger().count("list", "configmaps").received
}

#[test]
fn a_cluster_with_few_objects_is_not_listed_namespace_by_namespace() {
    let (few, many) = (lists_beside(10), lists_beside(700));
    assert!(few < 30, "{few} lists");
    assert!(many >= 60, "{many} lists");
}

#[test]
fn emptied_namespaces_are_inspected_together() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "60", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let ledger = cluster.sandbox.ledger();
    let lists = |arguments: &[&str]| {
        ledger.clear();
        cluster.run(arguments).exits(0);
        (ledger.count("list", "pods").received, ledger.count("list", "datavolumes").received)
    };
    assert_eq!(lists(&["cleanup", "--dry-run"]), (1, 1), "one list of each kind");
    // One before the lock is taken, one after, one at the end; for each inspection a count and a list.
    let (pods, volumes) = lists(&["cleanup", "--yes"]);
    assert!((4..=12).contains(&pods), "{pods} lists of pods");
    assert_eq!(pods, volumes);
}
