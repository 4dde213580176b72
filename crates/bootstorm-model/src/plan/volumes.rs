//! Disks in `dataVolumeTemplates` that CDI refuses, or that nothing fills.
//!
//! `KubeVirt` accepts a VM whatever its disks are: it checks only their names. CDI checks a `DataVolume` when
//! virt-controller creates it, and a refused one leaves the VM without an instance. The rules are those of CDI's webhook
//! (`datavolume-validate.go` and `util.go` in `pkg/apiserver/webhooks`, August 2026).

use serde_json::Value;

use super::sizing::Quantity;

/// Access modes of Kubernetes.
const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
/// Smallest disk that CDI takes, in bytes.
const SMALLEST: u64 = 1024 * 1024;

/// A disk that will not come to be
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Name of the `DataVolume`, as in the manifest.
    pub name: String,
    /// What is wrong with it, in a few words; quotes no values.
    pub why: &'static str,
}

/// Disks of a VM manifest that CDI would refuse, or that wait for an upload.
pub fn faults(manifest: &Value) -> Vec<Fault> {
    let templates = manifest["spec"]["dataVolumeTemplates"].as_array().into_iter().flatten();
    let fault = |template: &Value| {
        let why = fault_of(&template["spec"])?;
        Some(Fault { name: template["metadata"]["name"].as_str().unwrap_or("?").to_owned(), why })
    };
    templates.filter_map(fault).collect()
}

fn fault_of(spec: &Value) -> Option<&'static str> {
    let (is_pvc, is_storage) = (is_set(&spec["pvc"]), is_set(&spec["storage"]));
    let claim = match (is_pvc, is_storage) {
        (true, true) => return Some("it has both pvc and storage"),
        (false, false) => return Some("it has neither storage nor pvc"),
        (true, false) => &spec["pvc"],
        (false, true) => &spec["storage"],
    };
    let (source, reference) = (&spec["source"], &spec["sourceRef"]);
    let is_clone = is_set(reference) || is_set(&source["pvc"]) || is_set(&source["snapshot"]);
    match Quantity::of(&claim["resources"]["requests"]["storage"]) {
        // A quantity that cannot be read is the API server's business.
        Some(size) if size < Quantity::whole(SMALLEST) => return Some("it is smaller than 1Mi"),
        None if is_set(&claim["resources"]["requests"]["storage"]) => return None,
        None if is_pvc || !is_clone => return Some("it has no size (resources.requests.storage)"),
        _ => {}
    }
    let modes = claim["accessModes"].as_array().map_or(&[][..], Vec::as_slice);
    if modes.iter().any(|mode| !mode.as_str().is_some_and(|mode| ACCESS_MODES.contains(&mode))) {
        return Some("it has an access mode that Kubernetes does not know");
    }
    if is_pvc && modes.len() != 1 {
        return Some("it needs exactly one access mode under pvc");
    }
    let is_filled_by_others = is_set(&claim["dataSource"]) || is_set(&claim["dataSourceRef"]);
    match (is_set(source), is_set(reference), is_filled_by_others) {
        (false, false, true) => return of_reference(claim),
        (true, _, true) | (_, true, true) => return Some("it has a dataSource beside source or sourceRef"),
        (true, true, false) => return Some("it has both source and sourceRef"),
        (false, false, false) => return Some("it has neither source nor sourceRef"),
        (false, true, false) => {
            return (reference["kind"] != "DataSource").then_some("its sourceRef is not of kind DataSource");
        }
        (true, false, false) => {}
    }
    of_source(source)
}

fn of_reference(claim: &Value) -> Option<&'static str> {
    is_set(&claim["dataSourceRef"]["namespace"]).then_some("its dataSourceRef has a namespace")
}

fn of_source(source: &Value) -> Option<&'static str> {
    if source.as_object().map_or(0, serde_json::Map::len) > 1 {
        return Some("it has several sources");
    }
    if source.get("upload").is_some() {
        return Some("it waits for an upload (source.upload), which nobody sends");
    }
    let registry = &source["registry"];
    if is_set(registry) {
        if is_set(&registry["imageStream"]) {
            return (registry["pullMethod"] != "node").then_some("its imageStream needs pullMethod: node");
        }
        let is_known = |url: &str| ["docker://", "oci-archive:"].iter().any(|scheme| url.starts_with(scheme));
        return (!registry["url"].as_str().is_some_and(is_known))
            .then_some("its registry URL does not begin with docker:// or oci-archive:");
    }
    for kind in ["http", "s3", "gcs", "imageio", "vddk"] {
        let is_known =
            |url: &str| ["http://", "https://", "gs://"].iter().any(|scheme| url.starts_with(scheme));
        if is_set(&source[kind]) && !source[kind]["url"].as_str().is_some_and(is_known) {
            return Some("its URL does not begin with http:// or https://");
        }
    }
    None
}

