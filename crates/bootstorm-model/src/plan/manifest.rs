//! Manifest of one VM: the template with consistent name, namespace and labels.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::identity::{self, Index};
use super::layout::INDEX;
use super::metadata::{Labels, add_labels, child, child_map, forget_original};
use super::{Plan, Target, Template};

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
        let mut names = DiskNames {
            original: &original,
            name: &target.name,
            is_shared: place.is_shared,
            taken: HashSet::new(),
        };
        let by_harvester = identity::rename_harvester_claims(metadata, |old| names.rename(old));
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
        let renamed = label_volumes(spec, labels, &mut names);
        point_volumes(spec, &renamed.into_iter().chain(by_harvester).collect());
        if run_strategy == HALTED {
            fill_at_once(spec);
        }
        vm
    }
}

/// Names of the disks created with one VM
#[derive(Debug)]
struct DiskNames<'a> {
    /// Name of the template's VM.
    original: &'a str,
    /// Name of the VM.
    name: &'a str,
    /// Whether other VMs share the namespace.
    is_shared: bool,
    taken: HashSet<String>,
}

impl DiskNames<'_> {
    /// New name of a disk; `None` if it keeps the template's.
    fn rename(&mut self, old: &str) -> Option<String> {
        let wanted = if let Some(new) = with_word(old, self.original, self.name) {
            new
        } else if self.is_shared {
            format!("{}-{old}", self.name)
        } else {
            old.to_owned()
        };
        // Of `golden` both `golden-root` and `root` become `vm-7-root`.
        let mut new = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(new.clone()) {
            new = format!("{wanted}-{number}");
            number += 1;
        }
        (new != old).then_some(new)
    }
}

/// A name with this word of it replaced, wherever it stands between dashes or dots; `None` if it does not.
///
/// Parts of words stay: of the disks `db` and `db1` of VM `db`, only the first one has its name.
fn with_word(name: &str, word: &str, by: &str) -> Option<String> {
    if word.is_empty() {
        return None;
    }
    let ends = |text: &str, is_before: bool| {
        let beside = if is_before { text.chars().next_back() } else { text.chars().next() };
        beside.is_none_or(|character| !character.is_ascii_alphanumeric())
    };
    let (mut new, mut rest, mut is_found) = (String::new(), name, false);
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let so_far = name.len() - rest.len() + at;
        new.push_str(before);
        let is_word = ends(&name[..so_far], true) && ends(after, false);
        new.push_str(if is_word { by } else { word });
        is_found |= is_word;
        rest = after;
    }
    new.push_str(rest);
    is_found.then_some(new)
}

/// A disk that two VMs of a plan would create in one namespace, and the VMs; `None` if there is none.
pub fn clash(plan: &Plan, manifest: &Value) -> Option<(String, [Target; 2])> {
    let original = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let created = manifest.pointer("/spec/dataVolumeTemplates").and_then(Value::as_array);
    let created: Vec<&str> =
        created.into_iter().flatten().filter_map(|template| template["metadata"]["name"].as_str()).collect();
    let by_harvester = identity::harvester_claims(manifest);
    let width = plan.layout.index_width as usize;
    let mut seen: HashMap<(String, String), Target> = HashMap::new();
    for (position, target) in plan.targets().into_iter().enumerate() {
        let index = format!("{:0width$}", plan.start as usize + position);
        let mut names = DiskNames {
            original,
            name: &target.name,
            is_shared: plan.layout.is_shared(),
            taken: HashSet::new(),
        };
        for name in by_harvester.iter().map(String::as_str).chain(created.iter().copied()) {
            let filled = name.replace(INDEX, &index);
            let disk = names.rename(&filled).unwrap_or(filled);
            if let Some(other) = seen.insert((target.namespace.clone(), disk.clone()), target.clone()) {
                return Some((disk, [other, target]));
            }
        }
    }
    None
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
    names: &mut DiskNames<'_>,
) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    let templates = spec.get_mut("dataVolumeTemplates").and_then(Value::as_array_mut);
    for template in templates.into_iter().flatten() {
        let metadata = child(template, "metadata");
        metadata.remove("namespace");
        forget_original(metadata);
        add_labels(metadata, labels);
        let Some(old) = metadata.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
        if let Some(new) = names.rename(&old) {
            metadata.insert("name".into(), json!(new));
            renamed.push((old, new));
        }
    }
    renamed
}

