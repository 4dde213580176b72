//! Metrics of running phases.

use super::family::{Family, Format, Kind, Page};
use super::histogram::Histogram;

/// State of the streams of a kind
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LiveStream {
    /// Streams that currently deliver nothing.
    pub blind: u64,
    /// Ended interruptions.
    pub gaps: u64,
    /// Their total duration, in seconds.
    pub gap_seconds: f64,
}

/// Measurements of a phase so far
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LivePhase {
    /// Name, such as `storm-1`.
    pub name: String,
    /// Milestone that each VM has to reach.
    pub goal: &'static str,
    /// Whether it is currently running.
    pub is_running: bool,
    /// How long this process has measured it, in seconds.
    pub seconds: f64,
    /// Participants.
    pub vms: u64,
    /// VMs whose request was sent but not answered yet.
    pub in_flight: u64,
    /// Requests sent, including retries.
    pub requests: u64,
    /// 429 answers.
    pub throttled: u64,
    /// VMs by outcome.
    pub outcomes: Vec<(&'static str, u64)>,
    /// VMs that have passed a milestone.
    pub milestones: Vec<(&'static str, u64)>,
    /// Times from the request of a VM to the milestone.
    pub durations: Vec<(&'static str, Histogram)>,
    /// Streams by kind.
    pub streams: Vec<(&'static str, LiveStream)>,
}

/// Running phases in the text format of Prometheus, version 0.0.4.
pub fn live(run: &str, phases: &[LivePhase]) -> String {
    let mut page = Page::new(Format::Prometheus, run);
    let gauge = |name, unit, help| Family::new(name, Kind::Gauge, unit, help);
    let counter = |name, help| Family::new(name, Kind::Counter, "", help);
    let mut one = |mut family: Family, value: &dyn Fn(&LivePhase) -> f64| {
        for phase in phases {
            family.labelled(&[("phase", &phase.name), ("goal", phase.goal)], value(phase));
        }
        page.family(&family);
    };
    one(gauge("live_phase_active", "", "1 while the phase is measured"), &|phase| {
        f64::from(u8::from(phase.is_running))
    });
    one(gauge("live_phase_seconds", "seconds", "How long the phase has been measured"), &|phase| {
        phase.seconds
    });
    one(gauge("live_target_vms", "", "VMs that take part"), &|phase| phase.vms as f64);
    let help = "VMs whose request was sent and not answered yet";
    one(gauge("live_in_flight_requests", "", help), &|phase| phase.in_flight as f64);
    one(counter("live_requests", "Requests sent, repeated ones included"), &|phase| phase.requests as f64);
    one(counter("live_throttled_answers", "Answers 429"), &|phase| phase.throttled as f64);
    let mut many =
        |mut family: Family, label: &str, values: &dyn Fn(&LivePhase) -> Vec<(&'static str, f64)>| {
            for phase in phases {
                for (word, value) in values(phase) {
                    family.labelled(&[("phase", &phase.name), ("goal", phase.goal), (label, word)], value);
                }
            }
            page.family(&family);
        };
    let counts = |counts: &[(&'static str, u64)]| -> Vec<_> {
        counts.iter().map(|(word, count)| (*word, *count as f64)).collect()
    };
    let help = "Decided VMs, by outcome";
    many(gauge("live_outcome_vms", "", help), "outcome", &|phase| counts(&phase.outcomes));
    many(gauge("live_vms", "", "VMs that have passed a milestone"), "milestone", &|phase| {
        counts(&phase.milestones)
    });
    let streams = |phase: &LivePhase, value: &dyn Fn(&LiveStream) -> f64| -> Vec<_> {
        phase.streams.iter().map(|(kind, stream)| (*kind, value(stream))).collect()
    };
    let help = "Watches and probers that are interrupted at the moment";
    many(gauge("live_blind_streams", "", help), "stream", &|phase| {
        streams(phase, &|stream| stream.blind as f64)
    });
    many(counter("live_watch_gaps", "Interruptions of watches and probers"), "stream", &|phase| {
        streams(phase, &|stream| stream.gaps as f64)
    });
    let help = "How long watches and probers were interrupted, together";
    many(Family::new("live_watch_gap_seconds", Kind::Counter, "seconds", help), "stream", &|phase| {
        streams(phase, &|stream| stream.gap_seconds)
    });
    let help = "From the request of a VM to the milestone";
    let mut durations = Family::new("live_milestone_duration_seconds", Kind::Histogram, "seconds", help);
    for phase in phases {
        for (milestone, histogram) in &phase.durations {
            let labels = [("phase", phase.name.as_str()), ("goal", phase.goal), ("milestone", milestone)];
            durations.histogram(&labels, histogram);
        }
    }
    page.family(&durations);
    page.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_under_way_has_cumulative_buckets_and_no_sample_twice() {
        let mut histogram = Histogram::default();
        for seconds in [0.05, 0.051, 4.0, 9999.0] {
            histogram.add(seconds);
        }
        let stream = LiveStream { blind: 1, gaps: 2, gap_seconds: 3.5 };
        let phase = LivePhase {
            name: "storm-1".into(),
            goal: "running",
            is_running: true,
            vms: 5,
            milestones: vec![("running", 4)],
            outcomes: vec![("reached", 4), ("failed", 1)],
            durations: vec![("running", histogram)],
            streams: vec![("instances", stream)],
            ..LivePhase::default()
        };
        let text = live("r", &[phase.clone(), LivePhase { name: "stop-2".into(), ..phase }]);
        let labels = "run=\"r\",phase=\"storm-1\",goal=\"running\"";
        for line in [
            "# TYPE bootstorm_live_milestone_duration_seconds histogram".to_owned(),
            format!(
                "bootstorm_live_milestone_duration_seconds_bucket{{{labels},milestone=\"running\",le=\"0.05\"}} 1"
            ),
            format!(
                "bootstorm_live_milestone_duration_seconds_bucket{{{labels},milestone=\"running\",le=\"5\"}} 3"
            ),
            format!(
                "bootstorm_live_milestone_duration_seconds_bucket{{{labels},milestone=\"running\",le=\"3600\"}} 3"
            ),
            format!(
                "bootstorm_live_milestone_duration_seconds_bucket{{{labels},milestone=\"running\",le=\"+Inf\"}} 4"
            ),
            format!("bootstorm_live_milestone_duration_seconds_count{{{labels},milestone=\"running\"}} 4"),
            format!("bootstorm_live_watch_gap_seconds_total{{{labels},stream=\"instances\"}} 3.5"),
            format!("bootstorm_live_outcome_vms{{{labels},outcome=\"failed\"}} 1"),
            format!("bootstorm_live_phase_active{{{labels}}} 1"),
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        let mut series: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series)
            .collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        assert_eq!(series.len(), all);
    }
}
