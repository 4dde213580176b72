//! Measurements of the cluster by a Prometheus server during a phase.
//!
//! Evidence beside the times of the VMs, never a condition for them: missing data counts as unknown.

use serde::{Deserialize, Serialize};

use super::at_most;

/// Maximum number of gauges per phase.
const MOST_GAUGES: usize = 64;
/// Maximum number of lines per gauge.
const MOST_LINES: usize = 64;
/// Maximum number of points per line.
const MOST_POINTS: usize = 2_000;
/// Maximum number of sentences about missing data.
const MOST_MISSING: usize = 64;

/// A named figure of the cluster
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Response time of the API server, p99 per verb, without watches and streams.
    ApiLatency,
    /// Requests rejected by the API server's priority and fairness.
    ApiRejections,
    /// Keys waiting in the work queues of `KubeVirt`'s controllers.
    QueueDepth,
    /// Keys added to them.
    QueueAdds,
    /// Keys added to them again after an error.
    QueueRetries,
    /// Time that clients of `KubeVirt`'s components wait for their own rate limit, p99.
    ClientWait,
    /// Duration of etcd's log writes, p99.
    EtcdFsync,
    /// Duration of etcd's commits, p99.
    EtcdCommit,
    /// Size of etcd's database.
    EtcdSize,
    /// CPU utilisation of a node.
    NodeCpu,
    /// Share of time in which a node's busiest disk was busy.
    NodeDisk,
    /// Bytes received and sent by a node's network cards.
    NodeNetwork,
    /// Commit latency of the slowest Ceph daemons.
    CephLatency,
    /// Duration of CSI driver operations, p99.
    CsiLatency,
}

/// Unit of a figure
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A number.
    Count,
    /// A number per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Percent.
    Percent,
}

impl Metric {
    /// Every figure, in display order.
    pub const ALL: [Self; 14] = [
        Self::ApiLatency,
        Self::ApiRejections,
        Self::QueueDepth,
        Self::QueueAdds,
        Self::QueueRetries,
        Self::ClientWait,
        Self::EtcdFsync,
        Self::EtcdCommit,
        Self::EtcdSize,
        Self::NodeCpu,
        Self::NodeDisk,
        Self::NodeNetwork,
        Self::CephLatency,
        Self::CsiLatency,
    ];

    /// Title for display.
    pub fn title(self) -> &'static str {
        match self {
            Self::ApiLatency => "API server latency p99",
            Self::ApiRejections => "API server rejections",
            Self::QueueDepth => "KubeVirt work queue depth",
            Self::QueueAdds => "KubeVirt work queue adds",
            Self::QueueRetries => "KubeVirt work queue retries",
            Self::ClientWait => "KubeVirt client rate limiter p99",
            Self::EtcdFsync => "etcd WAL fsync p99",
            Self::EtcdCommit => "etcd commit p99",
            Self::EtcdSize => "etcd database size",
            Self::NodeCpu => "node CPU",
            Self::NodeDisk => "node disk utilization",
            Self::NodeNetwork => "node network",
            Self::CephLatency => "Ceph OSD commit latency",
            Self::CsiLatency => "CSI operation latency p99",
        }
    }

    /// Unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::ApiLatency
            | Self::ClientWait
            | Self::EtcdFsync
            | Self::EtcdCommit
            | Self::CephLatency
            | Self::CsiLatency => Unit::Seconds,
            Self::QueueDepth => Unit::Count,
            Self::ApiRejections | Self::QueueAdds | Self::QueueRetries => Unit::PerSecond,
            Self::EtcdSize => Unit::Bytes,
            Self::NodeNetwork => Unit::BytesPerSecond,
            Self::NodeCpu | Self::NodeDisk => Unit::Percent,
        }
    }

    /// A value with its unit: `12.5 ms`, `34 %`, `1.2 GiB`.
    pub fn shown(self, value: f64) -> String {
        let bytes = |value: f64| {
            let units = ["B", "KiB", "MiB", "GiB", "TiB"];
            let step = (value.abs().max(1.0).log2() / 10.0).floor().clamp(0.0, 4.0);
            format!("{:.1} {}", value / 1024f64.powf(step), units[step as usize])
        };
        match self.unit() {
            Unit::Seconds if value.abs() < 1.0 => format!("{:.1} ms", value * 1e3),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Count => format!("{value:.0}"),
            Unit::PerSecond => format!("{value:.2}/s"),
            Unit::Bytes => bytes(value),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
            Unit::Percent => format!("{value:.0} %"),
        }
    }
}

