//! Adopted VMs in a timed phase: eligibility, requests, and whether these were carried out.

use std::collections::HashSet;

use crate::cluster::machines::{self, Standing};
use crate::cluster::pace::Timed;
use crate::cluster::{ClusterError, adopted};
use bootstorm_model::observe::{Change, InstancePhase};
use bootstorm_model::plan::{Adoptee, Switch, Target};
use bootstorm_model::record::{PhaseKind, Via, Wish};

/// Reason for leaving alone a VM that ran when it was adopted.
const STOPPED: &str = "somebody stopped it since it was adopted";
/// Reason for leaving alone a VM that was off when it was adopted.
const STARTED: &str = "somebody started it since it was adopted";
/// Addition for a VM whose setting leaves it off after its guest has shut down.
const OR_SHUT_DOWN: &str = ", or its guest shut down";

/// The VMs with an instance that has not ended.
pub(super) fn alive(instances: &[Change]) -> HashSet<Target> {
    let target = |change: &Change| match change {
        Change::Present(instance)
            if !matches!(instance.phase, InstancePhase::Succeeded | InstancePhase::Failed) =>
        {
            Some(instance.target.clone())
        }
        _ => None,
    };
    instances.iter().filter_map(target).collect()
}

/// Whether a stop changes the setting of a VM without a running instance: it is still set to run, and would start again.
fn will_be_switched_off(adoptee: &Adoptee, machine: &Standing) -> bool {
    matches!(adoptee.switch(), Switch::Setting { on, .. } if machine.setting() == on)
}

/// Whether a VM is off, so that there is nothing to stop; with run strategy Manual or Once, its last instance may stay.
pub(super) fn is_off(adoptee: &Adoptee, machine: &Standing, alive: bool) -> bool {
    !alive && !will_be_switched_off(adoptee, machine)
}

/// Reason why a VM is not the one that was adopted, or is being deleted; `None` if neither.
pub(super) fn stranger(adoptee: &Adoptee, machine: Option<&Standing>) -> Option<String> {
    let Some(machine) = machine else { return Some("the VM no longer exists".into()) };
    if machine.uid() != adoptee.uid {
        return Some("it is another VM of the same name: it was recreated since it was adopted".into());
    }
    machine.is_going().then(|| "the VM is being deleted".into())
}

/// Reason why a stop or a start would undo what others did to a VM since it was adopted; `None` if it would not.
///
/// A VM that the run has stopped is off because of that; one that it has started is on because of that.
fn meddled(
    adoptee: &Adoptee,
    machine: &Standing,
    wish: Wish,
    kind: PhaseKind,
    alive: bool,
) -> Option<String> {
    if adoptee.on && !wish.has_stopped() {
        return match adoptee.switch() {
            Switch::Setting { off, .. } if machine.setting() == off => Some(STOPPED.to_owned()),
            Switch::Subresource if machine.will_stop() => Some(STOPPED.to_owned()),
            Switch::Subresource if !alive && !machine.will_start() => {
                Some(format!("{STOPPED}{OR_SHUT_DOWN}"))
            }
            _ => None,
        };
    }
    let on = match adoptee.switch() {
        Switch::Setting { on, .. } => machine.setting() == on,
        Switch::Subresource => alive,
    };
    (kind == PhaseKind::Stop && !adoptee.on && !wish.started && on).then(|| STARTED.to_owned())
}

/// Reason for leaving alone a VM whose template was changed beside its running instance.
pub(super) fn would_differ(condition: &str) -> String {
    format!("a change of its template waits for a restart ({condition}): it would return as a different VM")
}

/// The same reason, if a new instance of a running VM would differ from this one.
pub(super) fn changed(machine: &Standing) -> Option<String> {
    machine.pending_change().map(would_differ)
}

/// Reason why a VM is not eligible for a phase; `None` if it is.
///
/// `wish` is what the run has done to it so far.
pub(super) fn obstacle(
    adoptee: &Adoptee,
    machine: Option<&Standing>,
    wish: Wish,
    kind: PhaseKind,
    alive: bool,
) -> Option<String> {
    if let Some(stranger) = stranger(adoptee, machine) {
        return Some(stranger);
    }
    let machine = machine?;
    let now = machine.setting();
    let set = || Some(format!("somebody changed its run strategy to {now} since it was adopted"));
    match adoptee.switch() {
        Switch::Subresource if now != adoptee.before => return set(),
        Switch::Setting { off, on } if now != on && now != off => return set(),
        _ => {}
    }
    if let Some(meddled) = meddled(adoptee, machine, wish, kind, alive) {
        return Some(meddled);
    }
    if kind == PhaseKind::Stop
        && alive
        && let Some(changed) = changed(machine)
    {
        return Some(changed);
    }
    match adoptee.switch() {
        Switch::Setting { off, .. } if kind == PhaseKind::Storm && now != off => {
            return Some(format!("it was not stopped: its run strategy is {now}"));
        }
        _ => {}
    }
    (kind == PhaseKind::Storm && alive).then(|| "it was not stopped: its instance still exists".into())
}

