//! Rules from addition to exhaustion.

use crate::value::json;

use super::*;

const START: Attributes<'_> = Attributes {
    verb: "update",
    group: "subresources.kubevirt.io",
    resource: "virtualmachines/start",
    namespace: "storm-1",
    name: "vm-7",
};

fn cut(schedule: Schedule) -> Fault {
    Fault::Rule { rule: Rule { matching: Match::default(), effect: Effect::Cut, remaining: None }, schedule }
}

fn read_one(value: &Value) -> Fault {
    read(value).unwrap().remove(0)
}

#[test]
fn a_rule_strikes_as_often_as_it_says() {
    let faults = Faults::none();
    let effect = Effect::Answer { code: 500, retry_after: None };
    let matching = Match { name: "vm-*".into(), ..Match::on("update", "virtualmachines/*") };
    faults.add(Rule { matching, effect: effect.clone(), remaining: Some(1) });
    assert_eq!(faults.strike(&Attributes { name: "other", ..START }), []);
    assert_eq!(faults.strike(&START), [effect]);
    assert_eq!(faults.strike(&START), []);
    assert!(faults.is_idle());
}

#[test]
fn a_rule_can_be_taken_back() {
    let faults = Faults::none();
    let id = faults.add(Rule { matching: Match::default(), effect: Effect::Cut, remaining: None });
    assert_eq!(faults.strike(&START), [Effect::Cut]);
    assert!(faults.remove(id) && !faults.remove(id));
    assert_eq!(faults.strike(&START), []);
}

#[test]
fn a_denial_may_be_about_one_namespace() {
    let faults = Faults::none();
    faults.deny("update", "virtualmachines/start", Some("storm-1"));
    assert!(faults.denies(&START));
    assert!(!faults.denies(&Attributes { namespace: "storm-2", ..START }));
}

#[tokio::test(start_paused = true)]
async fn a_window_opens_and_closes() {
    let faults = Faults::none();
    let second = Duration::from_secs(1);
    faults.add(cut(Schedule { after: second * 5, lasting: Some(second * 10), ..Schedule::default() }));
    let matching = json!({"match": {"resource": "virtualmachines/*"}, "effect": "deny", "for": "3s"});
    faults.add(read_one(&matching));
    assert!(faults.strike(&START).is_empty() && faults.denies(&START));
    tokio::time::advance(second * 5).await;
    assert!(faults.strike(&START) == [Effect::Cut] && !faults.denies(&START));
    tokio::time::advance(second * 10).await;
    assert!(faults.strike(&START).is_empty() && faults.is_idle());
}

#[tokio::test(start_paused = true)]
async fn requests_may_open_the_window() {
    let faults = Faults::none();
    let second = Duration::from_secs(1);
    faults.add(cut(Schedule { after_requests: 2, lasting: Some(second), ..Schedule::default() }));
    tokio::time::advance(second * 60).await;
    let struck: Vec<bool> = (0..4).map(|_| !faults.strike(&START).is_empty()).collect();
    assert_eq!(struck, [false, false, true, true]);
    tokio::time::advance(second).await;
    assert!(faults.strike(&START).is_empty());
}

#[test]
fn chance_is_the_same_for_the_same_seed() {
    let struck = |seed: u64| -> Vec<bool> {
        let faults = Faults::seeded(seed);
        faults.add(cut(Schedule { probability: Some(0.3), ..Schedule::default() }));
        (0..200).map(|_| !faults.strike(&START).is_empty()).collect()
    };
    assert_eq!(struck(1), struck(1));
    assert_ne!(struck(1), struck(2));
    let share = struck(1).iter().filter(|struck| **struck).count();
    assert!((40..80).contains(&share), "{share} of 200");
}

#[tokio::test(start_paused = true)]
async fn the_clock_brings_what_is_due() {
    let faults = Faults::none();
    let second = Duration::from_secs(1);
    faults.add(read_one(&json!({"effect": "watch-cut", "after": "2s", "every": "1s", "count": 2})));
    faults.add(read_one(&json!({"effect": "expire", "after": "3s"})));
    let (none, next) = faults.due();
    assert!(none.is_empty() && next == Some(Instant::now() + second * 2));
    tokio::time::advance(second * 2).await;
    assert_eq!(faults.due().0, [Action::CutWatches]);
    tokio::time::advance(second).await;
    assert_eq!(faults.due(), (vec![Action::CutWatches, Action::Expire], None));
}

#[test]
fn labels_are_asked_for_only_where_a_rule_needs_them() {
    let faults = Faults::none();
    faults.add(read_one(&json!({"effect": "cut", "match": {"verb": "get"}})));
    assert!(faults.strike_labelled(&START, &|| panic!("not needed")).is_empty());
    faults.add(read_one(&json!({"effect": "cut", "match": {"role": "target"}})));
    let target = || BTreeMap::from([("bootstorm.dev/role".to_owned(), "target".to_owned())]);
    assert_eq!(faults.strike_labelled(&START, &target), [Effect::Cut]);
    assert!(faults.strike(&START).is_empty());
}
