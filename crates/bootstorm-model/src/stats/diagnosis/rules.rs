//! The lines of the table, in order.

use super::Diagnosis;
use super::essence::{clip, of_warning, told};
use crate::component::Component;
use crate::observe::{Milestone, Outcome, Timeline, Warning};

/// Warnings about what a pod needs before its containers run, each with the component.
const BEFORE_CONTAINERS: [(&str, Component); 5] = [
    ("FailedAttachVolume", Component::Attaching),
    ("FailedMount", Component::Attaching),
    ("FailedMapVolume", Component::Attaching),
    ("FailedCreatePodSandBox", Component::Containers),
    ("ErrImageNeverPull", Component::Images),
];
/// Container states that concern its image.
const OF_IMAGES: [&str; 5] =
    ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"];
/// VM statuses that mean its disks are missing.
const OF_VOLUMES: [&str; 6] = [
    "Provisioning",
    "WaitingForVolumeBinding",
    "DataVolumeError",
    "ErrorDataVolumeNotFound",
    "ErrorPvcNotFound",
    "WaitingForDataVolume",
];
/// Pod states that only mean that it is pending.
const SAY_NOTHING: [&str; 5] = ["", "Pending", "Running", "Pending: no node yet", "is being deleted"];

/// Applies the rules.
pub(super) fn diagnose(timeline: &Timeline, goal: Milestone) -> Diagnosis {
    let has = |milestone| timeline.has(milestone);
    if goal == Milestone::Gone {
        let waits_for = if has(Milestone::Stopping) { Component::Shutdown } else { Component::Stop };
        return Diagnosis { waits_for, cause: refused(timeline) };
    }
    let migrates = timeline.migration.as_ref().is_some_and(|facts| facts.uid.is_some());
    // The answer may be lost, or still on its way: an instance or a migration shows that the request was accepted.
    let accepted = has(Milestone::Accepted) || has(Milestone::Instance) || migrates;
    if !accepted && !timeline.untimed {
        return Diagnosis { waits_for: Component::Api, cause: refused(timeline) };
    }
    if goal == Milestone::Migrated || goal == Milestone::Moved && migrates && !has(Milestone::Stopping) {
        return migration(timeline);
    }
    if goal == Milestone::Moved && has(Milestone::Running) {
        // Nobody probes it: it has to leave the node.
        let node = timeline.node.as_deref().unwrap_or("a node that is drained");
        let cause = Some(format!("it runs on {node} again"));
        return Diagnosis { waits_for: Component::Scheduling, cause };
    }
    if has(Milestone::Running) {
        let waits_for = if timeline.address.is_none() { Component::Guest } else { Component::Network };
        return Diagnosis { waits_for, cause: None };
    }
    if timeline.old_instance.is_some() && !has(Milestone::Gone) && !has(Milestone::Instance) {
        let waits_for = if has(Milestone::Stopping) { Component::Shutdown } else { Component::Stop };
        return Diagnosis { waits_for, cause: None };
    }
    if timeline.restarts > 0 || status(timeline) == "CrashLoopBackOff" {
        return Diagnosis { waits_for: Component::Crashing, cause: Some(crash(timeline)) };
    }
    volumes(timeline, goal).unwrap_or_else(|| {
        if !has(Milestone::Instance) {
            return about(timeline, Component::Controller, &["VirtualMachine"]);
        }
        if !has(Milestone::Pod) {
            return about(timeline, Component::Pod, &["VirtualMachineInstance"]);
        }
        pod(timeline)
    })
}

/// What a live migration is waiting for, or why it failed.
fn migration(timeline: &Timeline) -> Diagnosis {
    let failure = timeline.migration.as_ref().and_then(|facts| facts.failure.as_deref());
    // A pod without a node is closer to the cause than the migration that failed because of it.
    let pods = timeline.warnings.iter().rev();
    let unplaced = pods.clone().find(|warning| warning.reason == "FailedScheduling");
    let unplaced = unplaced.filter(|_| !timeline.has(Milestone::Placed) && !timeline.has(Milestone::Target));
    let failed = pods.clone().find(|warning| warning.reason == "FailedMigration");
    let cause = match (unplaced, failure, failed) {
        (Some(warning), ..) => Some(of_warning(warning)),
        (None, Some(failure), _) => Some(told("FailedMigration", failure)),
        (None, None, warning) => warning.map(of_warning),
    };
    let waits_for = match () {
        () if timeline.has(Milestone::Target) => Component::Copying,
        () if !timeline.has(Milestone::Pod) => Component::Queue,
        () if timeline.has(Milestone::Started) => Component::Target,
        () => {
            let pod = pod(timeline);
            let cause = cause.or(pod.cause);
            return Diagnosis { waits_for: pod.waits_for, cause };
        }
    };
    Diagnosis { waits_for, cause }
}

/// Status of a VM, if it was read.
fn status(timeline: &Timeline) -> &str {
    timeline.findings.as_ref().map_or("", |findings| findings.status.as_str())
}

/// The server's refusal of the request.
fn refused(timeline: &Timeline) -> Option<String> {
    let reason = timeline.reason.as_deref().filter(|_| timeline.outcome == Outcome::Failed);
    Some(told("", timeline.answer.as_deref().or(reason)?))
}

