//! Metrics over HTTP while phases are running: sums over the events of the engine.
//!
//! An event costs a few additions under a lock that is never held while text is generated or sent.

mod server;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bootstorm_engine::phases::{Event, VmEvent};
use bootstorm_model::observation::StreamKind;
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Milestone, Offset, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_report::{Histogram, LivePhase, LiveStream, live};

pub use server::Server;

/// Maximum number of phases kept; of a long series the last ones.
const MOST_PHASES: usize = 20;
/// Outcomes that are counted. Events do not concern VMs that take no part.
const OUTCOMES: [Outcome; 4] = [Outcome::Reached, Outcome::Failed, Outcome::TimedOut, Outcome::Unknown];

/// Aggregates events; copies share the same data
#[derive(Debug, Clone)]
pub struct Live {
    run: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    phases: Vec<Phase>,
    /// Metrics of finished phases, as text.
    results: String,
}

/// State of a VM in a phase
#[derive(Debug, Clone, Copy, Default)]
struct Vm {
    /// Time of its request; unknown if another process sent it.
    requested: Option<Offset>,
    /// Milestones passed, as a bit set.
    passed: u32,
    /// Whether it was sent, accepted, ended.
    is_open: bool,
}

#[derive(Debug)]
struct Phase {
    began: Instant,
    ended: Option<Duration>,
    vms: HashMap<Target, Vm>,
    shown: LivePhase,
    milestones: [u64; Milestone::ALL.len()],
    durations: HashMap<Milestone, Histogram>,
    streams: HashMap<StreamKind, LiveStream>,
}

