//! Storms of kind migrate: running VMs move to other nodes.

use std::collections::BTreeMap;
use std::process::Command;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::model::Misbehaviour;
use bootstorm_sandbox::store::{DeleteOptions, Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

/// Each instance's node and UID, by namespace and name.
fn places(cluster: &Cluster) -> BTreeMap<String, (String, String)> {
    let (objects, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
    let place = |object: &Object| {
        let node = object.value()["status"]["nodeName"].as_str().unwrap_or_default().to_owned();
        (format!("{}/{}", object.namespace(), object.name()), (object.uid().to_owned(), node))
    };
    objects.iter().map(place).collect()
}

fn migrations(cluster: &Cluster) -> Vec<Object> {
    cluster.sandbox.store().list(&kind::MIGRATIONS, None).0
}

/// Limits `KubeVirt`'s parallel migrations and the duration of one.
fn limit(cluster: &Cluster, migrations: Value) {
    cluster.sandbox.store().modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |kubevirt| {
        kubevirt["spec"]["configuration"]["migrations"] = migrations;
    });
}

fn rows(report: &Value) -> &Vec<Value> {
    report["phases"].as_array().unwrap().last().unwrap()["rows"].as_array().unwrap()
}

fn created(cluster: &Cluster, vms: &str) {
    cluster.run(&["setup", "--end", vms, "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
}

#[test]
fn each_vm_moves_to_another_node_as_the_same_instance() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "6"]).exits(0);
    cluster.run(&["storm", "--kind", "migrate"]).exits(1).complains(&["have not been created yet"]);
    cluster.run(&["create"]).exits(0);
    let before = places(&cluster);
    let dry = cluster.run(&["storm", "--kind", "migrate", "--dry-run"]).exits(0);
    assert_eq!(dry.stdout.matches("/virtualmachineinstancemigrations").count(), 6, "{}", dry.stdout);
    assert!(migrations(&cluster).is_empty(), "a dry run makes nothing");
    let ran = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0);
    let ran = ran.complains(&["KubeVirt migrates at most 5 VMs at a time, 2 from one node, by default"]);
    let report = ran.json();
    let after = places(&cluster);
    for (name, (uid, node)) in &before {
        assert!(after[name].0 == *uid && after[name].1 != *node, "{name}: {before:?} {after:?}");
    }
    let schema = serde_json::from_str(include_str!("../../docs/report-schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report.clone().into()).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let storm = report["phases"].as_array().unwrap().last().unwrap();
    assert_eq!((&storm["goal"], &storm["settings"]["kind"]), (&"migrated".into(), &"migrate".into()));
    assert_eq!(
        (&storm["migrations"]["per_cluster"], &storm["migrations"]["per_node"]),
        (&5.into(), &2.into())
    );
    for row in rows(&report) {
        let at = |milestone: &str| row["milestones"][milestone]["seconds"].as_f64().unwrap();
        // The response may arrive after the effects of the request.
        assert!(at("accepted") >= 0.0 && at("pod") <= at("target"), "{row}");
        assert!(at("target") <= at("copying") && at("copying") <= at("migrated"), "{row}");
        assert!(row["milestones"].get("running").is_none(), "it does not boot: {row}");
        let moved = &row["migration"];
        assert!(moved["from"] != moved["to"] && row["node"] == moved["to"], "{row}");
        assert_eq!((&row["attempts"], &moved["phase"]), (&1.into(), &"Succeeded".into()), "{row}");
        // The sandbox's guests are unreachable for 30 ms, less than the probe interval.
        assert!(row["downtime"]["seconds"].as_f64().unwrap() < 2.0, "{row}");
    }
    assert_eq!(storm["downtime"]["guests"], 6, "{storm}");
    assert_eq!(storm["statistics"].get("running"), None);
    let unjudged = report["comparison"]["unjudged"].as_str().unwrap();
    assert!(unjudged.contains("does not boot"), "{unjudged}");
    let objects = migrations(&cluster);
    assert_eq!(objects.len(), 6);
    assert!(objects.iter().all(|one| one.label("bootstorm.dev/phase") == Some("storm-1")));
    // VMs run afterwards, so a stop or another storm of running VMs must follow.
    cluster.run(&["storm"]).exits(1).complains(&["a storm starts stopped VMs"]);
    let page = cluster.run(&["report", "-o", "wide"]).exits(0);
    page.prints(&[
        "Migration Performance Test Results (storm-1)",
        "First migration request to last VM migrated",
        "Downtime of guests",
    ]);
    cluster.run(&["report"]).exits(0).prints(&["storm-1 (migrate)"]);
    let html = cluster.run(&["report", "-o", "html"]).exits(0).stdout;
    assert!(html.contains("migrated"), "the page shows the goal");
    let threshold =
        ["report", "--fail-if", "storm.migrated.max>600s", "--fail-if", "storm.pod..migrated.p95>600s"];
    cluster.run(&threshold).exits(0);
    cluster
        .run(&["report", "--fail-if", "storm.running.p95>60s"])
        .exits(2)
        .complains(&["do not pass running"]);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(migrations(&cluster).is_empty());
}

#[test]
fn the_memory_of_guests_and_the_bandwidth_are_in_the_report() {
    let cluster = Cluster::instant();
    limit(&cluster, json!({"bandwidthPerMigration": "10Gi"}));
    created(&cluster, "2");
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    let schema = serde_json::from_str(include_str!("../../docs/report-schema.json")).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&report.clone().into()));
    let storm = report["phases"].as_array().unwrap().last().unwrap();
    assert_eq!(storm["migrations"]["bandwidth_bytes"], 10_u64 << 30);
    let (instances, _) = cluster.sandbox.store().list(&kind::VIRTUAL_MACHINE_INSTANCES, None);
    let memory = instances[0].value()["status"]["memory"]["guestCurrent"].as_str().unwrap().to_owned();
    let mebibytes: u64 = memory.strip_suffix("Mi").unwrap().parse().unwrap();
    assert!(rows(&report).iter().all(|row| row["migration"]["memory_bytes"] == mebibytes << 20), "{report}");
    let page = cluster.run(&["report", "-o", "wide"]).exits(0);
    page.prints(&["Memory", &memory, "Each migration may send 10Gi per second"]);
}

