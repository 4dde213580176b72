//! Phase changes of an instance, with timestamps.

use crate::value::{Value, json};

/// Sets the phase and records its time, once per phase.
pub fn enter(vmi: &mut Value, phase: &str, stamp: &str) {
    vmi["status"]["phase"] = json!(phase);
    let stamps = &mut vmi["status"]["phaseTransitionTimestamps"];
    if !stamps.is_array() {
        *stamps = json!([]);
    }
    if let Some(list) = stamps.as_array_mut()
        && !list.iter().any(|entry| entry["phase"] == phase)
    {
        list.push(json!({"phase": phase, "phaseTransitionTimestamp": stamp}));
    }
}
