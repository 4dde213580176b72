//! Scales: from values to coordinates, and the values of ticks.

/// A linear scale
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Largest value; the smallest is zero.
    top: f64,
    /// Coordinate of zero.
    from: f64,
    /// Coordinate of the largest value.
    to: f64,
}

impl Scale {
    /// A scale from zero to `top`, which becomes 1 if it is not a positive number.
    pub(crate) fn new(top: f64, from: f64, to: f64) -> Self {
        let top = if top.is_finite() && top > 0.0 { top } else { 1.0 };
        Self { top, from, to }
    }

    /// The coordinate of a value, kept within the scale.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value / self.top).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// The largest value.
    pub(crate) fn top(&self) -> f64 {
        self.top
    }

    /// About `wanted` round values from zero to the top.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        let step = round_step(self.top / wanted.max(1) as f64);
        let last = (self.top / step * (1.0 + 1e-9)).floor() as usize;
        (0..=last).map(|index| index as f64 * step).collect()
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `least`.
pub(crate) fn round_step(least: f64) -> f64 {
    if !least.is_finite() || least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = factors.into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// The label of a tick, with as many decimals as the step needs.
pub(crate) fn tick_label(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6 + 0.0;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels = |top: f64| -> Vec<String> {
            Scale::new(top, 0.0, 1.0).ticks(5).into_iter().map(tick_label).collect()
        };
        assert_eq!(labels(28.9), ["0", "10", "20"]);
        assert_eq!(labels(0.93), ["0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(100.0), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(0.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(labels(f64::NAN), labels(1.0));
    }

    proptest! {
        #[test]
        fn ticks_stay_on_the_scale(top in 1e-6..1e9f64, wanted in 1usize..12) {
            let scale = Scale::new(top, 300.0, 20.0);
            let ticks = scale.ticks(wanted);
            prop_assert!(ticks.len() <= wanted + 1, "{ticks:?}");
            for tick in ticks {
                prop_assert!(tick <= top * (1.0 + 1e-6));
                prop_assert!((20.0..=300.0).contains(&scale.at(tick)));
            }
        }
    }
}