#[test]
fn a_vm_that_fits_on_no_other_node_is_warned_of() {
    let cluster = Cluster::instant();
    created(&cluster, "2");
    let here = places(&cluster)["boot-storm-test-1/boot-storm-vm"].1.clone();
    let store = cluster.sandbox.store();
    for node in store.list(&kind::NODES, None).0.iter().filter(|node| node.name() != here) {
        store.modify(&kind::NODES, "", node.name(), |node| {
            node["status"]["allocatable"]["memory"] = Value::from("1Mi");
        });
    }
    let ran = cluster.run(&["storm", "--kind", "migrate", "--timeout", "1s"]);
    ran.complains(&["on no other node now; boot-storm-test-", &format!("on {here} requests"), "of memory"]);
}

#[test]
fn what_waits_for_its_turn_is_told_apart_from_what_is_copied() {
    let cluster = Cluster::with("default", 3, 60.0);
    limit(&cluster, json!({"parallelMigrationsPerCluster": 1}));
    created(&cluster, "6");
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    let bottleneck = &report["comparison"]["breakdown"]["bottleneck"];
    assert_eq!(bottleneck["culprit"], "queue", "{bottleneck}");
    let because = bottleneck["because"].to_string();
    assert!(because.contains("1 migrate at a time: parallelMigrationsPerCluster is 1"), "{because}");
    let remedies = bottleneck["remedies"].to_string();
    assert!(remedies.contains("raise parallelMigrationsPerCluster"), "{remedies}");
}

