//! Rules: requests, effect, count, and schedule.

use std::time::Duration;

use super::action::Action;
use super::effect::Effect;
use super::matching::Match;

/// A match, its effect, and the number of requests it applies to
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Matching requests.
    pub matching: Match,
    /// Effect on them.
    pub effect: Effect,
    /// Number of requests left to affect; absent means unlimited.
    pub remaining: Option<u64>,
}

/// Schedule of a fault
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// Delay from its addition to its beginning.
    pub after: Duration,
    /// Number of requests that pass before it begins.
    pub after_requests: u64,
    /// Duration from its beginning; absent means unlimited.
    pub lasting: Option<Duration>,
    /// Share of affected requests; absent means all.
    pub probability: Option<f64>,
}

/// A rule for requests, or a scheduled action
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Affects requests.
    Rule {
        /// Rule.
        rule: Rule,
        /// Schedule.
        schedule: Schedule,
    },
    /// Scheduled.
    Timed {
        /// Action.
        action: Action,
        /// Schedule; requests are irrelevant.
        schedule: Schedule,
        /// Interval; absent means once.
        every: Option<Duration>,
        /// Maximum number of times.
        remaining: Option<u64>,
    },
}

impl From<Rule> for Fault {
    fn from(rule: Rule) -> Self {
        Self::Rule { rule, schedule: Schedule::default() }
    }
}

/// Identifies a rule, for its removal
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u64);
