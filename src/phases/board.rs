//! Where a phase stands: its timelines, who is still on the way, and whose time is up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::{Event, Listener};
use super::launch::Launched;
use crate::cluster::changes::{News, Received};
use crate::observe::{Change, Clock, Fold, Milestone, Offset, Outcome, Receipt};
use crate::plan::Target;
use crate::record::{Gap, PhaseRecord};

/// The state of a running phase, without any input or output
pub(super) struct Board<'a> {
    pub(super) phase: PhaseRecord,
    pub(super) clock: Clock,
    fold: Fold,
    targets: &'a [Target],
    events: Listener<'a>,
    /// Requests that gave no final answer yet.
    unanswered: usize,
    /// VMs whose outcome is open.
    pending: usize,
    /// Whose time is up when, in the order of their requests.
    deadlines: VecDeque<(Instant, u32)>,
    /// Something changed since the last save.
    pub(super) dirty: bool,
}

impl<'a> Board<'a> {
    pub(super) fn new(
        phase: PhaseRecord,
        clock: Clock,
        fold: Fold,
        targets: &'a [Target],
        events: Listener<'a>,
    ) -> Self {
        let pending = phase.timelines.iter().filter(|timeline| !timeline.is_over()).count();
        let timeout = Duration::from_secs(phase.settings.timeout_seconds);
        let mut asked: Vec<(Offset, u32)> = phase
            .timelines
            .iter()
            .filter(|timeline| !timeline.is_over())
            .filter_map(|timeline| Some((timeline.at(Milestone::Requested)?, timeline.target)))
            .collect();
        asked.sort_unstable();
        let deadlines =
            asked.into_iter().map(|(at, target)| (clock.instant(at.plus(timeout)), target)).collect();
        Self { phase, clock, fold, targets, events, unanswered: 0, pending, deadlines, dirty: true }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.phase.settings.timeout_seconds)
    }

    /// Says how many requests will be answered.
    pub(super) fn expect_answers(&mut self, requests: usize) {
        self.unanswered = requests;
    }

    /// Whether every VM is through and every request answered.
    pub(super) fn is_over(&self) -> bool {
        self.pending == 0 && self.unanswered == 0
    }

    /// Whether every request was answered.
    pub(super) fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Whether some VM that reached the goal has not passed `milestone` yet.
    pub(super) fn lacks(&self, milestone: Milestone) -> bool {
        self.phase.timelines.iter().any(|t| t.outcome == Outcome::Reached && !t.has(milestone))
    }

    /// When the next VM's time is up.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    /// Takes news of the watch into account.
    pub(super) fn hear(&mut self, received: Received, server_ahead: i64) {
        let at = self.clock.at(received.at);
        match received.news {
            News::Blind(since) => {
                let from = self.clock.at(since);
                self.phase.watch.restarts += 1;
                self.phase.watch.gaps.push(Gap { from, to: at });
                (self.events)(&Event::Blind(at.since(from)));
                self.dirty = true;
            }
            News::Changes(changes) => {
                let receipt = Receipt { at, late: received.late, server_ahead };
                for change in &changes {
                    self.apply(change, receipt);
                }
            }
        }
    }

    /// Takes one change into account.
    pub(super) fn apply(&mut self, change: &Change, receipt: Receipt) {
        for passed in self.fold.apply(&mut self.phase.timelines, change, receipt) {
            self.dirty = true;
            (self.events)(&Event::Passed(passed.milestone));
            self.check_goal(passed.target);
        }
    }

    /// Takes the fate of a request into account; gives the VM whose request was refused for good.
    pub(super) fn launched(&mut self, launched: Launched) -> Option<u32> {
        self.dirty = true;
        match launched {
            Launched::Sent { target, at } => {
                let offset = self.clock.at(at);
                let deadline = at + self.timeout();
                self.timeline(target).see(Milestone::Requested, offset);
                self.deadlines.push_back((deadline, target));
                (self.events)(&Event::Sent);
                // The watch may have been faster than the launch's own message.
                self.check_goal(target);
                None
            }
            Launched::Skipped => {
                self.unanswered -= 1;
                None
            }
            Launched::Answered { target, effort, outcome } => {
                self.unanswered -= 1;
                let clock = self.clock;
                let stops = self.phase.goal == Milestone::Gone;
                let timeline = self.timeline(target);
                timeline.attempts += effort.attempts;
                timeline.throttled += effort.throttled;
                timeline.throttled_for = timeline.throttled_for.plus(effort.throttled_for);
                match outcome {
                    Ok(at) => {
                        let offset = clock.at(at);
                        timeline.see(Milestone::Accepted, offset);
                        if stops && timeline.instance_uid.is_none() {
                            // There was no instance to wait for.
                            timeline.see(Milestone::Gone, offset);
                        }
                        (self.events)(&Event::Accepted);
                        self.check_goal(target);
                        None
                    }
                    Err(trouble) if timeline.is_over() => {
                        tracing::debug!(%trouble, "refused after the goal was reached");
                        None
                    }
                    Err(trouble) => {
                        self.end(target, Outcome::Failed, Some(trouble.to_string()));
                        Some(target)
                    }
                }
            }
        }
    }

    /// Ends the VMs whose time is up, and gives them.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some((at, target)) = self.deadlines.front().copied() {
            let over = self.timeline(target).is_over();
            if !over && at > now {
                break;
            }
            self.deadlines.pop_front();
            if !over {
                let reason =
                    format!("not {} after {}s", self.phase.goal, self.phase.settings.timeout_seconds);
                self.end(target, Outcome::TimedOut, Some(reason));
                expired.push(target);
            }
        }
        expired
    }

    /// Adds what was found out about a VM that did not reach the goal.
    pub(super) fn diagnose(&mut self, target: u32, finding: &str) {
        let timeline = self.timeline(target);
        timeline.reason = Some(match timeline.reason.take() {
            Some(reason) => format!("{reason}: {finding}"),
            None => finding.to_owned(),
        });
        self.dirty = true;
    }

    fn timeline(&mut self, target: u32) -> &mut crate::observe::Timeline {
        &mut self.phase.timelines[target as usize]
    }

    fn check_goal(&mut self, target: u32) {
        let goal = self.phase.goal;
        let timeline = self.timeline(target);
        if !timeline.is_over() && timeline.has(goal) && timeline.has(Milestone::Requested) {
            self.end(target, Outcome::Reached, None);
        }
    }

    fn end(&mut self, target: u32, outcome: Outcome, reason: Option<String>) {
        let timeline = self.timeline(target);
        timeline.outcome = outcome;
        timeline.reason.clone_from(&reason);
        self.pending -= 1;
        self.dirty = true;
        (self.events)(&Event::Ended { target: self.targets[target as usize].clone(), outcome, reason });
    }
}
