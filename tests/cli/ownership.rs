//! The run's objects are identified by name and UID: copies, replacements and foreign objects in its namespaces stay.

use std::time::Duration;

use bootstorm_sandbox::faults::{Effect, Match, Rule};
use bootstorm_sandbox::store::{Kind, Object, kind};
use bootstorm_sandbox::value::{Value, json};

use crate::support::{Cluster, Ran, until};

const HEAD: &str = "bootstorm-boot-storm-test";
const VM: &str = "boot-storm-vm";

fn ready() -> Cluster {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster
}

/// An object as a clone, a backup tool or `kubectl create` would create it: without the server's fields.
fn copy(object: &Object) -> Value {
    let mut copy = object.to_value();
    let metadata = copy["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers"] {
        metadata.remove(key);
    }
    copy.as_object_mut().unwrap().remove("status");
    copy
}

fn get(cluster: &Cluster, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
    cluster.sandbox.store().get(kind, namespace, name)
}

fn is_untouched(cluster: &Cluster, kind: &'static Kind, made: &Object) {
    let now = get(cluster, kind, made.namespace(), made.name()).expect("it is there");
    assert!(now.uid() == made.uid() && !now.is_deleting(), "{}/{}", made.namespace(), made.name());
    assert!(!cluster.sandbox.ledger().has_written(made.uid()), "{}/{}", made.namespace(), made.name());
}

/// The objects that a line of cleanup refers to.
fn objects(ran: &Ran, verb: &str) -> Vec<String> {
    ran.stdout.lines().map(|line| line.split(verb).next().unwrap().to_owned()).collect()
}

#[test]
fn copies_with_the_labels_of_the_run_are_named_and_left() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let mut namespace = copy(&get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").unwrap());
    namespace["metadata"]["name"] = json!("boot-storm-test-1-copy");
    let namespace = store.create(&kind::NAMESPACES, namespace).unwrap();
    let mut clone = copy(&get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).unwrap());
    clone["metadata"]["namespace"] = json!("default");
    let clone = store.create(&kind::VIRTUAL_MACHINES, clone).unwrap();
    let named = [
        "namespace/boot-storm-test-1-copy does not belong to the run and is kept",
        "virtualmachine/boot-storm-vm -n default",
    ];
    cluster.run(&["cleanup", "--dry-run=client"]).exits(0).complains(&named);
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&named);
    is_untouched(&cluster, &kind::NAMESPACES, &namespace);
    is_untouched(&cluster, &kind::VIRTUAL_MACHINES, &clone);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn what_others_keep_in_a_namespace_of_the_run_keeps_it() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let notes = json!({"metadata": {"name": "notes", "namespace": "boot-storm-test-1"}});
    let notes = store.create(&kind::CONFIG_MAPS, notes).unwrap();
    let root = json!({"metadata": {"name": "kube-root-ca.crt", "namespace": "boot-storm-test-2"}});
    let _ = store.create(&kind::CONFIG_MAPS, root);
    let named = ["configmap/notes -n boot-storm-test-1 does not belong to the run, and keeps its namespace"];
    let shown = cluster.run(&["cleanup", "--dry-run=client"]).exits(0).complains(&named);
    cluster.run(&["cleanup"]).exits(2).complains(&["1 namespace stays, since it holds objects of others"]);
    let done = cluster.run(&["cleanup", "--yes"]).exits(3).complains(&[
        "1 namespace of run \"boot-storm-test\" holds objects of others, and stay with its record",
        "configmap/notes -n boot-storm-test-1",
        "--delete-foreign",
    ]);
    assert_eq!(objects(&shown, " would be deleted"), objects(&done, " deleted"));
    is_untouched(&cluster, &kind::CONFIG_MAPS, &notes);
    assert!(get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).is_none(), "the VM is the run's");
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-2").is_none());
    let shown = cluster.run(&["cleanup", "--dry-run=client", "--delete-foreign"]).exits(0);
    shown.prints(&["configmap/notes -n boot-storm-test-1 would be deleted (not the run's)"]);
    cluster.run(&["cleanup", "--yes", "--delete-foreign"]).exits(0);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
    assert!(get(&cluster, &kind::CONFIG_MAPS, "default", HEAD).is_none());
}

