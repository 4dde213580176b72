//! The action that a run strategy requires in a situation: the table of kubevirt-api.md 2.1 as a function.

use crate::value::Value;

use super::requests::{self, Request};
use super::strategy::Strategy;

/// Action on a machine's instance
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// None.
    Nothing,
    /// Create an instance.
    Create,
    /// Delete the instance; `restart` queues a start afterwards.
    Delete {
        /// Whether a start follows.
        restart: bool,
    },
    /// Set a halted machine to Always first, as required by a paused start.
    TurnOn,
}

/// State of the instance, as far as relevant
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// No instance.
    None,
    /// Starting or running.
    Active,
    /// Powered off.
    Succeeded,
    /// Died.
    Failed,
    /// Being deleted.
    Going,
}

/// Inputs of the decision
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    strategy: Strategy,
    life: Life,
    uid: Option<&'a str>,
    request: Option<Request<'a>>,
    /// Whether the machine has run under this strategy before.
    ran: bool,
}

impl<'a> Situation<'a> {
    /// Derives the situation from a machine and its instance.
    pub fn of(vm: &'a Value, instance: Option<&'a Value>) -> Self {
        let strategy = Strategy::of(vm);
        let life = match instance {
            None => Life::None,
            Some(vmi) if vmi["metadata"].get("deletionTimestamp").is_some() => Life::Going,
            Some(vmi) => match vmi["status"]["phase"].as_str() {
                Some("Succeeded") => Life::Succeeded,
                Some("Failed") => Life::Failed,
                _ => Life::Active,
            },
        };
        Self {
            strategy,
            life,
            uid: instance.and_then(|vmi| vmi["metadata"]["uid"].as_str()),
            request: requests::first(vm),
            ran: vm["status"]["runStrategy"] == strategy.name(),
        }
    }

    fn told_to_stop(&self) -> bool {
        matches!(self.request, Some(Request::Stop(Some(uid))) if Some(uid) == self.uid)
    }
}

/// Makes the decision.
pub fn decide(now: &Situation<'_>) -> Decision {
    let start = now.request == Some(Request::Start);
    let delete = Decision::Delete { restart: false };
    match (now.strategy, now.life) {
        (_, Life::Going) => Decision::Nothing,
        (Strategy::Halted, Life::None) if start => Decision::TurnOn,
        (Strategy::Halted, Life::None) => Decision::Nothing,
        (Strategy::Halted, _) | (Strategy::Always, Life::Succeeded | Life::Failed) => delete,
        (Strategy::Always | Strategy::Once, Life::None) => Decision::Create,
        (Strategy::Manual, Life::None) if start => Decision::Create,
        (Strategy::RerunOnFailure, Life::None) if start || !now.ran => Decision::Create,
        (_, Life::None) => Decision::Nothing,
        (Strategy::RerunOnFailure, Life::Succeeded) => delete,
        (Strategy::RerunOnFailure, Life::Failed) => Decision::Delete { restart: true },
        (Strategy::Once, _) => Decision::Nothing,
        _ if now.told_to_stop() => delete,
        _ => Decision::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn decision(strategy: &str, life: Option<&str>, requests: &Value, ran: bool) -> Decision {
        let vm = json!({
            "spec": {"runStrategy": strategy},
            "status": {"stateChangeRequests": requests, "runStrategy": if ran { strategy } else { "" }},
        });
        let vmi = life.map(|phase| json!({"metadata": {"uid": "u"}, "status": {"phase": phase}}));
        decide(&Situation::of(&vm, vmi.as_ref()))
    }

    #[test]
    fn each_strategy_does_what_its_row_says() {
        let none = json!([]);
        let start = json!([{"action": "Start"}]);
        let stop = json!([{"action": "Stop", "uid": "u"}]);
        let delete = Decision::Delete { restart: false };
        for (strategy, life, requests, ran, expected) in [
            ("Always", None, &none, true, Decision::Create),
            ("Always", Some("Running"), &none, true, Decision::Nothing),
            ("Always", Some("Failed"), &none, true, delete),
            ("Always", Some("Running"), &stop, true, delete),
            ("Halted", None, &none, true, Decision::Nothing),
            ("Halted", None, &start, true, Decision::TurnOn),
            ("Halted", Some("Running"), &none, true, delete),
            ("Manual", None, &none, true, Decision::Nothing),
            ("Manual", None, &start, true, Decision::Create),
            ("Manual", Some("Succeeded"), &none, true, Decision::Nothing),
            ("Manual", Some("Running"), &stop, true, delete),
            ("RerunOnFailure", None, &none, false, Decision::Create),
            ("RerunOnFailure", None, &none, true, Decision::Nothing),
            ("RerunOnFailure", Some("Succeeded"), &none, true, delete),
            ("RerunOnFailure", Some("Failed"), &none, true, Decision::Delete { restart: true }),
            ("Once", None, &none, true, Decision::Create),
            ("Once", Some("Failed"), &none, true, Decision::Nothing),
        ] {
            assert_eq!(decision(strategy, life, requests, ran), expected, "{strategy} {life:?} {requests}");
        }
    }

    #[test]
    fn an_instance_that_is_going_is_left_alone() {
        let vm = json!({"spec": {"runStrategy": "Halted"}});
        let vmi = json!({"metadata": {"uid": "u", "deletionTimestamp": "x"}, "status": {"phase": "Running"}});
        assert_eq!(decide(&Situation::of(&vm, Some(&vmi))), Decision::Nothing);
    }
}
