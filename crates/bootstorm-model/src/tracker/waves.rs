//! Waves: assignment of VMs, and which waves are sent and finished.

use crate::plan::Shape;
use crate::record::PhaseRecord;

/// The waves of a phase; a phase without waves is a single one
#[derive(Debug, Default)]
pub(super) struct Waves {
    /// The wave of each VM; `None` for those that take no part.
    of: Vec<Option<usize>>,
    /// Pending VMs of each wave.
    open: Vec<usize>,
    /// Unsent requests of each wave.
    unsent: Vec<usize>,
    /// Number of finished waves, up to the first unfinished one.
    through: usize,
    /// Whether the last request of a wave was sent since the last read.
    sent: bool,
}

impl Waves {
    pub(super) fn new(phase: &PhaseRecord, asked: &[u32]) -> Self {
        let mut waves = Self { of: vec![None; phase.timelines.len()], ..Self::default() };
        let shape = phase.settings.shape;
        for (place, vm) in (0..).zip(phase.queue()) {
            let wave = shape.and_then(|shape: Shape| shape.wave(place)).unwrap_or(0) as usize;
            waves.of[vm as usize] = Some(wave);
            if waves.open.len() <= wave {
                waves.open.resize(wave + 1, 0);
                waves.unsent.resize(wave + 1, 0);
            }
            waves.open[wave] += usize::from(!phase.timelines[vm as usize].is_over());
        }
        for vm in asked {
            if let Some(wave) = waves.of.get(*vm as usize).copied().flatten() {
                waves.unsent[wave] += 1;
            }
        }
        waves.advance();
        waves
    }

    pub(super) fn sent(&mut self, target: u32) {
        if let Some(wave) = self.of.get(target as usize).copied().flatten() {
            self.unsent[wave] = self.unsent[wave].saturating_sub(1);
            self.sent |= self.unsent[wave] == 0;
        }
    }

    pub(super) fn over(&mut self, target: u32) {
        if let Some(wave) = self.of.get(target as usize).copied().flatten() {
            self.open[wave] = self.open[wave].saturating_sub(1);
            self.advance();
        }
    }

    /// Marks a VM as pending again. Waves already released are not recalled.
    pub(super) fn reopen(&mut self, target: u32) {
        if let Some(wave) = self.of.get(target as usize).copied().flatten() {
            self.open[wave] += 1;
        }
    }

    /// Number of finished waves.
    pub(super) fn through(&self) -> u32 {
        u32::try_from(self.through).unwrap_or(u32::MAX)
    }

    /// Whether the last request of a wave was sent since the last call.
    pub(super) fn take_sent(&mut self) -> bool {
        std::mem::take(&mut self.sent)
    }

    fn advance(&mut self) {
        while self.open.get(self.through) == Some(&0) {
            self.through += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::observe::Outcome;
    use crate::record::PhaseSettings;

    fn phase(shape: Option<&str>) -> PhaseRecord {
        let shape = shape.map(|text| text.parse().unwrap());
        let settings = PhaseSettings { shape, ..PhaseSettings::default() };
        let mut phase = PhaseRecord::new("storm-1".parse().unwrap(), Timestamp::UNIX_EPOCH, settings, 6);
        phase.timelines[1].outcome = Outcome::Excluded;
        phase
    }

    #[test]
    fn a_wave_is_through_when_all_before_it_are() {
        let mut waves = Waves::new(&phase(Some("wave 2/ready")), &[0, 2, 3, 4, 5]);
        assert_eq!(waves.open, [2, 2, 1]);
        for (vm, through) in [(0, 0), (3, 0), (4, 0), (2, 2), (5, 3)] {
            waves.over(vm);
            assert_eq!(waves.through, through, "after {vm}");
        }
        waves.over(1);
    }

    #[test]
    fn a_continued_phase_counts_what_is_over_and_what_is_asked() {
        let mut phase = phase(Some("wave 2/10s"));
        phase.timelines[0].outcome = Outcome::Reached;
        phase.timelines[2].outcome = Outcome::TimedOut;
        let mut waves = Waves::new(&phase, &[4, 5]);
        assert_eq!((waves.through, waves.sent), (1, false));
        waves.sent(4);
        assert!(waves.sent, "3 was sent by the process before");
    }

    #[test]
    fn without_waves_all_are_one() {
        for shape in [None, Some("rate 5/s")] {
            let waves = Waves::new(&phase(shape), &[]);
            assert_eq!(waves.open, [5]);
        }
    }
}
