//! The Job whose pods are the shards of a run, and its permissions.
//!
//! Objects in the namespace of the record are owned by its head, and deleted with it. A cluster-wide role cannot be: it
//! is named by the UUID of the run, and counts as ours only if this tool wrote its label with that UUID.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Event;
use kube::api::{GetParams, ListParams};
use kube::core::ObjectList;
use serde_json::{Value, json};

use super::access::Permission;
use super::call::{built, on, path, post_params};
use super::list::list_all;
use super::metadata::{Metadata, Object};
use super::names::{self, Role};
use super::probers::{self, PodState, Prober};
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::shards::Assignment;

/// Name of the container of a shard.
pub const CONTAINER: &str = "shard";
/// Label with the index of a pod; Kubernetes 1.28 and later.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Label with the name of the Job, on its pods; Kubernetes 1.27 and later.
const OF_JOB: &str = "batch.kubernetes.io/job-name";
/// Maximum number of failed pods per shard. Evicted pods do not count.
const FAILURES: u32 = 20;
/// Exit code of a process that would fail again: see `bootstorm_model::exit`.
const FINAL: u8 = 2;
/// Seconds in which an evicted shard saves its state and releases its lock.
const GRACE: u32 = 60;

/// Specification of a Job
#[derive(Debug, Clone, Copy)]
pub struct Outfit<'a> {
    /// Work of the pods.
    pub assignment: &'a Assignment,
    /// UID of the head of the run's record.
    pub head: &'a str,
    /// Image with the program.
    pub image: &'a str,
    /// Existing service account; absent if one is created.
    pub service_account: Option<&'a str>,
    /// Permissions of the pods, if an account is created for them.
    pub permissions: &'a [Permission],
}

/// A kind of object that belongs to a Job, in the order of creation
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gear {
    /// Service account of the pods.
    ServiceAccount,
    /// Permissions in the namespace of the record.
    Role,
    /// Binding of that role.
    RoleBinding,
    /// Permissions in all namespaces.
    ClusterRole,
    /// Binding of that role.
    ClusterRoleBinding,
    /// The Job.
    Job,
}

impl Gear {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::Role,
        Self::RoleBinding,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
        Self::Job,
    ];

    /// Singular name, as in kubectl.
    pub fn word(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccount",
            Self::Role => "role",
            Self::RoleBinding => "rolebinding",
            Self::ClusterRole => "clusterrole",
            Self::ClusterRoleBinding => "clusterrolebinding",
            Self::Job => "job",
        }
    }

    fn is_everywhere(self) -> bool {
        matches!(self, Self::ClusterRole | Self::ClusterRoleBinding)
    }

    fn collection(self, namespace: &str) -> String {
        let (api, plural) = match self {
            Self::ServiceAccount => ("v1", "serviceaccounts"),
            Self::Role => ("rbac.authorization.k8s.io/v1", "roles"),
            Self::RoleBinding => ("rbac.authorization.k8s.io/v1", "rolebindings"),
            Self::ClusterRole => ("rbac.authorization.k8s.io/v1", "clusterroles"),
            Self::ClusterRoleBinding => ("rbac.authorization.k8s.io/v1", "clusterrolebindings"),
            Self::Job => ("batch/v1", "jobs"),
        };
        path(api, Some(namespace).filter(|_| !self.is_everywhere()), plural)
    }

    fn name(self, prefix: &str, run_id: &str) -> String {
        if self.is_everywhere() { format!("bootstorm-{run_id}") } else { names::head_name(prefix) }
    }
}

/// An object that belongs to the Job of a run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Kind.
    pub gear: Gear,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// How a Job ended
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// Every index has succeeded.
    Complete,
    /// Failed, for this reason.
    Failed(String),
}

/// A Job of a run
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Work of its pods; absent if unreadable.
    pub assignment: Option<Assignment>,
    /// Image of its pods.
    pub image: String,
    /// Time of creation.
    pub created: Option<Timestamp>,
    /// How it ended, once it has.
    pub end: Option<JobEnd>,
    /// Pods that are running or about to.
    pub active: i32,
    /// Succeeded indexes.
    pub succeeded: i32,
    /// Failed pods.
    pub failed: i32,
}

/// A pod of a Job
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPod {
    /// Its index.
    pub index: Option<u32>,
    /// Its state.
    pub pod: Prober,
    /// It is being deleted.
    pub is_ending: bool,
}

