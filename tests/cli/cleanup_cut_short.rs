//! Cleanup that is interrupted, killed or blocked: it can always be repeated, and then nothing is left.

use std::process::{Child, Command};
use std::time::Duration;

use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::{Kind, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

const RUN: &str = "boot-storm-test";
const HEAD: &str = "bootstorm-boot-storm-test";

const TEMPLATE: &str = "apiVersion: kubevirt.io/v1
kind: VirtualMachine
spec: {template: {spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}
";

/// Every object of any kind with the run's label.
fn left(cluster: &Cluster) -> Vec<String> {
    let store = cluster.sandbox.store();
    let labelled = |kind: &'static Kind| {
        let (objects, _) = store.list(kind, None);
        objects
            .into_iter()
            .filter(|object| {
                object.value().pointer("/metadata/labels/bootstorm.dev~1run") == Some(&json!(RUN))
            })
            .map(|object| format!("{} {}/{}", kind.plural, object.namespace(), object.name()))
            .collect::<Vec<_>>()
    };
    kind::all().iter().flat_map(|kind| labelled(kind)).collect()
}

/// A run with two VMs, a prober, a Secret and a record with one phase.
fn ready() -> Cluster {
    let cluster = Cluster::instant();
    std::fs::write(cluster.home.path().join("vm.yaml"), TEMPLATE).unwrap();
    cluster.run(&["setup", "--end", "2", "-f", "vm.yaml", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster
}

fn slow(cluster: &Cluster, resource: &str) -> bootstorm_sandbox::faults::RuleId {
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("delete", resource),
        effect: Effect::Delay(Duration::from_secs(60)),
        remaining: None,
    })
}

fn count(cluster: &Cluster, kind: &'static Kind) -> usize {
    left(cluster).iter().filter(|name| name.starts_with(&format!("{} ", kind.plural))).count()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// As if the lock's holder had died a minute ago.
fn age_lease(cluster: &Cluster) {
    let aged = |lease: &mut Value| lease["spec"]["renewTime"] = json!("2026-01-01T00:00:00.000000Z");
    cluster.sandbox.store().modify(&kind::LEASES, "default", HEAD, aged);
}

#[test]
fn killed_anywhere_it_completes_when_it_is_run_again() {
    // The kind being deleted when the process dies, and the one that must be gone by then.
    let stages: [(&str, Option<&'static Kind>); 5] = [
        ("virtualmachines", None),
        ("namespaces", Some(&kind::VIRTUAL_MACHINES)),
        ("secrets", Some(&kind::NAMESPACES)),
        ("configmaps", Some(&kind::SECRETS)),
        ("leases", Some(&kind::CONFIG_MAPS)),
    ];
    for (resource, gone) in stages {
        let cluster = ready();
        let rule = slow(&cluster, resource);
        let mut child = cluster.program().spawn(&["cleanup", "--yes"]);
        let held = || cluster.sandbox.store().get(&kind::LEASES, "default", HEAD).is_some();
        until(|| held() && gone.is_none_or(|kind| count(&cluster, kind) == 0));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!left(&cluster).is_empty(), "{resource}: it was killed before its end");
        cluster.sandbox.faults().remove(rule);
        age_lease(&cluster);
        cluster.run(&["cleanup", "--yes"]).exits(0);
        assert_eq!(left(&cluster), Vec::<String>::new(), "{resource}");
        cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["nothing of run boot-storm-test exists"]);
    }
}

#[test]
fn whatever_is_left_alone_is_found() {
    for keep in [&kind::SECRETS, &kind::LEASES, &kind::CONFIG_MAPS] {
        let cluster = ready();
        let store = cluster.sandbox.store();
        let run_id = store.get(&kind::CONFIG_MAPS, "default", HEAD).unwrap().value()["metadata"]["labels"]
            ["bootstorm.dev/run-id"]
            .clone();
        cluster.run(&["cleanup", "--yes"]).exits(0);
        let role = if keep.is(&kind::LEASES) { "lock" } else { "record" };
        let labels =
            json!({"bootstorm.dev/run": RUN, "bootstorm.dev/run-id": run_id, "bootstorm.dev/role": role});
        let name =
            if keep.is(&kind::CONFIG_MAPS) { "bootstorm-boot-storm-test.create.0123456789" } else { HEAD };
        // The field manager is this tool: a copy would have another one.
        let fields = json!({"f:metadata": {"f:labels": {"f:bootstorm.dev/run-id": {}}}});
        let managers = json!([{"manager": "kubectl-bootstorm", "operation": "Update", "fieldsV1": fields}]);
        let object = json!({"metadata": {
            "name": name, "namespace": "default", "labels": labels, "managedFields": managers}});
        store.create(keep, object).unwrap();
        // A user without access to other namespaces can finish the work in this one.
        for verb in ["list", "watch"] {
            cluster.sandbox.faults().deny(verb, "persistentvolumeclaims", None);
        }
        cluster
            .run(&["cleanup", "--yes"])
            .exits(0)
            .complains(&["persistent volume claims (you may not list them)"]);
        assert_eq!(left(&cluster), Vec::<String>::new(), "{}", keep.plural);
    }
}

#[test]
fn what_only_carries_the_label_outside_of_the_runs_namespaces_is_named_and_left() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let labels =
        store.get(&kind::CONFIG_MAPS, "default", HEAD).unwrap().value()["metadata"]["labels"].clone();
    let strays = [
        (&kind::DATA_VOLUMES, "stray"),
        // The volume's own claim has the same name.
        (&kind::PERSISTENT_VOLUME_CLAIMS, "stray-claim"),
        (&kind::PODS, "stray"),
    ];
    for (kind, name) in strays {
        let metadata = json!({"name": name, "namespace": "kube-system", "labels": labels});
        store.create(kind, json!({"metadata": metadata, "spec": {}})).unwrap();
    }
    let named = "datavolume/stray -n kube-system does not belong to the run and is kept";
    cluster.run(&["cleanup", "--dry-run=client"]).exits(0).complains(&[named]);
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&[named]);
    for (kind, name) in strays {
        let stray = store.get(kind, "kube-system", name).unwrap();
        assert!(!stray.is_deleting(), "{} {name}", kind.plural);
    }
    assert!(left(&cluster).iter().all(|name| name.contains("kube-system/")), "{:?}", left(&cluster));
}

