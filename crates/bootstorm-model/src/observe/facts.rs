//! Facts about a VM in one phase, beside its milestones, as the streams report them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Milestone, Offset};

/// Last known state of a launcher pod
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LauncherState {
    /// Name of the pod.
    pub pod: String,
    /// What the pod is doing or waiting for, in a few words.
    pub state: String,
}

/// The phase of a `VirtualMachineInstanceMigration`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MigrationPhase {
    /// Waits in virt-controller's queue (also the empty phase before).
    Pending,
    /// The launcher pod on the target node exists.
    Scheduling,
    /// The target pod runs.
    Scheduled,
    /// virt-handler on the target node prepares it.
    PreparingTarget,
    /// The target can receive the guest.
    TargetReady,
    /// The guest's memory is being copied.
    Running,
    /// The guest runs on the target.
    Succeeded,
    /// The guest stays where it is.
    Failed,
}

impl MigrationPhase {
    /// The milestone that a VM passes with this phase.
    pub fn milestone(self) -> Option<Milestone> {
        match self {
            Self::Scheduling => Some(Milestone::Pod),
            Self::TargetReady => Some(Milestone::Target),
            Self::Running => Some(Milestone::Copying),
            Self::Succeeded => Some(Milestone::Migrated),
            Self::Pending | Self::Scheduled | Self::PreparingTarget | Self::Failed => None,
        }
    }

    /// Phases of a successful migration, in order.
    pub(super) const WAY: [Self; 7] = [
        Self::Pending,
        Self::Scheduling,
        Self::Scheduled,
        Self::PreparingTarget,
        Self::TargetReady,
        Self::Running,
        Self::Succeeded,
    ];
}

/// Facts about a VM's live migration
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationFacts {
    /// UID of the migration object that this phase created; absent until an answer or a watch reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Box<str>>,
    /// Last phase observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<MigrationPhase>,
    /// Node that the guest leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Node to which it migrates; absent until chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Memory of the guest in bytes when the phase began; absent if its VMI does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How memory was moved: `PreCopy`, `PostCopy` or `Paused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Failure reported by `KubeVirt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether `KubeVirt` gave up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// How a disk was filled
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// Cloned by the storage itself.
    CsiClone,
    /// Restored from a snapshot, possibly one made for it.
    Snapshot,
    /// Copied by pods.
    HostAssisted,
    /// Imported from a registry or a web server.
    Import,
    /// An empty disk.
    Blank,
    /// Uploaded by a client.
    Upload,
    /// A clone of unknown kind.
    Unknown,
    /// Disks of one VM were filled in different ways.
    Mixed,
}

impl VolumeKind {
    /// The word used in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::CsiClone => "csi-clone",
            Self::Snapshot => "snapshot",
            Self::HostAssisted => "host-assisted",
            Self::Import => "import",
            Self::Blank => "blank",
            Self::Upload => "upload",
            Self::Unknown => "unknown",
            Self::Mixed => "mixed",
        }
    }

    /// Kind of a VM with disks of these kinds; blank disks do not count if there are others.
    pub(super) fn of_all(mut kinds: Vec<Self>) -> Option<Self> {
        kinds.sort();
        kinds.dedup();
        if kinds.len() > 1 {
            kinds.retain(|kind| *kind != Self::Blank);
        }
        match kinds.as_slice() {
            [] => None,
            [only] => Some(*only),
            _ => Some(Self::Mixed),
        }
    }
}

impl fmt::Display for VolumeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Warnings with the same reason about the same kind of object, with the last message
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Occurrences.
    pub count: u32,
    /// First occurrence, on the phase's time axis.
    pub first: Offset,
    /// Last occurrence.
    pub last: Offset,
}

/// `status.migrationState` of a VMI: its current or last migration
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Move {
    /// UID of the migration.
    pub uid: String,
    /// Node that the guest leaves.
    pub from: Option<String>,
    /// Node to which it migrates.
    pub to: Option<String>,
    /// Whether the target has opened its ports (`targetNodeAddress`).
    pub target_ready: bool,
    /// `startTimestamp`, in whole seconds.
    pub started: Option<Timestamp>,
    /// `endTimestamp`, in whole seconds.
    pub ended: Option<Timestamp>,
    /// Whether it is over, successful or not.
    pub completed: bool,
    /// Whether it failed, so that the guest stays where it is.
    pub failed: bool,
    /// `failureReason`.
    pub failure: Option<String>,
    /// `PreCopy`, `PostCopy` or `Paused`.
    pub mode: Option<String>,
}

impl Move {
    /// Whether the migration is in progress.
    pub fn is_under_way(&self) -> bool {
        !self.uid.is_empty() && !self.completed && !self.failed
    }
}
