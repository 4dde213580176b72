//! Durations by bucket.

/// Upper bounds of the duration buckets, in seconds; the last bucket has none.
const BOUNDS: [f64; 23] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
    180.0, 300.0, 600.0, 1200.0, 3600.0,
];

/// Durations by bucket
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// One per bound, and one for longer durations.
    counts: [u64; BOUNDS.len() + 1],
    /// Sum of all durations, in seconds.
    sum: f64,
}

impl Histogram {
    /// Adds a duration in seconds.
    pub fn add(&mut self, seconds: f64) {
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum += seconds;
    }

    /// Upper bound as a label, and the number of durations up to it.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (String, f64)> {
        let bounds = BOUNDS.iter().map(ToString::to_string).chain(std::iter::once("+Inf".to_owned()));
        let mut so_far = 0;
        bounds.zip(self.counts).map(move |(bound, count)| {
            so_far += count;
            (bound, so_far as f64)
        })
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }
}
