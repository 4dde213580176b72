//! Waves of a phase: when each was sent, and the results of its VMs.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Milestone, Outcome, Timeline};
use bootstorm_model::record::PhaseRecord;
use bootstorm_model::stats::{self, FirstRequest, Sample, Summary};

/// One wave of a phase
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WaveBlock {
    /// Number of the wave, from 1.
    pub wave: u32,
    /// VMs in it.
    pub vms: usize,
    /// VMs that reached the goal.
    pub reached: usize,
    /// VMs that failed or timed out.
    pub failed: usize,
    /// From the first request of the phase to the first one of the wave.
    #[serde(rename = "first_request_seconds", serialize_with = "stats::maybe_micros")]
    pub first_request: Option<f64>,
    /// From the first to the last request of the wave.
    #[serde(rename = "request_skew_seconds", serialize_with = "stats::maybe_micros")]
    pub request_skew: Option<f64>,
    /// From the first request of the phase until the last VM of the wave reached the goal; absent unless all did.
    #[serde(rename = "all_back_seconds", serialize_with = "stats::maybe_micros")]
    pub all_back: Option<f64>,
    /// Times to the goal, each from the VM's own request.
    pub summary: Summary,
}

/// Wave of each VM, from 1; `None` for VMs that take no part, and in phases without waves.
pub(super) fn of_vms(phase: &PhaseRecord) -> Vec<Option<u32>> {
    let mut waves = vec![None; phase.timelines.len()];
    let Some(shape) = phase.settings.shape else { return waves };
    for (place, vm) in (0..).zip(phase.queue()) {
        if let Some(slot) = waves.get_mut(vm as usize) {
            *slot = shape.wave(place).map(|wave| wave.saturating_add(1));
        }
    }
    waves
}

impl WaveBlock {
    /// Waves of a phase, in order.
    pub(super) fn all(phase: &PhaseRecord, waves: &[Option<u32>]) -> Vec<Self> {
        let last = waves.iter().copied().flatten().max().unwrap_or(0) as usize;
        let mut groups: Vec<Vec<&Timeline>> = vec![Vec::new(); last];
        for (timeline, wave) in phase.timelines.iter().zip(waves) {
            if let Some(group) = wave.and_then(|wave| groups.get_mut(wave as usize - 1)) {
                group.push(timeline);
            }
        }
        let zero = FirstRequest::of(phase).at();
        let one = |(wave, group): (u32, &Vec<&Timeline>)| {
            let ended = |outcome| group.iter().filter(|timeline| timeline.outcome == outcome).count();
            let requested = || group.iter().filter_map(|timeline| timeline.at(Milestone::Requested));
            let (first, last) = (requested().min(), requested().max());
            let reached = ended(Outcome::Reached);
            let back = group.iter().filter_map(|timeline| timeline.at(phase.goal)).max();
            Self {
                wave,
                vms: group.len(),
                reached,
                failed: ended(Outcome::Failed) + ended(Outcome::TimedOut),
                first_request: first.zip(zero).map(|(first, zero)| first.since(zero).seconds()),
                request_skew: first.zip(last).map(|(first, last)| last.since(first).seconds()),
                all_back: back
                    .zip(zero)
                    .filter(|_| reached == group.len())
                    .map(|(back, zero)| back.since(zero).seconds()),
                summary: Summary::of(&Sample::to_milestone(group.iter().copied(), phase.goal, phase.goal)),
            }
        };
        (1..).zip(&groups).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn each_wave_has_its_own_line_and_each_vm_its_wave() {
        let record = fixtures::waves();
        let storm = &record.phases[2];
        let waves = of_vms(storm);
        let blocks = WaveBlock::all(storm, &waves);
        let vms: Vec<(u32, usize, usize)> =
            blocks.iter().map(|block| (block.wave, block.vms, block.reached)).collect();
        assert_eq!(vms, [(1, 5, 5), (2, 5, 4), (3, 1, 1)], "11 VMs take part");
        assert_eq!(waves[0], None, "the first VM is left out");
        assert_eq!((waves[11], waves[1]), (Some(1), Some(3)), "the queue runs backwards");
        assert_eq!(blocks[0].first_request, Some(0.0));
        assert!(blocks[1].all_back.is_none() && blocks[2].all_back > blocks[2].first_request);
        let without = of_vms(&fixtures::small().phases[2]);
        assert_eq!(WaveBlock::all(&fixtures::small().phases[2], &without), []);
    }
}
