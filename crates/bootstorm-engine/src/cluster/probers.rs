//! Prober pods: small, unprivileged, spread over nodes.

use kube::api::{DeleteParams, GetParams, Preconditions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{built, on, path, post_params};
use super::metadata::{Condition, Metadata, Object, Watched};
use super::names::{self, Role};
use super::watch::list_all;
use super::{Cluster, ClusterError, Kind};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::probe::kind::Toleration;

/// Path of the prober program in the run's own pods.
pub const PROGRAM_FOLDER: &str = "/bootstorm";

/// Name of the probing container; others may be added to the pod.
pub const CONTAINER: &str = "prober";

/// Labels that keep the proxies of service meshes out of a pod: Istio (sidecar and ambient) and Kuma
///
/// Such a proxy accepts each connection of its pod before it knows whether there is a guest at the other end.
const NO_MESH_LABELS: [(&str, &str); 3] = [
    ("sidecar.istio.io/inject", "false"),
    ("istio.io/dataplane-mode", "none"),
    ("kuma.io/sidecar-injection", "disabled"),
];
/// Annotation that does so for Linkerd.
const NO_MESH_ANNOTATION: (&str, &str) = ("linkerd.io/inject", "disabled");

/// State of a prober pod
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prober {
    /// Name of the pod.
    pub name: String,
    /// UID of the pod.
    pub uid: String,
    /// Whether its container runs.
    pub running: bool,
    /// Reason why it is not running, if known.
    pub complaint: Option<String>,
    /// Whether it will never run: its node refused it, or it ended.
    pub failed: bool,
}

/// A pod, with only the used fields decoded
#[derive(Debug, Clone, Deserialize)]
pub struct PodState {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    reason: String,
    message: String,
    conditions: Vec<Condition>,
    container_statuses: Vec<Container>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Container {
    state: State,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct State {
    running: Option<Value>,
    waiting: Option<Why>,
    terminated: Option<Why>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
struct Why {
    reason: String,
    message: String,
}

impl PodState {
    /// Value of one of its labels.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.get(key).map(String::as_str)
    }

    /// Whether it is being deleted.
    pub(super) fn is_ending(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }
}

impl Watched for PodState {
    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl From<PodState> for Prober {
    fn from(pod: PodState) -> Self {
        let text = |reason: &str, message: &str| {
            if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
        };
        let waits = pod.status.container_statuses.iter().find_map(|c| {
            let why = c.state.waiting.as_ref().or(c.state.terminated.as_ref())?;
            (why.reason != "ContainerCreating").then(|| text(&why.reason, &why.message))
        });
        let unplaced = pod.status.conditions.iter().find(|c| c.is("PodScheduled", "False"));
        let running = pod.status.phase == "Running"
            && pod.metadata.deletion_timestamp.is_none()
            && pod.status.container_statuses.iter().all(|c| c.state.running.is_some());
        // The kubelet states on the pod itself why it rejects it.
        let refused = (!pod.status.reason.is_empty()).then(|| text(&pod.status.reason, &pod.status.message));
        Self {
            name: pod.metadata.name,
            uid: pod.metadata.uid,
            running,
            complaint: refused.or(waits).or_else(|| unplaced.map(|c| text(&c.reason, &c.message))),
            failed: matches!(pod.status.phase.as_str(), "Failed" | "Succeeded"),
        }
    }
}

/// Collection of pods in a namespace.
pub fn collection(namespace: &str) -> String {
    path("v1", Some(namespace), "pods")
}

/// Selector for the prober pods of a run.
pub fn selector(run_id: &str) -> String {
    format!("{}={run_id},{}={}", names::RUN_ID, names::ROLE, Role::Prober.word())
}

/// Name of a prober pod, from 1.
pub fn name(prefix: &str, number: usize) -> String {
    format!("bootstorm-{prefix}-prober-{number}")
}

/// The manifest of a prober pod
///
/// It meets the restricted pod security standard. Pings need neither privileges nor capabilities if the group range
/// below is set, which is one of the sysctls that Kubernetes counts as safe. A pod in a user namespace has 65,536
/// groups and cannot name a larger one. Requests and limits suit 250 VMs, even for the script.
pub fn manifest(prefix: &str, run_id: &str, number: usize, probe: &ProbePlan) -> Value {
    let tolerations: Vec<Value> = probe.tolerations.iter().map(toleration).collect();
    let image = &probe.image;
    let mut labels = names::labels(prefix, run_id, Role::Prober);
    labels.extend(NO_MESH_LABELS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let (key, value) = NO_MESH_ANNOTATION;
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name(prefix, number), "labels": labels, "annotations": {key: value}},
        "spec": {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
                "sysctls": [{"name": "net.ipv4.ping_group_range", "value": "0 65535"}]
            },
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {names::RUN_ID: run_id, names::ROLE: Role::Prober.word()}}
            }],
            "tolerations": tolerations,
            "volumes": [{"name": "program", "emptyDir": {"sizeLimit": "16Mi"}}],
            "containers": [{
                "name": CONTAINER,
                "image": image,
                "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"],
                "resources": {
                    "requests": {"cpu": "250m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"}
                },
                "volumeMounts": [{"name": "program", "mountPath": PROGRAM_FOLDER}],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true
                }
            }]
        }
    })
}

/// A toleration in the pod's form.
fn toleration(toleration: &Toleration) -> Value {
    let mut json = json!({"key": toleration.key, "operator": "Exists"});
    if let Some(value) = &toleration.value {
        json["operator"] = json!("Equal");
        json["value"] = json!(value);
    }
    if let Some(effect) = &toleration.effect {
        json["effect"] = json!(effect);
    }
    json
}

