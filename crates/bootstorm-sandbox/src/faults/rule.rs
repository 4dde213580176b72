//! A rule: which requests, what happens to them, how often, and from when to when.

use std::time::Duration;

use super::action::Action;
use super::effect::Effect;
use super::matching::Match;

/// A match, its effect, and how often it strikes
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which requests.
    pub matching: Match,
    /// What happens to them.
    pub effect: Effect,
    /// How many requests are left to strike; without it, all.
    pub remaining: Option<u64>,
}

/// When a fault is in force
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// How long after it was added it begins.
    pub after: Duration,
    /// How many requests it lets pass before it begins.
    pub after_requests: u64,
    /// How long it lasts from its beginning; without it, for ever.
    pub lasting: Option<Duration>,
    /// The share of requests that it strikes; without it, all.
    pub probability: Option<f64>,
}

/// A rule for requests, or something that happens by the clock
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Strikes requests.
    Rule {
        /// Which, how, how often.
        rule: Rule,
        /// When.
        schedule: Schedule,
    },
    /// Happens by itself.
    Timed {
        /// What.
        action: Action,
        /// When; requests do not matter.
        schedule: Schedule,
        /// The time between two; without it, it happens once.
        every: Option<Duration>,
        /// How many times at most.
        remaining: Option<u64>,
    },
}

impl From<Rule> for Fault {
    fn from(rule: Rule) -> Self {
        Self::Rule { rule, schedule: Schedule::default() }
    }
}

/// Names a rule, to take it back
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u64);
