//! How exactly the probes of a phase could see, as shown.

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::Offset;
use bootstorm_model::record::ProbeHealth;
use bootstorm_model::stats;

/// Linux repeats its request for a neighbor after this time (`net.ipv4.neigh.default.retrans_time_ms`).
const NEIGHBOR_SECONDS: f64 = 1.0;

/// How exactly the probes of a phase could see
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbingBlock {
    /// Probers that were used.
    pub probers: usize,
    /// Time between two attempts on one VM: an answer is seen at most that much late.
    #[serde(rename = "interval_seconds", serialize_with = "stats::micros")]
    pub interval: f64,
    /// How much later still a guest on a prober's own link may be seen: until the kernel looks for it again. 0 where
    /// no guest was on such a link.
    #[serde(rename = "neighbor_seconds", default, serialize_with = "stats::micros")]
    pub neighbor: f64,
    /// Longest round trip of an echo through a prober's stream.
    #[serde(rename = "round_trip_seconds", serialize_with = "stats::micros")]
    pub round_trip: f64,
    /// Streams opened; more than there are probers means that some broke.
    pub streams: u32,
    /// Times in which a stream was broken.
    pub gaps: usize,
    /// Their sum.
    #[serde(rename = "gap_seconds", serialize_with = "stats::micros")]
    pub gap: f64,
}

impl ProbingBlock {
    /// How much later than its first answer could have come a guest may be seen, in seconds.
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
