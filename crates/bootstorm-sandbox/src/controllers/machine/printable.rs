//! `status.printableStatus`: the table of kubevirt-api.md 4.2, first match wins.

use crate::value::Value;

use super::super::conditions;
use super::super::conditions::is_final;
use super::strategy::Strategy;
use super::volumes::Disks;

/// The status word that `kubectl get vm` shows.
pub fn status(vm: &Value, vmi: Option<&Value>, disks: &Disks) -> &'static str {
    let phase = vmi.and_then(|vmi| vmi["status"]["phase"].as_str()).unwrap_or_default();
    let deleting = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
    let ended = vmi.is_some_and(is_final);
    let out_of_sync = vmi.map_or("", |vmi| conditions::reason(vmi, "Synchronized"));
    if deleting(vm) {
        return "Terminating";
    }
    if vmi.is_some_and(|vmi| !ended && deleting(vmi)) {
        return "Stopping";
    }
    if phase == "Running" {
        return if vmi.is_some_and(|vmi| conditions::is(vmi, "Paused", "True")) {
            "Paused"
        } else {
            "Running"
        };
    }
    if out_of_sync == "FailedPvcNotFound" {
        return "ErrorPvcNotFound";
    }
    if disks.failed {
        return "DataVolumeError";
    }
    let unschedulable = |vmi: &Value| conditions::reason(vmi, "PodScheduled") == "Unschedulable";
    if !ended && vmi.is_some_and(unschedulable) {
        return "ErrorUnschedulable";
    }
    if disks.provisioning {
        return "Provisioning";
    }
    let starting = Strategy::of(vm) != Strategy::Halted && !ended;
    if starting && disks.unbound {
        return "WaitingForVolumeBinding";
    }
    match out_of_sync {
        "ErrImagePull" => return "ErrImagePull",
        "ImagePullBackOff" => return "ImagePullBackOff",
        _ => {}
    }
    if vmi.is_some() && !ended {
        return "Starting";
    }
    let failures = vm["status"]["startFailure"]["consecutiveFailCount"].as_u64().unwrap_or(0);
    if failures > 0 && Strategy::of(vm).backs_off() {
        return "CrashLoopBackOff";
    }
    "Stopped"
}