#[test]
fn vms_that_cannot_migrate_are_left_out_with_kubevirts_reason() {
    let cluster = Cluster::instant();
    created(&cluster, "4");
    let store = cluster.sandbox.store();
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-2", "boot-storm-vm", |vm| {
        vm["spec"]["runStrategy"] = Value::from("Halted");
    });
    until(|| places(&cluster).len() == 3);
    store.modify(&kind::VIRTUAL_MACHINE_INSTANCES, "boot-storm-test-3", "boot-storm-vm", |vmi| {
        let conditions = vmi["status"]["conditions"].as_array_mut().unwrap();
        let live = conditions.iter_mut().find(|one| one["type"] == "LiveMigratable").unwrap();
        live["status"] = Value::from("False");
        live["reason"] = Value::from("DisksNotLiveMigratable");
        live["message"] = Value::from("cannot migrate VMI: PVC disk is not shared");
    });
    // A foreign migration that never ends by itself.
    let foreign = json!({"metadata": {"name": "by-hand", "namespace": "boot-storm-test-4"},
        "spec": {"vmiName": "boot-storm-vm"}, "status": {"phase": "Pending"}});
    limit(&cluster, json!({"parallelMigrationsPerCluster": 0}));
    store.create(&kind::MIGRATIONS, foreign).unwrap();
    let dry = cluster.run(&["storm", "--kind", "migrate", "--dry-run"]).exits(0);
    assert_eq!(dry.stdout.matches("/virtualmachineinstancemigrations").count(), 1, "{}", dry.stdout);
    let storm = ["storm", "--kind", "migrate", "--timeout", "2s", "-o", "json"];
    let report = cluster.run(&storm).exits(3).json();
    let reason = |row: usize| rows(&report)[row]["reason"].as_str().unwrap().to_owned();
    assert_eq!(rows(&report)[0]["outcome"], "timed-out", "nothing migrates at all");
    assert!(reason(0).contains("its migration is Pending"), "{}", reason(0));
    assert!(reason(1).contains("it is not running"), "{}", reason(1));
    let disks =
        "KubeVirt cannot migrate it: DisksNotLiveMigratable: cannot migrate VMI: PVC disk is not shared";
    assert_eq!(reason(2), disks);
    assert_eq!(reason(3), "migration by-hand of it has not ended");
    let causes = report["phases"].as_array().unwrap().last().unwrap()["diagnoses"][0].clone();
    assert_eq!(causes["waits_for"], "turn", "{causes}");
}

