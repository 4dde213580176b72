//! The preflight: its findings, how it refuses, and how to override it.

use bootstorm_sandbox::store::{Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, until};

/// Nodes with 4 GiB, each with room for four built-in VMs.
fn small(nodes: usize) -> Cluster {
    Cluster::changed(nodes, |profile| profile.node.memory_gib = 4.0)
}

fn namespaces(cluster: &Cluster) -> usize {
    let (namespaces, _) = cluster.sandbox.store().list(&kind::NAMESPACES, None);
    namespaces.iter().filter(|namespace| namespace.name().starts_with("boot-storm-test")).count()
}

fn configure(cluster: &Cluster, configuration: &Value) {
    let store = cluster.sandbox.store();
    store.modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |it| {
        it["spec"]["configuration"] = configuration.clone();
    });
}

/// A manifest with one VM, changed by a closure.
fn manifest(cluster: &Cluster, change: impl FnOnce(&mut Value)) {
    let mut vm = json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
        "spec": {"runStrategy": "Always", "template": {"spec": {
            "domain": {"cpu": {"cores": 1}, "memory": {"guest": "512Mi"}, "devices": {}},
        }}},
    });
    change(&mut vm);
    std::fs::write(cluster.home.path().join("vm.yaml"), vm.to_string()).unwrap();
}

#[test]
fn what_is_well_is_told_in_one_line() {
    let cluster = Cluster::instant();
    let ran = cluster.run(&["setup", "--end", "3"]).exits(0);
    let line = ran.stderr.lines().find(|line| line.starts_with("preflight: ")).unwrap();
    let words: Vec<&str> = line.trim_start_matches("preflight: ").split(", ").collect();
    assert!(words[0].starts_with("KubeVirt v1."), "{line}");
    assert_eq!(words[1], "3 nodes");
    assert!(words[2].starts_with("room for ") && words[2].ends_with(" VMs (3 needed)"), "{line}");
    assert_eq!(words[3], "permissions complete");
}

#[test]
fn more_vms_than_there_is_room_for() {
    let cluster = small(2);
    cluster.run(&["setup", "--end", "9", "--probe", "none"]).exits(5).complains(&[
        "error: there is room for 8 of 9 VMs",
        "memory is short, one VM needs 834Mi",
        "node-1: room for 4, 4Gi of memory free",
        "hint: run fewer VMs: --end 8",
        "hint: to continue anyway: --skip-preflight",
    ]);
    assert_eq!(namespaces(&cluster), 0);
    // The scheduler agrees: eight run, and a ninth is unschedulable.
    cluster
        .run(&["run", "--end", "8", "--probe", "none", "--no-storm"])
        .exits(0)
        .complains(&["room for 8 VMs (8 needed)"]);
    let vm = json!({"metadata": {"name": "ninth", "namespace": "default"}, "spec": {"runStrategy": "Always", "template": {"spec":
        {"domain": {"cpu": {"cores": 1}, "memory": {"guest": "512Mi"}, "devices": {}}}}}});
    cluster.sandbox.store().create(&kind::VIRTUAL_MACHINES, vm).unwrap();
    until(|| {
        let found = cluster.sandbox.store().get(&kind::VIRTUAL_MACHINES, "default", "ninth");
        found.is_some_and(|vm| vm.value()["status"]["printableStatus"] == "ErrorUnschedulable")
    });
    // Existing VMs need no more room.
    cluster.run(&["setup", "--end", "8", "--probe", "none"]).exits(0);
    cluster
        .run(&["setup", "--ns-prefix", "other", "--end", "1", "--probe", "none"])
        .exits(5)
        .complains(&["there is room for 0 of 1 VMs"]);
}

