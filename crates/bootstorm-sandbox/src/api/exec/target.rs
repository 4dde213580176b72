//! The container for a command.

use crate::value::Value;
use jiff::Timestamp;

use super::super::path::Resource;
use super::super::query::Query;
use super::super::status::Failure;
use crate::controllers::power;
use crate::store::kind::{NODES, PODS};
use crate::store::{Object, Store};

/// A running container
#[derive(Debug)]
pub(super) struct Place {
    pub(super) pod: Object,
    pub(super) container: Value,
    pub(super) image: String,
    pub(super) started: Option<Timestamp>,
}

/// Finds the container of a request, and checks that it runs.
pub(super) fn find(store: &Store, target: &Resource, query: &Query) -> Result<Place, Failure> {
    let name = target.name.as_deref().unwrap_or_default();
    let pod = store.get(&PODS, target.space(), name).ok_or_else(|| Failure::not_found(target.kind, name))?;
    let container = choose(pod.value(), name, query.get("container"))?;
    if pod.value()["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Err(Failure::bad_request(format!("pod {name} does not have a host assigned")));
    }
    if is_unplugged(store, &pod) {
        let message = "error dialing backend: dial tcp 192.168.0.1:10250: connect: no route to host";
        return Err(Failure::new(500, "InternalError", message));
    }
    let phase = pod.value()["status"]["phase"].as_str();
    if matches!(phase, Some("Succeeded" | "Failed")) {
        let message = format!(
            "cannot exec into a container in a completed pod; current phase is {}",
            phase.unwrap_or_default()
        );
        return Err(Failure::bad_request(message));
    }
    let status = find_in(pod.value(), "/status", &["containerStatuses", "initContainerStatuses"], container);
    let running = status.and_then(|status| status["state"].get("running"));
    let Some(running) = running else {
        let message = format!("unable to upgrade connection: container not found (\"{container}\")");
        return Err(Failure::bad_request(message));
    };
    let started = running["startedAt"].as_str().and_then(|at| at.parse().ok());
    let spec = find_in(pod.value(), "/spec", &["containers", "initContainers"], container);
    let spec = spec.cloned().unwrap_or_default();
    let image = spec["image"].as_str().unwrap_or_default().to_owned();
    Ok(Place { pod, container: spec, image, started })
}

/// Whether the node of a pod has no power.
pub(in super::super) fn is_unplugged(store: &Store, pod: &Object) -> bool {
    let node = pod.value()["spec"]["nodeName"].as_str().unwrap_or_default();
    store.get(&NODES, "", node).is_some_and(|node| power::is_off(&node))
}

impl Place {
    /// Output of `uname -m` on its node, by the architecture that the node reports.
    pub(super) fn machine(&self, store: &Store) -> &'static str {
        let name = self.pod.value()["spec"]["nodeName"].as_str().unwrap_or_default();
        let node = store.get(&NODES, "", name);
        let architecture =
            node.as_ref().and_then(|node| node.value()["status"]["nodeInfo"]["architecture"].as_str());
        match architecture {
            Some("arm64") => "aarch64",
            Some("s390x") => "s390x",
            _ => "x86_64",
        }
    }

    /// Writable folders of its container, even with a read-only root: mounts that are not read-only.
    pub(super) fn folders(&self) -> Vec<String> {
        let mounts = self.container["volumeMounts"].as_array().into_iter().flatten();
        let writable = mounts.filter(|mount| mount["readOnly"] != true);
        writable.filter_map(|mount| mount["mountPath"].as_str()).map(str::to_owned).collect()
    }
}

/// The requested container, or the only one.
pub(in super::super) fn choose<'a>(
    pod: &'a Value,
    name: &str,
    asked: Option<&'a str>,
) -> Result<&'a str, Failure> {
    let lists = [&pod["spec"]["containers"], &pod["spec"]["initContainers"]];
    let names = |list: &'a Value| {
        list.as_array().into_iter().flatten().filter_map(|container| container["name"].as_str())
    };
    let Some(asked) = asked else {
        let all: Vec<&str> = names(lists[0]).collect();
        return match all.as_slice() {
            [only] => Ok(only),
            _ => {
                let message = format!(
                    "a container name must be specified for pod {name}, choose one of: [{}]",
                    all.join(" ")
                );
                Err(Failure::bad_request(message))
            }
        };
    };
    if lists.into_iter().flat_map(names).any(|known| known == asked) {
        Ok(asked)
    } else {
        Err(Failure::bad_request(format!("container {asked} is not valid for pod {name}")))
    }
}

fn find_in<'a>(pod: &'a Value, part: &str, lists: &[&str], name: &str) -> Option<&'a Value> {
    let part = pod.pointer(part)?;
    lists.iter().filter_map(|list| part[*list].as_array()).flatten().find(|one| one["name"] == name)
}
