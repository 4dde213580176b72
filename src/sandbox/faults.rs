//! What goes wrong on purpose: rules the API consults for every request, and permissions it denies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What a request is about, as permissions see it
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attributes<'a> {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'a str,
    /// The API group.
    pub group: &'a str,
    /// The plural, with the subresource: `virtualmachines`, `virtualmachines/start`.
    pub resource: &'a str,
    /// The namespace; empty for cluster-wide requests.
    pub namespace: &'a str,
    /// The object's name; empty for collections.
    pub name: &'a str,
}

/// Which requests a rule is about; an empty pattern fits all, `*` stands for any text
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Match {
    /// The verb.
    pub verb: String,
    /// The plural with the subresource.
    pub resource: String,
    /// The namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Match {
    /// Requests of one verb on one resource.
    pub fn on(verb: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), resource: resource.to_owned(), ..Self::default() }
    }

    fn fits(&self, request: &Attributes<'_>) -> bool {
        fits(&self.verb, request.verb)
            && fits(&self.resource, request.resource)
            && fits(&self.namespace, request.namespace)
            && fits(&self.name, request.name)
    }
}

/// What happens to a request
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It is held for a while before it is served.
    Delay(Duration),
    /// It is answered with an error and does nothing.
    Answer {
        /// The HTTP status code.
        code: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
    },
    /// Its connection is cut before it does anything.
    Cut,
    /// It is carried out, and the connection is cut instead of an answer.
    CutAfter,
}

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

/// Names a rule, to take it back
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(u64);

/// The faults in force, shared between the API and whoever arranges them
#[derive(Debug, Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    cuts: Arc<watch::Sender<u64>>,
    exec_cuts: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    rules: Vec<(RuleId, Rule)>,
    denied: Vec<Match>,
}

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// Puts a rule in force.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut state = self.lock();
        state.next += 1;
        let id = RuleId(state.next);
        state.rules.push((id, rule));
        id
    }

    /// Takes a rule back.
    pub fn remove(&self, id: RuleId) {
        self.lock().rules.retain(|(known, _)| *known != id);
    }

    /// Takes every rule and every denial back.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.rules.clear();
        state.denied.clear();
    }

    /// Denies a permission; without a namespace, in all of them.
    pub fn deny(&self, verb: &str, resource: &str, namespace: Option<&str>) {
        let namespace = namespace.unwrap_or_default().to_owned();
        self.lock().denied.push(Match { namespace, ..Match::on(verb, resource) });
    }

    /// Whether a permission is denied.
    pub fn denies(&self, request: &Attributes<'_>) -> bool {
        self.lock().denied.iter().any(|denied| denied.fits(request))
    }

    /// What strikes this request, in the order the rules were added; counts it.
    pub fn strike(&self, request: &Attributes<'_>) -> Vec<Effect> {
        let mut state = self.lock();
        if state.rules.is_empty() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        for (_, rule) in &mut state.rules {
            if !rule.matching.fits(request) {
                continue;
            }
            effects.push(rule.effect.clone());
            if let Some(remaining) = &mut rule.remaining {
                *remaining = remaining.saturating_sub(1);
            }
        }
        state.rules.retain(|(_, rule)| rule.remaining != Some(0));
        effects
    }

    /// Cuts every watch that is open now.
    pub fn cut_watches(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Tells a watch that it is cut.
    pub fn watch_cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    /// Cuts every exec stream that is open now.
    pub fn cut_execs(&self) {
        self.exec_cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Tells an exec stream that it is cut.
    pub fn exec_cuts(&self) -> watch::Receiver<u64> {
        self.exec_cuts.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        _ if pattern.is_empty() => true,
        None => pattern == text,
        Some((head, "")) => text.starts_with(head),
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Attributes<'_> = Attributes {
        verb: "update",
        group: "subresources.kubevirt.io",
        resource: "virtualmachines/start",
        namespace: "storm-1",
        name: "vm-7",
    };

    #[test]
    fn a_rule_strikes_as_often_as_it_says() {
        let faults = Faults::none();
        let effect = Effect::Answer { code: 500, retry_after: None };
        let matching = Match { name: "vm-*".into(), ..Match::on("update", "virtualmachines/*") };
        faults.add(Rule { matching, effect: effect.clone(), remaining: Some(1) });
        assert_eq!(faults.strike(&Attributes { name: "other", ..START }), []);
        assert_eq!(faults.strike(&START), [effect]);
        assert_eq!(faults.strike(&START), []);
    }

    #[test]
    fn a_rule_can_be_taken_back() {
        let faults = Faults::none();
        let id = faults.add(Rule { matching: Match::default(), effect: Effect::Cut, remaining: None });
        assert_eq!(faults.strike(&START), [Effect::Cut]);
        faults.remove(id);
        assert_eq!(faults.strike(&START), []);
    }

    #[test]
    fn a_denial_may_be_about_one_namespace() {
        let faults = Faults::none();
        faults.deny("update", "virtualmachines/start", Some("storm-1"));
        assert!(faults.denies(&START));
        assert!(!faults.denies(&Attributes { namespace: "storm-2", ..START }));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("a*c", "abc") && fits("*", "") && fits("", "x") && fits("*-3*", "vm-31"));
        assert!(!fits("a*c", "abd") && !fits("a", "ab"));
    }
}
