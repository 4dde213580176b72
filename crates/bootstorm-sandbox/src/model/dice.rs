//! Random draws that depend on *who* draws *for what*, never on the order in which tasks run.

use serde::{Deserialize, Serialize};

/// A right-skewed distribution of durations (seconds unless a field says otherwise): lognormal, given by its median
///
/// `sigma` is the standard deviation of the logarithm: 0.3 means that 95 % lie within a factor of 1.8.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// Value below which half of the draws lie.
    pub median: f64,
    /// The spread; 0 makes every draw equal the median.
    #[serde(default)]
    pub sigma: f64,
}

impl Draw {
    /// A lognormal distribution.
    pub const fn new(median: f64, sigma: f64) -> Self {
        Self { median, sigma }
    }
}

/// Rare steps that take much longer (published: a mode of 9-12 s with a tail to 83 s).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Stragglers {
    /// Share of all steps.
    pub share: f64,
    /// Minimum factor.
    pub factor_min: f64,
    /// Maximum factor.
    pub factor_max: f64,
}

impl Default for Stragglers {
    fn default() -> Self {
        Self { share: 0.01, factor_min: 4.0, factor_max: 7.0 }
    }
}

/// The source of all draws of one simulation.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// Dice that always produce the same draws for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draws of one step: `identity` is "namespace/name", `incarnation` counts its starts.
    pub fn roll(&self, identity: &str, incarnation: u64, step: &str) -> Roll {
        // FNV-1a over the whole key; SplitMix64 below spreads the bits. Both are fixed forever, so that a seed means
        // the same in every release.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let count = incarnation.to_le_bytes();
        for byte in identity.bytes().chain([0]).chain(step.bytes()).chain(count) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut roll = Roll { state: hash };
        roll.bits();
        roll
    }
}

/// A short stream of draws for one step.
#[derive(Debug, Clone)]
pub struct Roll {
    state: u64,
}

impl Roll {
    /// 64 random bits (`SplitMix64`).
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform between two values.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A value of a lognormal distribution.
    pub fn draw(&mut self, draw: Draw) -> f64 {
        if draw.median <= 0.0 {
            return 0.0;
        }
        draw.median * (draw.sigma * self.normal()).exp()
    }

    /// A value of a lognormal distribution, occasionally stretched to a straggler's.
    pub fn draw_with_stragglers(&mut self, draw: Draw, stragglers: Stragglers) -> f64 {
        let body = self.draw(draw);
        if self.chance(stragglers.share) {
            body * self.between(stragglers.factor_min, stragglers.factor_max)
        } else {
            body
        }
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_always_falls_the_same_way() {
        let value = |seed, who: &str, n, step: &str| Dice::new(seed).roll(who, n, step).bits();
        assert_eq!(value(1, "a/vm", 1, "boot"), value(1, "a/vm", 1, "boot"));
        assert_ne!(value(1, "a/vm", 1, "boot"), value(2, "a/vm", 1, "boot"));
        assert_ne!(value(1, "a/vm", 1, "boot"), value(1, "b/vm", 1, "boot"));
        assert_ne!(value(1, "a/vm", 1, "boot"), value(1, "a/vm", 2, "boot"));
        assert_ne!(value(1, "a/vm", 1, "boot"), value(1, "a/vm", 1, "stop"));
    }

    #[test]
    fn draws_have_the_median_and_spread_asked_for() {
        let dice = Dice::new(7);
        let mut values: Vec<f64> =
            (0..4001).map(|i| dice.roll(&format!("ns/{i}"), 0, "x").draw(Draw::new(3.0, 0.5))).collect();
        values.sort_by(f64::total_cmp);
        assert!((values[2000] - 3.0).abs() < 0.15, "median {}", values[2000]);
        let upper = values[3365]; // the 84th percentile lies one sigma up
        assert!((upper / 3.0).ln() > 0.42 && (upper / 3.0).ln() < 0.58, "one sigma up is {upper}");
    }

    #[test]
    fn a_share_of_the_draws_are_stragglers() {
        let dice = Dice::new(7);
        let rare = Stragglers { share: 0.02, factor_min: 4.0, factor_max: 8.0 };
        let slow = (0..5000)
            .filter(|i| {
                let mut roll = dice.roll(&format!("ns/{i}"), 0, "x");
                roll.draw_with_stragglers(Draw::new(1.0, 0.0), rare) > 3.9
            })
            .count();
        assert!((60..140).contains(&slow), "{slow} of 5000");
    }
}
