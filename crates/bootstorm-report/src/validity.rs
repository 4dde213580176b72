//! How far the times of a phase can be trusted, for display.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use bootstorm_model::observe::{Delays, Milestone, Offset, Outcome, Source, Timeline};
use bootstorm_model::record::{ClockDifference, ClusterMark, Gap, Health, PhaseRecord, RunRecord};
use bootstorm_model::stats::validity::{self, Conditions, Late, Trust, Validity};
use bootstorm_model::stats::{self, FirstRequest, Level, Quantile, Sample};
use bootstorm_model::text::{clip, line, normalised};

/// Maximum number of characters of the reason for resent requests.
const LONGEST_REASON: usize = 120;

/// How far the times of a phase can be trusted
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValidityBlock {
    /// Worst grade of any rule.
    pub grade: Validity,
    /// Findings of every rule.
    pub findings: Vec<Trust>,
    /// How well this program kept up; absent in runs from before this was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientBlock>,
}

/// How well the measuring program kept up
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientBlock {
    /// Lateness of timers, 99th percentile.
    #[serde(rename = "timer_p99_seconds", serialize_with = "stats::maybe_micros")]
    pub timer_p99: Option<f64>,
    /// Maximum lateness of timers.
    #[serde(rename = "timer_max_seconds", serialize_with = "stats::maybe_micros")]
    pub timer_max: Option<f64>,
    /// Delay of changes on the watch, a lower bound, 99th percentile.
    #[serde(rename = "watch_p99_seconds", serialize_with = "stats::maybe_micros")]
    pub watch_p99: Option<f64>,
    /// Maximum delay of changes.
    #[serde(rename = "watch_max_seconds", serialize_with = "stats::maybe_micros")]
    pub watch_max: Option<f64>,
    /// Number of compared changes.
    pub watch_changes: u64,
    /// Mean number of CPUs used.
    #[serde(serialize_with = "stats::maybe_micros")]
    pub processors_used: Option<f64>,
    /// Number of CPUs available.
    pub processors: u32,
    /// Untimed requests that were retried.
    pub retries: u32,
    /// Lower bound on how far the server's clock is ahead.
    #[serde(rename = "clock_ahead_least_seconds", serialize_with = "stats::maybe_micros")]
    pub clock_least: Option<f64>,
    /// Upper bound.
    #[serde(rename = "clock_ahead_most_seconds", serialize_with = "stats::maybe_micros")]
    pub clock_most: Option<f64>,
}

impl ValidityBlock {
    /// Applies the rules to a phase.
    pub(super) fn of(record: &RunRecord, phase: &PhaseRecord) -> Self {
        let findings = validity::judge(&conditions(record, phase));
        let client = phase.health.as_ref().map(ClientBlock::of);
        Self { grade: validity::worst(&findings), findings, client }
    }

    /// Findings that cast doubt on the times.
    pub fn doubts(&self) -> impl Iterator<Item = &Trust> {
        let speaks_against = |grade: Validity| grade != Validity::Valid;
        self.findings.iter().filter(move |finding| finding.grade.is_some_and(speaks_against))
    }
}

impl ClientBlock {
    fn of(health: &Health) -> Self {
        let (timer, watch) = (late(&health.timer), late(&health.watch));
        Self {
            timer_p99: timer.map(|late| late.p99),
            timer_max: timer.map(|late| late.longest),
            watch_p99: watch.map(|late| late.p99),
            watch_max: watch.map(|late| late.longest),
            watch_changes: health.watch.count,
            processors_used: processors(health),
            processors: health.processors,
            retries: health.retries,
            clock_least: health.clock.map(|clock| clock.least.seconds()),
            clock_most: health.clock.map(|clock| clock.most.seconds()),
        }
    }
}

fn late(delays: &Delays) -> Option<Late> {
    let p99 = delays.quantile(0.99)?.seconds();
    Some(Late { count: delays.count, p99, longest: delays.longest.seconds() })
}

/// Mean number of CPUs used by the program.
fn processors(health: &Health) -> Option<f64> {
    let taken = health.processor?.seconds();
    (health.measured > Offset::ZERO).then(|| taken / health.measured.seconds())
}

