//! Diagnosis of a VM from its timeline: what it is or was waiting for, and why.
//!
//! The first matching line decides. A *word* is the reason of an event or of a state, followed by the essence of its
//! message, so that VMs with the same problem get the same text.
//!
//! | progress | waits for | cause, if seen |
//! |---|---|---|
//! | not accepted | an answer to its request | the server's refusal |
//! | runs | an address, or an answer | – |
//! | to be restarted, its old instance exists | its guest to power off, or its stop to begin | – |
//! | its instance ended | its guest to stay up | `CrashLoopBackOff`, with the exit of its container |
//! | its disks are not filled | its disks | the state of its volumes, or a condition |
//! | no instance | its instance | a condition, or a warning about the VM |
//! | no launcher pod | its launcher pod | a missing claim, a quota, or another warning about the instance |
//! | no node | a node | `FailedScheduling` |
//! | containers do not run | its volumes, image, network or containers | the state of the pod, else the last warning |
//! | its pod runs | virt-handler | a warning |
//! | handed over to virt-handler | its guest to be started | `SyncFailed` or another warning |
//! | to be migrated | its turn, its target, its memory to be copied | the failure reported by `KubeVirt` |
//! | stopping | its guest to power off, or its stop to begin | – |

mod essence;
mod rules;

use std::fmt;

use crate::component::Component;
use crate::observe::{Milestone, Outcome, Timeline};

/// What a VM is waiting for, and why
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What it is waiting for.
    pub waits_for: Component,
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

    /// Why a VM missed the goal; `None` if it reached it, was not asked to, or is pending.
    pub fn of_failed(timeline: &Timeline, goal: Milestone) -> Option<Self> {
        let missed = matches!(timeline.outcome, Outcome::Failed | Outcome::TimedOut);
        (missed && timeline.is_asked()).then(|| Self::of(timeline, goal))
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
            None => write!(f, "waited for {}", self.waits_for.awaited()),
        }
    }
}

#[cfg(test)]
mod tests;