impl From<Job> for JobState {
    fn from(job: Job) -> Self {
        let (spec, status) = (job.spec.unwrap_or_default(), job.status.unwrap_or_default());
        let container = spec.template.spec.and_then(|spec| spec.containers.into_iter().next());
        let container = container.unwrap_or_default();
        let args = container.args.unwrap_or_default();
        let assignment = args.iter().skip_while(|arg| *arg != "--assignment").nth(1);
        let conditions = status.conditions.unwrap_or_default();
        let is = |kind: &str| conditions.iter().find(|one| one.type_ == kind && one.status == "True");
        let end = match (is("Complete"), is("Failed")) {
            (Some(_), _) => Some(JobEnd::Complete),
            (None, Some(why)) => {
                let (reason, message) = (why.reason.clone(), why.message.clone());
                Some(JobEnd::Failed([reason, message].into_iter().flatten().collect::<Vec<_>>().join(": ")))
            }
            (None, None) => None,
        };
        Self {
            name: job.metadata.name.unwrap_or_default(),
            uid: job.metadata.uid.unwrap_or_default(),
            assignment: assignment.and_then(|text| Assignment::parse(text).ok()),
            image: container.image.unwrap_or_default(),
            created: job.metadata.creation_timestamp.map(|time| time.0),
            end,
            active: status.active.unwrap_or_default(),
            succeeded: status.succeeded.unwrap_or_default(),
            failed: status.failed.unwrap_or_default(),
        }
    }
}

/// Manifest of an object that belongs to a Job; `None` if it is not needed.
fn manifest(gear: Gear, outfit: &Outfit<'_>, namespace: &str) -> Option<Value> {
    let Assignment { prefix, run_id, .. } = outfit.assignment;
    let here: Vec<&Permission> = outfit.permissions.iter().filter(|one| one.namespace.is_some()).collect();
    let everywhere: Vec<&Permission> =
        outfit.permissions.iter().filter(|one| one.namespace.is_none()).collect();
    let account = names::head_name(prefix);
    let mut metadata = json!({
        "name": gear.name(prefix, run_id),
        "labels": names::labels(prefix, run_id, Role::Shard),
    });
    if !gear.is_everywhere() {
        metadata["namespace"] = json!(namespace);
        metadata["ownerReferences"] = json!([super::store::owner(prefix, outfit.head)]);
    }
    let bound = |kind: &str| {
        json!({
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": gear.name(prefix, run_id)
            },
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        })
    };
    let of_account = outfit.service_account.is_none();
    let mut object = match gear {
        Gear::ServiceAccount if of_account => json!({}),
        Gear::Role if of_account => json!({"rules": rules(&here)}),
        Gear::RoleBinding if of_account => bound("Role"),
        Gear::ClusterRole if of_account && !everywhere.is_empty() => json!({"rules": rules(&everywhere)}),
        Gear::ClusterRoleBinding if of_account && !everywhere.is_empty() => bound("ClusterRole"),
        Gear::Job => json!({"spec": job(outfit, namespace, outfit.service_account.unwrap_or(&account))}),
        _ => return None,
    };
    let (api, kind) = match gear {
        Gear::ServiceAccount => ("v1", "ServiceAccount"),
        Gear::Role => ("rbac.authorization.k8s.io/v1", "Role"),
        Gear::RoleBinding => ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        Gear::ClusterRole => ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        Gear::ClusterRoleBinding => ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        Gear::Job => ("batch/v1", "Job"),
    };
    object["apiVersion"] = json!(api);
    object["kind"] = json!(kind);
    object["metadata"] = metadata;
    Some(object)
}

fn rules(permissions: &[&Permission]) -> Vec<Value> {
    let rule = |one: &&Permission| json!({"apiGroups": [one.group], "resources": [one.resource], "verbs": [one.verb]});
    permissions.iter().map(rule).collect()
}

/// The spec of the Job: an index for each shard, and pods that meet the restricted pod security standard.
fn job(outfit: &Outfit<'_>, namespace: &str, account: &str) -> Value {
    let Assignment { prefix, shards, .. } = outfit.assignment;
    // Without the UUID of the run: objects with that label belong to the run, but pods are deleted with their Job.
    let labels = json!({names::RUN: prefix, names::ROLE: Role::Shard.word()});
    let args = ["__shard", "--namespace", namespace, "--assignment", &outfit.assignment.to_text()];
    json!({
        "completions": shards,
        "parallelism": shards,
        "completionMode": "Indexed",
        "backoffLimit": FAILURES * shards,
        // A second pod of an index begins when the first one has certainly ended.
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": [
            {"action": "FailJob", "onExitCodes": {
                "containerName": CONTAINER, "operator": "In", "values": [FINAL]}},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": account,
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": GRACE,
                "enableServiceLinks": false,
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "topologySpreadConstraints": [{
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": labels},
                }],
                "containers": [{
                    "name": CONTAINER,
                    "image": outfit.image,
                    "args": args,
                    // Puts the reason into the status of a failed pod.
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "resources": {
                        "requests": {"cpu": "500m", "memory": "256Mi"},
                        "limits": {"memory": "1Gi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": true,
                    },
                }],
            },
        },
    })
}