/// Measurements during a phase
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Source: an address without credentials and query, or a service.
    pub source: String,
    /// Seconds from the beginning of the phase to the first point.
    pub first_seconds: f64,
    /// Seconds from one point to the next.
    pub step_seconds: f64,
    /// Seconds by which its clock is assumed to be ahead of the client's.
    pub clock_ahead_seconds: f64,
    /// Figures with data.
    #[serde(deserialize_with = "at_most::<MOST_GAUGES, _, _>")]
    pub gauges: Vec<Gauge>,
    /// Figures without data and the reason, one sentence each.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "at_most::<MOST_MISSING, _, _>"
    )]
    pub missing: Vec<String>,
}

/// One figure over time
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// The figure.
    pub metric: Metric,
    /// Its lines, the highest peak first.
    #[serde(deserialize_with = "at_most::<MOST_LINES, _, _>")]
    pub lines: Vec<Line>,
    /// Number of lines with lower peaks that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// One line of a figure: a node, a queue, a verb
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its name; empty if it is the only line.
    pub label: String,
    /// A value per point; null if there is none.
    #[serde(deserialize_with = "at_most::<MOST_POINTS, _, _>")]
    pub values: Vec<Option<f64>>,
}

impl Line {
    /// The known values.
    pub fn known(&self) -> impl Iterator<Item = f64> {
        self.values.iter().flatten().copied()
    }

    /// The highest value; `None` if there are no values.
    pub fn peak(&self) -> Option<f64> {
        self.known().max_by(f64::total_cmp)
    }

    /// Mean of the known values.
    pub fn mean(&self) -> Option<f64> {
        let count = self.known().count();
        (count > 0).then(|| self.known().sum::<f64>() / count as f64)
    }
}

impl Gauge {
    /// The line with the highest peak, and that peak.
    pub fn peak(&self) -> Option<(&Line, f64)> {
        let peaks = self.lines.iter().filter_map(|line| Some((line, line.peak()?)));
        peaks.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Summary such as `node CPU peaked at 97 % (worker-1)`; `None` without a value.
    pub fn told(&self) -> Option<String> {
        let (line, peak) = self.peak()?;
        let whose = if line.label.is_empty() { String::new() } else { format!(" ({})", line.label) };
        Some(format!("{} peaked at {}{whose}", self.metric.title(), self.metric.shown(peak)))
    }
}

impl Metrics {
    /// The figure of a metric; `None` if there is no data.
    pub fn gauge(&self, metric: Metric) -> Option<&Gauge> {
        self.gauges.iter().find(|gauge| gauge.metric == metric)
    }

    /// Seconds from the beginning of the phase to a point.
    pub fn at(&self, point: usize) -> f64 {
        self.first_seconds + self.step_seconds * point as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, values: &[Option<f64>]) -> Line {
        Line { label: label.into(), values: values.to_vec() }
    }

    #[test]
    fn a_peak_is_of_the_highest_line_and_gaps_are_no_values() {
        let lines = vec![line("a", &[Some(20.0), None]), line("b", &[None, Some(97.4), Some(10.0)])];
        let gauge = Gauge { metric: Metric::NodeCpu, lines, dropped: 0 };
        assert_eq!(gauge.told().unwrap(), "node CPU peaked at 97 % (b)");
        assert_eq!(gauge.lines[0].mean(), Some(20.0));
        assert_eq!(line("", &[None]).mean(), None);
        assert_eq!(
            Gauge { metric: Metric::EtcdSize, lines: vec![line("", &[None])], dropped: 0 }.told(),
            None
        );
    }

    #[test]
    fn values_have_units_that_people_read() {
        let shown = [
            (Metric::EtcdFsync, 0.0123, "12.3 ms"),
            (Metric::ApiLatency, 2.345, "2.35 s"),
            (Metric::QueueDepth, 84.0, "84"),
            (Metric::EtcdSize, 1.5 * 1024.0 * 1024.0 * 1024.0, "1.5 GiB"),
            (Metric::NodeNetwork, 512.0, "512.0 B/s"),
            (Metric::QueueAdds, 0.5, "0.50/s"),
        ];
        for (metric, value, text) in shown {
            assert_eq!(metric.shown(value), text);
        }
    }
}