#[test]
fn a_cluster_without_data_volumes_is_cleaned_up_with_a_note() {
    let cluster = ready();
    cluster.sandbox.faults().add(Rule {
        matching: Match::on("list", "datavolumes"),
        effect: Effect::Answer { code: 404, retry_after: None },
        remaining: None,
    });
    cluster
        .run(&["cleanup", "--yes"])
        .exits(0)
        .complains(&["not checked: data volumes (this cluster does not have them)"]);
    assert_eq!(left(&cluster), Vec::<String>::new());
}

#[test]
fn an_interrupted_cleanup_gives_the_lock_back_and_says_how_to_go_on() {
    let cluster = ready();
    let rule = slow(&cluster, "virtualmachines");
    let child = cluster.program().spawn(&["cleanup", "--yes", "--keep-record"]);
    until(|| cluster.sandbox.store().get(&kind::LEASES, "default", HEAD).is_some());
    signal(&child, "-INT");
    let began = monotonic_now();
    Ran::of(child).exits(130).complains(&[
        "interrupted; some objects may be deleted, the rest is kept",
        "to continue: kubectl bootstorm cleanup --ns-prefix boot-storm-test --keep-record",
    ]);
    assert!(began.elapsed() < Duration::from_secs(8));
    assert!(cluster.sandbox.store().get(&kind::LEASES, "default", HEAD).is_none(), "the lock is given back");
    cluster.sandbox.faults().remove(rule);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(left(&cluster), Vec::<String>::new());
}

#[test]
fn an_answer_that_never_comes_does_not_hold_it_for_ever() {
    let cluster = ready();
    let rule = slow(&cluster, "virtualmachines");
    let began = monotonic_now();
    cluster
        .run(&["cleanup", "--yes", "--timeout", "1s", "--request-timeout", "0"])
        .exits(1)
        .complains(&["cleanup did not finish within 1s", "to continue: kubectl bootstorm cleanup"]);
    assert!(began.elapsed() < Duration::from_secs(15));
    cluster.sandbox.faults().remove(rule);
    cluster.run(&["cleanup", "--yes"]).exits(0);
}

#[test]
fn what_can_go_on_goes_on_and_what_is_waited_for_is_said() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let stuck = |vm: &mut Value| {
        vm["metadata"]["finalizers"].as_array_mut().unwrap().push(json!("example.org/stuck"));
    };
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", stuck).unwrap();
    cluster.run(&["cleanup", "--yes", "--timeout", "11s"]).exits(3).complains(&[
        "cleanup: waiting 10s for virtualmachine boot-storm-test-1/boot-storm-vm (finalizers:",
        "inspect it: kubectl get virtualmachine boot-storm-vm -n boot-storm-test-1 -o yaml",
        "1 object still exists after 11s",
    ]);
    let namespace = |name: &str| store.get(&kind::NAMESPACES, "", name);
    assert!(namespace("boot-storm-test-1").is_some_and(|namespace| !namespace.is_deleting()));
    assert!(namespace("boot-storm-test-2").is_none(), "its VMs are gone");
}

/// Sets a component's state to down.
fn down(cluster: &Cluster, kind: &'static Kind, namespace: &str, name: &str, component: &str) {
    let down = |object: &mut Value| {
        object["metadata"]["annotations"]["sandbox.bootstorm.dev/down"] = json!(component);
    };
    cluster.sandbox.store().modify(kind, namespace, name, down).unwrap();
}

