//! Storage classes relevant to a run.

use k8s_openapi::api::storage::v1::StorageClass;

use bootstorm_model::plan::Disk;
use bootstorm_model::record::StorageClassFacts;

/// Annotations of the default class for volumes, and of the one for those of VMs.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const VIRT_DEFAULT: &str = "storageclass.kubevirt.io/is-default-virt-class";

/// The classes that the disks use, and the default ones.
///
/// A data volume without a class gets the default for VMs, else the default of the cluster.
pub(super) fn of(classes: Vec<StorageClass>, disks: &[Disk]) -> Vec<StorageClassFacts> {
    let marked = |class: &StorageClass, annotation: &str| {
        let annotations = class.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(annotation)).is_some_and(|value| value == "true")
    };
    let name = |class: &StorageClass| class.metadata.name.clone().unwrap_or_default();
    let fallback = [VIRT_DEFAULT, DEFAULT]
        .iter()
        .find_map(|annotation| classes.iter().find(|class| marked(class, annotation)))
        .map(name);
    // The class of an existing claim is not in the manifest, and is not guessed.
    let made = disks.iter().filter(|disk| disk.kind == "dataVolume");
    let used: Vec<String> =
        made.filter_map(|disk| disk.storage_class.clone().or_else(|| fallback.clone())).collect();
    let facts = classes.into_iter().map(|class| StorageClassFacts {
        default: marked(&class, DEFAULT) || marked(&class, VIRT_DEFAULT),
        used: used.contains(&name(&class)),
        name: name(&class),
        binding_mode: class.volume_binding_mode,
        provisioner: class.provisioner,
    });
    facts.filter(|class| class.default || class.used).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, annotation: &str) -> StorageClass {
        let mut class =
            StorageClass { provisioner: format!("{name}.example.org"), ..StorageClass::default() };
        class.metadata.name = Some(name.to_owned());
        class.metadata.annotations = Some([(annotation.to_owned(), "true".to_owned())].into());
        class
    }

    fn disk(kind: &str, class: Option<&str>) -> Disk {
        Disk { kind: kind.to_owned(), storage_class: class.map(str::to_owned), ..Disk::default() }
    }

    fn found(disks: &[Disk]) -> Vec<(String, bool, bool)> {
        let classes =
            vec![class("slow", DEFAULT), class("virt", VIRT_DEFAULT), class("fast", ""), class("odd", "")];
        of(classes, disks).into_iter().map(|class| (class.name, class.default, class.used)).collect()
    }

    #[test]
    fn classes_that_are_neither_used_nor_default_are_left_out() {
        let expected = |name: &str, default, used| (name.to_owned(), default, used);
        assert_eq!(found(&[]), [expected("slow", true, false), expected("virt", true, false)]);
        assert_eq!(
            found(&[disk("dataVolume", Some("fast")), disk("containerDisk", None)])[2],
            expected("fast", false, true)
        );
        assert_eq!(found(&[disk("dataVolume", None)])[1], expected("virt", true, true));
        assert_eq!(found(&[disk("persistentVolumeClaim", None)])[1], expected("virt", true, false));
    }
}
