//! Parsing of faults.

use std::time::Duration;

use crate::value::Value;
use thiserror::Error;

use super::effect::Effect;
use super::entry::Entry;
use super::matching::Match;
use super::rule::{Fault, Rule, Schedule};
use super::words::{self, WORDS, Word};
use crate::store::kind;
use crate::yaml;

/// Verbs of requests.
const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
/// Subresources that are served.
const SUBRESOURCES: [&str; 6] = ["status", "exec", "eviction", "start", "stop", "restart"];

/// An invalid entry
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("fault {number}: {why}")]
pub struct WrongEntry {
    /// Its place in the list, from 1.
    pub number: usize,
    /// Error.
    pub why: String,
}

/// Reads faults from YAML or JSON.
///
/// Fails with the invalid entry and the alternatives.
pub fn read_text(text: &str) -> Result<Vec<Fault>, WrongEntry> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return read(&value);
    }
    let value: Value =
        serde_saphyr::from_str(text).map_err(|error| WrongEntry { number: 1, why: yaml::fault(&error) })?;
    read(&value)
}

/// Reads faults: one entry, a list of entries, or a list below `faults`.
///
/// Fails with the invalid entry and the alternatives.
pub fn read(value: &Value) -> Result<Vec<Fault>, WrongEntry> {
    let list = match value.get("faults") {
        Some(list) => {
            if let Some(other) = value.as_object().and_then(|map| map.keys().find(|key| *key != "faults")) {
                let why = format!("\"{other}\" is not expected beside faults");
                return Err(WrongEntry { number: 1, why });
            }
            list
        }
        None => value,
    };
    let entries = match list {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    let one = |(number, value): (usize, &Value)| {
        let wrong = |why: String| WrongEntry { number, why };
        let entry: Entry =
            serde_json::from_value(value.clone().into()).map_err(|error| wrong(error.to_string()))?;
        entry.fault(value).map_err(wrong)
    };
    (1..).zip(entries).map(one).collect()
}

impl Entry {
    fn fault(&self, written: &Value) -> Result<Fault, String> {
        let found = WORDS.iter().find(|word| word.name == self.effect);
        let word =
            found.ok_or_else(|| format!("unknown effect \"{}\"; known: {}", self.effect, words::known()))?;
        check_settings(word, written)?;
        let matching = self.matching();
        check_match(&matching)?;
        if self.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err("probability lies between 0 and 1".to_owned());
        }
        if word.name == "deny" && !matching.labels.is_empty() {
            return Err("role and labels do not apply to deny: permissions ignore them".to_owned());
        }
        if self.count == Some(0) {
            return Err("count is at least 1".to_owned());
        }
        let effect = words::effect_of(self)?;
        // An outage lasts for its time; every other fault is in force for it.
        let lasts = matches!(word.name, "outage" | "restart" | "power-cut");
        let schedule = Schedule {
            after: self.after.map(|time| time.0).unwrap_or_default(),
            after_requests: self.after_requests.unwrap_or_default(),
            lasting: self.lasting.filter(|_| !lasts).map(|time| time.0),
            probability: self.probability,
        };
        match effect {
            Effect::Act(action) if self.is_timed(word, &matching) => {
                if self.after_requests.is_some() || self.probability.is_some() {
                    return Err("afterRequests and probability refer to requests, every does not".to_owned());
                }
                let every = self.every.map(|time| time.0);
                if every.is_some_and(|every| every < Duration::from_millis(1)) {
                    return Err("every is at least 1ms".to_owned());
                }
                Ok(Fault::Timed { action, schedule, every, remaining: self.count })
            }
            _ if self.every.is_some() => Err(format!("every does not apply to {} with a match", word.name)),
            effect => Ok(Fault::Rule { rule: Rule { matching, effect, remaining: self.count }, schedule }),
        }
    }

    /// Whether it is scheduled. A second writer matches objects, unless it names a verb.
    fn is_timed(&self, word: &Word, matching: &Match) -> bool {
        let requests = self.after_requests.is_some() || !matching.verb.is_empty();
        match word.name {
            "second-writer" => !requests,
            _ => !requests && *matching == Match::default(),
        }
    }
}

fn check_settings(word: &Word, written: &Value) -> Result<(), String> {
    let special = ["delay", "code", "retryAfter", "reason", "message", "what", "nodes", "apart"];
    let given = |setting: &str| written.get(setting).is_some_and(|value| !value.is_null());
    if let Some(stray) = special.iter().find(|setting| given(setting) && !word.settings.contains(setting)) {
        let owners: Vec<&str> =
            WORDS.iter().filter(|word| word.settings.contains(stray)).map(|word| word.name).collect();
        return Err(format!("{stray} does not apply to {}; it belongs to {}", word.name, owners.join(", ")));
    }
    if given("every") && !word.action {
        return Err(format!("every does not apply to {}, which waits for requests", word.name));
    }
    let counted = ["count", "probability", "afterRequests"].into_iter().find(|setting| given(setting));
    match counted.filter(|_| word.name == "deny") {
        Some(counted) => Err(format!("{counted} does not apply to deny: a permission exists or not")),
        None => Ok(()),
    }
}