#[test]
fn nodes_that_take_no_vms_have_no_room() {
    let cluster = small(4);
    let store = cluster.sandbox.store();
    store.modify(&kind::NODES, "", "node-1", |node| node["spec"]["unschedulable"] = json!(true));
    store.modify(&kind::NODES, "", "node-2", |node| {
        node["metadata"]["labels"]["kubevirt.io/schedulable"] = json!("false");
    });
    store.modify(&kind::NODES, "", "node-3", |node| {
        node["spec"]["taints"] = json!([{"key": "gpu", "effect": "NoSchedule"}]);
    });
    cluster.run(&["setup", "--end", "5", "--probe", "none"]).exits(5).complains(&[
        "there is room for 4 of 5 VMs",
        "1 node takes none: cordoned",
        "1 node takes none: not labelled kubevirt.io/schedulable=true",
        "1 node takes none: taint gpu is not tolerated",
    ]);
    manifest(&cluster, |vm| vm["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]));
    cluster.run(&["setup", "--end", "12", "--probe", "none", "-f", "vm.yaml"]).exits(0);
    manifest(&cluster, |vm| {
        vm["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": "node-4"});
    });
    let args = ["setup", "--ns-prefix", "b", "--end", "5", "--probe", "none", "-f", "vm.yaml"];
    cluster.run(&args).exits(5).complains(&["there is room for 4 of 5 VMs"]);
}

#[test]
fn what_may_not_be_looked_at_is_no_reason_to_refuse() {
    let cluster = small(1);
    for (resource, note) in [
        ("pods", "what runs on the nodes is not checked: you cannot list pods"),
        ("nodes", "room on the nodes is not checked: you cannot list nodes"),
        ("resourcequotas", "quotas are not checked: you cannot list resource quotas"),
        ("limitranges", "limit ranges are not checked: you cannot list limit ranges"),
    ] {
        cluster.sandbox.faults().clear();
        cluster.sandbox.faults().deny("list", resource, None);
        let args = ["setup", "--ns-prefix", resource, "--end", "2", "--probe", "none"];
        cluster.run(&args).exits(0).complains(&[&format!("preflight: {note}")]);
    }
    cluster.sandbox.faults().deny("list", "pods", None);
    cluster.sandbox.faults().deny("list", "kubevirts", None);
    let args = ["setup", "--ns-prefix", "kubevirts", "--end", "2", "--probe", "none"];
    cluster.run(&args).exits(0).complains(&["KubeVirt is not checked: you cannot look for KubeVirt"]);
}

#[test]
fn all_problems_are_told_at_once_and_can_be_overruled() {
    let cluster = small(1);
    cluster.sandbox.faults().deny("update", "leases", None);
    let args = ["setup", "--end", "6", "--probe", "none"];
    cluster.run(&args).exits(5).complains(&[
        "error: the preflight found 2 problems",
        "there is room for 4 of 6 VMs",
        "1 permission is missing",
        "you cannot update leases.coordination.k8s.io in namespace default",
    ]);
    assert_eq!(namespaces(&cluster), 0);
    cluster.sandbox.faults().clear();
    let skipping = [args.as_slice(), &["--skip-preflight"]].concat();
    cluster.run(&skipping).exits(0).complains(&["warning: there is room for 4 of 6 VMs"]);
    assert_eq!(namespaces(&cluster), 6);
}

#[test]
fn a_name_that_is_taken_cannot_be_overruled() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    store.create(&kind::NAMESPACES, json!({"metadata": {"name": "boot-storm-test-2"}})).unwrap();
    let ran = cluster.run(&["setup", "--skip-preflight"]).exits(5);
    let ran = ran.complains(&["1 namespace exists already, outside of this run: boot-storm-test-2"]);
    assert!(!ran.stderr.contains("to continue anyway"), "{}", ran.stderr);
    assert_eq!(namespaces(&cluster), 1);
}

#[test]
fn a_record_of_that_name_elsewhere_is_told() {
    let cluster = Cluster::instant();
    let there = ["setup", "-n", "kube-public", "--end", "1", "--probe", "none"];
    cluster.run(&there).exits(0);
    cluster
        .run(&["setup", "--start", "5", "--end", "6", "--probe", "none"])
        .exits(0)
        .complains(&["another run \"boot-storm-test\" has its record in namespace kube-public"]);
}

#[test]
fn settings_of_kubevirt_that_matter() {
    let cluster = small(1);
    configure(&cluster, &json!({"developerConfiguration": {"useEmulation": true}}));
    let store = cluster.sandbox.store();
    store.modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |it| {
        it["status"]["observedKubeVirtVersion"] = json!("v0.59.2");
    });
    cluster
        .run(&["setup", "--end", "1", "--probe", "none", "--dry-run"])
        .exits(0)
        .complains(&["warning: KubeVirt emulates its guests", "warning: KubeVirt 0.59 is older than 1.0"]);
    configure(&cluster, &json!({"additionalGuestMemoryOverheadRatio": "3"}));
    cluster.run(&["setup", "--end", "4", "--probe", "none"]).exits(5).complains(&["one VM needs 1410Mi"]);
    store.modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", |it| it["status"]["phase"] = json!("Deploying"));
    cluster.run(&["setup", "--end", "1"]).exits(5).complains(&["its phase is Deploying"]);
    assert_eq!(namespaces(&cluster), 0);
}

#[test]
fn disks_without_cdi() {
    let cluster = Cluster::instant();
    let store = cluster.sandbox.store();
    manifest(&cluster, |vm| {
        let storage = json!({"resources": {"requests": {"storage": "1Gi"}}});
        vm["spec"]["dataVolumeTemplates"] =
            json!([{"metadata": {"name": "root"}, "spec": {"source": {"blank": {}}, "storage": storage}}]);
    });
    cluster.run(&["setup", "--end", "1", "--dry-run", "-f", "vm.yaml"]).exits(0);
    let (definitions, _) = store.list(&kind::CUSTOM_RESOURCE_DEFINITIONS, None);
    for definition in definitions.iter().filter(|it| it.name().ends_with("cdi.kubevirt.io")) {
        store.remove(&kind::CUSTOM_RESOURCE_DEFINITIONS, "", definition.name(), definition.uid());
    }
    cluster
        .run(&["setup", "--end", "1", "-f", "vm.yaml"])
        .exits(5)
        .complains(&["CDI is not installed in this cluster", "dataVolumeTemplates"]);
    cluster.run(&["setup", "--end", "1", "--dry-run"]).exits(0);
}

