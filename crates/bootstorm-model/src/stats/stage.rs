//! Where the time goes: the seconds between one milestone and the next.

use crate::observe::{Milestone, Outcome, Timeline};

use super::breakdown::insert_gone;
use super::{Sample, Summary};

/// The stretch between two milestones, over the VMs that passed both
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// First milestone.
    pub from: Milestone,
    /// Last milestone.
    pub to: Milestone,
    /// Its statistics.
    pub summary: Summary,
}

impl Stage {
    /// The stages of a phase up to its goal, in order
    ///
    /// The milestones are those that any VM passed; a VM counts in a stage if it passed both ends. A stage is never
    /// negative: two milestones may be reported in one notification.
    pub fn all(timelines: &[Timeline], goal: Milestone) -> Vec<Self> {
        let participants: Vec<&Timeline> =
            timelines.iter().filter(|timeline| timeline.outcome != Outcome::Excluded).collect();
        let passed = |milestone: &Milestone| participants.iter().any(|timeline| timeline.has(*milestone));
        // Ready, address and agent come in any order between Running and the first answer, so they are not stages of
        // it.
        let beside = |milestone: &Milestone| {
            matches!(milestone, Milestone::Ready | Milestone::Address | Milestone::Agent)
        };
        // The end of an instance that is followed by another belongs at the beginning.
        let ends = |milestone: &Milestone| goal != Milestone::Gone && milestone.is_of_stop();
        let counts = |milestone: &Milestone| {
            *milestone <= goal && (*milestone == goal || !beside(milestone) && !ends(milestone))
        };
        let mut milestones: Vec<Milestone> =
            Milestone::ALL.into_iter().filter(counts).filter(passed).collect();
        if let Some(volume) = milestones.iter().position(|milestone| *milestone == Milestone::Volume) {
            // Disks that wait for their first consumer are filled while its pod, already on a node, waits for them.
            milestones.remove(volume);
            let next = milestones.iter().position(|milestone| {
                *milestone > Milestone::Accepted
                    && is_mostly_first(&participants, Milestone::Volume, *milestone)
            });
            milestones.insert(next.unwrap_or(milestones.len()), Milestone::Volume);
        }
        if goal != Milestone::Gone && passed(&Milestone::Gone) {
            insert_gone(&mut milestones);
        }
        milestones
            .windows(2)
            .map(|pair| {
                let (from, to) = (pair[0], pair[1]);
                let lengths = participants.iter().filter_map(|timeline| {
                    Some(timeline.at(to)?.since(timeline.at(from)?).seconds().max(0.0))
                });
                Self { from, to, summary: Summary::of(&Sample::new(lengths, 0)) }
            })
            .collect()
    }
}

/// Whether most VMs passed one milestone before the other.
fn is_mostly_first(participants: &[&Timeline], first: Milestone, second: Milestone) -> bool {
    let both = participants.iter().filter_map(|t| t.at(first).zip(t.at(second)));
    let (in_order, other): (Vec<_>, Vec<_>) = both.partition(|(first, second)| first <= second);
    in_order.len() >= other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Offset;

    #[test]
    fn disks_have_their_place_in_the_order_of_events() {
        use Milestone::{Accepted, Pod, Running, Scheduled, Volume};
        let stages = |volume: f64| {
            let mut timeline = Timeline::new(0);
            for (milestone, at) in [
                (Milestone::Requested, 0.0),
                (Milestone::Accepted, 1.0),
                (Milestone::Pod, 3.0),
                (Milestone::Scheduled, 6.0),
            ] {
                timeline.see(milestone, Offset::from_seconds(at));
            }
            timeline.see(Milestone::Volume, Offset::from_seconds(volume));
            timeline.see(Milestone::Running, Offset::from_seconds(8.0));
            let stages = Stage::all(&[timeline], Milestone::Running);
            assert!((stages.iter().filter_map(|s| s.summary.mean).sum::<f64>() - 8.0).abs() < 1e-9);
            stages.iter().map(|stage| stage.to).collect::<Vec<_>>()
        };
        assert_eq!(stages(2.0), [Accepted, Volume, Pod, Scheduled, Running]);
        assert_eq!(stages(5.0), [Accepted, Pod, Volume, Scheduled, Running]);
    }

    #[test]
    fn the_shutdown_of_a_restart_is_a_stage_of_its_own() {
        let mut timeline = Timeline::new(0);
        for (milestone, at) in [
            (Milestone::Requested, 0.0),
            (Milestone::Accepted, 1.0),
            (Milestone::Stopping, 1.5),
            (Milestone::Gone, 5.0),
            (Milestone::Instance, 5.5),
            (Milestone::Running, 9.0),
        ] {
            timeline.see(milestone, Offset::from_seconds(at));
        }
        let stages = Stage::all(&[timeline], Milestone::Running);
        let shown: Vec<_> = stages.iter().map(|stage| (stage.to, stage.summary.mean)).collect();
        assert_eq!(
            shown,
            [
                (Milestone::Accepted, Some(1.0)),
                (Milestone::Gone, Some(4.0)),
                (Milestone::Instance, Some(0.5)),
                (Milestone::Running, Some(3.5)),
            ]
        );
    }

    #[test]
    fn unobserved_milestones_are_skipped_and_the_goal_ends_the_last_stage() {
        let mut timeline = Timeline::new(0);
        timeline.see(Milestone::Requested, Offset::from_seconds(0.5));
        timeline.see(Milestone::Instance, Offset::from_seconds(1.5));
        timeline.see(Milestone::Running, Offset::from_seconds(4.0));
        timeline.see(Milestone::Ready, Offset::from_seconds(5.0));
        let stages = Stage::all(&[timeline, Timeline::new(1)], Milestone::Running);
        let shown: Vec<_> =
            stages.iter().map(|stage| (stage.from, stage.to, stage.summary.n, stage.summary.mean)).collect();
        assert_eq!(
            shown,
            [
                (Milestone::Requested, Milestone::Instance, 1, Some(1.0)),
                (Milestone::Instance, Milestone::Running, 1, Some(2.5)),
            ]
        );
    }
}
