//! Settings of a phase, and the quality of its measurement.

use crate::people::document::Fact;
use crate::people::words;
use crate::phase::{Attempts, PhaseBlock};

/// Settings of a phase.
pub(crate) fn settings(phase: &PhaseBlock) -> Vec<Fact> {
    let (settings, spans) = (&phase.settings, &phase.spans);
    vec![
        Fact::new("Began", format!("{:.0}", phase.began)),
        Fact::new("Goal of each VM", phase.goal.word()),
        Fact::new("Requests in flight", settings.concurrency.to_string()),
        Fact::new("Time limit per VM", format!("{}s", settings.timeout_seconds)),
        Fact::new("First to last request", words::maybe_seconds(spans.request_skew)),
        Fact::new("All requests accepted after", words::maybe_seconds(spans.issue)),
        Fact::new("Whole phase", words::maybe_seconds(spans.took())),
    ]
}

/// Resolution of the probes, and interruptions; with `all`, also what was not interrupted.
pub(crate) fn facts(phase: &PhaseBlock, all: bool) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(probing) = &phase.probing {
        let (interval, trip) = (words::seconds(probing.interval), probing.round_trip * 1000.0);
        let from = words::count(probing.probers, "prober");
        let neighbor = if probing.neighbor > 0.0 {
            format!(", up to {} more on the prober's own link", words::seconds(probing.neighbor))
        } else {
            String::new()
        };
        let resolution = format!("{interval} between attempts{neighbor}, {trip:.1} ms round trip, {from}");
        facts.push(Fact::new("Probe resolution", resolution));
        if all || probing.gaps > 0 {
            facts.push(Fact::new("Probe streams", gaps(probing.gaps, probing.gap)));
        }
    }
    let effort = &phase.effort;
    if all || effort.retried_vms > 0 || effort.throttled_answers > 0 {
        facts.push(Fact::new("Requests", requests(effort)));
    }
    if phase.continued > 0 {
        let times = words::count(phase.continued, "time");
        let gap = match effort.watch_gap {
            gap if gap > 0.0 => format!("; not watched for {}", words::seconds(gap)),
            _ => String::new(),
        };
        facts.push(Fact::new("Continued", format!("{times}{gap}")));
    }
    if all || effort.watch_restarts > 0 || (effort.watch_gaps > 0 && phase.continued == 0) {
        let restarts = words::count(effort.watch_restarts, "restart");
        facts.push(Fact::new("Watch", format!("{restarts}, {}", gaps(effort.watch_gaps, effort.watch_gap))));
    }
    if effort.stamped_vms > 0 {
        let vms = words::vms(effort.stamped_vms);
        facts.push(Fact::new("±1s", format!("{vms} with a time from server timestamps, whole seconds")));
    }
    facts
}

fn gaps(gaps: usize, together: f64) -> String {
    match gaps {
        0 => "no gap".to_owned(),
        gaps => format!("{} totaling {}", words::count(gaps, "gap"), words::seconds(together)),
    }
}

fn requests(effort: &Attempts) -> String {
    let mut parts = vec![format!("{} sent", effort.requests)];
    if effort.retried_vms > 0 {
        parts.push(format!("{} retried", words::vms(effort.retried_vms)));
    }
    if effort.throttled_answers > 0 {
        let answers = words::count(effort.throttled_answers, "answer");
        parts.push(format!("{answers} 429, {} throttled", words::seconds(effort.throttled)));
    }
    parts.join(", ")
}
