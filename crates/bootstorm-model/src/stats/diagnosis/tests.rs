//! One VM per problem; VMs with the same problem get the same text.

use std::collections::BTreeMap;

use super::*;
use crate::observe::{Findings, LauncherState, Offset, Warning};

/// A VM that came this far and ran out of time.
fn stuck(last: Milestone) -> Timeline {
    let mut timeline = Timeline { outcome: Outcome::TimedOut, ..Timeline::new(0) };
    for milestone in Milestone::ALL.into_iter().filter(|milestone| *milestone <= last) {
        timeline.see(milestone, Offset(1));
    }
    timeline
}

fn state(timeline: Timeline, state: &str) -> Timeline {
    let launcher = LauncherState { pod: "virt-launcher-vm-x7k2p".into(), state: state.into() };
    Timeline { launcher: Some(launcher.into()), ..timeline }
}

fn warned(mut timeline: Timeline, kind: &str, reason: &str, message: &str) -> Timeline {
    timeline.warn(Warning {
        kind: kind.into(),
        name: "x".into(),
        reason: reason.into(),
        message: message.into(),
        count: 1,
        first: Offset(1),
        last: Offset(1),
    });
    timeline
}

fn asked(timeline: Timeline, status: &str, conditions: &[&str]) -> Timeline {
    let conditions = conditions.iter().map(|condition| (*condition).to_owned()).collect();
    let findings = Findings { status: status.into(), conditions, ..Findings::default() };
    Timeline { findings: Some(findings.into()), ..timeline }
}

fn says(timeline: &Timeline) -> (Component, String) {
    let found = Diagnosis::of_failed(timeline, Milestone::Reachable).unwrap();
    (found.waits_for, found.to_string())
}

#[test]
fn a_scheduler_says_what_it_lacks_whatever_the_numbers_are() {
    let full = "0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient memory. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";
    let other = "0/5 nodes are available: 4 Insufficient memory, 1 node(s) had untolerated taint {a: b}. preemption: x.";
    let expected = (
        Component::Scheduling,
        "FailedScheduling: Insufficient memory, node(s) had untolerated taint {a: b}".to_owned(),
    );
    assert_eq!(says(&state(stuck(Milestone::Pod), &format!("Unschedulable: {full}"))), expected);
    let heard =
        warned(state(stuck(Milestone::Pod), "Pending: no node yet"), "Pod", "FailedScheduling", other);
    assert_eq!(says(&heard), expected);
    assert_eq!(says(&state(stuck(Milestone::Pod), "Pending: no node yet")).1, "waited for a node");
}

#[test]
fn quotas_images_claims_and_crashes_are_named() {
    let quota = "Error creating pod: pods \"virt-launcher-vm-9w6nl\" is forbidden: exceeded quota: default-quota, requested: limits.memory=1737721600, used: limits.memory=0, limited: limits.memory=100Mi";
    let found = says(&warned(stuck(Milestone::Instance), "VirtualMachineInstance", "FailedCreate", quota));
    assert_eq!(found, (Component::Pod, "FailedCreate: exceeded quota: default-quota".into()));

    for (word, message) in [
        ("ImagePullBackOff", "Back-off pulling image \"quay.io/a/b:1\": ErrImagePull: not found"),
        ("ErrImagePull", "failed to pull and unpack image \"quay.io/a/b:1\": not found"),
    ] {
        let found = says(&state(stuck(Milestone::Placed), &format!("{word}: {message}")));
        assert_eq!(found, (Component::Images, "ImagePullBackOff: quay.io/a/b:1".into()));
    }

    let claim = "PVC p-1/nowhere does not exist, waiting for it to appear";
    let heard = warned(stuck(Milestone::Instance), "VirtualMachineInstance", "FailedPvcNotFound", claim);
    assert_eq!(says(&heard).0, Component::Filling);
    assert!(says(&heard).1.starts_with("FailedPvcNotFound: PVC p-<n>/nowhere does not exist"), "{heard:?}");

    let limit = "Error creating pod: Pod \"virt-launcher-vm-x7k2p\" is invalid: spec.containers[0].resources.requests: Invalid value: \"322Mi\": must be less than or equal to memory limit of 100Mi";
    let heard = warned(stuck(Milestone::Instance), "VirtualMachineInstance", "FailedCreate", limit);
    let text = "FailedCreate: spec.containers[<n>].resources.requests: must be less than or equal to memory limit of <n>Mi";
    assert_eq!(says(&heard).1, text);

    let mut unanswered = stuck(Milestone::Instance);
    unanswered.moments.remove(&Milestone::Accepted);
    assert_eq!(says(&unanswered).0, Component::Pod);
    unanswered.moments.remove(&Milestone::Instance);
    assert_eq!(says(&unanswered).0, Component::Api);

    let crashed = Timeline { restarts: 2, ..stuck(Milestone::Accepted) };
    let crashed = warned(crashed, "VirtualMachineInstance", "Stopped", "The VirtualMachineInstance crashed.");
    assert_eq!(
        says(&crashed),
        (Component::Crashing, "CrashLoopBackOff: The VirtualMachineInstance crashed".into())
    );
}