/// The request for a VM that takes part.
///
/// A VM to be stopped that is off already is only checked: that changes nothing, and shows that it is still the same
/// VM.
pub(super) fn request(
    adoptee: &Adoptee,
    machine: &Standing,
    kind: PhaseKind,
    via: Via,
    alive: bool,
) -> Result<Timed, ClusterError> {
    let (target, uid) = (&adoptee.target, &adoptee.uid);
    let (now, stops) = (machine.setting(), kind == PhaseKind::Stop);
    let subresource = || {
        if stops {
            machines::stop(target, uid, Via::Subresource)
        } else {
            machines::start(target, uid, Via::Subresource)
        }
    };
    match adoptee.switch() {
        Switch::Setting { off, on } if stops && !alive && will_be_switched_off(adoptee, machine) => {
            adopted::set(target, uid, &on, &off)
        }
        _ if stops && !alive => adopted::set(target, uid, &now, &now),
        Switch::Subresource => subresource(),
        Switch::Setting { off, on } => {
            let (from, to) = if stops { (on, off) } else { (off, on) };
            if now == to {
                adopted::set(target, uid, &to, &to)
            } else if via == Via::Subresource && adoptee.may_use_subresource() {
                subresource()
            } else {
                adopted::set(target, uid, &from, &to)
            }
        }
    }
}

/// Whether the state of a VM shows that the phase's request was carried out.
pub(super) fn is_carried_out(adoptee: &Adoptee, machine: &Standing, kind: PhaseKind, alive: bool) -> bool {
    let stops = kind == PhaseKind::Stop;
    match adoptee.switch() {
        Switch::Setting { off, on } => machine.setting() == if stops { off } else { on },
        Switch::Subresource if stops => !alive || machine.will_stop(),
        Switch::Subresource => alive || machine.will_start(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::machines::Machine;
    use bootstorm_model::plan::Setting;
    use serde_json::json;

    fn machine(strategy: &str, requests: &[&str]) -> Standing {
        let requests: Vec<_> = requests.iter().map(|action| json!({"action": action})).collect();
        let machine: Machine = serde_json::from_value(json!({
            "metadata": {"name": "vm", "namespace": "n", "uid": "u"},
            "spec": {"runStrategy": strategy},
            "status": {"stateChangeRequests": requests},
        }))
        .unwrap();
        machine.into_standing()
    }

    #[test]
    fn what_others_stopped_or_started_is_neither_started_nor_stopped() {
        use PhaseKind::{Stop, Storm};
        let untouched = Wish::default();
        let by_us = Wish { touched: true, stopped: true, carried_out: Some(Stop), ..Wish::default() };
        let stormed = Wish { started: true, carried_out: Some(Storm), ..by_us };
        let (stopped, started) = (Some("stopped"), Some("started"));
        for (before, kind, wish, now, alive, expected) in [
            (("Always", true), Stop, untouched, machine("Halted", &[]), false, stopped),
            (("Always", true), Stop, untouched, machine("Halted", &[]), true, stopped),
            (("Always", true), Stop, untouched, machine("Always", &[]), true, None),
            (("Always", true), Stop, untouched, machine("Always", &[]), false, None),
            (("Always", true), Storm, untouched, machine("Halted", &[]), false, stopped),
            (("Always", true), Storm, by_us, machine("Halted", &[]), false, None),
            (("Always", true), Stop, stormed, machine("Halted", &[]), false, stopped),
            (("Always", true), Storm, stormed, machine("Halted", &[]), false, stopped),
            (("RerunOnFailure", true), Storm, untouched, machine("Halted", &[]), false, stopped),
            (("Manual", true), Stop, untouched, machine("Manual", &[]), false, stopped),
            (("Manual", true), Stop, untouched, machine("Manual", &["Stop"]), true, stopped),
            (("Manual", true), Stop, untouched, machine("Manual", &["Stop", "Start"]), true, None),
            (("Manual", true), Stop, untouched, machine("Manual", &[]), true, None),
            (("Manual", true), Storm, by_us, machine("Manual", &[]), false, None),
            (("Manual", true), Storm, stormed, machine("Manual", &[]), false, stopped),
            (("Halted", false), Stop, untouched, machine("Always", &[]), true, started),
            (("Halted", false), Stop, stormed, machine("Always", &[]), true, None),
            (("Halted", false), Storm, untouched, machine("Halted", &[]), false, None),
            (("Manual", false), Stop, untouched, machine("Manual", &[]), true, started),
            (("Manual", false), Storm, untouched, machine("Manual", &[]), false, None),
        ] {
            let target = Target { namespace: "n".into(), name: "vm".into() };
            let setting = Setting::RunStrategy(before.0.into());
            let adoptee = Adoptee { target, uid: "u".into(), before: setting, on: before.1 };
            let why = obstacle(&adoptee, Some(&now), wish, kind, alive);
            let fits = match (&why, expected) {
                (Some(why), Some(word)) => why.starts_with(&format!("somebody {word} it")),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{before:?} {kind:?} {wish:?} {now:?} {alive}: {why:?}");
        }
    }
}
