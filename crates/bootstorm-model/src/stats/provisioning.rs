//! Time to fill disks, separate from the time to boot from them.

use crate::observe::{Milestone, Outcome, Timeline};

use super::{Sample, Summary};

/// Provisioning in a phase, and the boot after it
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Provisioning {
    /// From the accepted request until all disks of a VM were ready, over the VMs for which both are known.
    pub fill: Summary,
    /// From then until the VM ran; VMs that did not run are missing.
    pub boot: Summary,
}

impl Provisioning {
    /// Provisioning in a phase; `None` if no VM got a disk.
    pub fn of(timelines: &[Timeline]) -> Option<Self> {
        let participants = || timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded);
        let all = participants().count();
        if !participants().any(|timeline| timeline.has(Milestone::Volume)) {
            return None;
        }
        let between = |from: Milestone, to: Milestone| {
            let lengths = participants().filter_map(move |timeline| {
                // Both may be reported in the same instant, in any order.
                Some(timeline.at(to)?.since(timeline.at(from)?).seconds().max(0.0))
            });
            let lengths: Vec<f64> = lengths.collect();
            let missing = all - lengths.len();
            Summary::of(&Sample::new(lengths, missing))
        };
        let fill = between(Milestone::Accepted, Milestone::Volume);
        Some(Self { fill, boot: between(Milestone::Volume, Milestone::Running) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    #[test]
    fn filling_and_booting_are_apart() {
        let mut timeline = Timeline::new(0);
        for (milestone, at) in [
            (Milestone::Requested, 0.5),
            (Milestone::Accepted, 1.0),
            (Milestone::Volume, 5.0),
            (Milestone::Running, 12.0),
        ] {
            timeline.see(milestone, Offset::from_seconds(at));
        }
        let found = Provisioning::of(&[timeline, Timeline::new(1)]).unwrap();
        assert_eq!((found.fill.mean, found.fill.n, found.fill.arrived), (Some(4.0), 2, 1));
        assert_eq!(found.boot.mean, Some(7.0));
        assert_eq!(Provisioning::of(&[Timeline::new(0)]), None);
    }
}