fn is_set(value: &Value) -> bool {
    !value.is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(spec: &Value) -> Option<&'static str> {
        let manifest =
            json!({"spec": {"dataVolumeTemplates": [{"metadata": {"name": "root"}, "spec": spec}]}});
        let mut found = faults(&manifest);
        assert!(found.len() < 2 && found.iter().all(|fault| fault.name == "root"));
        found.pop().map(|fault| fault.why)
    }

    #[test]
    fn what_cdi_refuses_is_a_fault() {
        let sized = json!({"resources": {"requests": {"storage": "5Gi"}}});
        let once = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}});
        let http = json!({"http": {"url": "https://example.org/disk.qcow2"}});
        for (spec, word) in [
            (json!({"source": http, "pvc": sized}), "exactly one access mode"),
            (json!({"source": http, "storage": {}}), "no size"),
            (
                json!({"source": {"pvc": {"name": "a", "namespace": "b"}}, "pvc": {"accessModes": ["ReadWriteOnce"]}}),
                "no size",
            ),
            (json!({"source": http, "pvc": once, "storage": sized}), "both pvc and storage"),
            (json!({"source": http}), "neither storage nor pvc"),
            (json!({"source": {"registry": {"url": "quay.io/a/b:1"}}, "storage": sized}), "docker://"),
            (json!({"sourceRef": {"name": "fedora"}, "storage": {}}), "kind DataSource"),
            (json!({"source": {"upload": {}}, "storage": sized}), "upload"),
            (json!({"storage": sized}), "neither source nor sourceRef"),
            (
                json!({"source": http, "sourceRef": {"kind": "DataSource", "name": "a"}, "storage": sized}),
                "both source",
            ),
            (json!({"source": {"blank": {}, "http": {"url": "http://a/b"}}, "storage": sized}), "several"),
            (json!({"source": {"http": {"url": "ftp://a/b"}}, "storage": sized}), "http://"),
            (
                json!({"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1k"}}}}),
                "smaller than 1Mi",
            ),
            (
                json!({"source": {"blank": {}}, "storage": {"accessModes": ["Often"], "resources": sized["resources"]}}),
                "access mode",
            ),
            (json!({"source": {"registry": {"imageStream": "a"}}, "storage": sized}), "pullMethod"),
            (
                json!({"storage": {"dataSourceRef": {"kind": "VolumeSnapshot", "name": "a", "namespace": "b"}, "resources": sized["resources"]}}),
                "namespace",
            ),
        ] {
            let found = fault(&spec);
            assert!(found.is_some_and(|found| found.contains(word)), "{spec}: {found:?}");
        }
    }

    #[test]
    fn what_cdi_accepts_is_none() {
        let sized = json!({"resources": {"requests": {"storage": "5Gi"}}});
        for spec in [
            json!({"sourceRef": {"kind": "DataSource", "name": "fedora"}, "storage": {}}),
            json!({"source": {"pvc": {"name": "a", "namespace": "b"}}, "storage": {}}),
            json!({"source": {"blank": {}}, "storage": sized}),
            json!({"source": {"registry": {"url": "docker://quay.io/a/b:1"}}, "storage": sized}),
            json!({"source": {"registry": {"imageStream": "a", "pullMethod": "node"}}, "storage": sized}),
            json!({"source": {"http": {"url": "https://a/b"}}, "pvc": {"accessModes": ["ReadWriteMany"], "resources": sized["resources"]}}),
            json!({"storage": {"dataSourceRef": {"kind": "VolumeSnapshot", "name": "a"}, "resources": sized["resources"]}}),
        ] {
            assert_eq!(fault(&spec), None, "{spec}");
        }
        assert!(faults(&json!({"spec": {"template": {}}})).is_empty());
    }
}