/// Makes volumes use the new names of their disks, by the old ones.
///
/// All at once: the new name of one disk may be the old name of another.
fn point_volumes(spec: &mut Map<String, Value>, renamed: &HashMap<String, String>) {
    let volumes = spec.get_mut("template").and_then(|t| t.pointer_mut("/spec/volumes"));
    for volume in volumes.and_then(Value::as_array_mut).into_iter().flatten() {
        for pointer in [
            "/dataVolume/name",
            "/persistentVolumeClaim/claimName",
            "/ephemeral/persistentVolumeClaim/claimName",
        ] {
            let Some(name) = volume.pointer_mut(pointer) else { continue };
            if let Some(new) = name.as_str().and_then(|old| renamed.get(old)) {
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

    /// The disks created for VM 7 in a shared namespace or not, and those that its volumes use.
    fn disks(manifest: &Value, is_shared: bool) -> [Vec<String>; 2] {
        let template = Template::parse(&manifest.to_string()).unwrap();
        let target = Target { namespace: "p-1".into(), name: "vm-7".into() };
        let place = Place { position: 6, is_shared, index: Index { number: 7, width: 2 } };
        let vm = template.render_at(place, &target, &vec![], "Always");
        let names = |list: &Value, pointers: &[&str]| {
            let name = |one: &Value| {
                pointers.iter().find_map(|pointer| one.pointer(pointer)?.as_str().map(str::to_owned))
            };
            list.as_array().into_iter().flatten().filter_map(name).collect()
        };
        [
            names(&vm["spec"]["dataVolumeTemplates"], &["/metadata/name"]),
            names(
                &vm["spec"]["template"]["spec"]["volumes"],
                &[
                    "/dataVolume/name",
                    "/persistentVolumeClaim/claimName",
                    "/ephemeral/persistentVolumeClaim/claimName",
                ],
            ),
        ]
    }

    fn with_disks(created: &[&str], volumes: &Value) -> Value {
        let blank = |name: &&str| json!({"metadata": {"name": name}, "spec": {"source": {"blank": {}}}});
        json!({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "golden"}, "spec": {
            "dataVolumeTemplates": created.iter().map(blank).collect::<Vec<_>>(),
            "template": {"spec": {"domain": {"devices": {}}, "volumes": volumes}},
        }})
    }

    #[test]
    fn a_disk_has_the_name_of_its_vm_only_between_dashes() {
        let named = |disk, vm| with_word(disk, vm, "vm-7");
        assert_eq!(named("db", "db").as_deref(), Some("vm-7"));
        assert_eq!(named("db-root.db", "db").as_deref(), Some("vm-7-root.vm-7"));
        assert_eq!(named("my-db-db1", "db").as_deref(), Some("my-vm-7-db1"));
        for (disk, vm) in [("db1", "db"), ("mydb", "db"), ("webdata2", "web"), ("x", ""), ("dbdb", "db")] {
            assert_eq!(named(disk, vm), None, "{disk}");
        }
    }

    #[test]
    fn two_vms_never_create_one_disk() {
        use crate::plan::TemplateSource;
        let mut plan = Plan::resolve("p", 1, 12, "vm", TemplateSource::Blank).unwrap();
        plan.layout.vms_per_namespace = 12;
        let clash = |disks: &[&str], plan: &Plan| {
            let manifest = with_disks(disks, &json!([]));
            super::clash(plan, &manifest).map(|(disk, vms)| (disk, vms.map(|vm| vm.name)))
        };
        // Names that begin like that of the VM: `golden1` of VM 1 is not the boot disk of VM 11.
        assert_eq!(clash(&["golden", "golden1", "root"], &plan), None);
        plan.vm_name = "vm-{i}".into();
        let vms = ["vm-1".to_owned(), "vm-2".to_owned()];
        assert_eq!(
            clash(&["vm-2-golden", "golden-vm-1"], &plan),
            Some(("vm-2-vm-1".to_owned(), vms)),
            "a name that is made to collide"
        );
        plan.layout.vms_per_namespace = 1;
        assert_eq!(clash(&["vm-2-golden", "golden-vm-1"], &plan), None, "each has its own namespace");
    }

    #[test]
    fn every_kind_of_volume_follows_its_disk() {
        let volumes = json!([
            {"name": "a", "dataVolume": {"name": "golden-a"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "golden-b"}},
            {"name": "c", "ephemeral": {"persistentVolumeClaim": {"claimName": "golden-c"}}},
        ]);
        for is_shared in [false, true] {
            let [created, used] =
                disks(&with_disks(&["golden-a", "golden-b", "golden-c"], &volumes), is_shared);
            assert_eq!(created, ["vm-7-a", "vm-7-b", "vm-7-c"]);
            assert_eq!(used, created);
        }
    }

    #[test]
    fn two_disks_of_a_vm_never_get_one_name() {
        let volumes = json!([
            {"name": "a", "dataVolume": {"name": "golden-root"}}, {"name": "b", "dataVolume": {"name": "root"}},
        ]);
        for (created, is_shared, names) in [
            (["golden-root", "root"], true, ["vm-7-root", "vm-7-root-2"]),
            (["root", "golden-root"], true, ["vm-7-root-2", "vm-7-root"]),
            (["golden-root", "root"], false, ["vm-7-root", "root"]),
        ] {
            let [made, mut used] = disks(&with_disks(&created, &volumes), is_shared);
            if created[0] == "root" {
                used.reverse();
            }
            assert_eq!(made, used);
            assert_eq!(used.iter().collect::<HashSet<_>>().len(), 2);
            assert!(names.iter().all(|name| made.iter().any(|made| made == name)), "{made:?}");
        }
        // The new name of one is the old name of another, which is not renamed once more.
        let volumes = json!([
            {"name": "a", "dataVolume": {"name": "golden-root"}}, {"name": "b", "dataVolume": {"name": "vm-7-root"}},
        ]);
        let [made, used] = disks(&with_disks(&["golden-root", "vm-7-root"], &volumes), false);
        assert_eq!(made, ["vm-7-root", "vm-7-root-2"]);
        assert_eq!(used, made);
    }

    #[test]
    fn the_index_is_filled_in_a_disk_and_in_its_volume() {
        let volumes = json!([
            {"name": "a", "dataVolume": {"name": "disk-{i}"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "golden-{i}"}},
        ]);
        for (is_shared, names) in [(false, ["disk-07", "vm-7-07"]), (true, ["vm-7-disk-07", "vm-7-07"])] {
            let [made, used] = disks(&with_disks(&["disk-{i}", "golden-{i}"], &volumes), is_shared);
            assert_eq!(made, names);
            assert_eq!(used, made);
        }
    }

    #[test]
    fn the_index_is_filled_in_the_claims_of_harvester() {
        let mut manifest =
            with_disks(&[], &json!([{"name": "a", "persistentVolumeClaim": {"claimName": "disk-{i}"}}]));
        let claims = json!([{"metadata": {"name": "disk-{i}"}}]).to_string();
        manifest["metadata"]["annotations"] = json!({identity::HARVESTER_CLAIMS: claims});
        let template = Template::parse(&manifest.to_string()).unwrap();
        let target = Target { namespace: "p-1".into(), name: "vm-7".into() };
        let place = Place { index: Index { number: 7, width: 2 }, ..Place::default() };
        let vm = template.render_at(place, &target, &vec![], "Always");
        assert_eq!(identity::harvester_claims(&vm), ["disk-07"]);
        let volume = &vm["spec"]["template"]["spec"]["volumes"][0];
        assert_eq!(volume["persistentVolumeClaim"]["claimName"], "disk-07");
    }

    #[test]
    fn what_kubevirt_noted_of_the_exported_vm_is_dropped_and_said() {
        let volumes = json!([
            {"name": "a", "containerDisk": {"image": "x"}},
            {"name": "dump", "memoryDump": {"claimName": "dump-of-golden", "hotpluggable": true}},
        ]);
        let mut exported = with_disks(&[], &volumes);
        let spec = &mut exported["spec"];
        spec["instancetype"] = json!({"name": "small", "revisionName": "golden-small-1"});
        spec["preference"] =
            json!({"name": "linux", "kind": "VirtualMachinePreference", "revisionName": "golden-linux-1"});
        let template = Template::parse(&exported.to_string()).unwrap();
        let notices = template.notices();
        assert_eq!(notices.len(), 3, "{notices:?}");
        for said in ["revisionName of the instancetype", "revisionName of the preference", "volume dump"] {
            assert!(notices.iter().any(|notice| notice.contains(said)), "{said}: {notices:?}");
        }
        let spec = &template.manifest()["spec"];
        assert_eq!(spec["instancetype"], json!({"name": "small"}));
        assert_eq!(spec["preference"], json!({"name": "linux", "kind": "VirtualMachinePreference"}));
        assert_eq!(spec["template"]["spec"]["volumes"].as_array().unwrap().len(), 1);
        assert!(Template::parse(&template.text()).unwrap().notices().is_empty(), "said once");
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