impl Cluster {
    /// Creates a Job and its objects. Existing ones from an earlier attempt are kept.
    ///
    /// Fails if another object has one of the names.
    pub async fn make_job(&self, outfit: &Outfit<'_>) -> Result<(), ClusterError> {
        for gear in Gear::ALL {
            let Some(object) = manifest(gear, outfit, self.namespace()) else { continue };
            let doing = format!("create the {} of the shards", gear.word());
            let collection = gear.collection(self.namespace());
            let body = serde_json::to_vec(&object).unwrap_or_default();
            let request = built(&doing, on(&collection).create(&post_params(), body))?;
            match self.ask_raw(&doing, &request).await {
                Err(error) if error.kind == Kind::AlreadyExists => {
                    let Assignment { prefix, run_id, .. } = outfit.assignment;
                    let name = gear.name(prefix, run_id);
                    let found = self.read::<Object>(&doing, &collection, &name).await?.ok_or(error)?;
                    if !is_ours(&found.metadata, gear, run_id) {
                        let message = format!("{} {name} exists already and is not the run's", gear.word());
                        return Err(ClusterError::new(&doing, Kind::AlreadyExists, message));
                    }
                }
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// The Job of a run, if there is one.
    pub async fn job_of(&self, prefix: &str, run_id: &str) -> Result<Option<JobState>, ClusterError> {
        let doing = "read the Job of the run";
        let request = Gear::Job.collection(self.namespace());
        let request = built(doing, on(&request).get(&names::head_name(prefix), &GetParams::default()))?;
        let job = match self.ask::<Job>(doing, &request).await {
            Ok(job) => job,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = job.metadata.labels.as_ref().and_then(|labels| labels.get(names::RUN_ID));
        Ok((id.map(String::as_str) == Some(run_id)).then(|| job.into()))
    }

    /// The pods of the Job of a run, by index.
    pub async fn shard_pods(&self, prefix: &str) -> Result<Vec<ShardPod>, ClusterError> {
        let selector = format!("{OF_JOB}={}", names::head_name(prefix));
        let pods = probers::collection(self.namespace());
        let (listed, _) = list_all::<PodState>(self, "list the pods of the Job", &pods, &selector).await?;
        let pod = |pod: PodState| ShardPod {
            index: pod.label(INDEX).and_then(|index| index.parse().ok()),
            is_ending: pod.is_ending(),
            pod: pod.into(),
        };
        let mut pods: Vec<ShardPod> = listed.into_iter().map(pod).collect();
        pods.sort_by(|a, b| (a.index, &a.pod.name).cmp(&(b.index, &b.pod.name)));
        Ok(pods)
    }

    /// Why pods of a Job were last refused; `None` if none was, or if events may not be read.
    pub async fn refused_pods(&self, job: &JobState) -> Result<Option<String>, ClusterError> {
        let doing = "find out why the Job has no pods";
        let fields = format!("involvedObject.kind=Job,involvedObject.name={},reason=FailedCreate", job.name);
        let events = path("v1", Some(self.namespace()), "events");
        let request = built(doing, on(&events).list(&ListParams::default().fields(&fields)))?;
        let listed = match self.ask::<ObjectList<Event>>(doing, &request).await {
            Err(error) if error.kind == Kind::Forbidden => return Ok(None),
            listed => listed?,
        };
        let of_job = |event: &Event| event.involved_object.uid.as_deref() == Some(&*job.uid);
        let last = listed
            .items
            .into_iter()
            .filter(of_job)
            .max_by_key(|event| event.metadata.creation_timestamp.clone());
        Ok(last.and_then(|event| event.message))
    }

    /// Existing objects that belong to the Job of a run, the Job first. Kinds that may not be read are left out.
    pub async fn gear_of(&self, prefix: &str, run_id: &str) -> Result<Vec<Piece>, ClusterError> {
        let mut pieces = Vec::new();
        for gear in Gear::ALL.into_iter().rev() {
            let doing = format!("look for the {} of the shards", gear.word());
            let (collection, name) = (gear.collection(self.namespace()), gear.name(prefix, run_id));
            let found = match self.read::<Object>(&doing, &collection, &name).await {
                Ok(found) => found,
                Err(error) if error.kind == Kind::Forbidden => None,
                Err(error) => return Err(error),
            };
            let found = found.filter(|found| is_ours(&found.metadata, gear, run_id));
            pieces.extend(found.map(|Object { metadata, .. }| Piece {
                gear,
                name: metadata.name,
                uid: metadata.uid,
            }));
        }
        Ok(pieces)
    }

    /// Deletes these objects, and nothing that has taken their names since.
    pub async fn delete_gear(&self, pieces: &[Piece]) -> Result<(), ClusterError> {
        for Piece { gear, name, uid } in pieces {
            let doing = format!("delete the {} of the shards", gear.word());
            self.delete_exactly(&doing, &gear.collection(self.namespace()), name, uid).await?;
        }
        Ok(())
    }
}

/// Whether an object belongs to the Job of a run.
fn is_ours(object: &Metadata, gear: Gear, run_id: &str) -> bool {
    let is_labelled = object.labels.get(names::RUN_ID).is_some_and(|id| id == run_id);
    let is_marked = object.labels.get(names::ROLE).is_some_and(|role| role == Role::Shard.word());
    // In the namespace of the record everything has an owner.
    let is_owned = gear.is_everywhere() || object.owner_references.iter().any(|one| one.kind == "ConfigMap");
    is_labelled && is_marked && is_owned && object.is_labelled_by_us()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootstorm_model::record::{PhaseName, PhaseSettings};
    use bootstorm_model::shards::Planned;

    fn assignment() -> Assignment {
        let settings = PhaseSettings { shards: Some(3), ..PhaseSettings::default() };
        let phases = vec![Planned { name: PhaseName::CREATE, settings }];
        Assignment { prefix: "p".into(), run_id: "id".into(), shards: 3, phases, observe: None }
    }

    fn outfit<'a>(assignment: &'a Assignment, permissions: &'a [Permission]) -> Outfit<'a> {
        Outfit {
            assignment,
            head: "uid",
            image: "registry.example.org/x:1",
            service_account: None,
            permissions,
        }
    }

    #[test]
    fn the_pods_meet_the_restricted_pod_security_standard() {
        let assignment = assignment();
        let job = manifest(Gear::Job, &outfit(&assignment, &[]), "ns").unwrap();
        let spec = &job["spec"]["template"]["spec"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &spec["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"][0], "ALL");
        assert_eq!(spec["restartPolicy"], "Never");
        let labels = &job["spec"]["template"]["metadata"]["labels"];
        assert!(labels.get(names::RUN_ID).is_none(), "pods go with their Job: {labels}");
    }

    #[test]
    fn the_assignment_is_read_back_from_the_job() {
        let assignment = assignment();
        let job = manifest(Gear::Job, &outfit(&assignment, &[]), "ns").unwrap();
        let mut job: Job = serde_json::from_value(job).unwrap();
        let state = JobState::from(job.clone());
        assert_eq!((state.assignment, state.end), (Some(assignment), None));
        job.status = serde_json::from_value(json!({"conditions": [
            {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "exit code 2"}]}))
        .unwrap();
        let failed = JobEnd::Failed("PodFailurePolicy: exit code 2".into());
        assert_eq!(JobState::from(job).end, Some(failed));
    }

    #[test]
    fn an_account_of_the_user_brings_its_own_roles() {
        let assignment = assignment();
        let one = Permission { verb: "get", group: "", resource: "pods", namespace: None };
        let permissions = [one];
        let own = outfit(&assignment, &permissions);
        let made = |outfit: &Outfit<'_>| {
            Gear::ALL.into_iter().filter(|gear| manifest(*gear, outfit, "ns").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(made(&own), Gear::ALL);
        let given = Outfit { service_account: Some("mine"), ..own };
        assert_eq!(made(&given), [Gear::Job]);
        let job = manifest(Gear::Job, &given, "ns").unwrap();
        assert_eq!(job["spec"]["template"]["spec"]["serviceAccountName"], "mine");
        let role = manifest(Gear::ClusterRole, &own, "ns").unwrap();
        assert_eq!(role["rules"][0]["verbs"][0], "get");
        assert_eq!(role["metadata"]["name"], "bootstorm-id");
    }
}
