//! `VirtualMachines`: the timed requests that create, start and stop them, and their reported state.

use std::ops::Deref;

use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use kube::api::{DeleteParams, GetParams, Preconditions, PropagationPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{built, on, path, post_params};
use super::claims::Disk;
use super::list::list_as;
use super::metadata::{Condition, Metadata, Object, Watched};
use super::pace::{Idempotency, Timed};
use super::{Cluster, ClusterError, Kind, names};
use bootstorm_model::plan::gitops::Keeper;
use bootstorm_model::plan::{Setting, Target};
use bootstorm_model::probe::binding::Wiring;
use bootstorm_model::record::Via;

const GROUP: &str = "kubevirt.io/v1";
const SUBRESOURCES: &str = "subresources.kubevirt.io/v1";
const MACHINES: &str = "virtualmachines";
/// Conditions of VMs whose template was changed beside their running instance; virt-controller copies the second one
/// from the instance.
const PENDING_CHANGES: [&str; 2] = ["RestartRequired", VOLUMES_CHANGE];
/// Condition of an instance whose volumes are being replaced.
pub(super) const VOLUMES_CHANGE: &str = "VolumesChange";

/// A `VirtualMachine`, with only the used fields decoded
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Decoded")]
pub struct Machine {
    standing: Standing,
    metadata: Metadata,
    template: TemplateSpec,
    status: Status,
}

/// What phases need of a VM: a small part, since thousands of them are kept
#[derive(Debug, Clone)]
pub struct Standing {
    uid: Box<str>,
    created: Option<Timestamp>,
    is_going: bool,
    setting: Option<Setting>,
    wish: Option<Box<str>>,
    will_start: bool,
    is_stopped: bool,
    pending_change: Option<&'static str>,
    complaint: Box<str>,
}

#[derive(Deserialize)]
struct Decoded {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

impl From<Decoded> for Machine {
    fn from(Decoded { metadata, spec, status }: Decoded) -> Self {
        let setting = spec.run_strategy.map(Setting::RunStrategy).or(spec.running.map(Setting::Running));
        let standing = Standing {
            uid: metadata.uid.as_str().into(),
            created: metadata.creation_timestamp,
            is_going: metadata.deletion_timestamp.is_some(),
            setting,
            wish: status.state_change_requests.first().map(|wish| wish.action.as_str().into()),
            will_start: status.state_change_requests.iter().any(|wish| wish.action == "Start"),
            is_stopped: status.printable.as_deref() == Some("Stopped"),
            pending_change: PENDING_CHANGES.into_iter().find(|kind| status.has(kind)),
            complaint: status.complaint().into(),
        };
        Self { standing, metadata, template: spec.template.spec, status }
    }
}

impl Deref for Machine {
    type Target = Standing;

    fn deref(&self) -> &Standing {
        &self.standing
    }
}

impl Standing {
    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// `metadata.creationTimestamp`.
    pub fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// Whether it is being deleted.
    pub fn is_going(&self) -> bool {
        self.is_going
    }

    /// Its power setting.
    pub fn setting(&self) -> Setting {
        self.setting.clone().unwrap_or_else(|| Setting::RunStrategy("Halted".into()))
    }

    /// Whether its run strategy means that it should run.
    pub fn is_started(&self) -> bool {
        self.setting.as_ref().is_some_and(|setting| setting.strategy() == "Always")
    }

    /// Whether its run strategy means that it should be off.
    pub fn is_halted(&self) -> bool {
        self.setting.as_ref().is_some_and(|setting| setting.strategy() == "Halted")
    }

    /// Next request of virt-controller that has not been carried out: `Start` or `Stop`.
    pub fn wish(&self) -> Option<&str> {
        self.wish.as_deref()
    }

    /// Whether virt-controller has yet to start it: a restart, or a start next to an ended instance, is a stop and a
    /// start.
    pub fn will_start(&self) -> bool {
        self.will_start
    }

    /// Whether virt-controller has yet to stop it, and will not start it again.
    pub fn will_stop(&self) -> bool {
        self.wish() == Some("Stop") && !self.will_start
    }

    /// Whether it is off and only a request can start it: by its run strategy, or because that leaves it to the user
    /// and the instance is gone.
    pub fn rests(&self) -> bool {
        self.is_halted() || self.is_stopped && !self.is_started() && !self.will_start
    }

    /// The condition that shows that the next instance will differ from the running one; meaningless without one.
    pub fn pending_change(&self) -> Option<&'static str> {
        self.pending_change
    }

    /// Reason why it does not run, from its status, in one line.
    pub fn complaint(&self) -> &str {
        &self.complaint
    }
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    run_strategy: Option<String>,
    running: Option<bool>,
    template: Template,
}

/// `spec.template`, as far as it concerns disks and interfaces
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Template {
    spec: TemplateSpec,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct TemplateSpec {
    volumes: Vec<Volume>,
    #[serde(flatten)]
    wiring: Wiring,
    #[serde(rename = "startStrategy")]
    start_strategy: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    data_volume: Option<Named>,
    persistent_volume_claim: Option<Claimed>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Claimed {
    claim_name: String,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(rename = "printableStatus")]
    printable: Option<String>,
    conditions: Vec<Condition>,
    state_change_requests: Vec<Wish>,
}

/// One of `status.stateChangeRequests`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Wish {
    action: String,
}

impl Watched for Machine {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Machine {
    /// Only what phases need of it.
    pub fn into_standing(self) -> Standing {
        self.standing
    }

    /// Namespace and name.
    pub fn target(&self) -> Target {
        Target { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    /// `metadata`.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Mark of the run that has adopted it, from its annotation.
    pub fn adopted_by(&self) -> Option<&str> {
        self.metadata.annotations.get(&names::annotation(names::ADOPTED_BY)).map(String::as_str)
    }

    /// Its controller, as `Kind/name`.
    pub fn controller(&self) -> Option<String> {
        let owner = self.metadata.owner_references.iter().find(|owner| owner.controller)?;
        Some(format!("{}/{}", owner.kind, owner.name))
    }

    /// The tool that may restore a state described elsewhere, from its labels and annotations, and how.
    pub fn kept_by(&self) -> Option<(&'static str, &'static str)> {
        let Metadata { labels, annotations, owner_references, .. } = &self.metadata;
        let keeper = Keeper::of(labels, annotations).map(|keeper| (keeper.word(), keeper.effect()));
        let owner = ("its owner", "an owner may undo what is done to its VM");
        keeper.or((!owner_references.is_empty()).then_some(owner))
    }

    /// `status.printableStatus`.
    pub fn printable(&self) -> &str {
        self.status.printable.as_deref().unwrap_or_default()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> &[String] {
        &self.metadata.finalizers
    }

    /// UUID of the run that created it.
    pub fn run_id(&self) -> Option<&str> {
        self.metadata.labels.get(names::RUN_ID).map(String::as_str)
    }

    /// Its disks, as it names them.
    pub fn disks(&self) -> Vec<Disk> {
        let disk = |volume: &Volume| match (&volume.data_volume, &volume.persistent_volume_claim) {
            (Some(volume), _) => Some(Disk::DataVolume(volume.name.clone())),
            (_, Some(claim)) => Some(Disk::Claim(claim.claim_name.clone())),
            _ => None,
        };
        self.template.volumes.iter().filter_map(disk).collect()
    }

    /// Whether its guests are created paused, so that they do not boot by themselves.
    pub fn starts_paused(&self) -> bool {
        self.template.start_strategy.as_deref() == Some("Paused")
    }

    /// How its guests are connected, according to its template.
    pub fn wiring(&self) -> &Wiring {
        &self.template.wiring
    }

    /// Its conditions that report a problem, one line each.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        self.status.complaints()
    }
}

impl Status {
    fn has(&self, kind: &str) -> bool {
        self.conditions.iter().any(|condition| condition.is(kind, "True"))
    }

    fn complaints(&self) -> impl Iterator<Item = String> {
        let telling = self.conditions.iter().filter(|condition| is_telling(condition));
        telling.map(|condition| match condition.reason.as_str() {
            "" => condition.message.clone(),
            reason => format!("{reason}: {}", condition.message),
        })
    }

    fn complaint(&self) -> String {
        let status = self.printable.as_deref().unwrap_or("no status yet");
        match self.complaints().next() {
            Some(complaint) => format!("{status}: {complaint}"),
            None => status.to_owned(),
        }
    }
}

/// Whether a condition reports a problem.
fn is_telling(condition: &Condition) -> bool {
    !condition.message.is_empty()
        && match condition.r#type.as_str() {
            "Failure" => condition.status == "True",
            "PodScheduled" | "Synchronized" | "DataVolumesReady" => condition.status == "False",
            _ => false,
        }
}

/// Collection of VMs, in one namespace or in all.
pub fn collection(namespace: Option<&str>) -> String {
    path(GROUP, namespace, MACHINES)
}

/// The request that creates a VM.
pub fn create(target: &Target, manifest: &Value) -> Result<Timed, ClusterError> {
    let doing = "create the virtual machine";
    let body = serde_json::to_vec(manifest).unwrap_or_default();
    let request = built(doing, on(&collection(Some(&target.namespace))).create(&post_params(), body))?;
    let run_id = manifest.pointer("/metadata/labels").and_then(|labels| labels.get(names::RUN_ID));
    let run_id = run_id.and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Timed { doing, request, meaning: Idempotency::Create { target: target.clone(), run_id } })
}

/// A disk of a VM that does not belong to the run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskUser {
    /// Name of its claim or `DataVolume`.
    pub disk: String,
    /// Name of the VM.
    pub vm: String,
    /// Whether the VM is not stopped.
    pub is_on: bool,
}

impl Cluster {
    /// Disks of the VMs in a namespace that belong to nobody or to another run.
    pub async fn users_of_disks(
        &self,
        namespace: &str,
        run_id: Option<&str>,
    ) -> Result<Vec<DiskUser>, ClusterError> {
        let doing = "list virtual machines";
        let path = collection(Some(namespace));
        let keep = |vm: Value| {
            let ours = vm["metadata"]["labels"][names::RUN_ID].as_str();
            (ours.is_none() || ours != run_id).then_some(vm)
        };
        let others = list_as(self, doing, &path, "", keep).await?;
        let of = |vm: &Value| -> Vec<DiskUser> {
            let volumes = vm.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
            let names = volumes.into_iter().flatten().filter_map(|volume| {
                let claim = &volume["persistentVolumeClaim"]["claimName"];
                claim.as_str().or(volume["dataVolume"]["name"].as_str())
            });
            let state = vm["status"]["printableStatus"].as_str().unwrap_or_default();
            let name = vm["metadata"]["name"].as_str().unwrap_or_default();
            let user = |disk: &str| DiskUser {
                disk: disk.to_owned(),
                vm: name.to_owned(),
                is_on: state != "Stopped" && !state.is_empty(),
            };
            names.map(user).collect()
        };
        Ok(others.iter().flat_map(of).collect())
    }

    /// Creates a VM in a dry run: it passes admission, and is not stored.
    ///
    /// Returns the VM as admission would let it in. Fails with the server's objection.
    pub async fn try_create(&self, target: &Target, manifest: &Value) -> Result<Value, ClusterError> {
        let doing = "create a virtual machine in a dry run";
        let body = serde_json::to_vec(manifest).unwrap_or_default();
        let params = kube::api::PostParams { dry_run: true, ..post_params() };
        let request = built(doing, on(&collection(Some(&target.namespace))).create(&params, body))?;
        let answer = self.call(doing, request).await?;
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }
}

/// The request that starts exactly this VM.
pub fn start(target: &Target, uid: &str, via: Via) -> Result<Timed, ClusterError> {
    switch(target, uid, via, "start the virtual machine", "Always", "start")
}

/// The request that stops exactly this VM.
pub fn stop(target: &Target, uid: &str, via: Via) -> Result<Timed, ClusterError> {
    switch(target, uid, via, "stop the virtual machine", "Halted", "stop")
}

/// The request that restarts exactly this VM, whose instance has that UID.
///
/// Only a subresource can do this: virt-api queues a stop and a start in the status of the VM.
pub fn restart(target: &Target, uid: &str, instance: &str) -> Result<Timed, ClusterError> {
    let timed = switch(target, uid, Via::Subresource, "restart the virtual machine", "", "restart")?;
    let (target, uid, instance) = (target.clone(), uid.to_owned(), instance.to_owned());
    Ok(Timed { meaning: Idempotency::Restart { target, uid, instance }, ..timed })
}

/// Another VM of the same name is left alone: a patch tests the UID on the server. Subresources cannot, so the sender
/// of such a request checks the VM immediately before.
fn switch(
    target: &Target,
    uid: &str,
    via: Via,
    doing: &'static str,
    strategy: &str,
    verb: &str,
) -> Result<Timed, ClusterError> {
    let bug = |error: http::Error| ClusterError::new(doing, Kind::Invalid, error.to_string());
    let request = match via {
        Via::Patch => Request::patch(format!(
            "{}/{}?fieldManager={}",
            collection(Some(&target.namespace)),
            target.name,
            names::FIELD_MANAGER
        ))
        .header(CONTENT_TYPE, "application/json-patch+json")
        .body(
            json!([
                {"op": "test", "path": "/metadata/uid", "value": uid},
                {"op": "add", "path": "/spec/runStrategy", "value": strategy},
            ])
            .to_string()
            .into_bytes(),
        ),
        Via::Subresource => Request::put(format!(
            "{}/{}/{verb}",
            path(SUBRESOURCES, Some(&target.namespace), MACHINES),
            target.name
        ))
        .header(CONTENT_TYPE, "application/json")
        .body(b"{}".to_vec()),
    };
    let (target, uid) = (target.clone(), uid.to_owned());
    let meaning = match via {
        Via::Patch => Idempotency::Patch { target, uid },
        Via::Subresource => Idempotency::Switch { target, uid },
    };
    Ok(Timed { doing, request: request.map_err(bug)?, meaning })
}

impl Cluster {
    /// One VM, if it exists.
    pub async fn machine(&self, target: &Target) -> Result<Option<Machine>, ClusterError> {
        let doing = "read the virtual machine";
        let request =
            built(doing, on(&collection(Some(&target.namespace))).get(&target.name, &GetParams::default()))?;
        match self.ask(doing, &request).await {
            Ok(machine) => Ok(Some(machine)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `metadata` of a VM's instance, if it has one.
    pub async fn instance(&self, target: &Target) -> Result<Option<Metadata>, ClusterError> {
        let doing = "read the instance of the virtual machine";
        let instances = path(GROUP, Some(&target.namespace), "virtualmachineinstances");
        let request = built(doing, on(&instances).get(&target.name, &GetParams::default()))?;
        match self.ask::<Object>(doing, &request).await {
            Ok(instance) => Ok(Some(instance.metadata)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes one VM if it still has that UID; succeeds if it is already gone.
    pub async fn delete_machine(&self, target: &Target, uid: &str) -> Result<(), ClusterError> {
        let collection = collection(Some(&target.namespace));
        self.delete_exactly("delete the virtual machine", &collection, &target.name, uid).await
    }

    /// Deletes one object if it still has that UID; succeeds if it is already gone.
    pub async fn delete_exactly(
        &self,
        doing: &str,
        collection: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), ClusterError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let request = built(doing, on(collection).delete(name, &params))?;
        match self.ask_raw(doing, &request).await {
            // A conflict means that another object has the name by now: it is not ours to delete.
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Conflict) => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_status_reason_and_message() {
        let machine = |status: Value| -> Machine {
            serde_json::from_value(json!({"metadata": {"name": "vm"}, "status": status})).unwrap()
        };
        assert_eq!(machine(json!({})).complaint(), "no status yet");
        let unschedulable = json!({"printableStatus": "ErrorUnschedulable", "conditions": [
            {"type": "Ready", "status": "False", "reason": "GuestNotRunning", "message": "no"},
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]});
        assert_eq!(machine(unschedulable).complaint(), "ErrorUnschedulable: Unschedulable: 0/3 nodes");
        assert_eq!(machine(json!({"printableStatus": "Starting"})).complaint(), "Starting");
    }

    #[test]
    fn a_vm_that_is_restarted_does_not_rest() {
        let machine = |strategy: &str, status: &str, actions: &[&str]| -> Machine {
            let requests: Vec<Value> = actions.iter().map(|action| json!({"action": action})).collect();
            let status = json!({"printableStatus": status, "stateChangeRequests": requests});
            let spec = json!({"runStrategy": strategy});
            serde_json::from_value(json!({"metadata": {"name": "vm"}, "spec": spec, "status": status}))
                .unwrap()
        };
        for (strategy, status, actions, rests) in [
            ("Manual", "Stopped", &[][..], true),
            ("Manual", "Stopped", &["Stop"], true),
            ("Manual", "Stopped", &["Start"], false),
            // A restart, while its final instance still exists.
            ("Manual", "Stopped", &["Stop", "Start"], false),
            ("RerunOnFailure", "Stopped", &["Stop", "Start"], false),
            ("Manual", "Running", &[], false),
            ("Always", "Stopped", &[], false),
            ("Halted", "Stopping", &[], true),
        ] {
            assert_eq!(machine(strategy, status, actions).rests(), rests, "{strategy} {status} {actions:?}");
        }
    }

    #[test]
    fn both_ways_of_switching_power() {
        let target = Target { namespace: "p-1".into(), name: "vm".into() };
        let patch = start(&target, "u", Via::Patch).unwrap().request;
        assert_eq!(patch.method(), "PATCH");
        let operations: Value = serde_json::from_slice(patch.body()).unwrap();
        assert_eq!(
            operations,
            json!([{"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "add", "path": "/spec/runStrategy", "value": "Always"}])
        );
        let put = stop(&target, "u", Via::Subresource).unwrap().request;
        assert_eq!(put.method(), "PUT");
        assert_eq!(put.uri(), "/apis/subresources.kubevirt.io/v1/namespaces/p-1/virtualmachines/vm/stop");
    }
}
