//! The status of a data volume.

use crate::value::{Value, json};

use super::plan::Plan;

/// Moves a data volume to a phase, with the matching conditions.
pub fn enter(volume: &mut Value, plan: Plan, phase: &str, stamp: &str) {
    let name = volume["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let done = phase == "Succeeded";
    let active = plan.phases().contains(&phase);
    if let Some(kind) = plan.clone_type() {
        if !volume["metadata"]["annotations"].is_object() {
            volume["metadata"]["annotations"] = json!({});
        }
        volume["metadata"]["annotations"]["cdi.kubevirt.io/cloneType"] = json!(kind);
    }
    volume["status"]["claimName"] = json!(name);
    volume["status"]["phase"] = json!(phase);
    if done {
        volume["status"]["progress"] = json!("100.0%");
    } else if volume["status"]["progress"].is_null() {
        volume["status"]["progress"] = json!("N/A");
    }
    if volume["status"]["restartCount"].is_null() && plan.copies() {
        volume["status"]["restartCount"] = json!(0);
    }
    let bound = if done {
        ("True", "Bound", format!("PVC {name} Bound"))
    } else {
        ("False", "Pending", format!("PVC {name} Pending"))
    };
    condition(volume, "Bound", bound.0, bound.1, &bound.2, stamp);
    let ready = if done { ("True", "") } else { ("False", if active { "TransferRunning" } else { "" }) };
    condition(volume, "Ready", ready.0, ready.1, "", stamp);
    let copying = active && plan.copies() && phase.ends_with("InProgress");
    let running = if copying {
        ("True", "Pod is running", "")
    } else if done {
        ("False", "Completed", if plan.copies() { "Import Complete" } else { "Clone Complete" })
    } else {
        ("False", "", "")
    };
    condition(volume, "Running", running.0, running.1, running.2, stamp);
}

/// Records the progress of a transfer, from 0 to 1.
pub fn progress(volume: &mut Value, share: f64) {
    volume["status"]["progress"] = json!(format!("{:.2}%", share.clamp(0.0, 1.0) * 100.0));
}

fn condition(volume: &mut Value, kind: &str, status: &str, reason: &str, message: &str, stamp: &str) {
    super::super::conditions::mark(volume, kind, status, reason, message, stamp);
    for condition in volume["status"]["conditions"].as_array_mut().into_iter().flatten() {
        if let Some(fields) = condition.as_object_mut()
            && let Some(probe) = fields.remove("lastProbeTime")
        {
            fields.insert("lastHeartbeatTime".to_owned(), probe);
        }
    }
}