#[test]
fn volumes_and_guests_are_told_apart() {
    let attach =
        "AttachVolume.Attach failed for volume \"pvc-3f1c0b1e-0d6a-4c7e-9c55-1b2f4a9d7e10\" : rpc error";
    let heard = warned(state(stuck(Milestone::Placed), "Pending"), "Pod", "FailedAttachVolume", attach);
    let (waits_for, text) = says(&heard);
    assert_eq!(waits_for, Component::Attaching);
    assert!(
        text.starts_with("FailedAttachVolume: AttachVolume.Attach failed for volume \"pvc-<id>\""),
        "{text}"
    );
    let started = state(stuck(Milestone::Scheduled), "Running");
    assert_eq!(says(&started), (Component::Domain, "waited for the guest to be started".into()));
    let sync =
        warned(started, "VirtualMachineInstance", "SyncFailed", "server error. command SyncVMI failed");
    assert_eq!(says(&sync).1, "SyncFailed: server error");
    assert_eq!(says(&stuck(Milestone::Running)).0, Component::Guest);
    let silent = Timeline { address: Some("10.0.0.1".into()), ..stuck(Milestone::Running) };
    assert_eq!(says(&silent), (Component::Network, "waited for an answer of the guest".into()));
    let filling =
        asked(stuck(Milestone::Accepted), "Provisioning", &["DataVolumesReady: ImportInProgress: 30 %"]);
    assert_eq!(says(&filling).0, Component::Filling);
}

#[test]
fn refusals_stops_and_clean_vms() {
    let refused = Timeline {
        outcome: Outcome::Failed,
        reason: Some("failed to create the virtual machine: admission webhook denied the request".into()),
        ..stuck(Milestone::Requested)
    };
    assert_eq!(says(&refused).0, Component::Api);
    assert!(says(&refused).1.starts_with("failed to create the virtual machine"), "{refused:?}");
    let stop = |timeline| Diagnosis::of_failed(&timeline, Milestone::Gone).unwrap().waits_for;
    assert_eq!(
        Diagnosis::of_failed(&Timeline { moments: BTreeMap::new(), ..refused }, Milestone::Running),
        None
    );
    let mut stopping = stuck(Milestone::Requested);
    assert_eq!(stop(stopping.clone()), Component::Stop);
    stopping.see(Milestone::Stopping, Offset(1));
    assert_eq!(stop(stopping), Component::Shutdown);
    let reached = Timeline { outcome: Outcome::Reached, ..stuck(Milestone::Running) };
    assert_eq!(Diagnosis::of_failed(&reached, Milestone::Running), None);
    // Without a watch on pods less is known, and no more is claimed.
    assert_eq!(says(&stuck(Milestone::Pod)).1, "waited for the launcher pod to run");
    let told = asked(
        stuck(Milestone::Pod),
        "ErrorUnschedulable",
        &["Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."],
    );
    assert_eq!(says(&told), (Component::Scheduling, "FailedScheduling: Insufficient cpu".into()));
}
