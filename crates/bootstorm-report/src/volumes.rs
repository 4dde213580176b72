//! How the disks of a phase were filled, for display.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::VolumeKind;
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{Provisioning, Summary};

/// How the disks of a phase were filled, and the times of VMs without that
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VolumesBlock {
    /// Method → number of VMs.
    pub kinds: BTreeMap<VolumeKind, usize>,
    /// From the accepted request until all disks of a VM were ready.
    pub fill: Summary,
    /// From then until the VM ran; absent if VMs were not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Summary>,
}

impl VolumesBlock {
    /// The block of a phase; `None` if no VM got a disk.
    pub(super) fn of(phase: &PhaseRecord) -> Option<Self> {
        let provisioning = Provisioning::of(&phase.timelines)?;
        let mut kinds = BTreeMap::new();
        for kind in phase.participants().filter_map(|timeline| timeline.volume_kind) {
            *kinds.entry(kind).or_default() += 1;
        }
        let boot = (!phase.settings.halted).then_some(provisioning.boot);
        Some(Self { kinds, fill: provisioning.fill, boot })
    }

    /// The kinds in words: `csi-clone`, or `9 csi-clone, 1 host-assisted`.
    pub fn kinds_in_words(&self) -> String {
        match self.kinds.iter().collect::<Vec<_>>().as_slice() {
            [] => VolumeKind::Unknown.to_string(),
            [(kind, _)] => kind.to_string(),
            several => {
                several.iter().map(|(kind, vms)| format!("{vms} {kind}")).collect::<Vec<_>>().join(", ")
            }
        }
    }
}
