//! Words of the faults, and the settings of each.

use std::time::Duration;

use super::action::{Action, PowerCut};
use super::effect::{Effect, Refusal};
use super::entry::Entry;
use super::writer::{SecondWriter, What};

/// Default downtime of a restarting API server.
const RESTART: Duration = Duration::from_secs(2);
/// Default duration of an outage.
const OUTAGE: Duration = Duration::from_secs(10);

/// Default duration of a power cut.
const POWER_CUT: Duration = Duration::from_secs(30);
/// Default time between the return of one node and the next.
const BACK_ONE_BY_ONE: Duration = Duration::from_secs(5);

/// A word, and the settings specific to it
pub(super) struct Word {
    pub(super) name: &'static str,
    pub(super) settings: &'static [&'static str],
    /// Whether it is an action, with or without a request.
    pub(super) action: bool,
}

const fn effect(word: &'static str, settings: &'static [&'static str]) -> Word {
    Word { name: word, settings, action: false }
}

const fn act(word: &'static str, settings: &'static [&'static str]) -> Word {
    Word { name: word, settings, action: true }
}

/// Every word.
pub(super) const WORDS: [Word; 18] = [
    effect("delay", &["delay"]),
    effect("answer", &["code", "retryAfter", "reason", "message"]),
    effect("throttled", &["retryAfter", "message"]),
    effect("conflict", &["message"]),
    effect("patch-race", &[]),
    effect("cut", &[]),
    effect("cut-after", &[]),
    effect("hang", &[]),
    effect("truncate", &[]),
    effect("deny", &[]),
    act("watch-cut", &[]),
    act("exec-cut", &[]),
    act("expire", &[]),
    act("outage", &[]),
    act("restart", &[]),
    act("power-cut", &["nodes", "apart"]),
    act("unauthorized", &[]),
    act("second-writer", &["what"]),
];

/// The words in one line.
pub(super) fn known() -> String {
    WORDS.map(|word| word.name).join(", ")
}

/// The effect of a word, with the settings of its entry.
pub(super) fn effect_of(entry: &Entry) -> Result<Effect, String> {
    let refuse = |code: u16| {
        Effect::Refuse(Refusal {
            code,
            retry_after: entry.retry_after,
            reason: entry.reason.clone(),
            message: entry.message.clone(),
        })
    };
    Ok(match entry.effect.as_str() {
        "delay" => Effect::Delay(entry.delay.ok_or("delay needs a delay, such as delay: 200ms")?.0),
        "answer" => match entry.code.ok_or("answer needs a code, such as code: 503")? {
            code @ 400..=599 => refuse(code),
            code => return Err(format!("code {code} is not an error; an error is between 400 and 599")),
        },
        "throttled" => refuse(429),
        "conflict" => refuse(409),
        "patch-race" => Effect::PatchRace,
        "cut" => Effect::Cut,
        "cut-after" => Effect::CutAfter,
        "hang" => Effect::Hang,
        "truncate" => Effect::Truncate,
        "deny" => Effect::Deny,
        "second-writer" => {
            let what = entry
                .what
                .as_deref()
                .ok_or_else(|| format!("second-writer needs a what: {}", What::known()))?;
            let writer = SecondWriter { what: what.parse()?, matching: entry.matching() };
            Effect::Act(Action::Write(writer))
        }
        "power-cut" => Effect::Act(power_cut(
            entry.nodes.clone(),
            entry.lasting.map(|lasting| lasting.0),
            entry.apart.map(|apart| apart.0),
        )),
        word => Effect::Act(action(word, entry.lasting.map(|lasting| lasting.0))?),
    })
}

/// The action of a word; `lasting` is for those with a duration.
///
/// Fails with the known words.
pub fn action(word: &str, lasting: Option<Duration>) -> Result<Action, String> {
    Ok(match word {
        "watch-cut" => Action::CutWatches,
        "exec-cut" => Action::CutExecs,
        "expire" => Action::Expire,
        "outage" => Action::Outage(lasting.unwrap_or(OUTAGE)),
        "restart" => Action::Restart(lasting.unwrap_or(RESTART)),
        "power-cut" => power_cut(Vec::new(), lasting, None),
        "unauthorized" => Action::Rotate,
        other => {
            let known = "watch-cut, exec-cut, expire, outage, restart, power-cut, unauthorized";
            return Err(format!("\"{other}\" cannot be injected at once; known: {known}"));
        }
    })
}

/// A power cut, with defaults for missing settings.
pub(super) fn power_cut(nodes: Vec<String>, lasting: Option<Duration>, apart: Option<Duration>) -> Action {
    Action::PowerCut(PowerCut {
        nodes,
        lasting: lasting.unwrap_or(POWER_CUT),
        apart: apart.unwrap_or(BACK_ONE_BY_ONE),
    })
}

impl Effect {
    /// Word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Answer { .. } | Self::Refuse(_) => "answer",
            Self::PatchRace => "patch-race",
            Self::Cut => "cut",
            Self::CutAfter => "cut-after",
            Self::Hang => "hang",
            Self::Truncate => "truncate",
            Self::Deny => "deny",
            Self::Act(action) => action.word(),
        }
    }
}

impl Action {
    /// Word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::CutWatches => "watch-cut",
            Self::CutExecs => "exec-cut",
            Self::Expire => "expire",
            Self::Outage(_) => "outage",
            Self::Restart(_) => "restart",
            Self::PowerCut(_) => "power-cut",
            Self::Rotate => "unauthorized",
            Self::Write(_) => "second-writer",
        }
    }
}