#[test]
fn whatever_others_keep_in_a_namespace_keeps_it() {
    let theirs: [(&'static Kind, &str); 6] = [
        (&kind::SERVICES, "service"),
        (&kind::VOLUME_SNAPSHOTS, "volumesnapshot"),
        (&kind::NETWORK_ATTACHMENTS, "network-attachment-definition"),
        (&kind::DATA_SOURCES, "datasource"),
        (&kind::PODS, "pod"),
        (&kind::SECRETS, "secret"),
    ];
    let count = theirs.len().to_string();
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", &count, "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    let store = cluster.sandbox.store();
    let place = |number: usize| format!("boot-storm-test-{}", number + 1);
    let made: Vec<(&'static Kind, Object)> = theirs
        .iter()
        .enumerate()
        .map(|(number, (kind, _))| {
            let theirs = json!({"metadata": {"name": "theirs", "namespace": place(number)}});
            (*kind, store.create(kind, theirs).unwrap())
        })
        .collect();
    let named: Vec<String> = theirs
        .iter()
        .enumerate()
        .map(|(number, (_, word))| format!("{word}/theirs -n {}", place(number)))
        .collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    cluster.run(&["cleanup", "--dry-run=client"]).exits(0).complains(&named);
    cluster.run(&["cleanup", "--yes"]).exits(3).complains(&named);
    for (kind, object) in &made {
        is_untouched(&cluster, kind, object);
    }
    cluster.run(&["cleanup", "--yes", "--delete-foreign"]).exits(0).prints(&named);
    assert_eq!(store.list(&kind::VIRTUAL_MACHINES, None).0.len(), 0);
    for number in 0..theirs.len() {
        assert!(get(&cluster, &kind::NAMESPACES, "", &place(number)).is_none());
    }
}

#[test]
fn what_goes_by_itself_a_moment_later_keeps_no_namespace() {
    let cluster = ready();
    let effect = Effect::Delay(Duration::from_millis(500));
    let matching = Match::on("delete", "virtualmachines");
    cluster.sandbox.faults().add(Rule { matching, effect, remaining: None });
    let store = cluster.sandbox.store();
    let cleaning = cluster.program().spawn(&["cleanup", "--yes", "--concurrency", "1"]);
    until(|| store.list(&kind::VIRTUAL_MACHINES, None).0.len() == 1);
    let place = store.list(&kind::VIRTUAL_MACHINES, None).0[0].namespace().to_owned();
    // Like a launcher pod whose owner is gone, until the garbage collector takes it.
    let brief = json!({"metadata": {"name": "brief", "namespace": &place}});
    let brief = store.create(&kind::CONFIG_MAPS, brief).unwrap();
    until(|| store.list(&kind::VIRTUAL_MACHINES, None).0.is_empty());
    let looks = || cluster.sandbox.ledger().count("list", "configmaps").received;
    let before = looks();
    // The record's own objects are listed first, then the namespace's.
    until(|| looks() >= before + 2);
    store.remove(&kind::CONFIG_MAPS, &place, "brief", brief.uid());
    Ran::of(cleaning).exits(0);
    assert!(get(&cluster, &kind::NAMESPACES, "", &place).is_none());
}

#[test]
fn looking_for_what_others_keep_costs_few_requests() {
    const NAMESPACES: u64 = 60;
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", &NAMESPACES.to_string(), "--probe", "none"]).exits(0);
    cluster.run(&["create"]).exits(0);
    cluster.sandbox.ledger().clear();
    // A dry run lists once; a cleanup polls, and more often the longer the VMs take.
    cluster.run(&["cleanup", "--dry-run=client"]).exits(0);
    let ledger = cluster.sandbox.ledger().json();
    let totals = ledger["totals"].as_array().unwrap();
    let lists = totals.iter().filter(|one| one["verb"] == "list");
    let lists: u64 = lists.map(|one| one["received"].as_u64().unwrap()).sum();
    assert!(lists < NAMESPACES, "{lists} lists for {NAMESPACES} namespaces");
}

#[test]
fn a_vm_that_was_made_anew_is_neither_stopped_nor_started_nor_deleted() {
    for via in ["patch", "subresource"] {
        let cluster = ready();
        let store = cluster.sandbox.store().clone();
        let child = cluster.program().spawn(&["stop", "--via", via, "--rate", "1/s", "--timeout", "20s"]);
        until(|| {
            let first = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).unwrap();
            first.value()["spec"]["runStrategy"] == "Halted"
        });
        // The second is not due yet.
        let old = get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-2", VM).unwrap();
        store.remove(&kind::VIRTUAL_MACHINES, "boot-storm-test-2", VM, old.uid());
        let anew = store.create(&kind::VIRTUAL_MACHINES, copy(&old)).unwrap();
        Ran::of(child).exits(3);
        cluster.run(&["report"]).prints(&["it is another VM of the same name"]);
        is_untouched(&cluster, &kind::VIRTUAL_MACHINES, &anew);
        cluster.run(&["storm"]).exits(3);
        cluster.run(&["cleanup", "--yes"]).exits(3);
        is_untouched(&cluster, &kind::VIRTUAL_MACHINES, &anew);
    }
}

#[test]
fn no_vm_is_created_in_a_namespace_that_was_made_anew() {
    let cluster = Cluster::instant();
    cluster.run(&["setup", "--end", "2", "--probe", "none"]).exits(0);
    let store = cluster.sandbox.store();
    let old = get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").unwrap();
    store.remove(&kind::NAMESPACES, "", "boot-storm-test-1", old.uid());
    let anew = store.create(&kind::NAMESPACES, copy(&old)).unwrap();
    cluster
        .run(&["create"])
        .exits(3)
        .prints(&["setup created: it was deleted, or recreated by somebody else"]);
    assert_eq!(store.list(&kind::VIRTUAL_MACHINES, Some("boot-storm-test-1")).0.len(), 0);
    cluster
        .run(&["cleanup", "--yes"])
        .exits(0)
        .complains(&["namespace/boot-storm-test-1 does not belong to the run"]);
    is_untouched(&cluster, &kind::NAMESPACES, &anew);
}

#[test]
fn a_copy_of_the_record_is_read_and_nothing_else() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    for map in store.list(&kind::CONFIG_MAPS, Some("default")).0 {
        if map.name().starts_with(HEAD) {
            let mut restored = copy(&map);
            restored["metadata"]["namespace"] = json!("kube-public");
            restored["metadata"].as_object_mut().unwrap().remove("ownerReferences");
            store.create(&kind::CONFIG_MAPS, restored).unwrap();
        }
    }
    for command in [&["stop"][..], &["cleanup", "--yes"], &["setup", "--end", "2", "--probe", "none"]] {
        let ran = cluster.run(&[command, &["-n", "kube-public"]].concat()).exits(1);
        ran.complains(&["is a copy", "its ConfigMap is not the one that setup created"]);
    }
    cluster.run(&["report", "-n", "kube-public"]).exits(0).complains(&["is a copy"]);
    cluster.run(&["cleanup", "--yes", "--keep-record"]).exits(0);
    let head = get(&cluster, &kind::CONFIG_MAPS, "default", HEAD).unwrap();
    store.remove(&kind::CONFIG_MAPS, "default", HEAD, head.uid());
    let shown = cluster.run(&["cleanup", "--dry-run=client", "-n", "kube-public"]).exits(0);
    let gone = cluster.run(&["cleanup", "--yes", "-n", "kube-public"]).exits(0);
    assert_eq!(objects(&shown, " would be deleted"), objects(&gone, " deleted"));
    gone.complains(&["is a copy, and the original is gone"]);
    assert!(get(&cluster, &kind::CONFIG_MAPS, "kube-public", HEAD).is_none());
}