#[test]
fn a_prober_pod_on_a_dead_node_holds_up_nothing_but_itself() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let store = cluster.sandbox.store();
    let pods = || store.list(&kind::PODS, Some("default")).0;
    let prober = pods().pop().unwrap();
    let node = prober.value()["spec"]["nodeName"].as_str().unwrap().to_owned();
    // The VMs are on live nodes: those on a dead node would stay, as the prober does.
    for vm in ["boot-storm-test-1", "boot-storm-test-2"] {
        let instance = store.get(&kind::VIRTUAL_MACHINE_INSTANCES, vm, "boot-storm-vm").unwrap();
        if instance.value()["status"]["nodeName"] == node.as_str() {
            store.remove(
                &kind::VIRTUAL_MACHINES,
                vm,
                "boot-storm-vm",
                store.get(&kind::VIRTUAL_MACHINES, vm, "boot-storm-vm").unwrap().uid(),
            );
            store.remove(&kind::VIRTUAL_MACHINE_INSTANCES, vm, "boot-storm-vm", instance.uid());
            for pod in store.list(&kind::PODS, Some(vm)).0 {
                store.remove(&kind::PODS, vm, pod.name(), pod.uid());
            }
        }
    }
    down(&cluster, &kind::NODES, "", &node, "kubelet");
    cluster.run(&["cleanup", "--yes", "--timeout", "12s"]).exits(3).complains(&[
        "cleanup: waiting 10s for pod default/",
        "inspect it: kubectl get pod",
        "1 object still exists after 12s",
    ]);
    assert!(pods().iter().any(|pod| pod.uid() == prober.uid() && pod.is_deleting()));
    for name in ["boot-storm-test-1", "boot-storm-test-2"] {
        assert!(store.get(&kind::NAMESPACES, "", name).is_none(), "{name}: nothing holds it up");
    }
    assert!(store.get(&kind::CONFIG_MAPS, "default", HEAD).is_some(), "the record says what is left");
    // As an administrator does if the node is lost for good.
    store.remove(&kind::PODS, "default", prober.name(), prober.uid());
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(left(&cluster), Vec::<String>::new());
}

#[test]
fn without_virt_controller_it_says_what_it_waits_for_and_ends() {
    let cluster = ready();
    down(&cluster, &kind::KUBEVIRTS, "kubevirt", "kubevirt", "virt-controller");
    cluster.run(&["cleanup", "--yes", "--timeout", "11s"]).exits(3).complains(&[
        "cleanup: waiting 10s for 2 virtual machines, among them virtualmachine boot-storm-test-1/boot-storm-vm",
        "inspect it: kubectl get virtualmachine boot-storm-vm -n boot-storm-test-1 -o yaml",
        "2 objects still exist after 11s",
    ]);
    let up = |kubevirt: &mut Value| kubevirt["metadata"]["annotations"] = json!({});
    cluster.sandbox.store().modify(&kind::KUBEVIRTS, "kubevirt", "kubevirt", up).unwrap();
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(left(&cluster), Vec::<String>::new());
}

#[test]
fn a_namespace_that_does_not_end_says_why() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let map = json!({"metadata": {"name": "stuck", "namespace": "boot-storm-test-1", "finalizers": ["example.org/stuck"]}});
    store.create(&kind::CONFIG_MAPS, map).unwrap();
    cluster.run(&["cleanup", "--yes", "--delete-foreign", "--timeout", "3s"]).exits(3).complains(&[
        "1 object still exists after 3s",
        "namespace boot-storm-test-1",
        "NamespaceFinalizersRemaining: Some content in the namespace has finalizers remaining: example.org/stuck",
        "inspect it: kubectl get namespace boot-storm-test-1 -o yaml",
        "list its content: kubectl api-resources",
    ]);
    let freed = |map: &mut Value| map["metadata"]["finalizers"] = json!([]);
    store.modify(&kind::CONFIG_MAPS, "boot-storm-test-1", "stuck", freed);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    assert_eq!(left(&cluster), Vec::<String>::new());
}

#[test]
fn the_command_that_frees_an_object_takes_off_that_finalizer_only() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let stuck = |vm: &mut Value| {
        let finalizers = vm["metadata"]["finalizers"].as_array_mut().unwrap();
        finalizers.push(json!("example.org/stuck"));
        finalizers.push(json!("$(touch x)/y"));
    };
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", "boot-storm-vm", stuck).unwrap();
    let ran = cluster.run(&["cleanup", "--yes", "--timeout", "3s"]).exits(3).complains(&[
        "inspect it: kubectl get virtualmachine boot-storm-vm -n boot-storm-test-1 -o yaml",
        "remove its finalizer: kubectl patch virtualmachine boot-storm-vm -n boot-storm-test-1 --type=json",
        "remove a finalizer only if",
    ]);
    let commands: Vec<&str> =
        ran.stderr.lines().filter_map(|line| line.strip_prefix("hint: remove its finalizer: ")).collect();
    assert_eq!(commands.len(), 1, "none for a name that a shell would run: {commands:?}");
    assert!(commands[0].contains(r#""value":"example.org/stuck""#));
}