/// The most frequent reason for which the requests of VMs were resent, and their number. Reasons that differ only in
/// numbers and generated names are one; the first of them is told.
fn resent_after(phase: &PhaseRecord) -> Option<(String, usize)> {
    let mut reasons: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for why in phase.participants().filter_map(|timeline| timeline.resent_after.as_deref()) {
        reasons.entry(normalised(why)).or_insert((0, why)).0 += 1;
    }
    let (vms, why) = reasons.into_values().max_by_key(|(vms, _)| *vms)?;
    Some((clip(line(why).as_ref(), LONGEST_REASON).into_owned(), vms))
}

/// Inputs of the rules for a phase.
fn conditions(record: &RunRecord, phase: &PhaseRecord) -> Conditions {
    let has = |timeline: &Timeline, source: Source| {
        let known = |milestone: &Milestone| timeline.moments.get(milestone);
        // A request is always seen; what begins an outage that others cause may not be.
        [Milestone::Requested, Milestone::Running, phase.goal]
            .iter()
            .filter_map(known)
            .any(|moment| moment.source == source)
    };
    let count = |of: &dyn Fn(&Timeline) -> bool| phase.participants().filter(|timeline| of(timeline)).count();
    let sample = Sample::to_milestone(&phase.timelines, phase.goal, phase.goal);
    let probing = phase.probing.iter().flat_map(|probing| &probing.gaps);
    // Nothing happens before the first request, and nothing is awaited after the end.
    let first = FirstRequest::of(phase).at().unwrap_or(Offset::ZERO);
    let end = phase.ended.or(phase.watched_until).unwrap_or_default();
    let within = |gap: &Gap| {
        let (from, to) = (gap.from.max(first), gap.to.min(end.max(gap.from)));
        (to > from).then_some(Gap { from, to, ..*gap })
    };
    let of_goal: Vec<Gap> = phase.watch.gaps.iter().chain(probing).filter_map(within).collect();
    let gaps = || of_goal.iter().map(|gap| gap.to.since(gap.from).seconds());
    let nobody = of_goal.iter().filter(|gap| gap.stream.is_none() && phase.continued > 0);
    let together = |gaps: Vec<(Offset, Offset)>| {
        // An empty sum would be -0.0.
        gaps.into_iter().fold(0.0, |all, (from, to)| all + to.since(from).seconds())
    };
    let nobody = together(Gap::together(nobody));
    let whole = end.since(first).seconds();
    let health = phase.health.as_ref();
    let setup = ClusterMark::from(&record.facts);
    let before = health.and_then(|health| health.before.as_ref());
    let meanwhile = health.and_then(|health| health.before.as_ref().zip(health.after.as_ref()));
    let is_upgrade = |(before, after): (&ClusterMark, &ClusterMark)| {
        let versions = |mark: &ClusterMark| ClusterMark { settings: None, nodes: None, ..mark.clone() };
        !versions(before).changes(&versions(after)).is_empty()
    };
    Conditions {
        vms: phase.participants().count(),
        median: Quantile::of(&sample.without_missing(), Level::P50).seconds(),
        gaps: of_goal.len(),
        gap: together(Gap::together(&of_goal)),
        longest_gap: gaps().fold(0.0, f64::max),
        stamped: count(&|timeline| has(timeline, Source::Stamped)),
        late: count(&|timeline| has(timeline, Source::Late)),
        unseen: count(&|timeline| has(timeline, Source::Stamped) || has(timeline, Source::Late)),
        abandoned: if whole > 0.0 { nobody / whole } else { 0.0 },
        unknown: sample.unknown().saturating_sub(phase.count(Outcome::Unknown)),
        undecided: phase.count(Outcome::Unknown),
        watch: health.and_then(|health| {
            let (order, stamps) = (late(&health.watch), late(&health.stamps));
            // A timestamp of whole seconds shows no delay below a second.
            stamps.filter(|stamps| stamps.longest > order.map_or(0.0, |order| order.longest)).or(order)
        }),
        timer: health.and_then(|health| late(&health.timer)),
        processors: health.and_then(|health| Some((processors(health)?, health.processors))),
        asked: count(&|timeline| timeline.attempts > 0),
        put_off: count(&|timeline| timeline.attempts > 1 || timeline.throttled > 0),
        throttled: phase.participants().map(|timeline| u64::from(timeline.throttled)).sum(),
        retries: health.map_or(0, |health| health.retries),
        resent_after: resent_after(phase),
        clock: health.and_then(|health| health.clock).map(bounds),
        probe: phase.probing.as_ref().map(|probing| crate::probing::ProbingBlock::of(probing).resolution()),
        changed_before: before.map(|before| setup.changes(before)),
        changed_meanwhile: meanwhile.map(|(before, after)| before.changes(after)),
        upgraded: meanwhile.is_some_and(is_upgrade),
    }
}

