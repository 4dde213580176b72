//! End-to-end tests of the store: creation, change and deletion of objects, with a consistent view for all readers.

use crate::value::json;

use super::kind::{NAMESPACES, PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES};
use super::*;

fn store() -> Store {
    let store = Store::new();
    store.create(&NAMESPACES, json!({"metadata": {"name": "a"}})).unwrap();
    store.create(&NAMESPACES, json!({"metadata": {"name": "b"}})).unwrap();
    store
}

fn vm(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"runStrategy": "Halted"}})
}

#[test]
fn a_new_object_gets_an_identity() {
    let store = store();
    let object = store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    let metadata = &object.value()["metadata"];
    assert_eq!(object.value()["kind"], "VirtualMachine");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["creationTimestamp"].as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
    assert_eq!(object.revision(), store.revision());
    assert_eq!(store.get(&VIRTUAL_MACHINES, "a", "vm1").unwrap().uid(), object.uid());
    let again = store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap_err();
    assert_eq!(again.to_string(), "virtualmachines.kubevirt.io \"vm1\" already exists");
    let nowhere = store.create(&VIRTUAL_MACHINES, vm("c", "vm1")).unwrap_err();
    assert_eq!(nowhere, StoreError::NoNamespace { namespace: "c".into() });
}

#[test]
fn a_namespace_on_its_way_out_takes_nothing_new() {
    let store = store();
    let deleted = store.delete(&NAMESPACES, "", "a", &DeleteOptions::default()).unwrap();
    let Deleted::Marked(namespace) = deleted else { panic!("a namespace waits for its controller") };
    assert_eq!(namespace.value()["status"]["phase"], "Terminating");
    assert!(matches!(
        store.create(&VIRTUAL_MACHINES, vm("a", "x")),
        Err(StoreError::NamespaceTerminating { .. })
    ));
    assert!(store.remove(&NAMESPACES, "", "a", namespace.uid()));
    assert!(store.get(&NAMESPACES, "", "a").is_none());
}

#[test]
fn a_change_that_changes_nothing_is_no_event() {
    let store = store();
    let object = store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    let same = store
        .modify(&VIRTUAL_MACHINES, "a", "vm1", |vm| vm["spec"]["runStrategy"] = json!("Halted"))
        .unwrap();
    assert_eq!(same.revision(), object.revision());
    let changed =
        store.modify(&VIRTUAL_MACHINES, "a", "vm1", |vm| vm["spec"]["runStrategy"] = json!("Always"));
    assert!(changed.unwrap().revision() > object.revision());
    assert!(store.modify(&VIRTUAL_MACHINES, "a", "none", |_| ()).is_none());
}

#[test]
fn a_refused_change_leaves_the_object_alone() {
    let store = store();
    let object = store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    let refused = store.update(&VIRTUAL_MACHINES, "a", "vm1", |vm| {
        vm["spec"] = json!({});
        Err("no")
    });
    assert_eq!(refused.unwrap_err(), UpdateError::Refused("no"));
    assert_eq!(store.get(&VIRTUAL_MACHINES, "a", "vm1").unwrap().revision(), object.revision());
}

#[test]
fn the_last_finalizer_takes_the_object_along() {
    let store = store();
    let mut object = vm("a", "vm1");
    object["metadata"]["finalizers"] = json!(["x"]);
    store.create(&VIRTUAL_MACHINES, object).unwrap();
    let marked = store.delete(&VIRTUAL_MACHINES, "a", "vm1", &DeleteOptions::default()).unwrap();
    assert!(matches!(&marked, Deleted::Marked(object) if object.is_deleting()));
    let again = store.delete(&VIRTUAL_MACHINES, "a", "vm1", &DeleteOptions::default()).unwrap();
    assert_eq!(again.object().revision(), marked.object().revision());
    store.modify(&VIRTUAL_MACHINES, "a", "vm1", |vm| vm["metadata"]["finalizers"] = json!([]));
    assert!(store.get(&VIRTUAL_MACHINES, "a", "vm1").is_none());
}

#[test]
fn a_pod_on_a_node_waits_for_its_kubelet() {
    let store = store();
    let pod = |name: &str, node: &str| json!({"metadata": {"namespace": "a", "name": name}, "spec": {"nodeName": node, "terminationGracePeriodSeconds": 60}});
    store.create(&PODS, pod("bound", "n")).unwrap();
    store.create(&PODS, pod("free", "")).unwrap();
    let bound = store.delete(&PODS, "a", "bound", &DeleteOptions::default()).unwrap();
    assert!(
        matches!(&bound, Deleted::Marked(pod) if pod.value()["metadata"]["deletionGracePeriodSeconds"] == 60)
    );
    store.modify(&PODS, "a", "bound", |pod| pod["status"]["phase"] = json!("Failed"));
    assert!(store.get(&PODS, "a", "bound").is_some());
    assert!(store.remove(&PODS, "a", "bound", bound.object().uid()));
    let free = store.delete(&PODS, "a", "free", &DeleteOptions::default()).unwrap();
    assert!(matches!(free, Deleted::Removed(_)));
}

#[test]
fn a_deletion_may_insist_on_the_identity() {
    let store = store();
    store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    let options = DeleteOptions { uid: Some("other".into()), ..DeleteOptions::default() };
    let error = store.delete(&VIRTUAL_MACHINES, "a", "vm1", &options).unwrap_err();
    assert!(error.to_string().contains("UID in precondition: other, UID in object meta: "), "{error}");
}

