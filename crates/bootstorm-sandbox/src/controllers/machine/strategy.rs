//! The run strategy of a machine, in both of its spellings.

use serde_json::{Value, json};

/// When a machine should have an instance
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Always one.
    Always,
    /// Never one.
    Halted,
    /// As requests ask.
    Manual,
    /// One until its guest powers off.
    RerunOnFailure,
    /// One, once.
    Once,
}

impl Strategy {
    /// The strategy of a machine; the old boolean counts as Always or Halted.
    pub fn of(vm: &Value) -> Self {
        match (vm["spec"]["runStrategy"].as_str(), vm["spec"]["running"].as_bool()) {
            (Some("Always"), _) | (None, Some(true)) => Self::Always,
            (Some("Manual"), _) => Self::Manual,
            (Some("RerunOnFailure"), _) => Self::RerunOnFailure,
            (Some("Once"), _) => Self::Once,
            _ => Self::Halted,
        }
    }

    /// The word in `spec.runStrategy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::Halted => "Halted",
            Self::Manual => "Manual",
            Self::RerunOnFailure => "RerunOnFailure",
            Self::Once => "Once",
        }
    }

    /// Whether failed starts are repeated with a back-off.
    pub fn backs_off(self) -> bool {
        matches!(self, Self::Always | Self::RerunOnFailure | Self::Once)
    }
}

/// Turns a halted machine on, in the spelling it uses.
pub fn turn_on(vm: &mut Value) {
    if vm["spec"].get("running").is_some_and(Value::is_boolean) {
        vm["spec"]["running"] = json!(true);
    } else {
        vm["spec"]["runStrategy"] = json!("Always");
    }
}