fn bounds(clock: ClockDifference) -> (f64, f64) {
    (clock.least.seconds(), clock.most.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, Selection, fixtures};

    fn storm(record: &RunRecord) -> ValidityBlock {
        let report = Report::of(record, &Selection::default());
        report.phases.last().and_then(|phase| phase.validity.clone()).unwrap()
    }

    fn doubts(record: &RunRecord) -> Vec<&'static str> {
        storm(record).doubts().map(|finding| finding.rule.word()).collect()
    }

    #[test]
    fn a_record_from_before_is_valid_as_far_as_it_says() {
        let block = storm(&fixtures::small());
        assert_eq!((block.grade, block.client), (Validity::Valid, None));
        let unmeasured = block.findings.iter().filter(|finding| finding.grade.is_none()).count();
        assert_eq!(unmeasured, 4, "delay, client, clock, cluster: {block:?}");
    }

    #[test]
    fn nobody_has_to_watch_before_the_first_request() {
        let watched = |from: f64, to: f64| {
            let mut record = fixtures::measured();
            let storm = &mut record.phases[2];
            let first = FirstRequest::of(storm).at().unwrap();
            // Shards and clusters wait for each other first.
            let wait = Offset::from_seconds(20.0);
            for timeline in &mut *storm.timelines {
                timeline.moments.values_mut().for_each(|moment| moment.at = Offset(moment.at.0 + wait.0));
            }
            storm.ended = storm.ended.map(|ended| Offset(ended.0 + wait.0));
            storm.continued = 1;
            let at = |seconds: f64| Offset(first.0 + Offset::from_seconds(seconds).0);
            storm.watch.gaps.push(Gap { from: at(from), to: at(to), ..Gap::default() });
            super::tests::storm(&record).findings[0].measured.clone()
        };
        assert!(!watched(0.0, 19.0).contains("no process was watching"), "{}", watched(0.0, 19.0));
        assert!(watched(0.0, 30.0).contains("no process was watching"), "{}", watched(0.0, 30.0));
    }

    #[test]
    fn resent_requests_have_their_reason() {
        let mut record = fixtures::small();
        for timeline in &mut record.phases[2].timelines[..3] {
            (timeline.attempts, timeline.resent_after) = (2, Some("Unauthorized".into()));
        }
        let block = storm(&record);
        let doubt = block.doubts().next().unwrap();
        assert!(doubt.measured.ends_with("had to be resent (3 after: Unauthorized)"), "{}", doubt.measured);
    }

    #[test]
    fn what_a_record_holds_decides() {
        assert_eq!(doubts(&fixtures::measured()), Vec::<&str>::new());
        assert_eq!(doubts(&fixtures::with_failures()), ["requests"]);
        assert_eq!(doubts(&fixtures::stamped()), ["watch"]);
        assert_eq!(doubts(&fixtures::continued()), ["watch", "unknown"]);
        let mut record = fixtures::measured();
        let health = record.phases[2].health.as_mut().unwrap();
        (0..50).for_each(|_| health.timer.add(Offset(3_000_000)));
        health.before.as_mut().unwrap().nodes = Some(2);
        assert_eq!(doubts(&record), ["client", "cluster"]);
        let after = record.phases[2].health.as_mut().unwrap().after.as_mut().unwrap();
        after.kubevirt = Some("v1.7.0".into());
        let block = storm(&record);
        assert_eq!(block.grade, Validity::Invalid);
        let cluster = block.findings.last().unwrap();
        assert_eq!(
            cluster.measured,
            "changed since the setup: nodes 4 -> 2; during the phase: KubeVirt v1.6.2 -> v1.7.0, nodes 2 -> 4"
        );
    }
}
