//! Two shares of VMs against each other.

/// A share: so many of so many
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    /// So many.
    pub some: usize,
    /// Of so many.
    pub all: usize,
}

/// The standard normal quantile of a two-sided 99 %.
const Z: f64 = 2.575_829;

impl Share {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { some: self.some + other.some, all: self.all + other.all }
    }

    /// The share itself; `None` of nothing.
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.some as f64 / self.all as f64)
    }

    /// The 99 % interval of a share after Wilson (1927), which makes sense also for none and for all.
    fn interval(self) -> Option<(f64, f64)> {
        let (p, n, square) = (self.value()?, self.all as f64, Z * Z);
        let middle = (p + square / (2.0 * n)) / (1.0 + square / n);
        let half = Z / (1.0 + square / n) * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
        Some(((middle - half).max(0.0), (middle + half).min(1.0)))
    }

    /// The 99 % interval of `other − self` after Newcombe (1998, method 10); `None` where one is of nothing.
    pub fn difference(self, other: Self) -> Option<(f64, f64)> {
        let (first, second) = (self.value()?, other.value()?);
        let ((low_1, high_1), (low_2, high_2)) = (self.interval()?, other.interval()?);
        let difference = second - first;
        let below = ((second - low_2).powi(2) + (high_1 - first).powi(2)).sqrt();
        let above = ((high_2 - second).powi(2) + (first - low_1).powi(2)).sqrt();
        Some((difference - below, difference + above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(some: usize, all: usize) -> Share {
        Share { some, all }
    }

    fn is_shown(first: Share, second: Share) -> bool {
        first.difference(second).is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }

    #[test]
    fn intervals_are_wilsons() {
        // 95 of 100 with z = 2.575829, worked out by hand from the formula.
        let (low, high) = share(95, 100).interval().unwrap();
        assert!((low - 0.861_1).abs() < 5e-4 && (high - 0.983_1).abs() < 5e-4, "{low} {high}");
        let (low, high) = share(0, 10).interval().unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.398_9).abs() < 5e-4, "{low} {high}");
    }

    #[test]
    fn few_failures_are_chance_and_many_are_not() {
        assert!(!is_shown(share(0, 100), share(2, 100)));
        assert!(is_shown(share(0, 100), share(12, 100)));
        assert!(is_shown(share(12, 100), share(0, 100)));
        assert_eq!(share(0, 0).difference(share(1, 2)), None);
    }

    #[test]
    fn turning_the_sides_turns_the_interval() {
        let (low, high) = share(3, 50).difference(share(9, 70)).unwrap();
        let (turned_low, turned_high) = share(9, 70).difference(share(3, 50)).unwrap();
        assert!((low + turned_high).abs() < 1e-12 && (high + turned_low).abs() < 1e-12);
        assert!(low < 9.0 / 70.0 - 3.0 / 50.0 && high > 9.0 / 70.0 - 3.0 / 50.0);
    }
}
