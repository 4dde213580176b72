//! What a VM is or was waiting for, and why, derived from its timeline.
//!
//! The first line that fits decides. A *word* is the reason of an event or of a state; what follows it is the essence of its message, so
//! that VMs with the same problem get the same text.
//!
//! | how far it came | it waits for | why, where that was seen |
//! |---|---|---|
//! | not accepted | an answer to its request | the server's refusal |
//! | runs | an address, or an answer | – |
//! | to be restarted, its old instance is there | its guest to power off, or its stop to begin | – |
//! | its instance ended | its guest to stay up | `CrashLoopBackOff`, with the exit of its container |
//! | its disks are not filled | its disks | the state of its volumes, or a condition |
//! | no instance | its instance | a condition, or a warning about the VM |
//! | no launcher pod | its launcher pod | a missing claim, a quota, or another warning about the instance |
//! | no node | a node | `FailedScheduling` |
//! | containers do not run | its volumes, image, network or containers | the state of the pod, else the last warning |
//! | its pod runs | virt-handler | a warning |
//! | handed over to virt-handler | its guest to be started | `SyncFailed` or another warning |
//! | to be migrated | its turn, its target, its memory to be copied | what `KubeVirt` says about the failure |
//! | stopping | its guest to power off, or its stop to begin | – |

mod essence;
mod rules;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::observe::{Milestone, Outcome, Timeline};

/// What a VM is waiting for
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// The server accepts its request.
    Answer,
    /// Its disks are filled, and its claims are there.
    Volumes,
    /// virt-controller makes its instance.
    Instance,
    /// virt-controller makes its launcher pod.
    Pod,
    /// The scheduler finds a node.
    Node,
    /// Its volumes are attached and mounted.
    Attachment,
    /// An image is pulled.
    Image,
    /// The containers of its pod run.
    Containers,
    /// Its pod gets a node, or its containers run: not distinguished if pods are not watched.
    PodUp,
    /// virt-handler takes over.
    Handler,
    /// libvirt starts the domain.
    Guest,
    /// Its guest does not end again.
    StayUp,
    /// Its guest reports an address.
    Address,
    /// Its guest answers.
    Reply,
    /// Its stop begins.
    Stop,
    /// Its guest powers off and its instance goes.
    PowerOff,
    /// virt-controller begins its live migration.
    Turn,
    /// The target of its live migration can receive the guest.
    Target,
    /// Its memory is copied.
    Copy,
}

impl Awaited {
    /// The phrase after "wait for".
    pub fn words(self) -> &'static str {
        match self {
            Self::Answer => "an answer to the request",
            Self::Volumes => "disks",
            Self::Instance => "an instance",
            Self::Pod => "a launcher pod",
            Self::Node => "a node",
            Self::Attachment => "volumes to be attached",
            Self::Image => "an image",
            Self::Containers => "containers to start",
            Self::PodUp => "the launcher pod to run",
            Self::Handler => "virt-handler",
            Self::Guest => "the guest to be started",
            Self::StayUp => "the guest to stay up",
            Self::Address => "an address",
            Self::Reply => "an answer of the guest",
            Self::Stop => "the stop to begin",
            Self::PowerOff => "the guest to power off",
            Self::Turn => "a turn in KubeVirt's migration queue",
            Self::Target => "the target node to be ready",
            Self::Copy => "memory to be copied",
        }
    }
}

/// What a VM is waiting for, and why
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What it is waiting for.
    pub waits_for: Awaited,
    /// Cause, if one was seen.
    pub cause: Option<String>,
}

impl Diagnosis {
    /// Diagnoses a pending VM now, or a finished one at its end.
    ///
    /// `goal` is that of its phase.
    pub fn of(timeline: &Timeline, goal: Milestone) -> Self {
        rules::diagnose(timeline, goal)
    }

    /// Why a VM missed the goal; `None` if it reached it, took no part, or is pending.
    pub fn of_failed(timeline: &Timeline, goal: Milestone) -> Option<Self> {
        matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut).then(|| Self::of(timeline, goal))
    }

    /// Last Kubernetes warning about a VM that reached the goal.
    pub fn of_late(timeline: &Timeline) -> Option<String> {
        timeline.warnings.last().map(essence::of_warning)
    }
}

impl fmt::Display for Diagnosis {
    /// The cause, or what was waited for: `FailedScheduling: Insufficient memory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => f.write_str(cause),
            None => write!(f, "waited for {}", self.waits_for.words()),
        }
    }
}

#[cfg(test)]
mod tests;
