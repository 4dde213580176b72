//! The run strategy of a machine, from either of its fields.

use crate::value::{Value, json};

/// When a machine should have an instance
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Always.
    Always,
    /// Never.
    Halted,
    /// As requested.
    Manual,
    /// Until its guest powers off.
    RerunOnFailure,
    /// Once.
    Once,
}

impl Strategy {
    /// Strategy of a machine; the older boolean counts as Always or Halted.
    pub fn of(vm: &Value) -> Self {
        match (vm["spec"]["runStrategy"].as_str(), vm["spec"]["running"].as_bool()) {
            (Some("Always"), _) | (None, Some(true)) => Self::Always,
            (Some("Manual"), _) => Self::Manual,
            (Some("RerunOnFailure"), _) => Self::RerunOnFailure,
            (Some("Once"), _) => Self::Once,
            _ => Self::Halted,
        }
    }

    /// Word in `spec.runStrategy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::Halted => "Halted",
            Self::Manual => "Manual",
            Self::RerunOnFailure => "RerunOnFailure",
            Self::Once => "Once",
        }
    }

    /// Whether failed starts are retried with a back-off.
    pub fn backs_off(self) -> bool {
        matches!(self, Self::Always | Self::RerunOnFailure | Self::Once)
    }
}

/// Turns a halted machine on, using the field that it has.
pub fn turn_on(vm: &mut Value) {
    if vm["spec"].get("running").is_some_and(Value::is_boolean) {
        vm["spec"]["running"] = json!(true);
    } else {
        vm["spec"]["runStrategy"] = json!("Always");
    }
}
