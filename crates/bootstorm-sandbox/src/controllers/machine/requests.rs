//! `status.stateChangeRequests`: start, stop and restart requests for a machine.

use crate::value::{Value, json};

/// The first request, the only one that counts
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Start the machine.
    Start,
    /// Stop the instance with this UID.
    Stop(Option<&'a str>),
}

/// The first request of a machine.
pub fn first(vm: &Value) -> Option<Request<'_>> {
    let request = vm["status"]["stateChangeRequests"].get(0)?;
    match request["action"].as_str()? {
        "Start" => Some(Request::Start),
        "Stop" => Some(Request::Stop(request["uid"].as_str())),
        _ => None,
    }
}

/// Whether a start is among the requests.
pub fn has_start(vm: &Value) -> bool {
    let requests = vm["status"]["stateChangeRequests"].as_array();
    requests.is_some_and(|requests| requests.iter().any(|request| request["action"] == "Start"))
}

/// Adds a request to start.
pub fn queue_start(vm: &mut Value) {
    match vm["status"]["stateChangeRequests"].as_array_mut() {
        Some(list) => list.push(json!({"action": "Start"})),
        None => vm["status"]["stateChangeRequests"] = json!([{"action": "Start"}]),
    }
}

/// Removes the first request once it is fulfilled.
pub fn pop(vm: &mut Value, instance: Option<&Value>) {
    let uid = instance.and_then(|vmi| vmi["metadata"]["uid"].as_str());
    let fulfilled = match first(vm) {
        None => false,
        Some(Request::Stop(wanted)) => wanted.is_none() || uid != wanted,
        Some(Request::Start) => instance.is_some_and(|vmi| {
            let ended = matches!(vmi["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
            !ended && vmi["metadata"].get("deletionTimestamp").is_none()
        }),
    };
    if !fulfilled {
        return;
    }
    if let Some(list) = vm["status"]["stateChangeRequests"].as_array_mut() {
        list.remove(0);
        if list.is_empty()
            && let Some(status) = vm["status"].as_object_mut()
        {
            status.remove("stateChangeRequests");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_a_stop_that_makes_way_for_a_start() {
        let mut vm = json!({"status": {"stateChangeRequests": [{"action": "Stop", "uid": "old"}, {"action": "Start"}]}});
        let old = json!({"metadata": {"uid": "old"}, "status": {"phase": "Running"}});
        pop(&mut vm, Some(&old));
        assert_eq!(first(&vm), Some(Request::Stop(Some("old"))));
        pop(&mut vm, None);
        assert_eq!(first(&vm), Some(Request::Start));
        let new = json!({"metadata": {"uid": "new"}, "status": {"phase": "Pending"}});
        pop(&mut vm, Some(&new));
        assert_eq!(vm, json!({"status": {}}));
    }
}
