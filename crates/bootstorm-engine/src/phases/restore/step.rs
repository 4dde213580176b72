//! Next step to restore one adopted VM: derived from its state, so that it can be repeated.

use crate::cluster::machines::{self, Standing};
use crate::cluster::pace::Timed;
use crate::cluster::{ClusterError, adopted};
use bootstorm_model::plan::{Adoptee, Setting, Switch};
use bootstorm_model::record::{PhaseKind, Via, Wish};

/// State of its instance
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Starting.
    Coming,
    /// It runs.
    Running,
    /// Being stopped.
    Going,
    /// Ended; its object still exists.
    Final,
}

/// Request to send
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Its setting, from one value to the other.
    Set(Setting, Setting),
    /// A start.
    Start,
    /// A stop.
    Stop,
}

/// Next step for one VM
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is as it was.
    Done,
    /// It belongs to others now, or is as others want it.
    Left(String),
    /// The request is in progress.
    Wait(String),
    /// A request to send, with a description of what is missing.
    Send(What, String),
}

impl What {
    /// The request for a step.
    pub(super) fn request(self, adoptee: &Adoptee) -> Result<Timed, ClusterError> {
        match self {
            Self::Set(from, to) => adopted::set(&adoptee.target, &adoptee.uid, &from, &to),
            Self::Start => machines::start(&adoptee.target, &adoptee.uid, Via::Subresource),
            Self::Stop => machines::stop(&adoptee.target, &adoptee.uid, Via::Subresource),
        }
    }
}

/// Next step for a VM that the run may have changed.
///
/// `wish` is what the run has done to its power: any other setting was made by others, and so is a VM off that the run
/// never stopped.
pub(super) fn next(adoptee: &Adoptee, wish: Wish, machine: Option<&Standing>, life: Option<Life>) -> Step {
    let left = |why: &str| Step::Left(why.to_owned());
    let Some(machine) = machine else { return left("it no longer exists") };
    if machine.uid() != adoptee.uid {
        return left("it is another VM of the same name, recreated since it was adopted");
    }
    if machine.is_going() {
        return left("it is being deleted");
    }
    let now = machine.setting();
    let changed =
        || Step::Left(format!("somebody changed its run strategy to {now}; it was {}", adoptee.before));
    match adoptee.switch() {
        Switch::Subresource if now != adoptee.before => changed(),
        Switch::Subresource => power(adoptee, wish, machine, life),
        Switch::Setting { .. } if now == adoptee.before => power(adoptee, wish, machine, life),
        Switch::Setting { off, on } => {
            let ours = match wish.last {
                Some(PhaseKind::Stop) => now == off,
                Some(_) => now == on,
                None => wish.stopped && now == off || wish.started && now == on,
            };
            if !ours {
                return changed();
            }
            let why = format!("its run strategy is {now} instead of {}", adoptee.before);
            Step::Send(What::Set(now, adoptee.before.clone()), why)
        }
    }
}

