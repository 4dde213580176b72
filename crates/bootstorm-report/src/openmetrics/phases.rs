//! Families with samples for each phase.

use std::collections::BTreeMap;

use super::family::{Family, Kind};
use crate::phase::PhaseBlock;
use crate::{Report, ValidityBlock};
use bootstorm_model::stats::{Quantile, Validity, reason};

/// All families of this module.
pub(super) fn families(report: &Report) -> impl Iterator<Item = Family> {
    let all = [
        began, vms, unknown, outliers, milestones, recovery, spans, requests, retried, throttled, restarts,
        continued, validity, delays, nodes, causes,
    ];
    all.into_iter().map(|make| make(&report.phases))
}

fn began(phases: &[PhaseBlock]) -> Family {
    let help = "When the phase began, in Unix time";
    let mut family = Family::new("phase_began_timestamp_seconds", Kind::Gauge, "seconds", help);
    for phase in phases {
        family.labelled(&[("phase", &phase.name.to_string())], phase.began.as_microsecond() as f64 / 1e6);
    }
    family
}

fn vms(phases: &[PhaseBlock]) -> Family {
    let mut family = Family::new("vms", Kind::Gauge, "", "VMs of the phase, by how they ended");
    for phase in phases {
        let counts = &phase.counts;
        let outcomes = [
            ("reached", counts.reached),
            ("failed", counts.failed),
            ("timed-out", counts.timed_out),
            ("unknown", counts.unknown),
            ("excluded", counts.excluded),
            ("pending", counts.pending),
        ];
        for (outcome, count) in outcomes {
            family.labelled(&[("phase", &phase.name.to_string()), ("outcome", outcome)], count as f64);
        }
    }
    family
}

fn unknown(phases: &[PhaseBlock]) -> Family {
    let help = "VMs that passed a milestone after an unknown time";
    let mut family = Family::new("unknown_times_vms", Kind::Gauge, "", help);
    for phase in phases {
        for (milestone, summary) in &phase.statistics {
            let labels = [("phase", phase.name.to_string()), ("milestone", milestone.to_string())];
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            family.labelled(&labels, summary.unknown as f64);
        }
    }
    family
}

fn validity(phases: &[PhaseBlock]) -> Family {
    let help = "How far the times of the phase can be trusted";
    let mut family = Family::new("validity", Kind::StateSet, "", help);
    for (phase, block) in graded(phases) {
        for grade in [Validity::Valid, Validity::Qualified, Validity::Invalid] {
            let labels = [("phase", phase.name.to_string()), ("bootstorm_validity", grade.to_string())];
            let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
            family.labelled(&labels, f64::from(u8::from(grade == block.grade)));
        }
    }
    family
}

fn delays(phases: &[PhaseBlock]) -> Family {
    let help = "How late this program reacted (timer), and how late changes arrived at least (watch)";
    let mut family = Family::new("delay_seconds", Kind::Gauge, "seconds", help);
    for (phase, block) in graded(phases) {
        let Some(client) = &block.client else { continue };
        let delays = [
            ("timer", "p99", client.timer_p99),
            ("timer", "max", client.timer_max),
            ("watch", "p99", client.watch_p99),
            ("watch", "max", client.watch_max),
        ];
        for (of, statistic, delay) in delays {
            let Some(delay) = delay else { continue };
            family
                .labelled(&[("phase", &phase.name.to_string()), ("of", of), ("statistic", statistic)], delay);
        }
    }
    family
}

fn nodes(phases: &[PhaseBlock]) -> Family {
    let help = "How many times as long the VMs on a node took as on the median node, where it is slow";
    let mut family = Family::new("slow_node_ratio", Kind::Gauge, "ratio", help);
    for phase in phases {
        for node in phase.nodes.iter().filter(|node| node.slow) {
            let (name, times) = (node.node.as_deref().unwrap_or_default(), node.times_middle);
            let phase = phase.name.to_string();
            family.labelled(&[("phase", &phase), ("node", name)], times.unwrap_or(f64::INFINITY));
        }
    }
    family
}

fn causes(phases: &[PhaseBlock]) -> Family {
    let help = "VMs that did not reach the goal, by cause";
    let mut family = Family::new("failed_vms", Kind::Gauge, "", help);
    for phase in phases {
        // A label must be the same in every run, so several causes may have the same one: they are one series.
        let mut vms = BTreeMap::<String, usize>::new();
        for block in &phase.diagnoses {
            *vms.entry(reason::normalised(&block.cause)).or_default() += block.vms;
        }
        for (cause, vms) in vms {
            family.labelled(&[("phase", &phase.name.to_string()), ("cause", &cause)], vms as f64);
        }
    }
    family
}

