//! Inference of a machine's instance type and preference from one of its volumes: labels of the disk's source.

use crate::value::{Value, json};

use super::super::status::{Cause, Failure};
use crate::store::kind::{DATA_SOURCES, DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS};
use crate::store::{Object, Store};

/// Matchers, each with the label for its name and the default kind.
const MATCHERS: [(&str, &str, &str); 2] = [
    ("instancetype", "instancetype.kubevirt.io/default-instancetype", "virtualmachineclusterinstancetype"),
    ("preference", "instancetype.kubevirt.io/default-preference", "virtualmachineclusterpreference"),
];

/// Fills in names that are to be inferred from volumes.
pub(in super::super) fn infer(store: &Store, vm: &mut Value) -> Result<(), Failure> {
    for (field, label, kind) in MATCHERS {
        let matcher = &vm["spec"][field];
        let Some(volume) = matcher["inferFromVolume"].as_str().filter(|name| !name.is_empty()) else {
            continue;
        };
        let ignores = matcher["inferFromVolumeFailurePolicy"] == "Ignore";
        let source = source(store, vm, volume);
        let named = source.as_ref().and_then(|source| Some((source.label(label)?, source)));
        match named {
            Some((name, source)) => {
                let kind = source.label(&format!("{label}-kind")).unwrap_or(kind);
                vm["spec"][field] = json!({"name": name, "kind": kind});
            }
            None if ignores => {
                if let Some(spec) = vm["spec"].as_object_mut() {
                    spec.remove(field);
                }
            }
            None => {
                let message = if source.is_some() {
                    format!("unable to find required {label} label on the volume")
                } else {
                    format!("unable to find volume {volume} to infer defaults")
                };
                let cause = Cause::invalid(format!("spec.{field}.inferFromVolume"), message);
                return Err(Failure::denied("virtualmachines-mutator.kubevirt.io", &[cause]));
            }
        }
    }
    Ok(())
}

/// The source of the disk behind a volume, or the disk itself.
fn source(store: &Store, vm: &Value, volume: &str) -> Option<Object> {
    let home = vm["metadata"]["namespace"].as_str().unwrap_or_default();
    let volumes = vm.pointer("/spec/template/spec/volumes")?.as_array()?;
    let volume = volumes.iter().find(|one| one["name"] == volume)?;
    let claim = volume["persistentVolumeClaim"]["claimName"].as_str();
    let name = claim.or_else(|| volume["dataVolume"]["name"].as_str())?;
    let templates = vm["spec"]["dataVolumeTemplates"].as_array();
    let template = templates.into_iter().flatten().find(|template| template["metadata"]["name"] == name);
    let Some(spec) = template.map(|template| &template["spec"]) else {
        return store
            .get(&DATA_VOLUMES, home, name)
            .or_else(|| store.get(&PERSISTENT_VOLUME_CLAIMS, home, name));
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let place = |value: &Value| text(&value["namespace"]).unwrap_or_else(|| home.to_owned());
    let (reference, claim) = (&spec["sourceRef"], &spec["source"]["pvc"]);
    match (text(&reference["name"]), text(&claim["name"])) {
        (Some(name), _) => store.get(&DATA_SOURCES, &place(reference), &name),
        (None, Some(name)) => store.get(&PERSISTENT_VOLUME_CLAIMS, &place(claim), &name),
        (None, None) => None,
    }
}