/// Next step for a VM with the right setting.
fn power(adoptee: &Adoptee, wish: Wish, machine: &Standing, life: Option<Life>) -> Step {
    // Always and Halted take effect by themselves.
    let by_itself = matches!(adoptee.before.strategy(), "Always" | "Halted");
    let wait = |why: &str| Step::Wait(why.to_owned());
    match (adoptee.on, life) {
        (true, Some(Life::Running)) | (false, None | Some(Life::Final)) => Step::Done,
        (true, Some(Life::Coming)) => Step::Wait(format!("it does not run yet: {}", machine.complaint())),
        (true, Some(Life::Going)) => wait("it is being stopped, and should run"),
        (true, None | Some(Life::Final)) if by_itself || machine.will_start() => {
            Step::Wait(format!("it does not run yet: {}", machine.complaint()))
        }
        (true, None | Some(Life::Final)) if !wish.stopped && !wish.started => {
            // The VM is read before its instances: it may say Starting by now.
            if machine.rests() {
                Step::Left("it is off, and this run did not stop it".to_owned())
            } else {
                Step::Wait(format!("it does not run yet: {}", machine.complaint()))
            }
        }
        (true, None | Some(Life::Final)) => Step::Send(What::Start, "it is off, and ran before".into()),
        (false, Some(Life::Going)) => wait("it is being stopped"),
        (false, Some(_)) if by_itself || machine.will_stop() => wait("it is being stopped"),
        (false, Some(_)) if !wish.started => Step::Left("it runs, and this run did not start it".to_owned()),
        (false, Some(_)) => Step::Send(What::Stop, "it runs, and was off before".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::machines::Machine;
    use bootstorm_model::plan::Target;
    use serde_json::json;

    fn adoptee(strategy: &str, on: bool) -> Adoptee {
        let target = Target { namespace: "n".into(), name: "vm".into() };
        Adoptee { target, uid: "u".into(), before: Setting::RunStrategy(strategy.into()), on }
    }

    fn machine(uid: &str, strategy: &str, wish: &[&str]) -> Standing {
        let wishes: Vec<_> = wish.iter().map(|action| json!({"action": action})).collect();
        let machine: Machine = serde_json::from_value(json!({
            "metadata": {"name": "vm", "namespace": "n", "uid": uid},
            "spec": {"runStrategy": strategy},
            "status": {"stateChangeRequests": wishes},
        }))
        .unwrap();
        machine.into_standing()
    }

    /// After a stop and a storm, of which `last` is known to have been carried out.
    fn switched(last: Option<PhaseKind>) -> Wish {
        let started = last != Some(PhaseKind::Stop);
        Wish { touched: true, last, stopped: true, started, carried_out: last }
    }

    fn word(before: (&str, bool), wish: Wish, now: &Standing, life: Option<Life>) -> String {
        match next(&adoptee(before.0, before.1), wish, Some(now), life) {
            Step::Done => "done".into(),
            Step::Left(_) => "left".into(),
            Step::Wait(_) => "wait".into(),
            Step::Send(What::Set(_, to), _) => format!("set {to}"),
            Step::Send(What::Start, _) => "start".into(),
            Step::Send(What::Stop, _) => "stop".into(),
        }
    }

    #[test]
    fn every_strategy_finds_its_way_back() {
        use Life::{Coming, Final, Going, Running};
        use PhaseKind::{Stop, Storm};
        let is = |strategy| machine("u", strategy, &[]);
        for (before, last, now, life, expected) in [
            (("Always", true), Some(Stop), is("Halted"), None, "set Always"),
            (("Always", true), None, is("Halted"), Some(Running), "set Always"),
            (("Always", true), Some(Storm), is("Always"), Some(Running), "done"),
            (("Always", true), Some(Storm), is("Always"), Some(Coming), "wait"),
            (("Always", true), Some(Stop), is("Always"), None, "wait"),
            (("Always", true), Some(Storm), is("Halted"), None, "left"),
            (("Always", true), Some(Stop), is("Manual"), None, "left"),
            (("RerunOnFailure", true), Some(Stop), is("Halted"), None, "set RerunOnFailure"),
            (("RerunOnFailure", true), Some(Storm), is("RerunOnFailure"), None, "start"),
            (("RerunOnFailure", false), Some(Storm), is("RerunOnFailure"), Some(Running), "stop"),
            (("Manual", true), Some(Stop), is("Manual"), None, "start"),
            (("Manual", true), Some(Stop), machine("u", "Manual", &["Start"]), None, "wait"),
            (("Manual", true), Some(Stop), is("Manual"), Some(Going), "wait"),
            (("Manual", true), Some(Stop), is("Always"), Some(Running), "left"),
            (("Manual", false), Some(Storm), is("Manual"), Some(Running), "stop"),
            (("Manual", false), Some(Storm), is("Manual"), Some(Final), "done"),
            (("Halted", false), Some(Storm), is("Always"), Some(Running), "set Halted"),
            (("Halted", false), Some(Storm), is("Halted"), Some(Running), "wait"),
            (("Halted", false), Some(Storm), is("Halted"), None, "done"),
            (("Always", true), Some(Stop), machine("another", "Halted", &[]), None, "left"),
        ] {
            let found = word(before, switched(last), &now, life);
            assert_eq!(found, expected, "{before:?} {last:?} {life:?} {now:?}");
        }
        assert!(matches!(next(&adoptee("Always", true), switched(None), None, None), Step::Left(_)));
    }

    #[test]
    fn a_vm_that_was_only_restarted_or_moved_is_not_switched() {
        use Life::{Final, Going, Running};
        let only_moved = Wish { touched: true, ..Wish::default() };
        let stopped = |strategy, wish: &[&str]| {
            let wishes: Vec<_> = wish.iter().map(|action| json!({"action": action})).collect();
            let machine: Machine = serde_json::from_value(json!({
                "metadata": {"name": "vm", "namespace": "n", "uid": "u"},
                "spec": {"runStrategy": strategy},
                "status": {"printableStatus": "Stopped", "stateChangeRequests": wishes},
            }))
            .unwrap();
            machine.into_standing()
        };
        for (before, now, life, expected) in [
            (("Always", true), stopped("Halted", &[]), None, "left"),
            (("Always", true), stopped("Halted", &[]), Some(Going), "left"),
            (("Always", true), stopped("Always", &[]), None, "wait"),
            (("Manual", true), stopped("Manual", &[]), None, "left"),
            (("Manual", true), stopped("Manual", &[]), Some(Final), "left"),
            (("Manual", true), stopped("Manual", &["Stop", "Start"]), Some(Final), "wait"),
            (("Manual", true), machine("u", "Manual", &[]), None, "wait"),
            (("RerunOnFailure", true), stopped("RerunOnFailure", &[]), None, "left"),
            (("RerunOnFailure", true), stopped("Halted", &[]), None, "left"),
            (("Halted", false), machine("u", "Always", &[]), Some(Running), "left"),
            (("Manual", false), machine("u", "Manual", &[]), Some(Running), "left"),
        ] {
            assert_eq!(word(before, only_moved, &now, life), expected, "{before:?} {life:?} {now:?}");
        }
    }
}
