//! Assignment of VMs to probers, and the meaning of their answers.

use super::{Effect, Happened, Tracker};
use crate::observation::{Stream, StreamKind};
use crate::observe::{Instance, Milestone, Moment, Offset, Outcome, Source};
use crate::probe::binding::Hollow;
use crate::probe::{Ask, Family, Probe};
use std::time::Duration;

/// After a prober was asked again, answers that arrive within this time may have been waiting.
const CATCHING_UP: Duration = Duration::from_secs(2);
/// Within this time after taking over, every guest that can answer has answered.
const FIRST_ROUND: Duration = Duration::from_secs(3);

impl Tracker<'_> {
    /// Applies an answer received by a prober.
    pub(super) fn answered_by_prober(&mut self, id: u32, at: Offset) {
        let Some((answered, ask)) = self.roster.reached(id) else { return };
        self.effects.extend(ask.map(|(prober, ask)| Effect::Ask(prober, ask)));
        if self.keeping.is_some() {
            return self.answered_again(answered, at);
        }
        let target = answered.target;
        // A guest that ran before we took over may have been answering for a long time.
        let timeline = &self.phase.timelines[target as usize];
        let early = timeline.at(Milestone::Running).is_some_and(|running| running < self.taken_over);
        let first_round = at < self.taken_over.plus(FIRST_ROUND);
        let waited =
            self.asked.get(&target).is_some_and(|(asked, again)| *again && at < asked.plus(CATCHING_UP));
        let source = if waited || early && first_round { Source::Late } else { Source::Seen };
        self.answered(target, answered.probe, Moment { at, source });
        self.check_goal(target, at);
        self.plan_probing(target, at);
    }

    /// Records that a prober cannot carry out a request.
    pub(super) fn cannot(&mut self, stream: Option<Stream>, id: u32, why: &str, at: Offset) {
        let Some((stream, (who, address))) = stream.zip(self.roster.who(id)) else { return };
        let (prober, family) = (stream.number + 1, Family::of(address));
        let untried = format!("{} over {family} could not be tried: {why}", who.probe);
        self.untried.insert((who.target, who.probe), untried);
        let text = format!("prober {prober}: {} over {family} cannot be tried: {why}", who.probe);
        if self.told.insert(text.clone()) {
            self.tell(at, None, Happened::Warning(text));
        }
    }

    /// Records that a prober is alive: it has reported everything up to the time at which this sign of life was
    /// requested.
    pub(super) fn echoed(&mut self, stream: Option<Stream>, asked: Offset, at: Offset) {
        let Some(state) = stream.and_then(|stream| self.streams.get_mut(&stream)) else { return };
        state.proved = state.proved.max(asked);
        if let Some(health) = self.phase.probing.as_mut() {
            health.round_trip_micros = health.round_trip_micros.max(at.since(asked).0);
        }
        self.judge(at);
    }

    /// Whether a guest has answered a probe.
    pub(super) fn has_answered(&self, target: u32, probe: Probe) -> bool {
        self.phase.timelines[target as usize].probes.contains_key(&probe.to_string())
    }

    pub(super) fn answered(&mut self, target: u32, probe: Probe, moment: Moment) {
        self.untried.remove(&(target, probe));
        let decides = self.probes.first() == Some(&probe);
        let timeline = self.timeline(target);
        timeline.probes.entry(probe.to_string()).or_insert(moment);
        if decides && !timeline.has(Milestone::Reachable) {
            timeline.moments.insert(Milestone::Reachable, moment);
            self.tell(moment.at, Some(target), Happened::Passed(Milestone::Reachable));
        }
    }

    /// Counts a passed milestone as the answer to a probe.
    pub(super) fn answered_by(&mut self, target: u32, probe: Probe, milestone: Milestone) {
        let moment = self.phase.timelines[target as usize].moments.get(&milestone).copied();
        if let Some(moment) = moment {
            self.answered(target, probe, moment);
        }
    }

    /// Reason why an answer to a probe would prove nothing about a guest; `None` if it would.
    pub(super) fn hollow(&self, target: u32, probe: Probe) -> Option<Hollow> {
        let (interface, by) = self.answerers.get(&target)?;
        by.answers(probe).then(|| Hollow { interface: interface.clone(), probe, by: *by })
    }

    /// Records what answers instead of a guest, by the spec of the instance that the phase follows.
    pub(super) fn know_answerer(&mut self, target: u32, instance: &Instance, at: Offset) {
        if self.phase.timelines[target as usize].instance_uid.as_ref() != Some(&instance.uid) {
            return;
        }
        match &instance.answerer {
            Some(answerer) => drop(self.answerers.insert(target, answerer.clone())),
            None => drop(self.answerers.remove(&target)),
        }
        for probe in self.probes.iter().skip(1).copied().collect::<Vec<_>>() {
            let Some(hollow) = self.hollow(target, probe) else { continue };
            let text = format!("{probe} is not tried: {}", hollow.why());
            if self.told.insert(text.clone()) {
                self.tell(at, None, Happened::Warning(text));
            }
        }
    }

    /// Ends a running VM about which the deciding probe could show nothing more.
    pub(super) fn end_hollow(&mut self, target: u32, at: Offset) {
        let timeline = &self.phase.timelines[target as usize];
        if timeline.is_over() || !timeline.has(Milestone::Running) {
            return;
        }
        let hollow = self.probes.first().and_then(|probe| self.hollow(target, *probe));
        if let Some(hollow) = hollow {
            self.end(target, Outcome::Unknown, Some(format!("running, but {}", hollow.why())), at);
        }
    }

    /// Decides whether, and where, a guest has to be probed.
    pub(super) fn plan_probing(&mut self, target: u32, at: Offset) {
        if !self.probes.iter().any(|probe| probe.needs_prober()) {
            return;
        }
        let timeline = &self.phase.timelines[target as usize];
        let keeps = self.keeping.is_some();
        let runs = keeps || !timeline.is_over() && timeline.has(Milestone::Running);
        let address = timeline.address.as_deref().filter(|_| runs).and_then(|text| text.parse().ok());
        match (address, self.probed.get(&target)) {
            (Some(address), known) if known != Some(&address) => {
                // In a gap of the watch it may have been running, and answering, for a long time.
                let late =
                    timeline.moments.get(&Milestone::Running).is_some_and(|m| m.source != Source::Seen);
                let moved = self.probed.insert(target, address).is_some();
                if let Some(keeping) = self.keeping.as_mut().filter(|_| moved) {
                    keeping.moved(target);
                }
                self.ask_anew(target, at, late);
                for probe in self.probes.clone() {
                    let asks_guest = probe.needs_prober() && self.hollow(target, probe).is_none();
                    if asks_guest && keeps {
                        let asks = self.roster.keep(target, probe, address);
                        self.ask(asks);
                        // One is enough to detect the absence of a guest.
                        break;
                    }
                    if asks_guest && !self.has_answered(target, probe) {
                        let asks = self.roster.add(target, probe, address);
                        self.ask(asks);
                    }
                }
                self.move_from_lost(at);
            }
            (None, Some(_)) => {
                self.probed.remove(&target);
                self.asked.remove(&target);
                for probe in self.probes.clone() {
                    let ask = self.roster.forget(target, probe);
                    self.ask(ask);
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, asks: impl IntoIterator<Item = (usize, Ask)>) {
        self.effects.extend(asks.into_iter().map(|(prober, ask)| Effect::Ask(prober, ask)));
    }

    /// Repeats all pending requests to a prober that is back.
    pub(super) fn ask_again(&mut self, prober: usize, at: Offset) {
        if let Some(health) = self.phase.probing.as_mut() {
            health.streams += 1;
        }
        for target in self.roster.of(prober) {
            self.ask_anew(target, at, true);
        }
        let again = self.roster.again(prober).into_iter().map(|ask| (prober, ask));
        self.ask(again);
    }

    /// Reassigns the VMs of a lost prober to others.
    pub(super) fn hand_over(&mut self, prober: usize, at: Offset) {
        let others = self.probers_with(|gap| !gap);
        let targets = self.roster.of(prober);
        if others.is_empty() || targets.is_empty() {
            return;
        }
        let asks = self.roster.hand_over(prober, &others);
        self.ask(asks);
        for target in targets {
            self.ask_anew(target, at, true);
        }
    }

    /// Begins probing a VM: earlier reports about it no longer count.
    fn ask_anew(&mut self, target: u32, at: Offset, late: bool) {
        self.asked.insert(target, (at, late));
        for probe in self.probes.clone() {
            self.untried.remove(&(target, probe));
        }
    }

    /// Reason why the goal cannot be judged: the deciding probe was never tried.
    pub(super) fn untried(&self, target: u32) -> Option<&str> {
        let deciding = *self.probes.first()?;
        self.untried.get(&(target, deciding)).map(String::as_str)
    }

    /// Passes targets that were just given to a lost prober to others at once.
    fn move_from_lost(&mut self, at: Offset) {
        for prober in self.probers_with(|gap| gap) {
            self.hand_over(prober, at);
        }
    }

    fn probers_with(&self, gap: impl Fn(bool) -> bool) -> Vec<usize> {
        let probers = self.streams.iter().filter(|(stream, _)| stream.kind == StreamKind::Prober);
        probers
            .filter(|(_, state)| gap(state.gap.is_some()))
            .map(|(stream, _)| stream.number as usize)
            .collect()
    }
}
