//! Kubernetes events about VMs: warnings, and the two normal events that state a duration.

use jiff::Timestamp;

use super::{Offset, Timeline, Warning};
use crate::text::normalised;

/// Maximum number of warnings kept for one VM; repeated ones count as one.
const MOST_WARNINGS: usize = 8;

/// The used fields of one event
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// UID of the event; unchanged while the event is repeated.
    pub uid: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Kind of the object: `Pod`, `VirtualMachineInstance`, `DataVolume`, …
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub about: String,
    /// Content.
    pub what: NoticeKind,
    /// Last occurrence, on the recorder's clock.
    pub stamp: Option<Timestamp>,
}

/// Content of an event
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something is wrong.
    Warning {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
        /// Occurrences so far.
        count: u32,
    },
    /// A volume is attached to the node of the pod.
    Attached,
    /// An image is on the node; with the pod's waiting time, if the kubelet reports it.
    Pulled(Offset),
}

impl Timeline {
    /// Records a warning that occurred `said` times since it was last received.
    ///
    /// The same text about the same kind of object is one warning, apart from numbers and random names: virt-controller
    /// retries with another pod each time. Beyond the limit, warnings with different texts merge if their reason is the
    /// same, and further reasons are dropped: the first ones are closest to the cause.
    pub fn warn(&mut self, warning: Warning) {
        let alike = |known: &&mut Warning| known.kind == warning.kind && known.reason == warning.reason;
        let is_full = self.warnings.len() >= MOST_WARNINGS;
        let text = normalised(&warning.message);
        let same =
            |known: &&mut Warning| known.message == warning.message || normalised(&known.message) == text;
        let same = self.warnings.iter_mut().filter(alike).find(same);
        let known = match same {
            None if is_full => self.warnings.iter_mut().rev().find(alike),
            same => same,
        };
        match known {
            Some(known) => {
                let first = known.first.min(warning.first);
                let (count, last) = (known.count.saturating_add(warning.count), known.last.max(warning.last));
                *known = Warning { count, first, last, ..warning };
            }
            None if is_full => {}
            None => self.warnings.push(warning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(reason: &str, message: &str, at: i64) -> Warning {
        Warning {
            kind: "Pod".into(),
            name: "virt-launcher-vm-x".into(),
            reason: reason.into(),
            message: message.into(),
            count: 1,
            first: Offset(at),
            last: Offset(at),
        }
    }

    #[test]
    fn the_same_words_are_one_warning() {
        let mut timeline = Timeline::new(0);
        for at in [5, 3, 9] {
            timeline.warn(warning("FailedMount", "timed out", at));
        }
        timeline.warn(warning("FailedMount", "no such claim", 4));
        let told: Vec<_> = timeline.warnings.iter().map(|w| (w.count, w.first.0, w.last.0)).collect();
        assert_eq!(told, [(3, 3, 9), (1, 4, 4)]);
    }

    #[test]
    fn what_is_tried_again_under_another_name_is_one_warning() {
        let mut timeline = Timeline::new(0);
        for (at, name) in [(1, "x7k2p"), (2, "b4c9d"), (3, "zzt5v")] {
            let text = format!("pods \"virt-launcher-vm-{name}\" is forbidden: exceeded quota: q");
            timeline.warn(warning("FailedCreate", &text, at));
        }
        let [one] = &timeline.warnings[..] else { panic!("{:?}", timeline.warnings) };
        assert_eq!((one.count, one.message.contains("zzt5v")), (3, true));
    }

    #[test]
    fn a_flood_stays_small_and_keeps_what_came_first() {
        let mut timeline = Timeline::new(0);
        timeline.warn(warning("FailedScheduling", "0/3 nodes", 1));
        for n in 0..100 {
            timeline.warn(warning("BackOff", &"x".repeat(n as usize + 1), n));
        }
        timeline.warn(warning("Later", "x", 200));
        assert_eq!(timeline.warnings.len(), MOST_WARNINGS);
        assert_eq!(timeline.warnings[0].reason, "FailedScheduling");
        let last = timeline.warnings.last().unwrap();
        assert_eq!((last.message.len(), last.count), (100, 94));
    }
}