/// Reason why the guest ends.
fn crash(timeline: &Timeline) -> String {
    let exit = timeline.launcher.as_ref().map(|launcher| launcher.state.as_str());
    let exit = exit.filter(|state| state.starts_with("container "));
    let warned = last(timeline, &["VirtualMachineInstance", "Pod"]).map(|warning| warning.message.as_str());
    told("CrashLoopBackOff", exit.or(warned).unwrap_or_default())
}

/// Problem with the disks.
fn volumes(timeline: &Timeline, goal: Milestone) -> Option<Diagnosis> {
    let status = status(timeline);
    let awaits = goal == Milestone::Volume && !timeline.has(Milestone::Volume);
    if !awaits && !OF_VOLUMES.contains(&status) {
        return missing_claim(timeline);
    }
    let findings = timeline.findings.as_ref();
    let said = findings.and_then(|findings| findings.conditions.first().or(findings.volumes.first()));
    let cause = match (status, said) {
        ("" | "Starting" | "Stopped", said) => said.map(|said| split(said)),
        (status, None) => Some(status.to_owned()),
        (status, Some(said)) => Some(told(status, &split(said))),
    };
    Some(Diagnosis { waits_for: Component::Filling, cause })
}

/// A missing claim, as reported by virt-controller while the VM waits.
fn missing_claim(timeline: &Timeline) -> Option<Diagnosis> {
    let missing = |warning: &&Warning| {
        matches!(warning.reason.as_str(), "FailedPvcNotFound" | "FailedDataVolumeNotFound")
    };
    let warning = timeline.warnings.iter().rfind(missing).filter(|_| !timeline.has(Milestone::Pod))?;
    Some(Diagnosis { waits_for: Component::Filling, cause: Some(of_warning(warning)) })
}

/// What the launcher pod is waiting for.
fn pod(timeline: &Timeline) -> Diagnosis {
    let has = |milestone| timeline.has(milestone);
    let state = timeline.launcher.as_ref().map_or("", |launcher| launcher.state.as_str());
    let word = state.split(": ").next().unwrap_or_default();
    let scheduling = timeline.warnings.iter().rfind(|warning| warning.reason == "FailedScheduling");
    let is_watched = timeline.launcher.is_some();
    if !has(Milestone::Scheduled) && is_watched && !has(Milestone::Placed) {
        let message = state.strip_prefix("Unschedulable: ");
        let message = message.or(scheduling.map(|warning| warning.message.as_str()));
        return Diagnosis {
            waits_for: Component::Scheduling,
            cause: message.map(|message| told("FailedScheduling", message)),
        };
    }
    if has(Milestone::Scheduled) {
        return about(timeline, Component::Domain, &["VirtualMachineInstance"]);
    }
    if has(Milestone::Started) {
        return about(timeline, Component::Handler, &["VirtualMachineInstance"]);
    }
    if OF_IMAGES.contains(&word) {
        let message = state.strip_prefix(word).unwrap_or_default().trim_start_matches(": ");
        // Pulling and waiting alternate: both are the same problem.
        let word = if word == "ErrImagePull" { "ImagePullBackOff" } else { word };
        let cause = match image(message) {
            // Its tag is not a number that varies between VMs: it identifies the image that cannot be pulled.
            Some(image) => format!("{word}: {}", clip(image)),
            None => told(word, message),
        };
        return Diagnosis { waits_for: Component::Images, cause: Some(cause) };
    }
    let known = |warning: &Warning| {
        let place = BEFORE_CONTAINERS.iter().find(|(reason, _)| *reason == warning.reason)?;
        Some(Diagnosis { waits_for: place.1, cause: Some(of_warning(warning)) })
    };
    if let Some(found) = timeline.warnings.iter().rev().find_map(known) {
        return found;
    }
    if !SAY_NOTHING.contains(&state) {
        return Diagnosis { waits_for: Component::Containers, cause: Some(split(state)) };
    }
    let waits_for = if is_watched { Component::Containers } else { Component::Launcher };
    let found = about(timeline, waits_for, &["Pod", "VirtualMachineInstance"]);
    // The condition's word for what the event calls `FailedScheduling`.
    match found.cause.as_ref().and_then(|cause| cause.strip_prefix("Unschedulable")) {
        Some(rest) => {
            Diagnosis { waits_for: Component::Scheduling, cause: Some(format!("FailedScheduling{rest}")) }
        }
        None => found,
    }
}

/// The image in a message of the kubelet; both of its messages name it in quotes.
fn image(message: &str) -> Option<&str> {
    message.split('"').nth(1).filter(|image| !image.is_empty())
}

/// Last warning about one of these kinds, else the first condition.
fn about(timeline: &Timeline, waits_for: Component, kinds: &[&str]) -> Diagnosis {
    let said = || timeline.findings.as_ref().and_then(|findings| findings.conditions.first());
    let cause = last(timeline, kinds).map(of_warning).or_else(|| said().map(|said| split(said)));
    Diagnosis { waits_for, cause }
}

fn last<'a>(timeline: &'a Timeline, kinds: &[&str]) -> Option<&'a Warning> {
    timeline.warnings.iter().rfind(|warning| kinds.contains(&warning.kind.as_str()))
}

/// `Word: message` with the essence of the message.
fn split(text: &str) -> String {
    match text.split_once(": ") {
        Some((word, message)) if !word.contains(' ') => told(word, message),
        _ => told("", text),
    }
}
