//! Search for the largest storm that meets a goal: the next size, and the bounds so far.
//!
//! Bisection between the largest size that met the goal and the smallest that missed it. Storms are noisy: a size
//! counts as met only while every storm of it met the goal, and the answer is confirmed by a second storm. If that one
//! misses, the search continues below it. So chance can make the answer too small, but never larger than a size that
//! worked twice.

/// Result of a storm of some size
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// VMs requested.
    pub size: u32,
    /// Whether the goal was met.
    pub met: bool,
}

/// Results of storms by size
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Largest size that met the goal in every storm, below every size that missed it.
    pub met: Option<u32>,
    /// Smallest size that missed it.
    pub missed: Option<u32>,
    /// Storms of the size in `met`.
    pub storms: usize,
}

/// Largest size that is searched VM by VM; larger ones are searched in steps of 2 %.
const EXACT_UP_TO: u32 = 50;

impl Bounds {
    /// Results of these storms.
    pub fn of(probes: &[Probe]) -> Self {
        let missed = probes.iter().filter(|probe| !probe.met).map(|probe| probe.size).min();
        let below = |probe: &&Probe| missed.is_none_or(|missed| probe.size < missed);
        let met = probes.iter().filter(below).map(|probe| probe.size).max();
        let storms = probes.iter().filter(|probe| Some(probe.size) == met).count();
        Self { met, missed, storms }
    }

    /// Whether a second storm has met the goal at the size found.
    pub fn is_confirmed(self) -> bool {
        self.storms > 1
    }

    /// Size of the next storm between `min` and `max`; `None` if the answer is known and confirmed.
    pub fn next(self, min: u32, max: u32) -> Option<u32> {
        let (min, max) = (min.clamp(1, max.max(1)), max.max(1));
        let Some(met) = self.met.filter(|met| *met >= min) else {
            // A small storm is cheap, and shows whether the goal can be met at all.
            return self.missed.is_none_or(|missed| missed > min).then_some(min);
        };
        let close = match self.missed {
            None if met < max => return Some(max),
            None => true,
            Some(missed) => missed - met <= (met / EXACT_UP_TO).max(1),
        };
        match self.missed {
            Some(missed) if !close => Some(met + (missed - met) / 2),
            _ => (!self.is_confirmed()).then_some(met),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches with an oracle; returns the storms and the final bounds.
    fn search(min: u32, max: u32, mut meets: impl FnMut(u32) -> bool) -> (Vec<u32>, Bounds) {
        let mut probes = Vec::new();
        while let Some(size) = Bounds::of(&probes).next(min, max) {
            probes.push(Probe { size, met: meets(size) });
            assert!(probes.len() < 1000, "it does not end");
        }
        (probes.iter().map(|probe| probe.size).collect(), Bounds::of(&probes))
    }

    #[test]
    fn the_knee_is_found_by_few_storms_and_confirmed() {
        let (storms, bounds) = search(1, 40, |size| size <= 23);
        assert_eq!(storms, [1, 40, 20, 30, 25, 22, 23, 24, 23]);
        assert_eq!(bounds, Bounds { met: Some(23), missed: Some(24), storms: 2 });
    }

    #[test]
    fn extremes_need_few_storms() {
        let (storms, bounds) = search(1, 200, |_| true);
        assert_eq!((storms.as_slice(), bounds.met, bounds.missed), (&[1, 200, 200][..], Some(200), None));
        let (storms, bounds) = search(10, 200, |_| false);
        assert_eq!((storms.as_slice(), bounds.met), (&[10][..], None));
        let (storms, bounds) = search(5, 5, |_| true);
        assert_eq!((storms.as_slice(), bounds.met), (&[5, 5][..], Some(5)));
    }

    #[test]
    fn a_storm_that_misses_at_the_found_size_sends_the_search_below_it() {
        let mut again = 0;
        let (storms, bounds) = search(1, 40, |size| {
            again += u32::from(size == 23);
            size < 23 || size == 23 && again == 1
        });
        assert_eq!(bounds, Bounds { met: Some(22), missed: Some(23), storms: 2 }, "{storms:?}");
    }

    proptest! {
        #[test]
        fn a_sharp_knee_is_found_within_two_percent(min in 1_u32..50, span in 0_u32..5_000, knee in 0_u32..6_000) {
            let max = min + span;
            let (storms, bounds) = search(min, max, |size| size <= knee);
            prop_assert!(storms.len() <= 16, "{storms:?}");
            prop_assert!(storms.iter().all(|size| (min..=max).contains(size)));
            match bounds.met {
                None => prop_assert!(knee < min),
                Some(met) => {
                    let best = knee.min(max);
                    prop_assert!(met <= best && f64::from(best - met) <= f64::from(best) * 0.02, "{met} of {best}");
                    prop_assert!(bounds.is_confirmed());
                }
            }
        }

        #[test]
        fn noise_ends_too_and_the_answer_was_never_missed(max in 1_u32..500, noise in proptest::collection::vec(any::<bool>(), 1..64)) {
            let mut draws = noise.iter().cycle();
            let mut missed = Vec::new();
            let (_, bounds) = search(1, max, |size| {
                let met = size < max / 3 || size < max / 2 && *draws.next().unwrap();
                if !met { missed.push(size) }
                met
            });
            prop_assert!(bounds.met.is_none_or(|met| missed.iter().all(|missed| *missed > met)));
        }
    }
}
