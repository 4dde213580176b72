//! The objects of a storm in protocol buffers: nothing of them is lost.

use bootstorm_engine::cluster::launchers::Pod;
use bootstorm_engine::cluster::metadata::Watched;
use bootstorm_engine::cluster::notices::CoreEvent;

use crate::api::{from_protobuf, opened, to_protobuf};
use crate::value::{Value, json};

use super::stage::{Stage, machine};
use crate::store::kind::{EVENTS, JOBS, MIGRATIONS, NAMESPACES, PODS, STORAGE_CLASSES};

/// What Go writes for none, and leaves out.
fn is_none(value: &Value) -> bool {
    let zeros = [json!(null), json!(false), json!(0), json!(""), json!([]), json!({})];
    zeros.contains(value)
}

/// The paths at which two values differ by more than a field that says nothing.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    if let (Some(fields), Some(others)) = (one.as_object(), other.as_object()) {
        for name in fields.keys().chain(others.keys().filter(|name| !fields.contains_key(name))) {
            match (fields.get(name), others.get(name)) {
                (Some(one), Some(other)) => differences(&format!("{path}.{name}"), one, other, found),
                (Some(only), None) | (None, Some(only)) if is_none(only) => {}
                _ => found.push(format!("{path}.{name}")),
            }
        }
        return;
    }
    if let (Some(items), Some(others)) = (one.as_array(), other.as_array())
        && items.len() == others.len()
    {
        for (one, other) in items.iter().zip(others) {
            differences(&format!("{path}[]"), one, other, found);
        }
        return;
    }
    if one != other {
        found.push(format!("{path}: {one} became {other}"));
    }
}

/// How the engine reads an object, in JSON and in protocol buffers.
fn read<T: Watched + std::fmt::Debug>(object: &Value, sent: &[u8]) -> (String, String) {
    let decode = T::DECODER.expect("a decoder");
    let text: Result<T, _> = serde_json::from_str(&object.to_string());
    (format!("{:?}", text.ok()), format!("{:?}", decode(opened(sent)).ok()))
}

#[tokio::test(start_paused = true)]
async fn pods_and_events_of_a_storm_are_the_same_in_both_forms() {
    let stage = Stage::named("default", 2);
    stage.namespace("a");
    let class = json!({
        "metadata": {"name": "pool", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "sandbox", "volumeBindingMode": "Immediate",
    });
    stage.store.create(&STORAGE_CLASSES, class).expect("a class");
    stage.create("a", machine("container", "Always")).await;
    let mut disk = machine("disk", "Always");
    disk["spec"]["dataVolumeTemplates"] = json!([{"metadata": {"name": "root"},
        "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "5Gi"}}}}}]);
    disk["spec"]["template"]["spec"]["volumes"] = json!([{"name": "root", "dataVolume": {"name": "root"}}]);
    stage.create("a", disk).await;
    let mut large = machine("large", "Always");
    large["spec"]["template"]["spec"]["domain"]["memory"]["guest"] = json!("900Gi");
    stage.create("a", large).await;
    let job = json!({"metadata": {"name": "job", "namespace": "a"}, "spec": {"template": {"spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "c", "image": "busybox", "command": ["sh", "-c", "exit 3"]}]}}}});
    stage.store.create(&JOBS, job).expect("a Job");
    for vm in ["container", "disk"] {
        stage.until_status("a", vm, "Running").await;
    }
    let migration = json!({"metadata": {"name": "move", "namespace": "a"}, "spec": {"vmiName": "container"}});
    stage.store.create(&MIGRATIONS, migration).expect("a migration");
    stage.clock.sleep(120.0).await;
    for vm in ["container", "disk", "large"] {
        stage.power("a", vm, "Halted").await;
    }
    stage.clock.sleep(120.0).await;
    let (mut found, mut read_at_all) = (Vec::new(), 0);
    for kind in [&PODS, &EVENTS, &JOBS, &NAMESPACES] {
        let changes = stage.of(kind);
        let (mut texts, mut messages) = (0, 0);
        for change in &changes {
            let object = change.object.value();
            let sent = to_protobuf(object);
            texts += change.object.json().len();
            messages += sent.len();
            let back = from_protobuf(&sent).expect("an object");
            differences(kind.plural, object, &back, &mut found);
            let (text, message) = match kind.kind {
                "Pod" => read::<Pod>(object, &sent),
                "Event" => read::<CoreEvent>(object, &sent),
                _ => continue,
            };
            assert_eq!(text, message, "{object}");
            read_at_all += usize::from(text != "None");
        }
        assert!(!changes.is_empty() && messages * 4 < texts * 3, "{}: {messages} of {texts} B", kind.plural);
    }
    assert!(read_at_all > 100, "{read_at_all}");
    found.sort();
    found.dedup();
    assert_eq!(found, Vec::<String>::new());
}
