//! Distribution of delays: compact and mergeable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Offset;

/// Steps per doubling: a delay is known to a quarter of an octave, about 19 %.
const STEPS: f64 = 4.0;

/// A distribution of delays, in microseconds
///
/// Distributions of two processes that worked on the same phase can be merged. Quantiles are rounded up to the next
/// step, and never exceed the largest delay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Number of delays.
    pub count: u64,
    /// Longest delay.
    pub longest: Offset,
    /// Step → number of delays up to this step and above the one before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    steps: BTreeMap<u8, u64>,
}

impl Delays {
    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one delay; a negative one counts as zero.
    pub fn add(&mut self, delay: Offset) {
        self.count += 1;
        self.longest = self.longest.max(delay);
        *self.steps.entry(step(delay)).or_default() += 1;
    }

    /// Adds the delays of another process.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.longest = self.longest.max(other.longest);
        for (step, count) in &other.steps {
            let known = self.steps.entry(*step).or_default();
            *known = known.saturating_add(*count);
        }
    }

    /// The delay that this share of them does not exceed; `None` if there are none.
    pub fn quantile(&self, share: f64) -> Option<Offset> {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        let step = self.steps.iter().find(|(_, count)| {
            seen = seen.saturating_add(**count);
            seen >= rank
        });
        step.map(|(step, _)| top(*step).min(self.longest))
    }
}

/// The step of a delay: 0 for none.
fn step(delay: Offset) -> u8 {
    if delay.0 <= 1 {
        return 0;
    }
    ((delay.0 as f64).log2() * STEPS).ceil().min(f64::from(u8::MAX)) as u8
}

/// The longest delay of a step.
fn top(step: u8) -> Offset {
    if step == 0 { Offset::ZERO } else { Offset((f64::from(step) / STEPS).exp2().ceil() as i64) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(delays: &[i64]) -> Delays {
        let mut all = Delays::default();
        for delay in delays {
            all.add(Offset(*delay));
        }
        all
    }

    #[test]
    fn quantiles_are_close_from_above() {
        let all = of(&(1..=1000).map(|n| n * 100).collect::<Vec<_>>());
        for (share, exact) in [(0.5, 50_000), (0.99, 99_000), (1.0, 100_000)] {
            let found = all.quantile(share).unwrap().0;
            assert!((exact..=exact * 6 / 5).contains(&found), "{share}: {found}");
        }
        assert_eq!(all.longest, Offset(100_000));
        assert_eq!(of(&[]).quantile(0.5), None);
        assert_eq!(of(&[-5, 0]).quantile(1.0), Some(Offset::ZERO));
        assert_eq!(of(&[i64::MAX]).quantile(0.5), Some(Offset(i64::MAX)));
    }

    proptest! {
        #[test]
        fn two_parts_make_the_whole(delays in prop::collection::vec(-10i64..100_000_000, 0..50), cut in 0usize..50) {
            let cut = cut.min(delays.len());
            let mut parts = of(&delays[..cut]);
            parts.merge(&of(&delays[cut..]));
            prop_assert_eq!(parts, of(&delays));
        }

        #[test]
        fn no_quantile_is_below_the_true_one(delays in prop::collection::vec(0i64..100_000_000, 1..50), share in 0.01f64..1.0) {
            let mut sorted = delays.clone();
            sorted.sort_unstable();
            let exact = sorted[((sorted.len() as f64 * share).ceil() as usize).max(1) - 1];
            let found = of(&delays).quantile(share).unwrap().0;
            prop_assert!(found >= exact.min(exact.max(2)) - 1 && found <= sorted[sorted.len() - 1], "{} {}", found, exact);
        }
    }
}