#[test]
fn a_migration_that_does_not_converge_fails_with_kubevirts_words() {
    let cluster = Cluster::changed(3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-2/*".into(), Misbehaviour::NeverConverges);
    });
    limit(&cluster, json!({"completionTimeoutPerGiB": 1}));
    created(&cluster, "3");
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(3).json();
    let row = &rows(&report)[1];
    assert_eq!(row["outcome"], "failed", "{row}");
    let reason = row["reason"].as_str().unwrap();
    assert!(reason.contains("its migration failed: Live migration is not completed after"), "{reason}");
    assert_eq!(row["migration"]["from"], row["node"], "it stays where it was");
    assert_eq!(rows(&report)[0]["outcome"], "reached");
    cluster
        .run(&["report", "--failures"])
        .exits(3)
        .prints(&["FailedMigration: Live migration is not completed"]);
}

#[test]
fn a_migration_that_ends_in_the_queue_fails_with_its_cause() {
    let cluster = Cluster::instant();
    created(&cluster, "2");
    let store = cluster.sandbox.store();
    limit(&cluster, json!({"parallelMigrationsPerCluster": 0}));
    let report = std::thread::scope(|scope| {
        let storm =
            scope.spawn(|| cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(3).json());
        let waits = |one: &Object| one.value()["status"]["phase"] == "Pending";
        until(|| migrations(&cluster).iter().filter(|one| waits(one)).count() == 2);
        let all = migrations(&cluster);
        let first = all.iter().find(|one| one.namespace() == "boot-storm-test-1").unwrap();
        store.delete(&kind::MIGRATIONS, first.namespace(), first.name(), &DeleteOptions::default()).unwrap();
        until(|| migrations(&cluster).len() == 1);
        limit(&cluster, json!({}));
        storm.join().unwrap()
    });
    let row = &rows(&report)[0];
    assert_eq!(row["outcome"], "failed", "{row}");
    let reason = row["reason"].as_str().unwrap();
    assert!(reason.starts_with("its migration failed: ") && !reason.contains("gives no reason"), "{reason}");
    assert_eq!(rows(&report)[1]["outcome"], "reached");
}

#[test]
fn a_guest_that_does_not_answer_while_it_moves_has_a_downtime() {
    let cluster = Cluster::changed(3, |profile| {
        (profile.migration.blackout.median, profile.migration.blackout.sigma) = (1.0, 0.0);
    });
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    for row in rows(&report) {
        let downtime = &row["downtime"];
        assert!(downtime["seconds"].as_f64().unwrap() >= 1.0, "{row}");
        assert!(downtime.get("open").is_none(), "it answers again: {row}");
    }
    let block = &report["phases"].as_array().unwrap().last().unwrap()["downtime"];
    assert_eq!((&block["guests"], &block["interrupted"], &block["away"]), (&2.into(), &2.into(), &0.into()));
    let page = cluster.run(&["report"]).exits(0);
    page.prints(&[
        "Downtime of guests:",
        "2 guests of 2",
        "copying -> migrated",
        "copying the guests' memory",
    ]);
    cluster.run(&["report", "-o", "summary"]).prints(&["guests missed an answer, downtime at most"]);
    cluster.run(&["report", "-o", "html"]).prints(&["Longest downtime", "guests missed an answer"]);
}

#[test]
fn a_share_of_the_vms_migrates_and_a_storm_that_goes_on_keeps_it() {
    let cluster = Cluster::instant();
    created(&cluster, "12");
    let before = places(&cluster);
    for kind in ["start", "restart", "drain"] {
        cluster
            .run(&["storm", "--kind", kind, "--share", "25%"])
            .exits(2)
            .complains(&["--share 25% cannot be combined with --kind", "add --kind migrate"]);
    }
    let storm = ["storm", "--kind", "migrate", "--share", "50%"];
    let dry = cluster.run(&[&storm[..], &["--dry-run"]].concat()).exits(0);
    assert_eq!(dry.stdout.matches("/virtualmachineinstancemigrations").count(), 6, "{}", dry.stdout);
    limit(&cluster, json!({"parallelMigrationsPerCluster": 0}));
    let child = cluster.program().spawn(&storm);
    until(|| migrations(&cluster).len() == 6);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    Ran::of(child).exits(130);
    limit(&cluster, json!({}));
    let other = cluster.run(&["storm", "--kind", "migrate", "--share", "6"]).exits(2);
    other.complains(&["--share 6 contradicts storm-1: share 50%"]);
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    let schema = serde_json::from_str(include_str!("../../docs/report-schema.json")).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&report.clone().into()));
    let settings = &report["phases"].as_array().unwrap().last().unwrap()["settings"];
    assert_eq!((&settings["share"], &settings["size"]), (&"50%".into(), &6.into()));
    let moved: Vec<&Value> = rows(&report).iter().filter(|row| row["outcome"] == "reached").collect();
    assert_eq!((moved.len(), migrations(&cluster).len()), (6, 6));
    let on = |node: &str| before.values().filter(|(_, place)| place == node).count();
    let mut from: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &moved {
        *from.entry(row["migration"]["from"].as_str().unwrap()).or_default() += 1;
    }
    let most = *from.values().max().unwrap();
    let nodes: std::collections::BTreeSet<&str> = before.values().map(|(_, node)| node.as_str()).collect();
    for node in nodes {
        let left = from.get(node).copied().unwrap_or_default();
        assert!(left + 1 >= most || left == on(node), "evenly: {from:?} {before:?}");
    }
    let aside = rows(&report).iter().filter(|row| row["reason"] == "not in this storm").count();
    assert_eq!(aside, 6);
    // Those that were left out keep running, and the next storm includes them.
    cluster.run(&["storm", "--kind", "migrate", "--share", "100%"]).exits(0);
    assert_eq!(migrations(&cluster).len(), 18, "6 before, 12 now");
}

#[test]
fn a_lost_answer_migrates_no_vm_twice() {
    let cluster = Cluster::instant();
    created(&cluster, "4");
    let before = places(&cluster);
    let matching = Match::on("create", "virtualmachineinstancemigrations");
    cluster.sandbox.faults().add(Rule { matching, effect: Effect::CutAfter, remaining: Some(4) });
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    assert_eq!(report["phases"][1]["counts"]["reached"], 4);
    assert_eq!(migrations(&cluster).len(), 4, "one object each");
    let after = places(&cluster);
    assert!(before.iter().all(|(name, (_, node))| after[name].1 != *node), "{before:?} {after:?}");
}

#[test]
fn nothing_begins_where_there_is_no_node_to_go_to() {
    let cluster = Cluster::instant();
    created(&cluster, "2");
    let store = cluster.sandbox.store();
    let (nodes, _) = store.list(&kind::NODES, None);
    for node in &nodes[1..] {
        store.modify(&kind::NODES, "", node.name(), |node| node["spec"]["unschedulable"] = Value::from(true));
    }
    let refused = cluster.run(&["storm", "--kind", "migrate"]).exits(5);
    refused.complains(&["there is no node to migrate to: of 3 nodes only", "kubectl uncordon NODE"]);
    assert!(migrations(&cluster).is_empty());
    cluster.run(&["report"]).exits(0).prints(&["create"]);
}

#[test]
fn adopted_vms_migrate_and_keep_running_when_nothing_of_the_run_is_left() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    store.create(&kind::NAMESPACES, shop).unwrap();
    for name in ["web-1", "web-2"] {
        let spec = json!({"runStrategy": "Always", "template": {"spec": {
            "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
            "networks": [{"name": "default", "pod": {}}]}}});
        let metadata = json!({"name": name, "namespace": "shop"});
        store.create(&kind::VIRTUAL_MACHINES, json!({"metadata": metadata, "spec": spec})).unwrap();
        until(|| {
            let instance = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, "shop", name);
            instance.is_some_and(|instance| instance.value()["status"]["phase"] == "Running")
        });
    }
    cluster.run(&["setup", "--adopt", "--adopt-namespace", "shop", "--yes", "--probe", "none"]).exits(0);
    let before = places(&cluster);
    cluster.run(&["storm", "--kind", "migrate"]).exits(0);
    let after = places(&cluster);
    for name in ["shop/web-1", "shop/web-2"] {
        assert!(before[name].0 == after[name].0 && before[name].1 != after[name].1, "{before:?} {after:?}");
    }
    assert_eq!(migrations(&cluster).len(), 2);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(migrations(&cluster).is_empty());
    assert_eq!(places(&cluster), after, "they run on");
}

#[test]
fn an_interrupt_leaves_migrations_to_kubevirt_and_the_same_command_follows_them() {
    let cluster = Cluster::instant();
    created(&cluster, "2");
    limit(&cluster, json!({"parallelMigrationsPerCluster": 0}));
    let child = cluster.program().spawn(&["storm", "--kind", "migrate"]);
    until(|| migrations(&cluster).len() == 2);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::of(child).exits(130);
    ran.complains(&["requested migrations continue; cleanup ends them", "storm --kind migrate"]);
    assert_eq!(migrations(&cluster).len(), 2);
    limit(&cluster, json!({}));
    let report = cluster.run(&["storm", "--kind", "migrate", "-o", "json"]).exits(0).json();
    assert!(rows(&report).iter().all(|row| row["attempts"] == 1), "nobody was asked twice: {report}");
    assert_eq!(migrations(&cluster).len(), 2);
}

#[test]
fn cleanup_ends_migrations_that_go_on() {
    let cluster = Cluster::changed(3, |profile| {
        profile.misbehave.0.insert("boot-storm-test-*/*".into(), Misbehaviour::NeverConverges);
    });
    created(&cluster, "2");
    let mut child = cluster.program().spawn(&["storm", "--kind", "migrate"]);
    until(|| {
        let running = |one: &Object| one.value()["status"]["phase"] == "Running";
        migrations(&cluster).iter().filter(|one| running(one)).count() == 2
    });
    child.kill().unwrap();
    child.wait().unwrap();
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert!(migrations(&cluster).is_empty() && places(&cluster).is_empty());
}
