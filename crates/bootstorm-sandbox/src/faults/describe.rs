//! The faults in force, as data.

use crate::value::{Value, json};
use tokio::time::Instant;

use super::action::Action;
use super::effect::{Effect, Refusal};
use super::matching::Match;
use super::rule::Schedule;
use super::state::{Arranged, State, Timed};

/// Everything in force or scheduled.
pub(super) fn all(state: &State, now: Instant) -> Value {
    let rules = state.rules.iter().filter(|rule| !rule.is_over(now)).map(of_rule);
    let faults: Vec<Value> = rules.chain(state.timed.iter().map(of_timed)).collect();
    let denied: Vec<Value> = state.denied.iter().map(of_match).collect();
    json!({"faults": faults, "denied": denied})
}

fn of_rule(arranged: &Arranged) -> Value {
    let rule = &arranged.rule;
    let mut line = json!({"id": arranged.id.0, "effect": rule.effect.word(), "struck": arranged.struck});
    put(&mut line, "match", (rule.matching != Match::default()).then(|| of_match(&rule.matching)));
    put(&mut line, "count", rule.remaining.map(|left| json!(left)));
    settings(&mut line, &rule.effect);
    times(&mut line, &arranged.schedule);
    line
}

fn of_timed(timed: &Timed) -> Value {
    let mut line = json!({"id": timed.id.0, "effect": timed.action.word(), "struck": timed.done});
    put(&mut line, "count", timed.remaining.map(|left| json!(left)));
    put(&mut line, "every", timed.every.map(|every| json!(every.as_secs_f64())));
    settings(&mut line, &Effect::Act(timed.action.clone()));
    if let Action::Write(writer) = &timed.action
        && writer.matching != Match::default()
    {
        line["match"] = of_match(&writer.matching);
    }
    times(&mut line, &timed.schedule);
    line
}

/// Settings of the effect itself, times in seconds.
fn settings(line: &mut Value, effect: &Effect) {
    match effect {
        Effect::Delay(time) => line["delay"] = json!(time.as_secs_f64()),
        Effect::Answer { code, retry_after } => {
            line["code"] = json!(code);
            put(line, "retryAfter", retry_after.map(|seconds| json!(seconds)));
        }
        Effect::Refuse(Refusal { code, retry_after, reason, message }) => {
            line["code"] = json!(code);
            put(line, "retryAfter", retry_after.map(|seconds| json!(seconds)));
            put(line, "reason", reason.as_ref().map(|text| json!(text)));
            put(line, "message", message.as_ref().map(|text| json!(text)));
        }
        Effect::Act(Action::Outage(time) | Action::Restart(time)) => line["for"] = json!(time.as_secs_f64()),
        Effect::Act(Action::PowerCut(cut)) => {
            line["for"] = json!(cut.lasting.as_secs_f64());
            line["apart"] = json!(cut.apart.as_secs_f64());
            put(line, "nodes", (!cut.nodes.is_empty()).then(|| json!(cut.nodes)));
        }
        Effect::Act(Action::Write(writer)) => line["what"] = json!(writer.what.word()),
        _ => {}
    }
}

fn times(line: &mut Value, schedule: &Schedule) {
    put(line, "after", (!schedule.after.is_zero()).then(|| json!(schedule.after.as_secs_f64())));
    put(line, "afterRequests", (schedule.after_requests > 0).then(|| json!(schedule.after_requests)));
    put(line, "for", schedule.lasting.map(|time| json!(time.as_secs_f64())));
    put(line, "probability", schedule.probability.map(|share| json!(share)));
}

fn of_match(matching: &Match) -> Value {
    let mut line = json!({});
    let Match { verb, resource, namespace, name, labels } = matching;
    for (key, text) in [("verb", verb), ("resource", resource), ("namespace", namespace), ("name", name)] {
        put(&mut line, key, (!text.is_empty()).then(|| json!(text)));
    }
    put(&mut line, "labels", (!labels.is_empty()).then(|| json!(labels)));
    line
}

fn put(line: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        line[key] = value;
    }
}

#[cfg(test)]
mod tests {
    use crate::faults::{Faults, read};

    use super::*;

    #[test]
    fn what_is_listed_can_be_read_again() {
        let written = json!([
            {"effect": "answer", "code": 503, "retryAfter": 1, "reason": "Busy", "message": "no", "count": 2,
             "match": {"verb": "get", "labels": {"a": "b"}}, "after": 1.5, "for": 2.0, "probability": 0.5},
            {"effect": "delay", "delay": 0.25, "afterRequests": 3},
            {"effect": "restart", "after": 1.0, "for": 2.0},
            {"effect": "second-writer", "what": "flip", "every": 0.5, "match": {"name": "vm-*"}},
        ]);
        let faults = Faults::none();
        for fault in read(&written).unwrap() {
            faults.add(fault);
        }
        let mut listed = faults.list()["faults"].clone();
        for (number, line) in (1..).zip(listed.as_array_mut().unwrap()) {
            let line = line.as_object_mut().unwrap();
            assert_eq!((line.remove("id"), line.remove("struck")), (Some(json!(number)), Some(json!(0))));
        }
        assert_eq!(listed, written);
    }
}
