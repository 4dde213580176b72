//! Manifest of one VM: the template with consistent name, namespace and labels.

use serde_json::{Map, Value, json};

use super::identity::{self, Index};
use super::metadata::{Labels, add_labels, child, child_map, forget_original};
use super::{Target, Template};

/// Run strategy of a VM that is not started.
pub const HALTED: &str = "Halted";
/// Annotation that makes CDI fill a disk whose storage class would wait for its first consumer.
const IMMEDIATE: &str = "cdi.kubevirt.io/storage.bind.immediate.requested";

/// Position of a VM in the plan
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Its position, which selects its claim in a pool.
    pub position: usize,
    /// Whether other VMs share the namespace, so that its disks need distinct names.
    pub is_shared: bool,
    /// Its index, for placeholders.
    pub index: Index,
}

impl Template {
    /// Renders the manifest for one target.
    ///
    /// Sets name and namespace, puts `labels` on the VM, on the VMI template (only those reach the VMI and its launcher
    /// pod) and on every `DataVolume` template, and makes the names of `DataVolumes` unique to the VM if the template's
    /// own VM name is part of them. `run_strategy` replaces the template's power setting.
    pub fn render(&self, target: &Target, labels: &Labels, run_strategy: &str) -> Value {
        self.render_at(Place::default(), target, labels, run_strategy)
    }

    /// Renders the manifest for the target at a place in the plan.
    ///
    /// The disks of a VM that is not started are filled nevertheless, whatever their storage class waits for.
    pub fn render_at(&self, place: Place, target: &Target, labels: &Labels, run_strategy: &str) -> Value {
        let mut vm = self.manifest().clone();
        let member = place.position.checked_rem(self.pool.len()).and_then(|place| self.pool.get(place));
        if let Some(claim) = vm.pointer_mut("/spec/dataVolumeTemplates/0/spec/source/pvc/name")
            && let Some(member) = member
        {
            *claim = json!(member);
        }
        let original = vm.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        // That it fits was checked before anything was sent.
        let _ = identity::fill(&mut vm, place.index);
        let metadata = child(&mut vm, "metadata");
        forget_original(metadata);
        let rename = |old: &str| new_name(old, (&original, &target.name), place.is_shared);
        let by_harvester = identity::rename_harvester_claims(metadata, rename);
        metadata.insert("name".into(), json!(target.name));
        metadata.insert("namespace".into(), json!(target.namespace));
        add_labels(metadata, labels);
        child_map(child(&mut vm, "spec"), "template");
        if let Some(template) = vm.pointer_mut("/spec/template") {
            let metadata = child(template, "metadata");
            forget_original(metadata);
            add_labels(metadata, labels);
        }
        if let Some(root) = vm.as_object_mut() {
            root.remove("status");
        }
        let spec = child(&mut vm, "spec");
        spec.remove("running");
        spec.insert("runStrategy".into(), json!(run_strategy));
        let renamed = label_volumes(spec, labels, (&original, &target.name), place.is_shared);
        for (old, new) in renamed.into_iter().chain(by_harvester) {
            point_volumes_at(spec, &old, &new);
        }
        if run_strategy == HALTED {
            fill_at_once(spec);
        }
        vm
    }
}

/// New name of a VM's disk; `None` if it keeps the template's.
fn new_name(old: &str, (original, name): (&str, &str), is_shared: bool) -> Option<String> {
    let new = if !original.is_empty() && old.contains(original) {
        old.replace(original, name)
    } else if is_shared {
        format!("{name}-{old}")
    } else {
        return None;
    };
    (new != old).then_some(new)
}

/// Allows disks to be filled before their first consumer.
fn fill_at_once(spec: &mut Map<String, Value>) {
    let templates = spec.get_mut("dataVolumeTemplates").and_then(Value::as_array_mut);
    for template in templates.into_iter().flatten() {
        child_map(child(template, "metadata"), "annotations").insert(IMMEDIATE.into(), json!("true"));
    }
}

/// Labels the `DataVolume` templates; returns changed names as pairs of old and new.
fn label_volumes(
    spec: &mut Map<String, Value>,
    labels: &Labels,
    (original, name): (&str, &str),
    is_shared: bool,
) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    let templates = spec.get_mut("dataVolumeTemplates").and_then(Value::as_array_mut);
    for template in templates.into_iter().flatten() {
        let metadata = child(template, "metadata");
        metadata.remove("namespace");
        forget_original(metadata);
        add_labels(metadata, labels);
        let Some(old) = metadata.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
        if let Some(new) = new_name(&old, (original, name), is_shared) {
            metadata.insert("name".into(), json!(new));
            renamed.push((old, new));
        }
    }
    renamed
}

