//! Documents as stored in the files; unknown fields are ignored.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::kube_burner::{LATENCY, SUMMARY};
use bootstorm_model::plan::MOST_TARGETS;
use bootstorm_model::record::at_most;

/// Maximum number of documents in a file: a phase's worth of VMs, several times over.
const MOST_DOCUMENTS: usize = 8 * MOST_TARGETS as usize;
/// Marker of our own documents.
const OURS: &str = "kubectl-bootstorm";

/// The document of a job
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) timestamp: Timestamp,
    #[serde(default)]
    pub(super) end_timestamp: Option<Timestamp>,
    #[serde(default)]
    pub(super) uuid: String,
    #[serde(default)]
    pub(super) job_config: JobConfig,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    pub(super) passed: Option<bool>,
    #[serde(default)]
    pub(super) execution_errors: Option<String>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    run: Option<String>,
    /// VMs of the phase; only in our own documents.
    #[serde(default)]
    pub(super) vms: Option<usize>,
    #[serde(default)]
    k8s_version: Option<String>,
    #[serde(default)]
    kubevirt_version: Option<String>,
    #[serde(default)]
    total_nodes: Option<usize>,
}

/// The used part of its configuration
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct JobConfig {
    pub(super) name: String,
    /// `create`, `kubevirt`, `patch`, `delete` or `read`.
    pub(super) job_type: String,
}

/// The document of a VM; latencies are in milliseconds from `timestamp`
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are kube-burner's")]
pub(super) struct Vm {
    pub(super) timestamp: Timestamp,
    #[serde(default)]
    pub(super) uuid: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    vm_name: String,
    #[serde(default)]
    vmi_name: String,
    #[serde(default)]
    pub(super) node_name: String,
    #[serde(default)]
    pub(super) job_name: String,
    #[serde(default)]
    pub(super) churn_metric: bool,
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) pod_created_latency: Option<i64>,
    #[serde(default)]
    pub(super) pod_scheduled_latency: Option<i64>,
    #[serde(default)]
    pub(super) pod_initialized_latency: Option<i64>,
    #[serde(default)]
    pub(super) pod_ready_to_start_containers_latency: Option<i64>,
    #[serde(default)]
    pub(super) vmi_created_latency: Option<i64>,
    #[serde(default)]
    pub(super) vmi_scheduled_latency: Option<i64>,
    #[serde(default)]
    pub(super) vmi_running_latency: Option<i64>,
    #[serde(default)]
    pub(super) vm_ready_latency: Option<i64>,
}

/// Fields that only our own documents have; metadata of others may be anything
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Metadata {
    /// Whether this tool wrote the document.
    pub(super) ours: bool,
    pub(super) outcome: Option<String>,
    pub(super) goal: Option<String>,
    pub(super) vm_reachable_latency: Option<i64>,
    pub(super) not_seen: Vec<String>,
}

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let list = value.get("notSeen").and_then(Value::as_array);
        Self {
            ours: word("tool").as_deref() == Some(OURS),
            outcome: word("outcome"),
            goal: word("goal"),
            vm_reachable_latency: value.get("vmReachableLatency").and_then(Value::as_i64),
            not_seen: list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Vm {
    /// Name of the VM, or of an instance that has none.
    pub(super) fn name(&self) -> &str {
        if self.vm_name.is_empty() { &self.vmi_name } else { &self.vm_name }
    }
}

/// Everything read so far
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) summaries: Vec<Summary>,
    pub(super) vms: Vec<Vm>,
}

#[derive(Deserialize)]
struct All(#[serde(deserialize_with = "at_most::<MOST_DOCUMENTS, _, _>")] Vec<Value>);

impl Documents {
    /// Adds the documents of a file; `job` is the job in its name, to which its VMs belong.
    pub(super) fn add(&mut self, bytes: &[u8], job: Option<&str>) -> Result<(), serde_json::Error> {
        for document in serde_json::from_slice::<All>(bytes)?.0 {
            let metric = document.get("metricName").and_then(Value::as_str).unwrap_or_default();
            // kube-burner omits the name of the metric if an instance has no VM; the file name has it.
            if metric == LATENCY || metric.is_empty() && job.is_some() {
                let mut vm = Vm::deserialize(document)?;
                if let Some(job) = job {
                    job.clone_into(&mut vm.job_name);
                }
                self.vms.push(vm);
            } else if metric == SUMMARY {
                self.summaries.push(Summary::deserialize(document)?);
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.vms.is_empty() && self.summaries.is_empty()
    }

    /// The UUID of the run. Fails if there are several.
    pub(super) fn run(&self) -> Result<&str, String> {
        let all = self.vms.iter().map(|vm| &vm.uuid).chain(self.summaries.iter().map(|job| &job.uuid));
        let all: BTreeSet<&str> = all.map(String::as_str).filter(|uuid| !uuid.is_empty()).collect();
        match all.len() {
            0 | 1 => Ok(all.into_iter().next().unwrap_or_default()),
            several => {
                let some: Vec<&str> = all.into_iter().take(3).collect();
                Err(format!("it holds documents of {several} runs ({}, …)", some.join(", ")))
            }
        }
    }

    /// Name of the run; only in our own documents.
    pub(super) fn name(&self) -> Option<String> {
        self.summaries.iter().find_map(|job| job.run.clone().filter(|_| job.tool.as_deref() == Some(OURS)))
    }

    /// Tool that wrote them: `kube-burner v2.7.3`.
    pub(super) fn tool(&self) -> Option<String> {
        let version = self.summaries.iter().find_map(|job| job.version.as_deref())?;
        let version = version.split('@').next().unwrap_or(version);
        Some(if version.starts_with(OURS) { version.to_owned() } else { format!("kube-burner {version}") })
    }

    pub(super) fn kubernetes(&self) -> Option<String> {
        self.summaries.iter().find_map(|job| job.k8s_version.clone())
    }

    pub(super) fn kubevirt(&self) -> Option<String> {
        self.summaries.iter().find_map(|job| job.kubevirt_version.clone())
    }

    pub(super) fn nodes(&self) -> Option<usize> {
        self.summaries.iter().find_map(|job| job.total_nodes)
    }
}