#[test]
fn subresources_are_needed_only_by_those_who_use_them() {
    let cluster = Cluster::instant();
    cluster.sandbox.faults().deny("update", "virtualmachines/start", None);
    let args = ["setup", "--end", "1", "--probe", "none"];
    cluster.run(&args).exits(0).complains(&["stop and storm cannot use --via subresource"]);
    let run = ["run", "--ns-prefix", "b", "--end", "1", "--probe", "none"];
    cluster
        .run(&[run.as_slice(), &["--via", "subresource"]].concat())
        .exits(5)
        .complains(&["you cannot update virtualmachines/start.subresources.kubevirt.io in all namespaces"]);
    let ran = cluster.run(&run).exits(0);
    assert!(!ran.stderr.contains("subresource"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_refuses_too() {
    let cluster = small(1);
    let ran = cluster.run(&["setup", "--end", "5", "--probe", "none", "--dry-run"]).exits(5);
    assert_eq!(ran.stdout, "");
    cluster.run(&["setup", "--end", "4", "--dry-run"]).exits(0).complains(&["room for 4 VMs (4 needed)"]);
}

/// The quota of one of the run's namespaces.
fn quota(cluster: &Cluster, index: u32) -> Object {
    let namespace = format!("boot-storm-test-{index}");
    cluster.sandbox.store().get(&kind::RESOURCE_QUOTAS, &namespace, "default-quota").unwrap()
}

fn raise(cluster: &Cluster, index: u32) {
    let namespace = format!("boot-storm-test-{index}");
    let store = cluster.sandbox.store();
    store.modify(&kind::RESOURCE_QUOTAS, &namespace, "default-quota", |quota| {
        quota["spec"]["hard"]["requests.memory"] = json!("2Gi");
    });
}

fn with_quota() -> Cluster {
    Cluster::changed(1, |profile| {
        let hard = [("requests.memory", "512Mi"), ("pods", "10")];
        profile.namespace_defaults.quota = hard.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    })
}

#[test]
fn a_quota_that_is_too_small_is_found_before_any_vm_is_made() {
    let cluster = with_quota();
    let args = ["setup", "--end", "2", "--probe", "none"];
    cluster.run(&args).exits(5).complains(&[
        "the limits of 2 namespaces leave no room for a VM",
        "quota default-quota: requests.memory is limited to 512Mi, 0 used, the VM needs 834Mi",
        "(boot-storm-test-1, boot-storm-test-2)",
        "kubectl describe quota,limits -n boot-storm-test-1",
        "then run this command again, it continues",
    ]);
    cluster.run(&["create"]).exits(1).complains(&["setup"]);
    raise(&cluster, 1);
    cluster.run(&args).exits(5).complains(&["the limits of 1 namespace leave", "(boot-storm-test-2)"]);
    raise(&cluster, 2);
    cluster.run(&args).exits(0);
    cluster.run(&["create"]).exits(0);
    until(|| quota(&cluster, 1).value()["status"]["used"]["pods"] == "1");
    assert_eq!(quota(&cluster, 1).value()["status"]["used"]["requests.memory"], "873860800");
    cluster.run(&args).exits(0);
}

#[test]
fn a_vm_waits_while_its_quota_is_too_small() {
    let cluster = with_quota();
    cluster
        .run(&["setup", "--end", "1", "--probe", "none", "--skip-preflight"])
        .exits(0)
        .complains(&["warning: the limits of 1 namespace leave no room for a VM"]);
    let creating = cluster.program().spawn(&["create"]);
    let store = cluster.sandbox.store();
    let message = "exceeded quota: default-quota, requested: requests.memory=873860800, used: requests.memory=0, limited: requests.memory=512Mi";
    until(|| {
        let (events, _) = store.list(&kind::EVENTS, Some("boot-storm-test-1"));
        events.iter().any(|event| {
            let event = event.value();
            event["reason"] == "FailedCreate"
                && event["message"].as_str().unwrap_or_default().contains(message)
        })
    });
    assert!(store.list(&kind::PODS, Some("boot-storm-test-1")).0.is_empty());
    raise(&cluster, 1);
    crate::support::Ran::of(creating).exits(0);
}

#[test]
fn a_limit_range_that_is_too_narrow() {
    let cluster = Cluster::changed(1, |profile| {
        profile.namespace_defaults.limits = vec![json!({"type": "Container", "max": {"memory": "512Mi"}})];
    });
    cluster.run(&["setup", "--end", "1", "--probe", "none"]).exits(5).complains(&[
        "limit range default-limits: container compute asks for 800Mi of memory, at most 512Mi is allowed",
    ]);
    let (ranges, _) = cluster.sandbox.store().list(&kind::LIMIT_RANGES, None);
    assert_eq!(ranges.len(), 1);
}
