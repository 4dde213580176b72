//! A failed command: what failed, why, and what to run next.

use std::fmt;

use crate::exit::Exit;

/// Failure of a command
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What failed, one sentence without a full stop.
    pub message: String,
    /// Why, one line per cause, outermost first.
    pub causes: Vec<String>,
    /// Next commands.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure caused by the cluster, the state or the environment.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// A run refused by the preflight checks.
    pub fn preflight(message: impl Into<String>) -> Self {
        Self { exit: Exit::Preflight, ..Self::new(message) }
    }

    /// A command interrupted by the user.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self { exit: Exit::Interrupted, ..Self::new(message) }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
