//! Faults in force, and their history.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::action::Action;
use super::attributes::Attributes;
use super::effect::Effect;
use super::matching::Match;
use super::rule::{Fault, Rule, RuleId, Schedule};
use crate::model::Dice;

/// Everything in force or scheduled
#[derive(Debug, Default)]
pub(super) struct State {
    next: u64,
    pub(super) rules: Vec<Arranged>,
    pub(super) timed: Vec<Timed>,
    pub(super) denied: Vec<Match>,
}

/// A rule and its history
#[derive(Debug)]
pub(super) struct Arranged {
    pub(super) id: RuleId,
    pub(super) rule: Rule,
    pub(super) schedule: Schedule,
    pub(super) added: Instant,
    /// Matching requests since its beginning, affected or not.
    pub(super) met: u64,
    pub(super) struck: u64,
    /// Time at which its window opened, if requests open it.
    opened: Option<Instant>,
}

/// A scheduled action, and its history
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) id: RuleId,
    pub(super) action: Action,
    pub(super) schedule: Schedule,
    pub(super) every: Option<Duration>,
    pub(super) remaining: Option<u64>,
    pub(super) next: Instant,
    pub(super) done: u64,
    /// Time from which it is not repeated.
    end: Option<Instant>,
}

impl State {
    pub(super) fn len(&self) -> usize {
        self.rules.len() + self.denied.len()
    }

    pub(super) fn add(&mut self, fault: Fault, now: Instant) -> RuleId {
        self.next += 1;
        let id = RuleId(self.next);
        match fault {
            Fault::Rule { rule, schedule } => {
                let arranged = Arranged { id, rule, schedule, added: now, met: 0, struck: 0, opened: None };
                self.rules.push(arranged);
            }
            Fault::Timed { action, schedule, every, remaining } => {
                let next = now + schedule.after;
                let end = schedule.lasting.map(|lasting| next + lasting);
                self.timed.push(Timed { id, action, schedule, every, remaining, next, done: 0, end });
            }
        }
        id
    }

    pub(super) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.rules.len() + self.timed.len();
        self.rules.retain(|known| known.id != id);
        self.timed.retain(|known| known.id != id);
        self.rules.len() + self.timed.len() < before
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.timed.clear();
        self.denied.clear();
    }

    pub(super) fn deny(&mut self, matching: Match) {
        self.denied.push(matching);
    }

    pub(super) fn denies(&self, request: &Attributes<'_>, now: Instant) -> bool {
        // Permissions depend on names and namespaces, never on labels.
        let fits = |matching: &Match| matching.fits(request, &BTreeMap::new);
        let rule = |arranged: &Arranged| {
            arranged.rule.effect == Effect::Deny
                && arranged.is_open(arranged.added, now)
                && fits(&arranged.rule.matching)
        };
        self.denied.iter().any(fits) || self.rules.iter().any(rule)
    }

    pub(super) fn strike(
        &mut self,
        request: &Attributes<'_>,
        labels: &dyn Fn() -> BTreeMap<String, String>,
        now: Instant,
        dice: Dice,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for arranged in &mut self.rules {
            if arranged.rule.effect != Effect::Deny
                && arranged.rule.matching.fits(request, labels)
                && arranged.strikes(now, dice)
            {
                effects.push(arranged.rule.effect.clone());
            }
        }
        self.rules.retain(|arranged| arranged.rule.remaining != Some(0) && !arranged.is_over(now));
        effects
    }

    pub(super) fn due(&mut self, now: Instant) -> (Vec<Action>, Option<Instant>) {
        let mut actions = Vec::new();
        self.timed.retain_mut(|timed| timed.take(now, &mut actions));
        (actions, self.timed.iter().map(|timed| timed.next).min())
    }
}

impl Arranged {
    /// Whether the window that opened at `from` plus the delay is open.
    fn is_open(&self, from: Instant, now: Instant) -> bool {
        let begin = from + self.schedule.after;
        now >= begin && self.schedule.lasting.is_none_or(|lasting| now < begin + lasting)
    }

    /// Whether a matching request is affected; counts it.
    fn strikes(&mut self, now: Instant, dice: Dice) -> bool {
        if now < self.added + self.schedule.after {
            return false;
        }
        self.met += 1;
        if self.met <= self.schedule.after_requests {
            return false;
        }
        // If requests open the window, its time counts from the first affected one.
        let waits = self.schedule.after_requests > 0;
        let begin = if waits { *self.opened.get_or_insert(now) } else { self.added + self.schedule.after };
        if self.schedule.lasting.is_some_and(|lasting| now >= begin + lasting) {
            return false;
        }
        if let Some(probability) = self.schedule.probability {
            let mut roll = dice.roll(&format!("fault/{}", self.id.0), self.met, "strike");
            if roll.unit() >= probability {
                return false;
            }
        }
        self.struck += 1;
        if let Some(remaining) = &mut self.rule.remaining {
            *remaining = remaining.saturating_sub(1);
        }
        true
    }

    /// Whether it will never apply again.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let Some(lasting) = self.schedule.lasting else { return false };
        let begin = match (self.schedule.after_requests, self.opened) {
            (0, _) => self.added + self.schedule.after,
            (_, Some(opened)) => opened,
            (_, None) => return false,
        };
        now >= begin + lasting
    }
}

impl Timed {
    /// Collects due actions; false if none will follow.
    fn take(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        if self.end.is_some_and(|end| self.next > end) {
            return false;
        }
        if self.next > now {
            return true;
        }
        actions.push(self.action.clone());
        self.done += 1;
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.saturating_sub(1);
        }
        let Some(every) = self.every else { return false };
        // Repetitions missed on a busy machine are skipped.
        self.next = (self.next + every).max(now);
        self.remaining != Some(0) && self.end.is_none_or(|end| self.next <= end)
    }
}
