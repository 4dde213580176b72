//! VMs that the run did not create: facts about their guests, and requests that change nothing else.

use http::Request;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::machines::{Machine, VOLUMES_CHANGE, collection};
use super::metadata::{Condition, Metadata, Watched};
use super::names::{ADOPTED_BY, FIELD_MANAGER, annotation};
use super::pace::{Idempotency, Timed};
use super::scope::Scope;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::plan::{Setting, Target};
use bootstorm_model::probe::binding::Wiring;

/// A `VirtualMachineInstance`, as far as adopting its VM depends on it
#[derive(Debug, Clone, Deserialize)]
pub struct Guest {
    metadata: Metadata,
    #[serde(default)]
    spec: Wiring,
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
    /// Its VM.
    pub fn target(&self) -> Target {
        Target { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    /// Whether it is running and stays so.
    pub fn is_running(&self) -> bool {
        self.status.phase == "Running" && self.metadata.deletion_timestamp.is_none()
    }

    /// Whether it has ended, and only its object remains.
    pub fn is_final(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.is("Paused", "True"))
    }

    /// The condition that shows that its volumes are being replaced.
    pub fn pending_change(&self) -> Option<&'static str> {
        let conditions = &self.status.conditions;
        conditions.iter().any(|condition| condition.is(VOLUMES_CHANGE, "True")).then_some(VOLUMES_CHANGE)
    }

    /// Whether it is being migrated.
    pub fn is_migrating(&self) -> bool {
        self.status.migration_state.as_ref().is_some_and(|state| !state.completed && !state.failed)
    }

    /// Node on which it runs.
    pub fn node(&self) -> Option<&str> {
        self.status.node_name.as_deref()
    }

    /// How it is connected.
    pub fn wiring(&self) -> &Wiring {
        &self.spec
    }

    /// Operating system, as reported by the guest agent.
    pub fn system(&self) -> Option<&str> {
        Some(self.status.guest_os_info.pretty_name.as_str()).filter(|name| !name.is_empty())
    }
}

/// The request that changes the setting of exactly this VM from one value to another, and does nothing if it is another
/// VM or has another setting by then. With equal values it changes nothing, and shows that both still hold.
pub fn set(target: &Target, uid: &str, from: &Setting, to: &Setting) -> Result<Timed, ClusterError> {
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
        .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?;
    let meaning = Idempotency::Guarded { target: target.clone(), uid: uid.to_owned(), wanted: to.clone() };
    Ok(Timed { doing, request, meaning })
}

/// The run that has adopted a VM, from an annotation on it
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Namespace of the run's record.
    pub namespace: String,
    /// Prefix of the run.
    pub prefix: String,
    /// UUID of the run.
    pub run_id: String,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.prefix, self.run_id)
    }
}

impl Mark {
    /// Reads an annotation; `None` if it has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let mark = Self { namespace: parts.next()?, prefix: parts.next()?, run_id: parts.next()? };
        parts.next().is_none().then_some(mark)
    }
}

/// JSON pointer of the annotation.
fn pointer() -> String {
    format!("/metadata/annotations/{}", annotation(ADOPTED_BY).replace('~', "~0").replace('/', "~1"))
}

/// Result of marking a VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marked {
    /// Marked by this run.
    Ours,
    /// Another run was faster, or the VM is a different one by now.
    Refused(String),
}

impl Cluster {
    /// Marks a VM as adopted, if it is still this VM and has not been marked since it was read.
    pub async fn mark_adopted(&self, machine: &Machine, mark: &Mark) -> Result<Marked, ClusterError> {
        let doing = format!("mark VM {} as adopted", machine.target());
        let doing = doing.as_str();
        let before = machine.adopted_by();
        if before == Some(mark.to_string().as_str()) {
            return Ok(Marked::Ours);
        }
        let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": machine.uid()})];
        if machine.metadata().annotations.is_empty() {
            patch.push(json!({"op": "test", "path": "/metadata/annotations", "value": null}));
            patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
        } else {
            patch.push(json!({"op": "test", "path": pointer(), "value": before}));
        }
        patch.push(json!({"op": "add", "path": pointer(), "value": mark.to_string()}));
        match self.patch_machine(doing, &machine.target(), &patch).await {
            // A webhook may refuse every change of one VM, as it is: the others can be adopted.
            Err(error) if error.message.contains("admission webhook") && error.message.contains("denied") => {
                Ok(Marked::Refused(format!("it cannot be changed: {}", error.message)))
            }
            Err(error) if matches!(error.kind, Kind::Invalid | Kind::NotFound) => {
                let found = self.machine(&machine.target()).await?;
                Ok(match found.as_ref().filter(|found| found.uid() == machine.uid()) {
                    Some(found) if found.adopted_by() == Some(mark.to_string().as_str()) => Marked::Ours,
                    Some(found) => match found.adopted_by() {
                        Some(other) => Marked::Refused(format!("run {other} has adopted it meanwhile")),
                        None => return Err(error),
                    },
                    None => Marked::Refused("it was deleted or recreated meanwhile".to_owned()),
                })
            }
            outcome => outcome.map(|()| Marked::Ours),
        }
    }

    /// Removes the mark of a run from a VM; succeeds if it is missing, or the VM is a different one.
    pub async fn unmark_adopted(&self, target: &Target, uid: &str, mark: &Mark) -> Result<(), ClusterError> {
        let doing = "remove the mark from the virtual machine";
        let patch = [
            json!({"op": "test", "path": "/metadata/uid", "value": uid}),
            json!({"op": "test", "path": pointer(), "value": mark.to_string()}),
            json!({"op": "remove", "path": pointer()}),
        ];
        match self.patch_machine(doing, target, &patch).await {
            Err(error) if matches!(error.kind, Kind::Invalid | Kind::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    async fn patch_machine(&self, doing: &str, target: &Target, patch: &[Value]) -> Result<(), ClusterError> {
        let path =
            format!("{}/{}?fieldManager={FIELD_MANAGER}", collection(Some(&target.namespace)), target.name);
        let request = Request::patch(path)
            .header(CONTENT_TYPE, "application/json-patch+json")
            .body(Value::from(patch).to_string().into_bytes())
            .map_err(|error| ClusterError::new(doing, Kind::Invalid, error.to_string()))?;
        self.ask_raw(doing, &request).await.map(|_| ())
    }

    /// Instances in a scope.
    pub async fn guests_in(&self, scope: &Scope) -> Result<Vec<Guest>, ClusterError> {
        self.list_in("list virtual machine instances", scope, "virtualmachineinstances", "", Some).await
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
