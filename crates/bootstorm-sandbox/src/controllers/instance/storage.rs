//! Checks of an instance's claims and networks, before it gets a pod.

use super::super::machine::volumes::{claims, usable};
use crate::store::kind::{DATA_VOLUMES, NETWORK_ATTACHMENTS, PERSISTENT_VOLUME_CLAIMS};
use crate::store::{Object, Store};

/// State of an instance's storage
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// A pod may be created; claims may still be unbound, then the pod waits.
    Ready,
    /// A data volume is being filled.
    Waiting,
    /// This claim does not exist.
    Missing(String),
}

/// Checks the claims of an instance.
pub fn readiness(store: &Store, vmi: &Object) -> Readiness {
    let mut result = Readiness::Ready;
    for (name, by_volume) in claims(&vmi.value()["spec"]) {
        let claim = store.get(&PERSISTENT_VOLUME_CLAIMS, vmi.namespace(), name);
        let volume = store.get(&DATA_VOLUMES, vmi.namespace(), name);
        match (volume, claim) {
            (None, None) => return Readiness::Missing(name.to_owned()),
            (Some(volume), _) if !usable(volume.value()) => result = Readiness::Waiting,
            (Some(_), None) if by_volume => result = Readiness::Waiting,
            _ => {}
        }
    }
    result
}

/// A Multus network that an instance needs and that does not exist.
pub fn missing_network(store: &Store, vmi: &Object) -> Option<String> {
    let networks = vmi.value()["spec"]["networks"].as_array().into_iter().flatten();
    networks.filter_map(|network| network["multus"]["networkName"].as_str()).find_map(|whole| {
        let (namespace, name) = whole.split_once('/').unwrap_or((vmi.namespace(), whole));
        store.get(&NETWORK_ATTACHMENTS, namespace, name).is_none().then(|| format!("{namespace}/{name}"))
    })
}

/// A claim of an instance that only one node can use.
pub fn unshared(store: &Store, vmi: &Object) -> Option<String> {
    let is_shared = |name: &str| {
        let claim = store.get(&PERSISTENT_VOLUME_CLAIMS, vmi.namespace(), name);
        claim.is_none_or(|claim| {
            let modes = claim.value()["spec"]["accessModes"].as_array();
            modes.is_none_or(|modes| modes.iter().any(|mode| mode == "ReadWriteMany"))
        })
    };
    claims(&vmi.value()["spec"]).map(|(name, _)| name).find(|name| !is_shared(name)).map(str::to_owned)
}

/// Whether all data volumes are ready; `None` if the instance has none.
pub fn volumes_ready(store: &Store, vmi: &Object) -> Option<bool> {
    let mut answer = None;
    for (name, _) in claims(&vmi.value()["spec"]) {
        if let Some(volume) = store.get(&DATA_VOLUMES, vmi.namespace(), name) {
            answer = Some(answer.unwrap_or(true) && usable(volume.value()));
        }
    }
    answer
}