#[test]
fn without_any_record_two_runs_are_told_apart() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let forget = || {
        for map in store.list(&kind::CONFIG_MAPS, Some("default")).0 {
            if map.name().starts_with(HEAD) {
                store.remove(&kind::CONFIG_MAPS, "default", map.name(), map.uid());
            }
        }
    };
    forget();
    cluster.run(&["setup", "--start", "5", "--end", "5", "--probe", "none"]).exits(0);
    let second = get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-5").unwrap();
    let second = second.label("bootstorm.dev/run-id").unwrap().to_owned();
    forget();
    cluster.run(&["cleanup", "--yes"]).exits(1).complains(&["2 runs have left objects", "--run-id", &second]);
    cluster.run(&["cleanup", "--yes", "--run-id", &second]).exits(0);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-5").is_none());
    assert!(get(&cluster, &kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM).is_some());
    cluster.run(&["cleanup", "--yes"]).exits(0).complains(&["there is no record"]);
    assert!(get(&cluster, &kind::NAMESPACES, "", "boot-storm-test-1").is_none());
}

#[test]
fn what_has_lost_its_labels_is_still_the_runs() {
    let cluster = ready();
    let store = cluster.sandbox.store();
    let strip = |object: &mut Value| object["metadata"]["labels"] = json!({});
    store.modify(&kind::VIRTUAL_MACHINES, "boot-storm-test-1", VM, strip).unwrap();
    store.modify(&kind::NAMESPACES, "", "boot-storm-test-2", strip).unwrap();
    store.modify(&kind::CONFIG_MAPS, "default", HEAD, |head| {
        head["metadata"]["labels"]["bootstorm.dev/run-id"] = json!("another");
    });
    cluster.run(&["stop"]).exits(0);
    cluster.run(&["storm"]).exits(0);
    cluster.run(&["cleanup", "--yes"]).exits(0);
    for name in ["boot-storm-test-1", "boot-storm-test-2"] {
        assert!(get(&cluster, &kind::NAMESPACES, "", name).is_none(), "{name}");
    }
    assert!(get(&cluster, &kind::CONFIG_MAPS, "default", HEAD).is_none());
}

/// A kind of run: flags of `setup`, whether there are VMs to create, and flags of `cleanup`.
type Shape = (&'static [&'static str], bool, &'static [&'static str]);

