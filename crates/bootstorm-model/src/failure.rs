//! A failed command: what failed, why, and what to run next.

use std::fmt;

use crate::exit::Exit;

/// A command that could not do its work
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code that fits.
    pub exit: Exit,
    /// What failed, one sentence without a full stop.
    pub message: String,
    /// Why, one line per cause, outermost first.
    pub causes: Vec<String>,
    /// Next commands.
    pub hints: Vec<String>,
}

impl Failure {
    /// The cluster, the state or the environment does not allow it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// The preflight checks refuse the run.
    pub fn preflight(message: impl Into<String>) -> Self {
        Self { exit: Exit::Preflight, ..Self::new(message) }
    }

    /// The user interrupted the command.
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
