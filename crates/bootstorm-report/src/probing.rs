//! Resolution of a phase's probes, for display.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::Offset;
use bootstorm_model::record::ProbeHealth;
use bootstorm_model::stats;

/// Interval at which Linux repeats a neighbor request (`net.ipv4.neigh.default.retrans_time_ms`).
const NEIGHBOR_SECONDS: f64 = 1.0;

/// Resolution of a phase's probes
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbingBlock {
    /// Number of probers.
    pub probers: usize,
    /// Time between two attempts on one VM: maximum delay of an answer.
    #[serde(rename = "interval_seconds", serialize_with = "stats::micros")]
    pub interval: f64,
    /// Additional delay for a guest on a prober's own link: until the kernel repeats its neighbor request. 0 if no
    /// guest was on such a link.
    #[serde(rename = "neighbor_seconds", default, serialize_with = "stats::micros")]
    pub neighbor: f64,
    /// Longest round trip of an echo through a prober's stream.
    #[serde(rename = "round_trip_seconds", serialize_with = "stats::micros")]
    pub round_trip: f64,
    /// Streams opened; more than the number of probers means that some broke.
    pub streams: u32,
    /// Periods in which a stream was broken.
    pub gaps: usize,
    /// Their total duration.
    #[serde(rename = "gap_seconds", serialize_with = "stats::micros")]
    pub gap: f64,
}

impl ProbingBlock {
    /// Maximum delay between a guest's first possible answer and its observation, in seconds.
    pub fn resolution(&self) -> f64 {
        self.interval + self.neighbor + self.round_trip
    }

    pub(crate) fn of(health: &ProbeHealth) -> Self {
        Self {
            probers: health.probers,
            interval: health.interval_millis as f64 / 1000.0,
            neighbor: if health.neighbors { NEIGHBOR_SECONDS } else { 0.0 },
            round_trip: Offset(health.round_trip_micros).seconds(),
            streams: health.streams,
            gaps: health.gaps.len(),
            gap: health
                .gaps
                .iter()
                .map(|gap| gap.to.since(gap.from).seconds())
                .fold(0.0, |all, gap| all + gap),
        }
    }
}
