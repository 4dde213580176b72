//! A second writer while a client works.

use bootstorm_sandbox::faults::{MARK, read_text};
use bootstorm_sandbox::store::kind::{CONFIG_MAPS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use bootstorm_sandbox::store::{DeleteOptions, Kind};
use bootstorm_sandbox::value::{Value, json};

use super::cluster::{Cluster, MACHINES, machine};

/// A cluster with VMs `a` and `b`, an instance of `a`, a record, and a second writer.
async fn with(text: &str) -> Cluster {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        assert_eq!(cluster.post(MACHINES, &machine(name, "Halted")).await.code, 201);
    }
    let metadata = json!({"name": "a", "namespace": "default"});
    cluster.store.create(&VIRTUAL_MACHINE_INSTANCES, json!({"metadata": metadata})).unwrap();
    for (name, role) in [("record", "record"), ("other", "lock")] {
        let labels = json!({"bootstorm.dev/role": role});
        let metadata = json!({"name": name, "namespace": "default", "labels": labels});
        cluster.store.create(&CONFIG_MAPS, json!({"metadata": metadata})).unwrap();
    }
    for fault in read_text(text).unwrap() {
        cluster.faults.add(fault);
    }
    cluster
}

impl Cluster {
    fn value(&self, kind: &'static Kind, name: &str) -> Value {
        self.store.get(kind, "default", name).map(|object| object.to_value()).unwrap_or_default()
    }

    /// Waits until an object satisfies `holds`, and returns it.
    async fn changed(&self, kind: &'static Kind, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut changes = self.store.watch(kind, Some("default"), self.store.revision()).unwrap();
        loop {
            let value = self.value(kind, name);
            if holds(&value) {
                return value;
            }
            let next = tokio::time::timeout(std::time::Duration::from_secs(20), changes.next());
            next.await.expect("no change").unwrap();
        }
    }
}

#[tokio::test]
async fn a_write_in_between_makes_a_conflict() {
    let cluster =
        with("{effect: second-writer, what: annotate, count: 1, match: {verb: update, name: a}}").await;
    let path = format!("{MACHINES}/a");
    let mut vm = cluster.get(&path).await.json();
    vm["spec"]["runStrategy"] = json!("Always");
    let refused = cluster.put(&path, &vm).await;
    assert_eq!((refused.code.as_u16(), &refused.json()["reason"]), (409, &json!("Conflict")));
    let mut vm = cluster.get(&path).await.json();
    assert!(vm["metadata"]["annotations"][MARK].is_string());
    vm["spec"]["runStrategy"] = json!("Always");
    assert_eq!(cluster.put(&path, &vm).await.code, 200);
    // The ledger does not count the work of others.
    assert_eq!(cluster.server.ledger().machine("default", "a").starts.changes, 1);
}

#[tokio::test]
async fn what_is_meant_is_changed_by_the_clock() {
    let cluster = with(
        "
- {effect: second-writer, what: annotate, every: 5ms, match: {name: a}}
- {effect: second-writer, what: label, every: 5ms, match: {name: a}}
- {effect: second-writer, what: edit-record, every: 5ms}
",
    )
    .await;
    let marked = |value: &Value| value["metadata"]["annotations"][MARK].as_str().map(str::to_owned);
    let first = cluster.changed(&VIRTUAL_MACHINES, "a", |vm| marked(vm).is_some()).await;
    cluster.changed(&VIRTUAL_MACHINES, "a", |vm| marked(vm) != marked(&first)).await;
    cluster.changed(&VIRTUAL_MACHINES, "a", |vm| vm["metadata"]["labels"][MARK].is_string()).await;
    cluster.changed(&CONFIG_MAPS, "record", |record| marked(record).is_some()).await;
    assert_eq!(marked(&cluster.value(&VIRTUAL_MACHINES, "b")), None);
    assert_eq!(marked(&cluster.value(&CONFIG_MAPS, "other")), None);
}

#[tokio::test]
async fn machines_are_flipped_held_and_deleted() {
    let cluster = with(
        "
- {effect: second-writer, what: flip, match: {name: a}}
- {effect: second-writer, what: delete-instance, match: {name: a}}
- {effect: second-writer, what: hold, match: {name: b}}
- {effect: second-writer, what: delete, after: 20ms, match: {name: a}}
",
    )
    .await;
    cluster.changed(&VIRTUAL_MACHINE_INSTANCES, "a", Value::is_null).await;
    cluster.changed(&VIRTUAL_MACHINES, "b", |vm| vm["metadata"]["finalizers"].is_array()).await;
    cluster.changed(&VIRTUAL_MACHINES, "a", Value::is_null).await;
    let (past, _) = cluster.store.list(&VIRTUAL_MACHINES, Some("default"));
    assert_eq!(past.len(), 1);
    let deleted = cluster.store.delete(&VIRTUAL_MACHINES, "default", "b", &DeleteOptions::default());
    assert!(deleted.unwrap().object().is_deleting() && !cluster.value(&VIRTUAL_MACHINES, "b").is_null());
    let flipped = with("{effect: second-writer, what: flip, match: {name: a}}").await;
    flipped.changed(&VIRTUAL_MACHINES, "a", |vm| vm["spec"]["runStrategy"] == "Always").await;
}