impl Cluster {
    /// Creates a prober pod, unless one of its name exists; returns its metadata in either case.
    pub async fn make_prober(
        &self,
        prefix: &str,
        run_id: &str,
        number: usize,
        probe: &ProbePlan,
    ) -> Result<Metadata, ClusterError> {
        let doing = "create the prober pod";
        let pods = collection(self.namespace());
        let body = serde_json::to_vec(&manifest(prefix, run_id, number, probe)).unwrap_or_default();
        let request = built(doing, on(&pods).create(&post_params(), body))?;
        match self.ask::<Object>(doing, &request).await {
            Err(error) if error.kind == Kind::AlreadyExists => {
                let request = built(doing, on(&pods).get(&name(prefix, number), &GetParams::default()))?;
                Ok(self.ask::<Object>(doing, &request).await?.metadata)
            }
            outcome => Ok(outcome?.metadata),
        }
    }

    /// Recreates a prober pod that cannot run any more: it was deleted, or has ended for good, as pods do when their
    /// node is drained or runs out of memory. A pod that may still come up, or does not belong to this run, is left
    /// alone. Returns the metadata of a created pod.
    pub async fn remake_prober(
        &self,
        prefix: &str,
        run_id: &str,
        number: usize,
        probe: &ProbePlan,
    ) -> Result<Option<Metadata>, ClusterError> {
        let doing = "check the prober pod";
        let (pods, name) = (collection(self.namespace()), name(prefix, number));
        let request = built(doing, on(&pods).get(&name, &GetParams::default()))?;
        match self.call(doing, request).await.and_then(|answer| answer.object::<PodState>(doing)) {
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
            Ok(pod) => {
                let ours = pod.metadata.labels.get(names::RUN_ID).is_some_and(|id| id == run_id);
                let ended = matches!(pod.status.phase.as_str(), "Failed" | "Succeeded");
                if !ours || !ended {
                    return Ok(None);
                }
                let uid = Some(pod.metadata.uid);
                let preconditions = Some(Preconditions { uid, resource_version: None });
                let params =
                    DeleteParams { preconditions, grace_period_seconds: Some(0), ..DeleteParams::default() };
                self.call(doing, built(doing, on(&pods).delete(&name, &params))?).await?;
            }
        }
        self.make_prober(prefix, run_id, number, probe).await.map(Some)
    }

    /// Fails if the user's own pod to probe from does not exist: nobody will create it. Whether it may be read is another
    /// matter than whether commands may be run in it.
    pub async fn check_prober(&self, namespace: &str, pod: &str) -> Result<(), ClusterError> {
        let doing = format!("probe from pod {namespace}/{pod}");
        match self.read::<Object>(&doing, &collection(namespace), pod).await {
            Ok(None) => {
                let why = "there is no such pod; choose another one with --probe-pod NAMESPACE/NAME";
                Err(ClusterError::new(&doing, Kind::NotFound, why))
            }
            Err(error) if error.kind != Kind::Forbidden => Err(error),
            _ => Ok(()),
        }
    }

    /// The prober pods of a run, by name.
    pub async fn probers(&self, run_id: &str) -> Result<Vec<Prober>, ClusterError> {
        let (pods, selector) = (collection(self.namespace()), selector(run_id));
        let (listed, _) = list_all::<PodState>(self, "list prober pods", &pods, &selector).await?;
        let mut probers: Vec<Prober> = listed.into_iter().map(Prober::from).collect();
        probers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(probers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prober_meets_the_restricted_pod_security_standard() {
        let tolerations = vec!["dedicated=vm:NoSchedule".parse().unwrap()];
        let plan = ProbePlan { image: "busybox".into(), tolerations, ..ProbePlan::default() };
        let pod = manifest("p", "id", 1, &plan);
        let tolerated =
            json!([{"key": "dedicated", "operator": "Equal", "value": "vm", "effect": "NoSchedule"}]);
        assert_eq!(pod["spec"]["tolerations"], tolerated);
        assert_eq!(pod["metadata"]["labels"]["sidecar.istio.io/inject"], "false");
        assert_eq!(pod["metadata"]["annotations"]["linkerd.io/inject"], "disabled");
        let container = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"][0], "ALL");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(pod["spec"]["volumes"][0]["emptyDir"].as_object().unwrap().len(), 1);
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod["spec"].get(forbidden).is_none(), "{forbidden}");
        }
        // The largest that a pod in a user namespace can have.
        assert_eq!(pod["spec"]["securityContext"]["sysctls"][0]["value"], "0 65535");
    }

    #[test]
    fn what_keeps_a_prober_from_running_is_told() {
        let pod = |status: Value| -> Prober {
            let pod: PodState =
                serde_json::from_value(json!({"metadata": {"name": "a"}, "status": status})).unwrap();
            pod.into()
        };
        let pulling = json!({"phase": "Pending", "containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]});
        assert_eq!(pod(pulling).complaint.unwrap(), "ImagePullBackOff: Back-off pulling image");
        let running = json!({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]});
        assert!(pod(running).running);
        let creating = json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]});
        assert_eq!((pod(creating.clone()).running, pod(creating).complaint), (false, None));
        let refused =
            pod(json!({"phase": "Failed", "reason": "SysctlForbidden", "message": "forbidden sysctl"}));
        assert_eq!(
            (refused.failed, refused.complaint.as_deref()),
            (true, Some("SysctlForbidden: forbidden sysctl"))
        );
    }
}
