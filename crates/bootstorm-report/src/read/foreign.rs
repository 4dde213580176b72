//! A report from results of another tool.

use jiff::Timestamp;

use super::super::{Compared, PhaseBlock};
use crate::view::{ClusterBlock, PlanBlock, Report, Run, SCHEMA_VERSION, SetupBlock};
use bootstorm_model::plan::{Layout, Overrides, Pinning, TemplateSource};
use bootstorm_model::probe::Probe;

/// Stand-in for a name that the files do not contain.
pub(super) const UNKNOWN: &str = "unknown";

/// Content of another tool's files about a run
pub(super) struct Foreign {
    pub(super) name: String,
    /// UUID of the run; empty if there is none.
    pub(super) id: String,
    pub(super) created: Timestamp,
    pub(super) tool: Option<String>,
    pub(super) vms: usize,
    /// First and last index of the VMs, as far as their names show.
    pub(super) span: (u32, u32),
    pub(super) deciding: Option<Probe>,
    pub(super) cluster: ClusterBlock,
    pub(super) phases: Vec<PhaseBlock>,
    pub(super) comparison: Option<Compared>,
}

impl Foreign {
    /// The report; fields that the files lack are unknown in it.
    pub(super) fn report(self) -> Report {
        Report {
            capacity: None,
            schema_version: SCHEMA_VERSION,
            run: Run { name: self.name, id: self.id, created: self.created, tool_version: self.tool },
            plan: PlanBlock {
                vms: self.vms,
                start: self.span.0,
                end: self.span.1,
                vm_name: UNKNOWN.to_owned(),
                layout: Layout::default(),
                pinning: Pinning::default(),
                template: TemplateSource::File {
                    name: UNKNOWN.to_owned(),
                    sha256: String::new(),
                    drawn_from: None,
                },
                overrides: Overrides::default(),
                template_sha256: None,
                disks: Vec::new(),
                probes: self.deciding.into_iter().collect(),
                probe_image: None,
                probers: 0,
                probe_pod: None,
            },
            cluster: self.cluster,
            setup: SetupBlock { done: true, namespaces: 0, batch_size: 0, took: 0.0 },
            phases: self.phases,
            comparison: self.comparison,
            repetitions: None,
            observation: None,
            placement: Vec::new(),
            thresholds: Vec::new(),
        }
    }
}
