//! Documents for kube-burner's indexers and dashboards, as of kube-burner v2.7.3 with go-commons v2.3.2.
//!
//! Field names, types and units are those of `pkg/burner/metadata.go` (`jobSummary`), `pkg/measurements/vmi_latency.go`
//! (`vmiLatencyMeasurement`) and `pkg/measurements/metrics/metrics.go` (`vmiLatencyQuantilesMeasurement`): latencies
//! are whole milliseconds, `elapsedTime` is seconds, durations of `jobConfig` are nanoseconds. A phase is a job. The
//! files are those of its local indexer (`indexers/local.go`): one array of documents per metric and job.
//!
//! As in kube-burner, a VM has a document if its instance ran, and quantiles are over these VMs. Unlike there, a
//! latency that was not measured is absent (it writes -9223372036854), everything counts from the VM's request instead
//! of the creation of its object, and the job summary counts the VMs that did not arrive.

mod documents;
mod metric;
mod quantiles;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{PhaseBlock, Report, Unwritable, document};
use bootstorm_model::record::PhaseKind;
use documents::{JobSummary, Latency};
pub(crate) use metric::{LATENCY, QUANTILES, SUMMARY};
use quantiles::Quantiles;

/// Prefix of the folders of kube-burner's local indexer, followed by the UUID of the run.
pub const FOLDER: &str = "collected-metrics-";

/// A document and its destination
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Id that is the same for the same run, job, metric and VM, so that a repeat replaces it: 64 hexadecimal digits.
    pub id: String,
    /// The document as one line of JSON, without a line end.
    pub body: String,
    /// Name of its file, without the folder.
    file: String,
}

impl Report {
    /// All documents as one array, one per line, which `kube-burner import` accepts as a file of its tarball.
    pub fn kube_burner(&self) -> Result<String, Unwritable> {
        Ok(array(&self.kube_burner_documents()?))
    }

    /// The documents as files, named as by kube-burner's local indexer, each with its path below the chosen folder.
    pub fn kube_burner_files(&self) -> Result<Vec<(String, String)>, Unwritable> {
        let mut files: BTreeMap<String, Vec<Indexed>> = BTreeMap::new();
        for indexed in self.kube_burner_documents()? {
            files.entry(indexed.file.clone()).or_default().push(indexed);
        }
        let folder = format!("{FOLDER}{}", self.run.id);
        Ok(files.into_iter().map(|(name, all)| (format!("{folder}/{name}"), array(&all))).collect())
    }

    /// The documents of every finished phase: summaries first, then VMs, then quantiles.
    pub fn kube_burner_documents(&self) -> Result<Vec<Indexed>, Unwritable> {
        let over = || self.phases.iter().filter(|phase| phase.is_done());
        let mut all = Vec::new();
        for phase in over() {
            all.push(self.indexed(SUMMARY, phase, &[], &JobSummary::of(self, phase))?);
        }
        for phase in over().filter(|phase| phase.kind != PhaseKind::Stop) {
            let latencies = Latency::all(self, phase);
            for latency in &latencies {
                all.push(self.indexed(LATENCY, phase, &[latency.namespace, latency.vm_name], latency)?);
            }
            for quantiles in Quantiles::all(self, phase, &latencies) {
                all.push(self.indexed(QUANTILES, phase, &[quantiles.quantile_name], &quantiles)?);
            }
        }
        Ok(all)
    }

    fn indexed(
        &self,
        metric: &'static str,
        phase: &PhaseBlock,
        subject: &[&str],
        content: &impl serde::Serialize,
    ) -> Result<Indexed, Unwritable> {
        let job = phase.name.to_string();
        let mut hash = Sha256::new();
        for part in [self.run.id.as_str(), metric, &job].iter().chain(subject) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let id: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = if metric == SUMMARY { format!("{metric}.json") } else { format!("{metric}-{job}.json") };
        Ok(Indexed { id, body: document::line(content)?, file })
    }
}

/// Documents as an array, one per line.
fn array(documents: &[Indexed]) -> String {
    let lines: Vec<&str> = documents.iter().map(|indexed| indexed.body.as_str()).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}

#[cfg(test)]
mod tests;
