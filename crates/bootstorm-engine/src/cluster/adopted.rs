//! VMs that the run did not make: what is known about their guests, and requests that change only what they mean.

use http::Request;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::machines::collection;
use super::metadata::{Condition, Metadata};
use super::names::FIELD_MANAGER;
use super::pace::{Meaning, Timed};
use super::scope::Scope;
use super::watch::Watched;
use super::{Cluster, Kind, Trouble};
use bootstorm_model::plan::{Setting, Target};

/// A `VirtualMachineInstance`, as far as adopting its VM depends on it
#[derive(Debug, Clone, Deserialize)]
pub struct Guest {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    node_name: Option<String>,
    conditions: Vec<Condition>,
    migration_state: Option<Migration>,
    #[serde(rename = "guestOSInfo")]
    guest_os_info: System,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Migration {
    completed: bool,
    failed: bool,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct System {
    pretty_name: String,
}

impl Watched for Guest {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Guest {
    /// The VM.
    pub fn target(&self) -> Target {
        Target { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    /// Whether it runs and goes on running.
    pub fn is_running(&self) -> bool {
        self.status.phase == "Running" && self.metadata.deletion_timestamp.is_none()
    }

    /// Whether it has ended, and only its object is left.
    pub fn is_final(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.is("Paused", "True"))
    }

    /// Whether it is on its way to another node.
    pub fn is_migrating(&self) -> bool {
        self.status.migration_state.as_ref().is_some_and(|state| !state.completed && !state.failed)
    }

    /// The node on which it runs.
    pub fn node(&self) -> Option<&str> {
        self.status.node_name.as_deref()
    }

    /// What the guest agent calls the operating system.
    pub fn system(&self) -> Option<&str> {
        Some(self.status.guest_os_info.pretty_name.as_str()).filter(|name| !name.is_empty())
    }
}

/// The request that changes the setting of exactly this VM from one value to another, and does nothing when it is
/// another VM or has another setting by then. With equal values it changes nothing, and shows that both still hold.
pub fn set(target: &Target, uid: &str, from: &Setting, to: &Setting) -> Result<Timed, Trouble> {
    let doing =
        if to.strategy() == "Halted" { "stop the virtual machine" } else { "start the virtual machine" };
    let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
    let mut patch = vec![test("/metadata/uid", json!(uid)), test(from.path(), from.value())];
    if from != to {
        patch.push(json!({"op": "replace", "path": to.path(), "value": to.value()}));
    }
    let path =
        format!("{}/{}?fieldManager={FIELD_MANAGER}", collection(Some(&target.namespace)), target.name);
    let request = Request::patch(path)
        .header(CONTENT_TYPE, "application/json-patch+json")
        .body(Value::Array(patch).to_string().into_bytes())
        .map_err(|error| Trouble::new(doing, Kind::Invalid, error.to_string()))?;
    let meaning = Meaning::Guarded { target: target.clone(), uid: uid.to_owned(), wanted: to.clone() };
    Ok(Timed { doing, request, meaning })
}

impl Cluster {
    /// The instances in a scope.
    pub async fn guests_in(&self, scope: &Scope) -> Result<Vec<Guest>, Trouble> {
        self.list_in("list virtual machine instances", scope, "virtualmachineinstances", "").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_changed_only_under_its_conditions() {
        let target = Target { namespace: "shop".into(), name: "web".into() };
        let timed = set(&target, "u", &Setting::Running(true), &Setting::Running(false)).unwrap();
        assert_eq!(timed.request.method(), "PATCH");
        assert_eq!(timed.request.uri().path(), "/apis/kubevirt.io/v1/namespaces/shop/virtualmachines/web");
        let patch: Value = serde_json::from_slice(timed.request.body()).unwrap();
        assert_eq!(
            patch,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/spec/running", "value": true},
                {"op": "replace", "path": "/spec/running", "value": false},
            ])
        );
    }
}
