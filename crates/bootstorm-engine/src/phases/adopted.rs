//! Adopted VMs in a timed phase: eligibility, requests, and whether these were carried out.

use std::collections::HashSet;

use crate::cluster::machines::{self, Standing};
use crate::cluster::pace::Timed;
use crate::cluster::{ClusterError, adopted};
use bootstorm_model::observe::{Change, InstancePhase};
use bootstorm_model::plan::{Adoptee, Switch, Target};
use bootstorm_model::record::{PhaseKind, Via};

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

/// Reason why a VM is not eligible for a phase; `None` if it is.
pub(super) fn obstacle(
    adoptee: &Adoptee,
    machine: Option<&Standing>,
    kind: PhaseKind,
    alive: bool,
) -> Option<String> {
    if let Some(stranger) = stranger(adoptee, machine) {
        return Some(stranger);
    }
    let machine = machine?;
    let now = machine.setting();
    let changed = || Some(format!("somebody changed its run strategy to {now} since it was adopted"));
    match adoptee.switch() {
        Switch::Subresource if now != adoptee.before => return changed(),
        Switch::Setting { off, on } if now != on && now != off => return changed(),
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
        Switch::Subresource if stops => !alive || machine.wish() == Some("Stop"),
        Switch::Subresource => alive || machine.wish() == Some("Start"),
    }
}