/// Rejects a match that no request can satisfy.
fn check_match(matching: &Match) -> Result<(), String> {
    let plain = |pattern: &str| -> Vec<String> {
        let parts = pattern.split('|').filter(|part| !part.is_empty() && !part.contains('*'));
        parts.map(str::to_owned).collect()
    };
    if let Some(verb) = plain(&matching.verb).into_iter().find(|verb| !VERBS.contains(&verb.as_str())) {
        return Err(format!("unknown verb \"{verb}\"; known: {}", VERBS.join(", ")));
    }
    for resource in plain(&matching.resource) {
        let (plural, subresource) = match resource.split_once('/') {
            Some((plural, subresource)) => (plural, Some(subresource)),
            None => (resource.as_str(), None),
        };
        if !kind::all().iter().any(|kind| kind.plural == plural) {
            let known: Vec<&str> = kind::all().iter().map(|kind| kind.plural).collect();
            return Err(format!("unknown resource \"{plural}\"; known: {}", known.join(", ")));
        }
        if let Some(unknown) = subresource.filter(|name| !SUBRESOURCES.contains(name)) {
            return Err(format!("unknown subresource \"{unknown}\"; known: {}", SUBRESOURCES.join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::value::json;

    use super::super::matching::ROLE;
    use super::*;
    use crate::faults::{Action, Refusal};

    fn wrong(value: &Value) -> String {
        read(value).unwrap_err().to_string()
    }

    #[test]
    fn an_entry_becomes_a_rule() {
        let text = "
faults:
- match: {verb: patch, resource: virtualmachines, namespace: 'storm-*', role: target}
  effect: answer
  code: 429
  retryAfter: 2
  message: \"\\e[31mred\\a\"
  after: 1m30s
  for: 0.5
  count: 3
  probability: 0.25
- effect: outage
  after: 10
  for: 5s
";
        let faults = read_text(text).unwrap();
        let Fault::Rule { rule, schedule } = &faults[0] else { panic!("{faults:?}") };
        assert_eq!((rule.matching.verb.as_str(), rule.matching.labels[ROLE].as_str()), ("patch", "target"));
        let message = Some("\u{1b}[31mred\u{7}".to_owned());
        let refusal = Refusal { code: 429, retry_after: Some(2), reason: None, message };
        assert_eq!((&rule.effect, rule.remaining), (&Effect::Refuse(refusal), Some(3)));
        let expected = Schedule {
            after: Duration::from_secs(90),
            after_requests: 0,
            lasting: Some(Duration::from_millis(500)),
            probability: Some(0.25),
        };
        assert_eq!(*schedule, expected);
        let outage = Fault::Timed {
            action: Action::Outage(Duration::from_secs(5)),
            schedule: Schedule { after: Duration::from_secs(10), ..Schedule::default() },
            every: None,
            remaining: None,
        };
        assert_eq!(faults[1], outage);
    }

    #[test]
    fn every_word_can_be_written() {
        for word in &WORDS {
            let mut entry = json!({"effect": word.name});
            let values = json!({"delay": "1s", "code": 500, "what": "annotate"});
            for setting in word.settings {
                if let Some(value) = values.get(*setting) {
                    entry[*setting] = value.clone();
                }
            }
            let faults = read(&entry).unwrap();
            assert_eq!(matches!(faults[0], Fault::Timed { .. }), word.action, "{}", word.name);
        }
    }

    #[test]
    fn a_match_or_a_count_of_requests_makes_an_action_wait_for_them() {
        let waits = |entry: Value| matches!(read(&entry).unwrap()[0], Fault::Rule { .. });
        assert!(waits(json!({"effect": "restart", "afterRequests": 10})));
        assert!(waits(json!({"effect": "restart", "match": {"resource": "pods"}})));
        assert!(waits(json!({"effect": "second-writer", "what": "annotate", "match": {"verb": "patch"}})));
        assert!(!waits(json!({"effect": "second-writer", "what": "annotate", "match": {"name": "a"}})));
    }

    #[test]
    fn mistakes_are_told_with_what_is_known() {
        let effect = wrong(&json!([{"effect": "cut"}, {"effect": "explode"}]));
        assert!(effect.starts_with("fault 2: unknown effect \"explode\"; known: delay, answer,"), "{effect}");
        let verb = wrong(&json!({"effect": "cut", "match": {"verb": "get|fetch"}}));
        assert!(verb.contains("unknown verb \"fetch\"; known: get, list"), "{verb}");
        let resource = wrong(&json!({"effect": "cut", "match": {"resource": "vms"}}));
        assert!(resource.contains("unknown resource \"vms\"; known: configmaps"), "{resource}");
        let subresource = wrong(&json!({"effect": "cut", "match": {"resource": "pods/log"}}));
        assert!(subresource.contains("unknown subresource \"log\""), "{subresource}");
        let field = wrong(&json!({"effect": "cut", "prob": 1}));
        assert!(field.contains("unknown field `prob`, expected one of"), "{field}");
        let stray = wrong(&json!({"effect": "cut", "code": 500}));
        assert!(stray.contains("code does not apply to cut; it belongs to answer"), "{stray}");
        let time = wrong(&json!({"effect": "delay", "delay": "soon"}));
        assert!(time.contains("\"soon\" is not a duration; write it like 90s"), "{time}");
        assert!(wrong(&json!({"effect": "delay"})).contains("delay needs a delay"));
        assert!(wrong(&json!({"effect": "answer", "code": 200})).contains("200 is not an error"));
        assert!(wrong(&json!({"effect": "cut", "probability": 2})).contains("between 0 and 1"));
        assert!(wrong(&json!({"effect": "cut", "every": 2})).contains("waits for requests"));
        assert!(wrong(&json!({"effect": "deny", "count": 2})).contains("count does not apply to deny"));
        assert!(
            wrong(&json!({"effect": "deny", "match": {"role": "target"}})).contains("do not apply to deny")
        );
        assert!(wrong(&json!({"effect": "second-writer", "what": "sing"})).contains("known: annotate"));
        assert!(wrong(&json!({"faults": [], "seed": 1})).contains("\"seed\" is not expected beside faults"));
        assert!(read_text("- effect: [").is_err());
    }
}