#[test]
fn owners_find_their_dependents() {
    let store = store();
    let mut vmi = vm("a", "vm1");
    vmi["metadata"]["ownerReferences"] = json!([{"uid": "owner"}]);
    store.create(&VIRTUAL_MACHINE_INSTANCES, vmi).unwrap();
    assert_eq!(store.owned_by(&VIRTUAL_MACHINE_INSTANCES, "owner").len(), 1);
    store
        .modify(&VIRTUAL_MACHINE_INSTANCES, "a", "vm1", |vmi| vmi["metadata"]["ownerReferences"] = json!([]));
    assert!(store.owned_by(&VIRTUAL_MACHINE_INSTANCES, "owner").is_empty());
}

#[test]
fn the_past_can_be_listed() {
    let store = store();
    store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    store.create(&VIRTUAL_MACHINES, vm("b", "vm2")).unwrap();
    let (now, revision) = store.list(&VIRTUAL_MACHINES, None);
    store.delete(&VIRTUAL_MACHINES, "a", "vm1", &DeleteOptions::default()).unwrap();
    store.modify(&VIRTUAL_MACHINES, "b", "vm2", |vm| vm["spec"] = json!({}));
    store.create(&VIRTUAL_MACHINES, vm("a", "vm3")).unwrap();
    let then = store.list_at(&VIRTUAL_MACHINES, None, revision).unwrap();
    let versions = |objects: &[Object]| objects.iter().map(|object| object.revision()).collect::<Vec<_>>();
    assert_eq!(versions(&then), versions(&now));
    assert!(store.list_at(&VIRTUAL_MACHINES, None, 1).is_err());
}

#[tokio::test]
async fn a_watcher_sees_every_change_in_order() {
    let store = store();
    let (_, revision) = store.list(&VIRTUAL_MACHINES, None);
    let mut everywhere = store.watch(&VIRTUAL_MACHINES, None, revision).unwrap();
    let mut in_b = store.watch(&VIRTUAL_MACHINES, Some("b"), revision).unwrap();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..50 {
            writer
                .create(&VIRTUAL_MACHINES, vm(if n % 2 == 0 { "a" } else { "b" }, &format!("vm{n}")))
                .unwrap();
            tokio::task::yield_now().await;
        }
        writer.delete(&VIRTUAL_MACHINES, "a", "vm0", &DeleteOptions::default()).unwrap();
    });
    let mut seen = Vec::new();
    while seen.len() < 51 {
        seen.extend(everywhere.next().await.unwrap());
    }
    writing.await.unwrap();
    assert!(seen.is_sorted_by(|a, b| a.revision < b.revision));
    assert_eq!(seen.last().unwrap().action, Action::Deleted);
    let mut in_b_seen = Vec::new();
    while in_b_seen.len() < 25 {
        in_b_seen.extend(in_b.next().await.unwrap());
    }
    assert!(in_b_seen.iter().all(|entry| entry.object.namespace() == "b"));
}

#[tokio::test]
async fn history_that_has_expired_cannot_be_watched() {
    let store = store();
    let from = store.revision();
    let mut late = store.watch(&VIRTUAL_MACHINES, None, from).unwrap();
    store.create(&VIRTUAL_MACHINES, vm("a", "vm1")).unwrap();
    let mut current = store.watch(&VIRTUAL_MACHINES, None, store.revision()).unwrap();
    store.expire();
    assert!(late.next().await.is_err());
    assert!(store.watch(&VIRTUAL_MACHINES, None, from).is_err());
    store.create(&VIRTUAL_MACHINES, vm("a", "vm2")).unwrap();
    assert_eq!(current.next().await.unwrap().len(), 1);
}

#[test]
fn generated_names_never_collide() {
    let store = store();
    for _ in 0..200 {
        store.create(&PODS, json!({"metadata": {"namespace": "a", "generateName": "p-"}})).unwrap();
    }
    assert_eq!(store.list(&PODS, Some("a")).0.len(), 200);
}

#[test]
fn the_truth_file_has_a_line_for_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truth");
    let store = store();
    store.set_truth(&path).unwrap();
    store.create(&VIRTUAL_MACHINE_INSTANCES, vm("a", "vm1")).unwrap();
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    store.modify(&VIRTUAL_MACHINE_INSTANCES, "a", "vm1", |vmi| vmi["status"] = ready);
    store.delete(&VIRTUAL_MACHINE_INSTANCES, "a", "vm1", &DeleteOptions::default()).unwrap();
    store.close_truth();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|line| line["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["added", "modified", "deleted"]
    );
    assert_eq!((&lines[0]["ready"], &lines[1]["ready"]), (&Value::Null, &json!(true)));
    assert_eq!(lines[1]["phase"], "Running");
    assert!(lines.is_sorted_by(|a, b| a["at"].as_i64() <= b["at"].as_i64()));
}

#[test]
fn what_is_old_is_folded_and_still_there() {
    let store = store();
    let first = store.create(&VIRTUAL_MACHINES, vm("a", "first")).unwrap();
    let from = store.revision();
    for number in 0..9_000 {
        store.create(&VIRTUAL_MACHINES, vm("b", &format!("vm{number}"))).unwrap();
    }
    store.modify(&VIRTUAL_MACHINES, "a", "first", |vm| vm["spec"] = json!({}));
    let mut watcher = store.watch(&VIRTUAL_MACHINES, None, from).unwrap();
    let mut seen = 0;
    while seen < 9_001 {
        let entries = watcher.ready().unwrap();
        assert!(entries.iter().all(|entry| entry.object.value()["metadata"]["name"] == entry.object.name()));
        seen += entries.len();
    }
    let then = store.list_at(&VIRTUAL_MACHINES, Some("a"), from).unwrap();
    assert_eq!(then[0].value(), first.value());
}