impl Live {
    /// An empty aggregate for this run.
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), state: Arc::default() }
    }

    /// Handles one event.
    pub fn hear(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::PhaseBegan { phase, targets, done, goal } => {
                let shown = LivePhase {
                    name: phase.to_string(),
                    goal: goal.word(),
                    is_running: true,
                    vms: *targets as u64,
                    // Outcomes decided by an earlier process are not known individually.
                    outcomes: OUTCOMES.iter().map(|outcome| (outcome.word(), 0)).collect(),
                    ..LivePhase::default()
                };
                let name = shown.name.clone();
                state.phases.retain(|phase| phase.shown.name != name);
                let surplus = (state.phases.len() + 1).saturating_sub(MOST_PHASES);
                state.phases.drain(..surplus);
                let mut phase = Phase::new(shown);
                phase.count("earlier-process", *done as u64);
                state.phases.push(phase);
            }
            Event::PhaseEnded(_) => {
                if let Some(phase) = state.phases.last_mut() {
                    phase.ended = Some(phase.began.elapsed());
                    phase.shown.is_running = false;
                }
            }
            Event::Requests { sent, throttled } => {
                if let Some(phase) = state.phases.last_mut() {
                    (phase.shown.requests, phase.shown.throttled) = (*sent, *throttled);
                }
            }
            Event::Blind { stream, .. } => {
                if let Some(phase) = state.phases.last_mut() {
                    phase.streams.entry(stream.kind).or_default().blind += 1;
                }
            }
            Event::Seeing { stream, gap, .. } => {
                if let Some(phase) = state.phases.last_mut() {
                    let known = phase.streams.entry(stream.kind).or_default();
                    known.blind = known.blind.saturating_sub(1);
                    known.gaps += 1;
                    known.gap_seconds += gap.seconds();
                }
            }
            Event::Vm { at, target, what } => {
                if let Some(phase) = state.phases.last_mut() {
                    phase.vm(*at, target, what);
                }
            }
            _ => {}
        }
    }

    /// Adds the metrics of finished phases, in the text format of Prometheus, after those of running ones.
    pub fn show_results(&self, text: String) {
        self.lock().results = text;
    }

    /// All metrics in the text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        let (phases, results) = {
            let state = self.lock();
            let phases: Vec<_> = state.phases.iter().map(Phase::so_far).collect();
            (phases, state.results.clone())
        };
        live(&self.run, &phases) + &results
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn new(shown: LivePhase) -> Self {
        let kinds = [StreamKind::Instances, StreamKind::Pods, StreamKind::Events, StreamKind::Prober];
        Self {
            began: monotonic_now(),
            ended: None,
            vms: HashMap::new(),
            shown,
            milestones: [0; Milestone::ALL.len()],
            durations: HashMap::new(),
            streams: kinds.map(|kind| (kind, LiveStream::default())).into(),
        }
    }

    fn vm(&mut self, at: Offset, target: &Target, what: &VmEvent) {
        match what {
            VmEvent::Sent => {
                let vm = self.vms.entry(target.clone()).or_default();
                (vm.requested, vm.is_open) = (Some(at), true);
                self.shown.in_flight += 1;
            }
            VmEvent::Accepted => {
                self.answered(target);
                self.passed(at, target, Milestone::Accepted);
            }
            VmEvent::Passed(milestone) => self.passed(at, target, *milestone),
            VmEvent::Ended { outcome, .. } => {
                self.answered(target);
                self.count(outcome.word(), 1);
            }
            VmEvent::Quiet { .. } | VmEvent::Back(_) => {}
            VmEvent::Reopened(outcome) => {
                let known = self.shown.outcomes.iter_mut().find(|(word, _)| *word == outcome.word());
                if let Some((_, count)) = known {
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    fn answered(&mut self, target: &Target) {
        if let Some(vm) = self.vms.get_mut(target).filter(|vm| vm.is_open) {
            vm.is_open = false;
            self.shown.in_flight -= 1;
        }
    }

    fn passed(&mut self, at: Offset, target: &Target, milestone: Milestone) {
        let Some(place) = Milestone::ALL.iter().position(|one| *one == milestone) else { return };
        if !self.vms.contains_key(target) {
            self.vms.insert(target.clone(), Vm::default());
        }
        let Some(vm) = self.vms.get_mut(target) else { return };
        if vm.passed & (1 << place) != 0 {
            return;
        }
        vm.passed |= 1 << place;
        self.milestones[place] += 1;
        if let Some(requested) = vm.requested {
            self.durations.entry(milestone).or_default().add(at.since(requested).seconds());
        }
    }

    fn count(&mut self, outcome: &'static str, more: u64) {
        match self.shown.outcomes.iter_mut().find(|(word, _)| *word == outcome) {
            Some((_, count)) => *count += more,
            None if more > 0 => self.shown.outcomes.push((outcome, more)),
            None => {}
        }
    }

    fn so_far(&self) -> LivePhase {
        let passed = Milestone::ALL.iter().zip(self.milestones).filter(|(_, count)| *count > 0);
        let durations = Milestone::ALL
            .iter()
            .filter_map(|milestone| Some((milestone.word(), self.durations.get(milestone)?.clone())));
        let mut streams: Vec<_> = self.streams.iter().map(|(kind, stream)| (word(*kind), *stream)).collect();
        streams.sort_by_key(|(word, _)| *word);
        LivePhase {
            seconds: self.ended.unwrap_or_else(|| self.began.elapsed()).as_secs_f64(),
            milestones: passed.map(|(milestone, count)| (milestone.word(), count)).collect(),
            durations: durations.collect(),
            streams,
            ..self.shown.clone()
        }
    }
}

/// A kind of streams as a label.
fn word(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Instances => "instances",
        StreamKind::Volumes => "volumes",
        StreamKind::Migrations => "migrations",
        StreamKind::Pods => "pods",
        StreamKind::Events => "events",
        StreamKind::Prober => "prober",
    }
}

#[cfg(test)]
mod tests {
    use bootstorm_model::observation::Stream;
    use bootstorm_model::record::{PhaseKind, PhaseName};

    use super::*;

    fn vm(number: u32) -> Target {
        Target { namespace: format!("ns-{number}"), name: "vm".into() }
    }

    #[test]
    fn events_add_up_to_metrics() {
        let live = Live::new("friday");
        let at = Offset::from_seconds;
        let hear = |number, seconds: f64, what| {
            live.hear(&Event::Vm { at: at(seconds), target: vm(number), what });
        };
        assert_eq!(live.text(), "");
        let phase = PhaseName { kind: PhaseKind::Storm, number: 1 };
        live.hear(&Event::PhaseBegan { phase, targets: 5, done: 1, goal: Milestone::Running });
        for number in 1..=3 {
            hear(number, 1.0, VmEvent::Sent);
        }
        hear(1, 1.5, VmEvent::Accepted);
        hear(1, 5.0, VmEvent::Passed(Milestone::Running));
        hear(1, 6.0, VmEvent::Passed(Milestone::Running));
        hear(1, 6.0, VmEvent::Ended { outcome: Outcome::Reached, reason: None });
        hear(2, 6.0, VmEvent::Ended { outcome: Outcome::Failed, reason: None });
        hear(2, 7.0, VmEvent::Reopened(Outcome::Failed));
        // Another process sent its request.
        hear(4, 2.0, VmEvent::Passed(Milestone::Running));
        let stream = Stream { kind: StreamKind::Instances, number: 0 };
        live.hear(&Event::Blind { at: at(8.0), stream, since: at(3.0), why: None });
        live.hear(&Event::Requests { sent: 9, throttled: 2 });
        let text = live.text();
        let has = |text: &str, family: &str, label: &str, value: &str| {
            let is_it = |line: &str| {
                line.starts_with(&format!("bootstorm_live_{family}{{"))
                    && line.contains(label)
                    && line.ends_with(&format!("}} {value}"))
            };
            assert!(text.lines().any(is_it), "{family} {label} {value}: {text}");
        };
        for (family, label, value) in [
            ("phase_active", "phase=\"storm-1\"", "1"),
            ("target_vms", "goal=\"running\"", "5"),
            ("in_flight_requests", "", "1"),
            ("requests_total", "", "9"),
            ("throttled_answers_total", "", "2"),
            ("outcome_vms", "outcome=\"reached\"", "1"),
            ("outcome_vms", "outcome=\"failed\"", "0"),
            ("outcome_vms", "outcome=\"earlier-process\"", "1"),
            ("vms", "milestone=\"running\"", "2"),
            ("milestone_duration_seconds_count", "milestone=\"running\"", "1"),
            ("milestone_duration_seconds_sum", "milestone=\"running\"", "4"),
            ("blind_streams", "stream=\"instances\"", "1"),
        ] {
            has(&text, family, label, value);
        }
        live.hear(&Event::Seeing { at: at(9.0), stream, gap: at(6.0) });
        live.hear(&Event::PhaseEnded(phase));
        live.show_results("results\n".into());
        let text = live.text();
        has(&text, "phase_active", "", "0");
        has(&text, "blind_streams", "stream=\"instances\"", "0");
        has(&text, "watch_gaps_total", "stream=\"instances\"", "1");
        has(&text, "watch_gap_seconds_total", "stream=\"instances\"", "6");
        assert!(text.ends_with("results\n"));
    }

    #[test]
    fn a_long_series_keeps_its_last_phases() {
        let live = Live::new("friday");
        for number in 1..=30 {
            let phase = PhaseName { kind: PhaseKind::Storm, number };
            live.hear(&Event::PhaseBegan { phase, targets: 1, done: 0, goal: Milestone::Running });
        }
        let text = live.text();
        assert!(
            !text.contains("\"storm-10\"") && text.contains("\"storm-11\"") && text.contains("\"storm-30\"")
        );
    }
}