#[test]
fn a_dry_run_names_what_is_deleted_on_every_kind_of_run() {
    let shapes: [Shape; 9] = [
        (&["--end", "2", "--probe", "none"], true, &[]),
        (&["--end", "2"], true, &[]),
        (&["--end", "2"], false, &[]),
        (&["--end", "2"], true, &["--keep-record"]),
        (&["--end", "2", "-f", "vm.yaml", "--probe", "none"], true, &[]),
        (&["--end", "3", "--vms-per-namespace", "2", "--probe", "none"], true, &[]),
        (&["--end", "2", "--vm-namespace", "team", "--probe", "none"], true, &[]),
        (&["--adopt", "--adopt-namespace", "team", "--yes", "--probe", "none"], false, &[]),
        (&["--end", "2", "--probe", "none"], true, &["--delete-foreign"]),
    ];
    for (shape, creates, flags) in shapes {
        let cluster = Cluster::instant();
        let template = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n\
                        spec: {template: {spec: {domain: {memory: {guest: 256Mi}, devices: {}}}}}\n";
        std::fs::write(cluster.home.path().join("vm.yaml"), template).unwrap();
        let store = cluster.sandbox.store();
        store.create(&kind::NAMESPACES, json!({"metadata": {"name": "team"}})).unwrap();
        let theirs = json!({"metadata": {"name": "theirs", "namespace": "team"}, "spec": {"runStrategy": "Always",
            "template": {"spec": {"domain": {"memory": {"guest": "256Mi"}, "devices": {}}}}}});
        store.create(&kind::VIRTUAL_MACHINES, theirs).unwrap();
        until(|| {
            get(&cluster, &kind::VIRTUAL_MACHINES, "team", "theirs").unwrap().value()["status"]["ready"]
                == true
        });
        cluster.run(&[&["setup"], shape].concat()).exits(0);
        if creates {
            cluster.run(&["create"]).exits(0);
        }
        if flags == ["--delete-foreign"] {
            for (kind, name) in [(&kind::CONFIG_MAPS, "notes"), (&kind::SERVICES, "web")] {
                store
                    .create(kind, json!({"metadata": {"name": name, "namespace": "boot-storm-test-1"}}))
                    .unwrap();
            }
        }
        // A dead process holds the lock.
        let mut labels =
            get(&cluster, &kind::CONFIG_MAPS, "default", HEAD).unwrap().value()["metadata"]["labels"].clone();
        labels["bootstorm.dev/role"] = json!("lock");
        let fields = json!({"f:metadata": {"f:labels": {"f:bootstorm.dev/run-id": {}}}});
        let managers = json!([{"manager": "kubectl-bootstorm", "operation": "Update", "fieldsV1": fields}]);
        let lease = json!({"metadata": {"name": HEAD, "namespace": "default", "labels": labels, "managedFields": managers},
            "spec": {"holderIdentity": "x", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 60}});
        cluster.sandbox.store().create(&kind::LEASES, lease).unwrap();
        let before = everything(&cluster);
        let shown = cluster.run(&[&["cleanup", "--dry-run=client"], flags].concat()).exits(0);
        assert_eq!(everything(&cluster), before, "{shape:?}: a dry run changes nothing");
        let done = cluster.run(&[&["cleanup", "--yes"], flags].concat()).exits(0);
        let named = objects(&shown, " would be deleted");
        assert_eq!(named, objects(&done, " deleted"), "{shape:?}");
        assert!(named.contains(&format!("lease/{HEAD} -n default")), "{shape:?}: {named:?}");
        // Every deleted object was named, was in a named namespace, or belonged to a named VM.
        let after = everything(&cluster);
        for (word, namespace, name) in before.difference(&after) {
            let place = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
            let is_named = named.contains(&format!("{word}/{name}{place}"))
                || named.contains(&format!("namespace/{namespace}"))
                || ["event", "pod", "virtualmachineinstance", "controllerrevision"].contains(word)
                    && named.iter().any(|vm| vm.starts_with("virtualmachine/") && vm.ends_with(&place));
            assert!(is_named, "{shape:?}: {word}/{name}{place} is gone, and was not named: {named:?}");
        }
        assert!(get(&cluster, &kind::VIRTUAL_MACHINES, "team", "theirs").is_some());
    }
}

/// Kind, namespace and name of everything on a cluster, except for events.
fn everything(cluster: &Cluster) -> std::collections::BTreeSet<(&'static str, String, String)> {
    let of = |kind: &'static Kind| {
        let (objects, _) = cluster.sandbox.store().list(kind, None);
        objects.into_iter().map(|object| (kind.singular, object.namespace().into(), object.name().into()))
    };
    kind::all().iter().filter(|kind| !kind.is(&kind::EVENTS)).flat_map(|kind| of(kind)).collect()
}