fn graded(phases: &[PhaseBlock]) -> impl Iterator<Item = (&PhaseBlock, &ValidityBlock)> {
    phases.iter().filter_map(|phase| Some((phase, phase.validity.as_ref()?)))
}

fn outliers(phases: &[PhaseBlock]) -> Family {
    let mut family = Family::new("outlier_vms", Kind::Gauge, "", "VMs much slower than the others");
    // Without a limit too few VMs arrived to find outliers.
    for phase in phases.iter().filter(|phase| phase.outliers.limit.is_some()) {
        family.labelled(&[("phase", &phase.name.to_string())], phase.outliers.vms.len() as f64);
    }
    family
}

fn milestones(phases: &[PhaseBlock]) -> Family {
    let help = "Time from a VM's request to a milestone; +Inf where too few VMs passed it";
    let mut family = Family::new("milestone_seconds", Kind::Gauge, "seconds", help);
    for phase in phases {
        let name = phase.name.to_string();
        for (milestone, summary) in &phase.statistics {
            let values = [
                ("min", summary.min),
                ("mean", summary.mean),
                ("stddev", summary.stddev),
                ("max", summary.max),
                ("p50", quantile(summary.p50)),
                ("p90", quantile(summary.p90)),
                ("p95", quantile(summary.p95)),
                ("p99", quantile(summary.p99)),
            ];
            for (statistic, value) in values {
                let labels =
                    [("phase", name.as_str()), ("milestone", milestone.word()), ("statistic", statistic)];
                if let Some(value) = value {
                    family.labelled(&labels, value);
                }
            }
        }
    }
    family
}

fn recovery(phases: &[PhaseBlock]) -> Family {
    let help = "Time from the first request until a share of the VMs reached the goal; +Inf where it did not";
    let mut family = Family::new("recovery_seconds", Kind::Gauge, "seconds", help);
    // Without the times of the requests there is no recovery curve.
    for phase in phases.iter().filter(|phase| phase.has_recovery()) {
        let recovery = &phase.recovery;
        let shares = [
            ("0.5", recovery.t50),
            ("0.9", recovery.t90),
            ("0.95", recovery.t95),
            ("0.99", recovery.t99),
            ("1", recovery.t100),
        ];
        for (share, time) in shares {
            if let Some(value) = quantile(time) {
                family.labelled(&[("phase", &phase.name.to_string()), ("share", share)], value);
            }
        }
    }
    family
}

fn spans(phases: &[PhaseBlock]) -> Family {
    let help = "How long things took for all VMs together";
    let mut family = Family::new("span_seconds", Kind::Gauge, "seconds", help);
    for phase in phases {
        let spans = &phase.spans;
        let values = [
            ("request_skew", spans.request_skew),
            ("accept_skew", spans.accept_skew),
            ("issue", spans.issue),
            ("running", spans.running),
            ("goal", spans.goal),
            ("monitoring", spans.monitoring),
            ("total", spans.total),
        ];
        for (span, value) in values {
            if let Some(value) = value {
                family.labelled(&[("phase", &phase.name.to_string()), ("span", span)], value);
            }
        }
    }
    family
}

fn requests(phases: &[PhaseBlock]) -> Family {
    counter("requests", "Requests sent for the VMs", phases, |phase| phase.effort.requests as f64)
}

fn retried(phases: &[PhaseBlock]) -> Family {
    counter("retried_vms", "VMs that needed more than one request", phases, |phase| {
        phase.effort.retried_vms as f64
    })
}

fn throttled(phases: &[PhaseBlock]) -> Family {
    counter("throttled_answers", "Answers 429", phases, |phase| phase.effort.throttled_answers as f64)
}

fn restarts(phases: &[PhaseBlock]) -> Family {
    let help = "Watches that had to be opened again";
    counter("watch_restarts", help, phases, |phase| f64::from(phase.effort.watch_restarts))
}

fn continued(phases: &[PhaseBlock]) -> Family {
    counter("continuations", "How often the phase was continued by another process", phases, |phase| {
        f64::from(phase.continued)
    })
}

fn counter(
    name: &'static str,
    help: &'static str,
    phases: &[PhaseBlock],
    value: fn(&PhaseBlock) -> f64,
) -> Family {
    let mut family = Family::new(name, Kind::Counter, "", help);
    for phase in phases {
        family.labelled(&[("phase", &phase.name.to_string())], value(phase));
    }
    family
}

fn quantile(quantile: Quantile) -> Option<f64> {
    match quantile {
        Quantile::At(seconds) => Some(seconds),
        Quantile::NotReached => Some(f64::INFINITY),
        Quantile::Unknown => None,
    }
}
