//! Whose time is up, and for what.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::Board;
use bootstorm_model::observe::{Milestone, Offset, Outcome};

/// What a VM's time is up for
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// It is not Running (or gone).
    State,
    /// It runs, but does not answer.
    Answer,
}

impl Board<'_> {
    /// When the next VM's time is up.
    pub(in crate::phases) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, ..))| *at)
    }

    /// From Running on, a guest has its own time to answer.
    pub(super) fn limit_answer(&mut self, target: u32) {
        let running = self.timeline(target).at(Milestone::Running);
        if let (false, Some(running)) = (self.probes.is_empty(), running) {
            let at = self.answer_limit(running);
            self.deadlines.push(Reverse((at, target, Limit::Answer)));
        }
    }

    /// Until when a guest that runs since then may be silent.
    fn answer_limit(&self, running: Offset) -> Instant {
        let limit = Duration::from_secs(self.phase.settings.ping_timeout_seconds);
        self.clock.instant(running.max(self.taken_over).plus(limit))
    }

    /// Ends the VMs whose time is up, and gives them.
    pub(in crate::phases) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some(Reverse((at, target, limit))) = self.deadlines.peek().copied() {
            let moot = self.is_moot(target, limit, at);
            if !moot && at > now {
                break;
            }
            self.deadlines.pop();
            if !moot {
                self.time_out(target, limit);
                expired.push(target);
            }
        }
        expired
    }

    /// Whether a limit does not matter any more.
    fn is_moot(&self, target: u32, limit: Limit, at: Instant) -> bool {
        let timeline = &self.phase.timelines[target as usize];
        if timeline.is_over() {
            return true;
        }
        match (limit, timeline.at(Milestone::Running)) {
            // It runs in time; from then on the other limit holds.
            (Limit::State, running) => !self.probes.is_empty() && running.is_some(),
            (Limit::Answer, None) => true,
            // It began to run again since then, as another instance.
            (Limit::Answer, Some(running)) => self.answer_limit(running) > at,
        }
    }

    fn time_out(&mut self, target: u32, limit: Limit) {
        let settings = &self.phase.settings;
        let (state, answer) = (settings.timeout_seconds, settings.ping_timeout_seconds);
        let timeline = &self.phase.timelines[target as usize];
        let silent: Vec<String> = self
            .probes
            .iter()
            .map(ToString::to_string)
            .filter(|probe| !timeline.probes.contains_key(probe))
            .collect();
        let reason = match limit {
            Limit::State if self.phase.goal == Milestone::Volume => {
                format!("its disk is not ready after {state}s")
            }
            Limit::State if self.phase.goal == Milestone::Reachable => format!("not running after {state}s"),
            Limit::State => format!("not {} after {state}s", self.phase.goal),
            Limit::Answer if timeline.address.is_none() => {
                format!("running, but it reports no address after {answer}s")
            }
            Limit::Answer => format!("running, but no answer to {} after {answer}s", silent.join(" and ")),
        };
        let volumes = self.volumes.as_ref().filter(|_| !timeline.has(Milestone::Volume));
        let reason = match volumes.and_then(|volumes| volumes.unfinished(target)) {
            Some(doing) => format!("{reason}: {doing}"),
            None => reason,
        };
        let reached = timeline.has(self.phase.goal);
        self.end(target, if reached { Outcome::Reached } else { Outcome::TimedOut }, Some(reason));
        self.plan_probing(target);
    }

    /// Ends every VM that is not through: the phase's own time is up.
    pub(in crate::phases) fn end_all(&mut self, limit: Duration) {
        for target in 0..self.phase.timelines.len() as u32 {
            let timeline = &self.phase.timelines[target as usize];
            if timeline.is_over() {
                continue;
            }
            let (goal, limit) = (self.phase.goal, limit.as_secs());
            let reason = if timeline.is_asked() {
                format!("not {goal} when the phase's time limit of {limit}s was over")
            } else {
                format!("its request was not sent before the phase's time limit of {limit}s was over")
            };
            self.end(target, Outcome::TimedOut, Some(reason));
            self.plan_probing(target);
        }
    }
}