/// Makes volumes that used the `DataVolume` `old` use `new`.
fn point_volumes_at(spec: &mut Map<String, Value>, old: &str, new: &str) {
    let volumes = spec.get_mut("template").and_then(|t| t.pointer_mut("/spec/volumes"));
    for volume in volumes.and_then(Value::as_array_mut).into_iter().flatten() {
        for pointer in ["/dataVolume/name", "/persistentVolumeClaim/claimName"] {
            if let Some(name) = volume.pointer_mut(pointer).filter(|name| name.as_str() == Some(old)) {
                *name = json!(new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: golden
  namespace: elsewhere
  labels: {app: mine}
  annotations: {note: mine, kubectl.kubernetes.io/last-applied-configuration: 'all of it'}
  resourceVersion: '5'
spec:
  running: false
  dataVolumeTemplates:
  - metadata: {name: golden-root, namespace: elsewhere}
    spec: {storage: {resources: {requests: {storage: 1Gi}}}, source: {blank: {}}}
  template:
    metadata: null
    spec:
      domain: {devices: {}}
      volumes:
      - {name: root, dataVolume: {name: golden-root}}
      - {name: init, cloudInitNoCloud: {userData: 'name: golden'}}
status: {printableStatus: Running}
";

    #[test]
    fn disks_of_a_halted_vm_do_not_wait_for_it() {
        let template = Template::parse(TEMPLATE).unwrap();
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        let annotation = |strategy| {
            let vm = template.render(&target, &vec![], strategy);
            vm["spec"]["dataVolumeTemplates"][0]["metadata"]["annotations"][IMMEDIATE].clone()
        };
        assert_eq!((annotation("Halted"), annotation("Always")), (json!("true"), Value::Null));
    }

    #[test]
    fn disks_in_a_shared_namespace_have_names_of_their_own() {
        let disk = |name: &str, is_shared| {
            let template = Template::parse(&TEMPLATE.replace("golden-root", name)).unwrap();
            let target = Target { namespace: "p-1".into(), name: "vm-7".into() };
            let vm = template.render_at(
                Place { position: 6, is_shared, ..Place::default() },
                &target,
                &vec![],
                "Always",
            );
            let used = vm["spec"]["template"]["spec"]["volumes"][0]["dataVolume"]["name"].clone();
            assert_eq!(vm["spec"]["dataVolumeTemplates"][0]["metadata"]["name"], used);
            used
        };
        assert_eq!([disk("root", false), disk("root", true)], ["root", "vm-7-root"]);
        assert_eq!([disk("golden-root", false), disk("golden-root", true)], ["vm-7-root", "vm-7-root"]);
    }

    #[test]
    fn what_belongs_to_the_exported_object_is_not_put_onto_new_ones() {
        let exported = TEMPLATE
            .replace(
                "  resourceVersion: '5'",
                "  resourceVersion: '5'\n  generation: 7\n  uid: u\n  finalizers: [wrangler.cattle.io/x]\n  deletionTimestamp: now
  ownerReferences: [{kind: Backup, name: b, uid: x, apiVersion: v1}]\n  selfLink: /apis",
            )
            .replace("{note: mine,", "{note: mine, kubevirt.io/latest-observed-api-version: v1, kubevirt.io/storage-observed-api-version: v1,")
            .replace("metadata: {name: golden-root, namespace: elsewhere}", "metadata: {name: golden-root, creationTimestamp: null, finalizers: [x/y], ownerReferences: [{uid: x}]}")
            .replace("metadata: null", "metadata: {creationTimestamp: null, finalizers: [x/y]}");
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        let plain = Template::parse(TEMPLATE).unwrap().render(&target, &vec![], "Always");
        assert_eq!(Template::parse(&exported).unwrap().render(&target, &vec![], "Always"), plain);
    }

    #[test]
    fn name_namespace_and_labels_are_set_consistently() {
        let template = Template::parse(TEMPLATE).unwrap();
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        let vm = template.render(&target, &vec![("run".into(), "p".into())], "Always");
        assert_eq!(
            vm["metadata"],
            json!({"name": "vm", "namespace": "p-1", "labels": {"app": "mine", "run": "p"}, "annotations": {"note": "mine"}})
        );
        assert_eq!(vm["spec"]["runStrategy"], "Always");
        assert!(vm["spec"].get("running").is_none() && vm.get("status").is_none());
        assert_eq!(vm["spec"]["template"]["metadata"]["labels"]["run"], "p");
        assert_eq!(
            vm["spec"]["dataVolumeTemplates"][0]["metadata"],
            json!({"name": "vm-root", "labels": {"run": "p"}})
        );
        assert_eq!(vm["spec"]["template"]["spec"]["volumes"][0]["dataVolume"]["name"], "vm-root");
        assert_eq!(
            vm["spec"]["template"]["spec"]["volumes"][1]["cloudInitNoCloud"]["userData"],
            "name: golden"
        );
    }
}
